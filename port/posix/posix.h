/* SPDX-License-Identifier: MIT */
/* What the files of port/posix share: the record of an instance, and who does what to it. */
#ifndef PX_POSIX_H
#define PX_POSIX_H

#include <pagus/posix.h>

#include <pthread.h>

#define PX_PAGE_BITS  12
#define PX_PAGE_BYTES (UINT64_C(1) << PX_PAGE_BITS)
#define PX_HUGE_BITS  21
#define PX_HUGE_BYTES (UINT64_C(1) << PX_HUGE_BITS)
#define PX_GIB_BITS   30
#define PX_GIB_BYTES  (UINT64_C(1) << PX_GIB_BITS)

#define px_likely(condition)   __builtin_expect(!!(condition), 1)
#define px_unlikely(condition) __builtin_expect(!!(condition), 0)

/* ---- lock.c ---------------------------------------------------------------------------------- */

/* 0: free; 1: held; 2: held, and somebody may sleep on it. */
struct px_lock {
	uint32_t word;
};

/* One a cache line, so that neighbours' locks do not share it. */
struct px_lock_line {
	_Alignas(64) struct px_lock lock;
};

void px_lock_take(struct px_lock *lock);
bool px_lock_try(struct px_lock *lock);
void px_lock_release(struct px_lock *lock);

/* The port's calls of these names, and how many locks an instance of so many zones has. */
uint64_t px_nr_locks(uint32_t nr_zones, uint32_t nr_cpus);
void px_port_lock(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why);
bool px_port_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		     enum pagus_lock_reason why);
void px_port_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work);

/* ---- the instance ---------------------------------------------------------------------------- */

/* A thread of the instance's own. */
struct px_worker {
	struct pagus_posix *x;
	void *(*run)(void *worker); /* NULL: there is none */
	enum pagus_worker kind;     /* not of the one that ticks */
	uint32_t node;
	uint32_t pending; /* futex: 1 when there is something to do, or it is to end */
	uint32_t stop;
	bool exists;
	pthread_t thread;
};

struct px_node {
	uint64_t offset; /* of its first page from the base, a multiple of 1 GiB */
	uint64_t bytes;
	int numa_node;
};

/* What sequences go by (hot.h). */
struct px_cs {
	ptrdiff_t rseq;    /* a thread's struct rseq, from its thread pointer */
	uint32_t last_cpu; /* numbers above it are no CPU's */
	struct px_hot *open[PAGUS_MAX_CPUS]; /* a CPU's cache; px_hot_closed while it is not open */
};

struct pagus_posix {
	struct pagus p;
	struct pagus_port port;
	struct pagus_posix *next; /* of the process's instances: fork.c */

	/* Memory: `span` bytes of address space from `base`, in which the nodes lie. */
	char *base;
	uint64_t span;
	uint8_t *node_of_gib; /* the one node that each GiB of it belongs to */
	struct px_node node[PAGUS_MAX_NODES];
	uint32_t nr_nodes;
	enum pagus_posix_backing backing;
	bool huge_pages, lazy_discard;
	bool foreign;         /* the memory is shared with the parent, which hands it out */
	int fd;
	void *state;
	size_t state_bytes;

	uint32_t nr_cpus;
	enum pagus_posix_cpu_source cpu_source;
	struct px_hot *hot;   /* a CPU's cache; NULL: there are none (hot.h) */
	uint8_t *page_stack;  /* a byte a page, the same */
	uint64_t hot_pages;   /* pages that are put without a call, of instances of one node, */
	uint32_t hot_orders;  /* and orders below which there are stacks; 0: there are no caches */
	struct px_cs cs;
	struct px_handles *handles; /* NULL: there are none (handle.h) */

	/* In the order of classes: each zone's pcps, then the zones, then OOM. */
	struct px_lock_line *locks;
	size_t locks_bytes;
	uint64_t first_lock[PAGUS_NR_LOCK_CLASSES];

	struct pagus_posix_calls calls;
	void *calls_ctx;

	bool has_worker[PAGUS_NR_WORKERS]; /* on each node */
	struct px_worker worker[PAGUS_NR_WORKERS][PAGUS_MAX_NODES];
	struct px_worker tick;
	struct pagus_port tick_port; /* as `port`, but acts for tick_cpu */
	uint32_t tick_cpu, tick_ms;
};

/* ---- error.c --------------------------------------------------------------------------------- */

/* Note the line for pagus_posix_error, and return `status`. */
enum pagus_status px_error(enum pagus_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void px_no_error(void);

/* ---- memory.c, numa.c ------------------------------------------------------------------------ */

/* Reserve and map what x->node asks for. What is mapped when it fails, px_memory_unmap takes. */
enum pagus_status px_memory_map(struct pagus_posix *x);
void px_memory_unmap(struct pagus_posix *x);

/* The page that begins at an address: BAD_RANGE, BAD_ALIGN where none does. */
static inline enum pagus_status px_first_page(const struct pagus_posix *x, const void *address,
					      pagus_pfn_t *pfn)
{
	*pfn = pagus_posix_pfn(x, address);
	if (*pfn == PAGUS_NO_PFN)
		return PAGUS_BAD_RANGE;
	return (uintptr_t)address % PX_PAGE_BYTES ? PAGUS_BAD_ALIGN : PAGUS_OK;
}

/* `bytes` zeroed bytes of the instance's own; NULL if there are none. */
void *px_map_own(uint64_t bytes);

enum pagus_status px_numa_bind(void *start, uint64_t bytes, int numa_node);

/* The NUMA node that a CPU of the system belongs to; -1 if it cannot be told. */
int px_numa_node_of_cpu(uint32_t cpu);

/* The system's distance between two NUMA nodes; 0 if it cannot be told. */
uint32_t px_numa_distance(int from, int to);

/* ---- cma.c ----------------------------------------------------------------------------------- */

/* Declare the areas of the configuration: after pagus_init, before anything is handed over. */
enum pagus_status px_cma_declare(struct pagus_posix *x, const struct pagus_posix_config *config);

/* ---- cpu.c ----------------------------------------------------------------------------------- */

/* Choose where CPU numbers come from: sets port.cpu_pin and cpu_unpin. */
enum pagus_status px_cpu_choose(struct pagus_posix *x, enum pagus_posix_cpu_source wanted);
uint32_t px_cpu_pin_tick(void *ctx);

/* Of the rseq area, which must be the source. */
uint32_t px_cpu_now(void);

/* ---- pressure.c ------------------------------------------------------------------------------ */

void px_pressure_connect(struct pagus_posix *x, const struct pagus_posix_config *config);

/* ---- owner.c --------------------------------------------------------------------------------- */

/* Who owns movable blocks: of a valid configuration, after the calls have been connected. */
enum pagus_status px_owner_check(const struct pagus_posix_config *config);
void px_owner_connect(struct pagus_posix *x, const struct pagus_posix_config *config);

/* ---- worker.c -------------------------------------------------------------------------------- */

void px_workers_init(struct pagus_posix *x);
enum pagus_status px_workers_start(struct pagus_posix *x);
void px_workers_stop(struct pagus_posix *x);

/* Is the calling thread a worker that is to end soon? */
bool px_worker_is_to_end(void);

/* In a child: the parent's workers are not there. Start them anew, with all to be looked at. */
void px_workers_renew(struct pagus_posix *x);

/* ---- fork.c ---------------------------------------------------------------------------------- */

/* False if fork() could not be prepared for. */
bool px_fork_watch(struct pagus_posix *x);
void px_fork_forget(struct pagus_posix *x);

#endif
