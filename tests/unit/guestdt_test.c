/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/guestdt.c: the tree that is written, read back with libfdt. */
#include "fdtgen.h"

#include <stdlib.h>

#include <skerry/arch/gic.h>
#include <skerry/domain.h>
#include <skerry/error.h>
#include <skerry/guestdt.h>
#include <skerry/machine.h>

struct machine machine;
static unsigned int version;
static struct domain d;
static struct guestdt g;
static struct guestdt_error err;
static struct vcpu vcpus[CONFIG_MAX_VCPUS];

unsigned int gic_version(void)
{
	return version;
}

/* domain_test.c has what they really are. */
const char *const stop_names[] = {"zero", "one",  "two", "three",
				  "four", "five", "six", "seven"};

static int setup(void **state)
{
	memset(&d, 0, sizeof(d));
	memset(&g, 0, sizeof(g));
	memset(&machine, 0, sizeof(machine));
	version = 3;
	strcpy(machine.cpus[0].compatible, "arm,cortex-a57");
	strcpy(machine.cpus[2].compatible, "arm,cortex-a72");
	d.nr_vcpus = 2;
	d.vcpus[0] = &vcpus[0];
	d.vcpus[1] = &vcpus[1];
	vcpus[0].cpu = 2;
	vcpus[1].cpu = 0;
	/* Two pieces of one bank, then the second bank. */
	d.home.nr_ram = 3;
	d.home.ram[0] = (struct domain_ram){IPA(0x40000000), PADDR(1),
					    0x80000000};
	d.home.ram[1] = (struct domain_ram){IPA(0xc0000000), PADDR(2),
					    0x40000000};
	d.home.ram[2] = (struct domain_ram){IPA(0x200000000), PADDR(3),
					    0x200000};
	g.vpl011 = true;
	g.bootargs = "console=ttyAMA0 quiet";
	g.initrd = 0x148010000;
	g.initrd_size = 0x1234;
	return 0;
}

static void build(void)
{
	memset(gen, 0xa5, sizeof(gen));
	assert_int_equal(guestdt_build(gen, 65536, &d, &g, &err), 0);
	assert_int_equal(fdt_check_full(gen, 65536), 0);
}

static int node(const char *path)
{
	int n = fdt_path_offset(gen, path);

	if (n < 0)
		fail_msg("%s: %s", path, fdt_strerror(n));
	return n;
}

static void assert_str(const char *path, const char *name, const char *val)
{
	int len;
	const char *s = fdt_getprop(gen, node(path), name, &len);

	assert_non_null(s);
	assert_string_equal(s, val);
}

static void assert_cells_n(const char *path, const char *name,
			   const uint32_t *val, int nr)
{
	int len;
	const fdt32_t *p = fdt_getprop(gen, node(path), name, &len);

	assert_non_null(p);
	assert_int_equal(len, 4 * nr);
	for (int i = 0; i < nr; i++)
		assert_int_equal(fdt32_ld(p + i), val[i]);
}

