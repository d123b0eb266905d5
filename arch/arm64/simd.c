/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIMD for EL2's hashing. The registers hold what the last vCPU to use them on
 * this CPU has in them (switch.c loads them when a vCPU touches them).
 */
#include <skerry/arch/simd.h>

#include "arch_priv.h"

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/cpu.h>
#include <skerry/vcpu.h>
#include <sys/auxv.h>

void arch_simd_take(void)
{
	struct cpu *cpu = this_cpu();

	/* As the last vCPU left it; each has its own at its next load. */
	sysreg_write(cptr_el2, CPTR_RES1 | CPTR_TZ | CPTR_TTA);
	isb();
	if (!cpu->fp_owner)
		return;
	arch_fp_save(&cpu->fp_owner->arch.fp);
	/* It will trap at its next use (guest_cptr()) and have them loaded. */
	cpu->fp_owner = NULL;
}

/* mbedTLS asks once; ID_AA64ISAR0_EL1, Arm ARM D19.2.61. */
unsigned long getauxval(unsigned long type)
{
	bool sha2 = field_get(BITS(15, 12), sysreg_read(id_aa64isar0_el1));

	if (CONFIG_SHA256_PLAIN || type != AT_HWCAP)
		return 0;
	return sha2 ? HWCAP_SHA2 : 0;
}
