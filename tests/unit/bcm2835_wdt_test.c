/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Raspberry Pis' watchdog: its reasons among the bits of a boot partition,
 * passwords, what is kept of PM_RSTC, limits and refreshes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watchdoghost.h"

#define SET_RSTC(val) (regs[0][0x1c / 4] = (val))
#define SET_RSTS(val) (regs[0][0x20 / 4] = (val))

static int setup(void **state)
{
	begin(WDT_BCM2835, 1, 32);
	SET_RSTC(0x102); /* as reset leaves it */
	return 0;
}

static void test_reason(void **state)
{
	static const struct {
		u32 rsts;
		const char *reason;
	} cases[] = {
		{0x1000, "power on"},
		{0x1020, "watchdog"},
		{0x20, "watchdog"},
		{0x1200, "software"},
		{0x1002, "debugger"},
		{0x220, "watchdog"},
		{0x202, "software"},
		{0x1555, "power on"},
		{0x420, "watchdog"},
		{0x555, NULL},
		{0, NULL},
		{0xffffedff & ~0x22U, NULL},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[40];
		const char *reason;

		setup(state);
		option = -1;
		SET_RSTS(cases[i].rsts);
		reason = watchdog_probe();
		if (cases[i].reason)
			assert_string_equal(reason, cases[i].reason);
		else
			assert_null(reason);
		watchdog_init();
		watchdog_refresh();
		snprintf(want, sizeof(want), "r20=%x ", cases[i].rsts);
		expect_trace(want);
	}
}

static void test_start(void **state)
{
	static const char refresh[] = "r1c=102 w24=5a0a0000 w1c=5a000122 ";

	watchdog_probe();
	expect_trace("r20=0 ");
	watchdog_init();
	/* It runs from the first refresh on, with the time before WRCFG. */
	expect_trace(refresh);
	assert_string_equal(logged, "watchdog: resets the board after 10 s "
				    "without EL2|");
	expect_ticks(10000000, refresh);
}

/* Nothing of PM_RSTC but the password and WRCFG changes. */
static void test_rstc(void **state)
{
	static const struct {
		u32 before;
		int seconds;
		const char *want, *logged;
	} cases[] = {
		{0x102, 1, "w24=5a010000 w1c=5a000122 ", "after 1 s"},
		{0x132, 15, "w24=5a0f0000 w1c=5a000122 ", "after 15 s"},
		{0xffffffff, 16, "w24=5a0f0000 w1c=5affffef ",
		 "watchdog=16: 15 is the most|"},
		{0, 3600, "w24=5a0f0000 w1c=5a000020 ",
		 "watchdog=3600: 15 is the most|"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[80];

		setup(state);
		option = cases[i].seconds;
		watchdog_probe();
		SET_RSTC(cases[i].before);
		watchdog_init();
		snprintf(want, sizeof(want), "r20=0 r1c=%x %s", cases[i].before,
			 cases[i].want);
		expect_trace(want);
		assert_non_null(strstr(logged, cases[i].logged));
		assert_int_equal(!strstr(logged, "most"), option <= 15);
		assert_int_equal(deadline - now,
				 (u64)min(option, 15) * freq / 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reason, setup),
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_rstc, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