#define assert_cells(path, name, ...)                                          \
	assert_cells_n(path, name, (const uint32_t[]){__VA_ARGS__},            \
		       sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void test_tree(void **state)
{
	build();
	assert_cells("/", "#address-cells", 2);
	assert_cells("/", "interrupt-parent", 65000);
	assert_str("/chosen", "bootargs", "console=ttyAMA0 quiet");
	assert_str("/chosen", "stdout-path", "/sbsa-uart@22000000");
	assert_cells("/chosen", "linux,initrd-start", 1, 0x48010000);
	assert_cells("/chosen", "linux,initrd-end", 1, 0x48011234);
	assert_null(fdt_getprop(gen, node("/chosen"), "kaslr-seed", NULL));
	assert_str("/cpus/cpu@0", "compatible", "arm,cortex-a72");
	assert_str("/cpus/cpu@1", "compatible", "arm,cortex-a57");
	assert_str("/cpus/cpu@1", "enable-method", "psci");
	assert_cells("/cpus/cpu@1", "reg", 1);
	assert_cells("/memory@40000000", "reg", 0, 0x40000000, 0, 0xc0000000, 2,
		     0, 0, 0x200000);
	assert_cells("/interrupt-controller@3001000", "reg", 0, 0x3001000, 0,
		     0x10000, 0, 0x3020000, 0, 0x40000);
	assert_int_equal(fdt_node_offset_by_phandle(gen, 65000),
			 node("/interrupt-controller@3001000"));
	assert_cells("/timer", "interrupts", 1, 13, 0xf08, 1, 14, 0xf08, 1, 11,
		     0xf08);
	assert_null(fdt_getprop(gen, node("/timer"), "clock-frequency", NULL));
	assert_int_equal(fdt_node_check_compatible(gen, node("/psci"),
						   "arm,psci-1.0"),
			 0);
	assert_int_equal(fdt_node_check_compatible(gen, node("/psci"),
						   "arm,psci"),
			 0);
	assert_str("/psci", "method", "hvc");
	assert_cells("/sbsa-uart@22000000", "interrupts", 0, 0, 4);
	assert_cells("/sbsa-uart@22000000", "reg", 0, 0x22000000, 0, 0x1000);
	assert_int_equal(fdt_node_check_compatible(gen, node("/rtc@22001000"),
						   "arm,primecell"),
			 0);
	assert_cells("/rtc@22001000", "arm,primecell-periphid", 0x41031);
	assert_int_equal(fdt_node_offset_by_phandle(gen, 65001),
			 node("/apb-pclk"));
}

static void test_without(void **state)
{
	g.vpl011 = false;
	g.initrd_size = 0;
	g.bootargs = "";
	machine.timer_freq = 62500000;
	build();
	assert_true(fdt_path_offset(gen, "/sbsa-uart@22000000") < 0);
	assert_null(fdt_getprop(gen, node("/chosen"), "stdout-path", NULL));
	assert_null(
		fdt_getprop(gen, node("/chosen"), "linux,initrd-start", NULL));
	assert_cells("/timer", "clock-frequency", 62500000);
}

static void test_watchdog(void **state)
{
	build();
	assert_true(fdt_path_offset(gen, "/watchdog@22002000") < 0);
	d.wdt.ms = 999;
	build();
	assert_str("/watchdog@22002000", "compatible", "arm,sbsa-gwdt");
	/* The control frame comes first. */
	assert_cells("/watchdog@22002000", "reg", 0, 0x22002000, 0, 0x1000, 0,
		     0x22003000, 0, 0x1000);
	assert_cells("/watchdog@22002000", "interrupts", 0, 1, 4);
	assert_null(fdt_getprop(gen, node("/watchdog@22002000"), "timeout-sec",
				NULL));
	d.wdt.ms = 5999;
	build();
	assert_cells("/watchdog@22002000", "timeout-sec", 5);
}

/* Why it starts, and how often it has; the first time as well. */
static void test_reason(void **state)
{
	build();
	assert_str("/chosen", "skerry,reset-reason", "zero");
	d.nr_starts = 1;
	build();
	assert_cells("/chosen", "skerry,nr-starts", 1);
	for (unsigned int why = STOP_NONE; why <= STOP_REFUSED; why++) {
		d.born_by = why;
		d.nr_starts = 0x10000 + why;
		build();
		assert_str("/chosen", "skerry,reset-reason", stop_names[why]);
		assert_cells("/chosen", "skerry,nr-starts", 0x10000 + why);
	}
}

static void test_most(void **state)
{
	d.home.nr_ram = DOMAIN_MAX_RAM;
	for (unsigned int i = 0; i < DOMAIN_MAX_RAM; i++)
		d.home.ram[i] = (struct domain_ram){IPA(i * GIB * 2), PADDR(0),
						    GIB};
	d.nr_vcpus = CONFIG_MAX_VCPUS;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++)
		d.vcpus[i] = &vcpus[0];
	build();
	int len;
	fdt_getprop(gen, node("/memory@40000000"), "reg", &len);
	assert_int_equal(len, 16 * DOMAIN_MAX_RAM);
	node("/cpus/cpu@7");
}

