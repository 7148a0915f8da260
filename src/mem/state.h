/* SPDX-License-Identifier: MIT */
/*
 * Every byte of an instance's state. The region that the caller provides holds, in this order:
 *
 *   struct pagus_state | section tables | CPU nodes | nodes | zones | pcps | page records
 *   | block types | owner records, where CPUs own pageblocks | ranges | zonelists | counters
 *
 * or, in place of page and owner records, maps of pageblocks | summaries of them | keeps of pcps
 * | superpageblocks and sets of them, where the placement wants them.
 *
 * Everything before the zonelists is what pagus_digest covers, and those that are current. There is no pointer in it: page
 * records link by 32-bit index, and the offsets below are from the start of the region. Padding is
 * explicit and zero.
 *
 * Lock letters: Z the zone's lock, P the pcp's lock, I written only while the instance is set up or
 * otherwise idle, H then, and by the one call that plugs memory, while others read it (pg_read,
 * pg_write), O the owner of the block (whoever holds it, without a lock), W the node's worker (one
 * at a time), A atomic, without a lock.
 */
#ifndef PG_MEM_STATE_H
#define PG_MEM_STATE_H

#include <pagus/pagus.h>

#include "base/assert.h"
#include "base/atomic.h"

#define PG_NONE         0u          /* record 0 is a list head, so 0 is never a page */
#define PG_NO_SLOT      UINT32_MAX
#define PG_NO_ZONE      UINT16_MAX
#define PG_MAX_ZONES    254
#define PG_POISON_NOTES 64 /* pages in use that may have failed at a time */
#define PG_NR_FREE_HEADS (PAGUS_NR_ORDERS * PAGUS_NR_MIGRATETYPES)

/*
 * One page, or the head of one list: the first records of the array are the heads of all lists, so
 * that insertion and removal need no test for the ends. `kind` (enum pagus_page_kind), `order` and
 * `type` describe a block and stand in its first page; the other pages of a block are tails.
 * Whatever changes how pages are grouped into blocks writes first pages only, so a free is checked
 * exactly in O(1).
 */
struct pg_page {
	uint32_t prev, next; /* Z or P: list neighbours; both 0 when on no list. In a block that is
	                      * handed out, A: its references beyond the first, and O: its marks.
	                      * In a deferred block, 0, and A: the next such */
	uint32_t tag;        /* O */
	uint16_t zone;       /* H: zone id; PG_NO_ZONE in a hole */
	uint16_t what;       /* Z, P or O: kind, order and type. By pg_page_set and the others below */
};
PG_STATIC_ASSERT(sizeof(struct pg_page) == 16, "page record");

/*
 * What a page is: its kind; the order of the block, 0 in tails; and a type. That is, of a block
 * allocated or inherited the migratetype of its request; on a pcp list, in releases that keep it,
 * that of the pageblock when the page was freed; of a free block 1 if it has been reported; of a
 * leaked page 1 if its memory has failed; else 0.
 *
 * One word, changed at once by whoever has the block: who has the zone's lock looks at any
 * neighbour, to see whether it is free, while its holder makes it something else. It does not
 * become free meanwhile, since that takes the lock.
 */
static inline void pg_page_set(struct pg_page *page, uint32_t kind, uint32_t order, uint32_t type)
{
	pg_write(page->what, (uint16_t)(order | kind << 8 | type << 12));
}

static inline uint8_t pg_what_order(uint32_t what)
{
	return what & 0xff;
}

static inline uint8_t pg_what_kind(uint32_t what)
{
	return what >> 8 & 0xf;
}

static inline uint8_t pg_what_type(uint32_t what)
{
	return what >> 12 & 0xf;
}

static inline uint32_t pg_page_order(const struct pg_page *page)
{
	return pg_what_order(pg_read(page->what));
}

static inline uint32_t pg_page_kind(const struct pg_page *page)
{
	return pg_what_kind(pg_read(page->what));
}

static inline uint32_t pg_page_type(const struct pg_page *page)
{
	return pg_what_type(pg_read(page->what));
}

static inline void pg_page_set_kind(struct pg_page *page, uint32_t kind)
{
	pg_page_set(page, kind, pg_page_order(page), pg_page_type(page));
}

static inline void pg_page_set_type(struct pg_page *page, uint32_t type)
{
	pg_page_set(page, pg_page_kind(page), pg_page_order(page), type);
}

