/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPU a physical CPU runs. In this version a CPU has at most one for
 * itself, so the choice is that one or idle.
 */
#include <skerry/cpu.h>

#include <asm/barrier.h>
#include <skerry/domain.h>
#include <skerry/init.h>
#include <skerry/irq.h>

/* As after power-on. Done while it is off, so that CPU_ON has little to do. */
static void reset(struct vcpu *v)
{
	timer_cancel(&v->ptimer.timer);
	v->ptimer.ctl = 0;
	v->blocked = false;
	v->flush_done = v->caches_on = false;
	v->flush_pos = 0;
	arch_vcpu_reset(v);
	vgic_vcpu_reset(v);
	v->fresh = true;
}

/* CPU_ON was given: take it, unless the domain was stopped. */
static struct vcpu *take_pending(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool take;

	if (!v->fresh)
		reset(v);
	spin_lock(&d->vcpu_lock);
	take = v->state == VCPU_PENDING;
	if (take) {
		arch_vcpu_start(v, IPA(v->on_entry), v->on_arg);
		v->fresh = false;
		WRITE_ONCE(v->state, VCPU_ON);
	}
	spin_unlock(&d->vcpu_lock);
	if (!take)
		return NULL;
	init_first_guest();
	return v;
}

struct vcpu *cpu_pick(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = cpu->vcpu;

	if (!v || domain_is_stopping(v->domain))
		return NULL;
	switch (READ_ONCE(v->state)) {
	case VCPU_ON:
		return v;
	case VCPU_PENDING:
		/* Off and on again before it left: leave first. */
		return cpu->current == v ? NULL : take_pending(v);
	default:
		return NULL;
	}
}

void cpu_idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		struct vcpu *v = cpu_pick();

		if (v)
			arch_enter(v);
		if (cpu->vcpu && domain_is_stopping(cpu->vcpu->domain)) {
			v = cpu->vcpu;
			cpu->vcpu = NULL;
			domain_vcpu_left(v);
		}
		v = cpu->vcpu;
		if (v && !v->fresh && READ_ONCE(v->state) == VCPU_OFF &&
		    READ_ONCE(v->domain->state) == DOMAIN_RUNNING)
			reset(v);
		/* Masked interrupts end WFI too, so none is missed. */
		wfi();
		irq_handle();
	}
}
