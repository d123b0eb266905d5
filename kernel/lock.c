/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lock rank checks of debug builds: a CPU may take a lock only above all ranks
 * that it holds.
 */
#include <skerry/cpu.h>
#include <skerry/panic.h>
#include <skerry/spinlock.h>

void lock_rank_take(struct spinlock *lock)
{
	struct cpu *cpu = this_cpu();

	if (cpu->in_panic)
		return;
	if (cpu->ranks >> lock->rank)
		panic("lock of rank %u taken while holding ranks %#x",
		      lock->rank, cpu->ranks);
	cpu->ranks |= 1U << lock->rank;
}

void lock_rank_drop(struct spinlock *lock)
{
	this_cpu()->ranks &= ~(1U << lock->rank);
}
