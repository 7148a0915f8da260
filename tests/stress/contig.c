/* SPDX-License-Identifier: MIT */
/*
 * Threads over one instance of port/posix for a given time: some use blocks behind handles, some
 * take and give back blocks that stay where they are, while others move what can be moved, take
 * whole ranges, of an area and anywhere, isolate pageblocks, and have memory go and come.
 *
 * usage: contig [--seconds N] [--policy NAME] [--seed N]
 *
 * A map says which pages are handed out, and is changed atomically: a page that is granted twice is
 * seen at once, whoever granted it. What a handle's block holds is known by its key, and looked at
 * whenever it is opened. Now and then the instance is frozen and checked. At the end all is freed,
 * and every page is in its zone again.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pagus/cma.h>
#include <pagus/compact.h>
#include <pagus/contig.h>
#include <pagus/handle.h>
#include <pagus/hotplug.h>
#include <pagus/posix.h>

#include "unit/lab.h"

#define PAGE_BYTES  4096u
#define NR_PAGES    40960u
#define PLUG_END    32768u /* of the memory that goes and comes: the first section's */
#define BLOCK_ORDER 9u
#define NR_HANDLES  17408u
#define NR_BLOCKS   640u
#define AREA_PAGES  4096u
#define NR_TAKEN    6u  /* ranges of the area at a time, at most */
#define STRIDE      64u /* words of a page: every so many has a value */

enum { FREE, HELD };

