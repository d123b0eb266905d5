/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations that fail on order, so that every way out of them is tried
 * (CONFIG_FAULT_INJECTION; no code otherwise).
 */
#pragma once

#include <skerry/util.h>

/* The n-th allocation from now on fails, once; 0: none does. */
void fault_arm(u32 n);
/* It has failed. */
bool fault_has_hit(void);
/* By an allocator: is it this one? */
bool fault_hits_now(void);

static inline bool fault_hits(void)
{
	return CONFIG_FAULT_INJECTION && fault_hits_now();
}
