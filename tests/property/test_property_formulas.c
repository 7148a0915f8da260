/* SPDX-License-Identifier: MIT */
/*
 * The formulas for thousands of machines, against an oracle that is written from their definitions
 * with 128-bit products and without a line of the library: marks, reserves, min_free_kbytes, pcp
 * limits, totalreserve, statistics thresholds.
 *
 * Half of the machines hand their memory over; the others claim to manage up to 16 TiB, which
 * needs no page records. PAGUS_SEED chooses them, PAGUS_MACHINES says how many.
 */
#include "unit/unit.h"

#define MAX_NODES  4
#define NR_TYPES   PAGUS_NR_ZONE_TYPES
#define NODE_PAGES 4096 /* of a machine with memory */

__extension__ typedef unsigned __int128 wide;

struct machine {
	struct pagus_config cfg;
	struct pagus_range ranges[MAX_NODES * NR_TYPES];
	uint32_t cpu_node[64];
	bool exists[MAX_NODES][NR_TYPES];
	uint64_t managed[MAX_NODES][NR_TYPES];
	bool movable_is_low; /* 6.1 */
	uint32_t min_free_kbytes, scale_factor, fraction, ratio[NR_TYPES];
};

/* What the formulas give. */
struct answer {
	uint64_t wmark[PAGUS_NR_WMARKS], reserve[NR_TYPES], drift_mark;
	uint32_t batch, high_min, high_max, stat_threshold;
};

/* ---- the oracle ----------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a < b ? b : a;
}

/* Largest r with r * r <= x, by bisection. */
static uint64_t root(wide x)
{
	uint64_t lo = 0, hi = UINT64_C(1) << 40;

	while (hi - lo > 1) {
		uint64_t middle = lo + (hi - lo) / 2;

		if ((wide)middle * middle <= x)
			lo = middle;
		else
			hi = middle;
	}
	return lo;
}

static uint32_t bit_length(uint64_t x)
{
	uint32_t nr = 0;

	for (; x; x /= 2)
		nr++;
	return nr;
}

static bool is_low(const struct machine *m, uint32_t type)
{
	if (type == PAGUS_ZONE_HIGHMEM)
		return false;
	return type != PAGUS_ZONE_MOVABLE || m->movable_is_low;
}

static void oracle_marks(const struct machine *m, uint32_t node, uint32_t type, uint64_t kbytes,
			 uint64_t *wmark)
{
	uint64_t managed = m->managed[node][type], lowmem = 0, share, gap;

	for (uint32_t n = 0; n < MAX_NODES; n++)
		for (uint32_t t = 0; t < NR_TYPES; t++)
			lowmem += is_low(m, t) ? m->managed[n][t] : 0;
	share = lowmem ? (uint64_t)((wide)(kbytes / 4) * managed / lowmem) : 0;
	gap = most(share / 4, (uint64_t)((wide)managed * m->scale_factor / 10000));
	wmark[0] = is_low(m, type) ? share : most(32, least(128, managed / 1024));
	for (uint32_t w = 1; w < PAGUS_NR_WMARKS; w++)
		wmark[w] = wmark[0] + w * gap;
}

/* Pages above the high marks that `kbytes` gives, in zones up to Normal; with 0, no marks. */
static uint64_t oracle_buffer_pages(const struct machine *m, uint64_t kbytes, uint64_t *nr_zones)
{
	uint64_t sum = 0;

	*nr_zones = 0;
	for (uint32_t n = 0; n < MAX_NODES; n++) {
		for (uint32_t t = 0; t <= PAGUS_ZONE_NORMAL; t++) {
			uint64_t wmark[PAGUS_NR_WMARKS] = { 0 };

			*nr_zones += m->exists[n][t];
			if (kbytes)
				oracle_marks(m, n, t, kbytes, wmark);
			if (m->managed[n][t] > wmark[PAGUS_WMARK_HIGH])
				sum += m->managed[n][t] - wmark[PAGUS_WMARK_HIGH];
		}
	}
	return sum;
}

/* As chosen at boot: the square root rule, then what khugepaged recommends. */
static uint64_t oracle_min_free_kbytes(const struct machine *m)
{
	uint64_t nr_zones, kbytes;

	kbytes = root((wide)16 * 4 * oracle_buffer_pages(m, 0, &nr_zones));
	kbytes = least(most(kbytes, 128), 262144);
	if (m->cfg.thp) {
		uint64_t pages = (UINT64_C(1) << m->cfg.pageblock_order) * nr_zones * (2 + 3 * 3);

		pages = least(pages, oracle_buffer_pages(m, kbytes, &nr_zones) * 5 / 100);
		kbytes = most(kbytes, pages * 4);
	}
	return kbytes;
}

