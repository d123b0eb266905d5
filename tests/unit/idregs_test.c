/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID registers of guests: of a CPU that has everything, exactly the listed
 * fields show; nothing shows that the CPU has not; every register comes from
 * its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../arch/arm64/sysregs.h"
#include <asm/sysreg.h>

static u64 cpu_value, cpu_named;
static const char *cpu_name;
static u64 (*cpu_fn)(const char *name);

u64 host_sysreg_read(const char *name)
{
	if (cpu_fn)
		return cpu_fn(name);
	return cpu_name && !strcmp(name, cpu_name) ? cpu_named : cpu_value;
}
void host_sysreg_write(const char *name, u64 val)
{
	fail_msg("%s written: %#lx", name, val);
}

static unsigned int version;

unsigned int gic_version(void)
{
	return version;
}

static int setup(void **state)
{
	(void)state;
	cpu_value = 0;
	cpu_name = NULL;
	cpu_fn = NULL;
	version = 3;
	return 0;
}

#define REG(crm, op2) ((crm) << 3 | (op2))
#define PFR0	      REG(4, 0)
#define PFR1	      REG(4, 1)
#define DFR0	      REG(5, 0)
#define ISAR0	      REG(6, 0)
#define ISAR1	      REG(6, 1)
#define MMFR0	      REG(7, 0)
#define MMFR1	      REG(7, 1)
#define MMFR2	      REG(7, 2)
#define ALL	      0xffffffffffffffffUL

static u64 guest(unsigned int reg)
{
	return idreg_read(reg >> 3, reg & 7);
}

/*
 * What a guest sees of a CPU whose bits are all set and of one whose bits are
 * all clear. One hex digit is one field.
 */
static const struct {
	unsigned int reg;
	const char *name;
	u64 all, none;
} regs[] = {
	{REG(1, 0), "id_pfr0_el1", 0xffff, 0},
	{REG(1, 1), "id_pfr1_el1", 0xffffffffffff0fff, 0},
	{REG(1, 4), "id_mmfr0_el1", ALL, 0},
	{REG(1, 5), "id_mmfr1_el1", ALL, 0},
	{REG(1, 6), "id_mmfr2_el1", ALL, 0},
	{REG(1, 7), "id_mmfr3_el1", ALL, 0},
	{REG(2, 0), "id_isar0_el1", ALL, 0},
	{REG(2, 1), "id_isar1_el1", ALL, 0},
	{REG(2, 2), "id_isar2_el1", ALL, 0},
	{REG(2, 3), "id_isar3_el1", ALL, 0},
	{REG(2, 4), "id_isar4_el1", ALL, 0},
	{REG(2, 5), "id_isar5_el1", ALL, 0},
	{REG(2, 6), "id_mmfr4_el1", ALL, 0},
	{REG(3, 0), "mvfr0_el1", ALL, 0},
	{REG(3, 1), "mvfr1_el1", ALL, 0},
	{REG(3, 2), "mvfr2_el1", ALL, 0},
	{PFR0, "id_aa64pfr0_el1", 0xf10f00000fff001f, 0x10},
	{PFR1, "id_aa64pfr1_el1", 0xff, 0},
	{DFR0, "id_aa64dfr0_el1", 0x10100f, 0x101000},
	{ISAR0, "id_aa64isar0_el1", 0xfffffffff0ffffff, 0},
	{ISAR1, "id_aa64isar1_el1", 0x00ffffff00fff00f, 0},
	{MMFR0, "id_aa64mmfr0_el1", 0xffffffff, 0},
	{MMFR1, "id_aa64mmfr1_el1", 0x000000f000f0f00f, 0},
	{MMFR2, "S3_0_C0_C7_2", 0xf00000ff00ff00ff, 0},
};

static int row_of(unsigned int reg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].reg == reg)
			return (int)i;
	return -1;
}

