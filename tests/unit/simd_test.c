/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIMD registers for EL2: what a vCPU has in them is stored, once and after
 * the trap is off, and it no longer counts as loaded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "cpuhost.h"

/* Instead of the host's, whose numbers are others. */
#define _SYS_AUXV_H 1
#define getauxval   skerry_getauxval
#include "../../lib/libc/sys/auxv.h"
#include "../../arch/arm64/simd.c"

static struct cpu me;
struct cpu *host_this_cpu = &me;
static struct vcpu vcpu;

void arch_fp_save(struct arch_fpregs *fp)
{
	assert_ptr_equal(fp, &vcpu.arch.fp);
	/* It would be loaded again, or lost, if it still counted elsewhere. */
	assert_ptr_equal(me.fp_owner, &vcpu);
	note("save");
}

static int setup(void **state)
{
	(void)state;
	memset(&me, 0, sizeof(me));
	trace_clear();
	return 0;
}

static void test_take(void **state)
{
	(void)state;
	me.fp_owner = &vcpu;
	arch_simd_take();
	assert_trace("cptr_el2=%#lx\nisb\nsave\n",
		     CPTR_RES1 | CPTR_TZ | CPTR_TTA);
	assert_null(me.fp_owner);
	/* Whose is in the registers now is nobody's. */
	for (unsigned int i = 0; i < 3; i++) {
		arch_simd_take();
		assert_trace("cptr_el2=%#lx\nisb\n",
			     CPTR_RES1 | CPTR_TZ | CPTR_TTA);
		assert_null(me.fp_owner);
	}
}

/* The instructions, not what only looks like them. */
static void test_features(void **state)
{
	(void)state;
	reg_set("id_aa64isar0_el1", 0);
	assert_int_equal(skerry_getauxval(AT_HWCAP), 0);
	reg_set("id_aa64isar0_el1", ~BITS(15, 12));
	assert_int_equal(skerry_getauxval(AT_HWCAP), 0);
	/* SHA2: 1 is SHA-256, 2 is SHA-512 as well. */
	for (u64 n = 1; n <= 2; n++) {
		reg_set("id_aa64isar0_el1", n << 12);
		assert_int_equal(skerry_getauxval(AT_HWCAP), HWCAP_SHA2);
	}
	assert_int_equal(skerry_getauxval(AT_HWCAP + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_take, setup),
		cmocka_unit_test_setup(test_features, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