static uint64_t oracle_reserve(const struct machine *m, uint32_t node, uint32_t i, uint32_t j)
{
	uint64_t above = 0;

	for (uint32_t t = i + 1; t <= j; t++)
		above += m->managed[node][t];
	return m->ratio[i] && m->managed[node][i] ? above / m->ratio[i] : 0;
}

/* One less than the power of two at or below 3/2 of managed / 4096; that is at most 64. */
static uint32_t oracle_batch(uint64_t managed)
{
	uint64_t quarter = least(managed / 1024, 1048576 / 4096) / 4, power = 1;

	quarter = most(quarter, 1);
	while (power * 2 <= quarter + quarter / 2)
		power *= 2;
	return power > 1 ? (uint32_t)power - 1 : 1;
}

static uint32_t oracle_high(const struct machine *m, uint32_t node, uint64_t pages)
{
	uint32_t own = 0;

	for (uint32_t c = 0; c < m->cfg.nr_cpus; c++)
		own += m->cpu_node[c] == node;
	return (uint32_t)(pages / (own ? own : m->cfg.nr_cpus));
}

static void oracle_pcp(const struct machine *m, uint32_t node, uint32_t type, struct answer *a)
{
	uint64_t managed = m->managed[node][type];
	uint64_t low = a->wmark[PAGUS_WMARK_LOW], high = managed / 8;

	if (m->fraction)
		low = high = managed / m->fraction;
	a->batch = oracle_batch(managed);
	a->high_min = (uint32_t)most(oracle_high(m, node, low), 4 * a->batch);
	a->high_max = (uint32_t)most(oracle_high(m, node, high), 4 * a->batch);
}

static struct answer oracle(const struct machine *m, uint32_t node, uint32_t type)
{
	uint64_t hidden, in_128_mib = m->managed[node][type] * 4 / (128 * 1024);
	struct answer a = { .batch = 0 };

	oracle_marks(m, node, type, m->min_free_kbytes, a.wmark);
	for (uint32_t j = type + 1; j < NR_TYPES; j++)
		a.reserve[j] = oracle_reserve(m, node, type, j);
	oracle_pcp(m, node, type, &a);
	a.stat_threshold = (uint32_t)least(125, 2 * bit_length(m->cfg.nr_cpus) *
						(1 + (uint64_t)bit_length(in_128_mib)));
	hidden = (uint64_t)m->cfg.nr_cpus * a.stat_threshold;
	if (hidden > a.wmark[PAGUS_WMARK_LOW] - a.wmark[PAGUS_WMARK_MIN])
		a.drift_mark = a.wmark[PAGUS_WMARK_HIGH] + hidden;
	return a;
}

static uint64_t oracle_totalreserve(const struct machine *m)
{
	uint64_t sum = 0;

	for (uint32_t n = 0; n < MAX_NODES; n++) {
		for (uint32_t t = 0; t < NR_TYPES; t++) {
			struct answer a = oracle(m, n, t);
			uint64_t reserve = 0;

			for (uint32_t j = 0; j < NR_TYPES; j++)
				reserve = most(reserve, a.reserve[j]);
			if (m->exists[n][t])
				sum += least(reserve + a.wmark[PAGUS_WMARK_HIGH], m->managed[n][t]);
		}
	}
	return sum;
}

/* ---- random machines ------------------------------------------------------------------------ */

/* Any size from none to 2^32 - 1 pages, small ones as often as large ones. */
static uint64_t random_managed(uint64_t *seed)
{
	uint64_t bits = lab_random(seed, 33);

	return bits ? (UINT64_C(1) << (bits - 1)) + lab_random(seed, UINT64_C(1) << (bits - 1)) : 0;
}

static void add_range(struct machine *m, uint64_t start, uint64_t nr_pages, uint32_t node,
		      uint32_t zone)
{
	m->ranges[m->cfg.nr_ranges++] = (struct pagus_range){ start, nr_pages, node, zone };
}

/* A range a zone: some types on every node, at least one low zone on the first. */
static void ranges_by_zone(struct machine *m, uint32_t nr_nodes, uint64_t *seed)
{
	uint32_t always = (uint32_t)lab_random(seed, PAGUS_ZONE_HIGHMEM);

	for (uint32_t n = 0; n < nr_nodes; n++) {
		for (uint32_t t = 0; t < NR_TYPES; t++) {
			uint64_t start = (n * NR_TYPES + t) * (NODE_PAGES / 4);
			uint64_t hole = lab_random(seed, 100);

			if (lab_random(seed, 2) && !(n == 0 && t == always))
				continue;
			add_range(m, start + hole, 1 + lab_random(seed, NODE_PAGES / 4 - hole), n,
				  t);
			m->exists[n][t] = true;
		}
	}
}