static void test_masks(void **state)
{
	(void)state;
	for (unsigned int reg = REG(0, 0); reg <= REG(15, 7); reg++) {
		int i = row_of(reg);

		cpu_value = ALL;
		assert_int_equal(guest(reg), i < 0 ? 0 : regs[i].all);
		cpu_value = 0;
		assert_int_equal(guest(reg), i < 0 ? 0 : regs[i].none);
	}
}

static void test_sources(void **state)
{
	(void)state;
	/* Each one from its own register of the CPU and from no other. */
	for (unsigned int n = 0; n < ARRAY_SIZE(regs); n++)
		for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
			u64 want = n == i ? regs[i].all : 0;

			cpu_name = regs[n].name;
			cpu_named = ALL;
			assert_int_equal(guest(regs[i].reg),
					 want | regs[i].none);
		}
}

/* By name, so that a wrong digit above cannot hide one. */
static const struct {
	unsigned int reg, lsb;
	const char *feature;
} hidden[] =
	{
		{PFR0, 8, "EL2"},
		{PFR0, 12, "EL3"},
		{PFR0, 28, "RAS"},
		{PFR0, 32, "SVE"},
		{PFR0, 36, "secure EL2"},
		{PFR0, 40, "MPAM"},
		{PFR0, 44, "AMU"},
		{PFR0, 52, "RME"},
		{PFR1, 8, "MTE"},
		{PFR1, 12, "RAS fraction"},
		{PFR1, 16, "MPAM fraction"},
		{PFR1, 24, "SME"},
		{PFR1, 32, "CSV2 fraction"},
		{PFR1, 36, "NMI"},
		{PFR1, 44, "GCS"},
		{DFR0, 4, "trace"},
		{DFR0, 8, "PMU"},
		{DFR0, 28, "context breakpoints"},
		{DFR0, 32, "SPE"},
		{DFR0, 40, "trace filter"},
		{DFR0, 44, "trace buffer"},
		{DFR0, 48, "MTPMU"},
		{DFR0, 52, "branch records"},
		{ISAR0, 24, "TME"},
		{ISAR1, 4, "address authentication"},
		{ISAR1, 8, "address authentication"},
		{ISAR1, 24, "generic authentication"},
		{ISAR1, 28, "generic authentication"},
		{ISAR1, 56, "XS"},
		{ISAR1, 60, "LS64"},
		{MMFR0, 56, "fine-grained traps"},
		{MMFR0, 60, "ECV"},
		{MMFR1, 4, "16-bit VMIDs"},
		{MMFR1, 8, "VHE"},
		{MMFR1, 16, "LORegions"},
		{MMFR1, 28, "XNX"},
		{MMFR1, 32, "TWED"},
		{MMFR1, 40, "HCX"},
		{MMFR2, 24, "nested virtualization"},
		{MMFR2, 28, "small tables"},
		{MMFR2, 40, "FWB"},
		{MMFR2, 56, "EVT"},
		{REG(1, 0), 20, "AArch32 AMU"},
		{REG(1, 0), 28, "AArch32 RAS"},
		{REG(1, 1), 12, "AArch32 virtualization"},
		{REG(1, 2), 24, "AArch32 PMU"},
		{REG(4, 4), 0, "SVE features"},
		{REG(4, 5), 32, "SME features"},
		{REG(5, 4), 0, "AFR0"},
		{REG(6, 2), 12, "QARMA3"},
		{REG(7, 3), 0, "TCR2"},
},
  kept[] = {
	  {PFR0, 0, "EL0"},	      {PFR0, 16, "FP"},
	  {PFR0, 20, "SIMD"},	      {PFR0, 24, "GIC"},
	  {PFR0, 48, "DIT"},	      {PFR0, 60, "CSV3"},
	  {PFR1, 0, "BTI"},	      {PFR1, 4, "SSBS"},
	  {DFR0, 0, "debug version"}, {ISAR0, 4, "AES"},
	  {ISAR0, 20, "LSE"},	      {ISAR0, 60, "RNDR"},
	  {ISAR1, 12, "JSCVT"},	      {ISAR1, 20, "RCpc"},
	  {MMFR0, 0, "PA range"},     {MMFR0, 28, "4 KiB granule"},
	  {MMFR1, 0, "HAFDBS"},	      {MMFR1, 20, "PAN"},
	  {MMFR2, 0, "CnP"},	      {MMFR2, 4, "UAO"},
	  {MMFR2, 20, "CCIDX"},	      {MMFR2, 60, "E0PD"},
	  {REG(1, 0), 0, "A32"},      {REG(3, 0), 0, "AArch32 SIMD registers"},
};

