/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the host device tree into `machine`: one walk for the names in
 * /chosen, one for all else. The tree is checked before it is believed; what
 * no board can do without ends in die() with the node and the property. Guest
 * descriptions below /chosen are kernel/describe.c's.
 */
#include <skerry/machine.h>

#include <libfdt.h>

#include <skerry/arch/mmu.h>
#include <skerry/log.h>
#include <skerry/panic.h>
#include <skerry/string.h>

#define MAX_DEPTH  8
#define MAX_PA	   BIT(48)
#define MPIDR_AFF  0xff00ffffffUL
#define NO_PHANDLE 0
#define GICR_MIN   0x20000UL /* two 64 KiB frames, IHI 0069 12.10 */

struct machine machine;

struct prop {
	const void *data; /* NULL: absent */
	int len;
};

/* A node on the way from the root to the one being read. */
struct level {
	const char *name;
	const fdt32_t *props; /* where its properties begin */
};

static struct walk {
	const fdt32_t *tree; /* structure block */
	const char *strings;
	int depth;
	const char *stdout; /* path of the console's node */
	int stdout_len;
	struct level chosen, aliases;
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
		val = val << 32 | fdt32_to_cpu(*cell++);
	return val;
}

/*
 * libfdt's own walk checks each step, and each byte of a name, again and
 * again. fdt_check_full() has done that, so this one only steps: *p moves
 * behind the next property, or stays at the end of the node's.
 */
static bool next_prop(const fdt32_t **p, const char **name, struct prop *out)
{
	while (fdt32_to_cpu(**p) == FDT_NOP)
		(*p)++;
	if (fdt32_to_cpu(**p) != FDT_PROP)
		return false;
	out->len = (int)fdt32_to_cpu((*p)[1]);
	out->data = *p + 3;
	*name = walk.strings + fdt32_to_cpu((*p)[2]);
	*p += 3 + (out->len + 3) / 4;
	return true;
}

/* Call `visit` at each node that is not too deep to be looked for. */
static void walk_tree(void (*visit)(void))
{
	const fdt32_t *p = walk.tree;
	const char *name;
	struct prop prop;

	walk.depth = -1;
	for (;;) {
		u32 tag;

		while (next_prop(&p, &name, &prop))
			;
		tag = fdt32_to_cpu(*p++);
		if (tag == FDT_END)
			return;
		if (tag == FDT_END_NODE)
			walk.depth--;
		if (tag != FDT_BEGIN_NODE)
			continue;
		name = (const char *)p;
		p += strlen(name) / 4 + 1;
		if (++walk.depth >= MAX_DEPTH)
			continue;
		*here() = (struct level){name, p};
		visit();
	}
}

static struct prop find_n(const struct level *l, const char *name, size_t len)
{
	const fdt32_t *p = l->props;
	const char *is;
	struct prop prop;

	while (p && next_prop(&p, &is, &prop))
		if (*is == *name && !strncmp(is, name, len) && !is[len])
			return prop;
	return (struct prop){NULL, 0};
}

static struct prop find(const struct level *l, const char *name)
{
	return find_n(l, name, strlen(name));
}

static u32 find_u32(const struct level *l, const char *name, u32 otherwise)
{
	struct prop p = find(l, name);

	if (p.data && p.len != 4)
		die("%s: %s: must be one cell", l->name, name);
	return p.data ? (u32)cells(p.data, 0, 1) : otherwise;
}

static bool prop_is(const struct level *l, const char *name, const char *value)
{
	struct prop p = find(l, name);

	return p.data && p.len == (int)strlen(value) + 1 &&
	       !memcmp(p.data, value, (size_t)p.len);
}

/* Copy a string of the tree; false when absent, unterminated or too long. */
static bool copy_string(char *to, size_t size, struct prop p)
{
	size_t len = p.data ? strnlen(p.data, (size_t)p.len) : 0;

	if (!p.data || len == (size_t)p.len || len >= size)
		return false;
	memcpy(to, p.data, len + 1);
	return true;
}

/* Defaults of the Devicetree Specification v0.4, 2.3.5. */
static u32 address_cells(const struct level *l)
{
	return find_u32(l, "#address-cells", 2);
}

static u32 size_cells(const struct level *l)
{
	return find_u32(l, "#size-cells", 1);
}

/* Neither the node nor one above it is disabled. */
static bool is_enabled(void)
{
	for (int i = 0; i <= walk.depth; i++)
		if (find(&walk.level[i], "status").data &&
		    !prop_is(&walk.level[i], "status", "okay") &&
		    !prop_is(&walk.level[i], "status", "ok"))
			return false;
	return true;
}

