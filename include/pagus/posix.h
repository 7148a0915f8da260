/* SPDX-License-Identifier: MIT */
/*
 * port/posix: libpagus in a Linux process, with threads, memory from mmap, and workers. Link with
 * libpagus_posix, libpagus and pthread; of the system it needs Linux 4.14 (membarrier) and glibc.
 *
 * One call makes an instance, the address space that it manages, its locks and its workers. Pages
 * are of 4 KiB, blocks of order 0 to 10, a pageblock is of order 9 (2 MiB). All memory of a node is
 * one Normal zone. The allocator never touches the memory that it manages, so a page costs nothing
 * before its first use; only what asks for content does: __GFP_ZERO, init_on_alloc, init_on_free.
 *
 * CPUs. A call works on the per-CPU lists of the CPU that it finds itself on. A thread may be moved
 * to another CPU between any two instructions: that costs locality and never correctness, since
 * each pcp has its lock. Nothing is kept per thread, so nothing is lost when a thread ends.
 *
 * Caches. Under a policy that keeps pages in maps (the default) each CPU has a cache of blocks of
 * order 0 to 9 (cache.h). Plain requests, with flags that say no more than how hard to try and what
 * migratetype, are served from it, and blocks put back go into it, by restartable sequences without
 * a lock or an atomic. That needs x86-64 or AArch64, glibc 2.35, and nr_cpus not below the CPUs that the system
 * is configured with; without it, with content tunables, or with a listener, each block is a call.
 * What a CPU caches is bounded: of each order and migratetype 254 blocks, and a 64th of the pages that
 * its pcp may hold, or one block if that is a 16th at most. Such blocks count as in use, and those
 * that they serve raise no event; drains, failures of memory and a refusal for lack of it empty all
 * caches. A byte for each page remembers what a cache has handed out (0.024 % of memory beside the
 * library's 0.019 %; pages of it that are never written cost nothing), and a cache is 64 KiB.
 *
 * Locks sleep on a futex after a short spin. Fast paths only try them. pagus_alloc_nolock and
 * pagus_free_nolock may be called in a signal handler, whatever it has interrupted, if its thread
 * has made a call before. They wait for nothing but another thread's pagus_posix_freeze or fork().
 *
 * Counters (pagus_counter_read) are plain additions to words of a CPU. Two threads that act for one
 * CPU at once, because one of them was moved or there are more CPUs than nr_cpus, may lose some:
 * counters are for looking at. What pagus_zone_info and pagus_check count is exact.
 *
 * Forking. At fork() all calls of other threads are waited for, and those that begin then wait
 * until it is done; so are contiguous ranges and what else leaves pageblocks isolated for a while, at
 * most 1 s: what they wait for in a callback may be the forking thread's. The child has a copy of the
 * instance in which every block is either free or in use; after that second, pageblocks in which such
 * a thread was at work may stay isolated; of an area that it was taking a range from the child gets
 * none, and if it was plugging memory (hotplug.h) the child can plug none (BUSY). What the parent's
 * other threads hold there stays in use.
 * Memory is copied on write; of MEMFD it is shared, and the child may only read and write blocks that
 * the parent has handed out: its pagus_posix_get returns NULL, pagus_posix_put BUSY, as areas' calls
 * do, pagus_posix_discard 0, and it may make no other call but pagus_posix_destroy. Else the child has
 * workers of its own, from fork() on.
 */
#ifndef PAGUS_POSIX_H
#define PAGUS_POSIX_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An instance, its memory, its locks and its workers. */
struct pagus_posix;

/* Where the memory comes from. */
enum pagus_posix_backing {
	PAGUS_POSIX_ANONYMOUS, /* private; the system gives a page at its first use */
	/*
	 * Private huge pages of 2 MiB (vm.nr_hugepages), reserved at once. After fork() a write needs
	 * further ones for the copy: SIGBUS where there are none.
	 */
	PAGUS_POSIX_HUGETLB,
	PAGUS_POSIX_MEMFD,     /* shared, of a file without a name: pagus_posix_memfd */
	PAGUS_POSIX_NR_BACKINGS
};

/* How a thread learns which CPU it is on. */
enum pagus_posix_cpu_source {
	PAGUS_POSIX_CPU_BEST,   /* the first of the others that there is */
	PAGUS_POSIX_CPU_RSEQ,   /* the rseq area that glibc 2.35 registers for a thread: one load */
	PAGUS_POSIX_CPU_GETCPU, /* sched_getcpu() */
	PAGUS_POSIX_CPU_THREAD, /* a number that each thread gets at its first call, in turn */
	PAGUS_POSIX_NR_CPU_SOURCES
};

