/* SPDX-License-Identifier: MIT */
/*
 * libpagus: the Linux page allocator as a library.
 *
 * An instance manages page frame numbers (pfn), not memory: it never reads or writes the pages. All
 * its state lies in one region that the caller sizes (pagus_sizeof) and provides (pagus_init); the
 * region holds no pointer, so a copy of its bytes is a copy of the instance.
 *
 * Units: sizes are in pages unless a name ends in _bytes or _kbytes; an order o means 2^o pages.
 * Errors: every call that can fail returns enum pagus_status; on any status other than PAGUS_OK the
 * instance is unchanged (pagus_digest gives the same value as before). NO_MEMORY alone may leave
 * traces: what the allocator tunes itself by (a pcp's high, alloc_factor and free_count, a zone's
 * below-high mark), a pageblock of the high-atomic reserve given back, free pages moved between the
 * zone's lists and a pcp's where CPUs own pageblocks, what kswapd was woken for, blocks that were
 * found bad, or given back because their charge was refused, and all that the port did when it was
 * asked for memory. Locking: allocation, free, split and drain may be called from any CPU of the
 * port at any time; all other calls need the instance to be otherwise idle, if they do not say
 * something else.
 */
#ifndef PAGUS_PAGUS_H
#define PAGUS_PAGUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pagus/gfp.h>
#include <pagus/port.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGUS_VERSION_MAJOR 0
#define PAGUS_VERSION_MINOR 1

#define PAGUS_MAX_ORDER     10 /* largest order; MAX_PAGE_ORDER */
#define PAGUS_NR_ORDERS     (PAGUS_MAX_ORDER + 1)
#define PAGUS_MAX_NODES     64
#define PAGUS_MAX_CPUS      1024
#define PAGUS_NR_PCP_LISTS  14 /* orders 0-3 by 3 types, then the huge order not movable, movable */
#define PAGUS_MAX_CMA_AREAS 64
#define PAGUS_NO_PFN        UINT64_MAX
#define PAGUS_NO_NODE       UINT32_MAX

typedef uint64_t pagus_pfn_t;

/* What calls return. X(NAME, text); pagus_status_text gives the text. */
#define PAGUS_STATUSES(X)                                                                          \
	X(OK, "ok")                                                                               \
	X(NO_MEMORY, "no zone within the request's rights has a free block of this order")        \
	X(BAD_ORDER, "order above the largest")                                                   \
	X(BAD_ZONE_BITS, "GFP zone bits name a combination of zones that does not exist")         \
	X(BAD_TYPE_BITS, "GFP asks for movable and reclaimable at once")                          \
	X(BAD_NODE, "no such node")                                                               \
	X(BAD_RANGE, "pfn outside the memory of this instance")                                   \
	X(BAD_ALIGN, "pfn is not a multiple of the block's size")                                 \
	X(NOT_ALLOCATED, "page was never handed out: a hole, reserved, or inside another block")  \
	X(DOUBLE_FREE, "block is already free")                                                   \
	X(WRONG_ORDER, "block was handed out with another order")                                 \
	X(BAD_CONFIG, "configuration is not valid")                                               \
	X(TOO_SMALL, "memory region is smaller than pagus_sizeof asks")                           \
	X(BAD_VALUE, "value outside the allowed range")                                           \
	X(BUSY, "page, zone or CPU is not in the state that this call needs")                     \
	X(UNSUPPORTED, "the policy's store does not keep what this call needs")                    \
	X(CANCELLED, "the caller's token ended it")                                               \
	X(FULL, "the configuration has no room for one more")                           \
	X(VETOED, "a notifier has refused")

