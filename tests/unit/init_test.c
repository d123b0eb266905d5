/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot as one list: its order, each error that ends it with its line, what
 * of the device tree stays mapped, the boot CPU, and the start of guests.
 */
#define _GNU_SOURCE
#include "inithost.h"

static void test_order(void **state)
{
	(void)state;
	assert_true(boots());
	assert_string_equal(
		events,
		"sched0 boot mmu parse console1 panic log read probe keep "
		"sched0 stack0 sched1 stack1 "
		"gic arch cpu gic_cpu s2_cpu time_cpu irq_cpu smp "
		"console_irq watchdog trace log work submit enter ");
	assert_string_equal(logged,
			    "Skerry " CONFIG_VERSION " on test board|"
			    "2 CPUs, GICv3 with 4 list registers, 40-bit IPA, "
			    "timer 62500000 Hz|");
	assert_int_equal(cpus[0].online, 1);
	/* The others say so themselves. */
	assert_int_equal(cpus[1].online, 0);
}

/* What is there only on some boards, or when asked for. */
static void test_options(void **state)
{
	(void)state;
	early_uart = selftest = true;
	board.rtc_base = RTC;
	board.nr_cpus_ignored = 3;
	rtc_base = 0;
	assert_true(boots());
	/* The early console comes before the tree is looked at. */
	assert_string_equal(
		events,
		"sched0 boot mmu console1 parse console1 panic log read probe keep "
		"sched0 stack0 sched1 stack1 "
		"gic arch cpu gic_cpu s2_cpu time_cpu irq_cpu smp log "
		"console_irq map_rtc clock watchdog trace log selftest work submit enter ");
	assert_int_equal(rtc_base, 1700000000);
	assert_non_null(
		strstr(logged, "|3 CPUs beyond CONFIG_NR_CPUS stay off|"));
	setup(NULL);
	early_uart = true;
	board.uart = UART_NONE;
	assert_true(boots());
	/* What the board has counts from then on. */
	assert_non_null(strstr(events, "mmu console1 parse console0 panic log"));
	assert_int_equal(machine.uart_base, 0);
}

/* Online as its last step, when others may send to it. */
static void test_secondary(void **state)
{
	(void)state;
	host_this_cpu = &cpus[1];
	if (!setjmp(out))
		cpu_secondary_main();
	host_this_cpu = &cpus[0];
	assert_string_equal(events,
			    "cpu gic_cpu s2_cpu time_cpu irq_cpu enter ");
	assert_int_equal(cpus[1].online, 1);
	assert_int_equal(cpus[0].online, 0);
}

/* Wherever the tree has it, the boot CPU is CPU 0; each keeps what it has. */
static void test_boot_cpu(void **state)
{
	(void)state;
	for (unsigned int at = 0; at < 4; at++) {
		unsigned int seen = 0;

		setup(NULL);
		board.nr_cpus = 4;
		for (unsigned int i = 0; i < 4; i++) {
			board.cpus[i].mpidr = 0x200 + i;
			board.cpus[i].release = 0x1000 * i;
		}
		boot_mpidr = 0x200 + at;
		assert_true(boots());
		assert_int_equal(nr_cpus, 4);
		assert_int_equal(cpus[0].mpidr, boot_mpidr);
		for (unsigned int i = 0; i < 4; i++) {
			u64 n = machine.cpus[i].mpidr - 0x200;

			assert_int_equal(cpus[i].id, i);
			assert_int_equal(cpus[i].mpidr, 0x200 + n);
			assert_int_equal(machine.cpus[i].release, 0x1000 * n);
			seen |= 1U << n;
		}
		assert_int_equal(seen, 15);
	}
	setup(NULL);
	boot_mpidr = 0x80000;
	dies("boot: cpus: reg: the boot CPU (MPIDR 0x80000) is not described");
	assert_null(strstr(events, "gic"));
}

