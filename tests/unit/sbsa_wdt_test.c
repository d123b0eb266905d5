/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic watchdog: the order of writes, its figures for each option and
 * counter, refreshes by time; and boards that have no watchdog at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watchdoghost.h"

static int setup(void **state)
{
	begin(WDT_SBSA, 2, 32);
	return 0;
}

/* The time before it is enabled. */
static void test_start(void **state)
{
	assert_null(watchdog_probe());
	watchdog_refresh();
	expect_trace("");
	watchdog_init();
	expect_trace("w8=4c4b40 w0=1 second:w0=0 "); /* 5 s to WS0 */
	assert_string_equal(logged, "watchdog: resets the board after 10 s "
				    "without EL2|");
	expect_ticks(10000000, "second:w0=0 ");
}

static void test_none(void **state)
{
	option = -1;
	watchdog_probe();
	watchdog_init();
	watchdog_refresh();
	assert_string_equal(logged, "");
	begin(WDT_NONE, 0, 32);
	option = 7;
	assert_null(watchdog_probe());
	watchdog_init();
	watchdog_refresh();
	assert_string_equal(logged, "options: watchdog=7: the board has none "
				    "that we know|");
	expect_trace("");
	assert_int_equal(deadline, ~0UL);
}

/* As long as 32 bits of WOR allow. */
static void test_limits(void **state)
{
	static const struct {
		int seconds;
		u64 freq;
		const char *trace, *logged;
	} cases[] = {
		{1, 62500000, "w8=1dcd650 w0=1 ", "after 1 s"},
		{137, 62500000, "w8=ff2eb0d0 w0=1 ", "after 137 s"},
		{138, 62500000, "w8=ff2eb0d0 w0=1 ",
		 "options: watchdog=138: 137 is the most|"},
		{3600, 1000000, "w8=6b49d200 w0=1 ", "after 3600 s"},
		{3600, 1000000000, "w8=ee6b2800 w0=1 ",
		 "options: watchdog=3600: 8 is the most|"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		option = cases[i].seconds;
		freq = cases[i].freq;
		watchdog_probe();
		watchdog_init();
		assert_memory_equal(trace, cases[i].trace,
				    strlen(cases[i].trace));
		assert_non_null(strstr(logged, cases[i].logged));
		assert_true(deadline - now <= (u64)option * freq / 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_none, setup),
		cmocka_unit_test_setup(test_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
