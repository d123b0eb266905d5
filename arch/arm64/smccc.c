/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to the firmware (SMCCC, DEN 0028) and the speculation workarounds
 * that it offers for the CPU. An SMC is made only when the host DTB has /psci
 * with conduit SMC: with the Raspberry Pi's own stub it is UNDEFINED.
 */
#include <skerry/arch/init.h>

#include "arch_priv.h"

#include <asm/sysreg.h>
#include <skerry/machine.h>
#include <skerry/psci.h>
#include <skerry/sections.h>
#include <skerry/smccc.h>

#define PART_A57 0xd07
#define PART_A72 0xd08
#define PART_A76 0xd0b

static unsigned int workarounds;

u64 smccc_smc(u64 fn, u64 a1, u64 a2, u64 a3)
{
	register u64 x0 __asm__("x0") = fn;
	register u64 x1 __asm__("x1") = a1;
	register u64 x2 __asm__("x2") = a2;
	register u64 x3 __asm__("x3") = a3;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			   "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	return x0;
}

unsigned int smccc_workarounds(void)
{
	return workarounds;
}

static bool has_feature(u64 fn)
{
	return (s32)smccc_smc(SMCCC_ARCH_FEATURES, fn, 0, 0) >= 0;
}

void arch_init(void)
{
	if (!machine.has_psci ||
	    (s32)smccc_smc(PSCI_FEATURES, SMCCC_VERSION, 0, 0) < 0 ||
	    (s32)smccc_smc(SMCCC_VERSION, 0, 0, 0) < 0x10001)
		return;
	workarounds = has_feature(SMCCC_WORKAROUND_1) |
		      (unsigned int)has_feature(SMCCC_WORKAROUND_2) << 1 |
		      (unsigned int)has_feature(SMCCC_WORKAROUND_3) << 2;
}

/* The vectors with the mitigation that this core needs (boards.md 6). */
void arch_init_cpu(void)
{
	u64 midr = sysreg_read(midr_el1);
	u64 part = field_get(BITS(15, 4), midr);
	bool arm = field_get(BITS(31, 24), midr) == 0x41;
	const char *table = vectors;

	if (arm && part == PART_A76 &&
	    !field_get(BITS(59, 56), sysreg_read(id_aa64pfr0_el1)))
		table = vectors_bhb;
	else if (arm && (part == PART_A57 || part == PART_A72) &&
		 (workarounds & BIT(2)))
		table = vectors_smc;
	sysreg_write(vbar_el2, (u64)table);
}
