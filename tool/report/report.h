/* SPDX-License-Identifier: MIT */
/*
 * The report: one HTML file that shows a replay's results and needs nothing besides itself.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Write the report that shows `json`, the output of a replay, to `out` and flush it. The text is
 * not parsed here: the page itself says so in plain words when it cannot read it. False if the
 * stream failed; what was written is then incomplete.
 */
bool report_write(FILE *out, const char *json, size_t nr_bytes);

#endif