static void test_features(void **state)
{
	(void)state;
	cpu_value = ALL;
	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++)
		if (guest(hidden[i].reg) >> hidden[i].lsb & 15)
			fail_msg("%s shows", hidden[i].feature);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		if ((guest(kept[i].reg) >> kept[i].lsb & 15) != 15)
			fail_msg("%s is hidden", kept[i].feature);
}

/* The bits of a CPU that GICv2's guests must not see are the GIC's alone. */
static void test_gicv2(void **state)
{
	(void)state;
	cpu_value = ALL;
	version = 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		u64 less = regs[i].reg == PFR0	      ? 0xfUL << 24
			   : regs[i].reg == REG(1, 1) ? 0xfUL << 28
						      : 0;

		assert_int_equal(guest(regs[i].reg), regs[i].all & ~less);
	}
}

static void test_fixed(void **state)
{
	(void)state;
	/* EL1 is AArch64 only; two breakpoints and two watchpoints. */
	for (unsigned int i = 0; i < 64; i++) {
		cpu_value = BIT(i) - 1;
		assert_int_equal(guest(PFR0) >> 4 & 15, 1);
		assert_int_equal(guest(DFR0) >> 12 & 15, 1);
		assert_int_equal(guest(DFR0) >> 20 & 15, 1);
	}
	/* CSV2 2 and 3 promise SCXTNUM_EL0 and _EL1, which are UNDEFINED. */
	cpu_name = "id_aa64pfr0_el1";
	for (u64 csv2 = 0; csv2 < 16; csv2++) {
		cpu_named = csv2 << 56;
		assert_int_equal(guest(PFR0), (csv2 ? 1UL << 56 : 0) | 0x10);
	}
}

/* A Cortex-A72's, from its manual: nothing changes that it has. */
static u64 a72(const char *name)
{
	static const struct {
		const char *name;
		u64 val;
	} vals[] = {
		{"id_aa64pfr0_el1", 0x01002222},
		{"id_aa64dfr0_el1", 0x10305106},
		{"id_aa64isar0_el1", 0x00011120},
		{"id_aa64mmfr0_el1", 0x00001124},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(vals); i++)
		if (!strcmp(name, vals[i].name))
			return vals[i].val;
	return 0;
}

static void test_a72(void **state)
{
	(void)state;
	cpu_fn = a72;
	assert_int_equal(guest(PFR0), 0x01000012);
	assert_int_equal(guest(PFR1), 0);
	assert_int_equal(guest(DFR0), 0x00101006);
	assert_int_equal(guest(ISAR0), 0x00011120);
	assert_int_equal(guest(ISAR1), 0);
	assert_int_equal(guest(MMFR0), 0x00001124);
	assert_int_equal(guest(MMFR1), 0);
	assert_int_equal(guest(MMFR2), 0);
}

static void test_random(void **state)
{
	unsigned int seed = 23;

	(void)state;
	/* A guest never sees a bit that the CPU has not, but for the fixed. */
	for (unsigned int n = 0; n < 100000; n++) {
		cpu_value = (u64)rand_r(&seed) << 42 ^
			    (u64)rand_r(&seed) << 21 ^ (u64)rand_r(&seed);
		for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
			u64 fixed = regs[i].none;

			if (regs[i].reg == PFR0)
				fixed |= 1UL << 56;
			assert_int_equal(guest(regs[i].reg) & ~fixed,
					 cpu_value & regs[i].all & ~fixed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_masks, setup),
		cmocka_unit_test_setup(test_sources, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_fixed, setup),
		cmocka_unit_test_setup(test_gicv2, setup),
		cmocka_unit_test_setup(test_a72, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