enum pagus_status {
#define PAGUS_X(NAME, text) PAGUS_##NAME,
	PAGUS_STATUSES(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_STATUSES
};

/* Why a request got NO_MEMORY: X(NAME, name, text); pagus_refusal_name and _text give them. */
#define PAGUS_REFUSALS(X)                                                                          \
	X(NONE, none, "granted, or not a valid request")                                          \
	X(NO_ZONE, no_zone, "no zone with memory may serve it")                                   \
	X(WOULD_BLOCK, would_block, "only reclaim could help, and the request may not wait")      \
	X(RECURSION, recursion, "the task reclaims already, and the reserves are empty")          \
	X(DEFERRED, deferred, "costly, and compaction would not begin")                           \
	X(NORETRY, noretry, "one round of reclaim and compaction was not enough")                 \
	X(COSTLY, costly, "above order 3, where more than one round has to be asked for")         \
	X(NO_PROGRESS, no_progress, "reclaim, compaction and the OOM killer have nothing to give") \
	X(OOM_VICTIM, oom_victim, "the task is to die, and the victims' reserve is empty")        \
	X(ROUNDS, rounds, "reclaim made progress for 256 rounds and never enough")                \
	X(NOT_CHARGED, not_charged, "the port's memory controller refused the charge")            \
	X(KEPT_CLEAN, kept_clean, "only by tainting a superpageblock, and who asks can do without")

enum pagus_refusal {
#define PAGUS_X(NAME, name, text) PAGUS_REFUSED_##NAME,
	PAGUS_REFUSALS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_REFUSALS
};

/* Zone types in index order: the kernel's, with HIGHMEM always counted. */
enum pagus_zone_type {
	PAGUS_ZONE_DMA,
	PAGUS_ZONE_DMA32,
	PAGUS_ZONE_NORMAL,
	PAGUS_ZONE_HIGHMEM,
	PAGUS_ZONE_MOVABLE,
	PAGUS_NR_ZONE_TYPES
};

/*
 * Migratetypes: what a pageblock is meant to hold. The first three have pcp lists and merge freely.
 */
enum pagus_migratetype {
	PAGUS_UNMOVABLE,
	PAGUS_MOVABLE,
	PAGUS_RECLAIMABLE,
	PAGUS_HIGHATOMIC,
	PAGUS_CMA,
	PAGUS_ISOLATE,
	PAGUS_NR_MIGRATETYPES
};

enum pagus_watermark { PAGUS_WMARK_MIN, PAGUS_WMARK_LOW, PAGUS_WMARK_HIGH, PAGUS_WMARK_PROMO,
	PAGUS_NR_WMARKS };

/* X-macro tables as enumerations. */
enum pagus_counter {
#define PAGUS_COUNTER(name, text) PAGUS_COUNTER_##name,
#include <pagus/counters.def>
#undef PAGUS_COUNTER
	PAGUS_NR_COUNTERS
};

enum pagus_event_id {
#define PAGUS_EVENT(NAME, name, a, b, text) PAGUS_EVENT_##NAME,
#include <pagus/events.def>
#undef PAGUS_EVENT
	PAGUS_NR_EVENTS
};

enum pagus_tunable {
#define PAGUS_TUNABLE(name, def, min, max, text) PAGUS_TUNABLE_##name,
#include <pagus/tunables.def>
#undef PAGUS_TUNABLE
	PAGUS_NR_TUNABLES
};

/* ---- Configuration and life ---------------------------------------------------------------- */

/*
 * A range of present memory. Ranges are given in ascending order and do not overlap. With zone =
 * PAGUS_ZONE_BY_CEILING the range is cut at the ceilings of the configuration and each part goes to
 * the zone type below the ceiling; otherwise the whole range belongs to the zone named.
 */
#define PAGUS_ZONE_BY_CEILING PAGUS_NR_ZONE_TYPES
struct pagus_range {
	pagus_pfn_t start_pfn;
	uint64_t nr_pages;
	uint32_t node; /* 0 .. PAGUS_MAX_NODES-1 */
	uint32_t zone; /* enum pagus_zone_type, or PAGUS_ZONE_BY_CEILING */
	/*
	 * Not there yet, and not any more: to be plugged by pagus_online (hotplug.h). BY_CEILING, in
	 * a configuration without HighMem; begins with a pageblock and ends with a section. Its node
	 * has zones Normal and Movable then, with memory or without, with room for all of the node's.
	 */
	bool offline;
};

/*
 * Grouping by mobility: whether requests of different migratetypes are kept in different
 * pageblocks. The kernel decides when it builds zonelists (build_all_zonelists): not on a machine
 * with fewer pages than one pageblock of each migratetype. Without grouping every request is
 * unmovable, pageblocks that are given an ordinary type become unmovable, and a pageblock may be
 * claimed whatever it holds.
 */
enum pagus_grouping {
	PAGUS_GROUPING_BY_SIZE, /* as the kernel: if present pages >= pageblock pages * types */
	PAGUS_GROUPING_ALWAYS,
	PAGUS_GROUPING_NEVER,
	PAGUS_NR_GROUPINGS
};

struct pagus_config {
	const struct pagus_range *ranges;
	uint32_t nr_ranges;
	uint32_t nr_cpus;          /* 1 .. PAGUS_MAX_CPUS */
	const uint32_t *cpu_node;  /* node of each CPU; NULL: all on the first node with memory */
	/* Exclusive pfn ceilings; 0 means that the zone is not configured. Memory at or above the
	 * Normal ceiling is HighMem; a Normal ceiling of 0 means no limit. */
	pagus_pfn_t dma_ceiling;   /* x86-64: 4096 (16 MiB) */
	pagus_pfn_t dma32_ceiling; /* x86-64: 1048576 (4 GiB) */
	pagus_pfn_t normal_ceiling;
	uint32_t max_order;        /* largest order of a block, 1 .. PAGUS_MAX_ORDER; x86-64: 10 */
	uint32_t pageblock_order;  /* 1 .. max_order; x86-64: 9 */
	uint32_t section_order;    /* memory is tracked in sections of 2^this pages, absent ones cost
	                            * 4 bytes; max_order .. 24; x86-64: 15 (128 MiB) */
	const char *policy;        /* a name from pagus_policy_at, or "PCP+PLACE". Where pages are kept
	                            * in maps (pcpbuddy-bitmap, superpageblock) no pageblock may have pages of two
	                            * zones, nor an order above 9 */
	uint32_t grouping;         /* enum pagus_grouping; a placement that never groups does not */
	bool thp;                  /* transparent huge pages: raises min_free_kbytes as khugepaged does */
	bool counter_drift;        /* marks see free pages as the kernel counts them: each CPU keeps up to
	                            * stat_threshold pages to itself until its vmstat tick. Without
	                            * it the count is exact at all times */
	uint32_t superpageblock_order; /* of policy superpageblock: 0, which chooses the largest up to 18
	                                * (1 GiB of 4 KiB pages) of which the largest zone spans at least
	                                * 8; or max_order .. 18, and at least 3 above pageblock_order */
	uint32_t nr_cma_areas;     /* room for so many (cma.h), at most PAGUS_MAX_CMA_AREAS; costs a bit a
	                            * page, unless it is 0 */
};

/* For C: a configuration with x86-64's ceilings and orders, one CPU, and policy linux. */
#define PAGUS_CONFIG_X86_64                                                                        \
	((struct pagus_config){ .nr_cpus = 1, .dma_ceiling = 4096, .dma32_ceiling = 1048576,      \
				.max_order = 10, .pageblock_order = 9, .section_order = 15,       \
				.policy = "linux" })

struct pagus_event {
	uint8_t id;          /* enum pagus_event_id */
	uint8_t order;
	uint8_t migratetype;
	uint8_t zone;        /* zone id, 255 where no zone is known */
	uint32_t cpu;
	uint32_t a, b;       /* as the row in events.def says */
	pagus_pfn_t pfn;
	pagus_pfn_t other_pfn; /* of events whose row says so; else 0 */
};

/* What compaction comes to on its way, as its events say it and the kernel's print it. */
enum pagus_compact_word {
	PAGUS_COMPACT_WORD_NOT_SUITABLE_ZONE,
	PAGUS_COMPACT_WORD_SKIPPED,
	PAGUS_COMPACT_WORD_DEFERRED,
	PAGUS_COMPACT_WORD_NO_SUITABLE_PAGE,
	PAGUS_COMPACT_WORD_CONTINUE,
	PAGUS_COMPACT_WORD_COMPLETE,
	PAGUS_COMPACT_WORD_PARTIAL_SKIPPED,
	PAGUS_COMPACT_WORD_CONTENDED,
	PAGUS_COMPACT_WORD_SUCCESS
};

/*
 * Called at the instant of the event, zone or pcp lock possibly held: may look at the instance, and
 * call pagus_alloc_nolock and pagus_free_nolock; nothing else that changes it.
 */
typedef void pagus_listener(void *ctx, const struct pagus_event *event);

/*
 * The handle. It holds the pointers, the region holds the state; both belong to the caller. The
 * fields are for the library alone.
 */
struct pagus_state;
struct pagus {
	struct pagus_state *state;
	const struct pagus_port *port;
	void *port_ctx;
	pagus_listener *listener;
	void *listener_ctx;
	uint64_t listener_mask;
};

/*
 * Bytes that an instance of this configuration needs, a multiple of 64; 0 when the configuration is
 * not valid.
 */
size_t pagus_sizeof(const struct pagus_config *cfg);

/*
 * Build an instance in `mem` (aligned to 64). No page is free yet: all are reserved until handed
 * over. `cfg` and what it points to are not needed afterwards. Errors: BAD_CONFIG, TOO_SMALL;
 * UNSUPPORTED: the policy keeps pages in maps (pcpbuddy-bitmap), and the port has `charge` or `check`,
 * for which maps have no room.
 */
enum pagus_status pagus_init(struct pagus *p, void *mem, size_t bytes, const struct pagus_config *cfg,
			     const struct pagus_port *port, void *port_ctx);

/* Forget the instance; the region is the caller's again. */
void pagus_fini(struct pagus *p);

/*
 * Copy the whole state of `src`, counters too, into `mem` (aligned to 64), served by `port`; no
 * listener. Error: TOO_SMALL.
 */
enum pagus_status pagus_clone(struct pagus *dst, void *mem, size_t bytes, const struct pagus *src,
			      const struct pagus_port *port, void *port_ctx);

/* Bytes of state, as pagus_sizeof gave them. */
size_t pagus_state_bytes(const struct pagus *p);

/* 64-bit hash of the state without counters: equal states, equal digests. O(state). */
uint64_t pagus_digest(const struct pagus *p);

/*
 * Number of the first broken invariant (invariants.def), 0 if all hold; its pfn in *where.
 * O(state).
 */
int pagus_check(const struct pagus *p, pagus_pfn_t *where);
const char *pagus_invariant_text(int number);

/*
 * Call `fn` for every event whose bit (1 << id) is in `mask`; fn = NULL ends it. The port's caches
 * (cache.h) are closed before it returns, and stay so until it ends: what they had is freed, and
 * told.
 */
void pagus_listen(struct pagus *p, pagus_listener *fn, void *ctx, uint64_t mask);

const char *pagus_status_text(enum pagus_status status);
const char *pagus_event_name(enum pagus_event_id id);
const char *pagus_counter_name(enum pagus_counter counter);
const char *pagus_counter_text(enum pagus_counter counter);
const char *pagus_zone_name(enum pagus_zone_type type);            /* as /proc/buddyinfo prints it */
const char *pagus_migratetype_name(enum pagus_migratetype type);   /* as /proc/pagetypeinfo prints it */
const char *pagus_lock_reason_name(enum pagus_lock_reason reason);
const char *pagus_refusal_name(enum pagus_refusal refusal);
const char *pagus_refusal_text(enum pagus_refusal refusal);

/* The n-th named policy with one line about it; NULL past the last. */
const char *pagus_policy_at(uint32_t n, const char **about);
/* True if `name` is a named policy or PCP+PLACE of known parts. */
bool pagus_policy_known(const char *name);
/* True if it is known, and its zones have superpageblocks, where they are large enough. */
bool pagus_policy_superpageblocks(const char *name);

/* ---- Handing memory over -------------------------------------------------------------------- */

/*
 * Give the free range [start, start + nr_pages) to the buddy lists in the order in which the
 * kernel's memblock hand-over does: cut greedily into the largest aligned blocks, ascending, each
 * to its list's tail. Pages must be reserved; those that CMA areas have (cma.h) stay so. Errors:
 * BAD_RANGE, BUSY.
 */
enum pagus_status pagus_boot_free(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages);

/*
 * Hand [start, start + nr_pages) over as already in use, of unknown order and of the migratetype
 * that its use suggests (0-2). Such pages may be freed at any order whose pages are all so. Errors:
 * as above, and BAD_VALUE for the type; BUSY also where a CMA area has pages there.
 */
enum pagus_status pagus_inherit(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				enum pagus_migratetype type);

/*
 * End of hand-over: compute watermarks, lowmem reserves, pcp limits and zonelists, and decide on
 * grouping by mobility. Idempotent. Pageblocks are movable until here, as they are in the kernel,
 * which types them before it decides. CMA areas that are declared become active (cma.h). Error: BUSY while a zone's pcps are off, as of
 * pagus_seed_zone and pagus_tunable_set.
 */
enum pagus_status pagus_boot_done(struct pagus *p);

/* ---- Starting from a recorded kernel's state: all before the first allocation ---------------- */

/*
 * Set the migratetype of pfn's pageblock, none of whose pages is free. Errors: BAD_RANGE,
 * BAD_VALUE, BUSY.
 */
enum pagus_status pagus_seed_block(struct pagus *p, pagus_pfn_t pfn, enum pagus_migratetype type);

/*
 * Put a block on the tail of a free list of that order, without merging: its pageblock's list, and
 * pageblocks that it covers beyond its first take the first's type. Under a policy that keeps free
 * blocks on other lists too (linux-6.1), the list of `type`. Errors: BAD_ORDER, BAD_RANGE,
 * BAD_ALIGN, BAD_VALUE, BUSY.
 */
enum pagus_status pagus_seed_free(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				  enum pagus_migratetype type);

/*
 * Hand a block over as in use, as if a request for that order and migratetype (0-2) had been
 * granted it: it is freed with the order, and may move. Errors: as pagus_seed_free.
 */
enum pagus_status pagus_seed_used(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				  enum pagus_migratetype type);

/*
 * Put a block on the tail of one of cpu's pcp lists, numbered as the kernel does: 3 * order + type
 * up to order 3, then 12 and 13; a policy with other lists finds its own for that order and type.
 * Under a policy that does not cache the order, the block is freed into the zone instead. Errors: as above, and BAD_VALUE for the cpu or list.
 */
enum pagus_status pagus_seed_pcp(struct pagus *p, uint32_t cpu, pagus_pfn_t pfn, uint32_t list);

/* What a recorded zone says of itself; replaces what pagus_boot_done computed. */
struct pagus_zone_seed {
	pagus_pfn_t start_pfn;     /* span, which may reach into holes at either end; */
	uint64_t spanned;          /* 0: as the ranges of the configuration give it */
	uint64_t present, managed;
	uint64_t wmark[PAGUS_NR_WMARKS];
	uint64_t lowmem_reserve[PAGUS_NR_ZONE_TYPES];
	uint32_t pcp_high_min, pcp_high_max;
	uint32_t pcp_batch; /* 0: compute all three from the marks and managed pages above */
};
/*
 * Errors: BAD_NODE for a zone that the node does not have; BAD_VALUE for marks or pcp limits out of
 * order, or a batch above 2^25; BAD_RANGE for a span that leaves out memory of the zone; BUSY.
 */
enum pagus_status pagus_seed_zone(struct pagus *p, uint32_t node, enum pagus_zone_type type,
				  const struct pagus_zone_seed *seed);

/*
 * The moving part of one pcp: its current high, and what its auto-tuning remembers. Errors:
 * BAD_NODE as above; BAD_VALUE for the cpu, or an alloc_factor above pcp_batch_scale_max.
 */
struct pagus_pcp_seed {
	uint32_t high, alloc_factor, free_count, flags;
};
enum pagus_status pagus_seed_pcp_state(struct pagus *p, uint32_t node, enum pagus_zone_type type,
				       uint32_t cpu, const struct pagus_pcp_seed *seed);

/* ---- Allocation and free -------------------------------------------------------------------- */

/*
 * What the calling task is, beyond what its GFP mask shows: bits of a request's `task`, and of the
 * word that the port's task_flags names. PF_ names are the kernel's for the same.
 */
#define PAGUS_TASK_MEMALLOC      0x1u   /* PF_MEMALLOC, works to free memory: no watermark, no reclaim */
#define PAGUS_TASK_MEMALLOC_NOIO 0x2u   /* PF_MEMALLOC_NOIO scope: __GFP_IO and __GFP_FS are taken off */
#define PAGUS_TASK_MEMALLOC_NOFS 0x4u   /* PF_MEMALLOC_NOFS scope: __GFP_FS is taken off */
#define PAGUS_TASK_MEMALLOC_PIN  0x8u   /* PF_MEMALLOC_PIN scope: __GFP_MOVABLE is taken off */
#define PAGUS_TASK_OOM_VICTIM    0x10u  /* chosen by the OOM killer */
#define PAGUS_TASK_RT            0x20u  /* of a real-time or deadline class */
#define PAGUS_TASK_INTERRUPT     0x40u  /* an interrupt of any kind, no task */
#define PAGUS_TASK_SOFTIRQ       0x80u  /* serving a soft interrupt; with INTERRUPT */
#define PAGUS_TASK_EXITING       0x100u
#define PAGUS_TASK_DUMPCORE      0x200u /* dumps core: nothing is killed for it */
#define PAGUS_TASK_FATAL_SIGNAL  0x400u /* about to die: compaction is not retried for it,
					* and moving pages out of a range ends, by CANCELLED */
#define PAGUS_TASK_KTHREAD       0x800u /* PF_KTHREAD, a thread of the kernel's: is never throttled */

/*
 * What who asks can do if the request is refused, bits of a request's `intent`. Under policy
 * superpageblock a request above order 0 that says so, or whose mask does (__GFP_NORETRY without
 * __GFP_RETRY_MAYFAIL; __GFP_NOWARN without __GFP_DIRECT_RECLAIM), taints no superpageblock as long
 * as a tainted one has anything left that is free or could be freed: it is refused (KEPT_CLEAN).
 * Not so with __GFP_NOFAIL, nor for tasks that free memory.
 */
#define PAGUS_CAN_SPLIT    0x1u /* smaller blocks together are as good */
#define PAGUS_HAS_FALLBACK 0x2u /* it costs little to do without */

struct pagus_request {
	uint32_t gfp;
	uint32_t order;
	uint32_t node;     /* preferred node; PAGUS_NO_NODE: the CPU's own */
	uint32_t task;     /* PAGUS_TASK_*, added to the port's task_flags */
	uint64_t nodemask; /* allowed nodes, bit n = node n; 0: all */
	uint32_t intent;   /* PAGUS_CAN_SPLIT, PAGUS_HAS_FALLBACK */
};

struct pagus_result {
	pagus_pfn_t pfn; /* PAGUS_NO_PFN unless granted */
	enum pagus_status status;
	enum pagus_refusal refusal; /* with NO_MEMORY: what ended the slow path */
	uint8_t zone;    /* id of the zone that served it */
	bool from_pcp;   /* no zone lock was taken */
	bool pfmemalloc; /* taken below the watermarks, by who frees memory */
};

/*
 * Allocate 2^order pages. The plain form prefers the CPU's own node.
 *
 * A request that no zone serves above its low mark goes on to the slow path: it wakes kswapd, walks
 * again at the min mark with its own rights, and, where it may wait (__GFP_DIRECT_RECLAIM), asks
 * the port to reclaim, compact and kill, in rounds, by the rules of the release. It ends within 256
 * rounds; only __GFP_NOFAIL goes on, as long as it may wait and the port can.
 *
 * Errors: NO_MEMORY, BAD_ORDER, BAD_ZONE_BITS, BAD_TYPE_BITS, BAD_NODE.
 */
enum pagus_status pagus_alloc_pages(struct pagus *p, uint32_t gfp, uint32_t order, pagus_pfn_t *pfn);
enum pagus_status pagus_alloc(struct pagus *p, const struct pagus_request *req,
			      struct pagus_result *res);

/*
 * Free what pagus_alloc gave, with the same order; or inherited pages at any order. Anything else
 * is refused with a BAD_FREE event and changes nothing. Errors: BAD_ORDER, BAD_RANGE, BAD_ALIGN,
 * NOT_ALLOCATED, DOUBLE_FREE, WRONG_ORDER; BUSY: it has further references.
 *
 * The kernel's free_frozen_pages, for who knows that nobody else refers to the block. The kernel's
 * does not look at the references: it frees under their holders' feet, or, with page checks, leaks
 * the block as bad ("nonzero _refcount").
 */
enum pagus_status pagus_free_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

/*
 * Turn one allocated block of `order` into 2^(order-to) blocks of order `to`, each freed by itself.
 * Errors: as pagus_free_pages; BUSY: it is a compound page (__GFP_COMP), or has further references.
 */
enum pagus_status pagus_split_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t to);

