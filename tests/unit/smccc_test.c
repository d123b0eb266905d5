/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to the firmware: what an SMC is given, destroys and answers; which
 * calls are made and when none may be; what firmware of any age, with any
 * answers, makes of the offered workarounds; and each core's vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpuhost.h"
#include <skerry/machine.h>
#include <skerry/sections.h>

#define vectors	    host_vectors
#define vectors_smc host_vectors_smc
#define vectors_bhb host_vectors_bhb
extern char host_vectors[], host_vectors_smc[], host_vectors_bhb[];

/* An SMC is a call of the test's, with the registers by their names. */
static u64 on_smc(const char *text, u64 x0, u64 x1, u64 x2, u64 x3);
/* clang-format off */
#define __asm__(...)
#define volatile(...) (""); x0 = on_smc(#__VA_ARGS__, x0, x1, x2, x3)
#include "../../arch/arm64/smccc.c"
#undef volatile
#undef __asm__
/* clang-format on */

#define NOT_SUPPORTED (~0UL)
#define W32(x)	      ((u64)(u32)(x)) /* as 32-bit firmware leaves x0 */

struct machine machine;
char host_vectors[8], host_vectors_smc[8], host_vectors_bhb[8];

/* The firmware. */
static struct {
	u64 psci_features; /* of SMCCC_VERSION */
	u64 version;
	u64 features[3]; /* of workarounds 1 to 3 */
} fw;

static u64 on_smc(const char *text, u64 x0, u64 x1, u64 x2, u64 x3)
{
	/* SMCCC 1.0: x4 to x17 are the callee's; x18 is nobody's. */
	static const char asm_text[] =
		"\"smc #0\" : \"+r\"(x0), \"+r\"(x1), \"+r\"(x2), \"+r\"(x3) "
		": : \"x4\", \"x5\", \"x6\", \"x7\", \"x8\", \"x9\", "
		"\"x10\", \"x11\", \"x12\", \"x13\", \"x14\", \"x15\", "
		"\"x16\", \"x17\", \"memory\"";

	assert_string_equal(text, asm_text);
	note("smc %lx %lx %lx %lx", x0, x1, x2, x3);
	switch (x0) {
	case 0x8400000a: /* PSCI_FEATURES */
		assert_int_equal(x1, 0x80000000);
		return fw.psci_features;
	case 0x80000000: /* SMCCC_VERSION */
		return fw.version;
	case 0x80000001: /* SMCCC_ARCH_FEATURES */
		return x1 == 0x80008000	  ? fw.features[0]
		       : x1 == 0x80007fff ? fw.features[1]
		       : x1 == 0x80003fff ? fw.features[2]
					  : NOT_SUPPORTED;
	case 0x1234567890UL:
		return x1 + 10 * x2 + 100 * x3;
	}
	return NOT_SUPPORTED;
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memset(&machine, 0, sizeof(machine));
	machine.has_psci = true;
	workarounds = 0;
	fw.psci_features = 0;
	fw.version = 0x10002;
	fw.features[0] = fw.features[1] = fw.features[2] = 0;
	return 0;
}

static void test_call(void **state)
{
	(void)state;
	/* 64 bits in and out. */
	assert_int_equal(smccc_smc(0x1234567890UL, BIT(63), 3, BIT(40)),
			 BIT(63) + 30 + 100 * BIT(40));
	assert_trace("smc 1234567890 8000000000000000 3 10000000000\n");
	assert_int_equal(smccc_smc(0xc4000003, 1, 2, 3), NOT_SUPPORTED);
}

/* With a spin table, the instruction is UNDEFINED. */
static void test_no_psci(void **state)
{
	(void)state;
	machine.has_psci = false;
	arch_init();
	assert_trace("%s", "");
	assert_int_equal(smccc_workarounds(), 0);
}

