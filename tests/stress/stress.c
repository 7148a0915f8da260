/* SPDX-License-Identifier: MIT */
/*
 * Threads that allocate and free at random for a given time, while faults are injected.
 *
 * usage: stress [--seconds N] [--policy NAME] [--threads N] [--seed N]
 *
 * A map says which pages are handed out, and is changed atomically: a page that is granted twice is
 * seen at once. Blocks go from thread to thread through slots. Between any two calls a thread is on
 * another CPU; trylocks fail at random; one more thread takes CPUs offline, switches pcps off,
 * drains, and, while no call runs, isolates pageblocks and checks the whole instance. At the end
 * all is freed, and every page is in the zone again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pagus/step.h>

#include "unit/lab.h"
#include "unit/mutex_port.h"

#define NR_PAGES     65536u
#define BLOCK_ORDER  9u
#define MAX_ORDER    10u
#define NR_SLOTS     8192u
#define BULK         40u
#define BUSY_ODDS    8  /* one trylock in so many fails */
#define PCP_BATCH    63
#define PCP_HIGH     2048
#define MOST_THREADS (MOST_CPUS - 2)

enum { FREE, HELD, FROZEN }; /* FROZEN: freed in an isolated pageblock, not to be handed out */

static struct {
	struct lab lab;
	const char *policy;
	uint64_t seed;
	uint32_t nr_cpus;
	pthread_mutex_t cpus[MOST_CPUS]; /* held by who makes a call there, or took it offline */
	pthread_rwlock_t idle;           /* read by calls, written by who needs that there is none */
	uint8_t pages[NR_PAGES];         /* A */
	bool isolated[NR_PAGES >> BLOCK_ORDER]; /* written while no call runs */
	uint64_t slots[NR_SLOTS];        /* A: pfn * 16 + order + 1; 0: none */
	uint32_t stop;                   /* A */
	uint64_t calls;                  /* A */
} all;

static _Thread_local uint64_t random_state;

static uint32_t chance(uint32_t limit)
{
	return (uint32_t)lab_random(&random_state, limit);
}

static void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void broken(const char *format, ...)
{
	va_list args;

	printf("FAILED: policy %s, seed %llu: ", all.policy, (unsigned long long)all.seed);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_Exit(1);
}

static void must(enum pagus_status status, const char *what)
{
	if (status != PAGUS_OK)
		broken("%s: %s", what, pagus_status_text(status));
}

/* ---- the port: trylocks fail ----------------------------------------------------------------- */

static bool faulty_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			   enum pagus_lock_reason why)
{
	return chance(BUSY_ODDS) && thread_trylock(ctx, cls, index, why);
}

/* ---- calls, and the map ---------------------------------------------------------------------- */

/* Onto any CPU that nobody is on. There are more than threads, and one at most is offline. */
static void begin_call(void)
{
	uint32_t cpu = chance(all.nr_cpus);

	pthread_rwlock_rdlock(&all.idle);
	while (pthread_mutex_trylock(&all.cpus[cpu]))
		cpu = (cpu + 1) % all.nr_cpus;
	thread_cpu = cpu;
}

static void end_call(void)
{
	pthread_mutex_unlock(&all.cpus[thread_cpu]);
	pthread_rwlock_unlock(&all.idle);
	__atomic_fetch_add(&all.calls, 1, __ATOMIC_RELAXED);
}

static void granted(pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t n = 0; n < 1u << order; n++) {
		uint8_t was = __atomic_exchange_n(&all.pages[pfn + n], HELD, __ATOMIC_ACQ_REL);

		if (was != FREE)
			broken("page %llu is handed out%s", (unsigned long long)pfn + n,
			       was == HELD ? " twice" : ", of an isolated pageblock");
	}
}

/* Between begin_call and the call that frees. */
static void given_up(pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t n = 0; n < 1u << order; n++) {
		uint8_t now = all.isolated[(pfn + n) >> BLOCK_ORDER] ? FROZEN : FREE;

		if (__atomic_exchange_n(&all.pages[pfn + n], now, __ATOMIC_ACQ_REL) != HELD)
			broken("page %llu is freed and was not held", (unsigned long long)pfn + n);
	}
}

/* Put a block, or nothing (0), into a slot: what was there. */
static uint64_t exchange(uint64_t block)
{
	return __atomic_exchange_n(&all.slots[chance(NR_SLOTS)], block, __ATOMIC_ACQ_REL);
}

