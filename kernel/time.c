/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers of a CPU: a list by deadline, the first one programmed into
 * the EL2 timer. Lists are short (one emulated timer per vCPU).
 */
#include <skerry/time.h>

#include <skerry/arch/timer.h>
#include <skerry/cpu.h>

void time_init_cpu(void)
{
	list_init(&this_cpu()->timers);
	arch_timer_off();
}

static void program(struct cpu *cpu)
{
	if (list_is_empty(&cpu->timers))
		arch_timer_off();
	else
		arch_timer_set(list_entry(cpu->timers.next, struct timer, node)
				       ->deadline);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	list_init(&t->node);
	t->fn = fn;
}

void timer_arm(struct timer *t, u64 deadline)
{
	struct cpu *cpu = this_cpu();
	struct list *at;

	list_del(&t->node);
	at = cpu->timers.next;
	while (at != &cpu->timers &&
	       list_entry(at, struct timer, node)->deadline <= deadline)
		at = at->next;
	t->deadline = deadline;
	list_add_before(at, &t->node);
	program(cpu);
}

void timer_cancel(struct timer *t)
{
	if (list_is_empty(&t->node))
		return;
	list_del(&t->node);
	program(this_cpu());
}

void time_irq(void)
{
	struct cpu *cpu = this_cpu();
	u64 now = time_now();

	/* Each expired timer once; a callback may arm its own again. */
	while (!list_is_empty(&cpu->timers)) {
		struct timer *t = list_entry(cpu->timers.next, struct timer,
					     node);

		if (t->deadline > now)
			break;
		list_del(&t->node);
		t->fn(t);
	}
	program(cpu);
}