/* Node n of the instance is the n-th of these. */
struct pagus_posix_node {
	uint64_t bytes; /* a multiple of 4 KiB; of 2 MiB with HUGETLB */
	int numa_node;  /* of the system, to which the memory is bound (MPOL_BIND); -1: not bound */
};

struct pagus_posix_tunable {
	enum pagus_tunable tunable;
	uint32_t value;
};

/*
 * An area of contiguous memory (cma.h): one range of a node, set aside before any page is handed
 * over, and active from then on. It serves movable requests, but for what is taken of it by
 * pagus_posix_cma_get. pagus_cma_declare says where in its node it lies.
 */
struct pagus_posix_cma {
	uint64_t bytes;           /* rounded up to a multiple of its alignment */
	uint64_t alignment_bytes; /* a power of two up to 1 GiB; raised to 2 MiB */
	uint32_t order_per_bit;   /* it is given in units of 2^this pages, which divide it; 0 .. 20 */
	uint32_t node;            /* of the instance; PAGUS_NO_NODE: the first that has room */
	const char *name;         /* cut at 63 characters; NULL: "cma" and the area's number */
};

/*
 * What the program does about a shortage. Each may be NULL. They are called with no lock of the
 * instance held but OOM's, by the thread whose request is short or by a worker, which has all
 * signals blocked. They may free, and allocate what they need to free more: requests made in them
 * neither reclaim nor respect watermarks. They may not call pagus_posix_destroy, and fork() only to
 * exec.
 */
struct pagus_posix_calls {
	/*
	 * Free pages; returns how many were. Several threads may be in it at once. Where it is NULL
	 * there is no kswapd, but beside a worker that moves blocks (no_kcompactd, no_evacuate): all
	 * that it reclaims then is what CPUs keep. A request that would call it waits for kswapd first
	 * while half of the min marks or less is free: without __GFP_FS 1 s at most, with it 10 s. So
	 * who holds what `reclaim` waits for asks without __GFP_FS.
	 */
	uint64_t (*reclaim)(void *ctx, const struct pagus_reclaim *how);
	/* Pages that `reclaim` could in the end free from a node; NULL: none. */
	uint64_t (*reclaimable)(void *ctx, uint32_t node);
	/*
	 * Move contents so that a block of how->order becomes free. Only of programs whose blocks
	 * have no owner that the library knows (nr_handles, or `move`): else it compacts itself.
	 * NULL: no compaction.
	 */
	enum pagus_compact_result (*compact)(void *ctx, const struct pagus_compact *how);
	/* Memory has run out: give something up. One at a time. NULL: NOTHING. */
	enum pagus_oom_answer (*oom)(void *ctx, const struct pagus_oom *what);

	/*
	 * The program as owner of blocks that were got with __GFP_MOVABLE, by their addresses: the
	 * calls of these names in port.h, with what is said there. NULL in `move`: the program's
	 * blocks never move, but those behind handles (handle.h), which an instance has instead.
	 * `traits` may be called with a zone's lock held, and so in the middle of any call: it may
	 * not wait for anything. NULL in it: 0.
	 */
	uint32_t (*traits)(void *ctx, const void *block, uint32_t order);
	bool (*isolate)(void *ctx, void *block, uint32_t order, const struct pagus_migrate *how);
	enum pagus_moved (*move)(void *ctx, void *from, void *to, uint32_t order,
				 const struct pagus_migrate *how);
	void (*putback)(void *ctx, void *block, uint32_t order);
};

