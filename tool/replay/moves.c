/* SPDX-License-Identifier: MIT */
#include "replay/moves.h"

#include <stdlib.h>

#include <pagus/pagus.h>

static struct moves_task *find_task(struct moves *m, int32_t pid)
{
	for (uint32_t n = 0; n < MOVES_TASKS; n++)
		if (m->tasks[n].nr > 0 && m->tasks[n].pid == pid)
			return &m->tasks[n];
	return NULL;
}

/* The task's pool, or the one least recently used emptied for it. */
static struct moves_task *claim_task(struct moves *m, int32_t pid)
{
	struct moves_task *task = find_task(m, pid);

	if (task)
		return task;
	task = &m->tasks[0];
	for (uint32_t n = 1; n < MOVES_TASKS; n++)
		if (m->tasks[n].last_use < task->last_use)
			task = &m->tasks[n];
	task->pid = pid;
	task->nr = 0;
	return task;
}

static bool push(struct moves_task *task, uint64_t pfn, uint32_t order)
{
	if (task->nr == task->room) {
		uint32_t room = task->room ? task->room * 2 : 64;
		struct moves_target *grown = realloc(task->targets, room * sizeof(*grown));

		if (!grown)
			return false;
		task->targets = grown;
		task->room = room;
	}
	task->targets[task->nr++] = (struct moves_target){ .pfn = pfn, .order = order };
	return true;
}

bool moves_take(struct moves *m, struct shadow *s, int32_t pid, uint64_t pfn, uint32_t order)
{
	struct moves_task *task = claim_task(m, pid);

	task->last_use = ++m->clock;
	for (uint64_t p = pfn; p < pfn + (UINT64_C(1) << order); p++)
		shadow_set(s, p, (struct shadow_entry){ .ours = SHADOW_TARGET });
	return push(task, pfn, order);
}

/* True while no page of the target has been given back or used. */
static bool still_target(const struct shadow *s, const struct moves_target *target)
{
	for (uint64_t p = target->pfn; p < target->pfn + (UINT64_C(1) << target->order); p++)
		if (shadow_get(s, p).ours != SHADOW_TARGET)
			return false;
	return true;
}

/* The newest target of at least `order`, cut to it; the rest stays in the pool. Spent ones go. */
static bool pop(struct moves_task *task, const struct shadow *s, uint32_t order, uint64_t *pfn)
{
	for (uint32_t n = task->nr; n-- > 0;) {
		struct moves_target target = task->targets[n];

		if (target.order < order)
			continue;
		task->targets[n] = task->targets[--task->nr];
		if (!still_target(s, &target)) {
			/* Given back in part: what remains of it is found page by page. */
			for (uint64_t p = target.pfn;
			     target.order > 0 && p < target.pfn + (UINT64_C(1) << target.order);
			     p++)
				if (shadow_get(s, p).ours == SHADOW_TARGET && !push(task, p, 0))
					return false;
			if (target.order > 0)
				n = task->nr;
			continue;
		}
		*pfn = target.pfn;
		while (target.order > order) {
			target.order--;
			if (!push(task, target.pfn + (UINT64_C(1) << target.order), target.order))
				return false;
		}
		return true;
	}
	return false;
}

bool moves_source(struct moves *m, struct shadow *s, int32_t pid, uint64_t pfn, uint32_t order)
{
	struct moves_task *task = find_task(m, pid);
	struct shadow_entry first = shadow_get(s, pfn);
	uint64_t target;

	if (!task || first.ours == SHADOW_NONE || first.ours == SHADOW_TARGET ||
	    first.type != PAGUS_MOVABLE || !pop(task, s, order, &target))
		return false;
	task->last_use = ++m->clock;
	for (uint64_t n = 0; n < UINT64_C(1) << order; n++) {
		shadow_set(s, target + n, shadow_get(s, pfn + n));
		shadow_clear(s, pfn + n);
	}
	return true;
}

void moves_fini(struct moves *m)
{
	for (uint32_t n = 0; n < MOVES_TASKS; n++)
		free(m->tasks[n].targets);
	*m = (struct moves){ 0 };
}
