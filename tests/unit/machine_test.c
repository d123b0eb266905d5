/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel/machine.c: trees shaped as QEMU's, and one mistake at a time. Each
 * test changes the model below, has the tree written and reads it.
 */
#include "fdtgen.h"

#include <skerry/arch/mmu.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <stdlib.h>

static jmp_buf died;
static char why[256], logged[256];

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	longjmp(died, 1);
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_WARNING);
	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

static struct model {
	unsigned int cpus;
	uint32_t mpidr_step, mem_high, mem_size, irq_type, stride;
	const char *conduit, *method, *uart_status, *stdout_path, *bootargs;
	bool v2, no_mem, no_timer, two_banks, overlap, spin, shared, reserved,
		soc;
	const char *ramoops; /* an empty property of that node */
	bool watchdog, half_watchdog;
	const char *wdt; /* two of these on the bus `soc` */
	bool wdt_off, wdt_ext;
	bool short_reg, bad_cells, odd_cell, other_parent, narrow;
	uint32_t v2_reg[8]; /* base and size of GICD, GICC, GICH, GICV */
} m;
static uint64_t boot_mpidr;

uint64_t arch_mpidr(void)
{
	return boot_mpidr;
}

static void gen_gic(void)
{
	gen_begin("intc@8000000");
	gen_cells("phandle", 7);
	gen_cells("#interrupt-cells", 3);
	gen_cells("interrupts", 1, 9, 4);
	if (m.odd_cell)
		gen_cells("#redistributor-regions", 0, 1);
	if (m.v2) {
		gen_str("compatible", "arm,cortex-a15-gic");
		const uint32_t *r = m.v2_reg;

		gen_cells("reg", 0, r[0], 0, r[1], 0, r[2], 0, r[3], 0, r[4], 0,
			  r[5], 0, r[6], 0, r[7]);
	} else {
		gen_str("compatible", "arm,gic-v3");
		if (m.stride)
			gen_cells("redistributor-stride", 0, m.stride);
		if (m.short_reg)
			gen_cells("reg", 0, 0x8000000, 0, 0x10000, 0);
		else
			gen_cells("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000,
				  0, 0xf60000);
	}
	gen_end();
}

static void gen_cpus(void)
{
	char name[16];

	gen_begin("cpus");
	gen_cells("#address-cells", 2);
	gen_cells("#size-cells", 0);
	for (unsigned int i = 0; i < m.cpus; i++) {
		snprintf(name, sizeof(name), "cpu@%x", i);
		gen_begin(name);
		gen_str("device_type", "cpu");
		gen_str("compatible", "arm,cortex-a57");
		gen_cells("reg", i ? 1 : 0, i * m.mpidr_step);
		if (m.spin) {
			gen_str("enable-method", "spin-table");
			gen_cells("cpu-release-addr", 1,
				  0xd8 + (m.shared ? 0 : 8 * i));
		} else {
			gen_str("enable-method", "psci");
		}
		gen_end();
	}
	gen_begin("cpu@ff");
	gen_str("device_type", "cpu");
	gen_str("compatible", "arm,cortex-a57");
	gen_cells("reg", 0, 0xff);
	gen_str("status", "disabled");
	gen_end();
	gen_end();
}

static void gen_wdt(void)
{
	gen_begin("watchdog@7c100000");
	gen_prop("compatible", m.wdt, (int)strlen(m.wdt) + 1);
	gen_cells("reg", 0x7c100000, 0x114, 0x7c00a000, 0x24);
	if (m.wdt_off)
		gen_str("status", "disabled");
	gen_end();
	gen_begin("watchdog@7c200000");
	gen_prop("compatible", m.wdt, (int)strlen(m.wdt) + 1);
	gen_cells("reg", 0x7c200000, 0x114);
	if (m.wdt_ext)
		gen_empty("fsl,ext-reset-output");
	gen_end();
}

static void gen_uart(void)
{
	if (m.soc) {
		gen_begin("soc");
		gen_cells("#address-cells", 1);
		gen_cells("#size-cells", 1);
		gen_str("compatible", "simple-bus");
		gen_cells("ranges", 0x7c000000, 0, 0xfc000000, 0x1000000,
			  0x7e000000, 1, 0xfe000000,
			  m.narrow ? 0x10 : 0x1800000);
	}
	gen_begin("serial@9000000");
	gen_str("compatible", "arm,pl011\0arm,primecell");
	if (m.soc)
		gen_cells("reg", 0x7e201000, 0x200);
	else
		gen_cells("reg", 0, 0x9000000, 0, 0x1000);
	gen_cells("interrupts", m.irq_type, 1, 4);
	if (m.other_parent)
		gen_cells("interrupt-parent", 99);
	if (m.uart_status)
		gen_prop("status", m.uart_status,
			 (int)strlen(m.uart_status) + 1);
	gen_end();
	if (m.wdt)
		gen_wdt();
	if (m.soc)
		gen_end();
}

