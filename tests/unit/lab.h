/* SPDX-License-Identifier: MIT */
/*
 * One instance under port/sim with a log of its events, for every test. Nothing here asserts: the
 * callers decide what a failure means.
 */
#ifndef TEST_LAB_H
#define TEST_LAB_H

#include <pagus/explain.h>
#include <pagus/sim.h>

#include <stdlib.h>

#define LAB_LOG_EVENTS 32768

struct lab {
	struct pagus p;
	struct pagus_sim sim;
	void *mem;
	struct pagus_event *log;
	uint32_t nr_events; /* all that were raised, also those past the end of the log */
};

/*
 * No ceilings, so that all memory is Normal unless a range says otherwise; one CPU; x86-64's
 * orders; grouping by mobility however little memory there is.
 */
static inline struct pagus_config lab_config(const struct pagus_range *ranges, uint32_t nr_ranges,
					     const char *policy)
{
	return (struct pagus_config){
		.ranges = ranges, .nr_ranges = nr_ranges, .nr_cpus = 1, .max_order = 10,
		.pageblock_order = 9, .section_order = 10, .policy = policy,
		.grouping = PAGUS_GROUPING_ALWAYS,
	};
}

static inline void lab_log_event(void *ctx, const struct pagus_event *event)
{
	struct lab *lab = ctx;

	if (lab->nr_events < LAB_LOG_EVENTS)
		lab->log[lab->nr_events] = *event;
	lab->nr_events++;
}

/* Log the events of `mask` from now on. */
static inline void lab_listen(struct lab *lab, uint64_t mask)
{
	lab->nr_events = 0;
	pagus_listen(&lab->p, lab_log_event, lab, mask);
}

static inline void lab_close(struct lab *lab)
{
	if (lab->p.state)
		pagus_fini(&lab->p);
	free(lab->mem);
	free(lab->log);
	lab->mem = NULL;
	lab->log = NULL;
}

/* All memory reserved. On any status but OK there is nothing to close. */
static inline enum pagus_status lab_open(struct lab *lab, const struct pagus_config *cfg)
{
	size_t bytes = pagus_sizeof(cfg);
	enum pagus_status status;

	*lab = (struct lab){ 0 };
	if (bytes == 0)
		return PAGUS_BAD_CONFIG;
	pagus_sim_init(&lab->sim, cfg->nr_cpus);
	lab->mem = aligned_alloc(64, bytes);
	lab->log = malloc(LAB_LOG_EVENTS * sizeof(*lab->log));
	status = lab->mem && lab->log ? pagus_init(&lab->p, lab->mem, bytes, cfg, &pagus_sim_port,
						   &lab->sim) : PAGUS_TOO_SMALL;
	if (status != PAGUS_OK)
		lab_close(lab);
	return status;
}

/* All memory that is there handed over as free. */
static inline enum pagus_status lab_hand_over(struct lab *lab, const struct pagus_config *cfg)
{
	enum pagus_status status = PAGUS_OK;

	for (uint32_t r = 0; r < cfg->nr_ranges && status == PAGUS_OK; r++)
		if (!cfg->ranges[r].offline)
			status = pagus_boot_free(&lab->p, cfg->ranges[r].start_pfn,
						 cfg->ranges[r].nr_pages);
	return status == PAGUS_OK ? pagus_boot_done(&lab->p) : status;
}

/*
 * Marks of zero in every zone with fewer than 10000 pages: only a lack of blocks refuses a
 * request.
 */
static inline void lab_no_marks(struct lab *lab)
{
	pagus_tunable_set(&lab->p, PAGUS_TUNABLE_min_free_kbytes, 1);
	pagus_tunable_set(&lab->p, PAGUS_TUNABLE_watermark_scale_factor, 1);
}

/* Reproducible random numbers (splitmix64), below `limit`. */
static inline uint64_t lab_random(uint64_t *seed, uint64_t limit)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

/* A number from the environment, or `otherwise`. */
static inline uint64_t lab_env(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

#endif