static struct {
	struct pagus_posix *x;
	struct pagus *p;
	const char *policy;
	uint64_t seed;
	uint8_t pages[NR_PAGES]; /* A */
	uint32_t stop;           /* A */
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

/* ---- the map --------------------------------------------------------------------------------- */

static void mark(pagus_pfn_t pfn, uint64_t nr_pages, uint8_t from, uint8_t to, const char *what)
{
	for (uint64_t n = 0; n < nr_pages; n++)
		if (__atomic_exchange_n(&all.pages[pfn + n], to, __ATOMIC_ACQ_REL) != from)
			broken("page %llu is %s", (unsigned long long)(pfn + n), what);
}

static void granted(pagus_pfn_t pfn, uint64_t nr_pages)
{
	mark(pfn, nr_pages, FREE, HELD, "handed out twice");
}

/* Before the call that frees. */
static void given_up(pagus_pfn_t pfn, uint64_t nr_pages)
{
	mark(pfn, nr_pages, HELD, FREE, "freed and was not held");
}

/* ---- blocks behind handles ------------------------------------------------------------------- */

/* Each is used by one thread at a time. */
struct place {
	pthread_mutex_t lock;
	pagus_handle_t handle; /* NO_HANDLE: none */
	uint32_t order;
	uint32_t in_map;       /* A: its pages are */
	uint64_t key;          /* of its contents; 0: never written */
};

static struct place places[NR_HANDLES];

static uint64_t word_of(uint64_t key, uint64_t n)
{
	return key * UINT64_C(0x9e3779b97f4a7c15) + n;
}

static void write_words(uint64_t *words, uint32_t order, uint64_t key)
{
	for (uint64_t n = 0; n < (uint64_t)PAGE_BYTES << order >> 3; n += STRIDE)
		words[n] = word_of(key, n);
}

static void expect_words(const uint64_t *words, uint32_t order, uint64_t key)
{
	for (uint64_t n = 0; n < (uint64_t)PAGE_BYTES << order >> 3; n += STRIDE)
		if (words[n] != word_of(key, n))
			broken("word %llu of a block of order %u is not what was written",
			       (unsigned long long)n, order);
}

/* Called by whoever moves blocks. One that is not in the map yet, or not any more, stays. */
static bool relocate(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	const struct place *place = user;

	(void)ctx;
	if (random_state == 0)
		random_state = all.seed + 1000;
	if (!__atomic_load_n(&place->in_map, __ATOMIC_ACQUIRE) || chance(16) == 0)
		return false;
	granted(pagus_posix_pfn(all.x, to), bytes / PAGE_BYTES);
	memcpy(to, from, bytes);
	given_up(pagus_posix_pfn(all.x, from), bytes / PAGE_BYTES);
	return true;
}

/* Open from the first moment to the last that it is in the map. */
static void get_handle(struct place *place)
{
	void *block;

	place->order = chance(4) ? 0 : chance(5);
	place->key = 0;
	if (pagus_handle_get(all.x, GFP_KERNEL, place->order, place, &place->handle) != PAGUS_OK)
		return;
	block = pagus_handle_open(all.x, place->handle);
	if (!block)
		broken("a new handle does not open");
	granted(pagus_posix_pfn(all.x, block), UINT64_C(1) << place->order);
	__atomic_store_n(&place->in_map, 1, __ATOMIC_RELEASE);
	must(pagus_handle_close(all.x, place->handle), "close");
}

static void use_handle(struct place *place, bool frees)
{
	uint64_t *words = pagus_handle_open(all.x, place->handle);

	if (!words)
		broken("a handle does not open");
	if (place->key)
		expect_words(words, place->order, place->key);
	place->key = 1 + chance(UINT32_MAX);
	write_words(words, place->order, place->key);
	if (frees) {
		__atomic_store_n(&place->in_map, 0, __ATOMIC_RELEASE);
		given_up(pagus_posix_pfn(all.x, words), UINT64_C(1) << place->order);
	}
	must(pagus_handle_close(all.x, place->handle), "close");
	if (frees) {
		must(pagus_handle_free(all.x, place->handle), "free of a handle");
		place->handle = PAGUS_NO_HANDLE;
	}
}

static bool turn_handles(void)
{
	struct place *place = &places[chance(NR_HANDLES)];
	bool is_there;

	pthread_mutex_lock(&place->lock);
	if (!place->handle)
		get_handle(place);
	is_there = place->handle != PAGUS_NO_HANDLE;
	if (is_there)
		use_handle(place, chance(4) == 0);
	pthread_mutex_unlock(&place->lock);
	return is_there;
}

/* ---- blocks that stay ------------------------------------------------------------------------ */

static uint64_t blocks[NR_BLOCKS]; /* A: pfn * 16 + order + 1; 0: none */

static void release(uint64_t block)
{
	pagus_pfn_t pfn = block / 16;
	uint32_t order = (uint32_t)(block & 15) - 1;

	if (!block)
		return;
	given_up(pfn, UINT64_C(1) << order);
	if (chance(4))
		must(pagus_posix_put(all.x, pagus_posix_pointer(all.x, pfn), order), "put");
	else
		must(pagus_free_nolock(all.p, pfn, order), "free_nolock");
}

/* Whoever waits for memory compacts for himself. */
static bool turn_blocks(void)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_KERNEL | __GFP_RECLAIMABLE, GFP_NOWAIT,
					 GFP_ATOMIC, GFP_KERNEL | __GFP_NORETRY };
	uint32_t order = chance(6) ? 0 : chance(4) ? chance(4) : chance(BLOCK_ORDER + 1);
	uint64_t *slot = &blocks[chance(NR_BLOCKS)];
	pagus_pfn_t pfn;
	void *block;

	release(__atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL));
	if (chance(8) == 0)
		return true;
	block = pagus_posix_get(all.x, gfps[chance(sizeof(gfps) / sizeof(gfps[0]))], order);
	if (!block)
		return false;
	pfn = pagus_posix_pfn(all.x, block);
	granted(pfn, UINT64_C(1) << order);
	release(__atomic_exchange_n(slot, pfn * 16 + order + 1, __ATOMIC_ACQ_REL));
	return true;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* What happens to be there is moved away, unless some of it stays, or another has a part of it. */
