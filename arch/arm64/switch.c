/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CPU holds of a vCPU besides general registers: EL1 and EL0 system
 * registers, HCR_EL2, stage 2, timer, list registers, FP ownership. Moved only
 * when the CPU changes vCPUs.
 */
#include <skerry/arch/vcpu.h>

#include "arch_priv.h"

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/pvtime.h>
#include <skerry/string.h>

/*
 * Two registers a row, with their fields of struct arch_sysregs, which are next
 * to each other: two at a time take three instructions, not four. TCR_EL1,
 * which allows the walks, is loaded behind them.
 */
/* clang-format off */
#define SYSREGS(op)                                                            \
	op(sp_el0, sp_el0, sp_el1, sp_el1)                                     \
	op(elr_el1, elr_el1, spsr_el1, spsr_el1)                               \
	op(sctlr, sctlr_el1, cpacr, cpacr_el1)                                 \
	op(ttbr0, ttbr0_el1, ttbr1, ttbr1_el1)                                 \
	op(mair, mair_el1, amair, amair_el1)                                   \
	op(vbar, vbar_el1, esr, esr_el1)                                       \
	op(far, far_el1, afsr0, afsr0_el1)                                     \
	op(afsr1, afsr1_el1, par, par_el1)                                     \
	op(contextidr, contextidr_el1, tpidr_el0, tpidr_el0)                   \
	op(tpidrro_el0, tpidrro_el0, tpidr_el1, tpidr_el1)                     \
	op(csselr, csselr_el1, cntkctl, cntkctl_el1)
#define SAVE(field1, reg1, field2, reg2)                                       \
	{                                                                      \
		u64 a = sysreg_read(reg1), b = sysreg_read(reg2);              \
		s->field1 = a;                                                 \
		s->field2 = b;                                                 \
	}
#define LOAD(field1, reg1, field2, reg2)                                       \
	{                                                                      \
		u64 a = s->field1, b = s->field2;                              \
		sysreg_write(reg1, a);                                         \
		sysreg_write(reg2, b);                                         \
	}
/* clang-format on */

/* CPTR_EL2 of a guest: no SVE, no trace, no AMU; FP trapped or not. */
static u64 guest_cptr(bool fp)
{
	return CPTR_RES1 | CPTR_TZ | CPTR_TTA | field_prep(CPTR_TFP, !fp);
}

void arch_fp_trap(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();

	sysreg_write(cptr_el2, CPTR_RES1 | CPTR_TZ | CPTR_TTA);
	isb();
	if (cpu->fp_owner != v) {
		if (cpu->fp_owner)
			arch_fp_save(&cpu->fp_owner->arch.fp);
		arch_fp_load(&v->arch.fp);
		cpu->fp_owner = v;
	}
}

/* A wake came while the CPU was between two. */
static void take_late_wake(const struct cpu *cpu)
{
	if (READ_ONCE(cpu->sched.resched))
		ipi_send(cpu->id, IPI_WAKE);
}

void arch_vcpu_load(struct vcpu *v)
{
	struct arch_sysregs *s = &v->arch.sys;
	struct cpu *cpu = this_cpu();

	if (v->arch.el2_sp) {
		/*
		 * Nothing of EL1's is its; interrupts have to reach EL2. A walk
		 * out of context still has the last one's stage 2, and none
		 * begins while the worker flushes that of another domain
		 * (A53 1530924, A72 1319367).
		 */
		sysreg_write(tcr_el1, TCR_EPD0 | TCR_EPD1);
		isb();
		/* Without the MMU, EPD would say nothing. */
		sysreg_write(sctlr_el1, SCTLR_EL1_RESET | SCTLR_M);
		sysreg_write(hcr_el2,
			     HCR_VM | HCR_RW | HCR_IMO | HCR_FMO | HCR_AMO);
		isb();
		cpu->current = v;
		take_late_wake(cpu);
		return;
	}
	/*
	 * No speculative AT or walk may mix the old EL1 regime with the new
	 * stage 2 (A53 1530924, A72 1319367): walks are disabled in TCR_EL1
	 * while the registers change. Without the barriers the writes may take
	 * effect in any order.
	 */
	sysreg_write(tcr_el1, TCR_EPD0 | TCR_EPD1);
	isb();
	sysreg_write(sctlr_el1, SCTLR_EL1_RESET | SCTLR_M);
	isb();
	sysreg_write(vttbr_el2, v->arch.vttbr);
	sysreg_write(hcr_el2, v->arch.hcr);
	/* The domain's: a pause changes it while none of its vCPUs is here. */
	sysreg_write(cntvoff_el2, READ_ONCE(v->domain->cntvoff));
	isb();
	SYSREGS(LOAD)
	/* What a guest writes of these is kept by who emulates it. */
	sysreg_write(mdscr_el1, s->mdscr);
	sysreg_write(vmpidr_el2, s->vmpidr);
	isb();
	sysreg_write(tcr_el1, s->tcr);
	/* Its forwarded timer interrupt is active before the line can rise. */
	cpu->current = v;
	vgic_load(v);
	if (unlikely(timer_is_armed(&v->vtimer)))
		timer_cancel(&v->vtimer);
	sysreg_write(cntv_cval_el0, s->cntv_cval);
	sysreg_write(cntv_ctl_el0, s->cntv_ctl);
	sysreg_write(cptr_el2, guest_cptr(cpu->fp_owner == v));
	/*
	 * Another vCPU of this VMID may have run here: its local stage-1
	 * entries and instructions must not be hit (DESIGN.md section 4).
	 */
	if (v->domain->last_vcpu[cpu->id] != v) {
		__asm__ volatile("tlbi vmalle1\n\tic iallu" ::: "memory");
		dsb(nsh);
		v->domain->last_vcpu[cpu->id] = v;
	}
	if (unlikely(v->pvtime))
		pvtime_publish(v);
	isb();
	take_late_wake(cpu);
}

