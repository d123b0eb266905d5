/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time in ticks of the system counter (CNTPCT_EL0, CNTFRQ_EL0 per second) and
 * per-CPU one-shot timers on the EL2 physical timer (CNTHP). A timer belongs
 * to the CPU that armed it and may be changed there only.
 */
#pragma once

#include <skerry/heap.h>

struct cpu;

struct timer {
	struct heap_node node;
	u64 deadline;
	void (*fn)(struct timer *t);
	bool patient;
};

u64 time_now(void);
u64 time_freq(void);
/* Right up to 2^54 ticks; of nanoseconds as long as 64 bits hold them. */
static inline u64 time_to_us(u64 ticks)
{
	return ticks * 1000 / (time_freq() / 1000);
}
static inline u64 time_to_ns(u64 ticks)
{
	u64 freq = time_freq();

	return ticks / freq * 1000000000 + ticks % freq * 1000000000 / freq;
}
void time_init_cpu(void);
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re)arm; a deadline in the past fires as soon as interrupts are looked at. */
void timer_arm(struct timer *t, u64 deadline);
/*
 * The same for a vCPU. But for one of a server it is patient: it comes after
 * all others that are due, and not while a server runs on its budget, or is to
 * run. What a guest sets its timers to is in no server's way then. It stays so
 * until it is armed again, whatever becomes of the vCPU.
 */
void timer_arm_for(struct timer *t, u64 deadline, bool is_server);
void timer_cancel(struct timer *t);
static inline bool timer_is_armed(const struct timer *t)
{
	return heap_has(&t->node);
}
#define TIME_NEVER (~0UL)
/*
 * When this, the calling CPU is to choose a vCPU again, or TIME_NEVER: with a
 * timer that is due after that, but not after `last`, at the latest.
 */
void time_set_sched_end(struct cpu *cpu, u64 when, u64 last);
/* The EL2 timer's interrupt. */
void time_irq(void);
