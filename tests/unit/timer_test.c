/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system counter, EL2's physical timer and the virtual timer's line: the
 * order of register accesses and barriers, and every state of the control
 * register.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpuhost.h"
#include <skerry/arch/timer.h>
#include <skerry/machine.h>
#include <skerry/time.h>

struct machine machine;

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memset(&machine, 0, sizeof(machine));
	return 0;
}

/* The counter is not read before what precedes the call is done. */
static void test_now(void **state)
{
	(void)state;
	reg_set("cntpct_el0", 0xfedcba9876543210UL);
	trace_reads = true;
	assert_int_equal(time_now(), 0xfedcba9876543210UL);
	assert_trace("isb\nmrs cntpct_el0\n");
}

/* The device tree's figure is for firmware that left the register at 0. */
static void test_freq(void **state)
{
	(void)state;
	machine.timer_freq = 54000000;
	reg_set("cntfrq_el0", 62500000);
	assert_int_equal(time_freq(), 62500000);
	reg_set("cntfrq_el0", 0);
	assert_int_equal(time_freq(), 54000000);
}

static void test_set(void **state)
{
	static const u64 at[] = {0, 1, 0x123456789abcdef0UL, ~0UL};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		arch_timer_set(at[i]);
		/* Enabled with the new deadline, never with the old one. */
		assert_trace(at[i] ? "cnthp_cval_el2=%#lx\ncnthp_ctl_el2=0x1\n"
				     "isb\n"
				   : "cnthp_cval_el2=%lu\ncnthp_ctl_el2=0x1\n"
				     "isb\n",
			     at[i]);
	}
	arch_timer_off();
	assert_trace("cnthp_ctl_el2=0\nisb\n");
}

static void test_line(void **state)
{
	(void)state;
	/* ENABLE 1, IMASK 2, ISTATUS 4; the rest is RES0, whatever it says. */
	for (u64 ctl = 0; ctl < 16; ctl++) {
		reg_set("cntv_ctl_el0", ctl);
		assert_int_equal(arch_vtimer_line(), (ctl & 7) == 5);
	}
	assert_trace("%s", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_now, setup),
		cmocka_unit_test_setup(test_freq, setup),
		cmocka_unit_test_setup(test_set, setup),
		cmocka_unit_test_setup(test_line, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
