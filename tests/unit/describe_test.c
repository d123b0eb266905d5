/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/describe.c: what is accepted, and each refusal with its text. */
#include "fdtgen.h"

#include <stdlib.h>

#include <skerry/describe.h>
#include <skerry/dt.h>
#include <skerry/work.h>

/* Of sched/admit.c; nothing here comes to it. */
void work_point(void)
{
	abort();
}

/*
 * A guest that is accepted, less or with another value for the property
 * `change`, or with it added; in the node "" (the guest), "kernel" or "vcpu".
 */
static struct {
	const char *node, *change, *compatible;
	const void *val;
	int len; /* -1: left out */
	bool done;
} c;
static const void *extra_node; /* compatible of another sub-node */
static int extra_len;
static const char *guest_name;
/* A signed image, with or without the modules, before or behind them. */
static bool with_fit, fit_first, no_modules;
static const char *tree_module; /* compatible of a third module */

static struct describe_guest g;
static struct describe_error err;
static struct describe_chosen chosen;

/* The guest has a watchdog, and no UART. */
static bool watchdog_only;

static void put(const char *node, const char *name, const void *val, int len)
{
	if (c.change && !strcmp(node, c.node) && !strcmp(name, c.change)) {
		c.done = true;
		val = c.val;
		len = c.len;
	}
	if (len >= 0)
		gen_prop(name, val, len);
}

static void put_cells(const char *node, const char *name, uint32_t a,
		      uint32_t b, uint32_t d, uint32_t e, int nr)
{
	fdt32_t be[] = {cpu_to_fdt32(a), cpu_to_fdt32(b), cpu_to_fdt32(d),
			cpu_to_fdt32(e)};

	put(node, name, be, 4 * nr);
}

static void put_added(const char *node)
{
	if (c.change && !strcmp(node, c.node) && !c.done)
		gen_prop(c.change, c.val, c.len);
}

static void write_fit(void)
{
	gen_begin("image@2");
	gen_str("compatible", "skerry,fit");
	put_cells("image", "reg", 0, 0x60000008, 0, 0x4321, 4);
	put_added("image");
	gen_end();
}

static void write_modules(void)
{
	gen_begin("kernel@1");
	gen_str("compatible", "multiboot,kernel\0multiboot,module");
	put_cells("kernel", "reg", 1, 0x48000000, 0, 0x123456, 4);
	put("kernel", "bootargs", "console=ttyAMA0", 16);
	put_added("kernel");
	gen_end();
	gen_begin("ramdisk");
	gen_str("compatible", "multiboot,ramdisk");
	put_cells("ramdisk", "reg", 0, 0x50000000, 0, 0x1000, 4);
	put_added("ramdisk");
	gen_end();
	if (!tree_module)
		return;
	gen_begin("tree");
	gen_prop("compatible", tree_module, (int)strlen(tree_module) + 1);
	put_cells("tree", "reg", 0, 0x58000000, 0, 0x800, 4);
	put_added("tree");
	gen_end();
}

static void write_guest(void)
{
	gen_begin(guest_name);
	gen_str("compatible", "xen,domain");
	put_cells("", "#address-cells", 2, 0, 0, 0, 1);
	put_cells("", "#size-cells", 2, 0, 0, 0, 1);
	put_cells("", "memory", 0, 0x10000, 0, 0, 2);
	put_cells("", "cpus", 2, 0, 0, 0, 1);
	if (watchdog_only)
		put_cells("", "skerry,watchdog-ms", 5, 0, 0, 0, 1);
	else
		put("", "vpl011", "", 0);
	put_cells("", "max_grant_frames", 8, 0, 0, 0, 1);
	put_added("");
	if (with_fit && fit_first)
		write_fit();
	if (!no_modules)
		write_modules();
	if (with_fit && !fit_first)
		write_fit();
	gen_begin("vcpu1");
	gen_str("compatible", "xen,vcpu");
	put_cells("vcpu", "id", 1, 0, 0, 0, 1);
	put("vcpu", "hard-affinity", "0-2,5", 6);
	put_added("vcpu");
	gen_end();
	if (extra_node) {
		gen_begin("extra");
		gen_prop("compatible", extra_node, extra_len);
		gen_cells("id", 1);
		gen_end();
	}
	gen_end();
}