static void gen_memory(void)
{
	gen_begin("memory@40000000");
	gen_str("device_type", "memory");
	if (m.two_banks)
		gen_cells("reg", 0, 0x80000000, 0,
			  m.overlap ? 0x40000001 : 0x40000000, 0, 0, 0, 0, 0,
			  0x40000000, 0, 0x10000000, 0, 0xc0000000, 0, 0x1000);
	else
		gen_cells("reg", m.mem_high, 0x40000000, 0, m.mem_size);
	gen_end();
	gen_begin("secram@e000000");
	gen_str("device_type", "memory");
	gen_str("status", "disabled");
	gen_cells("reg", 0, 0xe000000, 0, 0x1000000);
	gen_end();
	if (!m.reserved)
		return;
	gen_begin("reserved-memory");
	gen_cells("#address-cells", 2);
	gen_cells("#size-cells", 2);
	gen_empty("ranges");
	gen_begin("fw@41000000");
	gen_cells("reg", 0, 0x41000000, 0, 0x2000, 0, 0x42000000, 0, 0x1000);
	gen_empty("no-map");
	gen_end();
	if (m.ramoops) {
		gen_begin("ramoops@43000000");
		gen_str("compatible", "vendor,log\0ramoops");
		gen_cells("reg", 0, 0x43000000, 0, 0x8000);
		gen_empty(m.ramoops);
		gen_end();
		gen_begin("ramoops@44000000");
		gen_str("compatible", "ramoops");
		gen_cells("reg", 0, 0x44000000, 0, 0x9000);
		gen_end();
	}
	gen_begin("cma");
	gen_cells("size", 0, 0x1000000);
	gen_empty("reusable");
	gen_end();
	gen_end();
}

static void gen_tree(void)
{
	gen_start();
	if (m.bad_cells)
		gen_cells("#address-cells", 3);
	else
		gen_cells("#address-cells", 2);
	gen_cells("#size-cells", 2);
	gen_cells("interrupt-parent", 7);
	gen_str("model", "test board");
	gen_begin("aliases");
	gen_prop("serial0", m.soc ? "/soc/serial@9000000" : "/serial@9000000",
		 m.soc ? 20 : 16);
	gen_end();
	gen_begin("psci");
	gen_str("compatible", "arm,psci-1.0\0arm,psci");
	gen_prop("method", m.conduit, (int)strlen(m.conduit) + 1);
	gen_end();
	gen_cpus();
	if (!m.no_mem)
		gen_memory();
	if (!m.no_timer) {
		gen_begin("timer");
		gen_str("compatible", "arm,armv8-timer\0arm,armv7-timer");
		gen_cells("interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
		gen_end();
	}
	gen_gic();
	gen_uart();
	if (m.watchdog) {
		gen_begin("watchdog@2a440000");
		gen_str("compatible", "arm,sbsa-gwdt");
		if (m.half_watchdog)
			gen_cells("reg", 0, 0x2a440000, 0, 0x1000);
		else
			gen_cells("reg", 0, 0x2a440000, 0, 0x1000, 0,
				  0x2a450000, 0, 0x1000);
		gen_end();
	}
	gen_begin("chosen");
	gen_prop("stdout-path", m.stdout_path, (int)strlen(m.stdout_path) + 1);
	gen_prop("bootargs", m.bootargs, (int)strlen(m.bootargs) + 1);
	gen_end();
	gen_finish();
}

/* 0, or -1 when it died. */
static int parse_as_is(uint64_t size)
{
	memset(&machine, 0, sizeof(machine));
	why[0] = logged[0] = 0;
	if (setjmp(died))
		return -1;
	machine_parse(gen, size);
	return 0;
}

static int parse(void)
{
	gen_tree();
	return parse_as_is(sizeof(gen));
}

static void assert_dies(const char *text)
{
	if (!parse())
		fail_msg("accepted, expected: %s", text);
	assert_string_equal(why, text);
}

static int setup(void **state)
{
	m = (struct model){
		.cpus = 4,
		.mpidr_step = 1,
		.mem_size = 0x80000000,
		.conduit = "smc",
		.stdout_path = "serial0:115200n8",
		.bootargs = "one two=2 ",
		.v2_reg = {0x8000000, 0x10000, 0x8010000, 0x10000, 0x8030000,
			   0x10000, 0x8040000, 0x10000},
	};
	boot_mpidr = 0;
	return 0;
}

static void test_v3(void **state)
{
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_banks, 1);
	assert_int_equal(machine.banks[0].base, 0x40000000);
	assert_int_equal(machine.banks[0].size, 0x80000000);
	assert_int_equal(machine.nr_cpus, 4);
	assert_int_equal(machine.cpus[3].mpidr, 0x100000003);
	assert_int_equal(machine.cpus[3].method, CPU_METHOD_PSCI);
	assert_string_equal(machine.cpus[1].compatible, "arm,cortex-a57");
	assert_int_equal(machine.gic.version, 3);
	assert_int_equal(machine.gic.dist, 0x8000000);
	assert_int_equal(machine.gic.nr_redist, 1);
	assert_int_equal(machine.gic.redist[0], 0x80a0000);
	assert_int_equal(machine.gic.redist_size[0], 0xf60000);
	assert_int_equal(machine.gic.maint_intid, 25);
	assert_int_equal(machine.ptimer_intid, 30);
	assert_int_equal(machine.vtimer_intid, 27);
	assert_int_equal(machine.htimer_intid, 26);
	assert_int_equal(machine.timer_freq, 0);
	assert_true(machine.has_psci);
	assert_int_equal(machine.uart, UART_PL011);
	assert_int_equal(machine.uart_base, 0x9000000);
	assert_int_equal(machine.uart_intid, 33);
	assert_string_equal(machine.model, "test board");
	assert_true(machine.fdt_size <= fdt_totalsize(gen));
}