/* All zero but `bytes`, or `node` and `nr_nodes`, is a valid configuration. */
struct pagus_posix_config {
	const char *policy; /* NULL: the default for programs, which is "pcpbuddy-bitmap" */
	uint64_t bytes;     /* one node of this size that is not bound, where nr_nodes is 0 */
	struct pagus_posix_node node[PAGUS_MAX_NODES];
	uint32_t nr_nodes;
	uint32_t nr_cpus;   /* 1 .. PAGUS_MAX_CPUS; 0: as many as the system is configured with.
	                     * Where it has more, their numbers are taken modulo this */
	enum pagus_posix_backing backing;
	bool huge_pages;    /* MADV_HUGEPAGE; not with HUGETLB */
	bool lazy_discard;  /* pagus_posix_discard uses MADV_FREE; ANONYMOUS alone */
	bool no_kswapd;     /* requests reclaim for themselves alone */
	bool no_kcompactd;  /* requests compact for themselves alone. Where movable blocks have an owner
	                     * (nr_handles, or `move` of the calls), a worker a node compacts also when
	                     * kswapd tells it to, and, looking every 500 ms, where free memory is much
	                     * scattered (compact.h); the latter alone with no_kswapd */
	bool no_evacuate;   /* requests make room in superpageblocks for themselves alone. Where movable
	                     * blocks have an owner, and the policy has superpageblocks, a worker a node
	                     * does so also when a request that cannot wait has tainted one, and, looking
	                     * every second, where a tainted one is short or fewer are empty than
	                     * superpageblocks_ready (evacuate.h); the latter alone with no_kswapd */
	bool no_cache;      /* no caches: each block is got and put by a call */
	uint32_t tick_ms;   /* between vmstat ticks of all CPUs, which a worker makes; 0: there are
	                     * none, and what idle CPUs hold is given back under pressure alone.
	                     * The kernel's is 1000 */
	enum pagus_posix_cpu_source cpu_source;
	const struct pagus_posix_tunable *tunables; /* set before the first page is handed over */
	uint32_t nr_tunables;
	const struct pagus_posix_cma *cma; /* areas, numbered from 0 on, and placed in this order */
	uint32_t nr_cma;     /* at most PAGUS_MAX_CMA_AREAS; they cost a bit a page of the instance,
	                      * unless there are none */
	uint32_t nr_handles; /* movable blocks behind handles (handle.h) at a time, at most; 0: there
	                      * are none. Not together with `move` of the calls */
	/*
	 * A block behind a handle is being moved: copy `bytes` bytes to where it will be, and make all
	 * that refers to its old address refer to the new one. For programs that keep addresses of
	 * blocks that are not open. False: not now; then nothing may have changed. Called with no lock
	 * held; opens and frees of this handle wait for its return, so what is held around those may
	 * only be tried here. NULL: memcpy, and true.
	 */
	bool (*relocate)(void *ctx, void *user, void *to, const void *from, uint64_t bytes);
	const struct pagus_posix_calls *calls; /* NULL: nothing is done about a shortage */
	void *ctx;                             /* of the calls, and of relocate */
};

/*
 * Build an instance and hand all of its memory over as free. `config` is not needed afterwards.
 * A CPU belongs to the first node that is bound to its NUMA node, else to node 0. Distances
 * between bound nodes are the system's; else 10 and 20.
 *
 * Errors, with a line in pagus_posix_error: BAD_CONFIG, a value that is not valid, or something
 * that this system does not have; BAD_NODE, no such NUMA node, or a system without them; BAD_VALUE,
 * a tunable outside its range; NO_MEMORY, the system refused memory, huge pages or a thread. Then
 * *out is NULL.
 */
enum pagus_status pagus_posix_create(const struct pagus_posix_config *config,
				     struct pagus_posix **out);

/* Why the calling thread's last pagus_posix_create failed: one line, empty if it did not. */
const char *pagus_posix_error(void);

/*
 * End the workers, and give all memory back to the system. Nobody else may be in a call of this
 * instance. NULL is allowed.
 */
void pagus_posix_destroy(struct pagus_posix *x);

/*
 * For every call of pagus.h that takes an instance, but pagus_fini, and pagus_cpu_down, since
 * threads go on where they are. Those that need it to be otherwise idle are to be made between
 * pagus_posix_freeze and pagus_posix_thaw.
 */
struct pagus *pagus_posix_instance(struct pagus_posix *x);

/*
 * From freeze to thaw calls of other threads, workers too, wait as they come in, whatever instance
 * they are for; freeze returns when none is inside, and all caches are
 * empty. The freezing thread may make any call that does not wait for another thread. Not in a callback or signal handler, and not nested.
 */
void pagus_posix_freeze(void);
void pagus_posix_thaw(void);

/*
 * Address of a page, in O(1), and the page that an address lies in. Page 0 is at a multiple of
 * 1 GiB, and so is each node's first, so a pfn that is a multiple of 2^n pages has an address that
 * is one, up to order 18. NULL for a pfn, PAGUS_NO_PFN for an address that is not of this instance.
 */
void *pagus_posix_pointer(const struct pagus_posix *x, pagus_pfn_t pfn);
pagus_pfn_t pagus_posix_pfn(const struct pagus_posix *x, const void *address);

