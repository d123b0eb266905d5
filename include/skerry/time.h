/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time in ticks of the system counter (CNTPCT_EL0, CNTFRQ_EL0 per second) and
 * per-CPU one-shot timers on the EL2 physical timer (CNTHP). A timer belongs
 * to the CPU that armed it and may be changed there only.
 */
#pragma once

#include <skerry/list.h>

struct timer {
	struct list node;
	u64 deadline;
	void (*fn)(struct timer *t);
};

u64 time_now(void);
u64 time_freq(void);
/* Right up to 2^54 and 2^44 ticks. */
static inline u64 time_to_us(u64 ticks)
{
	return ticks * 1000 / (time_freq() / 1000);
}
static inline u64 time_to_ns(u64 ticks)
{
	return ticks * 1000000 / (time_freq() / 1000);
}
void time_init_cpu(void);
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re)arm; a deadline in the past fires as soon as interrupts are looked at. */
void timer_arm(struct timer *t, u64 deadline);
void timer_cancel(struct timer *t);
/* The EL2 timer's interrupt. */
void time_irq(void);