static void test_v2(void **state)
{
	m.v2 = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.gic.version, 2);
	assert_int_equal(machine.gic.redist[0], 0x8010000);
	assert_int_equal(machine.gic.redist[2], 0x8040000);
	assert_int_equal(machine.gic.nr_redist, 3);
	/* Neighbours, as of GIC-400 itself. */
	memcpy(m.v2_reg,
	       (uint32_t[]){0x1000, 0x1000, 0x2000, 0x2000, 0x4000, 0x2000,
			    0x6000, 0x2000},
	       sizeof(m.v2_reg));
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.gic.redist[1], 0x4000);
	assert_int_equal(machine.gic.redist_size[2], 0x2000);
}

/* What guests would get, beside or instead of their CPU interface. */
static void test_v2_frames(void **state)
{
	static const struct {
		unsigned int cell;
		uint32_t val;
		const char *why;
	} cases[] = {
		{1, 0xfff, "the distributor is not 4 KiB"},
		{0, 0x8000800, "the distributor is not 4 KiB"},
		{3, 0x1000, "GICC is less than 8 KiB"},
		{5, 0x800, "must be GICD, GICC, GICH and GICV"},
		{7, 0x1000, "GICV is not 8 KiB in pages of 4 KiB"},
		{6, 0x8040800, "GICV is not 8 KiB in pages of 4 KiB"},
		{6, 0x8001000, "GICV shares a page with GICD, GICC or GICH"},
		{6, 0x8011000, "GICV shares a page with GICD, GICC or GICH"},
		{6, 0x803f000, "GICV shares a page with GICD, GICC or GICH"},
		{4, 0x8041800, "GICV shares a page with GICD, GICC or GICH"},
		{2, 0x803f000, "GICV shares a page with GICD, GICC or GICH"},
		{0, 0x8048000, "GICV shares a page with GICD, GICC or GICH"},
	};
	char text[96];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		m.v2 = true;
		m.v2_reg[cases[i].cell] = cases[i].val;
		snprintf(text, sizeof(text), "intc@8000000: reg: %s",
			 cases[i].why);
		assert_dies(text);
	}
	/* The rest of GICV's last page belongs to it, whatever its size says. */
	setup(state);
	m.v2 = true;
	m.v2_reg[7] = 0x2001;
	m.v2_reg[4] = 0x8042800;
	assert_dies(
		"intc@8000000: reg: GICV shares a page with GICD, GICC or GICH");
	m.v2_reg[4] = 0x8043000;
	assert_int_equal(parse(), 0);
}

