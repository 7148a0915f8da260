/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/lead.h"

#define STEPS_VERSION 3     /* snapshots of releases whose recordings tell of every step */
#define LOOK_AHEAD    65536 /* events at the most, to find what a claim came to */
#define NR_CPUS_ROOM  256

const char *verify_key(enum verify_kind kind)
{
	static const char *const keys[] = {
#define VERIFY_X(NAME, key, text) #key,
		VERIFY_KINDS(VERIFY_X)
#undef VERIFY_X
	};

	return keys[kind];
}

const char *verify_text(enum verify_kind kind)
{
	static const char *const texts[] = {
#define VERIFY_X(NAME, key, text) text,
		VERIFY_KINDS(VERIFY_X)
#undef VERIFY_X
	};

	return texts[kind];
}

const char *verify_rule_key(enum verify_rule rule)
{
	static const char *const keys[] = {
#define VERIFY_X(NAME, key, text) #key,
		VERIFY_RULES(VERIFY_X)
#undef VERIFY_X
	};

	return keys[rule];
}

const char *verify_rule_text(enum verify_rule rule)
{
	static const char *const texts[] = {
#define VERIFY_X(NAME, key, text) text,
		VERIFY_RULES(VERIFY_X)
#undef VERIFY_X
	};

	return texts[rule];
}

/* ---- what the recording decides ------------------------------------------------------------- */

/* Events that one step under the zone lock leaves. */
static bool within_step(uint8_t type)
{
	return type == TRACE_ZONE_LOCKED || type == TRACE_PCPU_DRAIN || type == TRACE_EXTFRAG ||
	       type == TRACE_SET_BLOCK_TYPE || type == TRACE_MOVE_FREE || type == TRACE_CAPTURE ||
	       type == TRACE_CLAIM;
}

/*
 * The next event of the step that goes on on this CPU, from *ahead on; NULL when the step is over.
 */
static const struct trace_event *step_event(struct lead *l, size_t *ahead)
{
	uint8_t cpu = window_now(&l->window)->cpu;

	for (; *ahead < LOOK_AHEAD; ++*ahead) {
		const struct trace_event *ev = window_ahead(&l->window, *ahead);

		if (!ev)
			return NULL;
		/* The first may be what has begun the step, of any type. */
		if (ev->cpu == cpu && (within_step(ev->type) || *ahead == 0))
			return ev;
		if (ev->cpu == cpu)
			return NULL;
	}
	return NULL;
}

/*
 * A candidate below the pageblock order: its claim succeeded if the pageblock's free pages move
 * next.
 */
static int recorded_claim(void *ctx, uint64_t pfn, uint32_t type)
{
	struct lead *l = machine_of(ctx)->owner;
	const struct trace_event *ev;

	(void)pfn;
	(void)type;
	for (size_t n = l->claim_cursor; (ev = step_event(l, &n)); n++) {
		size_t after = n + 1;

		if (ev->type != TRACE_CLAIM || ev->x1 >= l->start->pageblock_order)
			continue;
		l->claim_cursor = after;
		ev = step_event(l, &after);
		if (!ev || ev->type != TRACE_MOVE_FREE)
			return 0;
		l->cpus[ev->cpu].moves_done++;
		return 1;
	}
	return -1;
}

/*
 * Does the step that goes on capture this block? Most capture nothing, and ask for each block that
 * they free: then all that is left of the step is known to tell of none.
 */
static bool step_captures(struct lead *l, uint64_t pfn, uint32_t order)
{
	struct lead_cpu *cpu = &l->cpus[window_now(&l->window)->cpu];
	const struct trace_event *ev;
	bool any = false;
	size_t n = 0;

	if (l->window.number < cpu->no_capture_before)
		return false;
	for (; (ev = step_event(l, &n)); n++) {
		any = any || ev->type == TRACE_CAPTURE;
		if (ev->type == TRACE_CAPTURE && ev->pfn == pfn && ev->order == order)
			return true;
	}
	if (!any)
		cpu->no_capture_before = l->window.number + n;
	return false;
}

static bool recorded_capture(void *ctx, uint64_t pfn, uint32_t order)
{
	struct lead *l = machine_of(ctx)->owner;
	bool captured = l->capture.set && l->capture.pfn == pfn && l->capture.order == order;

	if (!l->capture.set)
		captured = step_captures(l, pfn, order);
	if (captured)
		lead_grant(&l->cpus[window_now(&l->window)->cpu], pfn);
	return captured;
}

/* ---- the run --------------------------------------------------------------------------------- */

