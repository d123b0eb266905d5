/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing up the other CPUs: what is written and cleaned before one is
 * started, by PSCI or a spin table; that they come one after the other; and
 * the ends of a boot whose firmware refuses or whose CPU stays away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpuhost.h"
#include "stophost.h"
#include <skerry/cpu.h>

/* Waiting is watched here; the record would be too long. */
#include <asm/barrier.h>
static void on_wait(void);
#undef cpu_relax
#define cpu_relax() on_wait()
#include "../../arch/arm64/smp.c"

#define ROOT	   0x40123000UL
#define IMAGE_PA   0x40200000UL
#define FREQ	   1000UL
#define RELEASE(i) (0x1e0UL + 8 * (i))

struct cpu cpus[CONFIG_NR_CPUS];
struct cpu *host_this_cpu = &cpus[0];
unsigned int nr_cpus;
struct machine machine;
/* The entries of boot.S are where the image says, here. */
char secondary_entry[8], secondary_spin[8];

static u64 now, latency; /* of a CPU, in ticks */
static u64 started;	 /* CPU that will come up; 0: none */
static u64 started_at;
static u64 on_result;
static bool stays_away;
static _Alignas(64) u64 frame[512]; /* with the spin table's words */
static bool window_open;

STOPS_AS(die)

paddr_t image_pa(const void *sym)
{
	if (sym == secondary_entry)
		return PADDR(IMAGE_PA + 0x200);
	if (sym == secondary_spin)
		return PADDR(IMAGE_PA + 0x240);
	assert_in_range((u64)sym, (u64)boot_args,
			(u64)&boot_args[CONFIG_NR_CPUS - 1]);
	return PADDR(IMAGE_PA + 0x8000 + ((u64)sym - (u64)boot_args));
}
paddr_t mmu_boot_root(void)
{
	note("boot_root");
	return PADDR(ROOT);
}
void *mmu_window(unsigned int slot, paddr_t pa)
{
	assert_false(window_open);
	assert_true(pa.v < sizeof(frame));
	window_open = true;
	note("window %u %#lx", slot, pa.v);
	return (char *)frame + pa.v;
}
void mmu_window_close(unsigned int slot)
{
	assert_true(window_open);
	window_open = false;
	note("close %u", slot);
}
/* By name; and with what it holds at that moment. */
void cache_clean_inval(const void *p, u64 size)
{
	const struct boot_args *args = p;
	u64 arg = (u64)((const char *)p - (const char *)boot_args);
	u64 cpu = (u64)((const char *)p - (const char *)cpus);

	if (arg < sizeof(boot_args)) {
		assert_int_equal(size, 16);
		assert_int_equal(args->root, ROOT);
		assert_int_equal(args->cpu, (u64)&cpus[arg / 16]);
		note("clean args %lu", arg / 16);
	} else if (cpu < sizeof(cpus)) {
		note("clean cpus %lu to %lu", cpu / sizeof(struct cpu),
		     (cpu + size) / sizeof(struct cpu) - 1);
	} else {
		assert_true(window_open);
		note("clean %#lx+%lu: %#lx", (u64)p - (u64)frame, size,
		     *(const u64 *)p);
	}
}
static void start(u64 i)
{
	/* One at a time: the one before has come up. */
	assert_int_equal(started, 0);
	if (stays_away)
		return;
	started = i;
	started_at = now;
}
u64 smccc_smc(u64 fn, u64 a1, u64 a2, u64 a3)
{
	note("smc %#lx %#lx %#lx %#lx", fn, a1, a2, a3);
	if (fn == 0xc4000003 && !on_result)
		start((a3 - IMAGE_PA - 0x8000) / sizeof(struct boot_args));
	return on_result;
}
u64 time_now(void)
{
	return now++;
}
u64 time_freq(void)
{
	return FREQ;
}
void log_line(const char *fmt, ...)
{
	assert_string_equal(fmt, "no PSCI to end with: CPU %u is parked");
	note("log");
}
void arch_cpu_park(void)
{
	note("park");
	longjmp(stopped, 1);
}

static void on_wait(void)
{
	if (started && now - started_at >= latency) {
		cpus[started].online = 1;
		started = 0;
	}
}

/* The event that wakes CPUs from a spin table. */
static void on_barrier(const char *name)
{
	note("%s", name);
	if (strcmp(name, "sev"))
		return;
	for (unsigned int i = 1; i < nr_cpus; i++)
		if (frame[RELEASE(i) / 8] && !cpus[i].online)
			start(i);
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	host_barrier = on_barrier;
	memset(cpus, 0, sizeof(cpus));
	memset(boot_args, 0, sizeof(boot_args));
	memset(frame, 0, sizeof(frame));
	memset(&machine, 0, sizeof(machine));
	machine.has_psci = true;
	nr_cpus = 4;
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++) {
		machine.cpus[i].mpidr = BIT(32) | i << 8;
		machine.cpus[i].method = CPU_METHOD_PSCI;
		machine.cpus[i].release = RELEASE(i);
	}
	now = 100;
	latency = 3;
	started = on_result = 0;
	stays_away = window_open = false;
	return 0;
}

