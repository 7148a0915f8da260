/* SPDX-License-Identifier: MIT */
/*
 * The port: what libpagus needs from the world around it. This file is the porting manual.
 *
 * The core reads no clock, starts no thread, holds no lock of its own and never looks into the
 * memory that it manages. A port supplies a `struct pagus_port` of calls; every call gets the `ctx`
 * that was given to pagus_init().
 *
 * Order in which the core calls: cpu_pin, then trylock(PCP), then lock(ZONE) or trylock(ZONE),
 * unlock(ZONE), unlock(PCP), cpu_unpin. It never holds two locks of one class, and never sleeps
 * with one held. port/sim and port/posix are two ports, small enough to be read beside this.
 */
#ifndef PAGUS_PORT_H
#define PAGUS_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* Lock classes. The OOM lock is the outermost, then PCP locks, then ZONE locks. */
enum pagus_lock_class {
	PAGUS_LOCK_PCP,  /* index = zone id * CPUs + cpu */
	PAGUS_LOCK_ZONE, /* index = zone id */
	PAGUS_LOCK_OOM,  /* index = 0; only ever tried; frees go on inside */
	PAGUS_NR_LOCK_CLASSES
};

/* Why a lock is taken: X(NAME, name). The lock ledger of port/sim counts by this. */
#define PAGUS_LOCK_REASONS(X)                                                                      \
	X(PCP_ALLOC, pcp_alloc)           /* pop from a pcp list */                               \
	X(PCP_FREE, pcp_free)             /* push onto a pcp list */                              \
	X(PCP_DRAIN, pcp_drain)           /* a drain from outside holds the pcp */                \
	X(REFILL, refill)                 /* a pcp list is refilled from the zone */              \
	X(OVERFLOW, overflow)             /* a pcp over its high gives pages back */              \
	X(DRAIN, drain)                   /* an asked-for drain gives pages back */               \
	X(ALLOC_DIRECT, alloc_direct)     /* a block goes from the zone to the requester */       \
	X(FREE_DIRECT, free_direct)       /* a block goes from its owner to the zone */           \
	X(RESERVE, reserve)               /* a pageblock goes into the high-atomic reserve */     \
	X(UNRESERVE, unreserve)           /* the high-atomic reserve gives a pageblock back */  \
	X(HAND_OVER, hand_over)           /* boot's or a recording's state is handed over */       \
	X(BOOST, boost)                   /* boosts are taken off a zone's marks */             \
	X(OOM, oom)                       /* the OOM killer is asked */                           \
	X(ISOLATE, isolate)               /* pageblocks are isolated, or no longer */            \
	X(CONTIG, contig)                 /* free blocks of a range are looked for, or taken */   \
	X(COMPACT, compact)               /* compaction takes free blocks, or gives them back */

enum pagus_lock_reason {
#define PAGUS_X(NAME, name) PAGUS_REASON_##NAME,
	PAGUS_LOCK_REASONS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_LOCK_REASONS
};

/* Workers, each once a node. */
enum pagus_worker {
	PAGUS_WORKER_KSWAPD, /* reclaims until the node's zones are above their high marks */
	PAGUS_WORKER_KCOMPACTD, /* compacts, where the port moves pages (compact.h) */
	PAGUS_WORKER_EVACUATE, /* makes room in superpageblocks (evacuate.h) */
	PAGUS_NR_WORKERS
};

/* What reclaim is asked for. */
struct pagus_reclaim {
	uint64_t nr_pages;  /* wanted */
	uint32_t node;
	uint32_t highest;   /* zone types up to this help */
	uint32_t order;     /* of the request that is short */
	uint32_t priority;  /* 12 at first, then down: look at 1/2^priority of what there is */
	uint32_t gfp;       /* of the request: whether I/O and file system calls may be begun */
	bool kswapd;        /* on nobody's behalf */
	bool may_writepage, may_swap; /* false while only boosts are to be paid back */
	/*
	 * Only pages in [start_pfn, start_pfn + range_pages) help: objects that lie there are to go,
	 * so that nothing is left that cannot move (evacuate.h). 0: pages anywhere help. A port
	 * that cannot tell may free any, or none.
	 */
	uint64_t start_pfn, range_pages;
};

