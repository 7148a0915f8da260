/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char line[256];

void px_no_error(void)
{
	line[0] = '\0';
}

enum pagus_status px_error(enum pagus_status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return status;
}

const char *pagus_posix_error(void)
{
	return line;
}
