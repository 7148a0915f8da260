/* SPDX-License-Identifier: MIT */
/*
 * GFP ("get free pages") flags: what a request may do and where it may be served.
 *
 * Names and bit values are those of Linux 6.18 on x86-64 without KASAN_HW_TAGS and LOCKDEP, so that
 * a mask from a trace of such a kernel can be passed on unchanged. Other builds number the bits
 * above __GFP_ACCOUNT differently; a trace reader translates them by name.
 */
#ifndef PAGUS_GFP_H
#define PAGUS_GFP_H

/* Zone selectors. The low nibble of a mask (GFP_ZONEMASK) indexes the zone table, gfp -> zone. */
#define __GFP_DMA            0x1u
#define __GFP_HIGHMEM        0x2u
#define __GFP_DMA32          0x4u
#define __GFP_MOVABLE        0x8u     /* zone selector with HIGHMEM; migratetype MOVABLE */
#define __GFP_RECLAIMABLE    0x10u    /* migratetype RECLAIMABLE */

/* Rights on the reserves, and what the caller lets the allocator do to find memory. */
#define __GFP_HIGH           0x20u    /* may use half of the min watermark */
#define __GFP_IO             0x40u
#define __GFP_FS             0x80u
#define __GFP_ZERO           0x100u
#define __GFP_DIRECT_RECLAIM 0x400u   /* the caller may sleep */
#define __GFP_KSWAPD_RECLAIM 0x800u
#define __GFP_WRITE          0x1000u
#define __GFP_NOWARN         0x2000u
#define __GFP_RETRY_MAYFAIL  0x4000u
#define __GFP_NOFAIL         0x8000u
#define __GFP_NORETRY        0x10000u
#define __GFP_MEMALLOC       0x20000u /* ignores watermarks */
#define __GFP_COMP           0x40000u
#define __GFP_NOMEMALLOC     0x80000u /* never uses reserves; wins over MEMALLOC */
#define __GFP_HARDWALL       0x100000u
#define __GFP_THISNODE       0x200000u /* walk the preferred node's own zones only */
#define __GFP_ACCOUNT        0x400000u
#define __GFP_ZEROTAGS       0x800000u
#define __GFP_NO_OBJ_EXT     0x1000000u

#define GFP_ZONEMASK         0xfu
#define __GFP_RECLAIM        (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

/* The composites that callers write. */
#define GFP_ATOMIC           (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL           (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT   (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT           (__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#define GFP_NOIO             (__GFP_RECLAIM)
#define GFP_NOFS             (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER             (__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL)
#define GFP_DMA              __GFP_DMA
#define GFP_DMA32            __GFP_DMA32
#define GFP_HIGHUSER         (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_TRANSHUGE_LIGHT                                                                       \
	((GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN) & ~__GFP_RECLAIM)
#define GFP_TRANSHUGE        (GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM)

#endif
