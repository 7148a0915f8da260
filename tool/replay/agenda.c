/* SPDX-License-Identifier: MIT */
#include "replay/agenda.h"

#include <string.h>

#include <pagus/compact.h>
#include <pagus/evacuate.h>

#include "replay/replay.h"

#define MAX_TURNS 4096 /* of workers before the next event; they go on after it */
#define MAX_LOOKS 128  /* of one kind between two events */
#define NS_PER_MS UINT64_C(1000000)

static const struct look {
	enum whatif_defrag from; /* which way to move pages has it, and those after */
	enum pagus_worker worker;
	bool (*tick)(struct pagus *p, uint32_t node); /* true: it has something to do */
	uint64_t every_ns;
} looks[AGENDA_NR_LOOKS] = {
	[AGENDA_KCOMPACTD] = { WHATIF_DEFRAG_SCAN, PAGUS_WORKER_KCOMPACTD, pagus_kcompactd_tick,
			       500 * NS_PER_MS },
	[AGENDA_EVACUATE] = { WHATIF_DEFRAG_EVACUATE, PAGUS_WORKER_EVACUATE, pagus_evacuate_tick,
			      1000 * NS_PER_MS },
};

static void wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	struct replay *r = machine_of(ctx)->owner;

	r->agenda.awake[worker] |= UINT64_C(1) << node;
}

static uint32_t *task_flags(void *ctx)
{
	return &((struct pagus_sim *)ctx)->task;
}

bool agenda_clock(struct trace *t, double *ns_per_unit, struct trace_error *err)
{
	const struct trace_meta *meta = trace_meta(t);
	const struct trace_event *batch;
	uint64_t first = UINT64_MAX, last = 0;
	int nr;

	*ns_per_unit = 1;
	if (strcmp(meta->clock, "x86-tsc") != 0 || meta->span_ns == 0)
		return true;
	while ((nr = trace_next(t, &batch, err)) > 0) {
		first = first == UINT64_MAX ? batch[0].ts : first;
		for (int n = 0; n < nr; n++)
			last = batch[n].ts > last ? batch[n].ts : last;
	}
	if (nr == 0 && last > first)
		*ns_per_unit = (double)meta->span_ns / (double)(last - first);
	return nr == 0 && trace_rewind(t, err);
}

static void find_due(struct replay *r)
{
	r->agenda.due_ns = huge_due(&r->huge);
	for (uint32_t n = 0; n < AGENDA_NR_LOOKS; n++)
		if (r->agenda.look_ns[n] < r->agenda.due_ns)
			r->agenda.due_ns = r->agenda.look_ns[n];
}

void agenda_install(struct replay *r)
{
	struct pagus_port *port = &r->machine->port;

	port->task_flags = task_flags;
	if (r->whatif.closed_loop || r->whatif.defrag != WHATIF_DEFRAG_NONE)
		port->wake = wake;
	for (uint32_t n = 0; n < AGENDA_NR_LOOKS; n++)
		r->agenda.look_ns[n] =
			r->whatif.defrag >= looks[n].from ? looks[n].every_ns : AGENDA_NEVER;
	pagus_tunable_set(&r->machine->pagus, PAGUS_TUNABLE_superpageblocks_ready, r->whatif.ready);
	huge_begin(&r->huge, &r->whatif.huge);
	find_due(r);
	r->agenda.timed = r->agenda.due_ns != AGENDA_NEVER;
}

/*
 * A worker looks around on all nodes. A gap in the recording brings no more looks than do something
 * new: the memory is as it was, and after 64 a look that was in vain is repeated.
 */
static void look(struct replay *r, const struct look *l, uint64_t *next_ns, uint64_t now_ns)
{
	const uint64_t gap = MAX_LOOKS * l->every_ns;

	for (uint32_t node = 0; node < trace_start(r->trace)->nr_nodes; node++)
		if (l->tick(&r->machine->pagus, node))
			wake(&r->machine->sim, l->worker, node);
	*next_ns += l->every_ns;
	if (now_ns > gap && *next_ns < now_ns - gap)
		*next_ns += (now_ns - gap - *next_ns) / l->every_ns * l->every_ns;
}

/* Those that are due; false: none is. */
static bool look_around(struct replay *r, uint64_t now_ns)
{
	uint64_t due = r->agenda.due_ns;
	bool any = false;

	for (uint32_t n = 0; n < AGENDA_NR_LOOKS; n++) {
		if (r->agenda.look_ns[n] != due)
			continue;
		look(r, &looks[n], &r->agenda.look_ns[n], now_ns);
		any = true;
	}
	return any;
}

const char *agenda_until(struct replay *r, uint64_t ts)
{
	uint64_t since = ts > r->recorded.first_ts ? ts - r->recorded.first_ts : 0, now_ns;
	const char *problem = NULL;

	if (!r->agenda.timed)
		return NULL;
	now_ns = (uint64_t)((double)since * r->agenda.ns_per_unit);
	while (!problem && r->agenda.due_ns <= now_ns) {
		if (!look_around(r, now_ns))
			problem = huge_act(r);
		agenda_work(r);
		find_due(r);
	}
	return problem;
}

/* One worker of those awake, for as many turns as are left. */
static void work_on(struct replay *r, enum pagus_worker worker, uint32_t node, uint32_t *turns)
{
	bool more = true;

	for (; more && *turns > 0; (*turns)--)
		more = pagus_work(&r->machine->pagus, worker, node);
	if (!more)
		r->agenda.awake[worker] &= ~(UINT64_C(1) << node);
}

void agenda_work(struct replay *r)
{
	uint32_t turns = MAX_TURNS, worker;

	for (worker = 0; worker < PAGUS_NR_WORKERS && turns > 0; worker++) {
		if (!r->agenda.awake[worker])
			continue;
		work_on(r, (enum pagus_worker)worker,
			(uint32_t)__builtin_ctzll(r->agenda.awake[worker]), &turns);
		/* It may have woken others: from the first one on. */
		worker = UINT32_MAX;
	}
}