static void test_no_tree(void **state)
{
	static const struct {
		u64 at;
		const char *line;
	} wrong[] = {
		{0, "boot: no device tree: x0 is 0"},
		{DTB + 4, "boot: no device tree: x0 is 0x40800004"},
		{DTB + PAGE_SIZE,
		 "boot: no device tree at 0x40801000: magic is 0xa5a5a5a5"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		setup(NULL);
		assert_false(boots_from(wrong[i].at));
		assert_string_equal(fatal, wrong[i].line);
		assert_string_equal(events, "sched0 boot mmu ");
	}
}

/* The sizes that a tree may have, to the byte. */
static void test_tree_size(void **state)
{
	(void)state;
	put_tree(DTB, 2 * MIB + 1);
	dies("boot: device tree: totalsize: 0x200001 is impossible");
	setup(NULL);
	put_tree(DTB, sizeof(struct fdt_header) - 1);
	dies("boot: device tree: totalsize: 0x27 is impossible");
	assert_string_equal(events, "sched0 boot mmu ");
	setup(NULL);
	put_tree(DTB, 2 * MIB);
	assert_true(boots());
	setup(NULL);
	put_tree(DTB, sizeof(struct fdt_header));
	assert_true(boots());
}

/* Of a tree with so many bytes at `at`, what it uses stays, and no more. */
static void check_tree(u64 at, u64 total, u64 used)
{
	u64 first, end;

	setup(NULL);
	put_tree(at, total);
	board.fdt_size = used;
	/* Nothing else is mapped by then. */
	boot_mpidr = 0;
	board.nr_banks = 0;
	assert_false(boots_from(at));
	assert_non_null(strstr(fatal, "memory: no room for"));
	first = align_down(at, PAGE_SIZE);
	end = align_up(at + used, PAGE_SIZE);
	for (u64 p = BASE; p < BASE + SIZE; p += PAGE_SIZE)
		assert_int_equal(mapped[(p - BASE) / PAGE_SIZE],
				 p >= first && p < end);
}

static void test_trim(void **state)
{
	static const u64 sizes[] = {40,	    0x800,   0xff8,  0x1000,
				    0x1008, 0x1ff8,  0x2000, 0x2008,
				    0x3000, 0x12340, MIB,    2 * MIB};
	static const u64 offsets[] = {0, 8, 0x800, 0xff8};

	(void)state;
	for (unsigned int o = 0; o < ARRAY_SIZE(offsets); o++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			for (unsigned int u = 0; u <= i; u++)
				check_tree(DTB + offsets[o], sizes[i], sizes[u]);
}

/* Ticks since the loader, less those of scrubbing; once. */
static void test_first_guest(void **state)
{
	(void)state;
	assert_true(boots());
	build_scrub_ticks = 500;
	images.verify_ticks = 300;
	now = TICK + 7800;
	logged[0] = '\0';
	init_first_guest();
	now += 100;
	init_first_guest();
	assert_string_equal(logged, "ready: 7000 ticks to first guest, "
				    "scrub 500 ticks, verify 300 ticks|");
}

/* Guests are built by the worker, then counted, then given the input. */
static void test_start(void **state)
{
	static struct domain d[2];
	struct page_stats st = {0};
	char want[160];
	paddr_t pa;

	(void)state;
	assert_true(boots());
	assert_ptr_equal(submitted_work, &start);
	events[0] = logged[0] = '\0';
	domains[1] = &d[0];
	domains[CONFIG_MAX_DOMAINS] = &d[1];
	d[0].pool.size = 12 * KIB;
	d[1].pool.size = 8 * KIB;
	assert_int_equal(page_alloc(20 * KIB, PAGE_SIZE, ~0UL, PAGE_HYP,
				    PAGE_OWNER_NONE, &pa),
			 0);
	assert_int_equal(page_alloc(4 * MIB, PAGE_SIZE, ~0UL, PAGE_OWNED, 1, &pa),
			 0);
	submitted(submitted_work);
	assert_string_equal(events, "build log input ");
	for (u64 p = BASE; p < BASE + SIZE; p += PAGE_SIZE) {
		enum page_state s = page_lookup(PADDR(p)).state;

		st.hyp += s == PAGE_HYP ? PAGE_SIZE : 0;
		st.free += s == PAGE_FREE ? PAGE_SIZE : 0;
	}
	snprintf(want, sizeof(want),
		 "memory: %lu KiB kept, pools 20 KiB, guests 4 MiB, "
		 "free %lu MiB|",
		 st.hyp / KIB - 20, st.free / MIB);
	assert_string_equal(logged, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_secondary, setup),
		cmocka_unit_test_setup(test_boot_cpu, setup),
		cmocka_unit_test_setup(test_no_tree, setup),
		cmocka_unit_test_setup(test_tree_size, setup),
		cmocka_unit_test_setup(test_trim, setup),
		cmocka_unit_test_setup(test_first_guest, setup),
		cmocka_unit_test_setup(test_start, setup),
	};

	return cmocka_run_group_tests(tests, map_memory, NULL);
}