static void test_errors(void **state)
{
	static char args[5000];

	/* Every size that is too small is an error, and nothing is beyond. */
	for (uint64_t size = 0; size < 1024; size += 8) {
		memset(gen, 0xa5, sizeof(gen));
		assert_int_equal(guestdt_build(gen, size, &d, &g, &err),
				 -ENOSPC);
		for (uint64_t i = size; i < 2048; i++)
			assert_int_equal((unsigned char)gen[i], 0xa5);
	}
	memset(args, 'x', sizeof(args) - 1);
	g.bootargs = args;
	assert_int_equal(guestdt_build(gen, 4096, &d, &g, &err), -ENOSPC);
}

static void test_gicv2(void **state)
{
	static const uint32_t want[] = {0, 0x3001000, 0, 0x1000,
					0, 0x3002000, 0, 0x2000};
	const fdt32_t *reg;
	int n, len;

	version = 2;
	build();
	n = node("/interrupt-controller@3001000");
	reg = fdt_getprop(gen, n, "reg", &len);
	assert_int_equal(len, sizeof(want));
	for (int i = 0; i < 8; i++)
		assert_int_equal(fdt32_to_cpu(reg[i]), want[i]);
	assert_string_equal(fdt_getprop(gen, n, "compatible", &len),
			    "arm,gic-400");
	assert_null(fdt_getprop(gen, n, "#redistributor-regions", &len));
	assert_non_null(fdt_getprop(gen, n, "interrupt-controller", &len));
}

/* --- partial trees ------------------------------------------------------- */

static _Alignas(8) char partial[40000];

/* What fdtgen.h has written so far is the partial tree. */
static void set_partial(void)
{
	gen_finish();
	g.partial_size = fdt_totalsize(gen);
	assert_in_range(g.partial_size, 0, sizeof(partial));
	memcpy(partial, gen, g.partial_size);
	g.partial = partial;
}

static void refused(const char *why)
{
	memset(&err, 0, sizeof(err));
	assert_int_equal(guestdt_build(gen, 65536, &d, &g, &err), -EINVAL);
	assert_string_equal(err.text, why);
}

static void begin_passthrough(void)
{
	gen_start();
	gen_begin("passthrough");
}

static void end_passthrough(void)
{
	gen_end();
	set_partial();
}

static void test_partial(void **state)
{
	int len;

	gen_start();
	gen_str("compatible", "mine");
	gen_begin("other");
	gen_cells("phandle", 65001);
	gen_end();
	gen_begin("aliases");
	gen_str("serial1", "/passthrough/uart@1000");
	gen_end();
	gen_begin("passthrough");
	gen_str("compatible", "simple-bus");
	gen_empty("ranges");
	gen_begin("uart@1000");
	gen_cells("reg", 0, 0x1000, 0, 0x100);
	gen_prop("odd", "12345", 5);
	gen_cells("phandle", 7);
	gen_begin("deep");
	gen_cells("linux,phandle", 8);
	gen_end();
	gen_end();
	gen_begin("last");
	gen_cells("interrupt-parent", 65000);
	gen_end();
	gen_end();
	set_partial();
	build();
	/* Ours is all there. */
	assert_cells("/", "interrupt-parent", 65000);
	assert_str("/chosen", "bootargs", "console=ttyAMA0 quiet");
	assert_str("/cpus/cpu@1", "enable-method", "psci");
	assert_null(fdt_getprop(gen, 0, "compatible", NULL));
	assert_true(fdt_path_offset(gen, "/other") < 0);
	assert_str("/aliases", "serial1", "/passthrough/uart@1000");
	assert_int_equal(fdt_path_offset(gen, "serial1"),
			 node("/passthrough/uart@1000"));
	assert_str("/passthrough", "compatible", "simple-bus");
	assert_non_null(fdt_getprop(gen, node("/passthrough"), "ranges", &len));
	assert_int_equal(len, 0);
	assert_cells("/passthrough/uart@1000", "reg", 0, 0x1000, 0, 0x100);
	assert_memory_equal(fdt_getprop(gen, node("/passthrough/uart@1000"),
					"odd", &len),
			    "12345", 5);
	assert_int_equal(len, 5);
	assert_cells("/passthrough/uart@1000/deep", "linux,phandle", 8);
	assert_cells("/passthrough/last", "interrupt-parent", 65000);
	assert_int_equal(fdt_node_offset_by_phandle(gen, 7),
			 node("/passthrough/uart@1000"));
	/* It can still be changed. */
	assert_int_equal(fdt_open_into(gen, gen, 65536), 0);
	gen_ok(fdt_setprop_u32(gen, node("/passthrough"), "more", 1));
	assert_int_equal(fdt_check_full(gen, 65536), 0);
}

