/* SPDX-License-Identifier: MIT */
/* Events that no recorder writes: of an unknown type, CPU, order or migratetype. */
#include "trace/reader.h"

#define MAX_ORDER       10
#define NR_MIGRATETYPES 6

#define HAS_ORDER 1u /* a block order, in `order` */
#define HAS_TYPE  2u /* a migratetype, in `mt` */
#define HAS_OTHER 4u /* a second block order, in x1 */

/* By type. Fields that others use for something else are not looked at. */
static const uint8_t fields[TRACE_NR_TYPES] = {
	[TRACE_ALLOC] = HAS_ORDER | HAS_TYPE,
	[TRACE_FREE] = HAS_ORDER,
	[TRACE_ZONE_LOCKED] = HAS_ORDER | HAS_TYPE,
	[TRACE_PCPU_DRAIN] = HAS_ORDER | HAS_TYPE,
	[TRACE_EXTFRAG] = HAS_ORDER | HAS_TYPE | HAS_OTHER,
	[TRACE_ISOLATE_FREE] = HAS_ORDER,
	[TRACE_PUTBACK] = HAS_ORDER,
	[TRACE_SET_BLOCK_TYPE] = HAS_TYPE,
	[TRACE_DIRECT_FREE] = HAS_ORDER | HAS_TYPE,
	[TRACE_POP] = HAS_ORDER | HAS_TYPE,
	[TRACE_REFILL] = HAS_ORDER | HAS_TYPE,
	[TRACE_PUSH] = HAS_ORDER | HAS_TYPE,
	[TRACE_CLAIM] = HAS_ORDER | HAS_TYPE | HAS_OTHER,
	[TRACE_WALK] = HAS_ORDER | HAS_TYPE,
};

bool trace_event_valid(const struct trace *t, const struct trace_event *ev, uint64_t number,
		       struct trace_error *err)
{
	char where[TRACE_WHERE_BYTES];
	const char *what = NULL;
	unsigned int value = 0, has = ev->type < TRACE_NR_TYPES ? fields[ev->type] : 0;

	if (ev->type >= TRACE_NR_TYPES) {
		what = "type";
		value = ev->type;
	} else if (ev->cpu >= t->snapshot[0]->nr_cpus) {
		what = "CPU";
		value = ev->cpu;
	} else if ((has & HAS_ORDER) && ev->order > MAX_ORDER) {
		what = "order";
		value = ev->order;
	} else if ((has & HAS_OTHER) && ev->x1 > MAX_ORDER) {
		what = "fallback order";
		value = ev->x1;
	} else if ((has & HAS_TYPE) && (uint8_t)ev->mt >= NR_MIGRATETYPES) {
		what = "migratetype";
		value = (uint8_t)ev->mt;
	}
	if (!what)
		return true;
	t->ops->where(t, number, where, sizeof(where));
	return trace_fail(err, "%s: event %llu (%s): no such %s: %u", where,
			  (unsigned long long)number, trace_event_name(ev->type), what, value);
}