static void test_mpidr(void **state)
{
	static const struct {
		u64 reg, affinity;
	} rows[] = {
		{0x80000000, 0}, /* RES1 */
		{0x81000003, 3}, /* MT */
		{0xc0000001, 1}, /* U */
		{0x80010203, 0x10203}, {0xff80000000, 0xff00000000},
		{~0UL, 0xff00ffffff},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		reg_set("mpidr_el1", rows[i].reg);
		assert_int_equal(arch_mpidr(), rows[i].affinity);
	}
}

static void test_psci(void **state)
{
	(void)state;
	smp_start_secondaries();
	/* Its arguments are in memory when it starts, which is then waited. */
	assert_trace("boot_root\nclean args 1\nclean cpus 0 to 1\n"
		     "smc 0xc4000003 0x100000100 0x40200200 0x40208010\n"
		     "boot_root\nclean args 2\nclean cpus 0 to 2\n"
		     "smc 0xc4000003 0x100000200 0x40200200 0x40208020\n"
		     "boot_root\nclean args 3\nclean cpus 0 to 3\n"
		     "smc 0xc4000003 0x100000300 0x40200200 0x40208030\n");
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(cpus[i].online, 1);
	assert_int_equal(cpus[4].online, 0);
	/* Itself it does not start. */
	assert_int_equal(boot_args[0].cpu, 0);
}

static void test_one_cpu(void **state)
{
	(void)state;
	nr_cpus = 1;
	smp_start_secondaries();
	assert_trace("%s", "");
}

static void test_all_cpus(void **state)
{
	(void)state;
	nr_cpus = CONFIG_NR_CPUS;
	latency = 100;
	smp_start_secondaries();
	for (unsigned int i = 1; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(cpus[i].online, 1);
}

static void test_spin_table(void **state)
{
	(void)state;
	nr_cpus = 3;
	machine.cpus[1].method = machine.cpus[2].method = CPU_METHOD_SPIN;
	machine.has_psci = false;
	smp_start_secondaries();
	/* Written, in memory, and then the event; no call of any firmware. */
	assert_trace(
		"boot_root\nclean args 1\nclean cpus 0 to 1\n"
		"window 0 0x1e8\nclean 0x1e8+8: 0x40200240\nclose 0\nsev\n"
		"boot_root\nclean args 2\nclean cpus 0 to 2\n"
		"window 0 0x1f0\nclean 0x1f0+8: 0x40200240\nclose 0\nsev\n");
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(frame[i], i == 61 || i == 62 ? 0x40200240 : 0);
}

static void refuse(u64 result, int err)
{
	char text[80];

	setup(NULL);
	on_result = result;
	snprintf(text, sizeof(text),
		 "die: cpus: CPU 1 (MPIDR 0x100000100) does not start: %d", err);
	assert_stops(smp_start_secondaries(), text);
	/* Not another attempt, nor another CPU. */
	assert_int_equal(now, 101);
	assert_int_equal(boot_args[2].cpu, 0);
}

/* Every error of CPU_ON (DEN 0022), of 64 and 32 bits. */
static void test_refused(void **state)
{
	(void)state;
	for (int err = -1; err >= -9; err--) {
		refuse((u64)(s64)err, err);
		refuse((u32)err, err);
	}
}

static void test_stays_away(void **state)
{
	(void)state;
	stays_away = true;
	assert_stops(smp_start_secondaries(),
		     "die: cpus: CPU 1 (MPIDR 0x100000100) does not come up");
	/* After five seconds, and not much later. */
	assert_in_range(now, 100 + 5 * FREQ, 100 + 5 * FREQ + 10);
	setup(NULL);
	machine.cpus[1].method = CPU_METHOD_SPIN;
	stays_away = true;
	assert_stops(smp_start_secondaries(),
		     "die: cpus: CPU 1 (MPIDR 0x100000100) does not come up");
	/* The time is that of all of them. */
	setup(NULL);
	latency = 2 * FREQ;
	assert_stops(smp_start_secondaries(),
		     "die: cpus: CPU 3 (MPIDR 0x100000300) does not come up");
	assert_true(cpus[1].online && cpus[2].online && !cpus[3].online);
}

static void end(bool psci)
{
	machine.has_psci = psci;
	assert_stops(arch_poweroff(), "");
	assert_trace("%slog\npark\n", psci ? "smc 0x84000008 0 0 0\n" : "");
	assert_stops(arch_reboot(), "");
	assert_trace("%slog\npark\n", psci ? "smc 0x84000009 0 0 0\n" : "");
}

/* Firmware that comes back from the call, and a board without. */
static void test_end(void **state)
{
	(void)state;
	end(true);
	end(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mpidr, setup),
		cmocka_unit_test_setup(test_psci, setup),
		cmocka_unit_test_setup(test_one_cpu, setup),
		cmocka_unit_test_setup(test_all_cpus, setup),
		cmocka_unit_test_setup(test_spin_table, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_stays_away, setup),
		cmocka_unit_test_setup(test_end, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
