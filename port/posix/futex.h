/* SPDX-License-Identifier: MIT */
/* Sleeping on a word of this process. errno stays as it was: locks are taken in signal handlers. */
#ifndef PX_FUTEX_H
#define PX_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Sleep while *word is `value`, at most `timeout` where it is not NULL. May return for no reason.
 */
static inline void px_futex_wait(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
	errno = saved;
}

static inline void px_futex_wake(uint32_t *word, int nr)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
	errno = saved;
}

#endif