/*
 * Give every page on pcp lists back to the zones: of one CPU, of one zone, of all online CPUs. CPUs
 * in ascending order, of each the zones in ascending order. Error: BAD_VALUE.
 */
enum pagus_status pagus_drain_cpu(struct pagus *p, uint32_t cpu);
enum pagus_status pagus_drain_zone(struct pagus *p, uint32_t zone);
void pagus_drain_all(struct pagus *p);

/*
 * A CPU goes: its pcps are drained into the zones and its counts folded; its events stay counted.
 * Nothing may be called on it until it comes again. All CPUs are online at first. As either
 * happens, the pcp limits of all zones are computed anew, for the CPUs that a zone's node has
 * then; while one comes it counts for every node, as the kernel does not ask for its own, until
 * the limits are computed again. Zonelists stay as pagus_boot_done built them; when that is called
 * again, a node's penalty for having CPUs is for online ones.
 *
 * Errors: BAD_VALUE for no such CPU; BUSY: it is there already, or gone already, or it is the one
 * that makes the call, or a zone's pcps are off.
 */
enum pagus_status pagus_cpu_down(struct pagus *p, uint32_t cpu);
enum pagus_status pagus_cpu_up(struct pagus *p, uint32_t cpu);
bool pagus_cpu_online(const struct pagus *p, uint32_t cpu);