static void write_tree(void)
{
	gen_start();
	gen_begin("chosen");
	put("chosen", "bootargs", "quiet", 6);
	put_added("chosen");
	gen_begin("other");
	put("other", "compatible", "vendor,thing", 13);
	gen_end();
	write_guest();
	gen_begin("second");
	gen_str("compatible", "xen,domain");
	gen_end();
	gen_end();
	gen_finish();
}

static int read_it(void)
{
	struct dt_node node = {NULL};

	err.text[0] = 0;
	c.done = false;
	write_tree();
	assert_true(describe_next(gen, &node));
	return describe_guest(&node, &g, &err);
}

static void change(const char *node, const char *prop, const void *val, int len)
{
	c.node = node;
	c.change = prop;
	c.val = val;
	c.len = len;
}

static void assert_refused(const char *node, const char *prop, const void *val,
			   int len, const char *text)
{
	change(node, prop, val, len);
	if (!read_it())
		fail_msg("accepted, expected: %s", text);
	assert_string_equal(err.text, text);
}

static void assert_accepted(const char *node, const char *prop, const void *val,
			    int len)
{
	change(node, prop, val, len);
	if (read_it())
		fail_msg("refused: %s", err.text);
}

static int setup(void **state)
{
	memset(&c, 0, sizeof(c));
	extra_node = NULL;
	with_fit = fit_first = no_modules = watchdog_only = false;
	tree_module = NULL;
	guest_name = "linux@1";
	return 0;
}

#define CELL(x)	    "\0\0\0" x, 4
#define STR(x)	    x, (int)sizeof(x)
#define CELLS(a, b) "\0\0\0" a "\0\0\0" b, 8

static void test_accepted(void **state)
{
	assert_int_equal(read_it(), 0);
	assert_string_equal(g.name, "linux");
	assert_int_equal(g.memory, 64 * MIB);
	assert_int_equal(g.nr_vcpus, 2);
	assert_true(g.vpl011);
	assert_false(g.wfi_trap);
	assert_int_equal(g.nr_spis, 32);
	assert_int_equal(g.kernel.base, 0x148000000);
	assert_int_equal(g.kernel.size, 0x123456);
	assert_int_equal(g.ramdisk.base, 0x50000000);
	assert_string_equal(g.bootargs, "console=ttyAMA0");
	assert_true(g.affinity[0] == ~0UL);
	assert_int_equal(g.affinity[1], 0x27);
	assert_true(g.pool_size >= 64 * KIB && g.pool_size <= MIB);
	assert_accepted("kernel", "bootargs", NULL, -1);
	assert_string_equal(g.bootargs, "");
	assert_accepted("", "xen,enhanced", STR("disabled"));
	assert_accepted("", "capabilities", CELL("\0"));
	assert_accepted("", "vendor,anything", STR("x"));
	assert_accepted("", "passthrough", STR("disabled"));
	assert_accepted("", "trap-unmapped-accesses", CELL("\1"));
	assert_accepted("", "nr_spis", CELL("\41"));
	assert_int_equal(g.nr_spis, 64);
	assert_accepted("", "skerry,wfi", STR("trap"));
	assert_true(g.wfi_trap);
	assert_accepted("", "skerry,wfi", STR("native"));
	assert_false(g.wfi_trap);
	assert_accepted("", "xen,domain-p2m-mem-mb", CELL("\3"));
	assert_int_equal(g.pool_size, 3 * MIB);
}

/* What comes after a life, and whether there is a first one. */
static void test_lives(void **state)
{
	static const char *const values[] = {"never", "on-crash", "always"};

	assert_int_equal(read_it(), 0);
	assert_int_equal(g.restart, RESTART_NEVER);
	assert_int_equal(g.later, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		assert_accepted("", "skerry,restart", values[i],
				(int)strlen(values[i]) + 1);
		assert_int_equal(g.restart, RESTART_NEVER + i);
		assert_int_equal(g.later, 0);
	}
	assert_accepted("", "skerry,start", STR("later"));
	assert_int_equal(g.later, 1);
	assert_int_equal(g.restart, RESTART_NEVER);
	assert_accepted("", "skerry,start", STR("boot"));
	assert_int_equal(g.later, 0);
}

