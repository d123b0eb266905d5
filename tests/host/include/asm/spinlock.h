/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host tests: a lock taken twice ends the test, or waits where the test has
 * threads as its CPUs (HOST_THREADS).
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#ifdef HOST_THREADS
#include <sched.h>
#define host_wait() sched_yield()
#else
#define host_wait() abort()
#endif

static inline void arch_spin_lock(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		host_wait();
}

static inline void arch_spin_unlock(uint32_t *lock)
{
	if (!__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE))
		abort();
}
