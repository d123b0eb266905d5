/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the host device tree into `machine`: /chosen, then one walk for all
 * else. The tree is checked before it is believed; what no board can do
 * without ends in die() with the node and the property. Guest descriptions
 * below /chosen are kernel/describe.c's.
 */
#include <skerry/machine.h>

#include <libfdt.h>

#include <skerry/arch/init.h>
#include <skerry/arch/mmu.h>
#include <skerry/dt.h>
#include <skerry/log.h>
#include <skerry/panic.h>
#include <skerry/string.h>

#define MAX_DEPTH  8
#define MAX_PA	   BIT(48)
#define MPIDR_AFF  0xff00ffffffUL
#define NO_PHANDLE 0
#define GICR_MIN   0x20000UL /* two 64 KiB frames, IHI 0069 12.10 */

struct machine machine;

static struct walk {
	int depth;
	struct dt_node level[MAX_DEPTH]; /* from the root to the one being read */
	struct dt_node stdout;
	u32 gic_phandle, timer_parent, uart_parent;
} walk;

static const struct dt_node *here(void)
{
	return &walk.level[walk.depth];
}

static void require(bool ok, const char *node, const char *prop, const char *why)
{
	if (!ok)
		die("%s: %s: %s", node, prop, why);
}

/* Of the node being read. */
static void need(bool ok, const char *prop, const char *why)
{
	require(ok, here()->name, prop, why);
}

static u32 find_u32(const struct dt_node *n, const char *name, u32 otherwise)
{
	struct dt_prop p = dt_find(n, name);

	require(!p.data || p.len == 4, n->name, name, "must be one cell");
	return p.data ? (u32)dt_cells(p.data, 0, 1) : otherwise;
}

/* A number of one or two cells. */
static u64 find_u64(const char *name, const char *why)
{
	struct dt_prop p = dt_find(here(), name);

	need(p.len == 4 || p.len == 8, name, why);
	return dt_cells(p.data, 0, (u32)p.len / 4);
}

/* Copy a string of the tree; false when absent, unterminated or too long. */
static bool copy_string(char *to, size_t size, struct dt_prop p)
{
	const char *s = dt_next_string(&p, NULL);

	if (!s || strlen(s) >= size)
		return false;
	memcpy(to, s, strlen(s) + 1);
	return true;
}

/* Neither the node nor one above it is disabled. */
static bool is_enabled(void)
{
	for (const struct dt_node *n = walk.level; n <= here(); n++)
		if (dt_find(n, "status").data && !dt_is(n, "status", "okay") &&
		    !dt_is(n, "status", "ok"))
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

/* From a bus's addresses to those of the one above (`ranges`, spec 2.3.8). */
static bool translate(const struct dt_node *bus, u64 *addr, u64 size)
{
	u32 child = find_u32(bus, "#address-cells", 2);
	u32 up = find_u32(bus - 1, "#address-cells", 2);
	u32 sc = find_u32(bus, "#size-cells", 1), entry = child + up + sc;
	struct dt_prop r = dt_find(bus, "ranges");

	need(child <= 2 && up <= 2 && sc <= 2 && entry, "reg",
	     "its bus must have 1 or 2 cells");
	for (u32 c = 0; c + entry <= (u32)r.len / 4; c += entry) {
		u64 from = dt_cells(r.data, c, child);
		u64 n = dt_cells(r.data, c + child + up, sc);

		if (*addr >= from && size <= n && *addr - from <= n - size) {
			*addr += dt_cells(r.data, c + child, up) - from;
			return true;
		}
	}
	return r.data && !r.len;
}

/* The i-th entry of `reg`, as the CPU sees it; false beyond the last. */
static bool read_reg(unsigned int i, u64 *base, u64 *size)
{
	const struct dt_node *bus = here() - 1;
	/* Defaults of the Devicetree Specification v0.4, 2.3.5. */
	u32 ac = find_u32(bus, "#address-cells", 2);
	u32 sc = find_u32(bus, "#size-cells", 1), entry = ac + sc;
	struct dt_prop reg = dt_find(here(), "reg");

	if (!reg.data)
		return false;
	need(ac && ac <= 2 && sc && sc <= 2, "reg",
	     "#address-cells and #size-cells must be 1 or 2");
	need(reg.len && !((u32)reg.len % (4 * entry)), "reg",
	     "not a whole number of entries");
	if (i >= (u32)reg.len / (4 * entry))
		return false;
	*base = dt_cells(reg.data, i * entry, ac);
	*size = dt_cells(reg.data, i * entry + ac, sc);
	need(*size <= MAX_PA && *base <= MAX_PA - *size, "reg",
	     "beyond 48 bits");
	for (; bus > walk.level; bus--)
		need(translate(bus, base, *size), "reg",
		     "outside the ranges of its bus");
	need(*base <= MAX_PA - *size, "reg", "beyond 48 bits");
	return true;
}

/* INTID of the i-th of `interrupts`, of a GIC's three cells; 0 without. */
static u32 read_intid(unsigned int i)
{
	struct dt_prop p = dt_find(here(), "interrupts");
	u64 type, nr;

	if ((i + 1) * 12 > (unsigned int)p.len || p.len % 12)
		return 0;
	type = dt_cells(p.data, 3 * i, 1);
	nr = dt_cells(p.data, 3 * i + 1, 1);
	need(type <= 1 && nr < (type ? 16 : 988), "interrupts",
	     "no interrupt of a GIC");
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
		u64 used = align_up(dtb + machine.fdt_size, PAGE_SIZE) - dtb;

		base += min(used, size);
		size -= min(used, size);
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

	if (dt_find(here(), "reusable").data)
		return;
	if (!machine.kept.size && dt_is_compatible(here(), "ramoops") &&
	    read_reg(0, &base, &size))
		machine.kept = (struct page_bank){base, size};
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
		need(n < MACHINE_MAX_BANKS, "reg", "too many banks");
		for (; n && b[n - 1].base > base; n--)
			b[n] = b[n - 1];
		b[n] = (struct page_bank){base, size};
		machine.nr_banks++;
		need((!n || b[n - 1].base + b[n - 1].size <= base) &&
			     (n + 1 == machine.nr_banks ||
			      base + size <= b[n + 1].base),
		     "reg", "banks overlap");
	}
}