/* The boot CPU needs no way to be started, the others do: it may be last. */
static void test_boot_cpu_last(void **state)
{
	m.conduit = "hvc";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_cpus, 1);
	assert_int_equal(machine.cpus[0].mpidr, 0);
	boot_mpidr = 0x100000000UL | 3;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_cpus, 1);
	assert_int_equal(machine.cpus[0].mpidr, boot_mpidr);
}

/* QEMU's totalsize is 1 MiB, nearly all of it empty. */
static void test_slack(void **state)
{
	gen_tree();
	uint64_t used = fdt_totalsize(gen);

	fdt_set_totalsize(gen, sizeof(gen));
	assert_int_equal(parse_as_is(sizeof(gen)), 0);
	assert_true(machine.fdt_size <= used);
	assert_true(machine.fdt_size + 8 > used);
	assert_int_equal(parse_as_is(sizeof(gen) - 1), -1);
}

static void test_options(void **state)
{
	assert_int_equal(parse(), 0);
	assert_true(machine_has_option("one"));
	assert_true(machine_has_option("two=2"));
	assert_false(machine_has_option("two"));
	assert_false(machine_has_option("on"));
	assert_false(machine_has_option("three"));
	/* Spaces more than needed hide nothing, and are no words. */
	m.bootargs = "  one   two=2  ";
	assert_int_equal(parse(), 0);
	assert_true(machine_has_option("one"));
	assert_true(machine_has_option("two=2"));
	assert_false(machine_has_option(""));
}

static void test_numbers(void **state)
{
	static const struct {
		const char *bootargs;
		int want;
	} cases[] = {
		{"", -1},
		{"n", -1},
		{"xn=5", -1},
		{"n=0", 0},
		{"a n=3600 b", 3600},
		{"n=0007 n=8", 7},
		{"n=", -2},
		{"n=3601", -2},
		{"n=4294967301", -2},
		{"n=99999999999999999999999999", -2},
		{"n=-1", -2},
		{"n=5s", -2},
		{"n=0x5", -2},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		m.bootargs = cases[i].bootargs;
		assert_int_equal(parse(), 0);
		assert_int_equal(machine_get_number("n=", 0, 3600),
				 max(cases[i].want, -1));
		assert_string_equal(
			logged,
			cases[i].want != -2
				? ""
				: "options: n= must be a number from 0 to 3600");
	}
	m.bootargs = "n=1";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine_get_number("n=", 2, 9), -1);
	assert_string_equal(logged, "options: n= must be a number from 2 to 9");
	/* To the last byte of what there is room for. */
	memset(machine.cmdline, 'x', sizeof(machine.cmdline) - 1);
	memcpy(machine.cmdline + sizeof(machine.cmdline) - 5, "\0n=9", 5);
	assert_int_equal(machine_get_number("n=", 2, 9), 9);
	memcpy(machine.cmdline + sizeof(machine.cmdline) - 5, "xx\0n", 5);
	assert_int_equal(machine_get_number("n=", 2, 9), -1);
}

/* The first one that is ours to use; reserved are all. */
static void test_kept(void **state)
{
	static const struct {
		const char *prop;
		u64 base, size;
		unsigned int nr;
	} cases[] = {
		{"no-map", 0x43000000, 0x8000, 4},
		{"reusable", 0x44000000, 0x9000, 3},
		{"status", 0x44000000, 0x9000, 3}, /* neither "okay" nor "ok" */
	};

	m.reserved = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.kept.size, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		m.ramoops = cases[i].prop;
		assert_int_equal(parse(), 0);
		assert_int_equal(machine.kept.base, cases[i].base);
		assert_int_equal(machine.kept.size, cases[i].size);
		assert_int_equal(machine.nr_reserved, cases[i].nr);
		assert_int_equal(machine.reserved[cases[i].nr - 1].base,
				 0x44000000);
	}
}

static void test_watchdog(void **state)
{
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.wdt.kind, WDT_NONE);
	m.watchdog = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.wdt.kind, WDT_SBSA);
	assert_int_equal(machine.wdt.reg[0], 0x2a440000);
	assert_int_equal(machine.wdt.reg[1], 0x2a450000);
	m.half_watchdog = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.wdt.kind, WDT_NONE);
	assert_int_equal(machine.wdt.reg[0], 0);
	assert_int_equal(machine.wdt.reg[1], 0);
}