/*
 * Switch the pcps of a zone off and on again (zone_pcp_disable): their limits become 0, 0 and a
 * batch of 1, and they are drained, so that what is freed goes on to the zone at once. One zone at
 * a time: the kernel holds a mutex in between, pcp_batch_high_lock. What waits for it there waits
 * here too in pagus_zone_pcp_disable and pagus_offline, where the port has `wait`, 500 times at most
 * (PAGUS_WAIT_PCP); it is BUSY after that, and at once where the port cannot wait, and in
 * pagus_cpu_down and _up, pagus_boot_done, pagus_seed_zone, pagus_online, and pagus_tunable_set of
 * what marks depend on.
 * Both may be called at any time: what others had begun with the pcps ends first. After that only
 * pagus_free_nolock leaves pages there. Errors: BAD_VALUE for no such zone; BUSY.
 */
enum pagus_status pagus_zone_pcp_disable(struct pagus *p, uint32_t zone);
enum pagus_status pagus_zone_pcp_enable(struct pagus *p, uint32_t zone);

/*
 * The acting CPU's vmstat tick, which the kernel runs every vm.stat_interval (1 s): its per-CPU
 * counts are folded and its pcps decay: high falls by an eighth towards its lower bound, and what
 * is above is drained. Where the limits are fixed (linux-6.1) nothing decays. The instance need be
 * idle only with counter_drift.
 */
