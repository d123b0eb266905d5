/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EL2 worker. To the scheduler it is a vCPU like others, of a domain that
 * never stops; only its context is one of EL2 (arch/vcpu.h).
 */
#include <skerry/work.h>

#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>

static struct {
	struct spinlock lock; /* RANK_WORK: the list */
	struct list list;
	struct domain domain;
	struct vcpu vcpu;
} work = {.lock = SPINLOCK_INIT(RANK_WORK)};

static struct work *next_work(void)
{
	struct work *w = NULL;

	spin_lock(&work.lock);
	if (!list_is_empty(&work.list)) {
		w = list_entry(work.list.next, struct work, node);
		list_del(&w->node);
	}
	spin_unlock(&work.lock);
	return w;
}

static void __noreturn worker(void)
{
	for (;;) {
		struct work *w = next_work();

		if (w) {
			w->fn(w);
			work_point();
			continue;
		}
		sched_block(&work.vcpu);
		/* Submitted in between: told to one that was ready. */
		if (READ_ONCE(work.list.next) != &work.list)
			sched_wake(&work.vcpu);
		/* Blocked, it is left here. */
		work_point();
	}
}

void work_init(void)
{
	static const struct sched_params params = {
		.weight = SCHED_WEIGHT,
		.slice_us = SCHED_SLICE_US,
	};
	struct vcpu *v = &work.vcpu;

	list_init(&work.list);
	v->domain = &work.domain;
	v->state = VCPU_ON;
	arch_worker_init(v, worker, mmu_alloc_stack(CONFIG_NR_CPUS));
	sched_place(v, WORKER_CPU, &params, 0);
}

void work_submit(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	spin_lock(&work.lock);
	list_add_before(&work.list, &w->node);
	spin_unlock(&work.lock);
	sched_wake(&work.vcpu);
}

void work_point(void)
{
	/* The worker has woken a vCPU of this CPU: no trap's end will see it. */
	if (READ_ONCE(this_cpu()->sched.resched))
		ipi_send(WORKER_CPU, IPI_WAKE);
	arch_take_irqs();
}

bool work_preempt(bool on)
{
	static bool was; /* the worker is one */
	bool before = was;

	was = on;
	arch_mask_irqs(!on);
	return before;
}
