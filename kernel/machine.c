/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the host device tree, once and in one pass over its nodes, into
 * `machine`. The tree is checked before it is believed; what no board can do
 * without ends in die() with the node and the property. Guest descriptions
 * below /chosen are kernel/describe.c's.
 */
#include <skerry/machine.h>

#include <libfdt.h>

#include <skerry/arch/mmu.h>
#include <skerry/fmt.h>
#include <skerry/log.h>
#include <skerry/panic.h>
#include <skerry/string.h>

#define MAX_DEPTH   8
#define MAX_PA	    BIT(48)
#define MPIDR_AFF   0xff00ffffffUL
#define NO_PHANDLE  0
#define GICR_MIN    0x20000UL /* two 64 KiB frames, IHI 0069 12.10 */

struct machine machine;

/* Properties that many nodes have; the rest is looked up where needed. */
enum {
	P_COMPATIBLE, P_REG, P_STATUS, P_DEVICE_TYPE, P_INTERRUPTS, P_RANGES,
	P_ADDRESS_CELLS, P_SIZE_CELLS, P_INTERRUPT_PARENT, NR_PROPS,
};

static const char *const prop_names[NR_PROPS] = {
	[P_COMPATIBLE] = "compatible",
	[P_REG] = "reg",
	[P_STATUS] = "status",
	[P_DEVICE_TYPE] = "device_type",
	[P_INTERRUPTS] = "interrupts",
	[P_RANGES] = "ranges",
	[P_ADDRESS_CELLS] = "#address-cells",
	[P_SIZE_CELLS] = "#size-cells",
	[P_INTERRUPT_PARENT] = "interrupt-parent",
};

struct prop {
	const void *data; /* NULL: absent */
	int len;
};

/* A node on the way from the root to the one being read. */
struct level {
	const char *name;
	u32 address_cells, size_cells; /* for its children */
	u32 interrupt_parent;
	bool disabled; /* it or one above */
	struct prop prop[NR_PROPS];
};

static struct walk {
	const void *fdt;
	int node, depth;
	int stdout; /* offset of the console's node */
	u32 gic_phandle, timer_parent, uart_parent;
	struct level level[MAX_DEPTH];
} walk;

static struct level *here(void)
{
	return &walk.level[walk.depth];
}

__noreturn static void bad(const char *prop, const char *why)
{
	die("%s: %s: %s", here()->name, prop, why);
}

static u64 cells(const void *data, unsigned int first, unsigned int nr)
{
	const fdt32_t *cell = (const fdt32_t *)data + first;
	u64 val = 0;

	while (nr--)
		val = val << 32 | fdt32_ld(cell++);
	return val;
}

static bool prop_is(const struct prop *p, const char *value)
{
	return p->data && p->len == (int)strlen(value) + 1 &&
	       !memcmp(p->data, value, (size_t)p->len);
}

static struct prop find(const char *name)
{
	struct prop p;

	p.data = fdt_getprop(walk.fdt, walk.node, name, &p.len);
	return p;
}

static u32 find_u32(const char *name, u32 otherwise)
{
	struct prop p = find(name);

	if (!p.data)
		return otherwise;
	if (p.len != 4)
		bad(name, "must be one cell");
	return (u32)cells(p.data, 0, 1);
}

/* Copy a string of the tree; false when absent, unterminated or too long. */
static bool copy_string(char *to, size_t size, const struct prop *p)
{
	size_t len = p->data ? strnlen(p->data, (size_t)p->len) : 0;

	if (!p->data || len == (size_t)p->len || len >= size)
		return false;
	memcpy(to, p->data, len + 1);
	return true;
}

static u32 level_cell(const struct level *l, int id, u32 otherwise)
{
	const struct prop *p = &l->prop[id];

	if (!p->data)
		return otherwise;
	if (p->len != 4)
		bad(prop_names[id], "must be one cell");
	return (u32)cells(p->data, 0, 1);
}