/*
 * 2^order pages as by pagus_alloc_pages; NULL on failure, which is not before what all CPUs keep has
 * been drained. And their free, with the errors of
 * pagus_free_pages, unless two threads free one block at the same moment: then both may be told that
 * it went well. BAD_RANGE for an address that is not of this instance, BAD_ALIGN for one that is not
 * a block's first. A block may be got by one and freed by the other; but one that was got here, freed
 * by pagus_free_pages and then put here is not always refused.
 */
void *pagus_posix_get(struct pagus_posix *x, uint32_t gfp, uint32_t order);
enum pagus_status pagus_posix_put(struct pagus_posix *x, void *address, uint32_t order);

/*
 * nr_pages contiguous pages of an area of the configuration, by pagus_cma_alloc. Their address is a
 * multiple of 2^align_order pages, up to order 18. gfp: GFP_KERNEL, or what else
 * pagus_alloc_contig_range allows; with __GFP_ZERO they are zeroed, else their contents are not
 * defined.
 *
 * What is in use there is moved to other memory by its owner, as out of any contiguous range:
 * blocks behind handles, of which none may be open, or the program's, by the calls `isolate` and
 * `move`. Where something stays, the next place is tried; movable blocks that have no owner always
 * stay. Under policies nogroup, plain and linux-6.1, and in instances of less than about 12 MiB,
 * where pageblocks are not grouped by mobility, nothing is in an area but what is taken here.
 *
 * May be called by any thread at any time, but not in a signal handler, nor in one of the
 * instance's calls. One range at a time is taken from an area; others wait, at least 4 s, and are
 * refused then. The pages stay where they are until pagus_posix_cma_put; pagus_posix_put may not
 * have them.
 *
 * Errors, *address is NULL then: BAD_VALUE: no such area, no pages, an align_order above 18, a bad
 * gfp. NO_MEMORY: the area has no such run of pages that are not taken, or there was nowhere to
 * move to. BUSY: of the runs that it has none could be emptied, now; or others were taking ranges
 * for too long.
 */
enum pagus_status pagus_posix_cma_get(struct pagus_posix *x, uint32_t area, uint64_t nr_pages,
				      uint32_t align_order, uint32_t gfp, void **address);

/*
 * Give back what pagus_posix_cma_get gave, or a part of it that begins with a unit of the area
 * (pagus_cma_release). By any thread at any time, but not in a signal handler; it waits for nobody
 * who takes a range.
 *
 * Errors, nothing is given back then: BAD_VALUE: no such area. BAD_RANGE: not of the area, or no
 * pages. BAD_ALIGN: not a page's, or not a unit's, address. NOT_ALLOCATED, DOUBLE_FREE: not all of
 * it has been taken.
 *
 * How much of an area is taken, and how many pages have been, pagus_cma_info says (cma.h), which
 * may be asked at any time.
 */
enum pagus_status pagus_posix_cma_put(struct pagus_posix *x, uint32_t area, void *address,
				      uint64_t nr_pages);

/*
 * Give memory behind free pageblocks back to the system (MADV_DONTNEED, MADV_FREE or a hole in the
 * memfd); they stay free in the allocator. Free blocks of a pageblock or more are taken as any
 * request takes them, but without waiting and not below the min marks, all at once, and freed
 * again; what is on pcps is drained before. Stops when `at_least_bytes` have been given back.
 * Returns how many bytes were: only pages that were there count, which with lazy_discard are
 * there until the system has taken them. 0 with HUGETLB: reserved huge pages stay so.
 */
uint64_t pagus_posix_discard(struct pagus_posix *x, uint64_t at_least_bytes);

/*
 * Bytes of memory that the instance keeps for itself beside what it manages: the library's state, locks,
 * caches and their byte for each page, and handles.
 */
uint64_t pagus_posix_metadata_bytes(const struct pagus_posix *x);

/* The file of MEMFD memory, page 0 at offset 0; -1 with other backings. It stays the instance's. */
int pagus_posix_memfd(const struct pagus_posix *x);

/*
 * The calling thread's word of PAGUS_TASK_* flags, for all instances, as the port's task_flags: set
 * a bit around requests that it is true of. The library sets MEMALLOC in it around `reclaim`,
 * `compact`, `oom` and the calls by which blocks move.
 */
uint32_t *pagus_posix_task_flags(void);

/* Which source of CPU numbers is in use: "rseq", "sched_getcpu" or "thread". */
const char *pagus_posix_cpu_source(const struct pagus_posix *x);

#ifdef __cplusplus
}
#endif

#endif
