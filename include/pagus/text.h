/* SPDX-License-Identifier: MIT */
/*
 * The state of an instance as text in the kernel's own formats, byte for byte: what /proc, debugfs,
 * the kernel log and the kmem tracepoints would print, for programs written for a kernel to read.
 *
 * Formats differ between releases. An instance prints those of the release that its placement
 * follows (6.1 under linux-6.1), as Debian configures amd64 kernels: NUMA, SMP, huge pages, swap,
 * ZONE_DEVICE, page isolation; CMA and unaccepted memory from 6.12 on. There are no hugetlb pages
 * and no page owner: their lines are left out. The zones listed are those of the configuration,
 * HighMem only with a Normal ceiling, and Device.
 *
 * Counters that a page allocator does not have (LRU, page cache, and in zoneinfo numa_*, which are
 * kept for the whole machine) stand where readers expect them and are 0. A counter of counters.def
 * whose name is one of the kernel's shows in vmstat under that name; it counts from the making of
 * the instance.
 *
 * A text goes into a buffer as snprintf writes: `length` grows by all that was written, the buffer
 * has what fits and always a terminating zero byte. One call with room 0 tells the size, a second
 * writes: nothing fails half-way, and no call comes back to the caller while the state is being
 * read. Texts append, so several may share a sink.
 *
 * Locking: as for all calls that look, the instance must be otherwise idle. No lock is taken.
 */
#ifndef PAGUS_TEXT_H
#define PAGUS_TEXT_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pagus_text {
	char *buf;     /* NULL only where room is 0 */
	size_t room;   /* bytes of buf */
	size_t length; /* of the whole text without the zero byte; room or more: truncated */
};

/* An empty text. */
void pagus_text_init(struct pagus_text *t, char *buf, size_t room);

/* ---- Files ----------------------------------------------------------------------------------- */

typedef void pagus_text_file(const struct pagus *p, struct pagus_text *t);

/* /proc/buddyinfo: free blocks of each zone by order, all types. */
pagus_text_file pagus_text_buddyinfo;

/*
 * /proc/pagetypeinfo: free blocks by type and order, counted up to 100000, and pageblocks by type.
 * Costs a walk over every free list and every pageblock.
 */
pagus_text_file pagus_text_pagetypeinfo;

/*
 * /proc/zoneinfo. Free pages are the count that watermarks see, without what CPUs have not folded
 * in. "vm stats threshold" is what the kernel computes from CPUs and managed pages
 * (calculate_normal_threshold), or what pagus_step_drift set. node_unreclaimable is 1 where
 * kswapd has given the node up, after 16 runs in a row that reclaimed nothing.
 */
pagus_text_file pagus_text_zoneinfo;

/* /proc/vmstat. */
pagus_text_file pagus_text_vmstat;

/* debugfs extfrag/extfrag_index and extfrag/unusable_index, thousandths as a fraction. */
pagus_text_file pagus_text_extfrag_index;
pagus_text_file pagus_text_unusable_index;

/* ---- The kernel log -------------------------------------------------------------------------- */

/*
 * The Mem-Info report of all nodes and zones (show_mem, SysRq-m). local_pcp is that of `cpu`; a cpu
 * that is not there has none.
 */
void pagus_text_show_mem(const struct pagus *p, struct pagus_text *t, uint32_t cpu);

/* A request that failed, as warn_alloc reports it. */
struct pagus_alloc_failure {
	const char *comm;      /* name of the task */
	uint32_t gfp, order;
	uint64_t nodemask;     /* of the request, bit n = node n; 0: it had none */
	const char *cpuset;    /* name of the task's cpuset; NULL: "/" */
	uint64_t mems_allowed; /* nodes that the cpuset allows; 0: all */
	uint32_t cpu;          /* where it failed */
};

/*
 * The report of a failed request: its line, and Mem-Info without the stack dump between them. As in
 * the kernel, zones above those that the GFP mask allows are left out, and so are nodes outside the
 * nodemask, or outside mems_allowed where there is none, if the request could have reclaimed
 * (__GFP_DIRECT_RECLAIM). The exception for tasks that are dying or reclaiming is not made. The
 * kernel prints nothing under __GFP_NOWARN, and one report in 10 s: that is up to the caller.
 */
void pagus_text_alloc_failure(const struct pagus *p, struct pagus_text *t,
			      const struct pagus_alloc_failure *failure);

/* ---- GFP masks and events -------------------------------------------------------------------- */

/*
 * A GFP mask by names, joined by |: composite names first, then single bits, what has no name in
 * hex, "none" for 0. Names and bits are those of the instance's release: in 6.1 bit 0x200 is
 * __GFP_ATOMIC, part of GFP_ATOMIC, and GFP_NOWAIT has no __GFP_NOWARN. p = NULL: those of gfp.h.
 */
void pagus_text_gfp(const struct pagus *p, struct pagus_text *t, uint32_t gfp);

/*
 * The reverse. `text` is names and hex numbers (0x...) joined by |, or "none"; any name of the
 * release, in any order. Error: BAD_VALUE for anything else; *gfp is then unchanged.
 */
enum pagus_status pagus_gfp_parse(const struct pagus *p, const char *text, uint32_t *gfp);

/*
 * An event as a trace file has it from the tracepoint's name on, with a newline: "mm_page_free:
 * page=... pfn=0x1000 order=0". page= is the address of the page's descriptor in x86-64's vmemmap
 * without address randomisation (0xffffea0000000000 + 64 pfn), or 0 for a failed request, whose pfn
 * is printed as 0 too. The library's own events follow the same pattern; the names of their values
 * are those in events.def. Events of compaction have the fields of their tracepoints, and no page=.
 * Of an event with an id that is not there, nothing is written; of one that would say a zone that is
 * not there, its name alone.
 */
void pagus_text_event(const struct pagus *p, struct pagus_text *t, const struct pagus_event *event);

#ifdef __cplusplus
}
#endif

#endif