/* Note the current node's properties. Only the first of a name counts. */
static void read_level(void)
{
	const struct level *up = walk.depth ? here() - 1 : NULL;
	struct level *l = here();
	const char *name;
	int off, len;

	memset(l, 0, sizeof(*l));
	l->name = walk.depth ? fdt_get_name(walk.fdt, walk.node, NULL) : "/";
	fdt_for_each_property_offset(off, walk.fdt, walk.node) {
		const void *data = fdt_getprop_by_offset(walk.fdt, off, &name,
							 &len);

		for (int i = 0; i < NR_PROPS; i++) {
			if (*name != *prop_names[i] || l->prop[i].data ||
			    strcmp(name, prop_names[i]))
				continue;
			l->prop[i] = (struct prop){data, len};
			break;
		}
	}
	/* Defaults of the Devicetree Specification v0.4, 2.3.5. */
	l->address_cells = level_cell(l, P_ADDRESS_CELLS, 2);
	l->size_cells = level_cell(l, P_SIZE_CELLS, 1);
	l->interrupt_parent = level_cell(l, P_INTERRUPT_PARENT,
					 up ? up->interrupt_parent
					    : NO_PHANDLE);
	l->disabled = (up && up->disabled) ||
		      (l->prop[P_STATUS].data &&
		       !prop_is(&l->prop[P_STATUS], "okay") &&
		       !prop_is(&l->prop[P_STATUS], "ok"));
}

/* An address below a bus, as the CPU sees it (`ranges`, spec 2.3.8). */
static u64 translate(u64 addr, u64 size)
{
	for (int i = walk.depth - 1; i > 0; i--) {
		const struct level *l = &walk.level[i];
		u32 child = l->address_cells, up = l[-1].address_cells;
		u32 entry = child + up + l->size_cells;
		const struct prop *r = &l->prop[P_RANGES];
		bool found = r->data && !r->len;

		if (!r->data)
			bad("reg", "its bus has no ranges");
		if (child > 2 || up > 2 || l->size_cells > 2)
			bad("reg", "its bus has more than 2 cells");
		for (u32 c = 0; !found && c + entry <= (u32)r->len / 4;
		     c += entry) {
			u64 from = cells(r->data, c, child);
			u64 to = cells(r->data, c + child, up);
			u64 n = cells(r->data, c + child + up, l->size_cells);

			found = addr >= from && size <= n &&
				addr - from <= n - size;
			if (found)
				addr = to + (addr - from);
		}
		if (!found)
			bad("reg", "outside the ranges of its bus");
	}
	return addr;
}

/* The i-th entry of `reg`; false beyond the last. */
static bool read_reg(unsigned int i, u64 *base, u64 *size)
{
	const struct level *up = here() - 1;
	const struct prop *reg = &here()->prop[P_REG];
	u32 ac = up->address_cells, sc = up->size_cells;

	if (!reg->data)
		return false;
	if (!ac || ac > 2 || !sc || sc > 2)
		bad("reg", "#address-cells and #size-cells must be 1 or 2");
	if (!reg->len || (u32)reg->len % (4 * (ac + sc)))
		bad("reg", "not a whole number of entries");
	if (i >= (u32)reg->len / (4 * (ac + sc)))
		return false;
	*base = cells(reg->data, i * (ac + sc), ac);
	*size = cells(reg->data, i * (ac + sc) + ac, sc);
	if (*size > MAX_PA || *base > MAX_PA - *size)
		bad("reg", "beyond 48 bits");
	*base = translate(*base, *size);
	if (*base > MAX_PA - *size)
		bad("reg", "beyond 48 bits");
	return true;
}

/* INTID of the i-th of `interrupts`, of a GIC's three cells; 0 without. */
static u32 read_intid(unsigned int i)
{
	const struct prop *p = &here()->prop[P_INTERRUPTS];
	u64 type, nr;

	if (!p->data || (i + 1) * 12 > (unsigned int)p->len || p->len % 12)
		return 0;
	type = cells(p->data, 3 * i, 1);
	nr = cells(p->data, 3 * i + 1, 1);
	if (type > 1 || nr >= (type ? 16 : 988))
		bad("interrupts", "no interrupt of a GIC");
	return (u32)nr + (type ? 16 : 32);
}

static void add_reserved(u64 base, u64 size)
{
	/*
	 * Some loaders reserve the tree itself. init.c keeps what is used of
	 * it; only what follows is left to reserve.
	 */
	u64 dtb = direct_pa(walk.fdt).v;

	if (base == dtb) {
		u64 used = min(align_up(dtb + machine.fdt_size, PAGE_SIZE) -
				       dtb, size);

		base += used;
		size -= used;
	}
	if (!size)
		return;
	if (machine.nr_reserved == MACHINE_MAX_RESERVED)
		die("reserved-memory: reg: more than %u ranges",
		    MACHINE_MAX_RESERVED);
	machine.reserved[machine.nr_reserved++] =
		(struct page_bank){base, size};
}

