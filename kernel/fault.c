/* SPDX-License-Identifier: Apache-2.0 */
/* A count-down of allocations to the one that is to fail (fault.h). */
#include <skerry/fault.h>

static u32 left; /* any CPU */

void fault_arm(u32 n)
{
	__atomic_store_n(&left, n, __ATOMIC_RELAXED);
}

bool fault_has_hit(void)
{
	return !__atomic_load_n(&left, __ATOMIC_RELAXED);
}

bool fault_hits_now(void)
{
	u32 n = __atomic_load_n(&left, __ATOMIC_RELAXED);

	while (n &&
	       !__atomic_compare_exchange_n(&left, &n, n - 1, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return n == 1;
}