static void test_no_lives(void **state)
{
	static const char *const values[] = {"", "Never", "on-reset", "alway",
					     "alwayss"};

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		assert_refused("", "skerry,restart", values[i],
			       (int)strlen(values[i]) + 1,
			       "linux: skerry,restart: must be \"never\", "
			       "\"on-crash\" or \"always\"");
	assert_refused("", "skerry,restart", "always", 6,
		       "linux: skerry,restart: must be one string");
	assert_refused("", "skerry,restart", STR("never\0always"),
		       "linux: skerry,restart: must be one string");
	assert_refused("", "skerry,restart", CELL("\1"),
		       "linux: skerry,restart: must be one string");
	assert_refused("", "skerry,start", STR("late"),
		       "linux: skerry,start: must be \"boot\" or \"later\"");
	assert_refused("", "skerry,start", "", 0,
		       "linux: skerry,start: must be one string");
}

static void test_watchdog(void **state)
{
	assert_int_equal(read_it(), 0);
	assert_int_equal(g.watchdog_ms, 0);
	assert_accepted("", "skerry,watchdog-ms", CELL("\1"));
	assert_int_equal(g.watchdog_ms, 1);
	assert_accepted("", "skerry,watchdog-ms", "\0\66\356\200", 4);
	assert_int_equal(g.watchdog_ms, 3600000);
	assert_refused("", "skerry,watchdog-ms", CELL("\0"),
		       "linux: skerry,watchdog-ms: 0: must be 1 to 3600000");
	assert_refused("", "skerry,watchdog-ms", "\0\66\356\201", 4,
		       "linux: skerry,watchdog-ms: 3600001: must be 1 to "
		       "3600000");
	assert_refused("", "skerry,watchdog-ms", "", 0,
		       "linux: skerry,watchdog-ms: must be one cell");
	/* It needs an SPI as the UART does. */
	watchdog_only = true;
	assert_accepted("", "nr_spis", CELL("\1"));
	assert_refused("", "nr_spis", CELL("\0"),
		       "linux: nr_spis: 0: skerry,watchdog-ms needs one");
}

static void test_next(void **state)
{
	struct dt_node node = {NULL}, second;

	write_tree();
	assert_true(describe_next(gen, &node));
	assert_string_equal(node.name, "linux@1");
	assert_true(describe_next(gen, &node));
	assert_string_equal(node.name, "second");
	second = node;
	assert_false(describe_next(gen, &node));
	assert_int_not_equal(describe_guest(&second, &g, &err), 0);
	assert_string_equal(err.text, "second: memory: missing");
}

static void test_memory_and_cpus(void **state)
{
	assert_refused("", "memory", NULL, -1, "linux: memory: missing");
	assert_refused("", "memory", CELL("\1"),
		       "linux: memory: must be two cells (KiB)");
	assert_refused("", "memory", CELLS("\0", "\0"),
		       "linux: memory: 0 KiB: must be a multiple of 4 KiB and "
		       "not zero");
	assert_refused("", "memory", CELLS("\0", "\6"),
		       "linux: memory: 6 KiB: must be a multiple of 4 KiB and "
		       "not zero");
	assert_refused("", "memory", "\377\377\377\377\377\377\377\374", 8,
		       "linux: memory: 18446744073709551612 KiB: at most "
		       "1068498944");
	assert_refused("", "cpus", NULL, -1, "linux: cpus: missing");
	assert_refused("", "cpus", CELL("\0"), "linux: cpus: 0: must be 1 to 8");
	assert_refused("", "cpus", CELL("\11"),
		       "linux: cpus: 9: must be 1 to 8");
	assert_refused("", "cpus", "\0\2", 2, "linux: cpus: must be one cell");
}