/* Before SMCCC 1.1 its functions may not be called (DEN 0028). */
static void test_old_firmware(void **state)
{
	static const u64 none[] = {NOT_SUPPORTED, W32(-1), W32(-2), BIT(31),
				   ~0UL << 31};
	static const u64 old[] = {NOT_SUPPORTED, W32(-1), 0, 1,
				  0x10000,	 BIT(31)};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		fw.psci_features = none[i];
		arch_init();
		assert_trace("smc 8400000a 80000000 0 0\n");
		assert_int_equal(smccc_workarounds(), 0);
	}
	fw.psci_features = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(old); i++) {
		fw.version = old[i];
		arch_init();
		assert_trace("smc 8400000a 80000000 0 0\nsmc 80000000 0 0 0\n");
		assert_int_equal(smccc_workarounds(), 0);
	}
}

static void test_workarounds(void **state)
{
	/* Offered, or not needed on this CPU; what is below 0 is neither. */
	static const u64 yes[] = {0, 1, 0x7fffffff, BIT(32)};
	static const u64 no[] = {NOT_SUPPORTED, W32(-1), W32(-2), BIT(31)};

	(void)state;
	for (unsigned int n = 0; n < 8 * 4; n++) {
		fw.version = n & 1 ? 0x10001 : 0x10004;
		for (unsigned int i = 0; i < 3; i++)
			fw.features[i] = n >> i & 1 ? yes[n / 8] : no[n / 8];
		trace_clear();
		arch_init();
		assert_int_equal(smccc_workarounds(), n & 7);
		trace_at("smc 80000001 80008000 0 0");
		trace_at("smc 80000001 80007fff 0 0");
		trace_at("smc 80000001 80003fff 0 0");
		/* Asked only when it is known that it may be. */
		assert_memory_equal(events,
				    "smc 8400000a 80000000 0 0\n"
				    "smc 80000000 0 0 0\n",
				    45);
	}
}

static void test_vectors(void **state)
{
	static const struct {
		u64 midr, pfr0;
		const char *plain, *fixed; /* without and with workaround 3 */
	} cpus[] = {
		/* A53, A55: not affected */
		{0x410fd034, 0, host_vectors, host_vectors},
		{0x412fd050, 0, host_vectors, host_vectors},
		/* A57, A72: by the firmware, if it can */
		{0x411fd070, 0, host_vectors, host_vectors_smc},
		{0x410fd083, 0, host_vectors, host_vectors_smc},
		{0x410fd083, ~0UL, host_vectors, host_vectors_smc},
		/* A76: here, unless CSV2 says that it is not affected */
		{0x414fd0b1, 0, host_vectors_bhb, host_vectors_bhb},
		{0x414fd0b1, ~BITS(59, 56), host_vectors_bhb, host_vectors_bhb},
		{0x414fd0b1, BIT(56), host_vectors, host_vectors},
		{0x414fd0b1, BIT(59), host_vectors, host_vectors},
		/* Other makers' parts of these numbers */
		{0x510fd083, 0, host_vectors, host_vectors},
		{0x000fd0b1, 0, host_vectors, host_vectors},
		/* Arm's without them */
		{0x410fd0c1, 0, host_vectors, host_vectors},
		{0x410f0000, 0, host_vectors, host_vectors},
	};

	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(cpus); i++) {
		const char *table = i & 1 ? cpus[i / 2].fixed
					  : cpus[i / 2].plain;

		fw.features[0] = fw.features[1] = i & 1 ? NOT_SUPPORTED : 0;
		fw.features[2] = i & 1 ? 0 : NOT_SUPPORTED;
		arch_init();
		reg_set("midr_el1", cpus[i / 2].midr);
		reg_set("id_aa64pfr0_el1", cpus[i / 2].pfr0);
		trace_clear();
		arch_init_cpu();
		assert_trace("vbar_el2=%#lx\n", (u64)table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_call, setup),
		cmocka_unit_test_setup(test_no_psci, setup),
		cmocka_unit_test_setup(test_old_firmware, setup),
		cmocka_unit_test_setup(test_workarounds, setup),
		cmocka_unit_test_setup(test_vectors, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
