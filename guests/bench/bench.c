/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what the probe guest of the peer measurements does not, in its
 * output format (`PROBE name mean min max iterations`, nanoseconds), so that
 * no single call can be tuned alone: AFFINITY_INFO, an unknown function, an
 * IPRIORITYR byte, a register of the last redistributor.
 * Boot arguments: iterations=N (default 1000); `wait` only sits in WFI, to be
 * present beside a guest that measures; `spin_ms=N` only counts for so long,
 * with `at_ms=N` from that time of the counter on, which all guests share;
 * `sleep_ms=N` only sleeps; `lines=N every_us=N` prints so many lines, at once
 * or at such times; `plant=N` first fills 256 KiB with N times a constant;
 * `lives=N` resets until it has started N times, at a time that it has printed,
 * and tells when its first instruction was.
 */
#include <libfdt.h>

#include "guest.h"

#define GICD_IPRIORITYR 0x400
#define GICR_TYPER	0x008
#define GAP_US		20
#define UNKNOWN_FN	0x8600fe01ul /* no such vendor function */

static u64 iterations, gicr_last;
static u64 planted[32768];

static void affinity_info(void)
{
	psci(PSCI_AFFINITY_INFO, plat.mpidr[0], 0, 0);
}

static void unknown_function(void)
{
	psci(UNKNOWN_FN, 0, 0, 0);
}

static void prio_read(void)
{
	read8(plat.gicd + GICD_IPRIORITYR + 32);
}

static void prio_write(void)
{
	write8(plat.gicd + GICD_IPRIORITYR + 32, 0xa0);
}

static void redist_read(void)
{
	read64(gicr_last + GICR_TYPER);
}

static void nothing(void)
{
}

static const struct {
	const char *name;
	void (*fn)(void);
} table[] = {
	{"bench_nothing", nothing},
	{"affinity_info", affinity_info},
	{"unknown_function", unknown_function},
	{"gicd_ipriorityr_read8", prio_read},
	{"gicd_ipriorityr_write8", prio_write},
	{"gicr_last_read", redist_read},
};

static u64 to_ns(u64 ticks)
{
	return ticks * 1000 / ticks_per_us();
}

static void measure(const char *name, void (*fn)(void))
{
	u64 sum = 0, min = ~0ul, max = 0, tenths;

	fn(); /* the first call may warm something */
	for (u64 i = 0; i < iterations; i++) {
		u64 t = now();

		fn();
		t = now() - t;
		sum += t;
		min = t < min ? t : min;
		max = t > max ? t : max;
	}
	tenths = to_ns(sum) * 10 / iterations;
	printf("PROBE %s %lu.%lu %lu %lu %lu\n", name, tenths / 10, tenths % 10,
	       to_ns(min), to_ns(max), iterations);
}

/*
 * Never waits; what it counted in the time is its share of the CPU. Where time
 * jumps it was off the CPU: in the second half, when all have started, how long
 * it ran and how long until its next turn began, on average.
 */
static void spin(u64 ms)
{
	u64 start = now(), length = ms * 1000 * ticks_per_us(), count = 0;
	u64 last = start, turn = 0, turns = 0, ran = 0, period = 0;

	for (u64 t = start; t - start < length; t = now(), count++) {
		if (t - last > GAP_US * ticks_per_us()) {
			if (turn) {
				ran += last - turn;
				period += t - turn;
				turns++;
			}
			turn = t - start > length / 2 ? t : 0;
		}
		last = t;
	}
	printf("BENCH_SPIN %lu\n", count);
	if (turns)
		printf("BENCH_TURNS %lu %lu %lu\n", turns, to_ns(ran) / turns,
		       to_ns(period) / turns);
}

/* The figure behind each line is how late it is. */
static void print_lines(u64 count, u64 us)
{
	u64 start = now(), due, t;

	for (u64 i = 1; i <= count; i++) {
		due = start + i * us * ticks_per_us();
		while ((t = now()) < due)
			cpu_relax();
		printf("BENCH_LINE %lu %lu\n", i,
		       us ? (t - due) / ticks_per_us() : 0);
	}
}

/* Fills memory with what is nowhere else, as it is computed here. */
static void plant(u64 seed)
{
	for (size_t i = 0; i < ARRAY_SIZE(planted); i++)
		WRITE_ONCE(planted[i], seed * 0x9e3779b97f4a7c15ul);
	dsb();
	printf("BENCH_PLANTED %lu\n", (u64)ARRAY_SIZE(planted));
}

static void sleep_until(u64 end)
{
	irq_off();
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	timer_set(end);
	while (now() < end)
		wfi(); /* wakes although masked */
	timer_stop();
	/* Nothing of it stays in a list register. */
	gic_disable(plat.timer_intid[TIMER_VIRT]);
}

/* The counter goes on, and all that was printed is out when it resets. */
static void live(u64 lives)
{
	int node = fdt_path_offset(plat.fdt, "/chosen"), len;
	const fdt32_t *p = fdt_getprop(plat.fdt, node, "skerry,nr-starts", &len);
	u64 end = now() + 20000 * ticks_per_us();

	printf("BENCH_BORN %lu\n", plat.entry_ticks);
	if (!p || fdt32_to_cpu(*p) >= lives)
		return;
	printf("BENCH_RESET %lu\n", end);
	while (now() < end)
		;
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
}

void guest_main(void)
{
	u64 ms = bootarg_num("spin_ms", 0);
	u64 lines = bootarg_num("lines", 0);

	if (lines) {
		print_lines(lines, bootarg_num("every_us", 0));
		return;
	}
	if (bootarg_num("lives", 0)) {
		live(bootarg_num("lives", 0));
		return;
	}
	if (bootarg_num("plant", 0))
		plant(bootarg_num("plant", 0));
	if (ms) {
		if (bootarg_num("at_ms", 0))
			sleep_until(bootarg_num("at_ms", 0) * 1000 *
				    ticks_per_us());
		spin(ms);
		return;
	}
	ms = bootarg_num("sleep_ms", 0);
	if (ms) {
		sleep_until(now() + ms * 1000 * ticks_per_us());
		return;
	}
	if (bootarg_num("wait", 0)) {
		printf("BENCH_WAIT\n");
		irq_off();
		for (;;)
			wfi();
	}
	iterations = bootarg_num("iterations", 1000);
	if (!iterations)
		iterations = 1;
	gicr_last = plat.gicr.base + (plat.nr_cpus - 1) * 0x20000ul;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].fn != redist_read || plat.gic == 3)
			measure(table[i].name, table[i].fn);
	printf("PROBE_DONE\n");
}
