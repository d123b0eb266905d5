/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/guestdt.c: the tree that is written, read back with libfdt. */
#include "fdtgen.h"

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
	d.nr_ram = 3;
	d.ram[0] = (struct domain_ram){IPA(0x40000000), PADDR(1), 0x80000000};
	d.ram[1] = (struct domain_ram){IPA(0xc0000000), PADDR(2), 0x40000000};
	d.ram[2] = (struct domain_ram){IPA(0x200000000), PADDR(3), 0x200000};
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

static void test_most(void **state)
{
	d.nr_ram = DOMAIN_MAX_RAM;
	for (unsigned int i = 0; i < DOMAIN_MAX_RAM; i++)
		d.ram[i] = (struct domain_ram){IPA(i * GIB * 2), PADDR(0), GIB};
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tree, setup),
		cmocka_unit_test_setup(test_without, setup),
		cmocka_unit_test_setup(test_most, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_gicv2, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