void pagus_tick(struct pagus *p);

/*
 * Do one piece of a worker's work on a node: for kswapd, one turn of balancing, which asks the port
 * for reclaim at most once. Returns whether there is more to do; false at once where the worker
 * sleeps. To be called by whatever the port's `wake` has woken, one caller a worker and node at a
 * time, besides which the instance need not be idle.
 */
bool pagus_work(struct pagus *p, enum pagus_worker worker, uint32_t node);

/* ---- Tunables ----------------------------------------------------------------------------- */

/*
 * Set by sysctl name; marks, reserves and pcp limits are recomputed where they depend on it.
 * init_on_alloc, init_on_free and page_poison are for before the first page is handed over, as the
 * kernel's boot parameters are. Errors: BAD_VALUE; BUSY: pages have been handed over, or a zone's
 * pcps are off.
 */
enum pagus_status pagus_tunable_set(struct pagus *p, enum pagus_tunable tunable, uint32_t value);
uint32_t pagus_tunable_get(const struct pagus *p, enum pagus_tunable tunable);
const char *pagus_tunable_name(enum pagus_tunable tunable);

/* ---- Looking at it --------------------------------------------------------------------------- */

/*
 * A zone or CPU that is none gives BAD_VALUE where a status is returned; a list that is none is
 * empty.
 */

