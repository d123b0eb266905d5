/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticket locks with a rank. EL2 runs with interrupts masked, so there are no
 * irqsave forms. Taking a lock whose rank is not above every rank that the CPU
 * holds panics in a CONFIG_DEBUG build (docs/locking.md).
 */
#pragma once

#include <skerry/util.h>

enum lock_rank {
	RANK_DOMAIN = 1,
	RANK_VCPU,
	RANK_VGIC,
	RANK_WORK,
	RANK_SCHED,
	RANK_PAGE,
	RANK_MMU,
	RANK_GIC,
	RANK_LOG,
	RANK_MAX,
};

struct spinlock {
	u32 tickets; /* next ticket in 31:16, served in 15:0 */
	u8 rank;
	u8 owner; /* debug: CPU + 1 */
};

#define SPINLOCK_INIT(r) ((struct spinlock){.rank = (r)})

#include <asm/spinlock.h>

static inline void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = SPINLOCK_INIT(rank);
}

void lock_rank_take(struct spinlock *lock);
void lock_rank_drop(struct spinlock *lock);

static inline void spin_lock(struct spinlock *lock)
{
	if (CONFIG_DEBUG)
		lock_rank_take(lock);
	arch_spin_lock(&lock->tickets);
}

static inline void spin_unlock(struct spinlock *lock)
{
	if (CONFIG_DEBUG)
		lock_rank_drop(lock);
	arch_spin_unlock(&lock->tickets);
}