static void release(uint64_t block)
{
	pagus_pfn_t pfn = block / 16;
	uint32_t order = (uint32_t)(block & 15) - 1;
	struct pagus *p = &all.lab.p;

	if (block == 0)
		return;
	begin_call();
	given_up(pfn, order);
	switch (chance(4)) {
	case 0: must(pagus_free_nolock(p, pfn, order), "free_nolock"); break;
	case 1: must(pagus_put_pages(p, pfn, order), "put"); break;
	default: must(pagus_free_pages(p, pfn, order), "free"); break;
	}
	end_call();
}

static void keep(pagus_pfn_t pfn, uint32_t order)
{
	release(exchange(pfn * 16 + order + 1));
}

static uint32_t random_gfp(void)
{
	static const uint32_t gfps[] = {
		GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE, GFP_ATOMIC,
		GFP_KERNEL | __GFP_ZERO, GFP_HIGHUSER_MOVABLE | __GFP_COMP, GFP_NOWAIT | __GFP_HIGH,
	};

	return gfps[chance(sizeof(gfps) / sizeof(gfps[0]))] & ~__GFP_DIRECT_RECLAIM;
}

static uint32_t random_order(void)
{
	return chance(8) ? 0 : chance(8) ? chance(4) : chance(MAX_ORDER + 1);
}

static void allocate(void)
{
	uint32_t order = random_order(), gfp = random_gfp();
	bool split = order > 0 && !(gfp & __GFP_COMP) && chance(4) == 0;
	enum pagus_status status;
	pagus_pfn_t pfn;

	begin_call();
	status = pagus_alloc_pages(&all.lab.p, gfp, order, &pfn);
	if (status == PAGUS_OK)
		granted(pfn, order);
	if (status == PAGUS_OK && split)
		must(pagus_split_pages(&all.lab.p, pfn, order, 0), "split");
	end_call();
	if (status != PAGUS_OK) {
		release(exchange(0));
	} else if (split) {
		for (uint32_t n = 0; n < 1u << order; n++)
			keep(pfn + n, 0);
	} else {
		keep(pfn, order);
	}
}

static void allocate_nolock(void)
{
	uint32_t order = chance(4) ? 0 : BLOCK_ORDER * chance(2);
	struct pagus_result res;

	begin_call();
	if (pagus_alloc_nolock(&all.lab.p, PAGUS_NO_NODE, order, &res) == PAGUS_OK)
		granted(res.pfn, order);
	end_call();
	if (res.status == PAGUS_OK)
		keep(res.pfn, order);
}

static void allocate_bulk(void)
{
	pagus_pfn_t pfns[BULK];
	uint32_t nr;

	for (uint32_t n = 0; n < BULK; n++)
		pfns[n] = PAGUS_NO_PFN;
	begin_call();
	nr = pagus_alloc_bulk(&all.lab.p, random_gfp(), PAGUS_NO_NODE, BULK, pfns);
	for (uint32_t n = 0; n < nr; n++)
		granted(pfns[n], 0);
	end_call();
	for (uint32_t n = 0; n < nr; n++)
		keep(pfns[n], 0);
}

static void release_bulk(void)
{
	pagus_pfn_t pfns[BULK];
	uint64_t blocks[BULK];
	uint32_t nr = 0;

	for (uint32_t n = 0; n < BULK; n++) {
		blocks[nr] = exchange(0);
		nr += blocks[nr] != 0;
	}
	begin_call();
	for (uint32_t n = 0; n < nr; n++) {
		pfns[n] = blocks[n] / 16;
		given_up(pfns[n], (uint32_t)(blocks[n] & 15) - 1);
	}
	if (pagus_free_bulk(&all.lab.p, pfns, nr) != nr)
		broken("free_bulk has left blocks out");
	end_call();
}

/* The CPU on which the thread happens to be; the tick is that CPU's own. */
static void look_after(void)
{
	begin_call();
	if (chance(4))
		pagus_tick(&all.lab.p);
	else
		pagus_drain_cpu(&all.lab.p, chance(all.nr_cpus));
	end_call();
}

static void *work(void *arg)
{
	random_state = all.seed + 1 + *(const uint32_t *)arg;
	while (!__atomic_load_n(&all.stop, __ATOMIC_ACQUIRE)) {
		switch (chance(64)) {
		case 0: look_after(); break;
		case 1: allocate_bulk(); break;
		case 2: case 3: release_bulk(); break;
		case 4: case 5: case 6: allocate_nolock(); break;
		default: allocate(); break;
		}
	}
	return NULL;
}

