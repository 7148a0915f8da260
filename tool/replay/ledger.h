/* SPDX-License-Identifier: MIT */
/*
 * The fidelity ledger: what a reader must know before believing a replay. One part speaks of the
 * recording and is the same under every policy; the other of how a policy's replay relates to what
 * was recorded.
 */
#ifndef REPLAY_LEDGER_H
#define REPLAY_LEDGER_H

#include "replay/replay.h"

#define LEDGER_ROWS 20

enum ledger_level { LEDGER_OK, LEDGER_NOTE, LEDGER_WARN };

struct ledger_row {
	const char *key;
	uint64_t value;
	bool per_mille;        /* value is a share in thousandths */
	bool compared;         /* `recorded` is what the recorded kernel counted */
	uint64_t recorded;
	enum ledger_level level;
	const char *text;
};

struct ledger {
	struct ledger_row rows[LEDGER_ROWS];
	uint32_t nr;
};

const char *ledger_level_name(enum ledger_level level);

/* Of the recording. */
void ledger_of_trace(struct ledger *l, const struct replay *r, const struct trace_meta *meta);

/* Of one policy. `end`: the recorded end state, or NULL. */
void ledger_of_policy(struct ledger *l, const struct replay *r, const struct snapshot *end);

#endif