static void test_gic_phandle(void **state)
{
	static const uint32_t good[] = {1, 64999, 65000, 65002, 0xfffffffe};
	static const uint32_t bad[] = {0, 65001, 0xffffffff};

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		/* The rest of that node is not ours to take. */
		begin_passthrough();
		gen_end();
		gen_begin("gic");
		gen_str("compatible", "x");
		gen_cells("phandle", good[i]);
		end_passthrough();
		build();
		assert_cells("/", "interrupt-parent", good[i]);
		assert_cells("/interrupt-controller@3001000", "phandle",
			     good[i]);
		assert_true(fdt_path_offset(gen, "/gic") < 0);
		/* Which is then nobody else's. */
		begin_passthrough();
		gen_cells("phandle", good[i]);
		gen_end();
		gen_begin("gic");
		gen_cells("phandle", good[i]);
		end_passthrough();
		memset(&err, 0, sizeof(err));
		assert_int_equal(guestdt_build(gen, 65536, &d, &g, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, "passthrough: phandle: "));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		gen_start();
		gen_begin("gic");
		gen_cells("phandle", bad[i]);
		end_passthrough();
		memset(&err, 0, sizeof(err));
		assert_int_equal(guestdt_build(gen, 65536, &d, &g, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, "gic: phandle: "));
	}
	gen_start();
	gen_begin("gic");
	end_passthrough();
	refused("gic: phandle: must be one cell");
	gen_start();
	gen_begin("gic");
	gen_cells("phandle", 1, 2);
	end_passthrough();
	refused("gic: phandle: must be one cell");
	/* Ours stay ours. */
	for (uint32_t i = 65000; i <= 65001; i++) {
		begin_passthrough();
		gen_begin("a");
		gen_cells("linux,phandle", i);
		gen_end();
		end_passthrough();
		refused(i == 65000 ? "a: linux,phandle: 65000 is taken, or "
				     "malformed"
				   : "a: linux,phandle: 65001 is taken, or "
				     "malformed");
	}
	begin_passthrough();
	gen_cells("phandle", 1, 65000);
	end_passthrough();
	refused("passthrough: phandle: 0 is taken, or malformed");
}

static void test_assignment(void **state)
{
	static const char *const names[] = {"xen,reg", "xen,path",
					    "xen,force-assign-without-iommu"};
	char why[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(why, sizeof(why),
			 "uart@9: %s: device assignment is not supported in "
			 "this version",
			 names[i]);
		begin_passthrough();
		gen_begin("uart@9");
		gen_empty(names[i]);
		gen_end();
		end_passthrough();
		refused(why);
	}
	/* What is not copied may say so. */
	gen_start();
	gen_begin("elsewhere");
	gen_empty("xen,reg");
	gen_end();
	set_partial();
	build();
}

static void test_depth(void **state)
{
	for (int depth = 15; depth <= 17; depth++) {
		begin_passthrough();
		for (int i = 1; i < depth; i++)
			gen_begin("n");
		for (int i = 1; i < depth; i++)
			gen_end();
		end_passthrough();
		if (depth <= 16)
			build();
		else
			refused("n: nested deeper than 16");
	}
	begin_passthrough();
	gen_begin("a\033[2J");
	gen_end();
	end_passthrough();
	refused("a node's name cannot be printed");
}

