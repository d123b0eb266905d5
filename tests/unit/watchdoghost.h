/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's watchdog on a record of its registers: each access in order, by
 * frame, offset and value, of the width that the test asks for. Included by
 * one source of each test, after <cmocka.h>; drivers/watchdog.c is included
 * for its state.
 */
#pragma once

#include "../../drivers/watchdog.c"

#include <asm/io.h>
#include <skerry/arch/timer.h>
#include <skerry/cpu.h>

#define FRAME(i) (0x2a440000UL + (i)*0x10000UL)
#define VA(i)	 (0x900000001000UL + (i)*0x2000UL)

struct machine machine;
struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
static char trace[512], logged[512];
static u32 regs[2][16]; /* what a read gives, by frame and offset / 4 */
static unsigned int width;
static int option;
static u64 now, freq, deadline;

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
	assert_true(pa.v == FRAME(0) || pa.v == FRAME(1));
	return (void *)VA(pa.v == FRAME(1));
}
static u32 access_reg(char op, unsigned int bits, u64 addr, u32 val)
{
	size_t n = strlen(trace);
	unsigned int frame = addr >= VA(1);
	u64 offset = addr - VA(frame);

	assert_int_equal(bits, width);
	assert_in_range(offset, 0, 0x3f);
	if (op == 'r')
		val = bits == 16 ? (u16)(regs[frame][offset / 4] >>
					 8 * (offset & 2))
				 : regs[frame][offset / 4];
	snprintf(trace + n, sizeof(trace) - n, "%s%c%lx=%x ",
		 frame ? "second:" : "", op, offset, val);
	return val;
}
u16 host_mmio_read16(u64 addr)
{
	return (u16)access_reg('r', 16, addr, 0);
}
void host_mmio_write16(u64 addr, u16 val)
{
	access_reg('w', 16, addr, val);
}
u32 host_mmio_read32(u64 addr)
{
	return access_reg('r', 32, addr, 0);
}
void host_mmio_write32(u64 addr, u32 val)
{
	access_reg('w', 32, addr, val);
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
static void record_log(const char *fmt, va_list ap)
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
	record_log(fmt, ap);
	va_end(ap);
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record_log(fmt, ap);
	va_end(ap);
}

/* A board with that kind, after its reset. */
static inline void begin(enum wdt_kind kind, unsigned int nr_frames,
			 unsigned int bits)
{
	memset(&wdt, 0, sizeof(wdt));
	memset(&machine, 0, sizeof(machine));
	memset(regs, 0, sizeof(regs));
	machine.wdt.kind = kind;
	for (unsigned int i = 0; i < nr_frames; i++)
		machine.wdt.reg[i] = FRAME(i);
	width = bits;
	*trace = *logged = 0;
	option = 10;
	now = 1000;
	freq = 1000000;
	time_init_cpu();
}

/* The accesses since the last time that were asked for. */
static inline void expect_trace(const char *want)
{
	assert_string_equal(trace, want);
	*trace = 0;
}

/* Runs from here on: a quarter of the time between refreshes, and no burst. */
static inline void expect_ticks(u64 ticks, const char *refresh)
{
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(deadline, now + ticks / 4);
		now = deadline - 1;
		time_irq();
		expect_trace("");
		now++;
		time_irq();
		expect_trace(refresh);
	}
	watchdog_refresh();
	expect_trace(refresh);
	now = deadline + 3 * ticks;
	time_irq();
	expect_trace(refresh);
	assert_int_equal(deadline, now + ticks / 4);
}