/* The first page of a block of `kind` and `order`? */
static inline bool pg_page_is(const struct pg_page *page, uint32_t kind, uint32_t order)
{
	return (pg_read(page->what) & 0xfff) == (order | kind << 8);
}

static inline bool pg_kind_cached(uint32_t kind)
{
	return kind == PAGUS_PAGE_PCP || kind == PAGUS_PAGE_PCP_OWNED;
}

/* Of a block on a pcp list? */
static inline bool pg_page_cached(const struct pg_page *page)
{
	return pg_kind_cached(pg_page_kind(page));
}

static inline void pg_page_to_tail(struct pg_page *page)
{
	pg_page_set(page, PAGUS_PAGE_TAIL, 0, 0);
}

/* Marks of a block that is handed out. */
#define PG_MARK_PFMEMALLOC 0x1u /* taken without watermarks: to be used to free memory */
#define PG_MARK_CHARGED    0x2u /* the port has charged it to somebody */
#define PG_MARK_COMPOUND   0x4u /* a compound page: one thing, whatever its order, above 0 */
#define PG_MARKS           0x7u

/* Zone flags, by pg_zone_has, _set and _clear. */
#define PG_ZONE_RECLAIM_ACTIVE 0x1u /* kswapd works on it */
#define PG_ZONE_BELOW_HIGH     0x2u /* an allocation found the zone under its high mark */
#define PG_ZONE_BOOSTED        0x4u /* its marks were boosted, or a CPU took all down to one:
				     * kswapd is to be woken */
#define PG_ZONE_HINTS_OLD      0x8u /* compaction has been through: its skip hints may go when kswapd
				     * has nothing to do */
#define PG_ZONE_HINTS_GO       0x10u /* and the next compaction clears them */

struct pg_zone {
	uint64_t start_pfn, end_pfn;               /* H: span, end exclusive; 0, 0 without memory */
	uint64_t present, managed;                 /* H */
	uint64_t handed_over;                      /* Z: pages handed over by boot, seed or inherit */
	int64_t free_pages;                        /* Z: on free lists, ISOLATE left out */
	int64_t unfolded;                          /* Z: of these in the CPUs' deltas: not seen by marks */
	int64_t free_cma;                          /* Z: of these on CMA lists */
	int64_t free_highatomic;                   /* Z: of these on HIGHATOMIC lists */
	uint64_t nr_free[PAGUS_NR_ORDERS];         /* Z: blocks a list order, all types */
	uint64_t wmark[PAGUS_NR_WMARKS];           /* H */
	uint64_t boost;                            /* Z: pages added to each mark */
	uint64_t boost_taken;                      /* W: of these, what kswapd pays back in this run */
	uint64_t reserved_highatomic;              /* Z: pages of HIGHATOMIC pageblocks, free or not */
	uint64_t lowmem_reserve[PAGUS_NR_ZONE_TYPES]; /* H */
	uint32_t node, type, id;                   /* I */
	uint32_t first_head;                       /* I: record of the list of order 0, type 0 */
	uint32_t pcp_high_min, pcp_high_max, pcp_batch; /* H */
	uint32_t flags;                            /* A */
	uint32_t work;                             /* Z: list operations in this hold; 0 outside */
	uint32_t stat_threshold;                   /* I: largest delta of a CPU; 0: counts are exact */
	uint32_t deferred;                         /* A: first of the blocks that wait for the lock */
	uint32_t leaked_pages;                     /* A: found bad, and nobody's for ever */
	uint32_t first_block, end_block;           /* I: numbers of the pageblocks that it has room for; */
	                                           /*    end exclusive */
	uint64_t off_summaries;                    /* I: of its own, which its lock guards (map.h) */
	uint32_t nr_isolated;                      /* Z: pageblocks that are isolated */
	uint32_t deferred_pages;                   /* A: pages in those that wait; 0 where there are maps */
	/*
	 * Of compaction, all A, and hints: where its scanners go on, as numbers of pageblocks (of
	 * the free scanner + 1): the source's in mode ASYNC and in the others; and the first and
	 * last that the last clearing of skip hints found worth a look.
	 */
	uint32_t compact_migrate[2], compact_free;
	uint32_t compact_init_migrate, compact_init_free;
	uint32_t compact_considered, compact_shift, compact_order_failed; /* A: its deferral */
	uint32_t compact_tokens;                   /* A: pages that it may yet copy; signed */
	uint32_t compact_pad;
	uint64_t off_spbs, off_spb_sets;           /* I: superpageblocks; 0: none */
	uint64_t first_spb;                        /* I: pfn of the first, in superpageblocks */
	uint32_t nr_spbs;                          /* I */
	uint32_t spb_reserve_blocks;               /* Z: pageblocks that a tainted one keeps, at most */
	uint32_t nr_tainted;                       /* Z: superpageblocks */
	uint32_t spb_tainted_soft;                 /* Z: in these, pageblocks whose content may go */
	uint64_t spb_tainted_free;                 /* Z: in these, free pages */
	uint64_t spb_kept_pages;                   /* Z: of these, those that movable requests leave */
	uint32_t spb_traffic, spb_traffic_kernel;  /* Z: pages taken in this window; of these not movable */
	uint32_t spb_demand;                       /* Z: such, of a superpageblock's worth, in recent windows */
	uint32_t spb_ticks;                        /* W: of evacuation, since the start */
	uint64_t cma_pages;                        /* I: of CMA areas that are active */
	uint64_t present_early;                    /* H: of the present pages, those in ranges of the boot */
};
PG_STATIC_ASSERT(sizeof(struct pg_zone) % 8 == 0, "zone");

