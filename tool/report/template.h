/* SPDX-License-Identifier: MIT */
/*
 * The page around the data, as embed.py built it: what stands before the data and what stands
 * behind.
 */
#ifndef REPORT_TEMPLATE_H
#define REPORT_TEMPLATE_H

#include <stddef.h>

extern const unsigned char report_head[];
extern const size_t report_head_bytes;
extern const unsigned char report_tail[];
extern const size_t report_tail_bytes;

#endif
