/* SPDX-License-Identifier: MIT */
/*
 * Small worlds: every sequence of operations on a few pages, breadth first, equal states met
 * once. At every state all invariants hold, no two blocks in use overlap, and giving everything
 * back makes memory whole again.
 *
 * usage: world [STATES]    states to visit in each world (PAGUS_WORLD_STATES, else 80000); a
 *                          quarter of them without grouping by mobility
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "unit/lab.h"

#define MAX_ORDER 3
#define MAX_PAGES 16
#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

struct world {
	const char *name;
	struct pagus_range ranges[2];
	uint32_t nr_ranges;
};

static const struct world worlds[] = {
	{ "8 pages", { { 0, 8, 0, PAGUS_ZONE_BY_CEILING } }, 1 },
	{ "16 pages", { { 0, 16, 0, PAGUS_ZONE_BY_CEILING } }, 1 },
	{ "12 pages, two zones",
	  { { 0, 6, 0, PAGUS_ZONE_DMA32 }, { 6, 6, 0, PAGUS_ZONE_NORMAL } },
	  2 },
	{ "16 pages, two zones",
	  { { 0, 8, 0, PAGUS_ZONE_DMA32 }, { 8, 8, 0, PAGUS_ZONE_NORMAL } },
	  2 },
	{ "11 pages, a hole",
	  { { 1, 4, 0, PAGUS_ZONE_BY_CEILING }, { 8, 7, 0, PAGUS_ZONE_BY_CEILING } },
	  2 },
};

/* How a state was reached. */
#define MAX_PATH 32
enum op_kind { OP_ALLOC, OP_FREE, OP_DRAIN };
struct path {
	uint32_t nr;
	struct { uint8_t kind, cpu, a, b; } op[MAX_PATH]; /* the last ones, if there were more */
};

/* A state that is still to be expanded: the bytes of the instance, and the blocks in use. */
struct state {
	struct state *next;
	struct path path;
	uint64_t live; /* 4 bits a page: order + 1 of the block that begins there, or 0 */
	uint64_t bytes[];
};

struct search {
	struct lab lab;        /* the instance that is worked on */
	struct path path;
	uint64_t live;
	size_t bytes;
	uint64_t whole[PAGUS_MAX_NODES]
		      [PAGUS_NR_ORDERS]; /* nr_free of each zone when all is free */
	uint64_t *seen;        /* open-addressing set of state keys, 0 = empty */
	uint64_t nr_slots, nr_states, max_states;
	struct state *next_level;
	const char *why;       /* NULL: nothing failed */
};

static uint32_t live_order(uint64_t live, uint32_t pfn)
{
	return (uint32_t)(live >> 4 * pfn & 15);
}

/* The page lies in a block in use. */
static bool is_held(uint64_t live, uint32_t pfn)
{
	for (uint32_t order = 0; order <= MAX_ORDER; order++) {
		uint32_t held = live_order(live, pfn & ~((1u << order) - 1));

		if (held > order)
			return true;
	}
	return false;
}

/* Return to a state, from which one operation is now taken. */
static void load(struct search *s, const struct state *from, enum op_kind kind, uint32_t a,
		 uint32_t b)
{
	memcpy(s->lab.mem, from->bytes, s->bytes);
	s->live = from->live;
	s->path = from->path;
	s->path.op[s->path.nr % MAX_PATH].kind = (uint8_t)kind;
	s->path.op[s->path.nr % MAX_PATH].cpu = (uint8_t)s->lab.sim.cpu;
	s->path.op[s->path.nr % MAX_PATH].a = (uint8_t)a;
	s->path.op[s->path.nr % MAX_PATH].b = (uint8_t)b;
	s->path.nr++;
}

static void print_path(const struct path *path)
{
	static const char *const names[] = {
		[OP_ALLOC] = "alloc, type and order",
		[OP_FREE] = "free, pfn and order",
		[OP_DRAIN] = "drain",
	};

	for (uint32_t n = path->nr > MAX_PATH ? path->nr - MAX_PATH : 0; n < path->nr; n++)
		printf("\tCPU %d: %s %d %d\n", path->op[n % MAX_PATH].cpu,
		       names[path->op[n % MAX_PATH].kind], path->op[n % MAX_PATH].a,
		       path->op[n % MAX_PATH].b);
}