static void note_answer(void *ctx, const struct pagus_event *event)
{
	struct lead *l = ctx;
	struct lead_cpu *cpu = &l->cpus[l->cpu];

	if (l->given)
		return;
	if (event->id == PAGUS_EVENT_RETYPE && event->migratetype != PAGUS_HIGHATOMIC) {
		/* Of a claim, which is announced as a fallback. */
		cpu->retypes_done++;
		return;
	}
	if (cpu->first + cpu->nr == cpu->room) {
		uint32_t room = cpu->room ? 2 * cpu->room : 256;
		struct lead_answer *grown = realloc(cpu->queue, room * sizeof(*grown));

		/* Answers that are not kept are misses when their events come. */
		if (!grown)
			return;
		cpu->queue = grown;
		cpu->room = room;
	}
	cpu->queue[cpu->first + cpu->nr++] = (struct lead_answer){
		.pfn = event->pfn, .event = event->id, .order = event->order,
		.type = event->migratetype, .a = event->a, .b = event->b,
	};
}

/* Marks with their boost, and where pcp limits are fixed, these, exactly as recorded. */
static void set_recorded(struct lead *l, uint32_t id, const struct snap_zone *zone)
{
	struct pagus *p = &l->machine->pagus;

	pagus_step_marks(p, id, zone->wmark, zone->boost);
	for (uint32_t c = 0; l->start->version < STEPS_VERSION && c < l->start->nr_cpus; c++)
		pagus_step_limits(p, id, c, zone->pcps[c].high, zone->pcps[c].high,
				  zone->pcps[c].batch);
}

static void set_all_recorded(struct lead *l)
{
	for (uint32_t id = 0; id < pagus_nr_zones(&l->machine->pagus); id++) {
		struct pagus_zone_info info;

		pagus_zone_info(&l->machine->pagus, id, &info);
		for (uint32_t z = 0; z < l->start->nr_zones; z++)
			if (l->start->zones[z].node == info.node &&
			    l->start->zones[z].type == (uint32_t)info.type)
				set_recorded(l, id, &l->start->zones[z]);
	}
}

/* The rows: a release's name, the policy that stands for it, and whether that tunes its pcps. */
static const struct {
	const char *release, *policy;
	bool tunes;
} releases[] = {
	{ "6.1", "linux-6.1", false },
	{ "6.12", "linux-6.12", true },
	{ "6.18", "linux-6.18", true },
	{ "7.2", "linux", true },
};

bool verify_policy_tunes(const char *policy)
{
	for (size_t n = 0; n < sizeof(releases) / sizeof(releases[0]); n++)
		if (strcmp(releases[n].policy, policy) == 0)
			return releases[n].tunes;
	return true;
}

/* "6.1" and "6.1.192" are of row 6.1, "6.12" is not. */
static bool is_of_release(const char *release, const char *row)
{
	size_t len = strlen(row);

	return strncmp(release, row, len) == 0 && (release[len] == '\0' || release[len] == '.');
}

const char *verify_release_policy(const char *release)
{
	for (size_t n = 0; n < sizeof(releases) / sizeof(releases[0]); n++)
		if (is_of_release(release, releases[n].release))
			return releases[n].policy;
	return NULL;
}

void verify_known_releases(char *text, size_t room)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t n = 0; n < sizeof(releases) / sizeof(releases[0]) && at < room; n++)
		at += (size_t)snprintf(text + at, room - at, "%s%s", n ? ", " : "",
				       releases[n].release);
}

const char *verify_policy_of(const struct trace *t, struct trace_error *err)
{
	const struct trace_meta *meta = trace_meta(t);
	const char *policy = verify_release_policy(meta->release);
	char known[64];

	/* Not stated: the format of its snapshots tells. */
	if (meta->release[0] == '\0')
		policy = verify_release_policy(trace_start(t)->version < STEPS_VERSION ? "6.1" :
											 "7.2");
	if (!policy) {
		verify_known_releases(known, sizeof(known));
		snprintf(err->text, sizeof(err->text),
			 "%s: offset %llu: release %s is not known; known are %s",
			 meta->release_file, (unsigned long long)meta->release_offset,
			 meta->release, known);
	}
	return policy;
}

static void lead_listen(struct lead *l)
{
	uint32_t wanted = 1u << PAGUS_EVENT_ZONE_LOCKED | 1u << PAGUS_EVENT_EXTFRAG |
			  1u << PAGUS_EVENT_PCPU_DRAIN;

	/* Changes of type have no stock event. */
	pagus_listen(&l->machine->pagus, note_answer, l,
		     l->standard ? wanted : wanted | 1u << PAGUS_EVENT_RETYPE);
	if (l->start->version >= STEPS_VERSION && !l->standard) {
		l->machine->port.may_claim = recorded_claim;
		l->machine->port.capture = recorded_capture;
	}
}