static uint32_t type_by_ceiling(const struct machine *m, uint64_t pfn)
{
	if (pfn < m->cfg.dma_ceiling)
		return PAGUS_ZONE_DMA;
	if (pfn < m->cfg.dma32_ceiling)
		return PAGUS_ZONE_DMA32;
	return m->cfg.normal_ceiling && pfn >= m->cfg.normal_ceiling ? PAGUS_ZONE_HIGHMEM :
								       PAGUS_ZONE_NORMAL;
}

/* Two ranges a node with a hole between, cut at ceilings anywhere. */
static void ranges_by_ceiling(struct machine *m, uint32_t nr_nodes, uint64_t *seed)
{
	const uint64_t end = nr_nodes * (uint64_t)NODE_PAGES;

	m->cfg.dma_ceiling = lab_random(seed, 2) * lab_random(seed, end / 4);
	m->cfg.dma32_ceiling = m->cfg.dma_ceiling + lab_random(seed, end / 4);
	if (lab_random(seed, 3) == 0)
		m->cfg.normal_ceiling = m->cfg.dma32_ceiling + 1 + lab_random(seed, end / 2);
	for (uint32_t n = 0; n < nr_nodes; n++) {
		uint64_t start = n * (uint64_t)NODE_PAGES;

		add_range(m, start, 1 + lab_random(seed, NODE_PAGES / 2), n, PAGUS_ZONE_BY_CEILING);
		add_range(m, start + NODE_PAGES / 2 + 1, 1 + lab_random(seed, NODE_PAGES / 4), n,
			  PAGUS_ZONE_BY_CEILING);
	}
	for (uint32_t r = 0; r < m->cfg.nr_ranges; r++) {
		const struct pagus_range *range = &m->ranges[r];

		for (uint64_t k = 0; k < range->nr_pages; k++)
			m->exists[range->node][type_by_ceiling(m, range->start_pfn + k)] = true;
	}
}

static void random_machine(struct machine *m, uint64_t *seed)
{
	uint32_t nr_nodes = 1 + (uint32_t)lab_random(seed, MAX_NODES);
	bool old = lab_random(seed, 4) == 0;

	*m = (struct machine){ .movable_is_low = old };
	m->cfg = lab_config(m->ranges, 0, old ? "linux-6.1" : "linux");
	m->cfg.nr_cpus = 1 + (uint32_t)lab_random(seed, NR_OF(m->cpu_node));
	m->cfg.cpu_node = m->cpu_node;
	m->cfg.pageblock_order = 1 + (uint32_t)lab_random(seed, 10);
	m->cfg.thp = lab_random(seed, 2);
	for (uint32_t c = 0; c < m->cfg.nr_cpus; c++)
		m->cpu_node[c] = (uint32_t)lab_random(seed, nr_nodes);
	if (lab_random(seed, 2))
		ranges_by_zone(m, nr_nodes, seed);
	else
		ranges_by_ceiling(m, nr_nodes, seed);
}

/* Hand over a part of each range, or claim any number of managed pages. */
static void fill(struct machine *m, struct lab *lab, uint64_t *seed)
{
	bool claims = lab_random(seed, 2);

	for (uint32_t r = 0; r < m->cfg.nr_ranges && !claims; r++) {
		const struct pagus_range *range = &m->ranges[r];
		uint64_t skip = lab_random(seed, range->nr_pages);
		uint64_t nr = 1 + lab_random(seed, range->nr_pages - skip);

		assert_int_equal(pagus_boot_free(&lab->p, range->start_pfn + skip, nr), PAGUS_OK);
		for (uint64_t pfn = range->start_pfn + skip; nr--; pfn++)
			m->managed[range->node][range->zone < NR_TYPES ?
							range->zone : type_by_ceiling(m, pfn)]++;
	}
	for (uint32_t zone = 0; zone < pagus_nr_zones(&lab->p) && claims; zone++) {
		struct pagus_zone_info info = unit_zone(lab, zone);
		struct pagus_zone_seed claim = { .present = UINT64_C(1) << 32, .pcp_batch = 1 };

		claim.managed = m->managed[info.node][info.type] = random_managed(seed);
		assert_int_equal(pagus_seed_zone(&lab->p, info.node, info.type, &claim), PAGUS_OK);
	}
}

/* ---- tunables ------------------------------------------------------------------------------- */

static void set(struct lab *lab, enum pagus_tunable tunable, uint32_t *ours, uint32_t value)
{
	*ours = value;
	assert_int_equal(pagus_tunable_set(&lab->p, tunable, value), PAGUS_OK);
}