static struct state *save(const struct search *s)
{
	struct state *state = malloc(sizeof(*state) + s->bytes);

	if (!state)
		abort();
	*state = (struct state){ .live = s->live, .path = s->path };
	memcpy(state->bytes, s->lab.mem, s->bytes);
	return state;
}

/* False if the state was met before. */
static bool is_new(struct search *s)
{
	uint64_t live = s->live;
	uint64_t key = pagus_digest(&s->lab.p) ^ lab_random(&live, UINT64_MAX);
	uint64_t slot = key % s->nr_slots;

	key |= 1;
	while (s->seen[slot] && s->seen[slot] != key)
		slot = slot + 1 == s->nr_slots ? 0 : slot + 1;
	if (s->seen[slot])
		return false;
	s->seen[slot] = key;
	return true;
}

static void check_state(struct search *s)
{
	pagus_pfn_t where;
	int broken = pagus_check(&s->lab.p, &where);

	if (broken)
		s->why = pagus_invariant_text(broken);
}

static void free_block(struct search *s, uint32_t pfn)
{
	if (pagus_free_pages(&s->lab.p, pfn, live_order(s->live, pfn) - 1) != PAGUS_OK)
		s->why = "a block in use cannot be freed";
	s->live &= ~(UINT64_C(15) << 4 * pfn);
}

/*
 * From here everything can be given back, and all memory is whole then. Destroys the instance's
 * state.
 */
static void check_return(struct search *s)
{
	for (uint32_t pfn = 0; pfn < MAX_PAGES; pfn++)
		if (live_order(s->live, pfn))
			free_block(s, pfn);
	pagus_drain_all(&s->lab.p);
	if (!s->why)
		check_state(s);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&s->lab.p); zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(&s->lab.p, zone, &info);
		if (memcmp(info.nr_free, s->whole[zone], sizeof(info.nr_free)) != 0)
			s->why = "memory is not whole after everything was given back";
	}
}

static void visit(struct search *s)
{
	struct state *state;

	if (s->why || s->nr_states >= s->max_states || !is_new(s))
		return;
	s->nr_states++;
	check_state(s);
	state = save(s);
	state->next = s->next_level;
	s->next_level = state;
	if (!s->why)
		check_return(s);
}

static void visit_alloc(struct search *s, const struct state *from, uint32_t type, uint32_t order)
{
	static const uint32_t gfps[] = {
		GFP_KERNEL, GFP_KERNEL | __GFP_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE,
	};
	pagus_pfn_t pfn;

	load(s, from, OP_ALLOC, type, order);
	if (pagus_alloc_pages(&s->lab.p, gfps[type], order, &pfn) == PAGUS_OK) {
		if (pfn % (1u << order) || pfn + (1u << order) > MAX_PAGES) {
			s->why = "a granted block is not aligned";
			return;
		}
		for (uint32_t k = 0; k < 1u << order; k++)
			if (is_held(s->live, (uint32_t)pfn + k))
				s->why = "a granted block overlaps one in use";
		s->live |= (uint64_t)(order + 1) << 4 * pfn;
	}
	visit(s);
}

static void expand(struct search *s, const struct state *from, uint32_t nr_cpus)
{
	for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
		pagus_sim_on(&s->lab.sim, cpu, 0);
		for (uint32_t type = 0; type < PAGUS_HIGHATOMIC; type++)
			for (uint32_t order = 0; order <= MAX_ORDER; order++)
				visit_alloc(s, from, type, order);
		for (uint32_t pfn = 0; pfn < MAX_PAGES; pfn++) {
			if (!live_order(from->live, pfn))
				continue;
			load(s, from, OP_FREE, pfn, live_order(from->live, pfn) - 1);
			free_block(s, pfn);
			visit(s);
		}
		load(s, from, OP_DRAIN, 0, 0);
		pagus_drain_cpu(&s->lab.p, cpu);
		visit(s);
	}
}

