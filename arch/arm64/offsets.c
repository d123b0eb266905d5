/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structure offsets for assembly: compiled to text, never linked; the build
 * turns each marker line into a #define of offsets.h.
 */
#include <skerry/cpu.h>
#include <skerry/domain.h>

#define DEF(name, val)                                                         \
	__asm__ volatile("\n//@DEF " #name " %0" ::"i"((u64)(val)))

void offsets(void);

void offsets(void)
{
	DEF(VCPU_PC, offsetof(struct vcpu, arch.regs.pc));
	DEF(VCPU_EL2_SP, offsetof(struct vcpu, arch.el2_sp));
	DEF(CPU_CURRENT, offsetof(struct cpu, current));
	DEF(CPU_STACK_TOP, offsetof(struct cpu, stack_top));
	DEF(CPU_PANIC_TOP, offsetof(struct cpu, panic_stack) +
				   sizeof(((struct cpu *)0)->panic_stack));
	DEF(CPU_MPIDR, offsetof(struct cpu, mpidr));
	DEF(CPU_SIZE, sizeof(struct cpu));
	DEF(EL2_REGS_SIZE, sizeof(struct el2_regs));
}

static_assert(offsetof(struct vcpu, arch.regs) == 0, "SP_EL2 is the vCPU");
static_assert(sizeof(struct cpu) == PAGE_SIZE, "one page per CPU");