/* secondary_spin takes one at a time; the boot CPU has left its own. */
static bool shares_release(const struct machine_cpu *c)
{
	const struct machine_cpu *o = machine.cpus;

	while (o < c && (o->method != CPU_METHOD_SPIN ||
			 o->release != c->release || o->mpidr == arch_mpidr()))
		o++;
	return o < c && c->mpidr != arch_mpidr();
}

static void read_cpu(void)
{
	struct machine_cpu *c = &machine.cpus[machine.nr_cpus];
	const struct dt_node *n = here();

	if (machine.nr_cpus == CONFIG_NR_CPUS) {
		machine.nr_cpus_ignored++;
		return;
	}
	c->mpidr = find_u64("reg", "must be one MPIDR");
	need((u32)dt_find(n, "reg").len ==
		     4 * find_u32(n - 1, "#address-cells", 2),
	     "reg", "must be one MPIDR");
	need(!(c->mpidr & ~MPIDR_AFF), "reg",
	     "not the affinity fields of an MPIDR");
	for (unsigned int i = 0; i < machine.nr_cpus; i++)
		need(machine.cpus[i].mpidr != c->mpidr, "reg",
		     "two CPUs have this MPIDR");
	need(copy_string(c->compatible, sizeof(c->compatible),
			 dt_find(n, "compatible")),
	     "compatible", "missing or too long");
	if (dt_is(n, "enable-method", "psci")) {
		c->method = CPU_METHOD_PSCI;
	} else if (dt_is(n, "enable-method", "spin-table")) {
		c->method = CPU_METHOD_SPIN;
		c->release = find_u64("cpu-release-addr", "must be an address");
		need(c->release < MAX_PA && is_aligned(c->release, 8),
		     "cpu-release-addr", "not an aligned address");
		need(!shares_release(c), "cpu-release-addr",
		     "two CPUs wait at this address");
	}
	machine.nr_cpus++;
}

static bool begin_gic(u8 version, u64 frame, const char *why)
{
	struct machine_gic *g = &machine.gic;

	if (g->version)
		return false;
	g->version = version;
	walk.gic_phandle = find_u32(here(), "phandle", NO_PHANDLE);
	need(find_u32(here(), "#interrupt-cells", 0) == 3, "#interrupt-cells",
	     "must be 3");
	need(read_reg(0, &g->dist, &g->dist_size), "reg", "missing");
	g->maint_intid = read_intid(0);
	need(g->maint_intid, "interrupts", "no maintenance interrupt");
	need(g->dist_size >= frame && is_aligned(g->dist, frame), "reg", why);
	return true;
}

/* What follows the distributor in `reg`. */
static void read_redist(u32 nr, u64 size, u64 align, const char *why)
{
	struct machine_gic *g = &machine.gic;

	for (u32 i = 0; i < nr; i++)
		need(read_reg(1 + i, &g->redist[i], &g->redist_size[i]) &&
			     g->redist_size[i] >= size &&
			     is_aligned(g->redist[i], align),
		     "reg", why);
	g->nr_redist = (u8)nr;
}

