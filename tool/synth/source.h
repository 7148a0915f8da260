/* SPDX-License-Identifier: MIT */
/*
 * A model as a trace: "synth:MODEL" in the place of a file's name. The machine has one node with a
 * DMA32 zone below 3 GiB and a Normal zone from 4 GiB on; it starts with all memory free. There is no
 * end state.
 */
#ifndef SYNTH_SOURCE_H
#define SYNTH_SOURCE_H

#include "trace/reader.h"

#define SYNTH_PREFIX "synth:"

/* Set up `t` for what stands behind the prefix of its path; where it fails, *err. */
bool synth_open(struct trace *t, struct trace_error *err);

#endif
