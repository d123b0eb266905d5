/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before the MMU is on: the bring-up tables, entry by entry, for images of all
 * shapes and places; the console that a device tree names, whatever it says;
 * and the one line about a wrong exception level.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fdtgen.h"
#include <skerry/sections.h>
#include <skerry/util.h>

/* The image's addresses, which nobody follows; and the configuration. */
static u64 at_start, at_text_end, at_rodata_end, at_guard, at_end;
static bool early_uart;
#define image_start	 at_start
#define text_end	 at_text_end
#define rodata_end	 at_rodata_end
#define boot_stack_guard at_guard
#define image_end	 at_end
#undef CONFIG_EARLY_UART
#define CONFIG_EARLY_UART early_uart
#undef CONFIG_EARLY_UART_BASE
#define CONFIG_EARLY_UART_BASE 0xfe201000UL
#include "../../arch/arm64/early.c"

#define RX   0x7c3UL		/* RO, and executable */
#define RO   0x400000000007c3UL /* RO, XN */
#define RW   0x40000000000743UL /* XN */
#define UART 0x1c0009000000UL
#define LINE                                                                   \
	"(sk) boot: entered at EL%u, but Skerry has to be started at EL2\r\n"

struct machine machine;
static char sent[200];
static size_t nr_sent;
static u64 sent_to;

void pl011_putc_wait(u64 base, char c)
{
	assert_true(nr_sent < sizeof(sent) - 1);
	if (nr_sent)
		assert_int_equal(base, sent_to);
	sent_to = base;
	sent[nr_sent++] = c;
	sent[nr_sent] = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(boot_root, 0, sizeof(boot_root));
	memset(el2_root, 0, sizeof(el2_root));
	memset(image_l1, 0, sizeof(image_l1));
	memset(image_l2, 0, sizeof(image_l2));
	memset(image_l3, 0, sizeof(image_l3));
	memset(id_l1, 0, sizeof(id_l1));
	memset(id_l2, 0, sizeof(id_l2));
	memset(id_l3, 0, sizeof(id_l3));
	memset(&machine, 0, sizeof(machine));
	early_uart = false;
	nr_sent = 0;
	sent[0] = 0;
	sent_to = 0;
	return 0;
}

/* Only these entries; the rest is invalid. */
static void assert_entries(const u64 *table, unsigned int i, const u64 *to,
			   unsigned int k, const u64 *to_k)
{
	for (unsigned int n = 0; n < 512; n++) {
		const u64 *next = n == i ? to : n == k ? to_k : NULL;

		assert_int_equal(table[n], next ? (u64)next | 3 : 0);
	}
}

static void assert_map(u64 start, u64 text, u64 ro, u64 rw)
{
	u64 pages = text + ro + rw, id = start >> 12;

	setup(NULL);
	at_start = start;
	at_text_end = start + text * PAGE_SIZE;
	at_rodata_end = at_text_end + ro * PAGE_SIZE;
	at_end = start + pages * PAGE_SIZE;
	at_guard = at_end - 4 * PAGE_SIZE; /* then three of stack */
	assert_int_equal(early_map(), (u64)boot_root);
	/* The image where it is linked, in both; one-to-one in one. */
	assert_entries(el2_root, 256, image_l1, 256, image_l1);
	assert_entries(boot_root, 256, image_l1, id >> 27, id_l1);
	assert_entries(image_l1, 0, image_l2, 0, image_l2);
	assert_entries(image_l2, 0, image_l3, 0, image_l3);
	assert_entries(id_l1, id >> 18 & 511, id_l2, 512, NULL);
	assert_entries(id_l2, id >> 9 & 511, id_l3, 512, NULL);
	for (u64 i = 0; i < 512; i++) {
		u64 pa = start + i * PAGE_SIZE;
		u64 want = i < text	    ? pa | RX
			   : i < text + ro  ? pa | RO
			   : i == pages - 4 ? 0
			   : i < pages	    ? pa | RW
					    : 0;

		assert_int_equal(image_l3[i], want);
		/* The page with the code that turns the MMU on. */
		assert_int_equal(id_l3[i], i == (id & 511) ? start | RX : 0);
	}
}

