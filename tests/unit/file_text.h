/* SPDX-License-Identifier: MIT */
/* What tests of texts share: a text as a string, which stays until the next. */
#ifndef TEST_FILE_TEXT_H
#define TEST_FILE_TEXT_H

#include <pagus/text.h>

#include "unit/unit.h"

#include <string.h>

static char text[1 << 16];

static inline const char *file_text(const struct lab *lab, pagus_text_file *write)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	write(&lab->p, &t);
	assert_true(t.length < sizeof(text));
	assert_int_equal(strlen(text), t.length);
	return text;
}

#endif