static void test_properties(void **state)
{
	assert_refused("", "vpl011", STR("x"), "linux: vpl011: must be empty");
	assert_refused("", "nr_spis", CELL("\0"),
		       "linux: nr_spis: 0: vpl011 needs one");
	assert_refused("", "nr_spis", "\0\0\3\301", 4,
		       "linux: nr_spis: 961: must be 0 to 960");
	assert_refused("", "xen,domain-p2m-mem-mb", CELL("\0"),
		       "linux: xen,domain-p2m-mem-mb: 0: must be 1 to 1024");
	assert_refused("", "xen,enhanced", "", 0,
		       "linux: xen,enhanced: not supported (only "
		       "\"disabled\")");
	assert_refused("", "xen,enhanced", STR("enabled"),
		       "linux: xen,enhanced: not supported (only "
		       "\"disabled\")");
	assert_refused("", "capabilities", CELL("\1"),
		       "linux: capabilities: not supported (only 0)");
	assert_refused("", "sve", "", 0, "linux: sve: not supported (only 0)");
	assert_refused("", "skerry,wfi", STR("maybe"),
		       "linux: skerry,wfi: must be \"trap\" or \"native\"");
	assert_refused("", "skerry,wfi", "trap", 4,
		       "linux: skerry,wfi: must be one string");
	assert_refused("", "skerry,wfi", STR("trap\0trap"),
		       "linux: skerry,wfi: must be one string");
	assert_refused("", "direct-map", "", 0,
		       "linux: direct-map: not supported");
	assert_refused("", "llc-colors", STR("0-3"),
		       "linux: llc-colors: not supported");
	assert_refused("", "xen,static-mem", CELL("\1"),
		       "linux: xen,static-mem: not supported");
	assert_refused("", "xen,enhnaced", "", 0,
		       "linux: xen,enhnaced: unknown property");
	assert_refused("", "skerry,weigth", CELL("\1"),
		       "linux: skerry,weigth: unknown property");
	assert_refused("kernel", "xen,reg", CELL("\1"),
		       "linux/kernel@1: xen,reg: not supported");
	assert_refused("vcpu", "skerry,period", CELL("\1"),
		       "linux/vcpu1: skerry,period: unknown property");
}

static void test_modules(void **state)
{
	static char big[5000];

	assert_refused("kernel", "reg", NULL, -1,
		       "linux/kernel@1: reg: missing");
	assert_refused("kernel", "reg", CELLS("\1", "\1"),
		       "linux/kernel@1: reg: must be one address of 2 and a "
		       "size of 2 cells");
	assert_refused("kernel", "reg", "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0", 16,
		       "linux/kernel@1: reg: its size is zero");
	assert_refused("kernel", "reg",
		       "\377\377\377\377\377\377\377\377\0\0\0\0\0\0\0\2", 16,
		       "linux/kernel@1: reg: 0xffffffffffffffff+0x2: beyond "
		       "48 bits");
	assert_refused("ramdisk", "bootargs", STR("x"),
		       "linux/ramdisk: bootargs: belongs in the kernel's node");
	assert_refused("kernel", "bootargs", "x", 1,
		       "linux/kernel@1: bootargs: must be one string");
	memset(big, 'x', sizeof(big) - 1);
	assert_refused("kernel", "bootargs", big, sizeof(big),
		       "linux/kernel@1: bootargs: longer than 4095 characters");
	assert_refused("", "#address-cells", CELL("\3"),
		       "linux: #address-cells: 3: must be 1 to 2");
	/* The specification's defaults are 2 and 1. */
	change("", "#size-cells", NULL, -1);
	assert_int_not_equal(read_it(), 0);
	assert_string_equal(err.text, "linux/kernel@1: reg: must be one "
				      "address of 2 and a size of 1 cells");
}