/* What compaction is asked for, and what it came to. */
enum pagus_compact_mode { PAGUS_COMPACT_SYNC_FULL, PAGUS_COMPACT_SYNC_LIGHT, PAGUS_COMPACT_ASYNC };
struct pagus_compact {
	uint32_t node;      /* preferred */
	uint32_t highest, order, gfp;
	uint64_t nodemask;  /* 0: all */
	enum pagus_compact_mode mode;
};
enum pagus_compact_result {
	PAGUS_COMPACT_SKIPPED,  /* no zone is worth it: too little is free */
	PAGUS_COMPACT_DEFERRED, /* it failed lately and waits */
	PAGUS_COMPACT_COMPLETE, /* the zones were gone through in vain */
	PAGUS_COMPACT_SUCCESS,  /* a block of the order should be there */
	PAGUS_COMPACT_PARTIAL_SKIPPED, /* they were, but not from end to end */
	PAGUS_COMPACT_CONTENDED, /* given up for others, or for want of free pages to move to */
};

/* Whom the OOM killer may choose from, and what it says. */
enum pagus_oom_constraint {
	PAGUS_OOM_UNCONSTRAINED,
	PAGUS_OOM_CPUSET,  /* nodes out of the task's mems_allowed hold memory */
	PAGUS_OOM_NODES,   /* the request's nodemask leaves nodes out */
};
struct pagus_oom {
	uint32_t gfp, order, node;
	uint64_t nodemask;
	enum pagus_oom_constraint constraint;
};
enum pagus_oom_answer {
	PAGUS_OOM_NOTHING, /* nobody to kill */
	PAGUS_OOM_BUSY,    /* a victim is dying already: its memory will come */
	PAGUS_OOM_KILLED,  /* a victim was chosen, or pages were freed otherwise */
};

/* How pages are moved, and for what: X(NAME, name), the kernel's names of reasons. */
enum pagus_migrate_mode {
	PAGUS_MIGRATE_ASYNC,      /* never blocks */
	PAGUS_MIGRATE_SYNC_LIGHT, /* may block, but not for writing something out */
	PAGUS_MIGRATE_SYNC        /* may wait for anything */
};
#define PAGUS_MIGRATE_REASONS(X)                                                                   \
	X(COMPACTION, compaction)                                                                 \
	X(MEMORY_FAILURE, memory_failure)                                                         \
	X(MEMORY_HOTPLUG, memory_hotplug)                                                         \
	X(CONTIG_RANGE, contig_range)                                                             \
	X(DEMOTION, demotion)

enum pagus_migrate_reason {
#define PAGUS_X(NAME, name) PAGUS_MIGRATE_##NAME,
	PAGUS_MIGRATE_REASONS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_MIGRATE_REASONS
};

struct pagus_migrate {
	enum pagus_migrate_mode mode;
	enum pagus_migrate_reason reason;
	uint32_t gfp; /* of whom it is done for: whether I/O and file system calls may be begun */
};

/* What a move came to. */
enum pagus_moved {
	PAGUS_MOVED,
	PAGUS_MOVE_AGAIN, /* not now: somebody uses the page (EAGAIN) */
	PAGUS_MOVE_NEVER  /* not at all */
};

/* What the port's `traits` says of a block in use: a hint, which `isolate` makes certain. */
#define PAGUS_TRAIT_PINNED      0x1u /* somebody refers to it who cannot be told that it moves */
#define PAGUS_TRAIT_NEEDS_FS    0x2u /* moving it takes locks of a file system: requires __GFP_FS */
#define PAGUS_TRAIT_WOULD_BLOCK 0x4u /* dirty or under writeback: moves in mode SYNC alone */
#define PAGUS_TRAIT_UNEVICTABLE 0x8u /* locked in memory: vm.compact_unevictable_allowed */
#define PAGUS_TRAIT_OFFLINE     0x10u /* a driver's that gives it up while its memory goes offline;
				       * also of reserved pages that `online_page` has kept */