uint64_t pagus_counter_read(const struct pagus *p, enum pagus_counter counter); /* sum of CPUs */

/*
 * Zone ids run from 0 to pagus_nr_zones-1, node by node, only zones with memory, and those that may
 * come to have some: they span nothing, and are in no zonelist.
 */
uint32_t pagus_nr_zones(const struct pagus *p);

struct pagus_zone_info {
	uint32_t node;
	enum pagus_zone_type type;
	pagus_pfn_t start_pfn;
	uint64_t spanned, present, managed;
	uint64_t free_pages, pcp_pages, free_cma_pages, free_highatomic_pages;
	uint64_t deferred_pages; /* freed, and waiting for the zone's lock or, remote_pages, a pcp's */
	uint64_t leaked_pages;   /* of blocks that a page check found bad, and that have failed */
	uint64_t reserved_highatomic_pages;
	uint64_t boost;    /* pages by which all of `wmark` are raised at present */
	uint64_t nr_free[PAGUS_NR_ORDERS];
	uint64_t wmark[PAGUS_NR_WMARKS];
	uint64_t lowmem_reserve[PAGUS_NR_ZONE_TYPES];
	uint32_t pcp_high_min, pcp_high_max, pcp_batch;
	/*
	 * What the kernel would let one CPU's count of free pages be off by ("vm stats threshold"),
	 * and its percpu_drift_mark, 0 where none is set. The library counts exactly all the same,
	 * unless counter_drift is configured, or pagus_step_drift says otherwise.
	 */
	uint32_t stat_threshold;
	uint64_t drift_mark;
	uint64_t nr_isolated; /* pageblocks that are isolated (contig.h) */
	uint64_t cma_pages;   /* of CMA areas that are active (cma.h), free or not */
};
enum pagus_status pagus_zone_info(const struct pagus *p, uint32_t zone, struct pagus_zone_info *info);