/* Any size of any block: either it fits or nothing is beyond. */
static void test_room(void **state)
{
	uint64_t size, used;

	begin_passthrough();
	gen_str("a-name-of-its-own", "value");
	end_passthrough();
	build();
	used = fdt_totalsize(gen);
	for (size = used - 64; size < used + 64; size++) {
		int ret;

		memset(gen, 0xa5, sizeof(gen));
		ret = guestdt_build(gen, size, &d, &g, &err);
		assert_true(ret == 0 || ret == -ENOSPC);
		if (size < used)
			assert_int_equal(ret, -ENOSPC);
		for (uint64_t i = size; i < used + 256; i++)
			assert_int_equal((unsigned char)gen[i], 0xa5);
	}
	assert_int_equal(guestdt_build(gen, used + 64, &d, &g, &err), 0);
}

/* As large as load.c lets it be, with a full set of our own. */
static void test_large(void **state)
{
	static char args[4096], data[60];

	begin_passthrough();
	for (unsigned int i = 0; i < 330; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u", i);
		gen_begin(name);
		gen_prop(name, data, sizeof(data));
		gen_end();
	}
	end_passthrough();
	assert_in_range(g.partial_size, 30000, 32768);
	memset(args, 'x', sizeof(args) - 1);
	g.bootargs = args;
	build();
	node("/passthrough/n329");
}

static void test_malformed(void **state)
{
	struct fdt_header *h = (void *)partial;

	begin_passthrough();
	end_passthrough();
	g.partial_size--;
	refused("not a device tree, or truncated");
	g.partial_size = 39;
	refused("not a device tree, or truncated");
	g.partial_size = sizeof(partial);
	build();
	fdt_set_version(h, 16);
	refused("damaged: not a well-formed device tree");
	fdt_set_version(h, 17);
	fdt_set_magic(h, 0);
	refused("not a device tree, or truncated");
}

/* Hostile: one byte after the other is anything; what passes is a tree. */
static void test_mutants(void **state)
{
	unsigned int seed = 5, nr_ok = 0;
	char was[1024];
	u64 size;

	begin_passthrough();
	gen_str("compatible", "x\0y");
	gen_begin("a@1");
	gen_cells("phandle", 4);
	gen_begin("b");
	gen_end();
	gen_end();
	gen_end();
	gen_begin("gic");
	gen_cells("phandle", 5);
	gen_end();
	gen_begin("aliases");
	gen_str("s", "/passthrough");
	end_passthrough();
	size = g.partial_size;
	assert_in_range(size, 0, sizeof(was));
	memcpy(was, partial, size);
	for (unsigned int n = 0; n < 20000; n++) {
		char *at = malloc(size);

		memcpy(at, was, size);
		for (unsigned int i = 0; i <= n % 3; i++)
			at[(unsigned int)rand_r(&seed) % size] =
				(char)(rand_r(&seed) % 4 ? rand_r(&seed) % 12
							 : rand_r(&seed));
		g.partial = at;
		memset(&err, 0, sizeof(err));
		if (guestdt_build(gen, 65536, &d, &g, &err)) {
			assert_true(strlen(err.text) > 0);
		} else {
			assert_int_equal(fdt_check_full(gen, 65536), 0);
			nr_ok++;
		}
		free(at);
	}
	assert_in_range(nr_ok, 300, 19700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tree, setup),
		cmocka_unit_test_setup(test_without, setup),
		cmocka_unit_test_setup(test_watchdog, setup),
		cmocka_unit_test_setup(test_reason, setup),
		cmocka_unit_test_setup(test_most, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_gicv2, setup),
		cmocka_unit_test_setup(test_partial, setup),
		cmocka_unit_test_setup(test_gic_phandle, setup),
		cmocka_unit_test_setup(test_assignment, setup),
		cmocka_unit_test_setup(test_depth, setup),
		cmocka_unit_test_setup(test_room, setup),
		cmocka_unit_test_setup(test_large, setup),
		cmocka_unit_test_setup(test_malformed, setup),
		cmocka_unit_test_setup(test_mutants, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