static bool turn_ranges(void)
{
	pagus_pfn_t start = chance(NR_PAGES - 2048);
	uint64_t nr = 1 + chance(chance(4) ? 200 : 2048), first = chance((uint32_t)nr);
	enum pagus_status status = pagus_alloc_contig_range(all.p, start, nr, false, GFP_KERNEL);

	if (status == PAGUS_BUSY || status == PAGUS_NO_MEMORY || status == PAGUS_BAD_RANGE)
		return false;
	must(status, "contiguous range");
	granted(start, nr);
	given_up(start, nr);
	if (first > 0)
		must(pagus_free_contig_range(all.p, start, first), "free of the first part");
	must(pagus_free_contig_range(all.p, start + first, nr - first), "free of the second part");
	return true;
}

/* Isolated pageblocks take what is freed into them, and give nothing. */
static bool turn_isolation(void)
{
	pagus_pfn_t start = chance(NR_PAGES - 2048), bad;
	uint64_t nr = 1 + chance(2048);

	if (pagus_isolate_range(all.p, start, nr, PAGUS_ISOLATE_OTHER, NULL) != PAGUS_OK)
		return false;
	pagus_test_isolated(all.p, start, nr, PAGUS_ISOLATE_OTHER, &bad);
	must(pagus_unisolate_range(all.p, start, nr), "end of an isolation");
	return true;
}

/* ---- moving ---------------------------------------------------------------------------------- */

static bool turn_compact(void)
{
	struct pagus_compact_zone how = {
		.zone = chance(pagus_nr_zones(all.p)), .order = 1 + chance(BLOCK_ORDER),
		.migratetype = (enum pagus_migratetype)chance(3), .gfp = GFP_KERNEL,
		.mode = (enum pagus_migrate_mode)chance(3), .ignore_hints = chance(2),
	};
	struct pagus_compaction stats;

	usleep(chance(2000));
	if (chance(4) == 0)
		how.order = PAGUS_COMPACT_WHOLE;
	pagus_compact_zone(all.p, &how, &stats);
	return stats.moved > 0;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void expect_free(pagus_pfn_t start, uint64_t nr_pages)
{
	for (uint64_t n = 0; n < nr_pages; n++)
		if (__atomic_load_n(&all.pages[start + n], __ATOMIC_ACQUIRE) != FREE)
			broken("page %llu of a range that tested free is held",
			       (unsigned long long)(start + n));
}

/* A range that has been tested stays free for as long as it is isolated. */
static bool turn_isolate(void)
{
	uint64_t pages = (1u + chance(3)) << BLOCK_ORDER;
	pagus_pfn_t start = (pagus_pfn_t)chance((NR_PAGES - (uint32_t)pages) >> BLOCK_ORDER)
			    << BLOCK_ORDER;
	bool is_free;

	usleep(chance(2000));
	if (pagus_isolate_range(all.p, start, pages, PAGUS_ISOLATE_MEM_OFFLINE, NULL) != PAGUS_OK)
		return false;
	pagus_drain_all(all.p);
	usleep(chance(2000));
	is_free = pagus_test_isolated(all.p, start, pages, PAGUS_ISOLATE_MEM_OFFLINE, NULL) ==
		  PAGUS_OK;
	for (uint32_t n = 0; n < 3 && is_free; n++) {
		expect_free(start, pages);
		usleep(chance(500));
	}
	must(pagus_unisolate_range(all.p, start, pages), "unisolate");
	return true;
}

static void use_range(pagus_pfn_t start, uint64_t nr_pages)
{
	granted(start, nr_pages);
	for (uint64_t n = 0; n < nr_pages; n++)
		memset(pagus_posix_pointer(all.x, start + n), 0x5a, 64);
	usleep(chance(500));
	given_up(start, nr_pages);
	must(pagus_free_contig_range(all.p, start, nr_pages), "free of a range");
}

/* Just these pages, wherever they begin and end. */
static bool turn_range(void)
{
	uint64_t pages = 1u + chance(chance(4) ? 1024 : 4096);
	pagus_pfn_t start = chance(NR_PAGES - (uint32_t)pages);
	enum pagus_status status;

	usleep(chance(2000));
	status = pagus_alloc_contig_range(all.p, start, pages, false, GFP_KERNEL);
	if (status == PAGUS_OK)
		use_range(start, pages);
	else if (status != PAGUS_BUSY && status != PAGUS_NO_MEMORY && status != PAGUS_BAD_RANGE)
		must(status, "a range");
	return status == PAGUS_OK;
}

static bool turn_anywhere(void)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_KERNEL | __GFP_COMP, GFP_NOWAIT };
	uint64_t pages = UINT64_C(1) << (6 + chance(6));
	enum pagus_status status;
	pagus_pfn_t start;

	usleep(chance(5000));
	status = pagus_alloc_contig_pages(all.p, pages, gfps[chance(3)], PAGUS_NO_NODE, 0, &start);
	if (status == PAGUS_OK)
		use_range(start, pages);
	else if (status != PAGUS_NO_MEMORY)
		must(status, "a range anywhere");
	return status == PAGUS_OK;
}

