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
void time_init_cpu(void);
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re)arm; a deadline in the past fires as soon as interrupts are looked at. */
void timer_arm(struct timer *t, u64 deadline);
void timer_cancel(struct timer *t);
/* The EL2 timer's interrupt. */
void time_irq(void);