static void test_vcpus(void **state)
{
	assert_refused("vcpu", "id", NULL, -1, "linux/vcpu1: id: missing");
	assert_refused("vcpu", "id", CELL("\2"),
		       "linux/vcpu1: id: 2: the guest has 2 vCPUs");
	assert_accepted("vcpu", "hard-affinity", NULL, -1);
	assert_accepted("vcpu", "hard-affinity", STR("3, 0-1 "));
	assert_int_equal(g.affinity[1], 0xb);
	assert_accepted("vcpu", "hard-affinity", STR("63-999"));
	assert_true(g.affinity[1] == BIT(63));
	static const char *const bad[] = {"",	"x",   "1-",
					  "-1", "3-1", "1,,2",
					  "1,", "1 2", "99999999999",
					  "64"};
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[80];

		snprintf(text, sizeof(text),
			 "linux/vcpu1: hard-affinity: "
			 "\"%s\" is not a list of CPUs",
			 bad[i]);
		assert_refused("vcpu", "hard-affinity", bad[i],
			       (int)strlen(bad[i]) + 1, text);
	}
}

static void assert_node(const char *compatible, int len, const char *text)
{
	extra_node = compatible;
	extra_len = len;
	assert_refused("", "none", "", 0, text);
}

static void test_sub_nodes(void **state)
{
	assert_node(STR("xen,vcpu"), "linux/extra: id: 1: described twice");
	assert_node(STR("multiboot,kernel"),
		    "linux/extra: compatible: a second module of its kind");
	assert_node(STR("skerry,vbd"),
		    "linux/extra: compatible: skerry,vbd: not supported");
	assert_node(STR("xen,evtchn-v9"),
		    "linux/extra: compatible: xen,evtchn-v9: unknown kind of "
		    "sub-node");
	assert_node("unterminated", 12,
		    "linux/extra: compatible: missing: unknown kind of "
		    "sub-node");
	extra_node = NULL;
	change("kernel", "none", "", 0);
	assert_int_equal(read_it(), 0);
}

static void test_partial_tree(void **state)
{
	tree_module = "multiboot,device-tree";
	assert_accepted("", "none", "", 0);
	assert_int_equal(g.dtb.base, 0x58000000);
	assert_int_equal(g.dtb.size, 0x800);
	assert_int_equal(g.fit.size, 0);
	assert_int_equal(g.min_version, 0);
	assert_null(g.config);
	assert_refused("tree", "bootargs", STR("x"),
		       "linux/tree: bootargs: belongs in the kernel's node");
	assert_refused("tree", "skerry,config", STR("x"),
		       "linux/tree: skerry,config: unknown property");
	assert_node(STR("multiboot,device-tree"),
		    "linux/extra: compatible: a second module of its kind");
}

static void test_fit(void **state)
{
	with_fit = no_modules = true;
	assert_accepted("", "none", "", 0);
	assert_int_equal(g.fit.base, 0x60000008);
	assert_int_equal(g.fit.size, 0x4321);
	assert_int_equal(g.kernel.size, 0);
	assert_string_equal(g.fit_node, "image@2");
	assert_null(g.config);
	assert_string_equal(g.bootargs, "");
	assert_accepted("", "skerry,min-version", "\377\376\375\374", 4);
	assert_int_equal(g.min_version, 0xfffefdfc);
	assert_accepted("", "skerry,min-version", CELL("\0"));
	assert_accepted("image", "skerry,config", STR("c"));
	assert_string_equal(g.config, "c");
	assert_accepted("image", "skerry,config",
			STR("a-name-that-has-31-characters-x"));
	assert_refused("", "skerry,min-version", "\0\1", 2,
		       "linux: skerry,min-version: must be one cell");
	assert_refused("image", "skerry,config",
		       STR("a-name-that-is-longer-than-31-ch"),
		       "linux/image@2: skerry,config: must have 1 to 31 "
		       "characters");
	assert_refused("image", "skerry,config", STR(""),
		       "linux/image@2: skerry,config: must have 1 to 31 "
		       "characters");
	assert_refused("image", "skerry,config", "", 0,
		       "linux/image@2: skerry,config: must be one string");
	assert_refused("image", "skerry,config", STR("a\0b"),
		       "linux/image@2: skerry,config: must be one string");
	assert_refused("image", "skerry,config", STR("a\033"),
		       "linux/image@2: skerry,config: has what cannot be "
		       "printed");
	assert_refused("image", "bootargs", STR("x"),
		       "linux/image@2: bootargs: belongs in the signed "
		       "configuration");
	assert_refused("image", "skerry,version", CELL("\1"),
		       "linux/image@2: skerry,version: unknown property");
	assert_refused("image", "reg", "\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\1", 16,
		       "linux/image@2: reg: 0x4: must be a multiple of 8");
	assert_refused("image", "reg", NULL, -1, "linux/image@2: reg: missing");
	assert_node(STR("skerry,fit"),
		    "linux/extra: compatible: a second module of its kind");
	assert_node(STR("multiboot,ramdisk"),
		    "linux/extra: compatible: belongs in the signed image");
	assert_node(STR("multiboot,device-tree"),
		    "linux/extra: compatible: belongs in the signed image");
}