/* Statically placed ranges. `reusable` ones are the OS's while unused. */
static void read_reserved(void)
{
	u64 base, size;

	if (find("reusable").data)
		return;
	for (unsigned int i = 0; read_reg(i, &base, &size); i++)
		add_reserved(base, size);
}

/* Insert in the order of addresses; firmware leaves empty entries. */
static void read_memory(void)
{
	u64 base, size;

	for (unsigned int i = 0; read_reg(i, &base, &size); i++) {
		struct page_bank *b = machine.banks;
		unsigned int n = machine.nr_banks;

		if (!size)
			continue;
		if (n == MACHINE_MAX_BANKS)
			bad("reg", "too many banks");
		for (; n && b[n - 1].base > base; n--)
			b[n] = b[n - 1];
		b[n] = (struct page_bank){base, size};
		machine.nr_banks++;
		if ((n && b[n - 1].base + b[n - 1].size > base) ||
		    (n + 1 < machine.nr_banks && base + size > b[n + 1].base))
			bad("reg", "banks overlap");
	}
}

static void read_cpu(void)
{
	u32 ac = here()[-1].address_cells;
	struct prop release = find("cpu-release-addr");
	struct prop method = find("enable-method");
	struct machine_cpu *c = &machine.cpus[machine.nr_cpus];
	const struct level *l = here();

	if (machine.nr_cpus == CONFIG_NR_CPUS) {
		machine.nr_cpus_ignored++;
		return;
	}
	if (!ac || ac > 2 || !l->prop[P_REG].data ||
	    l->prop[P_REG].len != (int)(4 * ac))
		bad("reg", "must be one MPIDR");
	memset(c, 0, sizeof(*c));
	c->mpidr = cells(l->prop[P_REG].data, 0, ac);
	if (c->mpidr & ~MPIDR_AFF)
		bad("reg", "not the affinity fields of an MPIDR");
	for (unsigned int i = 0; i < machine.nr_cpus; i++)
		if (machine.cpus[i].mpidr == c->mpidr)
			bad("reg", "two CPUs have this MPIDR");
	if (!copy_string(c->compatible, sizeof(c->compatible),
			 &l->prop[P_COMPATIBLE]))
		bad("compatible", "missing or too long");
	if (prop_is(&method, "psci")) {
		c->method = CPU_METHOD_PSCI;
	} else if (prop_is(&method, "spin-table")) {
		if (!release.data || (release.len != 4 && release.len != 8))
			bad("cpu-release-addr", "must be an address");
		c->method = CPU_METHOD_SPIN;
		c->release = cells(release.data, 0, (u32)release.len / 4);
		if (c->release >= MAX_PA || !is_aligned(c->release, 8))
			bad("cpu-release-addr", "not an aligned address");
	}
	machine.nr_cpus++;
}

static bool begin_gic(u8 version)
{
	struct machine_gic *g = &machine.gic;

	if (g->version)
		return false;
	g->version = version;
	walk.gic_phandle = find_u32("phandle", NO_PHANDLE);
	if (find_u32("#interrupt-cells", 0) != 3)
		bad("#interrupt-cells", "must be 3");
	if (!read_reg(0, &g->dist, &g->dist_size))
		bad("reg", "missing");
	g->maint_intid = read_intid(0);
	if (!g->maint_intid)
		bad("interrupts", "no maintenance interrupt");
	return true;
}

static void read_gicv3(void)
{
	struct machine_gic *g = &machine.gic;
	u32 nr = find_u32("#redistributor-regions", 1);
	struct prop stride = find("redistributor-stride");

	if (!begin_gic(3))
		return;
	if (g->dist_size < 0x10000 || !is_aligned(g->dist, 0x10000))
		bad("reg", "the distributor is not 64 KiB");
	if (!nr || nr > ARRAY_SIZE(g->redist))
		bad("#redistributor-regions", "must be 1 to 4");
	if (stride.data) {
		if (stride.len != 4 && stride.len != 8)
			bad("redistributor-stride", "must be one or two cells");
		g->redist_stride = cells(stride.data, 0, (u32)stride.len / 4);
		if (g->redist_stride &&
		    (g->redist_stride < GICR_MIN || g->redist_stride > GIB ||
		     !is_aligned(g->redist_stride, 0x10000)))
			bad("redistributor-stride", "impossible");
	}
	for (u32 i = 0; i < nr; i++)
		if (!read_reg(1 + i, &g->redist[i], &g->redist_size[i]) ||
		    g->redist_size[i] < GICR_MIN ||
		    !is_aligned(g->redist[i], 0x10000))
			bad("reg", "a redistributor region is missing or "
				   "impossible");
	g->nr_redist = (u8)nr;
}

