/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace of the scheduler and of exits: one ring of records per CPU, which only
 * that CPU writes, so without a lock; the oldest ones are overwritten. Callers
 * have interrupts masked, as EL2 has but in work_preempt(). Off until the shell
 * says `trace on`. docs/trace.md has what each event means.
 */
#pragma once

#include <skerry/cpu.h>

enum trace_event {
	TRACE_RUN,	 /* v begins to run on this CPU */
	TRACE_IDLE,	 /* nothing runs */
	TRACE_WAKE,	 /* v is ready; in the ring of the CPU that wakes it */
	TRACE_BLOCK,	 /* v waits */
	TRACE_PREEMPT,	 /* v stays ready, and something else runs */
	TRACE_EXHAUSTED, /* v's budget is used up, v deferred; any CPU */
	TRACE_REPLENISH, /* it has its next one, or other parameters */
	TRACE_EXIT,	 /* v came to EL2; arg: ESR, or 0 by an interrupt */
	TRACE_ENTER,	 /* and goes on */
	TRACE_IRQ,	 /* arg: INTID; v: what runs or NULL */
	NR_TRACE_EVENTS,
};

/* Only where trace.on is set: else there may be no memory for it. */
void trace_put(enum trace_event e, const struct vcpu *v, u32 arg);

/* v may be NULL. Off, one load and one branch. */
static inline void trace(enum trace_event e, const struct vcpu *v, u32 arg)
{
	if (unlikely(READ_ONCE(this_cpu()->trace.on)))
		trace_put(e, v, arg);
}

/* Boot: memory for the rings, as the option `trace=` says. */
void trace_init(void);

/*
 * Orders of the shell's; CPU 0. Tracing begins with empty rings, and stops
 * while they are dumped. -ENOMEM: there are none; -EBUSY: a dump goes on.
 */
int trace_set(bool on) __must_check;
int trace_dump(void) __must_check;
bool trace_is_dumping(void);
/* The next line of the dump; false without one. By one CPU at a time. */
bool trace_dump_line(char *line, size_t size);
