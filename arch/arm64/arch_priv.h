/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of arch/arm64 and its assembly. */
#pragma once

#include <skerry/arch/vcpu.h>
#include <skerry/cpu.h>

/* vectors.S */
u64 arch_drain_serror(void);
void arch_fp_save(struct arch_fpregs *fp);
void arch_fp_load(const struct arch_fpregs *fp);

/* trap.c, called from vectors.S; each returns the vCPU to run next. */
struct vcpu *trap_call(struct vcpu *v, u64 esr);
struct vcpu *trap_irq(struct vcpu *v);
struct vcpu *trap_sync(struct vcpu *v, u64 esr);
struct vcpu *trap_fiq(struct vcpu *v, u64 esr);
struct vcpu *trap_serror(struct vcpu *v, u64 esr);
struct vcpu *trap_aarch32(struct vcpu *v, u64 esr);
__noreturn void trap_own(u64 kind, struct el2_regs *regs);

/* switch.c: first FP use of v since it was loaded. */
void arch_fp_trap(struct vcpu *v);

/* mmu.c */
void mmu_switch_root(void);
paddr_t mmu_boot_root(void);

/* smccc.c: a call to the firmware; the first result. */
u64 smccc_smc(u64 fn, u64 a1, u64 a2, u64 a3);