/* GICC, GICH and GICV; without the last two there is no virtualization. */
static void read_gicv2(void)
{
	struct machine_gic *g = &machine.gic;

	if (!begin_gic(2))
		return;
	if (g->dist_size < PAGE_SIZE || !is_aligned(g->dist, PAGE_SIZE))
		bad("reg", "the distributor is not 4 KiB");
	for (unsigned int i = 0; i < 3; i++)
		if (!read_reg(1 + i, &g->redist[i], &g->redist_size[i]) ||
		    g->redist_size[i] < PAGE_SIZE)
			bad("reg", "must be GICD, GICC, GICH and GICV");
	g->nr_redist = 3;
}

/* In the binding's order: secure, non-secure, virtual, hypervisor. */
static void read_timer(void)
{
	machine.ptimer_intid = read_intid(1);
	machine.vtimer_intid = read_intid(2);
	machine.htimer_intid = read_intid(3);
	if (!machine.htimer_intid)
		bad("interrupts", "must have four entries of three cells");
	machine.timer_freq = find_u32("clock-frequency", 0);
	walk.timer_parent = here()->interrupt_parent;
}

static void read_psci(void)
{
	struct prop method = find("method");

	machine.has_psci = prop_is(&method, "smc");
	if (!machine.has_psci)
		log_line("%s: method: only \"smc\" can be called from EL2: no "
			 "PSCI", here()->name);
}

static void read_uart(void)
{
	u64 size;

	if (!read_reg(0, &machine.uart_base, &size))
		bad("reg", "missing");
	machine.uart = UART_PL011;
	machine.uart_intid = read_intid(0);
	walk.uart_parent = here()->interrupt_parent;
}

static const struct {
	const char *compatible;
	void (*read)(void);
	bool console; /* only as stdout-path */
} devices[] = {
	{"arm,gic-v3", read_gicv3, false},
	{"arm,gic-400", read_gicv2, false},
	{"arm,cortex-a15-gic", read_gicv2, false},
	{"arm,armv8-timer", read_timer, false},
	{"arm,psci-1.0", read_psci, false},
	{"arm,psci-0.2", read_psci, false},
	{"arm,pl011", read_uart, true},
	{"arm,sbsa-uart", read_uart, true},
};

/* The first string of `compatible` that we know decides. */
static void read_device(void)
{
	const struct prop *p = &here()->prop[P_COMPATIBLE];
	const char *s = p->data;
	int left = p->data ? p->len : 0;

	while (left > 0) {
		int len = (int)strnlen(s, (size_t)left);

		if (len == left)
			bad("compatible", "not terminated");
		for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
			if (strcmp(s, devices[i].compatible))
				continue;
			if (!devices[i].console || walk.node == walk.stdout)
				devices[i].read();
			return;
		}
		s += len + 1;
		left -= len + 1;
	}
}

static void read_node(void)
{
	const struct level *l = here();
	const char *up = walk.depth ? l[-1].name : "";

	if (l->disabled || !walk.depth)
		return;
	if (walk.depth == 1 && prop_is(&l->prop[P_DEVICE_TYPE], "memory"))
		read_memory();
	else if (walk.depth == 2 && !strcmp(up, "reserved-memory"))
		read_reserved();
	else if (walk.depth == 2 && !strcmp(up, "cpus") &&
		 prop_is(&l->prop[P_DEVICE_TYPE], "cpu"))
		read_cpu();
	else
		read_device();
}

/* Command line, and the node that stdout-path (a path or an alias) names. */
static void read_chosen(void)
{
	int chosen = fdt_path_offset(walk.fdt, "/chosen");
	struct prop p;

	walk.stdout = -1;
	if (chosen < 0)
		return;
	p.data = fdt_getprop(walk.fdt, chosen, "xen,xen-bootargs", &p.len);
	if (!p.data)
		p.data = fdt_getprop(walk.fdt, chosen, "bootargs", &p.len);
	if (p.data && !copy_string(machine.cmdline, sizeof(machine.cmdline),
				   &p))
		die("chosen: bootargs: not a string of at most %u characters",
		    (unsigned int)sizeof(machine.cmdline) - 1);
	p.data = fdt_getprop(walk.fdt, chosen, "stdout-path", &p.len);
	if (p.data) {
		const char *s = p.data;
		int n = 0;

		while (n < p.len && s[n] && s[n] != ':')
			n++;
		if (n < p.len)
			walk.stdout = fdt_path_offset_namelen(walk.fdt, s, n);
	}
}

