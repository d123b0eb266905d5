/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a vCPU the architecture keeps. `struct arch_vcpu` is the first
 * member of `struct vcpu`: while the vCPU runs, SP_EL2 holds its address and
 * the entry stubs store the guest's registers straight into it. Guarded by
 * running: only the CPU that runs the vCPU, or that holds RANK_VCPU while it
 * does not run, touches it.
 */
#pragma once

#include <skerry/util.h>

struct vcpu;

/* General registers; assembly knows the offsets (arch/arm64/offsets.c). */
struct arch_regs {
	u64 x[31];
	u64 pc;	    /* valid after a full entry or a switch, else in ELR_EL2 */
	u64 pstate; /* likewise, SPSR_EL2 */
	u64 pad;
};

/* EL1 and EL0 system state, moved only when the CPU changes vCPUs. */
struct arch_sysregs {
	/* Moved by pairs: switch.c. */
	u64 sp_el0, sp_el1, elr_el1, spsr_el1;
	u64 sctlr, cpacr, ttbr0, ttbr1, mair, amair, vbar, esr;
	u64 far, afsr0, afsr1, par, contextidr, tpidr_el0;
	u64 tpidrro_el0, tpidr_el1, csselr, cntkctl;
	/* One by one, in an order that matters, or only loaded. */
	u64 tcr, cntv_ctl, cntv_cval, mdscr, vmpidr;
};

struct arch_fpregs {
	__uint128_t v[32];
	u64 fpsr, fpcr;
};

#define NR_EXITS 8

struct exit_record {
	u64 esr, pc; /* ESR_EL2, ELR_EL2 */
};

struct arch_vcpu {
	struct arch_regs regs;
	struct arch_sysregs sys;
	struct arch_fpregs fp;
	u64 hcr;   /* HCR_EL2 while it runs */
	u64 vttbr; /* copied from the domain */
	u64 esr;   /* ESR_EL2 of the full entry being handled */
	struct exit_record exits[NR_EXITS]; /* ring, for a crash dump */
	u32 nr_exits;
	/* Of arch_vcpu_note_fault(): FAR_EL2, and what HPFAR_EL2 has. */
	u64 fault_va, fault_ipa;
	u64 el2_sp; /* its context is one of EL2 (the worker): SP; else 0 */
};

/* First state, EL1h with MMU off; on v's CPU, v not loaded. */
void arch_vcpu_reset(struct vcpu *v);
/* After a reset: at `entry`, x0 = `arg`. */
void arch_vcpu_start(struct vcpu *v, ipa_t entry, u64 arg);
/* Step over the trapped instruction. After a full entry only. */
static inline void arch_vcpu_skip(struct arch_vcpu *a)
{
	a->regs.pc += 4;
}

/* Whether WFI and WFE of v trap. On v's CPU. */
void arch_vcpu_trap_wait(struct vcpu *v, bool wfi, bool wfe);

/* v is a context of EL2: fn on its stack, interrupts masked. */
void arch_worker_init(struct vcpu *v, void (*fn)(void), u64 stack_top);
/* In that context: whatever interrupts are pending, and what follows. */
void arch_take_irqs(void);
void arch_mask_irqs(bool mask);

/* Exceptions to the guest's EL1 (Arm ARM D1.3); after a full entry only. */
void arch_inject_undef(struct vcpu *v);
void arch_inject_abort(struct vcpu *v, bool fetch, u64 far);
void arch_inject_serror(struct vcpu *v);
/* v is loaded and crashes: keep what only the hardware can tell. */
void arch_vcpu_note_fault(struct vcpu *v);
/*
 * Registers and last exits of a vCPU that no CPU has loaded, as log lines; with
 * `fault`, where the noted one leads. By the worker: some 3 us a line.
 */
void arch_vcpu_dump(const struct vcpu *v, bool fault);
