/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers of a CPU: a heap by deadline, the first one programmed into
 * the EL2 timer. What the scheduler waits for is set at each change of vCPUs,
 * and stands apart; so do timers of vCPUs that are no servers, which may be
 * many at a time, and set by whom the servers do not trust.
 */
#include <skerry/time.h>

#include <skerry/arch/timer.h>
#include <skerry/cpu.h>

/* Half of all keys: none is so late that it seems to be early. */
#define LATEST (~0UL >> 1)

static struct timer *first(const struct heap *h)
{
	return heap_entry(h->root, struct timer, node);
}

void time_init_cpu(void)
{
	struct cpu *cpu = this_cpu();

	cpu->timers = cpu->patient = (struct heap){};
	cpu->timers_wait = false;
	cpu->sched_end = cpu->sched_last = TIME_NEVER;
	arch_timer_off();
}

static __force_inline void set_next(const struct cpu *cpu, u64 next, u64 last,
				    bool on_budget)
{
	/* One that is due shortly after the end brings that with it. */
	if (!heap_is_empty(&cpu->timers) && first(&cpu->timers)->deadline <= last)
		next = last = first(&cpu->timers)->deadline;
	if (!on_budget && unlikely(!heap_is_empty(&cpu->patient)) &&
	    first(&cpu->patient)->deadline <= last)
		next = first(&cpu->patient)->deadline;
	if (next == TIME_NEVER)
		arch_timer_off();
	else
		arch_timer_set(next);
}

static void program(const struct cpu *cpu)
{
	set_next(cpu, cpu->sched_end, cpu->sched_last, cpu->timers_wait);
}

void time_set_sched_end(struct cpu *cpu, u64 when, u64 last, bool on_budget)
{
	cpu->sched_end = when;
	cpu->sched_last = last;
	cpu->timers_wait = on_budget;
	set_next(cpu, when, last, on_budget);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->node.rank = 0;
	t->patient = false;
	t->fn = fn;
}

static struct heap *heap_of(struct cpu *cpu, const struct timer *t)
{
	return t->patient ? &cpu->patient : &cpu->timers;
}

static void arm(struct timer *t, u64 deadline, bool patient)
{
	struct cpu *cpu = this_cpu();
	struct heap *h = heap_of(cpu, t);
	bool was_first = h->root == &t->node;

	heap_del(h, &t->node);
	t->patient = patient;
	t->deadline = deadline;
	h = heap_of(cpu, t);
	heap_add(h, &t->node, min(deadline, LATEST));
	if (was_first || h->root == &t->node)
		program(cpu);
}

void timer_arm(struct timer *t, u64 deadline)
{
	arm(t, deadline, false);
}

void timer_arm_for(struct timer *t, u64 deadline, bool is_server)
{
	arm(t, deadline, !is_server);
}

void timer_cancel(struct timer *t)
{
	struct cpu *cpu = this_cpu();
	struct heap *h = heap_of(cpu, t);
	bool was_first = h->root == &t->node;

	heap_del(h, &t->node);
	if (was_first)
		program(cpu);
}

/* The first one, if it has expired. */
static __force_inline bool expire(struct heap *h, u64 now)
{
	struct timer *t;

	if (heap_is_empty(h))
		return false;
	t = first(h);
	if (t->deadline > now)
		return false;
	heap_pop(h);
	t->fn(t);
	return true;
}

/* As long as no server is to run, that others may have woken too. */
static __noinline void expire_patient(struct cpu *cpu, u64 now)
{
	while (!cpu->timers_wait && !READ_ONCE(cpu->sched.deadlines.root) &&
	       expire(&cpu->patient, now)) {
		now = time_now();
		while (expire(&cpu->timers, now))
			;
	}
}

void time_irq(void)
{
	struct cpu *cpu = this_cpu();
	u64 now = time_now();

	/* Each once; a callback may arm its own again. */
	while (expire(&cpu->timers, now))
		;
	if (cpu->sched_end <= now) {
		cpu->sched_end = cpu->sched_last = TIME_NEVER;
		WRITE_ONCE(cpu->sched.resched, 1U);
	}
	if (!READ_ONCE(cpu->sched.resched) && !heap_is_empty(&cpu->patient))
		expire_patient(cpu, now);
	/* Else sched_next() follows, which does. */
	if (!READ_ONCE(cpu->sched.resched))
		program(cpu);
}
