/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers of a CPU: a heap by deadline, the first one programmed into
 * the EL2 timer. What the scheduler waits for is set at each change of vCPUs,
 * and stands apart.
 */
#include <skerry/time.h>

#include <skerry/arch/timer.h>
#include <skerry/cpu.h>

/* Half of all keys: none is so late that it seems to be early. */
#define LATEST (~0UL >> 1)

static struct timer *first(const struct cpu *cpu)
{
	return heap_entry(cpu->timers.root, struct timer, node);
}

void time_init_cpu(void)
{
	this_cpu()->timers = (struct heap){};
	this_cpu()->sched_end = this_cpu()->sched_last = TIME_NEVER;
	arch_timer_off();
}

static __force_inline void program(const struct cpu *cpu)
{
	u64 next = cpu->sched_end;

	/* One that is due shortly after the end brings that with it. */
	if (!heap_is_empty(&cpu->timers) &&
	    first(cpu)->deadline <= cpu->sched_last)
		next = first(cpu)->deadline;
	if (next == TIME_NEVER)
		arch_timer_off();
	else
		arch_timer_set(next);
}

void time_set_sched_end(struct cpu *cpu, u64 when, u64 last)
{
	cpu->sched_end = when;
	cpu->sched_last = last;
	program(cpu);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->node.rank = 0;
	t->fn = fn;
}

void timer_arm(struct timer *t, u64 deadline)
{
	struct cpu *cpu = this_cpu();
	bool was_first = cpu->timers.root == &t->node;

	heap_del(&cpu->timers, &t->node);
	t->deadline = deadline;
	heap_add(&cpu->timers, &t->node, min(deadline, LATEST));
	if (was_first || cpu->timers.root == &t->node)
		program(cpu);
}

void timer_cancel(struct timer *t)
{
	struct cpu *cpu = this_cpu();
	bool was_first = cpu->timers.root == &t->node;

	heap_del(&cpu->timers, &t->node);
	if (was_first)
		program(cpu);
}

void time_irq(void)
{
	struct cpu *cpu = this_cpu();
	u64 now = time_now();

	/* Each expired timer once; a callback may arm its own again. */
	while (!heap_is_empty(&cpu->timers)) {
		struct timer *t = first(cpu);

		if (t->deadline > now)
			break;
		heap_pop(&cpu->timers);
		t->fn(t);
	}
	if (cpu->sched_end <= now) {
		cpu->sched_end = cpu->sched_last = TIME_NEVER;
		WRITE_ONCE(cpu->sched.resched, 1U);
	}
	/* Else sched_next() follows, which does. */
	if (!READ_ONCE(cpu->sched.resched))
		program(cpu);
}