static bool lead_begin(struct lead *l, struct verify *v, struct trace *t,
		       const struct verify_how *how, struct trace_error *err)
{
	uint32_t order;
	bool begun;

	*l = (struct lead){ .v = v, .start = trace_start(t), .isolated_ahead = PAGUS_NO_PFN };
	v->standard = how->standard;
	v->policy = how->policy ? how->policy : verify_policy_of(t, err);
	if (!v->policy)
		return false;
	l->event = l->start->version < STEPS_VERSION ? stock_event : steps_event;
	window_init(&l->window, t);
	l->machine = machine_build(trace_meta(t), l->start, v->policy, l->start->nr_cpus, err);
	if (!l->machine)
		return false;
	order = l->start->pageblock_order;
	l->nr_blocks = (l->machine->end_pfn >> order) + 1;
	l->cpus = calloc(NR_CPUS_ROOM, sizeof(*l->cpus));
	l->tasks = calloc(LEAD_TASKS, sizeof(*l->tasks));
	l->under_isolation = calloc(l->nr_blocks, 1);
	begun = l->cpus && l->tasks && l->under_isolation &&
		(!how->standard || standard_begin(l, t));
	for (uint32_t c = 0; l->cpus && c < NR_CPUS_ROOM; c++)
		l->cpus[c].giving.pfn = PAGUS_NO_PFN;
	if (!begun) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", trace_meta(t)->path);
		return false;
	}
	l->machine->owner = l;
	lead_listen(l);
	set_all_recorded(l);
	return true;
}

static void lead_end(struct lead *l)
{
	standard_end(l);
	window_fini(&l->window);
	machine_free(l->machine);
	for (uint32_t c = 0; l->cpus && c < NR_CPUS_ROOM; c++) {
		free(l->cpus[c].queue);
		free(l->cpus[c].later.slots);
	}
	free(l->cpus);
	free(l->tasks);
	free(l->under_isolation);
}

bool lead_on(struct lead *l, const struct trace_event *ev, struct trace *t, struct trace_error *err)
{
	if (ev->cpu >= l->start->nr_cpus) {
		snprintf(err->text, sizeof(err->text), "%s: event %llu: CPU %u of %u",
			 trace_meta(t)->path, (unsigned long long)l->number, ev->cpu,
			 l->start->nr_cpus);
		return false;
	}
	l->cpu = ev->cpu;
	pagus_sim_on(&l->machine->sim, ev->cpu, ev->ts);
	return true;
}

/* All events, or those in front of the stop. */
static bool run_events(struct lead *l, struct trace *t, const struct verify_stop *stop,
		       struct trace_error *err)
{
	int more;

	while ((more = window_next(&l->window, err)) > 0) {
		/* A copy: looking ahead may move what the window holds. */
		const struct trace_event ev = *window_now(&l->window);

		l->number = l->window.number;
		if (stop && l->number == stop->before) {
			stop->fn(stop->ctx, l->machine);
			return true;
		}
		if (!lead_on(l, &ev, t, err))
			return false;
		l->event(l, &ev);
		l->v->events++;
	}
	return more == 0;
}

static bool verify_end_of(struct lead *l, struct trace *t, struct trace_error *err)
{
	pagus_pfn_t where;

	l->v->broken_invariant = pagus_check(&l->machine->pagus, &where);
	return verify_end_state(l->v, l->machine, t, err);
}

static bool run(struct verify *v, struct trace *t, const struct verify_how *how,
		const struct verify_stop *stop, struct trace_error *err)
{
	struct lead *l = malloc(sizeof(*l));
	bool ok;

	*v = (struct verify){ 0 };
	if (!l) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", trace_meta(t)->path);
		return false;
	}
	ok = lead_begin(l, v, t, how, err);
	if (ok)
		ok = l->standard ? standard_run(l, t, err) : run_events(l, t, stop, err);
	if (ok && !stop)
		ok = verify_end_of(l, t, err);
	lead_end(l);
	free(l);
	return ok;
}

bool verify_run(struct verify *v, struct trace *t, const struct verify_how *how,
		struct trace_error *err)
{
	return run(v, t, how, NULL, err);
}

bool verify_until(struct verify *v, struct trace *t, const struct verify_stop *stop,
		  struct trace_error *err)
{
	return run(v, t, &(struct verify_how){ .standard = false }, stop, err);
}
