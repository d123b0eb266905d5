/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: single-threaded; a lock taken twice ends the test. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

static inline void arch_spin_lock(uint32_t *lock)
{
	if (*lock)
		abort();
	*lock = 1;
}

static inline void arch_spin_unlock(uint32_t *lock)
{
	if (!*lock)
		abort();
	*lock = 0;
}