/* Those of SoCs, on a bus: the first that is on, and nothing of another. */
static void test_soc_watchdogs(void **state)
{
	static const struct {
		const char *compatible;
		enum wdt_kind kind;
	} cases[] = {
		{"fsl,imx21-wdt", WDT_IMX},
		{"brcm,bcm2835-pm-wdt", WDT_BCM2835},
		{"brcm,bcm2835-pm", WDT_BCM2835},
		{"brcm,bcm2711-pm", WDT_BCM2835},
		{"brcm,bcm2712-pm", WDT_BCM2835},
		{"brcm,bcm7038-wdt", WDT_NONE},
	};

	m.soc = m.wdt_ext = m.watchdog = true;
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const struct machine_wdt *w = &machine.wdt;

		m.wdt = cases[i / 2].compatible;
		m.wdt_off = i & 1;
		assert_int_equal(parse(), 0);
		if (cases[i / 2].kind == WDT_NONE) {
			assert_int_equal(w->kind, WDT_SBSA);
			assert_int_equal(w->reg[0], 0x2a440000);
			continue;
		}
		assert_int_equal(w->kind, cases[i / 2].kind);
		assert_int_equal(w->reg[0], m.wdt_off ? 0xfc200000 : 0xfc100000);
		assert_int_equal(w->reg[1], 0);
		assert_int_equal(w->ext_reset, m.wdt_off);
	}
}

static void test_long_command_line(void **state)
{
	char text[300];

	memset(text, 'x', sizeof(text));
	text[299] = 0;
	m.bootargs = text;
	assert_dies("chosen: bootargs: not a string of at most 255 characters");
	text[255] = 0;
	assert_int_equal(parse(), 0);
}

static void test_banks(void **state)
{
	m.two_banks = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_banks, 3);
	assert_int_equal(machine.banks[0].base, 0x40000000);
	assert_int_equal(machine.banks[1].base, 0x80000000);
	assert_int_equal(machine.banks[2].base, 0xc0000000);
	m.overlap = true;
	assert_dies("memory@40000000: reg: banks overlap");
}

static void test_reserved(void **state)
{
	m.reserved = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_reserved, 2);
	assert_int_equal(machine.reserved[1].base, 0x42000000);
	assert_int_equal(machine.reserved[1].size, 0x1000);
}

/* /memreserve/, one entry of which is the tree: only its tail counts. */
static void test_memreserve(void **state)
{
	uint64_t pa = direct_pa(gen).v, size;

	gen_tree();
	/* Into a tree with room for entries. */
	static char big[sizeof(gen)];
	assert_int_equal(fdt_open_into(gen, big, sizeof(big)), 0);
	assert_int_equal(fdt_add_mem_rsv(big, 0x43000000, 0x3000), 0);
	assert_int_equal(fdt_add_mem_rsv(big, pa, 0x20000), 0);
	memcpy(gen, big, sizeof(gen));
	assert_int_equal(parse_as_is(sizeof(gen)), 0);
	assert_int_equal(machine.nr_reserved, 2);
	assert_int_equal(machine.reserved[0].base, 0x43000000);
	size = align_up(pa + machine.fdt_size, PAGE_SIZE) - pa;
	assert_int_equal(machine.reserved[1].base, pa + size);
	assert_int_equal(machine.reserved[1].size, 0x20000 - size);
	assert_int_equal(fdt_add_mem_rsv(big, ~0UL - 10, 0x3000), 0);
	memcpy(gen, big, sizeof(gen));
	assert_int_equal(parse_as_is(sizeof(gen)), -1);
	assert_string_equal(why, "memreserve: entry 2: beyond 48 bits");
}

static void test_bus(void **state)
{
	m.soc = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.uart_base, 0x1fe201000);
	m.narrow = true;
	assert_dies("serial@9000000: reg: outside the ranges of its bus");
}

static void test_spin_table(void **state)
{
	m.spin = true;
	m.conduit = "hvc";
	assert_int_equal(parse(), 0);
	assert_false(machine.has_psci);
	assert_string_equal(logged, "psci: method: only \"smc\" can be called "
				    "from EL2: no PSCI");
	assert_int_equal(machine.nr_cpus, 4);
	assert_int_equal(machine.cpus[2].method, CPU_METHOD_SPIN);
	assert_int_equal(machine.cpus[2].release, 0x1000000e8);
	/* All would come at once; the boot CPU has left its own. */
	m.shared = true;
	m.cpus = 2;
	assert_int_equal(parse(), 0);
	m.cpus = 4;
	assert_dies("cpu@2: cpu-release-addr: two CPUs wait at this address");
}