/*
 * Pages that are not for page cache and user memory: over all zones, the high mark and the largest
 * lowmem reserve as they are now, at most what the zone manages (totalreserve_pages). O(zones).
 */
uint64_t pagus_totalreserve_pages(const struct pagus *p);

/* The pcp of one CPU in one zone, as /proc/zoneinfo shows it, with its auto-tuning. */
struct pagus_pcp_info {
	uint32_t count, high, high_min, high_max, batch, alloc_factor, free_count, flags;
	/* Freed while the pcp's lock was taken, not yet in `count`. 0 where pages are in maps: there
	 * the zone's deferred_pages has them. */
	uint32_t remote_pages;
};
enum pagus_status pagus_pcp_info(const struct pagus *p, uint32_t zone, uint32_t cpu,
				 struct pagus_pcp_info *info);

/* Blocks on one free list. O(blocks). */
uint64_t pagus_free_blocks(const struct pagus *p, uint32_t zone, uint32_t order,
			   enum pagus_migratetype type);

/*
 * The pfns of one free list from head to tail, at most `room` of them; returns how many there are.
 */
uint64_t pagus_free_list(const struct pagus *p, uint32_t zone, uint32_t order,
			 enum pagus_migratetype type, pagus_pfn_t *pfns, uint64_t room);

/*
 * The same of one pcp list, index as in pagus_seed_pcp; where CPUs own pageblocks (policy pcpbuddy),
 * 3 * order + migratetype. No list has an index from pagus_nr_pcp_lists on.
 */
uint32_t pagus_nr_pcp_lists(const struct pagus *p);
uint64_t pagus_pcp_list(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list,
			pagus_pfn_t *pfns, uint64_t room);