/* Pcp flags. */
#define PG_PCP_PREV_FREE_HIGH_ORDER 0x1u /* the last free here had order 1-3 */
#define PG_PCP_FREE_HIGH_BATCH      0x2u /* the CPU's cache slice holds more than 3 batches */

struct pg_pcp {
	uint32_t count;        /* P: pages on all lists */
	uint32_t high;         /* P: pages above which a free drains; moves between the two below */
	uint32_t high_min, high_max, batch; /* H and P; read: P */
	uint32_t alloc_factor; /* P: log2 of how many batches the next refill asks for */
	uint32_t free_count;   /* P: pages freed since allocations last halved it */
	uint32_t flags;        /* P */
	uint32_t zone, cpu;    /* I */
	uint32_t first_head;   /* I: record of list 0 */
	int32_t free_delta;    /* Z: this CPU's part of the zone's unfolded free pages */
	uint32_t expire;       /* P: ticks until what lies here of another node is given back; 0: never */
	uint32_t remote;       /* A: first of the deferred blocks that wait for this pcp's lock */
	uint32_t remote_pages; /* A: pages in them */
	uint32_t pad;
};
PG_STATIC_ASSERT(sizeof(struct pg_pcp) == 64, "pcp");

/*
 * Who owns a pageblock: a CPU, on whose pcp its freed pages meet again, or the zone. These records
 * exist only where the pcp policy lets CPUs own pageblocks. Record 0 is none; then come the heads,
 * one a pcp; then one a pageblock. Links of what is on no list are 0.
 */
enum { PG_OWN_PIECES, PG_OWN_WHOLE, PG_NR_OWN_LISTS };
struct pg_own {
	uint32_t owner;   /* CPU + 1; 0: the zone. Read: A. Set, as the pageblock leaves the zone
	                   * whole, or cleared, as it is whole again: Z. Cleared else: Z and P */
	uint32_t nr_free; /* P: its pages on the owner's lists */
	uint32_t age;     /* Z: ticks that it has had pieces in the zone and none on the owner's lists */
	struct { uint32_t prev, next; } link[PG_NR_OWN_LISTS]; /* PIECES Z: free pieces of it lie in
	                   * the zone. WHOLE P: all of its pages are on the owner's lists */
};
PG_STATIC_ASSERT(sizeof(struct pg_own) == 28, "owner record");

struct pg_node {
	uint64_t boost_left;         /* W: pages that are yet to be reclaimed for boosts */
	uint32_t wanted_order;       /* A: largest order that kswapd was woken for and has not taken up */
	uint32_t wanted_highest;     /* A: highest zone type, the same; PAGUS_NR_ZONE_TYPES: nothing is */
	uint32_t awake;              /* A */
	uint32_t failures;           /* A: runs in a row that reclaimed nothing */
	uint32_t order, highest;     /* W: of this run */
	uint32_t priority;           /* W: of the next turn; 0: no run goes on */
	uint32_t reclaimed;          /* W: pages that this run has freed */
	/* kcompactd, the same: */
	uint32_t compact_wanted_order;   /* A: largest order it was woken for and has not taken up */
	uint32_t compact_wanted_highest; /* A: lowest zone type up to which, the same */
	uint32_t compact_awake;          /* A */
	uint32_t compact_check;          /* A: the node's score is to be looked at */
	uint32_t compact_pause;          /* A: checks that are passed over, for want of progress */
	uint32_t compact_order, compact_highest; /* W: of this run */
	uint32_t compact_zone;           /* W: id of the next zone of it, + 1; 0: no run goes on */
	uint32_t asked_order;            /* W: kswapd's: the order that this run was woken for */
	uint32_t compact_score;          /* W: of the node as a run for its score began, + 1; 0 in others */
	uint32_t evacuate_awake;         /* A: the worker of superpageblocks has something to do */
	uint32_t evacuate_pages;         /* W: of evacuate_start, 0 if nothing is */
	uint64_t evacuate_start;         /* W: pfn of what this turn of that worker has isolated */
};
PG_STATIC_ASSERT(sizeof(struct pg_node) == 96, "node");

