/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID registers of guests: the CPU's, less what EL2 does not give. A register
 * that is not named here reads as zero, which means "not there" in all of
 * them (Arm ARM D19.1.3), so new features stay hidden.
 */
#include "sysregs.h"

#include <asm/sysreg.h>
#include <skerry/arch/gic.h>

/* Fields that are kept of the CPU's register, fields with a value of ours. */
#define ID_REG(crm_, op2_, reg, keep, ours)                                    \
	case (crm_) << 3 | (op2_):                                             \
		return (sysreg_read(reg) & (keep)) | (ours);

/* More than 1 comes with SCXTNUM_ELx, which guests do not have. */
static u64 csv2(void)
{
	u64 val = field_get(BITS(59, 56), sysreg_read(id_aa64pfr0_el1));

	return field_prep(BITS(59, 56), min(val, 1UL));
}

/* The system registers of GICv3, where guests have them. */
static u64 gic(u64 field)
{
	return gic_version() == 3 ? field : 0;
}

/* clang-format off */
u64 idreg_read(unsigned int crm, unsigned int op2)
{
	switch (crm << 3 | op2) {
	/* AArch32's, for EL0 of 32-bit programs; debug and PMU are hidden. */
	ID_REG(1, 0, id_pfr0_el1, BITS(15, 0), 0)
	/* No virtualization, no generic-timer traps. */
	ID_REG(1, 1, id_pfr1_el1, (~BITS(15, 12) & ~BITS(31, 28)) |
	   gic(BITS(31, 28)), 0)
	ID_REG(1, 4, id_mmfr0_el1, ~0UL, 0)
	ID_REG(1, 5, id_mmfr1_el1, ~0UL, 0)
	ID_REG(1, 6, id_mmfr2_el1, ~0UL, 0)
	ID_REG(1, 7, id_mmfr3_el1, ~0UL, 0)
	ID_REG(2, 0, id_isar0_el1, ~0UL, 0)
	ID_REG(2, 1, id_isar1_el1, ~0UL, 0)
	ID_REG(2, 2, id_isar2_el1, ~0UL, 0)
	ID_REG(2, 3, id_isar3_el1, ~0UL, 0)
	ID_REG(2, 4, id_isar4_el1, ~0UL, 0)
	ID_REG(2, 5, id_isar5_el1, ~0UL, 0)
	ID_REG(2, 6, id_mmfr4_el1, ~0UL, 0)
	ID_REG(3, 0, mvfr0_el1, ~0UL, 0)
	ID_REG(3, 1, mvfr1_el1, ~0UL, 0)
	ID_REG(3, 2, mvfr2_el1, ~0UL, 0)
	/* EL0 as is; EL1 AArch64 only; no EL2, EL3, RAS, SVE, MPAM, AMU. */
	ID_REG(4, 0, id_aa64pfr0_el1, BITS(3, 0) | BITS(23, 16) | BITS(51, 48) |
	   BITS(63, 60) | gic(BITS(27, 24)), field_prep(BITS(7, 4), 1) | csv2())
	/* BT, SSBS. */
	ID_REG(4, 1, id_aa64pfr1_el1, BITS(7, 0), 0)
	/* Debug version, fewest break- and watchpoints; no PMU, trace. */
	ID_REG(5, 0, id_aa64dfr0_el1, BITS(3, 0),
	   field_prep(BITS(15, 12), 1) | field_prep(BITS(23, 20), 1))
	/* All but TME. */
	ID_REG(6, 0, id_aa64isar0_el1, ~BITS(27, 24), 0)
	/* All but LS64, and pointer authentication: keys are not switched. */
	ID_REG(6, 1, id_aa64isar1_el1, BITS(55, 32) | BITS(23, 12) | BITS(3, 0),
	   0)
	/* All but fine-grained traps, ECV, exception-state options. */
	ID_REG(7, 0, id_aa64mmfr0_el1, BITS(31, 0), 0)
	/* HAFDBS, VMIDBits hidden, VH 0, HPDS, LO 0, PAN, XNX hidden, ETS. */
	ID_REG(7, 1, id_aa64mmfr1_el1, BITS(3, 0) | BITS(15, 12) | BITS(23, 20) |
	   BITS(39, 36), 0)
	/* MMFR2: CnP, UAO, IESB hidden, VARange, CCIDX, AT, IDS, E0PD. */
	ID_REG(7, 2, S3_0_C0_C7_2, BITS(7, 0) | BITS(23, 16) | BITS(39, 32) |
	   BITS(63, 60), 0)
	}
	return 0;
}
/* clang-format on */