/* ---- the area -------------------------------------------------------------------------------- */

/* Ranges that have been taken, each used by one thread at a time. */
static struct taken {
	pthread_mutex_t lock;
	char *start; /* NULL: none */
	uint64_t nr_pages, key;
} taken[NR_TAKEN];
static uint64_t area_pages; /* A: taken so far */

/* Pages by themselves, so that one at another's place is seen. */
static void write_range(const struct taken *t)
{
	for (uint64_t n = 0; n < t->nr_pages; n++)
		write_words((uint64_t *)(t->start + n * PAGE_BYTES), 0, t->key + n);
}

static void expect_range(const struct taken *t)
{
	for (uint64_t n = 0; n < t->nr_pages; n++)
		expect_words((uint64_t *)(t->start + n * PAGE_BYTES), 0, t->key + n);
}

/* In two parts, each free as soon as it is given back. */
static void give_range(struct taken *t)
{
	pagus_pfn_t start = pagus_posix_pfn(all.x, t->start);
	uint64_t first = chance((uint32_t)t->nr_pages);

	expect_range(t);
	if (first > 0) {
		given_up(start, first);
		must(pagus_posix_cma_put(all.x, 0, t->start, first), "put of a first part");
	}
	given_up(start + first, t->nr_pages - first);
	must(pagus_posix_cma_put(all.x, 0, t->start + first * PAGE_BYTES, t->nr_pages - first),
	     "put of a second part");
	t->start = NULL;
}

static bool take_range(struct taken *t)
{
	uint64_t pages = 1u + chance(chance(4) ? 256 : 2048);
	enum pagus_status status;
	void *start;

	status = pagus_posix_cma_get(all.x, 0, pages, chance(10), GFP_KERNEL, &start);
	if (status == PAGUS_BUSY || status == PAGUS_NO_MEMORY)
		return false;
	must(status, "a range of the area");
	granted(pagus_posix_pfn(all.x, start), pages);
	t->start = start;
	t->nr_pages = pages;
	t->key = 1 + chance(UINT32_MAX);
	write_range(t);
	__atomic_fetch_add(&area_pages, pages, __ATOMIC_RELAXED);
	return true;
}

/* At any time. */
static struct pagus_cma_info look_at_area(void)
{
	struct pagus_cma_info info;

	must(pagus_cma_info(all.p, 0, &info), "area");
	if (info.used_pages > AREA_PAGES || info.available_pages > AREA_PAGES ||
	    info.largest_free_pages > AREA_PAGES)
		broken("of the area's %u pages %llu are free, and %llu are used", AREA_PAGES,
		       (unsigned long long)info.available_pages,
		       (unsigned long long)info.used_pages);
	return info;
}

