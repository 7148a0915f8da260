/* SPDX-License-Identifier: MIT */
#include "replay/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SHOW_EVERY_NS UINT64_C(100000000)
#define BAR_WIDTH     24

uint64_t progress_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

void progress_begin(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){
		.what = what,
		.total = total,
		.start_ns = progress_now_ns(),
		.on = isatty(STDERR_FILENO),
	};
}

void progress_at(struct progress *p, uint64_t done)
{
	static const char full[] = "########################";
	uint64_t now, elapsed_ms, rate;
	int filled;

	if (!p->on)
		return;
	now = progress_now_ns();
	if (p->first_ns == 0) {
		/*
		 * The rate counts from the first events on, not from the preparations before them.
		 */
		p->first_ns = now;
		p->first_done = done;
		return;
	}
	if (now - p->shown_ns < SHOW_EVERY_NS)
		return;
	p->shown_ns = now;
	elapsed_ms = (now - p->first_ns) / 1000000 + 1;
	rate = (done - p->first_done) * 1000 / elapsed_ms + 1;
	if (p->total == 0 || done > p->total) {
		fprintf(stderr, "\r%s: %" PRIu64 " events, %.1f M events/s\033[K", p->what, done,
			(double)rate / 1e6);
		return;
	}
	filled = (int)(done * BAR_WIDTH / p->total);
	fprintf(stderr, "\r%s [%.*s%*s] %3d %%, %.1f M events/s, %" PRIu64 " s left\033[K", p->what,
		filled, full, BAR_WIDTH - filled, "", (int)(done * 100 / p->total),
		(double)rate / 1e6, (p->total - done) / rate);
}

void progress_end(struct progress *p)
{
	if (p->on)
		fputs("\r\033[K", stderr);
}
