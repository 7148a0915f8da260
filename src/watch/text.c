/* SPDX-License-Identifier: MIT */
#include "watch/text.h"

#include "mem/release.h"

void pagus_text_init(struct pagus_text *t, char *buf, size_t room)
{
	*t = (struct pagus_text){ .buf = buf, .room = room };
	if (room)
		buf[0] = '\0';
}

static void put_char(struct pagus_text *t, char c)
{
	if (t->length + 1 < t->room) {
		t->buf[t->length] = c;
		t->buf[t->length + 1] = '\0';
	}
	t->length++;
}

static void put_blanks(struct pagus_text *t, uint32_t used, uint32_t width)
{
	for (; used < width; used++)
		put_char(t, ' ');
}

static uint32_t text_length(const char *text)
{
	uint32_t n = 0;

	while (text[n])
		n++;
	return n;
}

void pg_put(struct pagus_text *t, const char *text)
{
	for (; *text; text++)
		put_char(t, *text);
}

void pg_put_right(struct pagus_text *t, const char *text, uint32_t width)
{
	put_blanks(t, text_length(text), width);
	pg_put(t, text);
}

void pg_put_left(struct pagus_text *t, const char *text, uint32_t width)
{
	pg_put(t, text);
	put_blanks(t, text_length(text), width);
}

/* The digits of value into the end of `room` bytes; where they begin. */
static const char *write_digits(char *text, uint32_t room, uint64_t value, uint32_t base)
{
	uint32_t at = room - 1;

	text[at] = '\0';
	do {
		text[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return text + at;
}

void pg_put_number(struct pagus_text *t, uint64_t value, uint32_t width)
{
	char text[21];

	pg_put_right(t, write_digits(text, sizeof(text), value, 10), width);
}

void pg_put_hex(struct pagus_text *t, uint64_t value, uint32_t digits)
{
	char text[17];
	const char *from = write_digits(text, sizeof(text), value, 16);

	for (uint32_t n = text_length(from); n < digits; n++)
		put_char(t, '0');
	pg_put(t, from);
}

void pg_put_pair(struct pagus_text *t, const char *before, uint64_t value, const char *after)
{
	pg_put(t, before);
	pg_put_number(t, value, 0);
	pg_put(t, after);
}

bool pg_text_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

uint32_t pg_text_kernel(const struct pagus_state *st)
{
	uint32_t part[2] = { 0, 0 }, n = 0;

	for (const char *c = pg_release(st)->name; *c && n < 2; c++) {
		if (*c == '.')
			n++;
		else
			part[n] = part[n] * 10 + (uint32_t)(*c - '0');
	}
	return PG_KERNEL(part[0], part[1]);
}

const char *pg_text_zone_name(uint32_t type)
{
	return type == PG_TEXT_DEVICE ? "Device" : pagus_zone_name((enum pagus_zone_type)type);
}

bool pg_text_lists_type(const struct pagus_state *st, uint32_t type)
{
	static const struct pg_span spans[PAGUS_NR_MIGRATETYPES] = {
		[PAGUS_CMA] = { PG_KERNEL(6, 12), 0 },
	};

	return pg_span_has(spans[type], pg_text_kernel(st));
}