static void read_gicv3(void)
{
	struct machine_gic *g = &machine.gic;
	u32 nr = find_u32(here(), "#redistributor-regions", 1);
	u64 stride = 0;

	if (!begin_gic(3, 0x10000, "the distributor is not 64 KiB"))
		return;
	need(nr && nr <= ARRAY_SIZE(g->redist), "#redistributor-regions",
	     "must be 1 to 4");
	if (dt_find(here(), "redistributor-stride").data)
		stride = find_u64("redistributor-stride",
				  "must be one or two cells");
	need(!stride || (stride >= GICR_MIN && stride <= GIB &&
			 is_aligned(stride, 0x10000)),
	     "redistributor-stride", "impossible");
	g->redist_stride = stride;
	read_redist(nr, GICR_MIN, 0x10000,
		    "a redistributor region is missing or impossible");
}

/* Guests get the pages of GICV: nothing else may be in them. */
static bool gicv_is_alone(const struct machine_gic *g)
{
	u64 from = g->redist[2],
	    end = align_up(from + g->redist_size[2], PAGE_SIZE);

	for (unsigned int i = 0; i < 2; i++)
		if (g->redist[i] < end && from < g->redist[i] + g->redist_size[i])
			return false;
	return g->dist >= end || from >= g->dist + g->dist_size;
}

/* GICC, GICH and GICV; without the last two there is no virtualization. */
static void read_gicv2(void)
{
	const struct machine_gic *g = &machine.gic;

	if (!begin_gic(2, PAGE_SIZE, "the distributor is not 4 KiB"))
		return;
	read_redist(3, PAGE_SIZE, 1, "must be GICD, GICC, GICH and GICV");
	/* GICC_DIR and GICV_DIR are in the second page. */
	need(g->redist_size[0] >= 2 * PAGE_SIZE, "reg",
	     "GICC is less than 8 KiB");
	need(g->redist_size[2] >= 2 * PAGE_SIZE &&
		     is_aligned(g->redist[2], PAGE_SIZE),
	     "reg", "GICV is not 8 KiB in pages of 4 KiB");
	need(gicv_is_alone(g), "reg",
	     "GICV shares a page with GICD, GICC or GICH");
}

/* In the binding's order: secure, non-secure, virtual, hypervisor. */
static void read_timer(void)
{
	machine.ptimer_intid = read_intid(1);
	machine.vtimer_intid = read_intid(2);
	machine.htimer_intid = read_intid(3);
	need(machine.htimer_intid, "interrupts",
	     "must have four entries of three cells");
	machine.timer_freq = find_u32(here(), "clock-frequency", 0);
	walk.timer_parent = interrupt_parent();
}

static void read_psci(void)
{
	machine.has_psci = dt_is(here(), "method", "smc");
	if (!machine.has_psci)
		log_line("%s: method: only \"smc\" can be called from EL2: no PSCI",
			 here()->name);
}

