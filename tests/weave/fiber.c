/* SPDX-License-Identifier: MIT */
#include "weave/fiber.h"

#include <stddef.h>
#include <ucontext.h>

#define STACK_BYTES (UINT32_C(256) * 1024)

/* AddressSanitizer has to know on which stack the program is. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#endif

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t bytes)
{
	(void)fake;
	(void)bottom;
	(void)bytes;
}

static void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *bytes)
{
	(void)fake;
	(void)bottom;
	(void)bytes;
}
#endif

struct fiber {
	ucontext_t context;
	void *fake; /* stack frames that AddressSanitizer keeps elsewhere */
	void (*body)(uint32_t n);
	char stack[STACK_BYTES];
};

static struct fiber fibers[FIBERS];
static ucontext_t outside;
static const void *outside_stack;
static size_t outside_bytes;

static void begin(int n)
{
	__sanitizer_finish_switch_fiber(NULL, &outside_stack, &outside_bytes);
	fibers[n].body((uint32_t)n);
	fiber_leave((uint32_t)n, true);
}

void fiber_make(uint32_t n, void (*body)(uint32_t n))
{
	struct fiber *f = &fibers[n];

	getcontext(&f->context);
	f->context.uc_stack.ss_sp = f->stack;
	f->context.uc_stack.ss_size = sizeof(f->stack);
	f->context.uc_link = NULL;
	f->body = body;
	/* makecontext takes the function without its arguments, which it passes as ints. */
	makecontext(&f->context, (void (*)(void))(uintptr_t)begin, 1, (int)n);
}

void fiber_enter(uint32_t n)
{
	void *fake = NULL;

	__sanitizer_start_switch_fiber(&fake, fibers[n].stack, sizeof(fibers[n].stack));
	swapcontext(&outside, &fibers[n].context);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

void fiber_leave(uint32_t n, bool ended)
{
	struct fiber *f = &fibers[n];

	__sanitizer_start_switch_fiber(ended ? NULL : &f->fake, outside_stack, outside_bytes);
	swapcontext(&f->context, &outside);
	__sanitizer_finish_switch_fiber(f->fake, &outside_stack, &outside_bytes);
}