#define PAGUS_TRAIT_FIXED       0x20u /* not movable, although it was asked for as movable */

/*
 * What happens to memory: X(NAME, name), the kernel's names. Of GOING_ and of what begins for a node
 * a notifier may refuse to have it; CANCEL_ tells that it does not come, also to who refused.
 */
#define PAGUS_MEMORY_EVENTS(X)                                                                     \
	X(MEM_GOING_ONLINE, mem_going_online)                                                     \
	X(MEM_CANCEL_ONLINE, mem_cancel_online)                                                   \
	X(MEM_ONLINE, mem_online)                                                                 \
	X(MEM_GOING_OFFLINE, mem_going_offline)                                                   \
	X(MEM_CANCEL_OFFLINE, mem_cancel_offline)                                                 \
	X(MEM_OFFLINE, mem_offline)                                                               \
	X(NODE_ADDING_FIRST_MEMORY, node_adding_first_memory)                                     \
	X(NODE_CANCEL_ADDING_FIRST_MEMORY, node_cancel_adding_first_memory)                       \
	X(NODE_ADDED_FIRST_MEMORY, node_added_first_memory)                                       \
	X(NODE_REMOVING_LAST_MEMORY, node_removing_last_memory)                                   \
	X(NODE_CANCEL_REMOVING_LAST_MEMORY, node_cancel_removing_last_memory)                     \
	X(NODE_REMOVED_LAST_MEMORY, node_removed_last_memory)

enum pagus_memory_event {
#define PAGUS_X(NAME, name) PAGUS_##NAME,
	PAGUS_MEMORY_EVENTS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_MEMORY_EVENTS
};

/* When the port is asked about a block's state. */
enum pagus_check {
	PAGUS_CHECK_FREE,  /* it is being freed */
	PAGUS_CHECK_ALLOC, /* it is about to be handed out */
	PAGUS_CHECK_POISON /* in events alone: its poison was overwritten */
};

/* What a request waits for. */
enum pagus_wait {
	PAGUS_WAIT_RECLAIM, /* the next round */
	PAGUS_WAIT_OOM,     /* a victim's exit */
	PAGUS_WAIT_CMA,     /* the end of another allocation from the area */
	/*
	 * kswapd's progress, for 10 ms at most: a request would reclaim for itself, and half of the min
	 * marks or less is free. 100 times in a row at most, with __GFP_FS 1000. Not where there are no
	 * workers (`wake`), nothing is reclaimable, or the task is a KTHREAD.
	 */
	PAGUS_WAIT_THROTTLE,
	PAGUS_WAIT_PCP, /* until another zone's pcps are on again (pagus_zone_pcp_disable) */
};

/* Pages of a node that the port's own caches hold, for the spreading of dirty pages. */
struct pagus_node_usage {
	uint64_t file_pages;  /* clean and dirty pages of files */
	uint64_t dirty_pages; /* dirty or under writeback */
};

/*
 * Calls up to `cache_open` may not re-enter the instance. Those below it are made with no lock held
 * but OOM's, and with the CPU not pinned: they may free, and they may allocate as PF_MEMALLOC does
 * (task_flags says so, or the request's `task` has to). Each may be NULL, as its line says.
 */
struct pagus_port {
	/*
	 * Keep the caller on its CPU until cpu_unpin and return that CPU's number, 0 .. nr_cpus-1.
	 * It must be online; what is done on one that is not stays on its pcps unseen by drains.
	 * Pins do not nest, but for pagus_alloc_nolock and pagus_free_nolock, which may come in
	 * the middle of another call on the same CPU.
	 */
	uint32_t (*cpu_pin)(void *ctx);
	void (*cpu_unpin)(void *ctx);

	/*
	 * Locks are the port's: one for each (class, index). trylock returns false without waiting
	 * when the lock is held; the core then serves the request without the pcp. An asked-for
	 * drain waits for the pcp's lock. pagus_alloc_nolock and pagus_free_nolock try zone locks
	 * too, and may find that their own CPU holds the lock that they try: false then, too. An
	 * unlock reports the work done under the hold: free-list insertions and removals, and blocks
	 * that a scan looked at.
	 */
	void (*lock)(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why);
	bool (*trylock)(void *ctx, enum pagus_lock_class cls, uint32_t index,
			enum pagus_lock_reason why);
	void (*unlock)(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work);