/* One or the other, in either order; or none. */
static void test_fit_and_modules(void **state)
{
	with_fit = fit_first = true;
	assert_refused("", "none", "", 0,
		       "linux/kernel@1: compatible: belongs in the signed "
		       "image");
	fit_first = false;
	assert_refused("", "none", "", 0,
		       "linux/image@2: compatible: the other modules belong "
		       "in the signed image");
	with_fit = false;
	no_modules = true;
	assert_refused("", "none", "", 0, "linux: multiboot,kernel: missing");
}

static void test_names(void **state)
{
	guest_name = "a-name-that-is-longer-than-31-ch@1";
	assert_refused("", "none", "", 0,
		       "guest: name: longer than 31 characters");
	guest_name = "a\033name";
	assert_refused("", "none", "", 0,
		       "guest: name: has a character other than letters, "
		       "digits and \",._+-\"");
	guest_name = "a-name-that-has-31-characters-x@1";
	assert_accepted("", "none", "", 0);
}

static void assert_chosen(const char *node, const char *prop, const char *val,
			  int len, const char *text)
{
	change(node, prop, val, len);
	c.done = false;
	write_tree();
	if (!describe_chosen(gen, &chosen, &err))
		fail_msg("accepted, expected: %s", text);
	assert_string_equal(err.text, text);
}

static void test_chosen(void **state)
{
	static const char *const ok[] = {"poweroff", "reboot", "stay"};
	struct dt_node none = {NULL};

	write_tree();
	chosen.when_all_off = ALL_OFF_STAY;
	assert_int_equal(describe_chosen(gen, &chosen, &err), 0);
	assert_int_equal(chosen.when_all_off, ALL_OFF_POWEROFF);
	for (unsigned int i = 0; i < ARRAY_SIZE(ok); i++) {
		change("chosen", "skerry,when-all-off", ok[i],
		       (int)strlen(ok[i]) + 1);
		write_tree();
		assert_int_equal(describe_chosen(gen, &chosen, &err), 0);
		assert_int_equal(chosen.when_all_off, i);
	}
	assert_chosen("chosen", "skerry,when-all-off", STR("explode"),
		      "chosen: skerry,when-all-off: must be \"poweroff\", "
		      "\"reboot\" or \"stay\"");
	assert_chosen("chosen", "xen,static-heap", CELL("\1"),
		      "chosen: xen,static-heap: not supported");
	assert_chosen("chosen", "xen,bootargs", STR("x"),
		      "chosen: xen,bootargs: unknown property");
	assert_chosen("other", "compatible", STR("skerry,fit"),
		      "chosen/other: compatible: skerry,fit: not supported");
	assert_chosen("other", "compatible", STR("xen,cpupool"),
		      "chosen/other: compatible: xen,cpupool: not supported");
	gen_start();
	gen_finish();
	assert_int_not_equal(describe_chosen(gen, &chosen, &err), 0);
	assert_string_equal(err.text, "chosen: node: missing");
	assert_false(describe_next(gen, &none));
}

static void assert_chosen_ok(const char *prop, const char *val, int len)
{
	change("chosen", prop, val, len);
	c.done = false;
	write_tree();
	if (describe_chosen(gen, &chosen, &err))
		fail_msg("refused: %s", err.text);
}