static u32 interrupt_parent(void)
{
	u32 phandle = NO_PHANDLE;

	for (int i = walk.depth; i >= 0 && phandle == NO_PHANDLE; i--)
		phandle = find_u32(&walk.level[i], "interrupt-parent",
				   NO_PHANDLE);
	return phandle;
}

/* An address below a bus, as the CPU sees it (`ranges`, spec 2.3.8). */
static u64 translate(u64 addr, u64 size)
{
	for (int i = walk.depth - 1; i > 0; i--) {
		const struct level *l = &walk.level[i];
		u32 child = address_cells(l), up = address_cells(l - 1);
		u32 sc = size_cells(l), entry = child + up + sc;
		struct prop r = find(l, "ranges");
		bool found = r.data && !r.len;

		if (child > 2 || up > 2 || sc > 2 || !entry)
			bad("reg", "its bus must have 1 or 2 cells");
		for (u32 c = 0; r.data && !found && c + entry <= (u32)r.len / 4;
		     c += entry) {
			u64 from = cells(r.data, c, child);
			u64 to = cells(r.data, c + child, up);
			u64 n = cells(r.data, c + child + up, sc);

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
	u32 ac = address_cells(here() - 1), sc = size_cells(here() - 1);
	struct prop reg = find(here(), "reg");

	if (!reg.data)
		return false;
	if (!ac || ac > 2 || !sc || sc > 2)
		bad("reg", "#address-cells and #size-cells must be 1 or 2");
	if (!reg.len || (u32)reg.len % (4 * (ac + sc)))
		bad("reg", "not a whole number of entries");
	if (i >= (u32)reg.len / (4 * (ac + sc)))
		return false;
	*base = cells(reg.data, i * (ac + sc), ac);
	*size = cells(reg.data, i * (ac + sc) + ac, sc);
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
	struct prop p = find(here(), "interrupts");
	u64 type, nr;

	if (!p.data || (i + 1) * 12 > (unsigned int)p.len || p.len % 12)
		return 0;
	type = cells(p.data, 3 * i, 1);
	nr = cells(p.data, 3 * i + 1, 1);
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
	u64 dtb = direct_pa(machine.fdt).v;

	if (base == dtb) {
		u64 used = min(align_up(dtb + machine.fdt_size, PAGE_SIZE) - dtb,
			       size);

		base += used;
		size -= used;
	}
	if (!size)
		return;
	if (machine.nr_reserved == MACHINE_MAX_RESERVED)
		die("reserved-memory: reg: more than %u ranges",
		    MACHINE_MAX_RESERVED);
	machine.reserved[machine.nr_reserved++] = (struct page_bank){base, size};
}

/* Statically placed ranges. `reusable` ones are the OS's while unused. */
static void read_reserved(void)
{
	u64 base, size;

	if (find(here(), "reusable").data)
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
	struct machine_cpu *c = &machine.cpus[machine.nr_cpus];
	const struct level *l = here();
	struct prop reg = find(l, "reg");
	struct prop release = find(l, "cpu-release-addr");

	if (machine.nr_cpus == CONFIG_NR_CPUS) {
		machine.nr_cpus_ignored++;
		return;
	}
	if (!reg.data || (reg.len != 4 && reg.len != 8) ||
	    (u32)reg.len != 4 * address_cells(l - 1))
		bad("reg", "must be one MPIDR");
	c->mpidr = cells(reg.data, 0, (u32)reg.len / 4);
	if (c->mpidr & ~MPIDR_AFF)
		bad("reg", "not the affinity fields of an MPIDR");
	for (unsigned int i = 0; i < machine.nr_cpus; i++)
		if (machine.cpus[i].mpidr == c->mpidr)
			bad("reg", "two CPUs have this MPIDR");
	if (!copy_string(c->compatible, sizeof(c->compatible),
			 find(l, "compatible")))
		bad("compatible", "missing or too long");
	if (prop_is(l, "enable-method", "psci")) {
		c->method = CPU_METHOD_PSCI;
	} else if (prop_is(l, "enable-method", "spin-table")) {
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
	walk.gic_phandle = find_u32(here(), "phandle", NO_PHANDLE);
	if (find_u32(here(), "#interrupt-cells", 0) != 3)
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
	u32 nr = find_u32(here(), "#redistributor-regions", 1);
	struct prop stride = find(here(), "redistributor-stride");

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
			bad("reg",
			    "a redistributor region is missing or impossible");
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
	machine.timer_freq = find_u32(here(), "clock-frequency", 0);
	walk.timer_parent = interrupt_parent();
}

static void read_psci(void)
{
	machine.has_psci = prop_is(here(), "method", "smc");
	if (!machine.has_psci)
		log_line("%s: method: only \"smc\" can be called from EL2: no PSCI",
			 here()->name);
}

/* Is this the node that stdout-path names? */
static bool is_stdout(void)
{
	const char *s = walk.stdout;
	int left = walk.stdout_len;

	for (int i = 1; i <= walk.depth; i++) {
		int n = (int)strlen(walk.level[i].name);

		if (left < n + 1 || *s != '/' ||
		    memcmp(s + 1, walk.level[i].name, (size_t)n))
			return false;
		s += n + 1;
		left -= n + 1;
	}
	return !left;
}

static void read_uart(void)
{
	u64 size;

	if (!is_stdout())
		return;
	if (!read_reg(0, &machine.uart_base, &size))
		bad("reg", "missing");
	machine.uart = UART_PL011;
	machine.uart_intid = read_intid(0);
	walk.uart_parent = interrupt_parent();
}

/* Time of day; a board without one boots in 1970. */
static void read_rtc(void)
{
	u64 size;

	if (!machine.rtc_base)
		read_reg(0, &machine.rtc_base, &size);
}

static const struct {
	const char *compatible;
	void (*read)(void);
} devices[] = {
	{"arm,gic-v3", read_gicv3},
	{"arm,gic-400", read_gicv2},
	{"arm,cortex-a15-gic", read_gicv2},
	{"arm,armv8-timer", read_timer},
	{"arm,psci-1.0", read_psci},
	{"arm,psci-0.2", read_psci},
	{"arm,pl011", read_uart},
	{"arm,sbsa-uart", read_uart},
	{"arm,pl031", read_rtc},
};

/* The first string of `compatible` that we know decides. */
static void read_device(void)
{
	struct prop p = find(here(), "compatible");
	const char *s = p.data, *end = s + p.len;

	if (!s)
		return;
	if (p.len && end[-1])
		bad("compatible", "not terminated");
	for (; s < end; s += strlen(s) + 1)
		for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
			if (!strcmp(s, devices[i].compatible)) {
				if (is_enabled())
					devices[i].read();
				return;
			}
}

static void read_node(void)
{
	const struct level *l = here();
	const char *up = walk.depth ? l[-1].name : "";

	if (walk.depth == 2 && !strcmp(up, "reserved-memory")) {
		if (is_enabled())
			read_reserved();
	} else if (walk.depth == 2 && !strcmp(up, "cpus")) {
		if (prop_is(l, "device_type", "cpu") && is_enabled())
			read_cpu();
	} else if (walk.depth == 1 && prop_is(l, "device_type", "memory")) {
		if (is_enabled())
			read_memory();
	} else if (walk.depth) {
		read_device();
	}
}

/* First walk: what the second one has to know. */
static void read_names(void)
{
	struct prop p;

	if (!walk.depth) {
		here()->name = "/";
		p = find(here(), "model");
		if (!copy_string(machine.model, sizeof(machine.model), p))
			memcpy(machine.model, "unnamed board", 14);
	} else if (walk.depth == 1 && !strcmp(here()->name, "chosen")) {
		walk.chosen = *here();
	} else if (walk.depth == 1 && !strcmp(here()->name, "aliases")) {
		walk.aliases = *here();
	}
}

/* Command line, and the path that stdout-path gives or has an alias for. */
static void read_chosen(void)
{
	struct prop p = find(&walk.chosen, "xen,xen-bootargs");
	const char *s;
	int n = 0;

	if (!p.data)
		p = find(&walk.chosen, "bootargs");
	if (p.data && !copy_string(machine.cmdline, sizeof(machine.cmdline), p))
		die("chosen: bootargs: not a string of at most %u characters",
		    (unsigned int)sizeof(machine.cmdline) - 1);
	p = find(&walk.chosen, "stdout-path");
	s = p.data;
	while (n < p.len && s[n] && s[n] != ':')
		n++;
	if (n && *s != '/') {
		p = find_n(&walk.aliases, s, (size_t)n);
		s = p.data;
		n = s ? (int)strnlen(s, (size_t)p.len) : 0;
	}
	walk.stdout = s;
	walk.stdout_len = n;
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
			log_line("cpus: enable-method: no way to start the CPU with MPIDR %#lx, it stays off",
				 c->mpidr);
		else
			machine.cpus[n++] = *c;
	}
	machine.nr_cpus = n;
}

void machine_parse(const void *fdt, u64 max_size)
{
	check_tree(fdt, max_size);
	memset(&walk, 0, sizeof(walk));
	walk.tree = (const fdt32_t *)((const char *)fdt + fdt_off_dt_struct(fdt));
	walk.strings = (const char *)fdt + fdt_off_dt_strings(fdt);
	walk_tree(read_names);
	read_chosen();
	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		u64 base, size;

		if (fdt_get_mem_rsv(fdt, i, &base, &size) || size > MAX_PA ||
		    base > MAX_PA - size)
			die("memreserve: entry %d: beyond 48 bits", i);
		add_reserved(base, size);
	}
	walk_tree(read_node);
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
