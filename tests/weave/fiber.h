/* SPDX-License-Identifier: MIT */
/* Coroutines: functions with stacks of their own, of which one runs until it gives way. */
#ifndef WEAVE_FIBER_H
#define WEAVE_FIBER_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS 4 /* at most */

/* Fiber n begins to run `body(n)` when it is entered next. */
void fiber_make(uint32_t n, void (*body)(uint32_t n));

/* Run the fiber until it leaves. To be called from outside all fibers. */
void fiber_enter(uint32_t n);

/* Out of the fiber n, which calls this; back here when it is entered again, unless it has ended. */
void fiber_leave(uint32_t n, bool ended);

#endif