/* Level by level; returns how many levels are complete. *ended: no state is left unexpanded. */
static uint32_t search_all(struct search *s, uint32_t nr_cpus, bool *ended)
{
	uint32_t depth = 0;

	visit(s);
	while (s->next_level && !s->why && s->nr_states < s->max_states) {
		struct state *level = s->next_level;

		s->next_level = NULL;
		while (level) {
			struct state *next = level->next;

			if (!s->why && s->nr_states < s->max_states)
				expand(s, level, nr_cpus);
			free(level);
			level = next;
		}
		if (s->nr_states < s->max_states)
			depth++;
	}
	*ended = !s->next_level;
	while (s->next_level) {
		struct state *next = s->next_level->next;

		free(s->next_level);
		s->next_level = next;
	}
	return depth;
}

static bool start(struct search *s, const struct pagus_config *cfg, uint64_t max_states)
{
	*s = (struct search){ .nr_slots = max_states * 4 + 1, .max_states = max_states };
	s->seen = calloc(s->nr_slots, sizeof(*s->seen));
	if (!s->seen || lab_open(&s->lab, cfg) != PAGUS_OK ||
	    lab_hand_over(&s->lab, cfg) != PAGUS_OK)
		return false;
	lab_no_marks(&s->lab);
	/* What a pcp remembers of its frees ends at two batches, so that fewer states differ in
	 * that alone. */
	pagus_tunable_set(&s->lab.p, PAGUS_TUNABLE_pcp_batch_scale_max, 1);
	s->bytes = pagus_state_bytes(&s->lab.p);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&s->lab.p); zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(&s->lab.p, zone, &info);
		memcpy(s->whole[zone], info.nr_free, sizeof(info.nr_free));
	}
	return true;
}

static bool run_world(const struct world *world, const char *policy, bool grouping,
		      uint32_t nr_cpus, uint64_t max_states)
{
	const struct pagus_config cfg = {
		.ranges = world->ranges, .nr_ranges = world->nr_ranges, .nr_cpus = nr_cpus,
		.max_order = MAX_ORDER, .pageblock_order = 2, .section_order = MAX_ORDER,
		.policy = policy,
		.grouping = grouping ? PAGUS_GROUPING_ALWAYS : PAGUS_GROUPING_NEVER,
	};
	struct search s;
	uint32_t depth;
	bool ended;

	if (pagus_sizeof(&cfg) == 0 &&
	    (!strcmp(policy, "pcpbuddy-bitmap") || !strcmp(policy, "superpageblock"))) {
		printf("%-20s not with %s, for which a pageblock has one zone\n", world->name,
		       policy);
		return true;
	}
	if (!start(&s, &cfg, max_states)) {
		printf("%s, %s: cannot be built\n", world->name, policy);
		return false;
	}
	depth = search_all(&s, nr_cpus, &ended);
	printf("%-20s %-9s %-11s %" PRIu32 " CPU%s %8" PRIu64 " states, depth %2" PRIu32
	       "%s%s%s\n", world->name, policy, grouping ? "" : "no grouping", nr_cpus,
	       nr_cpus == 1 ? " " : "s", s.nr_states, depth, ended ? ", all" : "",
	       s.why ? " FAILED: " : "", s.why ? s.why : "");
	if (s.why)
		print_path(&s.path);
	lab_close(&s.lab);
	free(s.seen);
	return !s.why;
}

int main(int argc, char **argv)
{
	uint64_t max_states = argc > 1 ? strtoull(argv[1], NULL, 0) :
					 lab_env("PAGUS_WORLD_STATES", 80000);
	uint32_t nr_failed = 0;
	const char *policy;

	if (max_states == 0 || max_states > UINT32_MAX) {
		fprintf(stderr, "world: the number of states must lie between 1 and 2^32 - 1\n");
		return 1;
	}
	for (size_t w = 0; w < NR_OF(worlds); w++)
		for (uint32_t n = 0; (policy = pagus_policy_at(n, NULL)); n++)
			for (uint32_t nr_cpus = 1; nr_cpus <= 2; nr_cpus++) {
				nr_failed += !run_world(&worlds[w], policy, true, nr_cpus,
							max_states);
				nr_failed += !run_world(&worlds[w], policy, false, nr_cpus,
							(max_states + 3) / 4);
			}
	printf("%" PRIu32 " worlds failed\n", nr_failed);
	return nr_failed != 0;
}
