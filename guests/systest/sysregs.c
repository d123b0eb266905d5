/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers: what the ID registers admit, and that all others are
 * either harmless or undefined at EL1, never the end of anybody.
 */
#include "systest.h"

static u64 field_of(u64 reg, unsigned int lsb)
{
	return reg >> lsb & 0xf;
}

void test_idregs(void)
{
	u64 pfr0 = sysreg_read(id_aa64pfr0_el1);
	u64 pfr1 = sysreg_read(id_aa64pfr1_el1);
	u64 dfr0 = sysreg_read(id_aa64dfr0_el1);
	u64 mmfr1 = sysreg_read(id_aa64mmfr1_el1);

	printf("# PFR0 %lx PFR1 %lx DFR0 %lx MMFR1 %lx\n", pfr0, pfr1, dfr0,
	       mmfr1);
	ok(field_of(pfr0, 4) == 1, "EL1 is AArch64 only");
	ok(field_of(pfr0, 8) == 0 && field_of(pfr0, 12) == 0,
	   "neither EL2 nor EL3");
	ok(field_of(pfr0, 24) == (plat.gic == 3),
	   "GIC system registers as the device tree says");
	ok(field_of(pfr0, 28) == 0, "no RAS");
	ok(field_of(pfr0, 32) == 0, "no SVE");
	ok(field_of(pfr0, 40) == 0, "no MPAM");
	ok(field_of(pfr0, 44) == 0, "no activity monitors");
	ok(field_of(pfr1, 8) == 0, "no memory tagging");
	ok(field_of(pfr1, 24) == 0, "no SME");
	ok(field_of(dfr0, 8) == 0 || field_of(dfr0, 8) == 0xf, "no PMU");
	ok(field_of(dfr0, 32) == 0, "no statistical profiling");
	ok(field_of(dfr0, 4) == 0, "no trace registers");
	ok(field_of(mmfr1, 8) == 0, "no VHE");
	ok(field_of(mmfr1, 16) == 0, "no limited ordering regions");
	ok(sysreg_read(S3_0_C0_C4_6) == 0 && sysreg_read(S3_0_C0_C7_7) == 0,
	   "reserved ID registers read as zero");
	ok(own_mpidr() == plat.mpidr[0], "MPIDR is that of the device tree");
	ok(sysreg_read(midr_el1) != 0, "MIDR is %lx", sysreg_read(midr_el1));
}

enum outcome { VALUE, UNDEF, OTHER };

static enum outcome outcome_of(struct fault *f)
{
	if (!fault_end(f))
		return VALUE;
	return ESR_EC(f->esr) == EC_UNKNOWN && !f->serror ? UNDEF : OTHER;
}

