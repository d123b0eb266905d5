/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the guest's device tree once into `plat`, and its boot arguments on
 * demand. Runs with the MMU off. Absent devices leave zeros; nothing here
 * prints, for the console is one of the things looked for.
 */
#include <libfdt.h>
#include <string.h>

#include "guest.h"

struct plat plat;

static u64 cells(const void *p, int nr)
{
	const u8 *b = p;
	u64 v = 0;

	for (int i = 0; i < nr * 4; i++)
		v = v << 8 | b[i];
	return v;
}

static bool get_reg(int node, int index, struct range *out)
{
	const void *fdt = plat.fdt;
	int parent = fdt_parent_offset(fdt, node);
	int na = fdt_address_cells(fdt, parent);
	int ns = fdt_size_cells(fdt, parent);
	int step = 4 * (na + ns), len;
	const char *reg = fdt_getprop(fdt, node, "reg", &len);

	if (!reg || na < 1 || len < step * (index + 1))
		return false;
	out->base = cells(reg + step * index, na);
	out->size = cells(reg + step * index + 4 * na, ns);
	return true;
}

static u32 get_intid(int node, int index)
{
	int len;
	const u8 *p = fdt_getprop(plat.fdt, node, "interrupts", &len);

	if (!p || len < 12 * (index + 1))
		return 0;
	p += 12 * index;
	return cells(p + 4, 1) + (cells(p, 1) == 1 ? 16 : 32);
}

static int find(const char *compatible)
{
	return fdt_node_offset_by_compatible(plat.fdt, -1, compatible);
}

static void read_gic(void)
{
	struct range r;
	int node = find("arm,gic-v3");

	if (node >= 0) {
		plat.gic = 3;
		get_reg(node, 1, &plat.gicr);
	} else {
		node = find("arm,cortex-a15-gic");
		if (node < 0)
			node = find("arm,gic-400");
		if (node < 0)
			return;
		plat.gic = 2;
		if (get_reg(node, 1, &r))
			plat.gicc = r.base;
	}
	if (get_reg(node, 0, &r))
		plat.gicd = r.base;
}

static void read_devices(void)
{
	struct range r;
	int node = find("arm,pl011");

	if (node < 0)
		node = find("arm,sbsa-uart");
	if (node >= 0 && get_reg(node, 0, &r)) {
		plat.uart = r.base;
		plat.uart_intid = get_intid(node, 0);
	}
	node = find("arm,pl031");
	if (node >= 0 && get_reg(node, 0, &r))
		plat.rtc = r.base;
	node = find("arm,sbsa-gwdt");
	if (node >= 0 && get_reg(node, 0, &r)) {
		plat.wdt = r.base;
		if (get_reg(node, 1, &r))
			plat.wdt_refresh = r.base;
		plat.wdt_intid = get_intid(node, 0);
	}
	node = find("arm,armv8-timer");
	for (int i = 0; node >= 0 && i < 3; i++)
		plat.timer_intid[i] = get_intid(node, i);
	read_gic();
}

static void read_type(int node, const char *type)
{
	struct range r;

	if (!strcmp(type, "cpu") && plat.nr_cpus < MAX_CPUS) {
		int len;
		const void *reg = fdt_getprop(plat.fdt, node, "reg", &len);

		if (reg)
			plat.mpidr[plat.nr_cpus++] = cells(reg, len / 4);
	} else if (!strcmp(type, "memory")) {
		for (int i = 0;
		     plat.nr_mem < ARRAY_SIZE(plat.mem) && get_reg(node, i, &r);
		     i++)
			if (r.size)
				plat.mem[plat.nr_mem++] = r;
	}
}

void plat_init(const void *fdt)
{
	int node;
	const char *s;

	plat.fdt = fdt;
	plat.bootargs = "";
	if (fdt_check_header(fdt))
		return;
	for (node = fdt_next_node(fdt, -1, NULL); node >= 0;
	     node = fdt_next_node(fdt, node, NULL)) {
		s = fdt_getprop(fdt, node, "device_type", NULL);
		if (s)
			read_type(node, s);
	}
	read_devices();
	node = find("arm,psci-0.2");
	s = node >= 0 ? fdt_getprop(fdt, node, "method", NULL) : NULL;
	plat.psci_smc = s && !strcmp(s, "smc");
	s = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL);
	if (s)
		plat.bootargs = s;
}

bool is_ram(u64 addr)
{
	for (unsigned int i = 0; i < plat.nr_mem; i++)
		if (addr - plat.mem[i].base < plat.mem[i].size)
			return true;
	return false;
}

const char *bootarg(const char *key)
{
	size_t len = strlen(key);

	for (const char *s = plat.bootargs; *s;) {
		while (*s == ' ')
			s++;
		if (!strncmp(s, key, len) && s[len] == '=')
			return s + len + 1;
		while (*s && *s != ' ')
			s++;
	}
	return NULL;
}

u64 bootarg_num(const char *key, u64 fallback)
{
	const char *s = bootarg(key);
	u64 v = 0;

	if (!s || *s < '0' || *s > '9')
		return fallback;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u64)(*s - '0');
	return v;
}
