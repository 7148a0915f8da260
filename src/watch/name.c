/* SPDX-License-Identifier: MIT */
/* Names and texts of everything that the tables declare. */
#include <pagus/explain.h>
#include <pagus/hotplug.h>

#define NAME_OF(table, n) ((size_t)(n) < sizeof(table) / sizeof((table)[0]) ? (table)[n] : "?")

const char *pagus_status_text(enum pagus_status status)
{
	static const char *const texts[] = {
#define PAGUS_X(NAME, text) text,
		PAGUS_STATUSES(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(texts, status);
}

const char *pagus_event_name(enum pagus_event_id id)
{
	static const char *const names[] = {
#define PAGUS_EVENT(NAME, name, a, b, text) #name,
#include <pagus/events.def>
#undef PAGUS_EVENT
	};

	return NAME_OF(names, id);
}

const char *pagus_counter_name(enum pagus_counter counter)
{
	static const char *const names[] = {
#define PAGUS_COUNTER(name, text) #name,
#include <pagus/counters.def>
#undef PAGUS_COUNTER
	};

	return NAME_OF(names, counter);
}

const char *pagus_counter_text(enum pagus_counter counter)
{
	static const char *const texts[] = {
#define PAGUS_COUNTER(name, text) text,
#include <pagus/counters.def>
#undef PAGUS_COUNTER
	};

	return NAME_OF(texts, counter);
}

const char *pagus_tunable_name(enum pagus_tunable tunable)
{
	static const char *const names[] = {
#define PAGUS_TUNABLE(name, def, min, max, text) #name,
#include <pagus/tunables.def>
#undef PAGUS_TUNABLE
	};

	return NAME_OF(names, tunable);
}

const char *pagus_lock_reason_name(enum pagus_lock_reason reason)
{
	static const char *const names[] = {
#define PAGUS_X(NAME, name) #name,
		PAGUS_LOCK_REASONS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(names, reason);
}

const char *pagus_memory_event_name(enum pagus_memory_event event)
{
	static const char *const names[] = {
#define PAGUS_X(NAME, name) #name,
		PAGUS_MEMORY_EVENTS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(names, event);
}

const char *pagus_refusal_name(enum pagus_refusal refusal)
{
	static const char *const names[] = {
#define PAGUS_X(NAME, name, text) #name,
		PAGUS_REFUSALS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(names, refusal);
}

const char *pagus_refusal_text(enum pagus_refusal refusal)
{
	static const char *const texts[] = {
#define PAGUS_X(NAME, name, text) text,
		PAGUS_REFUSALS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(texts, refusal);
}

const char *pagus_verdict_name(enum pagus_verdict verdict)
{
	static const char *const names[] = {
#define PAGUS_X(NAME, name, text) #name,
		PAGUS_VERDICTS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(names, verdict);
}

const char *pagus_verdict_text(enum pagus_verdict verdict)
{
	static const char *const texts[] = {
#define PAGUS_X(NAME, name, text) text,
		PAGUS_VERDICTS(PAGUS_X)
#undef PAGUS_X
	};

	return NAME_OF(texts, verdict);
}

const char *pagus_zone_name(enum pagus_zone_type type)
{
	static const char *const names[] = { "DMA", "DMA32", "Normal", "HighMem", "Movable" };

	return NAME_OF(names, type);
}

const char *pagus_migratetype_name(enum pagus_migratetype type)
{
	static const char *const names[] = {
		"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate",
	};

	return NAME_OF(names, type);
}

const char *pagus_invariant_text(int number)
{
	switch (number) {
#define PAGUS_INVARIANT(number, name, text) case number: return #name ": " text;
#include <pagus/invariants.def>
#undef PAGUS_INVARIANT
	default: return number ? "?" : "all hold";
	}
}