/* A range of the configuration: memory, or where memory may be plugged. In pfn order. */
struct pg_range {
	uint64_t start_pfn, end_pfn; /* I */
	uint32_t node;               /* I */
	uint32_t boot;               /* I: it is memory from the beginning */
};

/* Zone flags: true if any of them is set. */
static inline bool pg_zone_has(const struct pg_zone *z, uint32_t flags)
{
	return pg_atomic_load(&z->flags) & flags;
}

static inline void pg_zone_set(struct pg_zone *z, uint32_t flag)
{
	pg_atomic_or(&z->flags, flag);
}

static inline void pg_zone_clear(struct pg_zone *z, uint32_t flag)
{
	pg_atomic_and(&z->flags, ~flag);
}

/* Reclaim has failed there too often in a row: its kswapd sleeps until some succeeds. */
static inline bool pg_node_hopeless(const struct pg_node *node)
{
	return pg_atomic_load(&node->failures) >= 16;
}

struct pagus_state {
	uint64_t bytes;          /* of the whole region that is in use */
	uint64_t digest_bytes;   /* = off_zonelists */
	uint64_t off_section_slot, off_slot_section, off_cpu_node, off_nodes, off_zonelists;
	uint64_t off_zones, off_pcps;
	uint64_t off_pages, off_blocks, off_owns, off_counters; /* off_owns: 0: CPUs own nothing */
	uint64_t off_maps, off_keeps; /* 0: there are page records */
	uint32_t nr_nodes, nr_cpus, nr_zones;
	uint32_t max_order, pageblock_order, section_order;
	uint32_t first_section, nr_sections, nr_slots;
	uint32_t first_page;     /* record of the first page; a multiple of 2^max_order */
	uint32_t nr_pages;       /* page records, holes included */
	uint32_t pcp_policy, place_policy; /* rows of their tables */
	uint32_t pcp_orders;     /* bit o: order o goes through pcp lists */
	uint32_t local_orders;   /* of these, those that a free puts onto its own CPU's list */
	uint32_t nr_pcp_lists;   /* a pcp */
	uint32_t mobility_off;   /* H: page_group_by_mobility_disabled: every page is unmovable */
	uint32_t thp;
	uint32_t booted;         /* pagus_boot_done has run */
	uint32_t tunable[PAGUS_NR_TUNABLES];
	uint32_t zone_types;     /* bit t: zone type t is configured, with memory or without */
	uint32_t release;        /* row of pg_releases */
	uint32_t grouping;       /* enum pagus_grouping, as configured */
	uint32_t counter_drift;  /* marks see free pages without the CPUs' deltas */
	uint32_t cpu_coming;     /* I: 1 while a CPU comes online */
	uint32_t pcp_disabled;   /* A: 1 + the zone whose pcps are off; 0: none */
	uint32_t content;        /* I, A: PG_CONTENT_* */
	uint32_t pad[2 - (19 + PAGUS_NR_TUNABLES + 7) % 2];
	uint64_t cpu_offline[PAGUS_MAX_CPUS / 64]; /* I: bit n of word m: CPU 64 m + n */
	uint8_t node_online[PAGUS_MAX_NODES]; /* H: it has memory */
	uint32_t superpageblock_order; /* 0: there are none */
	uint32_t poison_note[PG_POISON_NOTES]; /* A: pages in use that have failed; 0: none */
	uint32_t nr_poisoned;    /* A: pages that have failed, in use or leaked */
	uint32_t hw_failed;      /* A: one of them not for a test */
	uint32_t failing;        /* A: a call of failure.h is running */
	uint32_t plugging;       /* A: a call of hotplug.h is running */
	uint32_t pad_plugging;
	uint64_t off_ranges, off_turns[2]; /* of the zonelists of even and odd turns */
	uint32_t nr_ranges;
	uint32_t user_min_free_kbytes; /* I: as set, 0 if it was not */
	uint64_t off_cmas, off_cma_bits; /* CMA areas, and their bitmaps (area.h) */
	uint64_t off_cma_stats;  /* behind the counters */
	uint64_t cma_words_used; /* I: of the bitmaps' pool */
	uint32_t cma_room;       /* there may be so many areas, */
	uint32_t nr_cmas;        /* I: and so many are declared */
};
PG_STATIC_ASSERT(sizeof(struct pagus_state) % 8 == 0, "state");
PG_STATIC_ASSERT(offsetof(struct pagus_state, cpu_offline) ==
		 offsetof(struct pagus_state, pad) + sizeof(((struct pagus_state *)0)->pad),
		 "explicit padding");

