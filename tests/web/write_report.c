/* SPDX-License-Identifier: MIT */
/* Writes the report of the JSON on standard input to standard output. */
#include <stdlib.h>

#include "report/report.h"

/* Far above the largest results: 6 policies of 256 GiB. */
#define INPUT_MAX_BYTES ((size_t)256 << 20)

static int fail(const char *text)
{
	fprintf(stderr, "write_report: %s\n", text);
	return EXIT_FAILURE;
}

int main(void)
{
	char *json = malloc(INPUT_MAX_BYTES);
	size_t nr_bytes;
	bool written;

	if (!json)
		return fail("out of memory");
	nr_bytes = fread(json, 1, INPUT_MAX_BYTES, stdin);
	if (ferror(stdin) || nr_bytes == INPUT_MAX_BYTES) {
		free(json);
		return fail("standard input: cannot be read, or too long");
	}
	written = report_write(stdout, json, nr_bytes);
	free(json);
	return written ? EXIT_SUCCESS : fail("standard output: write error");
}