static void test_attested(void **state)
{
	static const char long_text[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

	assert_chosen_ok("none", "", 0);
	assert_null(chosen.attested);
	assert_chosen_ok("skerry,attested", STR("U-Boot 2025.01 ~"));
	assert_string_equal(chosen.attested, "U-Boot 2025.01 ~");
	assert_chosen_ok("skerry,attested", long_text + 1, 64);
	assert_string_equal(chosen.attested, long_text + 1);
	assert_chosen("chosen", "skerry,attested", long_text, 65,
		      "chosen: skerry,attested: must have 1 to 63 characters");
	assert_chosen("chosen", "skerry,attested", STR(""),
		      "chosen: skerry,attested: must have 1 to 63 characters");
	assert_chosen("chosen", "skerry,attested", "x", 1,
		      "chosen: skerry,attested: must be one string");
	assert_chosen("chosen", "skerry,attested", STR("a\nb"),
		      "chosen: skerry,attested: has what cannot be printed");
	assert_chosen("chosen", "skerry,attested", STR("\x7f"),
		      "chosen: skerry,attested: has what cannot be printed");
	assert_chosen("chosen", "skerry,attested", STR("\xe4"),
		      "chosen: skerry,attested: has what cannot be printed");
}

#define PRINT "0123456789abcdefABCDEF0000000000000000000000000000000000000000f9"

static void test_revoked(void **state)
{
	static const char why[] = "chosen: skerry,revoked-keys: must be "
				  "fingerprints of 64 hexadecimal digits each";
	char text[3 * 65 + 1];
	u8 print[DESCRIBE_FINGERPRINT];

	assert_chosen_ok("none", "", 0);
	assert_int_equal(chosen.nr_revoked, 0);
	for (int n = 1; n <= 3; n++) {
		for (int i = 0; i < n; i++) {
			strcpy(text + 65L * i, PRINT);
			text[65 * i] = (char)('a' + i);
		}
		assert_chosen_ok("skerry,revoked-keys", text, 65 * n);
		assert_int_equal(chosen.nr_revoked, n);
		for (int i = 0; i < n; i++) {
			describe_revoked(&chosen, (unsigned int)i, print);
			assert_int_equal(print[0], 0xa1 + 0x10 * i);
			assert_memory_equal(print + 1,
					    "\x23\x45\x67\x89\xab\xcd\xef"
					    "\xab\xcd\xef",
					    10);
			assert_int_equal(print[30], 0);
			assert_int_equal(print[31], 0xf9);
		}
	}
	assert_chosen("chosen", "skerry,revoked-keys", "", 0, why);
	for (int len = 1; len < 195; len++)
		if (len % 65)
			assert_chosen("chosen", "skerry,revoked-keys", text,
				      len, why);
	for (const char *bad = "g/:@`G \x80"; *bad; bad++)
		for (int at = 0; at < 64; at += 21) {
			strcpy(text, PRINT);
			text[at] = *bad;
			assert_chosen("chosen", "skerry,revoked-keys", text, 65,
				      why);
		}
	/* Unterminated, or terminated too early. */
	memset(text, 'a', sizeof(text));
	assert_chosen("chosen", "skerry,revoked-keys", text, 65, why);
	text[64] = text[63] = 0;
	assert_chosen("chosen", "skerry,revoked-keys", text, 65, why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_accepted, setup),
		cmocka_unit_test_setup(test_lives, setup),
		cmocka_unit_test_setup(test_no_lives, setup),
		cmocka_unit_test_setup(test_watchdog, setup),
		cmocka_unit_test_setup(test_next, setup),
		cmocka_unit_test_setup(test_memory_and_cpus, setup),
		cmocka_unit_test_setup(test_properties, setup),
		cmocka_unit_test_setup(test_modules, setup),
		cmocka_unit_test_setup(test_vcpus, setup),
		cmocka_unit_test_setup(test_sub_nodes, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_chosen, setup),
		cmocka_unit_test_setup(test_partial_tree, setup),
		cmocka_unit_test_setup(test_fit, setup),
		cmocka_unit_test_setup(test_fit_and_modules, setup),
		cmocka_unit_test_setup(test_attested, setup),
		cmocka_unit_test_setup(test_revoked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
