/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i.MX' WDOG: its reasons, the power-down counter, what is written once and
 * what is kept of the loader's, limits and refreshes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watchdoghost.h"

#define SET_WCR(val)  (regs[0][0] = (val))
#define SET_WRSR(val) (regs[0][1] = (val))
#define SERVICE	      "w2=5555 w2=aaaa "

static int setup(void **state)
{
	begin(WDT_IMX, 1, 16);
	SET_WCR(0x30); /* as reset leaves it */
	return 0;
}

static void test_reason(void **state)
{
	static const struct {
		u32 wrsr;
		const char *reason;
	} cases[] = {
		{0x10, "power on"}, {0x02, "watchdog"}, {0x01, "software"},
		{0x12, "watchdog"}, {0x11, "software"}, {0, NULL},
		{0xffec, NULL},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[40];
		const char *reason;

		setup(state);
		option = -1;
		SET_WRSR(cases[i].wrsr);
		reason = watchdog_probe();
		if (cases[i].reason)
			assert_string_equal(reason, cases[i].reason);
		else
			assert_null(reason);
		watchdog_init();
		/* The power-down counter, also when nobody asks for more. */
		snprintf(want, sizeof(want), "r4=%x w8=0 ", cases[i].wrsr);
		expect_trace(want);
	}
}

static void test_start(void **state)
{
	watchdog_probe();
	expect_trace("r4=0 w8=0 ");
	watchdog_init();
	/* 20 halves of a second. */
	expect_trace("r0=30 w0=1334 " SERVICE);
	assert_string_equal(logged, "watchdog: resets the board after 10 s "
				    "without EL2|");
	expect_ticks(10000000, SERVICE);
}

/* WDT only with fsl,ext-reset-output; the loader's bits stay, but WT. */
static void test_wcr(void **state)
{
	static const struct {
		bool ext;
		u32 before;
		int seconds;
		const char *want, *logged;
	} cases[] = {
		{true, 0x30, 10, "133c ", "after 10 s"},
		{false, 0xff8f, 1, "1bf ", "after 1 s"},
		{false, 0x00, 2, "334 ", "after 2 s"},
		{true, 0x77b7, 127, "fdbf ", "after 127 s"},
		{false, 0x30, 128, "ff34 ", "after 128 s"},
		{false, 0x30, 129, "ff34 ", "watchdog=129: 128 is the most|"},
		{false, 0x30, 3600, "ff34 ", "watchdog=3600: 128 is the most|"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[80];

		setup(state);
		machine.wdt.ext_reset = cases[i].ext;
		option = cases[i].seconds;
		watchdog_probe();
		SET_WCR(cases[i].before);
		watchdog_init();
		snprintf(want, sizeof(want), "r4=0 w8=0 r0=%x w0=%s" SERVICE,
			 cases[i].before, cases[i].want);
		expect_trace(want);
		assert_non_null(strstr(logged, cases[i].logged));
		assert_int_equal(!strstr(logged, "most"), option <= 128);
		assert_int_equal(deadline - now,
				 (u64)min(option, 128) * freq / 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reason, setup),
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_wcr, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