/* ---- what the manager does ------------------------------------------------------------------- */

static void pause_us(long us)
{
	const struct timespec time = { .tv_nsec = us * 1000 };

	nanosleep(&time, NULL);
}

static void check(void)
{
	pagus_pfn_t where;
	int number = pagus_check(&all.lab.p, &where);

	if (number)
		broken("invariant %d near pfn %llu: %s", number, (unsigned long long)where,
		       pagus_invariant_text(number));
}

static void set_limits(void)
{
	const struct pagus_zone_seed seed = {
		.present = NR_PAGES, .managed = NR_PAGES, .pcp_batch = PCP_BATCH,
		.pcp_high_min = PCP_HIGH / 4, .pcp_high_max = PCP_HIGH,
		.wmark = { 256, 512, 768, 1024 },
	};

	must(pagus_seed_zone(&all.lab.p, 0, PAGUS_ZONE_NORMAL, &seed), "limits");
}

static void set_limits_idle(void)
{
	pthread_rwlock_wrlock(&all.idle);
	set_limits();
	pthread_rwlock_unlock(&all.idle);
}

/* A call of the manager's, which is on a CPU as others are. */
#define CALL(expression)                                                                          \
	do {                                                                                      \
		begin_call();                                                                     \
		must((expression), #expression);                                                  \
		end_call();                                                                       \
	} while (0)

static void plug(void)
{
	uint32_t cpu = chance(all.nr_cpus);
	struct pagus_pcp_info pcp;

	pthread_mutex_lock(&all.cpus[cpu]);
	CALL(pagus_cpu_down(&all.lab.p, cpu));
	pause_us(chance(2000));
	must(pagus_pcp_info(&all.lab.p, 0, cpu, &pcp), "pcp");
	if (pcp.count)
		broken("CPU %u is offline, and has %u pages", cpu, pcp.count);
	CALL(pagus_cpu_up(&all.lab.p, cpu));
	pthread_mutex_unlock(&all.cpus[cpu]);
	set_limits_idle();
}

static void switch_pcps(void)
{
	CALL(pagus_zone_pcp_disable(&all.lab.p, 0));
	pause_us(chance(2000));
	CALL(pagus_zone_pcp_enable(&all.lab.p, 0));
}

/* No page of an isolated pageblock is anywhere but with its holders and in the zone. */
static void isolate(pagus_pfn_t start)
{
	if (pagus_seed_block(&all.lab.p, start, PAGUS_ISOLATE) != PAGUS_OK)
		return;
	pagus_drain_all(&all.lab.p);
	all.isolated[start >> BLOCK_ORDER] = true;
	for (uint32_t n = 0; n < 1u << BLOCK_ORDER; n++)
		if (all.pages[start + n] == FREE)
			all.pages[start + n] = FROZEN;
}

static void end_isolation(pagus_pfn_t start)
{
	if (!all.isolated[start >> BLOCK_ORDER])
		return;
	must(pagus_step_set_type(&all.lab.p, start, PAGUS_MOVABLE), "set_type");
	must(pagus_step_move_free(&all.lab.p, start, PAGUS_ISOLATE, PAGUS_MOVABLE), "move_free");
	all.isolated[start >> BLOCK_ORDER] = false;
	for (uint32_t n = 0; n < 1u << BLOCK_ORDER; n++)
		if (all.pages[start + n] == FROZEN)
			all.pages[start + n] = FREE;
}

static void isolate_some(void)
{
	pthread_rwlock_wrlock(&all.idle);
	thread_cpu = 0;
	for (pagus_pfn_t start = 0; start < NR_PAGES; start += 1u << BLOCK_ORDER)
		end_isolation(start);
	for (uint32_t n = 0; n < 8; n++)
		isolate((pagus_pfn_t)chance(NR_PAGES >> BLOCK_ORDER) << BLOCK_ORDER);
	check();
	pthread_rwlock_unlock(&all.idle);
}

static double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void manage(double seconds)
{
	double end = seconds_now() + seconds;

	while (seconds_now() < end) {
		switch (chance(6)) {
		case 0: case 1: plug(); break;
		case 2: switch_pcps(); break;
		case 3: isolate_some(); break;
		case 4: begin_call(); pagus_drain_all(&all.lab.p); end_call(); break;
		default: pause_us(chance(5000)); break;
		}
	}
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void open_instance(uint32_t threads)
{
	static const struct pagus_range range = { 0, NR_PAGES, 0, PAGUS_ZONE_BY_CEILING };
	static struct pagus_port port = THREAD_PORT;
	pthread_rwlockattr_t attr;
	struct pagus_config cfg = lab_config(&range, 1, all.policy);

	cfg.nr_cpus = all.nr_cpus = threads + 2;
	must(lab_open(&all.lab, &cfg), "open");
	must(lab_hand_over(&all.lab, &cfg), "hand over");
	port.trylock = faulty_trylock;
	all.lab.p.port = &port;
	thread_locks_init();
	/* Calls come without a gap: whoever needs that there is none goes first. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&all.idle, &attr);
	for (uint32_t n = 0; n < all.nr_cpus; n++)
		pthread_mutex_init(&all.cpus[n], NULL);
	set_limits();
}

static void close_instance(void)
{
	struct pagus_zone_info zone;
	pagus_pfn_t pfn;

	thread_cpu = 0;
	for (pagus_pfn_t start = 0; start < NR_PAGES; start += 1u << BLOCK_ORDER)
		end_isolation(start);
	check();
	for (uint32_t n = 0; n < NR_SLOTS; n++)
		release(__atomic_exchange_n(&all.slots[n], 0, __ATOMIC_ACQ_REL));
	pagus_drain_all(&all.lab.p);
	/* Only the zone has blocks of the largest order: a free takes along what waits for it. */
	must(pagus_alloc_pages(&all.lab.p, GFP_NOWAIT, MAX_ORDER, &pfn), "the largest order");
	must(pagus_free_pages(&all.lab.p, pfn, MAX_ORDER), "free");
	check();
	must(pagus_zone_info(&all.lab.p, 0, &zone), "zone");
	if (zone.free_pages != NR_PAGES || zone.pcp_pages || zone.deferred_pages)
		broken("of all pages %llu are free, %llu on pcps, %llu deferred",
		       (unsigned long long)zone.free_pages, (unsigned long long)zone.pcp_pages,
		       (unsigned long long)zone.deferred_pages);
	printf("%llu calls; %llu pageblocks owned, %llu frees to other CPUs, %llu deferred\n",
	       (unsigned long long)all.calls,
	       (unsigned long long)pagus_counter_read(&all.lab.p, PAGUS_COUNTER_pageblock_own),
	       (unsigned long long)pagus_counter_read(&all.lab.p, PAGUS_COUNTER_pcp_free_remote),
	       (unsigned long long)pagus_counter_read(&all.lab.p, PAGUS_COUNTER_pcp_free_deferred));
	lab_close(&all.lab);
}

static int usage(void)
{
	fprintf(stderr, "usage: stress [--seconds N] [--policy NAME] [--threads 1..%d] [--seed N]\n",
		MOST_THREADS);
	return 1;
}

int main(int argc, char **argv)
{
	static uint32_t numbers[MOST_THREADS];
	pthread_t ids[MOST_THREADS];
	uint64_t nr_threads = 4, seconds = 2;

	all.policy = "pcpbuddy";
	all.seed = lab_env("PAGUS_SEED", 1);
	for (int n = 1; n + 1 < argc; n += 2) {
		if (!strcmp(argv[n], "--policy"))
			all.policy = argv[n + 1];
		else if (!strcmp(argv[n], "--seconds"))
			seconds = strtoull(argv[n + 1], NULL, 10);
		else if (!strcmp(argv[n], "--threads"))
			nr_threads = strtoull(argv[n + 1], NULL, 10);
		else if (!strcmp(argv[n], "--seed"))
			all.seed = strtoull(argv[n + 1], NULL, 0);
		else
			return usage();
	}
	if (argc % 2 == 0 || nr_threads == 0 || nr_threads > MOST_THREADS ||
	    !pagus_policy_known(all.policy))
		return usage();
	printf("policy %s, PAGUS_SEED=%llu, %u threads\n", all.policy, (unsigned long long)all.seed,
	       (unsigned)nr_threads);
	fflush(stdout); /* an assertion of the library ends the program at once */
	random_state = all.seed;
	open_instance((uint32_t)nr_threads);
	for (uint32_t n = 0; n < nr_threads; n++) {
		numbers[n] = n;
		if (pthread_create(&ids[n], NULL, work, &numbers[n]))
			broken("no thread %u", n);
	}
	manage((double)seconds);
	__atomic_store_n(&all.stop, 1, __ATOMIC_RELEASE);
	for (uint32_t n = 0; n < nr_threads; n++)
		pthread_join(ids[n], NULL);
	close_instance();
	return 0;
}
