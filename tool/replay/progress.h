/* SPDX-License-Identifier: MIT */
/* A progress line on a terminal; silent where standard error is none. */
#ifndef REPLAY_PROGRESS_H
#define REPLAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	uint64_t total;     /* 0: not known */
	uint64_t start_ns, first_ns, shown_ns;
	uint64_t first_done;
	bool on;
};

/* Monotonic time in ns. */
uint64_t progress_now_ns(void);

void progress_begin(struct progress *p, const char *what, uint64_t total);
void progress_at(struct progress *p, uint64_t done); /* shows ten times a second at the most */
void progress_end(struct progress *p);              /* clears the line */

#endif
