/* SPDX-License-Identifier: Apache-2.0 */
/* The calling CPU's per-CPU structure. */
#pragma once

#include <asm/sysreg.h>

struct cpu;

static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *cpu;

	/*
	 * Not volatile and no memory clobber: the register never changes once
	 * C runs, so the compiler may keep the result.
	 */
	__asm__("mrs %0, tpidr_el2" : "=r"(cpu));
	return cpu;
}