static void test_no_way_to_start(void **state)
{
	m.conduit = "hvc";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_cpus, 1);
	assert_int_equal(machine.cpus[0].mpidr, 0);
}

static void test_many_cpus(void **state)
{
	m.cpus = CONFIG_NR_CPUS + 3;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.nr_cpus, CONFIG_NR_CPUS);
	assert_int_equal(machine.nr_cpus_ignored, 3);
}

static void test_no_console(void **state)
{
	m.stdout_path = "/nothing";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.uart, UART_NONE);
	m.stdout_path = "/serial@9000000";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.uart, UART_PL011);
	m.other_parent = true;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.uart_intid, 0);
	m.uart_status = "disabled";
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.uart, UART_NONE);
}

static void test_errors(void **state)
{
	m.cpus = 0;
	assert_dies("cpus: cpu: none is described");
	setup(state);
	m.no_mem = true;
	assert_dies("memory: reg: no RAM");
	setup(state);
	m.no_timer = true;
	assert_dies("timer: compatible: no arm,armv8-timer");
	setup(state);
	m.mem_high = 0x10000;
	assert_dies("memory@40000000: reg: beyond 48 bits");
	setup(state);
	m.mpidr_step = 0x01000000;
	assert_dies("cpu@1: reg: not the affinity fields of an MPIDR");
	setup(state);
	m.mpidr_step = 0;
	assert_dies("cpu@2: reg: two CPUs have this MPIDR");
	setup(state);
	m.short_reg = true;
	assert_dies("intc@8000000: reg: not a whole number of entries");
	setup(state);
	m.odd_cell = true;
	assert_dies("intc@8000000: #redistributor-regions: must be one cell");
	setup(state);
	m.stride = 0x10000;
	assert_dies("intc@8000000: redistributor-stride: impossible");
	m.stride = 0x40000;
	assert_int_equal(parse(), 0);
	assert_int_equal(machine.gic.redist_stride, 0x40000);
	setup(state);
	m.irq_type = 2;
	assert_dies("serial@9000000: interrupts: no interrupt of a GIC");
	setup(state);
	m.bad_cells = true;
	assert_dies("memory@40000000: reg: #address-cells and #size-cells must "
		    "be 1 or 2");
}

/* A copy of its own, so that ASan sees each byte too far. */
static bool refuses(const char *good, size_t size, size_t at, char flip)
{
	char *volatile copy = aligned_alloc(8, align_up(size, 8));
	bool refused = true;

	memcpy(copy, good, size);
	copy[at] ^= flip;
	memset(&machine, 0, sizeof(machine));
	if (!setjmp(died)) {
		machine_parse(copy, size);
		refused = false;
	}
	free(copy);
	return refused;
}

/* Damaged at any byte, a tree ends in a reason, never in a fault. */
static void test_damaged(void **state)
{
	static char good[8192];
	unsigned int nr = 0;
	size_t size;

	m.reserved = m.soc = true;
	gen_tree();
	size = fdt_totalsize(gen);
	assert_true(size < sizeof(good));
	memcpy(good, gen, size);
	for (size_t i = 0; i < size; i++) {
		nr += refuses(good, size, i, 1);
		nr += refuses(good, size, i, 4);
		nr += refuses(good, size, i, (char)0x80);
		nr += refuses(good, size, i, (char)0xff);
	}
	assert_true(nr > size / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_v3, setup),
		cmocka_unit_test_setup(test_v2, setup),
		cmocka_unit_test_setup(test_v2_frames, setup),
		cmocka_unit_test_setup(test_boot_cpu_last, setup),
		cmocka_unit_test_setup(test_slack, setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_numbers, setup),
		cmocka_unit_test_setup(test_kept, setup),
		cmocka_unit_test_setup(test_watchdog, setup),
		cmocka_unit_test_setup(test_soc_watchdogs, setup),
		cmocka_unit_test_setup(test_long_command_line, setup),
		cmocka_unit_test_setup(test_banks, setup),
		cmocka_unit_test_setup(test_reserved, setup),
		cmocka_unit_test_setup(test_memreserve, setup),
		cmocka_unit_test_setup(test_bus, setup),
		cmocka_unit_test_setup(test_spin_table, setup),
		cmocka_unit_test_setup(test_no_way_to_start, setup),
		cmocka_unit_test_setup(test_many_cpus, setup),
		cmocka_unit_test_setup(test_no_console, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_damaged, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