static void test_map(void **state)
{
	(void)state;
	assert_map(0x40200000, 20, 7, 30);
	/* The largest image, and the smallest. */
	assert_map(0x80000, 200, 100, 212);
	assert_map(0x40200000, 1, 1, 5);
	/* Any page: the last one of a table of each level. */
	assert_map(0x401ff000, 20, 7, 30);
	assert_map(0x7ffff000, 20, 7, 30);
	assert_map(0x7ffffff000, 20, 7, 30);
	/* RAM beyond 512 GiB, as far as a direct map goes. */
	assert_map(0x8000200000, 20, 7, 30);
	assert_map(0x3fffffe00000, 20, 7, 30);
}

/* A tree with a PL011, at `reg` and with stdout-path as given. */
static struct {
	const char *path;
	int path_len; /* 0: the string and its end */
	const char *compatible;
	uint32_t reg[4];
	unsigned int cells;
	uint32_t address_cells; /* of its bus; 0: by default */
	uint32_t ranges[8];	/* likewise, from one cell to two */
	unsigned int nr_ranges;
	bool no_chosen;
} t;

static void tree(void)
{
	int len = t.path_len;

	gen_start();
	gen_begin("aliases");
	gen_str("serial0", "/soc/uart@9000000");
	gen_str("nowhere", "/soc/none");
	gen_end();
	if (!t.no_chosen) {
		gen_begin("chosen");
		if (t.path)
			gen_prop("stdout-path", t.path,
				 len ? len : (int)strlen(t.path) + 1);
		gen_end();
	}
	gen_begin("soc");
	if (t.address_cells)
		gen_cells_n("#address-cells", &t.address_cells, 1);
	if (t.nr_ranges)
		gen_cells_n("ranges", t.ranges, t.nr_ranges);
	gen_begin("uart@9000000");
	if (t.compatible)
		gen_prop("compatible", t.compatible,
			 (int)strlen(t.compatible) + 1);
	if (t.cells)
		gen_cells_n("reg", t.reg, t.cells);
	gen_end();
	gen_end();
	gen_finish();
}

static int tree_setup(void **state)
{
	setup(state);
	memset(&t, 0, sizeof(t));
	t.path = "serial0:115200n8";
	t.compatible = "arm,pl011";
	t.reg[0] = UART >> 32;
	t.reg[1] = (uint32_t)UART;
	t.reg[3] = 0x1000;
	t.cells = 4;
	return 0;
}

static void assert_console(u64 base)
{
	tree();
	memset(&machine, 0, sizeof(machine));
	assert_int_equal(arch_find_console(gen), base != 0);
	assert_int_equal(machine.uart, base ? UART_PL011 : UART_NONE);
	assert_int_equal(machine.uart_base, base);
}

static void test_paths(void **state)
{
	static const char *const good[] = {
		"serial0",	     "serial0:115200n8",
		"serial0:",	     "serial0:115200:n8",
		"/soc/uart@9000000", "/soc/uart@9000000:115200n8",
		"/soc/uart",
	};
	static const char *const bad[] = {
		"",	    ":",   ":115200n8",	   "serial1", "serial",
		"serial00", "/",   "/soc/none",	   "nowhere", "/soc",
		"//",	    "soc", "uart@9000000",
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		t.path = good[i];
		assert_console(UART);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		t.path = bad[i];
		assert_console(0);
	}
	/* Without an end: as long as the property. */
	t.path = "serial0:115200";
	for (t.path_len = 1; t.path_len < 14; t.path_len++)
		assert_console(t.path_len < 7 ? 0 : UART);
	t.path = NULL;
	assert_console(0);
	t.no_chosen = true;
	assert_console(0);
}

static void test_uarts(void **state)
{
	(void)state;
	t.compatible = "ns16550a";
	assert_console(0);
	t.compatible = "arm,pl0111";
	assert_console(0);
	t.compatible = NULL;
	assert_console(0);
	tree_setup(NULL);
	/* One cell each. */
	t.reg[0] = 0x9000000;
	t.reg[1] = 0x1000;
	t.cells = 2;
	t.address_cells = 1;
	assert_console(0x9000000);
	t.cells = 0;
	assert_console(0);
	t.address_cells = 2;
	t.cells = 1;
	assert_console(0);
	t.address_cells = 100;
	assert_console(0);
	/* At 0 is none. */
	tree_setup(NULL);
	t.reg[0] = t.reg[1] = 0;
	assert_console(0);
}

