/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine on the host for the tests of whole lives: physical memory, CPUs
 * with their way out of EL2, and guests that do something. All else is the code
 * itself: lives, building, images, pages, pools, stage 2, scheduler, worker,
 * IPIs, timers, virtual devices. With HOST_THREADS each CPU is a thread.
 * Included by one source of each test, which supplies what is declared here.
 */
#pragma once

#include "lifemem.h"

/* The test's. */
static void guest_acts(struct vcpu *v); /* what a loaded vCPU does */
static bool nothing_to_do(void);	/* CPU 0; false: look again */
static void at_point(void);		/* the worker gives way */
static bool is_drained(void);

/* --- the machine --------------------------------------------------------- */

struct cpu cpus[CONFIG_NR_CPUS];
HOST_THREAD struct cpu *host_this_cpu = &cpus[0];
unsigned int nr_cpus = NR_CPUS;
struct machine machine = {
	.vtimer_intid = VTIMER,
	.htimer_intid = HTIMER,
	.gic.maint_intid = 25,
};
void (*host_barrier)(const char *name);
void (*host_cache)(const char *op, u64 a);
const struct domain_part *const domain_parts[] = {
	&stage2_part, &vgic_part, &ptimer_part, &vpl011_part,
	&pl031_part,  &wdt_part,  &pvtime_part, NULL,
};
static u64 armed[NR_CPUS]; /* EL2's timers */
static struct vcpu *worker;
static void (*worker_fn)(void);
static jmp_buf asleep; /* CPU 0 has nothing to do */

void arch_timer_set(u64 deadline)
{
	armed[this_cpu()->id] = deadline;
}
void arch_timer_off(void)
{
	armed[this_cpu()->id] = OFF;
}
bool arch_vtimer_line(void)
{
	return false;
}
static bool irq_is_pending(void)
{
	return READ_ONCE(this_cpu()->ipi) || armed[this_cpu()->id] <= time_now();
}

u32 gic_ack(void)
{
	if (READ_ONCE(this_cpu()->ipi))
		return 0;
	return armed[this_cpu()->id] <= time_now() ? HTIMER : GIC_SPURIOUS;
}
void gic_send_sgi(unsigned int cpu, unsigned int id)
{
}
void gic_eoi(u32 intid)
{
}
void gic_deactivate(u32 intid)
{
}
void gic_end(u32 intid)
{
}
void gic_activate(u32 intid)
{
}
void gic_enable(u32 intid, unsigned int cpu, bool level)
{
}
void gic_disable(u32 intid)
{
	must(!"an unexpected interrupt");
}
unsigned int gic_version(void)
{
	return 3;
}
paddr_t gic_guest_frame(unsigned int n)
{
	return PADDR(0);
}
unsigned int gic_nr_lrs(void)
{
	return 4;
}
u32 gic_lrs(void)
{
	return 15;
}
/* Guests take no interrupts: what stands in list registers stays there. */
void gic_lr_write(unsigned int n, const struct gic_lr *lr)
{
}
void gic_lr_clear(unsigned int n)
{
}
unsigned int gic_lr_state(unsigned int n)
{
	return 0;
}
bool gic_lr_repend(unsigned int n)
{
	return false;
}
u64 gic_lr_empty(void)
{
	return 15;
}
u64 gic_lr_ended(void)
{
	return 0;
}
void gic_set_waiting(bool some, bool active)
{
}
unsigned int gic_take_eois(void)
{
	return 0;
}
void gic_vcpu_save(struct gic_vcpu *g)
{
}
void gic_vcpu_load(const struct gic_vcpu *g)
{
}
void gic_vcpu_reset(struct gic_vcpu *g)
{
}

void arch_cpu_park(void)
{
	abort();
}
void arch_poweroff(void)
{
	abort();
}
void arch_reboot(void)
{
	abort();
}
void init_first_guest(void)
{
}
void arch_mask_irqs(bool mask)
{
}
u64 mmu_alloc_stack(unsigned int cpu)
{
	return 1;
}
void arch_worker_init(struct vcpu *v, void (*fn)(void), u64 top)
{
	worker = v;
	worker_fn = fn;
	v->arch.el2_sp = top;
}

/* --- vCPUs on CPUs ------------------------------------------------------- */

void arch_vcpu_trap_wait(struct vcpu *v, bool wfi, bool wfe)
{
}
void arch_vcpu_reset(struct vcpu *v)
{
	must(v->cpu == this_cpu()->id && this_cpu()->current != v);
}
void arch_vcpu_start(struct vcpu *v, ipa_t entry, u64 arg)
{
	must(v->fresh && this_cpu()->current != v);
	must(!v->id == (entry.v == GUEST_RAM0_BASE));
}
void arch_vcpu_note_fault(struct vcpu *v)
{
	must(this_cpu()->current == v);
}
/* By the worker, when all have let go of it. */
void arch_vcpu_dump(const struct vcpu *v, bool fault)
{
	must(this_cpu()->id == 0 && !v->domain->nr_inside);
}

static void load(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();

	must(!cpu->current);
	cpu->current = v;
	if (!v->arch.el2_sp) {
		must(v->cpu == cpu->id && v->domain->id);
		sysreg_write(vttbr_el2, v->domain->s2.vttbr);
		cpu->fp_owner = v;
		vgic_load(v);
		timer_cancel(&v->vtimer);
	}
	if (READ_ONCE(cpu->sched.resched))
		ipi_send(cpu->id, IPI_WAKE);
}
static void unload(struct vcpu *v)
{
	if (!v->arch.el2_sp)
		vgic_unload(v);
	this_cpu()->current = NULL;
}

/* As cpu_idle(), but NULL where that one sleeps. */
static struct vcpu *idle(void)
{
	for (;;) {
		struct vcpu *v;

		sched_idle();
		v = sched_next();
		if (v)
			return v;
		if (READ_ONCE(this_cpu()->sched.reap))
			continue;
		if (!irq_is_pending())
			return NULL;
		irq_handle();
	}
}

/* The way out of EL2: interrupts first, then whatever is to run (vectors.S). */
static struct vcpu *leave_el2(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v, *next;

	do {
		v = next = cpu->current;
		if (irq_is_pending())
			irq_handle();
		if (v && READ_ONCE(cpu->sched.resched))
			next = sched_next();
		if (v && next != v) {
			unload(v);
			v = NULL;
		}
		if (!next)
			next = idle();
		if (next && next != v)
			load(next);
	} while (next && irq_is_pending());
	must(!cpu->ranks);
	return next;
}

/* In the worker: CPU 0, until it is the worker's turn again. */
void arch_take_irqs(void)
{
	must(this_cpu()->id == 0 && this_cpu()->current == worker);
	must(!this_cpu()->ranks && !window_open[0]);
	at_point();
	for (;;) {
		struct vcpu *v = leave_el2();

		if (v == worker)
			return;
		if (v)
			guest_acts(v);
		else if (nothing_to_do())
			longjmp(asleep, 1);
	}
}

/* CPU 0 until it has nothing to do; the worker begins, or again (work.c). */
static void run_cpu0(void)
{
	struct vcpu *v;

	if (setjmp(asleep))
		return;
	while ((v = leave_el2()) || !nothing_to_do())
		if (v == worker)
			worker_fn();
		else if (v)
			guest_acts(v);
}