static bool turn_area(void)
{
	struct taken *t = &taken[chance(NR_TAKEN)];
	bool did = true;

	usleep(chance(2000));
	look_at_area();
	pthread_mutex_lock(&t->lock);
	if (t->start)
		give_range(t);
	else
		did = take_range(t);
	pthread_mutex_unlock(&t->lock);
	return did;
}

/* ---- memory that goes and comes -------------------------------------------------------------- */

/* Nobody has a page of it before it is there again. */
static bool turn_plug(void)
{
	uint64_t pages = (1u + chance(chance(2) ? 1 : 4)) << BLOCK_ORDER;
	pagus_pfn_t start = PLUG_END - pages;
	enum pagus_status status;

	usleep(chance(2000));
	status = pagus_offline(all.p, start, pages, &all.stop, NULL);
	if (status == PAGUS_BUSY || status == PAGUS_CANCELLED)
		return false;
	must(status, "offline");
	granted(start, pages);
	usleep(chance(2000));
	given_up(start, pages);
	must(pagus_online(all.p, start, pages, PAGUS_ONLINE), "online");
	return true;
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool turn_check(void)
{
	pagus_pfn_t where = 0;
	int number;

	usleep(20000);
	pagus_posix_freeze();
	number = pagus_check(all.p, &where);
	pagus_posix_thaw();
	if (number)
		broken("invariant %d near pfn %llu: %s", number, (unsigned long long)where,
		       pagus_invariant_text(number));
	return true;
}

/* ---- who does what --------------------------------------------------------------------------- */

/* A thread each: a turn is true if it did what it was to do. */
static struct role {
	const char *name;
	bool (*turn)(void);
	bool must_succeed; /* once at least, in a run of seconds */
	uint64_t nr_turns, nr_done;
	pthread_t thread;
} roles[] = {
	{ "handles", turn_handles, true },
	{ "handles", turn_handles, true },
	{ "handles", turn_handles, true },
	{ "blocks", turn_blocks, true },
	{ "blocks", turn_blocks, true },
	{ "ranges", turn_ranges, true },
	{ "ranges", turn_ranges, true },
	{ "isolation", turn_isolation, true },
	{ "compact", turn_compact, true },
	{ "compact", turn_compact, true },
	{ "isolate", turn_isolate, true },
	{ "range", turn_range, true },
	{ "range", turn_range, true },
	{ "anywhere", turn_anywhere, true },
	{ "area", turn_area, true },
	{ "area", turn_area, true },
	{ "plug", turn_plug, true },
	{ "check", turn_check, true },
};
#define NR_ROLES (sizeof(roles) / sizeof(roles[0]))

static void *act(void *arg)
{
	struct role *role = arg;

	random_state = all.seed + 1 + (uint64_t)(role - roles);
	while (!__atomic_load_n(&all.stop, __ATOMIC_ACQUIRE)) {
		role->nr_done += role->turn();
		role->nr_turns++;
	}
	return NULL;
}

static void run(uint32_t seconds)
{
	for (uint32_t n = 0; n < NR_ROLES; n++)
		if (pthread_create(&roles[n].thread, NULL, act, &roles[n]))
			broken("no thread %u", n);
	for (uint32_t n = 0; n < seconds * 10; n++)
		usleep(100000);
	__atomic_store_n(&all.stop, 1, __ATOMIC_RELEASE);
	for (uint32_t n = 0; n < NR_ROLES; n++)
		pthread_join(roles[n].thread, NULL);
	for (uint32_t n = 0; n < NR_ROLES; n++) {
		printf("  %-10s %9llu turns, %9llu did it\n", roles[n].name,
		       (unsigned long long)roles[n].nr_turns, (unsigned long long)roles[n].nr_done);
		if (roles[n].must_succeed && !roles[n].nr_done)
			broken("%s never came about", roles[n].name);
	}
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void open_instance(void)
{
	const struct pagus_posix_cma area = { .bytes = (uint64_t)AREA_PAGES * PAGE_BYTES };
	const struct pagus_posix_config config = {
		.bytes = (uint64_t)NR_PAGES * PAGE_BYTES, .policy = all.policy, .tick_ms = 5,
		.nr_handles = NR_HANDLES, .relocate = relocate, .cma = &area, .nr_cma = 1,
	};

	must(pagus_posix_create(&config, &all.x), "create");
	all.p = pagus_posix_instance(all.x);
	for (uint32_t n = 0; n < NR_HANDLES; n++)
		pthread_mutex_init(&places[n].lock, NULL);
	for (uint32_t n = 0; n < NR_TAKEN; n++)
		pthread_mutex_init(&taken[n].lock, NULL);
}

static uint64_t free_pages(void)
{
	struct pagus_zone_info zone;
	uint64_t pages = 0;

	pagus_drain_all(all.p);
	pagus_posix_freeze();
	for (uint32_t n = 0; n < pagus_nr_zones(all.p); n++) {
		must(pagus_zone_info(all.p, n, &zone), "zone");
		pages += zone.free_pages + zone.pcp_pages + zone.deferred_pages;
	}
	pagus_posix_thaw();
	return pages;
}

static void close_area(void)
{
	struct pagus_cma_info info;

	for (uint32_t n = 0; n < NR_TAKEN; n++)
		if (taken[n].start)
			give_range(&taken[n]);
	info = look_at_area();
	if (info.used_pages || info.available_pages != AREA_PAGES ||
	    info.alloc_pages_success != area_pages || info.release_pages_success != area_pages)
		broken("of the area's %u pages %llu are free, and %llu of %llu were given back",
		       AREA_PAGES, (unsigned long long)info.available_pages,
		       (unsigned long long)info.release_pages_success,
		       (unsigned long long)area_pages);
}

static void close_instance(void)
{
	struct pagus_handle_stats stats;

	for (uint32_t n = 0; n < NR_BLOCKS; n++)
		release(blocks[n]);
	for (uint32_t n = 0; n < NR_HANDLES; n++)
		if (places[n].handle)
			use_handle(&places[n], true);
	close_area();
	pagus_handle_stats(all.x, &stats);
	printf("  %llu moves of %llu pages, %llu put off\n", (unsigned long long)stats.nr_moves,
	       (unsigned long long)stats.moved_pages, (unsigned long long)stats.nr_again);
	for (uint64_t n = 0; n < NR_PAGES; n++)
		if (all.pages[n] != FREE)
			broken("page %llu is held by nobody", (unsigned long long)n);
	turn_check();
	if (free_pages() != NR_PAGES)
		broken("of %u pages %llu are free", NR_PAGES, (unsigned long long)free_pages());
	pagus_posix_destroy(all.x);
}

static int usage(void)
{
	fprintf(stderr, "usage: contig [--seconds N] [--policy NAME] [--seed N]\n");
	return 1;
}

int main(int argc, char **argv)
{
	uint64_t seconds = 2;

	all.policy = "pcpbuddy-bitmap";
	all.seed = lab_env("PAGUS_SEED", 1);
	for (int n = 1; n + 1 < argc; n += 2) {
		if (!strcmp(argv[n], "--policy"))
			all.policy = argv[n + 1];
		else if (!strcmp(argv[n], "--seconds"))
			seconds = strtoull(argv[n + 1], NULL, 10);
		else if (!strcmp(argv[n], "--seed"))
			all.seed = strtoull(argv[n + 1], NULL, 0);
		else
			return usage();
	}
	if (argc % 2 == 0 || !pagus_policy_known(all.policy))
		return usage();
	printf("policy %s, PAGUS_SEED=%llu\n", all.policy, (unsigned long long)all.seed);
	fflush(stdout); /* an assertion of the library ends the program at once */
	random_state = all.seed;
	open_instance();
	run((uint32_t)seconds);
	close_instance();
	return 0;
}
