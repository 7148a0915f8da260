/* SPDX-License-Identifier: MIT */
#include "report/report.h"

#include <string.h>

#include "report/template.h"

static bool write_bytes(FILE *out, const void *bytes, size_t nr_bytes)
{
	return fwrite(bytes, 1, nr_bytes, out) == nr_bytes;
}

/*
 * Only a '<' can end the script element that holds the data or change how the HTML parser reads it.
 * JSON has that character in strings alone, where \u003c means the same.
 */
static bool write_data(FILE *out, const char *json, size_t nr_bytes)
{
	static const char escape[] = "\\u003c";

	while (nr_bytes) {
		const char *mark = memchr(json, '<', nr_bytes);
		size_t nr_plain = mark ? (size_t)(mark - json) : nr_bytes;

		if (!write_bytes(out, json, nr_plain))
			return false;
		if (!mark)
			return true;
		if (!write_bytes(out, escape, sizeof(escape) - 1))
			return false;
		json += nr_plain + 1;
		nr_bytes -= nr_plain + 1;
	}
	return true;
}

bool report_write(FILE *out, const char *json, size_t nr_bytes)
{
	return write_bytes(out, report_head, report_head_bytes) &&
	       write_data(out, json, nr_bytes) &&
	       write_bytes(out, report_tail, report_tail_bytes) && fflush(out) == 0;
}