	/*
	 * Distance between two NUMA nodes as in the ACPI SLIT: 10 to itself, larger is farther.
	 * Read when zonelists are built. NULL means 10 and 20.
	 */
	uint32_t (*distance)(void *ctx, uint32_t from, uint32_t to);

	/*
	 * May requests of `type` claim the pageblock that starts at `pfn`? 1 yes, 0 no, -1 by the
	 * library's own rule, which takes pages in use for movable where their request was. NULL
	 * means -1. For ports that know better what a page holds, or what a recorded kernel
	 * decided.
	 */
	int (*may_claim)(void *ctx, uint64_t pfn, uint32_t type);

	/*
	 * A block that is being freed has merged to 2^order pages at `pfn`: does somebody wait for
	 * just this? Then it is handed out to him instead of listed; it is his when the zone's
	 * lock, which is held here, has been let go. Not asked about blocks of CMA and of isolated
	 * pageblocks. NULL means no.
	 */
	bool (*capture)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * The content of pages, which the core never touches. They may be called with a pcp's lock
	 * held (pagus_boot_free: a zone's), and none decides which page is chosen, but that
	 * `check` takes some away. NULL means that nothing is done, or found.
	 *
	 * zero: with __GFP_ZERO or init_on_alloc when a block is handed out; with init_on_free
	 * when it becomes free, and then not again. poison: with page_poison, which turns both
	 * init_on_ off, when a block becomes free; check_poison, when it is handed out: false if
	 * it is no longer what `poison` wrote. That is counted and told, and the block is handed
	 * out all the same. What pagus_seed_* hands over as free has the content that the caller
	 * gave it.
	 */
	void (*zero)(void *ctx, uint64_t pfn, uint32_t order);
	void (*poison)(void *ctx, uint64_t pfn, uint32_t order);
	bool (*check_poison)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * Is a block that is being freed, or about to be handed out, in the state that it should be
	 * in? 0, or a reason of the port's own, which a BAD_PAGE event carries. A bad block is
	 * leaked: at a free, which counts as done, it does not become free; instead of handing it
	 * out, another is taken.
	 */
	int (*check)(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when);

	/*
	 * PAGUS_TRAIT_* of the block in use that begins at pfn. May be called with a zone's lock
	 * held, and at the very moment when the block is freed by somebody else. NULL means 0.
	 */
	uint32_t (*traits)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * Caches (cache.h). CPU `cpu` may keep blocks of the zone from now on, of up to `pages` pages
	 * all together; false: it will not. Called with the pcp's lock held, by pagus_cache_open
	 * alone. NULL: there are no caches.
	 */
	bool (*cache_open)(void *ctx, uint32_t zone, uint32_t cpu, uint32_t pages);

	/*
	 * A worker of a node has work: see to it that pagus_work is called, soon and not from here.
	 * NULL: there are no workers, and nothing is ever woken.
	 */
	void (*wake)(void *ctx, enum pagus_worker worker, uint32_t node);

	/*
	 * CPU `cpu` keeps no blocks of the zone until its next cache_open: what it has, it spills
	 * before this returns. A fill that had begun before is spilled in the end. Called from any
	 * CPU, also where nothing is open, and by several at once. NULL: there are no caches.
	 */
	void (*cache_close)(void *ctx, uint32_t zone, uint32_t cpu);

	/*
	 * The calling task's word of PAGUS_TASK_* flags. The library sets MEMALLOC in it around
	 * reclaim, compact and oom, so that requests made there do not reclaim in turn. NULL: the
	 * requests' own `task` is all there is.
	 */
	uint32_t *(*task_flags)(void *ctx);

	/*
	 * The calling task's allowed nodes, as a cpuset would have it; of its nearest hardwalled
	 * ancestor, where `ancestor`. Read often; when it changes, a request starts anew. NULL:
	 * there are no cpusets.
	 */
	uint64_t (*mems_allowed)(void *ctx, bool ancestor);

	/* What the caches of a node hold. NULL: dirty pages are not spread. */
	void (*node_usage)(void *ctx, uint32_t node, struct pagus_node_usage *usage);

	/* Pages that reclaim could in the end free from a node's zone type. NULL means none. */
	uint64_t (*reclaimable)(void *ctx, uint32_t node, uint32_t zone_type);

	/* Free pages; returns how many were. NULL: there is nothing to reclaim. */
	uint64_t (*reclaim)(void *ctx, const struct pagus_reclaim *how);

	/*
	 * The owner of movable pages: of blocks that were requested with __GFP_MOVABLE, or
	 * made movable by pagus_set_movable. NULL in `move`: no page ever moves.
	 *
	 * isolate: claim the block of `order` at pfn, so that from its return on it is neither freed
	 * nor moved by anybody else until `move` or `putback` has been called for it. False if
	 * there is no such block, it is claimed already, is pinned, or cannot be moved as `how`
	 * says. The library looks without a lock, so the port has to look again.
	 *
	 * move: copy the content of the isolated block `from` to `to`, which is as large, and make
	 * everything that referred to the one refer to the other. MOVED: `to` is the owner's now,
	 * with the other's migratetype, tag and charge, and no longer isolated; the library frees
	 * `from`. Else nothing has changed, and `from` stays isolated. NEVER: it is not tried again
	 * at once; who needs just this range comes back to it, four times at most.
	 *
	 * putback: the block is not isolated any more.
	 *
	 * In these an owner may allocate and free other pages.
	 */
	bool (*isolate)(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how);
	enum pagus_moved (*move)(void *ctx, uint64_t from, uint64_t to, uint32_t order,
				 const struct pagus_migrate *how);
	void (*putback)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * Memory is about to come or go, has, or does not (hotplug.h): [start, start + nr_pages) on
	 * the node, in events about a node the range that it is about. False: it shall not; only
	 * asked of MEM_GOING_, NODE_ADDING_ and NODE_REMOVING_. It may allocate and free, but not
	 * plug. A port with several that want to know asks one after the other until one refuses,
	 * and tells all of them the rest (pagus_notify_chain). NULL: nobody wants to know.
	 */
	bool (*memory_notify)(void *ctx, enum pagus_memory_event event, uint64_t start,
			      uint64_t nr_pages, uint32_t node);

	/*
	 * 2^order pages that come online are about to be free, after all have agreed. False: they
	 * are kept back, reserved, until pagus_boot_free gives them. NULL: none are.
	 */
	bool (*online_page)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * Move pages so that a block of how->order becomes free. Not called where there is `move`:
	 * then the library compacts by itself. NULL in both: there is no compaction.
	 */
	enum pagus_compact_result (*compact)(void *ctx, const struct pagus_compact *how);

	/* Memory has run out: choose a victim. NULL means NOTHING. */
	enum pagus_oom_answer (*oom)(void *ctx, const struct pagus_oom *what);

	/*
	 * Let others go on. NULL: nothing is waited for, __GFP_NOFAIL fails as others do, and so does
	 * who allocates from a CMA area while another does.
	 */
	void (*wait)(void *ctx, enum pagus_wait why);

	/*
	 * Charge a block that has just been allocated with __GFP_ACCOUNT; false refuses it, and it
	 * is freed again. Uncharge it when it is freed. NULL: nothing is charged.
	 */
	bool (*charge)(void *ctx, uint64_t pfn, uint32_t order, uint32_t gfp);
	void (*uncharge)(void *ctx, uint64_t pfn, uint32_t order);

	/*
	 * The calling thread begins what leaves pageblocks isolated, or pages with nobody, until it
	 * has ended: a contiguous range, an allocation from a CMA area, a request's evacuation, memory
	 * that comes or goes. A copy of the state in between has them so for good. They nest. Called
	 * with no lock held, and the CPU not pinned; `begin` may wait. NULL in both: nobody copies the
	 * state meanwhile.
	 */
	void (*span_begin)(void *ctx);
	void (*span_end)(void *ctx);
};

#endif