static void read_root(void)
{
	struct prop p = find("model");

	if (!p.data)
		p = here()->prop[P_COMPATIBLE];
	if (!copy_string(machine.model, sizeof(machine.model), &p))
		fmt_snprintf(machine.model, sizeof(machine.model), "unnamed");
}

/* Bytes up to the end of the last block: the rest is the loader's slack. */
static u64 used_size(const void *fdt)
{
	u64 rsv = fdt_off_mem_rsvmap(fdt) +
		  ((u64)fdt_num_mem_rsv(fdt) + 1) *
			  sizeof(struct fdt_reserve_entry);
	u64 tree = (u64)fdt_off_dt_struct(fdt) + fdt_size_dt_struct(fdt);
	u64 text = (u64)fdt_off_dt_strings(fdt) + fdt_size_dt_strings(fdt);

	tree = max(tree, text);
	return max(rsv, tree);
}

static void check_tree(const void *fdt, u64 max_size)
{
	int err = max_size < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED
						       : fdt_check_header(fdt);

	/* Version 17 brought the size of the structure block. */
	if (!err && fdt_version(fdt) < 17)
		err = -FDT_ERR_BADVERSION;
	/* libfdt takes the alignment for granted. */
	if (!err && (!is_aligned(fdt_off_dt_struct(fdt), 4) ||
		     !is_aligned(fdt_off_mem_rsvmap(fdt), 8)))
		err = -FDT_ERR_ALIGNMENT;
	if (!err)
		err = fdt_check_full(fdt, max_size);
	if (err)
		die("device tree: header: %s", fdt_strerror(err));
	machine.fdt = fdt;
	machine.fdt_size = used_size(fdt);
}

static void check_found(void)
{
	unsigned int n = 0;

	if (!machine.nr_banks)
		die("memory: reg: no RAM");
	if (!machine.nr_cpus)
		die("cpus: cpu: none is described");
	if (!machine.gic.version)
		die("interrupt-controller: compatible: no GICv2 or GICv3");
	if (!machine.htimer_intid)
		die("timer: compatible: no arm,armv8-timer");
	if (walk.timer_parent != walk.gic_phandle)
		die("timer: interrupt-parent: not the GIC");
	/* Polling still works. */
	if (walk.uart_parent != walk.gic_phandle)
		machine.uart_intid = 0;
	for (unsigned int i = 0; i < machine.nr_cpus; i++) {
		const struct machine_cpu *c = &machine.cpus[i];

		if (i && (c->method == CPU_METHOD_NONE ||
			  (c->method == CPU_METHOD_PSCI && !machine.has_psci)))
			log_line("cpus: enable-method: no way to start the CPU "
				 "with MPIDR %#lx, it stays off", c->mpidr);
		else
			machine.cpus[n++] = *c;
	}
	machine.nr_cpus = n;
}

void machine_parse(const void *fdt, u64 max_size)
{
	check_tree(fdt, max_size);
	walk = (struct walk){.fdt = fdt, .depth = 0};
	read_chosen();
	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		u64 base, size;

		if (fdt_get_mem_rsv(fdt, i, &base, &size) || size > MAX_PA ||
		    base > MAX_PA - size)
			die("memreserve: entry %d: beyond 48 bits", i);
		add_reserved(base, size);
	}
	for (walk.node = 0; walk.node >= 0 && walk.depth >= 0;
	     walk.node = fdt_next_node(fdt, walk.node, &walk.depth)) {
		/* Nothing that we look for is so deep. */
		if (walk.depth >= MAX_DEPTH)
			continue;
		read_level();
		if (!walk.depth)
			read_root();
		read_node();
	}
	check_found();
}

bool machine_has_option(const char *word)
{
	size_t len = strlen(word);
	const char *s = machine.cmdline;

	while (*s) {
		size_t n = 0;

		while (s[n] && s[n] != ' ')
			n++;
		if (n == len && !memcmp(s, word, n))
			return true;
		s += s[n] ? n + 1 : n;
	}
	return false;
}
