/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board for the tests of the GIC drivers: registers keep what is written or
 * preset, those that are banked for each CPU, and every access and barrier is
 * appended to `trace` as text, so that values and order are compared at once.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm/barrier.h>
#include <asm/io.h>
#include <asm/static_branch.h>
#include <asm/sysreg.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/machine.h>
#include <skerry/panic.h>

#define NR_CPUS	 3
#define MAX_REGS 4096
#define HTIMER	 26

struct machine machine;
struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus = NR_CPUS;
struct cpu *host_this_cpu = &cpus[0];
bool host_branch_taken;

void arch_take_branch(void)
{
	host_branch_taken = true;
}

static char trace[1 << 20];
static size_t trace_len;
static jmp_buf died;
static char why[256];

/* Names of frames in the trace, and which CPU's copy an address is. */
struct frame {
	const char *name;
	u64 base, size;
};
static const struct frame *frames;
static unsigned int nr_frames;
static unsigned int (*bank_of)(u64 addr);

static struct reg {
	u64 addr;
	const char *name; /* system registers */
	unsigned int cpu;
	u64 val;
} regs[MAX_REGS];
static unsigned int nr_regs;

/* So many reads after a write here have `busy_bit`, read-only, set. */
static u64 busy_addr, busy_bit;
static unsigned int busy_reads, busy_after_write;
/* Bits of a system register that cannot be cleared. */
static const char *fixed_name;
static u64 fixed_bits;

static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	trace_len += (size_t)vsnprintf(trace + trace_len,
				       sizeof(trace) - trace_len, fmt, ap);
	va_end(ap);
	assert_true(trace_len < sizeof(trace));
}

static void clear_trace(void)
{
	trace_len = 0;
	trace[0] = 0;
}

static void note_reg(u64 addr)
{
	for (unsigned int i = 0; i < nr_frames; i++)
		if (addr >= frames[i].base &&
		    addr - frames[i].base < frames[i].size) {
			note("%s+%lx", frames[i].name, addr - frames[i].base);
			return;
		}
	fail_msg("access to %#lx, which is no register", addr);
}

static u64 *slot(u64 addr, const char *name)
{
	unsigned int cpu = name ? host_this_cpu->id : bank_of(addr);

	for (unsigned int i = 0; i < nr_regs; i++)
		if (regs[i].cpu == cpu && regs[i].addr == addr &&
		    (name ? regs[i].name && !strcmp(regs[i].name, name)
			  : !regs[i].name))
			return &regs[i].val;
	assert_true(nr_regs < MAX_REGS);
	regs[nr_regs] = (struct reg){addr, name, cpu, 0};
	return &regs[nr_regs++].val;
}

static u64 *mmio(u64 addr)
{
	return slot(addr, NULL);
}

static u64 *sysreg(const char *name)
{
	return slot(0, name);
}

static u64 read_reg(u64 addr, unsigned int bits)
{
	u64 val = *mmio(addr);

	note("r");
	note_reg(addr);
	note(bits == 64 ? "(64); " : "; ");
	if (addr == busy_addr && busy_reads && busy_reads--)
		val |= busy_bit;
	return val;
}

static void write_reg(u64 addr, u64 val, unsigned int bits)
{
	note_reg(addr);
	note(bits == 64 ? "(64)=%lx; " : "=%lx; ", val);
	if (addr == busy_addr) {
		val &= ~busy_bit;
		busy_reads = busy_after_write;
	}
	*mmio(addr) = val;
}

#define HOST_MMIO(bits)                                                        \
	u##bits host_mmio_read##bits(u64 addr)                                 \
	{                                                                      \
		return (u##bits)read_reg(addr, bits);                          \
	}                                                                      \
	void host_mmio_write##bits(u64 addr, u##bits val)                      \
	{                                                                      \
		write_reg(addr, val, bits);                                    \
	}
HOST_MMIO(32)
HOST_MMIO(64)

u64 host_sysreg_read(const char *name)
{
	return *sysreg(name);
}

void host_sysreg_write(const char *name, u64 val)
{
	note("%s=%lx; ", name, val);
	if (fixed_name && !strcmp(name, fixed_name))
		val |= fixed_bits;
	*sysreg(name) = val;
}

static void on_barrier(const char *name)
{
	note("%s; ", name);
}
void (*host_barrier)(const char *name) = on_barrier;

void *mmu_map_device(paddr_t pa, u64 size)
{
	note("map %lx+%lx; ", pa.v, size);
	return (void *)pa.v;
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	longjmp(died, 1);
}

/* Why fn() died, or "". */
static const char *death_of(void (*fn)(void))
{
	why[0] = 0;
	if (!setjmp(died))
		fn();
	return why;
}

static void reset_host(void)
{
	clear_trace();
	nr_regs = 0;
	busy_addr = busy_reads = busy_after_write = 0;
	fixed_name = NULL;
	memset(&machine, 0, sizeof(machine));
	machine.htimer_intid = HTIMER;
	memset(cpus, 0, sizeof(cpus));
	for (unsigned int i = 0; i < NR_CPUS; i++)
		cpus[i].id = i;
	host_this_cpu = &cpus[0];
}

static void on_cpu(unsigned int cpu)
{
	host_this_cpu = &cpus[cpu];
}

/* What was traced since the last call. */
#define assert_trace(text)                                                     \
	do {                                                                   \
		assert_string_equal(trace, text);                              \
		clear_trace();                                                 \
	} while (0)

static void assert_begins(const char *text)
{
	if (strncmp(trace, text, strlen(text)))
		fail_msg("%.300s\ndoes not begin with\n%s", trace, text);
}

static void assert_ends(const char *text)
{
	assert_true(trace_len >= strlen(text));
	assert_string_equal(trace + trace_len - strlen(text), text);
}

/*
 * The reset of INTIDs [first, end) in a frame: all of them and no other, and
 * none but EL2's timer before the others.
 */
static void assert_reset(u64 frame, u32 first, u32 end, u32 group)
{
	for (u32 i = 0; i < 1024; i += 32) {
		bool in = i >= first && i < end;

		assert_int_equal(*mmio(frame + 0x80 + i / 8), in ? group : 0);
		assert_int_equal(*mmio(frame + 0x180 + i / 8), in ? ~0U : 0);
		assert_int_equal(*mmio(frame + 0x280 + i / 8), in ? ~0U : 0);
		assert_int_equal(*mmio(frame + 0x380 + i / 8), in ? ~0U : 0);
	}
	for (u32 i = 0; i < 1024; i += 4)
		assert_int_equal(*mmio(frame + 0x400 + i),
				 i < first || i >= end	    ? 0
				 : i == HTIMER - HTIMER % 4 ? 0xa080a0a0
							    : 0xa0a0a0a0);
}
