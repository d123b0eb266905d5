/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic watchdog on a record of its registers: the order of writes, its
 * figures for each option and counter, refreshes by time, and boards without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../drivers/sbsa_wdt.c"
#include <skerry/arch/timer.h>
#include <skerry/cpu.h>

#define CONTROL	   0x2a440000UL
#define REFRESH	   0x2a450000UL
#define CONTROL_VA 0x900000001000UL
#define REFRESH_VA 0x900000003000UL

struct machine machine;
struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
static char trace[512], logged[512];
static int option;
static u64 now, freq, deadline;
static unsigned int nr_refreshes;

int machine_get_number(const char *name, u32 lowest, u32 most)
{
	assert_string_equal(name, "watchdog=");
	assert_int_equal(lowest, 1);
	assert_int_equal(most, 3600);
	return option;
}
void *mmu_map_device(paddr_t pa, u64 size)
{
	assert_int_equal(size, PAGE_SIZE);
	assert_true(pa.v == CONTROL || pa.v == REFRESH);
	return (void *)(pa.v == CONTROL ? CONTROL_VA : REFRESH_VA);
}
u32 host_mmio_read32(u64 addr)
{
	fail_msg("%#lx is read", addr);
	return 0;
}
void host_mmio_write32(u64 addr, u32 val)
{
	size_t n = strlen(trace);

	if (addr == REFRESH_VA) {
		nr_refreshes++;
		return;
	}
	assert_int_equal(addr & ~0xfffUL, CONTROL_VA);
	snprintf(trace + n, sizeof(trace) - n, "%lx=%x ", addr & 0xfff, val);
}
u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return freq;
}
void arch_timer_set(u64 at)
{
	deadline = at;
}
void arch_timer_off(void)
{
	deadline = ~0UL;
}
static void note(const char *fmt, va_list ap)
{
	size_t n = strlen(logged);

	vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	strcat(logged, "|");
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_WARNING);
	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
}

static int setup(void **state)
{
	memset(&wdt, 0, sizeof(wdt));
	machine.wdt_control = CONTROL;
	machine.wdt_refresh = REFRESH;
	*trace = *logged = 0;
	nr_refreshes = 0;
	option = 10;
	now = 1000;
	freq = 1000000;
	time_init_cpu();
	return 0;
}

/* The time before it is enabled; a quarter of it passes between refreshes. */
static void test_start(void **state)
{
	watchdog_init();
	assert_string_equal(trace, "8=4c4b40 0=1 "); /* 5 s to WS0 */
	assert_string_equal(logged, "watchdog: resets the board after 10 s "
				    "without EL2|");
	assert_int_equal(nr_refreshes, 1);
	for (unsigned int i = 1; i < 50; i++) {
		assert_int_equal(deadline, 1000 + i * 2500000UL);
		now = deadline - 1;
		time_irq();
		assert_int_equal(nr_refreshes, i);
		now++;
		time_irq();
		assert_int_equal(nr_refreshes, i + 1);
	}
	watchdog_refresh();
	assert_int_equal(nr_refreshes, 51);
	/* Late, it does not catch up by a burst. */
	now = deadline + 7500000;
	time_irq();
	assert_int_equal(nr_refreshes, 52);
	assert_int_equal(deadline, now + 2500000);
}

static void test_none(void **state)
{
	option = -1;
	watchdog_init();
	watchdog_refresh();
	assert_string_equal(logged, "");
	option = 7;
	machine.wdt_control = 0;
	watchdog_init();
	watchdog_refresh();
	assert_string_equal(logged, "options: watchdog=7: the board has no "
				    "\"arm,sbsa-gwdt\"|");
	assert_string_equal(trace, "");
	assert_int_equal(nr_refreshes, 0);
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
		{1, 62500000, "8=1dcd650 0=1 ", "after 1 s"},
		{137, 62500000, "8=ff2eb0d0 0=1 ", "after 137 s"},
		{138, 62500000, "8=ffffffff 0=1 ",
		 "options: watchdog=138: 137 is the most|"},
		{3600, 1000000, "8=6b49d200 0=1 ", "after 3600 s"},
		{3600, 1000000000, "8=ffffffff 0=1 ",
		 "options: watchdog=3600: 8 is the most|"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		option = cases[i].seconds;
		freq = cases[i].freq;
		watchdog_init();
		assert_string_equal(trace, cases[i].trace);
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
