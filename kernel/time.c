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
#include <skerry/vcpu.h>

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
	cpu->sched_end = cpu->sched_last = TIME_NEVER;
	arch_timer_off();
}

/*
 * Patient timers: a server runs on its budget, and not alone with extra time,
 * which has no end until one of them has woken somebody. Another CPU that
 * changes that has this one look again.
 */
static bool must_wait(const struct cpu *cpu)
{
	const struct vcpu *v = READ_ONCE(cpu->sched.running);

	return v && READ_ONCE(v->sched.server.active) &&
	       (cpu->sched_last != TIME_NEVER || READ_ONCE(cpu->sched.resched));
}

/* `next`, or a patient one that is due before the other timers. */
static __noinline u64 next_with_patient(const struct cpu *cpu, u64 next)
{
	u64 at = first(&cpu->patient)->deadline;
	u64 other = heap_is_empty(&cpu->timers) ? TIME_NEVER
						: first(&cpu->timers)->deadline;

	return must_wait(cpu) || at > cpu->sched_last || at >= other ? next : at;
}

static __force_inline void program(const struct cpu *cpu)
{
	u64 next = cpu->sched_end;

	/* One that is due shortly after the end brings that with it. */
	if (!heap_is_empty(&cpu->timers) &&
	    first(&cpu->timers)->deadline <= cpu->sched_last)
		next = first(&cpu->timers)->deadline;
	if (unlikely(!heap_is_empty(&cpu->patient)))
		next = next_with_patient(cpu, next);
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

static __force_inline bool has_due(const struct heap *h, u64 now)
{
	return !heap_is_empty(h) && first(h)->deadline <= now;
}

static __force_inline void expire(struct heap *h)
{
	struct timer *t = first(h);

	heap_pop(h);
	t->fn(t);
}

/*
 * As long as no server is to run: one of the other timers', one that another
 * CPU has woken, or one that returns at the time that the scheduler waits for.
 */
static __noinline u64 expire_patient(struct cpu *cpu, u64 now)
{
	while (!must_wait(cpu) && !READ_ONCE(cpu->sched.deadlines.root) &&
	       now <= cpu->sched_last) {
		expire(&cpu->patient);
		if (!has_due(&cpu->patient, now))
			break;
		now = time_now();
		while (has_due(&cpu->timers, now))
			expire(&cpu->timers);
		if (!has_due(&cpu->patient, now))
			break;
	}
	return now;
}

void time_irq(void)
{
	struct cpu *cpu = this_cpu();
	u64 now = time_now();

	/* Each once; a callback may arm its own again. */
	while (has_due(&cpu->timers, now))
		expire(&cpu->timers);
	/* sched_next() follows, and programs it. */
	if (READ_ONCE(cpu->sched.resched))
		return;
	if (has_due(&cpu->patient, now))
		now = expire_patient(cpu, now);
	if (cpu->sched_end <= now) {
		cpu->sched_end = cpu->sched_last = TIME_NEVER;
		WRITE_ONCE(cpu->sched.resched, 1U);
	}
	if (!READ_ONCE(cpu->sched.resched))
		program(cpu);
}