/* Read, write zero, read again: no outcome but a value or undefined. */
#define TRY(reg)                                                               \
	({                                                                     \
		struct fault f_;                                               \
		enum outcome r_, w_;                                           \
		fault_begin(&f_);                                              \
		(void)sysreg_read(reg);                                        \
		r_ = outcome_of(&f_);                                          \
		fault_begin(&f_);                                              \
		sysreg_write(reg, 0);                                          \
		isb();                                                         \
		w_ = outcome_of(&f_);                                          \
		if (r_ == OTHER || w_ == OTHER)                                \
			printf("# " #reg ": esr %lx\n", f_.esr);               \
		r_ != OTHER &&w_ != OTHER;                                     \
	})
#define READ_UNDEF(reg)                                                        \
	({                                                                     \
		struct fault f_;                                               \
		fault_begin(&f_);                                              \
		(void)sysreg_read(reg);                                        \
		outcome_of(&f_) == UNDEF;                                      \
	})

static void test_debug(void)
{
	struct fault f;

	ok(TRY(mdscr_el1) && TRY(osdlr_el1) && TRY(dbgbvr0_el1) &&
		   TRY(dbgbcr0_el1) && TRY(dbgwvr0_el1) && TRY(dbgwcr0_el1) &&
		   TRY(mdccint_el1) && TRY(S2_3_C0_C1_0) && TRY(S2_0_C0_C0_2),
	   "debug registers have defined results");
	sysreg_write(oslar_el1, 0);
	ok((sysreg_read(oslsr_el1) & BIT(1)) == 0, "OS lock can be opened");
	sysreg_write(oslar_el1, 1);
	sysreg_write(oslar_el1, 0);
	ok(TRY(dbgprcr_el1) && TRY(dbgclaimset_el1),
	   "power and claim registers");
	fault_begin(&f);
	asm volatile("brk #7" ::: "memory");
	ok(fault_end(&f) && ESR_EC(f.esr) == 0x3c && (f.esr & 0xffff) == 7,
	   "BRK is the guest's own");
}

static void test_pmu(void)
{
	ok(TRY(pmcr_el0) && TRY(pmcntenset_el0) && TRY(pmcntenclr_el0) &&
		   TRY(pmovsclr_el0) && TRY(pmselr_el0) && TRY(pmccntr_el0) &&
		   TRY(pmxevtyper_el0) && TRY(pmxevcntr_el0) &&
		   TRY(pmuserenr_el0) && TRY(pmintenset_el1) &&
		   TRY(pmintenclr_el1) && TRY(pmccfiltr_el0) &&
		   TRY(S3_3_C14_C8_0),
	   "PMU registers have defined results");
}

/* What stays in them would be the next guest's. */
static void test_no_debug(void)
{
	sysreg_write(dbgbvr0_el1, 0x40000000ul);
	sysreg_write(dbgwvr0_el1, 0x40000000ul);
	sysreg_write(dbgwcr0_el1, 0x1fe0ul);
	isb();
	ok(!sysreg_read(dbgbvr0_el1) && !sysreg_read(dbgwvr0_el1) &&
		   !sysreg_read(dbgwcr0_el1),
	   "debug registers keep nothing");
	ok(READ_UNDEF(pmcr_el0) && READ_UNDEF(pmevtyper0_el0) &&
		   READ_UNDEF(pmuserenr_el0),
	   "PMU registers are undefined");
}

static void test_impdef(void)
{
	ok(TRY(S3_0_C11_C0_2) && TRY(S3_1_C11_C0_2) && TRY(S3_1_C15_C2_0) &&
		   TRY(S3_1_C15_C2_1) && TRY(S3_1_C15_C3_0) &&
		   TRY(S3_3_C15_C0_0) && TRY(S3_0_C15_C0_0) &&
		   TRY(S3_7_C15_C7_7),
	   "implementation-defined registers have defined results");
	ok(TRY(actlr_el1), "ACTLR_EL1");
	ok(READ_UNDEF(S3_7_C13_C5_6), "an unallocated register is undefined");
	ok(READ_UNDEF(S3_4_C1_C1_0), "HCR_EL2 is undefined");
	ok(READ_UNDEF(S3_6_C1_C1_0), "SCR_EL3 is undefined");
	ok(TRY(S3_0_C10_C4_3) && TRY(S3_0_C1_C2_0) && TRY(S3_0_C5_C3_0) &&
		   TRY(S3_0_C5_C4_0) && TRY(S3_3_C13_C2_0),
	   "LOR, SVE, RAS and AMU registers have defined results");
}

static void test_insns(void)
{
	struct fault f;
	u64 v;

	fault_begin(&f);
	asm volatile(".inst 0x0420e3e0" ::: "x0"); /* SVE: cntb x0 */
	ok(outcome_of(&f) == UNDEF, "SVE is undefined");
	fault_begin(&f);
	asm volatile(".inst 0xd4600000"); /* hlt #0 */
	asm volatile(".inst 0x00000000"); /* udf #0 */
	ok(fault_end(&f) && f.count == 2 && ESR_EC(f.esr) == EC_UNKNOWN,
	   "HLT and UDF are undefined");
	for (u64 level = 0; level < 2; level++)
		for (u64 way = 0; way < 8; way++) {
			v = way << 29 | level << 1;
			asm volatile("dc isw, %0" ::"r"(v) : "memory");
			asm volatile("dc csw, %0" ::"r"(v) : "memory");
			asm volatile("dc cisw, %0" ::"r"(v) : "memory");
		}
	ok(true, "set/way cache maintenance returns");
	asm volatile("at s1e1r, %0\n\tisb" ::"r"(&f) : "memory");
	v = sysreg_read(par_el1);
	ok(!(v & 1) && (v & 0xfffffffff000ul) == ((u64)&f & ~0xffful),
	   "AT finds our own stack");
	asm volatile("tlbi vmalle1\n\ttlbi vmalle1is\n\tic iallu\n\t"
		     "ic ialluis\n\tdsb sy\n\tisb" ::
			     : "memory");
	ok(true, "TLB and instruction cache maintenance");
	/* A guest may turn its caches off and on again. */
	v = sysreg_read(sctlr_el1);
	sysreg_write(sctlr_el1, v & ~BIT(2));
	isb();
	sysreg_write(sctlr_el1, v);
	isb();
	ok(true, "data cache off and on");
}

void test_sysregs(void)
{
	/* Ours to give away (FP, SVE, SME), so what traps is not our EL1's. */
	sysreg_write(cpacr_el1, 3 << 24 | 3 << 20 | 3 << 16);
	isb();
	test_debug();
	test_pmu();
	test_no_debug();
	test_impdef();
	test_insns();
}