/* Anything between the least and `to`, or more often something small. */
static uint32_t random_value(uint64_t *seed, uint64_t from, uint64_t to)
{
	uint64_t span = to - from + 1;

	return (uint32_t)(from + lab_random(seed, lab_random(seed, 2) ? span : least(span, 300)));
}

static void tune(struct machine *m, struct lab *lab, uint64_t *seed)
{
	uint32_t zone = (uint32_t)lab_random(seed, NR_TYPES);

	switch (lab_random(seed, 4)) {
	case 0:
		set(lab, PAGUS_TUNABLE_watermark_scale_factor, &m->scale_factor,
		    random_value(seed, 1, 3000));
		break;
	case 1:
		set(lab, PAGUS_TUNABLE_percpu_pagelist_high_fraction, &m->fraction,
		    lab_random(seed, 3) ? random_value(seed, 8, 100000) : 0);
		break;
	case 2:
		set(lab, (enum pagus_tunable)(PAGUS_TUNABLE_lowmem_reserve_ratio_dma + zone),
		    &m->ratio[zone], lab_random(seed, 3) ? random_value(seed, 1, 100000) : 0);
		break;
	default:
		set(lab, PAGUS_TUNABLE_min_free_kbytes, &m->min_free_kbytes,
		    random_value(seed, 1, UINT32_MAX));
		break;
	}
}

static void read_defaults(struct machine *m, const struct lab *lab)
{
	m->scale_factor = pagus_tunable_get(&lab->p, PAGUS_TUNABLE_watermark_scale_factor);
	for (uint32_t t = 0; t < NR_TYPES; t++)
		m->ratio[t] = pagus_tunable_get(&lab->p, (enum pagus_tunable)
						(PAGUS_TUNABLE_lowmem_reserve_ratio_dma + t));
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void expect_zone(const struct machine *m, const struct lab *lab, uint32_t zone)
{
	struct pagus_zone_info info = unit_zone(lab, zone);
	struct answer want = oracle(m, info.node, info.type);

	assert_true(m->exists[info.node][info.type]);
	assert_int_equal(info.managed, m->managed[info.node][info.type]);
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		assert_int_equal(info.wmark[w], want.wmark[w]);
	for (uint32_t t = 0; t < NR_TYPES; t++)
		assert_int_equal(info.lowmem_reserve[t], want.reserve[t]);
	assert_int_equal(info.pcp_batch, want.batch);
	assert_int_equal(info.pcp_high_min, want.high_min);
	assert_int_equal(info.pcp_high_max, want.high_max);
	assert_int_equal(info.stat_threshold, want.stat_threshold);
	assert_int_equal(info.drift_mark, want.drift_mark);
	for (uint32_t cpu = 0; cpu < m->cfg.nr_cpus; cpu++) {
		struct pagus_pcp_info pcp = unit_pcp(lab, zone, cpu);

		assert_int_equal(pcp.batch, want.batch);
		assert_int_equal(pcp.high_min, want.high_min);
		assert_int_equal(pcp.high_max, want.high_max);
	}
}

static void expect_machine(const struct machine *m, const struct lab *lab)
{
	uint32_t nr_zones = 0;

	for (uint32_t n = 0; n < MAX_NODES; n++)
		for (uint32_t t = 0; t < NR_TYPES; t++)
			nr_zones += m->exists[n][t];
	assert_int_equal(pagus_nr_zones(&lab->p), nr_zones);
	assert_int_equal(pagus_tunable_get(&lab->p, PAGUS_TUNABLE_min_free_kbytes),
			 m->min_free_kbytes);
	for (uint32_t zone = 0; zone < nr_zones; zone++)
		expect_zone(m, lab, zone);
	assert_int_equal(pagus_totalreserve_pages(&lab->p), oracle_totalreserve(m));
}

static void check_machine(uint64_t seed)
{
	struct machine m;
	struct lab lab;

	random_machine(&m, &seed);
	unit_open(&lab, &m.cfg);
	read_defaults(&m, &lab);
	fill(&m, &lab, &seed);
	for (uint64_t n = lab_random(&seed, 3); n-- > 0;)
		tune(&m, &lab, &seed);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	if (m.min_free_kbytes == 0)
		m.min_free_kbytes = (uint32_t)oracle_min_free_kbytes(&m);
	expect_machine(&m, &lab);
	for (uint32_t n = 0; n < 4; n++) {
		tune(&m, &lab, &seed);
		expect_machine(&m, &lab);
	}
	lab_close(&lab);
}

static void the_formulas_hold_on_any_machine(void **state)
{
	uint64_t seed = unit_seed(), nr = lab_env("PAGUS_MACHINES", 5000);

	(void)state;
	for (uint64_t n = 0; n < nr; n++)
		check_machine(seed + n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_formulas_hold_on_any_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