/* As the root sees it, through the bus's window. */
static void test_bus(void **state)
{
	static const uint32_t ranges[8] = {0x7e000000, 0, 0xfe000000, 0x1800000,
					   0x40000000, 4, 0x80000000, 0x1000};

	(void)state;
	memcpy(t.ranges, ranges, sizeof(ranges));
	t.nr_ranges = 8;
	t.address_cells = 1;
	t.cells = 2;
	t.reg[1] = 0x1000;
	t.reg[0] = 0x7e201000;
	assert_console(0xfe201000);
	t.reg[0] = 0x7e000000;
	assert_console(0xfe000000);
	t.reg[0] = 0x40000fff;
	assert_console(0x480000fffUL);
	/* Outside of it, on either side, and without a whole entry. */
	t.reg[0] = 0x40001000;
	assert_console(0x40001000);
	t.reg[0] = 0x7dffffff;
	assert_console(0x7dffffff);
	t.reg[0] = 0x40000000;
	t.nr_ranges = 7;
	assert_console(0x40000000);
}

static void test_known_already(void **state)
{
	(void)state;
	tree();
	machine.uart = UART_PL011;
	machine.uart_base = 0x123000;
	assert_true(arch_find_console(gen));
	assert_int_equal(machine.uart, UART_PL011);
	assert_int_equal(machine.uart_base, 0x123000);
}

/* What the loader passes may be no tree at all. */
static void test_no_tree(void **state)
{
	(void)state;
	assert_false(arch_find_console(NULL));
	tree();
	memmove(gen + 4, gen, sizeof(gen) - 4);
	assert_false(arch_find_console(gen + 4));
	tree();
	for (unsigned int i = 0; i < 4; i++) {
		gen[i] ^= 1;
		assert_false(arch_find_console(gen));
		gen[i] ^= 1;
	}
	/* What it says of itself does not fit in it. */
	fdt_set_size_dt_struct(gen, 0x7fffffff);
	assert_false(arch_find_console(gen));
	tree();
	assert_true(arch_find_console(gen));
	memset(&machine, 0, sizeof(machine));
	fdt_set_version(gen, 2);
	assert_false(arch_find_console(gen));
	memset(gen, 0, sizeof(gen));
	assert_false(arch_find_console(gen));
	assert_int_equal(machine.uart, UART_NONE);
}

/* Each bit of a tree wrong: an answer, and no access outside of it. */
static void test_any_bit(void **state)
{
	size_t size;
	char *copy;

	(void)state;
	tree();
	size = fdt_totalsize(gen);
	copy = aligned_alloc(8, align_up(size, 8));
	for (size_t bit = 0; bit < 8 * size; bit++) {
		/* The sizes in its header are the loader's word. */
		if (bit < 8 * sizeof(struct fdt_header))
			continue;
		memcpy(copy, gen, size);
		copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		memset(&machine, 0, sizeof(machine));
		if (arch_find_console(copy))
			assert_int_equal(machine.uart, UART_PL011);
		else
			assert_int_equal(machine.uart_base, 0);
	}
	free(copy);
}

static void assert_says(const void *dtb, unsigned int el, u64 base)
{
	char want[100];

	nr_sent = 0;
	sent[0] = 0;
	sent_to = 0;
	snprintf(want, sizeof(want), LINE, el);
	early_wrong_el(dtb, el);
	assert_string_equal(sent, base ? want : "");
	assert_int_equal(sent_to, base);
}

static void test_wrong_el(void **state)
{
	(void)state;
	tree();
	assert_says(gen, 1, UART);
	assert_says(gen, 3, UART);
	/* Nowhere to say it. */
	assert_says(NULL, 1, 0);
	early_uart = true;
	assert_says(NULL, 1, 0xfe201000);
	assert_says(gen + 1, 3, 0xfe201000);
	/* The tree knows better than the configuration. */
	assert_says(gen, 1, UART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_map, setup),
		cmocka_unit_test_setup(test_paths, tree_setup),
		cmocka_unit_test_setup(test_uarts, tree_setup),
		cmocka_unit_test_setup(test_bus, tree_setup),
		cmocka_unit_test_setup(test_known_already, tree_setup),
		cmocka_unit_test_setup(test_no_tree, tree_setup),
		cmocka_unit_test_setup(test_any_bit, tree_setup),
		cmocka_unit_test_setup(test_wrong_el, tree_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
