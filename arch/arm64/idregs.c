/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID registers of guests: the CPU's, less what EL2 does not give. A register
 * that is not named here reads as zero, which means "not there" in all of
 * them (Arm ARM D19.1.3), so new features stay hidden.
 */
#include "sysregs.h"

#include <asm/sysreg.h>

#define KEEP(reg, mask) (sysreg_read(reg) & (mask))

/*
 * PFR0: EL0 as is; EL1 AArch64 only; no EL2, EL3, RAS, SVE, MPAM, AMU. CSV2 of
 * more than 1 comes with SCXTNUM_ELx, which guests do not have.
 */
static u64 pfr0(void)
{
	u64 gic = KEEP(id_aa64pfr0_el1, BITS(27, 24));
	u64 csv2 = field_get(BITS(59, 56), sysreg_read(id_aa64pfr0_el1));

	return KEEP(id_aa64pfr0_el1,
		    BITS(3, 0) | BITS(23, 16) | BITS(51, 48) | BITS(63, 60)) |
	       gic | field_prep(BITS(59, 56), min(csv2, 1UL)) |
	       field_prep(BITS(7, 4), 1);
}

/* DFR0: debug version and the fewest break- and watchpoints; no PMU, trace. */
static u64 dfr0(void)
{
	return KEEP(id_aa64dfr0_el1, BITS(3, 0)) | field_prep(BITS(15, 12), 1) |
	       field_prep(BITS(23, 20), 1) | field_prep(BITS(31, 28), 0);
}

static u64 mmfr0(void)
{
	/* All but fine-grained traps, ECV, exception-state options. */
	return KEEP(id_aa64mmfr0_el1, BITS(31, 0));
}

static u64 mmfr1(void)
{
	/* HAFDBS, VMIDBits hidden, VH 0, HPDS, LO 0, PAN, XNX hidden, ETS. */
	return KEEP(id_aa64mmfr1_el1,
		    BITS(3, 0) | BITS(15, 12) | BITS(23, 20) | BITS(39, 36));
}

static u64 mmfr2(void)
{
	/* CnP, UAO, IESB hidden, VARange, CCIDX, AT, IDS, E0PD. */
	return KEEP(S3_0_C0_C7_2, BITS(7, 0) | BITS(19, 16) | BITS(23, 20) |
					  BITS(35, 32) | BITS(39, 36) |
					  BITS(63, 60));
}

static u64 isar1(void)
{
	/* All but LS64 and what needs further enables. */
	return KEEP(id_aa64isar1_el1, BITS(55, 0));
}

static u64 group(unsigned int crm, unsigned int op2)
{
	switch (crm << 3 | op2) {
	case 4 << 3 | 0:
		return pfr0();
	case 4 << 3 | 1: /* PFR1: BT, SSBS */
		return KEEP(id_aa64pfr1_el1, BITS(7, 0));
	case 5 << 3 | 0:
		return dfr0();
	case 6 << 3 | 0: /* ISAR0: all but TME */
		return KEEP(id_aa64isar0_el1, ~BITS(27, 24));
	case 6 << 3 | 1:
		return isar1();
	case 7 << 3 | 0:
		return mmfr0();
	case 7 << 3 | 1:
		return mmfr1();
	case 7 << 3 | 2:
		return mmfr2();
	default:
		return 0;
	}
}

/* AArch32 ID registers, for EL0 of 32-bit programs; debug and PMU hidden. */
static u64 group32(unsigned int crm, unsigned int op2)
{
	switch (crm << 3 | op2) {
	case 1 << 3 | 0:
		return sysreg_read(id_pfr0_el1) & BITS(15, 0);
	case 1 << 3 | 1: /* no virtualization, no generic-timer traps */
		return sysreg_read(id_pfr1_el1) & ~BITS(15, 12);
	case 1 << 3 | 4:
		return sysreg_read(id_mmfr0_el1);
	case 1 << 3 | 5:
		return sysreg_read(id_mmfr1_el1);
	case 1 << 3 | 6:
		return sysreg_read(id_mmfr2_el1);
	case 1 << 3 | 7:
		return sysreg_read(id_mmfr3_el1);
	case 2 << 3 | 0:
		return sysreg_read(id_isar0_el1);
	case 2 << 3 | 1:
		return sysreg_read(id_isar1_el1);
	case 2 << 3 | 2:
		return sysreg_read(id_isar2_el1);
	case 2 << 3 | 3:
		return sysreg_read(id_isar3_el1);
	case 2 << 3 | 4:
		return sysreg_read(id_isar4_el1);
	case 2 << 3 | 5:
		return sysreg_read(id_isar5_el1);
	case 2 << 3 | 6:
		return sysreg_read(id_mmfr4_el1);
	case 3 << 3 | 0:
		return sysreg_read(mvfr0_el1);
	case 3 << 3 | 1:
		return sysreg_read(mvfr1_el1);
	case 3 << 3 | 2:
		return sysreg_read(mvfr2_el1);
	default:
		return 0;
	}
}

u64 idreg_read(unsigned int crm, unsigned int op2)
{
	return crm < 4 ? group32(crm, op2) : group(crm, op2);
}
