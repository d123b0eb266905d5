/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical interrupts that reach EL2, and IPIs. One interrupt is handled per
 * entry: the next one traps again at once.
 */
#include <skerry/irq.h>

#include <asm/barrier.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/timer.h>
#include <skerry/console.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/trace.h>
#include <skerry/work.h>

#define SGI_IPI 0

void irq_init_cpu(void)
{
	unsigned int id = this_cpu()->id;

	this_cpu()->vtimer_intid = machine.vtimer_intid;
	this_cpu()->htimer_intid = machine.htimer_intid;
	gic_enable(machine.vtimer_intid, id, true);
	gic_enable(machine.htimer_intid, id, true);
	if (machine.gic.maint_intid)
		gic_enable(machine.gic.maint_intid, id, true);
}

static __noinline void handle_other(u32 intid)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = cpu->current;
	unsigned int kind = CPU_IRQ_OTHER;

	if (intid == machine.gic.maint_intid) {
		kind = CPU_IRQ_MAINT;
		/* A level: its cause goes before it is deactivated. */
		if (v && v->vgic.loaded)
			vgic_maintain(v);
		else
			gic_set_waiting(false, false);
	} else if (machine.uart && intid == machine.uart_intid) {
		console_irq();
	} else {
		log_line("CPU %u: unexpected interrupt %u disabled", cpu->id,
			 intid);
		gic_disable(intid);
	}
	cpu->nr_irqs[kind]++;
	gic_eoi(intid);
	gic_deactivate(intid);
}

void irq_handle(void)
{
	struct cpu *cpu = this_cpu();
	u32 intid = gic_ack();

	if (unlikely(READ_ONCE(cpu->trace.on)))
		trace_put(TRACE_IRQ, cpu->current, intid);
	if (likely(intid == cpu->vtimer_intid)) {
		struct vcpu *v = cpu->current;

		cpu->nr_irqs[CPU_IRQ_TIMER]++;
		gic_eoi(intid);
		/*
		 * Stays active until the guest deactivates its own. Without a
		 * line it is late, of a vCPU that has left.
		 */
		if (likely(v && arch_vtimer_line()))
			vgic_inject_hw_ppi(v, GUEST_VTIMER_INTID);
		else
			gic_deactivate(intid);
		return;
	}
	if (likely(intid == cpu->htimer_intid)) {
		time_irq();
		cpu->nr_irqs[CPU_IRQ_OTHER]++;
		gic_end(intid);
		return;
	}
	if (intid == SGI_IPI) {
		cpu->nr_irqs[CPU_IRQ_IPI]++;
		gic_end(intid);
		ipi_handle();
		return;
	}
	if (intid < GIC_SPURIOUS)
		handle_other(intid);
}

void ipi_send(unsigned int cpu, u32 reasons)
{
	__atomic_fetch_or(&cpus[cpu].ipi, reasons, __ATOMIC_RELEASE);
	gic_send_sgi(cpu, SGI_IPI);
}

/*
 * What interrupts, traps and the idle loop do with domains[] is over: interrupts
 * were masked meanwhile. Within an access to another vCPU's interrupts IPIs are
 * taken as well (vgic.c); it is one of the guest's own domain, which lives.
 */
static void sync_here(struct cpu *cpu)
{
	if (!cpu->current || cpu->current->arch.el2_sp)
		stage2_leave();
	/* Partner: cpu_sync(). */
	store_release(&cpu->synced, 1U);
}

void cpu_sync(void)
{
	struct cpu *self = this_cpu();

	for (unsigned int i = 0; i < nr_cpus; i++) {
		if (&cpus[i] == self || !READ_ONCE(cpus[i].online))
			continue;
		WRITE_ONCE(cpus[i].synced, 0U);
		ipi_send(i, IPI_SYNC);
	}
	sync_here(self);
	for (unsigned int i = 0; i < nr_cpus; i++)
		while (READ_ONCE(cpus[i].online) &&
		       !load_acquire(&cpus[i].synced)) {
			cpu_relax();
			work_point();
		}
}

void ipi_handle(void)
{
	struct cpu *cpu = this_cpu();
	u32 ipi = __atomic_exchange_n(&cpu->ipi, 0, __ATOMIC_ACQUIRE);

	if (ipi & IPI_STOP)
		arch_cpu_park();
	if (cpu->current && (ipi & IPI_REFRESH))
		vgic_refresh(cpu->current);
	if (ipi & IPI_WATCHDOG)
		wdt_ipi();
	/* Last: what is above has no pointer from domains[] any more. */
	if (ipi & IPI_SYNC)
		sync_here(cpu);
	/* IPI_WAKE has no work here: every way out looks at vCPU states. */
}