/* Zone ids in the order in which a request that prefers `node` walks them; returns how many. */
uint32_t pagus_zonelist(const struct pagus *p, uint32_t node, bool this_node_only, uint8_t *zones,
			uint32_t room);

enum pagus_page_kind {
	PAGUS_PAGE_HOLE,      /* not memory */
	PAGUS_PAGE_RESERVED,  /* memory never handed over */
	PAGUS_PAGE_FREE,      /* first page of a block on a free list */
	PAGUS_PAGE_PCP,       /* first page of a block on a pcp list */
	PAGUS_PAGE_ALLOCATED, /* first page of a block handed out */
	PAGUS_PAGE_INHERITED, /* in use since before the hand-over, order unknown */
	PAGUS_PAGE_TAIL,      /* further page of a block */
	PAGUS_PAGE_DEFERRED,  /* first page of a freed block that waits for the zone's lock, or a pcp's */
	PAGUS_PAGE_LEAKED,    /* first page of a block that was found bad, or has failed: nobody's */
	PAGUS_PAGE_PCP_OWNED, /* as PCP, on a list of the CPU that owns the pageblock: may merge there */
	PAGUS_PAGE_OFFLINE    /* not memory at present: to be plugged by pagus_online */
};
struct pagus_page_info {
	enum pagus_page_kind kind;
	uint32_t order;       /* of the block, where this is its first page */
	uint32_t zone;        /* UINT32_MAX in a hole */
	enum pagus_migratetype block_type;   /* of the pageblock */
	enum pagus_migratetype request_type; /* of an allocated block's request */
	uint32_t references;  /* to an allocated block, on its first page; to an inherited page 1 */
	bool compound;        /* an allocated block's first page: __GFP_COMP, order 1 or more */
	bool pfmemalloc;      /* the same: taken below the watermarks, by who frees memory */
	uint32_t owner;       /* of the pageblock: CPU + 1; 0: the zone */
	bool reported;        /* a free block's first page: it has been reported (reporting.h) */
	bool poisoned;        /* its memory has failed (failure.h) */
};
/* Error: BAD_RANGE. */
enum pagus_status pagus_page_info(const struct pagus *p, pagus_pfn_t pfn, struct pagus_page_info *info);

/*
 * Superpageblocks of a zone, in ascending order, the first and last perhaps with pageblocks outside
 * of it; 0 of them under policies that keep none. Pages in use count by what they were asked for, a
 * pageblock that a CPU owns as holding what it is owned for, what was freed without a lock as in use
 * until it is taken in: pagus_drain_all takes in.
 */
struct pagus_superpageblock_info {
	pagus_pfn_t start_pfn;
	uint32_t order;
	uint32_t nr_pageblocks;  /* of the zone; at most 2^order pages' */
	uint32_t nr_reserved;    /* of those that it could have: holes, other zones', not handed over */
	uint32_t nr_whole;       /* wholly free, in the zone */
	uint32_t nr_unmovable, nr_movable, nr_reclaimable; /* that hold such pages */
	uint64_t free_pages;     /* in the zone */
	uint64_t reserve_pages;  /* of these, what movable requests leave if it is tainted */
	bool tainted;            /* it holds unmovable or reclaimable pages */
};
uint32_t pagus_nr_superpageblocks(const struct pagus *p, uint32_t zone);
/* Error: BAD_VALUE. */
enum pagus_status pagus_superpageblock_info(const struct pagus *p, uint32_t zone, uint32_t n,
					    struct pagus_superpageblock_info *info);

/*
 * The order that a machine of which the largest zone spans so many pages gets where
 * superpageblock_order is 0, with x86-64's pageblocks and largest block.
 */
uint32_t pagus_superpageblock_order(uint64_t spanned);

/*
 * Unusable free space at an order, in thousandths: the share of free memory that lies in blocks too
 * small. (free - pages in blocks of the order or larger) / free, as debugfs extfrag/unusable_index;
 * 1000 when nothing is free or no block can have the order. Over one zone, or over all (zone =
 * UINT32_MAX).
 */
uint32_t pagus_unusable_index(const struct pagus *p, uint32_t zone, uint32_t order);

/*
 * Fragmentation index, in thousandths, as debugfs extfrag/extfrag_index: -1000 when a block is
 * there, 0 when nothing is free or no block can have the order, else near 0 a failure for want of
 * memory, near 1000 one by fragmentation.
 */
int32_t pagus_extfrag_index(const struct pagus *p, uint32_t zone, uint32_t order);

#ifdef __cplusplus
}
#endif

/* References, and allocation and free in other forms. */
#include <pagus/entry.h>
/* What owners say of their blocks. */
#include <pagus/owner.h>

#endif