/* A parked timer's never stays one, where it would wrap. */
static u64 host_time(u64 cval, u64 offset)
{
	u64 t;

	return __builtin_add_overflow(cval, offset, &t) ? ~0UL : t;
}

/* By its timer, but not from before it left: the guest may ask for any time. */
static u64 waits_until(const struct vcpu *v)
{
	return max(host_time(v->arch.sys.cntv_cval,
			     READ_ONCE(v->domain->cntvoff)),
		   READ_ONCE(v->sched.since));
}

void arch_vcpu_unload(struct vcpu *v)
{
	struct arch_sysregs *s = &v->arch.sys;
	struct cpu *cpu = this_cpu();

	if (v->arch.el2_sp) {
		cpu->current = NULL;
		return;
	}
	if (arch_drain_serror())
		domain_log_once(v->domain,
				"SError taken while vCPU %u was put off", v->id);
	/* Off before its interrupt is deactivated, or that fires again. */
	s->cntv_cval = sysreg_read(cntv_cval_el0);
	s->cntv_ctl = sysreg_read(cntv_ctl_el0);
	sysreg_write(cntv_ctl_el0, 0);
	isb();
	vgic_unload(v);
	/* A ready one sees its own timer when it is loaded again. */
	if (!v->sched.ready &&
	    (s->cntv_ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE)
		timer_arm_for(&v->vtimer, waits_until(v),
			      sched_is_server(&v->sched));
	SYSREGS(SAVE)
	s->tcr = sysreg_read(tcr_el1);
	/* The hardware clears VSE when the guest takes the SError. */
	v->arch.hcr = sysreg_read(hcr_el2);
	cpu->current = NULL;
}

static u64 guest_hcr(void)
{
	u64 hcr = HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB |
		  HCR_BSU_IS | HCR_TID3 | HCR_TSC | HCR_TIDCP | HCR_TACR |
		  HCR_TSW | HCR_RW;

	/* HCR_EL2.APK and API stay 0: pointer authentication is undefined. */
	if (sysreg_read(id_aa64pfr0_el1) & BITS(31, 28)) /* RAS */
		hcr |= HCR_TERR;
	if (sysreg_read(id_aa64mmfr1_el1) & BITS(19, 16)) /* LORegions */
		hcr |= HCR_TLOR;
	return hcr;
}

void arch_vcpu_reset(struct vcpu *v)
{
	struct arch_vcpu *a = &v->arch;
	struct cpu *cpu = this_cpu();

	if (cpu->fp_owner == v)
		cpu->fp_owner = NULL;
	memset(a, 0, sizeof(*a));
	a->regs.pstate = SPSR_D | SPSR_A | SPSR_I | SPSR_F | SPSR_EL1H;
	a->sys.sctlr = SCTLR_EL1_GUEST;
	a->sys.vmpidr = vcpu_mpidr(v->id);
	a->hcr = guest_hcr();
	a->vttbr = v->domain->s2.vttbr;
}

void arch_worker_init(struct vcpu *v, void (*fn)(void), u64 stack_top)
{
	v->arch.regs.pc = (u64)fn;
	v->arch.regs.pstate = SPSR_D | SPSR_A | SPSR_I | SPSR_F | SPSR_EL2H;
	v->arch.el2_sp = stack_top;
}

void arch_take_irqs(void)
{
	/* The barrier makes what is pending be taken before the mask. */
	__asm__ volatile("msr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::
				 : "memory");
}

void arch_mask_irqs(bool mask)
{
	if (mask)
		__asm__ volatile("msr daifset, #2" ::: "memory");
	else
		__asm__ volatile("msr daifclr, #2" ::: "memory");
}

void arch_vcpu_start(struct vcpu *v, ipa_t entry, u64 arg)
{
	v->arch.regs.x[0] = arg;
	v->arch.regs.pc = entry.v;
}

void arch_vcpu_trap_wait(struct vcpu *v, bool wfi, bool wfe)
{
	u64 mask = HCR_TWI | HCR_TWE;
	u64 bits = (wfi ? HCR_TWI : 0) | (wfe ? HCR_TWE : 0);

	if (bits == (v->arch.hcr & mask))
		return;
	v->arch.hcr = (v->arch.hcr & ~mask) | bits;
	if (v->arch.el2_sp)
		return;
	/* While it is loaded, VSE is the hardware's and TVM stage2.c's. */
	if (this_cpu()->current == v)
		sysreg_write(hcr_el2, (sysreg_read(hcr_el2) & ~mask) | bits);
}