static void read_uart(void)
{
	u64 size;

	if (here()->props != walk.stdout.props)
		return;
	need(read_reg(0, &machine.uart_base, &size), "reg", "missing");
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

/* The first one that has all of its frames. */
static void read_watchdog(enum wdt_kind kind, unsigned int nr_frames)
{
	struct machine_wdt w = {.kind = kind};
	u64 size;

	for (unsigned int i = 0; i < nr_frames; i++)
		if (machine.wdt.kind || !read_reg(i, &w.reg[i], &size))
			return;
	w.ext_reset = dt_find(here(), "fsl,ext-reset-output").data;
	machine.wdt = w;
}

static void read_sbsa_wdt(void)
{
	read_watchdog(WDT_SBSA, 2);
}

static void read_imx_wdt(void)
{
	read_watchdog(WDT_IMX, 1);
}

static void read_bcm2835_wdt(void)
{
	read_watchdog(WDT_BCM2835, 1);
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
	{"arm,sbsa-gwdt", read_sbsa_wdt},
	{"fsl,imx21-wdt", read_imx_wdt},
	{"brcm,bcm2835-pm-wdt", read_bcm2835_wdt},
	{"brcm,bcm2835-pm", read_bcm2835_wdt},
	{"brcm,bcm2711-pm", read_bcm2835_wdt},
	{"brcm,bcm2712-pm", read_bcm2835_wdt},
};

/* The first string of `compatible` that we know decides. */
static void (*find_device(void))(void)
{
	struct dt_prop p = dt_find(here(), "compatible");
	const char *s = NULL;

	need(!p.len || !((const char *)p.data)[p.len - 1], "compatible",
	     "not terminated");
	while ((s = dt_next_string(&p, s)))
		for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
			if (!strcmp(s, devices[i].compatible))
				return devices[i].read;
	return NULL;
}

static void read_node(void)
{
	const struct dt_node *n = here();
	const char *up = walk.depth ? n[-1].name : "";
	void (*read)(void) = NULL;

	if (walk.depth == 2 && !strcmp(up, "reserved-memory"))
		read = read_reserved;
	else if (walk.depth == 2 && !strcmp(up, "cpus"))
		read = dt_is(n, "device_type", "cpu") ? read_cpu : NULL;
	else if (walk.depth == 1 && dt_is(n, "device_type", "memory"))
		read = read_memory;
	else if (walk.depth)
		read = find_device();
	if (read && is_enabled())
		read();
}

/* Zeros for spaces, none of them but at the end after another. */
static void split_words(char *text, size_t size)
{
	char *to = text;

	for (const char *c = text; *c; c++)
		if (*c != ' ')
			*to++ = *c;
		else if (to > text && to[-1])
			*to++ = 0;
	memset(to, 0, size - (size_t)(to - text));
}

/* Command line, and the node that stdout-path gives or has an alias for. */
static void read_chosen(const void *fdt)
{
	struct dt_node chosen = dt_path(fdt, "/chosen", 7);
	struct dt_prop p = dt_find(&chosen, "xen,xen-bootargs");
	const char *path;
	int n = 0;

	if (!p.data)
		p = dt_find(&chosen, "bootargs");
	if (p.data && !copy_string(machine.cmdline, sizeof(machine.cmdline), p))
		die("chosen: bootargs: not a string of at most %u characters",
		    (unsigned int)sizeof(machine.cmdline) - 1);
	split_words(machine.cmdline, sizeof(machine.cmdline));
	p = dt_find(&chosen, "stdout-path");
	path = p.data;
	while (n < p.len && path[n] && path[n] != ':')
		n++;
	if (n && *path != '/') {
		path = fdt_get_alias_namelen(fdt, path, n);
		n = path ? (int)strlen(path) : 0;
	}
	walk.stdout = dt_path(fdt, path, (size_t)n);
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
	require(!err, "device tree", "header", fdt_strerror(err));
	machine.fdt = fdt;
	machine.fdt_size = used_size(fdt);
}

static void check_found(void)
{
	unsigned int n = 0;

	require(machine.nr_banks, "memory", "reg", "no RAM");
	require(machine.nr_cpus, "cpus", "cpu", "none is described");
	require(machine.gic.version, "interrupt-controller", "compatible",
		"no GICv2 or GICv3");
	require(machine.htimer_intid, "timer", "compatible",
		"no arm,armv8-timer");
	require(walk.timer_parent == walk.gic_phandle, "timer",
		"interrupt-parent", "not the GIC");
	/* Polling still works. */
	if (walk.uart_parent != walk.gic_phandle)
		machine.uart_intid = 0;
	for (unsigned int i = 0; i < machine.nr_cpus; i++) {
		const struct machine_cpu *c = &machine.cpus[i];

		if (c->mpidr != arch_mpidr() &&
		    (c->method == CPU_METHOD_NONE ||
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
	struct dt_node node;

	check_tree(fdt, max_size);
	memset(&walk, 0, sizeof(walk));
	read_chosen(fdt);
	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		u64 base, size;

		if (fdt_get_mem_rsv(fdt, i, &base, &size) || size > MAX_PA ||
		    base > MAX_PA - size)
			die("memreserve: entry %d: beyond 48 bits", i);
		add_reserved(base, size);
	}
	node = dt_path(fdt, "", 0);
	if (!copy_string(machine.model, sizeof(machine.model),
			 dt_find(&node, "model")))
		memcpy(machine.model, "unnamed board", 14);
	do {
		/* Deeper is nothing that we look for. */
		if (walk.depth >= MAX_DEPTH)
			continue;
		walk.level[walk.depth] = node;
		read_node();
	} while (dt_next_node(&node, &walk.depth));
	check_found();
}

bool machine_has_option(const char *word)
{
	const char *c = machine.cmdline, *end = c + sizeof(machine.cmdline);

	/* The last byte is 0, and a word that is empty is no word. */
	while (c < end && *c && strcmp(c, word))
		c += strlen(c) + 1;
	return c < end && *c;
}

int machine_get_number(const char *name, u32 min, u32 max)
{
	const char *c = machine.cmdline, *end = c + sizeof(machine.cmdline);
	size_t len = strlen(name);
	u32 n = 0;

	while (c < end && *c && strncmp(c, name, len))
		c += strlen(c) + 1;
	if (c >= end || !*c)
		return -1;
	for (c += len; *c >= '0' && *c <= '9' && n <= max; c++)
		n = n * 10 + (u32)(*c - '0');
	if (!*c && c[-1] != '=' && n >= min && n <= max)
		return (int)n;
	log_warn("options: %s must be a number from %u to %u", name, min, max);
	return -1;
}
