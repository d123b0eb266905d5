/* SPDX-License-Identifier: Apache-2.0 */
/* Single cache instructions and the sizes that CTR_EL0, DCZID_EL0 give. */
#pragma once

#include <asm/sysreg.h>

static inline u64 cache_line_size(void)
{
	return 4UL << field_get(BITS(19, 16), sysreg_read(ctr_el0));
}

/* 0 when DC ZVA is prohibited. */
static inline u64 cache_zva_size(void)
{
	u64 dczid = sysreg_read(dczid_el0);

	return dczid & BIT(4) ? 0 : 4UL << (dczid & 15);
}

static inline void cache_civac(u64 a)
{
	__asm__ volatile("dc civac, %0" ::"r"(a) : "memory");
}

static inline void cache_zva(u64 a)
{
	__asm__ volatile("dc zva, %0" ::"r"(a) : "memory");
}

static inline void cache_iallu_is(void)
{
	__asm__ volatile("ic ialluis" ::: "memory");
}