static inline void *pg_at(const struct pagus_state *st, uint64_t offset)
{
	return (char *)(uintptr_t)st + offset;
}

static inline struct pg_page *pg_pages(const struct pagus_state *st)
{
	return pg_at(st, st->off_pages);
}

static inline struct pg_page *pg_page(const struct pagus_state *st, uint32_t i)
{
	return pg_pages(st) + i;
}

static inline struct pg_zone *pg_zone(const struct pagus_state *st, uint32_t id)
{
	return (struct pg_zone *)pg_at(st, st->off_zones) + id;
}

static inline struct pg_node *pg_node(const struct pagus_state *st, uint32_t node)
{
	return (struct pg_node *)pg_at(st, st->off_nodes) + node;
}

/* Bit n: node n has memory. */
static inline uint64_t pg_nodes_with_memory(const struct pagus_state *st)
{
	uint64_t nodes = 0;

	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		nodes |= (uint64_t)pg_read(st->node_online[n]) << n;
	return nodes;
}

static inline const struct pg_range *pg_ranges(const struct pagus_state *st)
{
	return pg_at(st, st->off_ranges);
}

/* Has the zone any memory? What a recording says of it need not be complete. */
static inline bool pg_zone_populated(const struct pg_zone *z)
{
	return pg_read(z->present) > 0 || pg_read(z->managed) > 0;
}

static inline struct pg_pcp *pg_pcp(const struct pagus_state *st, uint32_t zone, uint32_t cpu)
{
	return (struct pg_pcp *)pg_at(st, st->off_pcps) + zone * st->nr_cpus + cpu;
}

static inline uint32_t pg_cpu_node(const struct pagus_state *st, uint32_t cpu)
{
	return ((const uint32_t *)pg_at(st, st->off_cpu_node))[cpu];
}

static inline uint64_t *pg_counters(const struct pagus_state *st, uint32_t cpu)
{
	return (uint64_t *)pg_at(st, st->off_counters) + (uint64_t)cpu * PAGUS_NR_COUNTERS;
}

/*
 * Zonelists are there twice: the current ones, and those that are built next. The word in front of
 * both, A, counts how often they were built; its last bit says which are current. So who has found
 * a zonelist, and sees later that the count is another, has seen one that is out of date.
 */
static inline uint32_t *pg_zonelist_turn(const struct pagus_state *st)
{
	return pg_at(st, st->off_zonelists);
}

/* All of a turn, of which `bytes` are in use; 0 to the end. */
static inline uint64_t pg_zonelists_bytes(uint32_t nr_nodes, uint32_t nr_zones)
{
	return ((uint64_t)nr_nodes * 2 * (nr_zones + 1) + 63) / 64 * 64;
}

static inline uint8_t *pg_zonelists(const struct pagus_state *st, uint32_t turn)
{
	return pg_at(st, st->off_turns[turn & 1]);
}

/* Zonelist of a node: the first byte is the number of zone ids that follow. */
static inline uint8_t *pg_zonelist_of(const struct pagus_state *st, uint32_t turn, uint32_t node,
				      bool this_node_only)
{
	return pg_zonelists(st, turn) + (uint64_t)(node * 2 + this_node_only) * (st->nr_zones + 1);
}

static inline uint8_t *pg_zonelist(const struct pagus_state *st, uint32_t node, bool this_node_only)
{
	return pg_zonelist_of(st, pg_atomic_load(pg_zonelist_turn(st)), node, this_node_only);
}

#endif
