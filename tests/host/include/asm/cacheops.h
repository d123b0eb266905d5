/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host tests: the sizes come from the test's ctr_el0 and dczid_el0 through the
 * target's own functions; the instructions are recorded by name and address
 * when the test has a recorder, and DC ZVA zeroes.
 */
#pragma once

#include <asm/sysreg.h>

/* The target's, which no host assembler takes, stay unused. */
#define cache_civac    target_cache_civac
#define cache_zva      target_cache_zva
#define cache_iallu_is target_cache_iallu_is
#include "../../../../arch/arm64/include/asm/cacheops.h"
#undef cache_civac
#undef cache_zva
#undef cache_iallu_is

extern void (*host_cache)(const char *op, u64 a);

static inline void host_cache_op(const char *op, u64 a)
{
	if (host_cache)
		host_cache(op, a);
}

static inline void cache_civac(u64 a)
{
	host_cache_op("civac", a);
}

static inline void cache_zva(u64 a)
{
	u64 block = cache_zva_size();

	__builtin_memset((void *)align_down(a, block), 0, block);
	host_cache_op("zva", a);
}

static inline void cache_iallu_is(void)
{
	host_cache_op("iallu_is", 0);
}
