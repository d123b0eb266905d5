/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads guest descriptions. What is not understood is refused by name, so no
 * guest runs with less isolation than its author wrote down. Properties of
 * other vendors are none of ours and pass. tools/skerry_pack/describe.py
 * applies the same rules on the host; docs/guests.md lists them.
 */
#include <skerry/describe.h>

#include <libfdt.h>

#include <skerry/error.h>
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/sched.h>
#include <skerry/string.h>

#define MAX_PA	     BIT(48)
#define MAX_SPIS     960 /* INTIDs 32 to 991: registers of 32 */
#define MAX_BOOTARGS 4096
#define MAX_POOL_MIB 1024
#define MAX_MEMORY   (GUEST_RAM0_SIZE + GUEST_RAM1_SIZE)
#define NO_ID	     ~0U
#define NO_SUPPORT   "not supported"

struct reader {
	const void *fdt;
	int node;
	const char *name, *child; /* child: "" in the guest's own node */
	u32 address_cells, size_cells;
	u32 cpus, spis, pool_mib, off, weight, slice_us;
	u32 id; /* of the xen,vcpu node being read, and its mask */
	u64 mask, vcpus_seen;
	enum when_all_off all_off;
	struct describe_guest *out;
	struct describe_error *err;
};

struct prop {
	const char *name;
	const void *data;
	int len;
};

__printf(3, 4) static int refuse(const struct reader *r, const char *prop,
				 const char *fmt, ...)
{
	char *at = r->err->text;
	size_t size = sizeof(r->err->text);
	int n = fmt_snprintf(at, size, "%s%s%s: %s: ", r->name,
			     *r->child ? "/" : "", r->child, prop);
	va_list ap;

	if (n > 0 && (size_t)n < size) {
		va_start(ap, fmt);
		fmt_vsnprintf(at + n, size - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* --- values -------------------------------------------------------------- */

static u64 cells(const void *data, u32 first, u32 nr)
{
	const fdt32_t *cell = (const fdt32_t *)data + first;
	u64 val = 0;

	while (nr--)
		val = val << 32 | fdt32_to_cpu(*cell++);
	return val;
}

static int read_u32(const struct reader *r, const struct prop *p, u32 lo,
		    u32 hi, u32 *val)
{
	*val = p->len == 4 ? (u32)cells(p->data, 0, 1) : 0;
	if (lo == hi && (p->len != 4 || *val != lo))
		return refuse(r, p->name, NO_SUPPORT " (only %u)", lo);
	if (p->len != 4)
		return refuse(r, p->name, "must be one cell");
	if (*val < lo || *val > hi)
		return refuse(r, p->name, "%u: must be %u to %u", *val, lo, hi);
	return 0;
}

/* One string: terminated, and nothing behind it. */
static int read_string(const struct reader *r, const struct prop *p,
		       const char **val)
{
	*val = "";
	if (!p->len || strnlen(p->data, (size_t)p->len) != (size_t)p->len - 1)
		return refuse(r, p->name, "must be one string");
	*val = p->data;
	return 0;
}

static bool is_one_of(const char *name, const char *const *list)
{
	while (*list && strcmp(name, *list))
		list++;
	return *list;
}

/* --- properties of a guest ----------------------------------------------- */

static int read_memory(struct reader *r, const struct prop *p)
{
	u64 kib = p->len == 8 ? cells(p->data, 0, 2) : 0;

	if (p->len != 8)
		return refuse(r, p->name, "must be two cells (KiB)");
	if (!kib || kib % (PAGE_SIZE / KIB))
		return refuse(r, p->name,
			      "%lu KiB: must be a multiple of 4 KiB and not zero",
			      kib);
	if (kib > MAX_MEMORY / KIB)
		return refuse(r, p->name, "%lu KiB: at most %lu", kib,
			      MAX_MEMORY / KIB);
	r->out->memory = kib * KIB;
	return 0;
}

static int read_vpl011(struct reader *r, const struct prop *p)
{
	if (p->len)
		return refuse(r, p->name, "must be empty");
	r->out->vpl011 = true;
	return 0;
}

static int read_disabled(struct reader *r, const struct prop *p)
{
	if (p->len != 9 || memcmp(p->data, "disabled", 9))
		return refuse(r, p->name, NO_SUPPORT " (only \"disabled\")");
	return 0;
}

static int read_wfi(struct reader *r, const struct prop *p)
{
	const char *val;
	int err = read_string(r, p, &val);

	if (err)
		return err;
	r->out->wfi_trap = !strcmp(val, "trap");
	if (!r->out->wfi_trap && strcmp(val, "native"))
		return refuse(r, p->name, "must be \"trap\" or \"native\"");
	return 0;
}

struct rule {
	const char *name;
	int (*read)(struct reader *r, const struct prop *p);
	/* Without read: one cell, lo to hi, into this u32 of the reader. */
	u32 lo, hi;
	size_t field;
};

#define NUMBER(lo, hi, f) NULL, lo, hi, offsetof(struct reader, f)

static const struct rule guest_rules[] = {
	{"#address-cells", NUMBER(1, 2, address_cells)},
	{"#size-cells", NUMBER(1, 2, size_cells)},
	{"memory", .read = read_memory},
	{"cpus", NUMBER(1, DESCRIBE_MAX_VCPUS, cpus)},
	{"vpl011", .read = read_vpl011},
	{"nr_spis", NUMBER(0, MAX_SPIS, spis)},
	{"xen,domain-p2m-mem-mb", NUMBER(1, MAX_POOL_MIB, pool_mib)},
	{"skerry,wfi", .read = read_wfi},
	{"skerry,weight", NUMBER(1, SCHED_MAX_WEIGHT, weight)},
	{"skerry,slice-us", NUMBER(100, 1000000, slice_us)},
	/* What this version can only leave off. */
	{"xen,enhanced", .read = read_disabled},
	{"passthrough", .read = read_disabled},
	{"capabilities", NUMBER(0, 0, off)},
	{"sve", NUMBER(0, 0, off)},
	{"trap-unmapped-accesses", NUMBER(1, 1, off)},
	{.name = NULL},
};

/* Of Xen's binding or planned: the reason tells them from misspellings. */
static const char *const unsupported[] = {"direct-map",
					  "domain-cpupool",
					  "llc-colors",
					  "v8r_el1_msa",
					  "xen,static-mem",
					  "xen,static-heap",
					  "xen,sci_type",
					  "xen,shared-mem",
					  "xen,shm-id",
					  "xen,reg",
					  "xen,path",
					  "xen,force-assign-without-iommu",
					  "xen,passthrough",
					  "xen,evtchn",
					  "xen,dom0-bootargs",
					  "skerry,period-us",
					  "skerry,budget-us",
					  "skerry,deadline-us",
					  "skerry,extra-time",
					  "skerry,restart",
					  "skerry,watchdog-ms",
					  "skerry,role",
					  "skerry,dma",
					  "skerry,config",
					  NULL};

static const char *const unsupported_nodes[] = {"multiboot,device-tree",
						"skerry,fit",
						"skerry,vbd",
						"skerry,vif",
						"xen,evtchn-v1",
						"xen,domain-shared-memory-v1",
						"xen,cpupool",
						NULL};

/*
 * A property that no rule takes. Ignored are max_grant_version,
 * max_grant_frames and max_maptrack_frames (they size what needs
 * xen,enhanced), phandles, and whatever has no prefix of ours or Xen's.
 */
static int read_other(const struct reader *r, const char *prop)
{
	if (is_one_of(prop, unsupported))
		return refuse(r, prop, NO_SUPPORT);
	if (!strncmp(prop, "xen,", 4) || !strncmp(prop, "skerry,", 7))
		return refuse(r, prop, "unknown property");
	return 0;
}

/* Each property of r->node by its rule. */
static int read_props(struct reader *r, const struct rule *rules)
{
	struct prop p;
	int off, err;

	fdt_for_each_property_offset(off, r->fdt, r->node) {
		const struct rule *rule = rules;

		p.data = fdt_getprop_by_offset(r->fdt, off, &p.name, &p.len);
		if (!p.data)
			return refuse(r, "property", "damaged");
		while (rule->name && strcmp(rule->name, p.name))
			rule++;
		if (!rule->name)
			err = read_other(r, p.name);
		else if (rule->read)
			err = rule->read(r, &p);
		else
			err = read_u32(r, &p, rule->lo, rule->hi,
				       (u32 *)((char *)r + rule->field));
		if (err)
			return err;
	}
	return 0;
}

/* --- sub-nodes ----------------------------------------------------------- */

static int read_reg(struct reader *r, struct describe_module *m)
{
	u32 ac = r->address_cells, sc = r->size_cells;
	int len;
	const void *reg = fdt_getprop(r->fdt, r->node, "reg", &len);

	if (!reg && fdt_getprop(r->fdt, r->node, "skerry,file", &len))
		return refuse(r, "skerry,file", "not packed by tools/mkboot");
	if (!reg)
		return refuse(r, "reg", "missing");
	if (len != (int)(4 * (ac + sc)))
		return refuse(r, "reg",
			      "must be one address of %u and a size of %u cells",
			      ac, sc);
	m->pa = cells(reg, 0, ac);
	m->size = cells(reg, ac, sc);
	if (!m->size)
		return refuse(r, "reg", "its size is zero");
	if (m->size > MAX_PA || m->pa > MAX_PA - m->size)
		return refuse(r, "reg", "%#lx+%#lx: beyond 48 bits", m->pa,
			      m->size);
	return 0;
}

static int read_bootargs(struct reader *r, const struct prop *p)
{
	if (p->len > MAX_BOOTARGS)
		return refuse(r, p->name, "longer than %u characters",
			      MAX_BOOTARGS - 1);
	return read_string(r, p, &r->out->bootargs);
}

static int refuse_bootargs(struct reader *r, const struct prop *p)
{
	return refuse(r, p->name, "belongs in the kernel's node");
}

static const struct rule kernel_rules[] = {{"bootargs", .read = read_bootargs},
					   {.name = NULL}};
static const struct rule ramdisk_rules[] = {{"bootargs", .read = refuse_bootargs},
					    {.name = NULL}};

static int read_module(struct reader *r, struct describe_module *m,
		       const struct rule *rules)
{
	int err;

	if (m->size)
		return refuse(r, "compatible", "a second module of its kind");
	err = read_reg(r, m);
	return err ? err : read_props(r, rules);
}

/* Decimal number at *s, at most `max`; -EINVAL. Moves *s behind it. */
static int parse_number(const char **s, unsigned int max)
{
	unsigned int val = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9' && val <= max; p++)
		val = val * 10 + (unsigned int)(*p - '0');
	if (p == *s || val > max)
		return -EINVAL;
	*s = p;
	return (int)val;
}

/* "0-3,5" to a mask; 0 when it is no such list, or names no CPU below 64. */
static u64 parse_cpus(const char *s)
{
	u64 mask = 0;

	for (;; s++) {
		int first, last;

		while (*s == ' ')
			s++;
		first = last = parse_number(&s, 999);
		if (first >= 0 && *s == '-') {
			s++;
			last = parse_number(&s, 999);
		}
		if (first < 0 || last < first)
			return 0;
		for (int c = first; c <= min(last, 63); c++)
			mask |= BIT(c);
		while (*s == ' ')
			s++;
		if (!*s)
			return mask;
		if (*s != ',')
			return 0;
	}
}

static int read_affinity(struct reader *r, const struct prop *p)
{
	const char *list;
	int err = read_string(r, p, &list);

	r->mask = parse_cpus(list);
	if (!err && !r->mask)
		return refuse(r, p->name, "\"%s\" is not a list of CPUs", list);
	return err;
}

static const struct rule vcpu_rules[] = {
	{"id", NUMBER(0, DESCRIBE_MAX_VCPUS - 1, id)},
	{"hard-affinity", .read = read_affinity},
	{.name = NULL},
};

static int read_vcpu(struct reader *r)
{
	int err;

	r->id = NO_ID;
	r->mask = ~0UL;
	err = read_props(r, vcpu_rules);
	if (err)
		return err;
	if (r->id == NO_ID)
		return refuse(r, "id", "missing");
	if (r->id >= r->cpus)
		return refuse(r, "id", "%u: the guest has %u vCPUs", r->id,
			      r->cpus);
	if (r->vcpus_seen & BIT(r->id))
		return refuse(r, "id", "%u: described twice", r->id);
	r->vcpus_seen |= BIT(r->id);
	r->out->affinity[r->id] = r->mask;
	return 0;
}

/* Name the first compatible of Xen's, ours or multiboot's; or "missing". */
static int refuse_node(const struct reader *r)
{
	const char *name = "missing", *s;

	for (int i = 0;
	     (s = fdt_stringlist_get(r->fdt, r->node, "compatible", i, NULL));
	     i++) {
		if (is_one_of(s, unsupported_nodes))
			return refuse(r, "compatible", "%s: " NO_SUPPORT, s);
		if (!i)
			name = s;
	}
	return refuse(r, "compatible", "%s: unknown kind of sub-node", name);
}

static bool is_kind(const struct reader *r, const char *compatible)
{
	return !fdt_node_check_compatible(r->fdt, r->node, compatible);
}

static int read_child(struct reader *r)
{
	if (is_kind(r, "multiboot,kernel"))
		return read_module(r, &r->out->kernel, kernel_rules);
	if (is_kind(r, "multiboot,ramdisk"))
		return read_module(r, &r->out->ramdisk, ramdisk_rules);
	if (is_kind(r, "xen,vcpu"))
		return read_vcpu(r);
	return refuse_node(r);
}

/* --- all together -------------------------------------------------------- */

/* Node name without its unit address; only what is safe to print. */
static int read_name(struct reader *r)
{
	static const char punct[] = ",._+-";
	const char *name = fdt_get_name(r->fdt, r->node, NULL);
	char *to = r->out->name;
	size_t n = 0;

	r->name = "guest";
	for (; name && name[n] && name[n] != '@'; n++) {
		char c = name[n];

		if (n == DESCRIBE_NAME_SIZE - 1)
			return refuse(r, "name", "longer than %u characters",
				      DESCRIBE_NAME_SIZE - 1);
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || strchr(punct, c)))
			return refuse(
				r, "name",
				"has a character other than letters, digits and \"%s\"",
				punct);
		to[n] = c;
	}
	to[n] = 0;
	r->name = to;
	return n ? 0 : refuse(r, "name", "empty");
}

/*
 * What the hypervisor needs for the guest: its structures and vCPUs, a table
 * per GiB of RAM and for the pieces that it may fall into.
 */
static u64 default_pool(const struct describe_guest *g)
{
	u64 size = 64 * KIB + g->nr_vcpus * 16 * KIB + g->nr_spis * 128UL +
		   (g->memory / GIB + 2) * 2 * PAGE_SIZE;

	return align_up(size, 64 * KIB);
}

static int check_guest(const struct reader *r)
{
	struct describe_guest *g = r->out;

	if (!g->memory)
		return refuse(r, "memory", "missing");
	if (!r->cpus)
		return refuse(r, "cpus", "missing");
	if (g->vpl011 && !r->spis)
		return refuse(r, "nr_spis", "0: vpl011 needs one");
	g->nr_vcpus = r->cpus;
	g->weight = r->weight;
	g->slice_us = r->slice_us;
	g->nr_spis = align_up(r->spis, 32); /* as GICD_TYPER counts */
	g->pool_size = max(r->pool_mib * MIB, default_pool(g));
	return 0;
}

int describe_guest(const void *fdt, int node, struct describe_guest *out,
		   struct describe_error *err)
{
	struct reader r = {
		.fdt = fdt,
		.node = node,
		.child = "",
		.out = out,
		.err = err,
		.address_cells = 2,
		.size_cells = 1, /* DT spec 2.3.5 */
		.spis = GUEST_MIN_SPIS,
		.weight = SCHED_WEIGHT,
		.slice_us = SCHED_SLICE_US,
	};
	int child, ret;

	memset(out, 0, sizeof(*out));
	out->bootargs = "";
	for (unsigned int i = 0; i < DESCRIBE_MAX_VCPUS; i++)
		out->affinity[i] = ~0UL;
	ret = read_name(&r);
	if (!ret)
		ret = read_props(&r, guest_rules);
	if (!ret)
		ret = check_guest(&r);
	if (ret)
		return ret;
	fdt_for_each_subnode(child, fdt, node) {
		r.node = child;
		r.child = fdt_get_name(fdt, child, NULL);
		ret = read_child(&r);
		if (ret)
			return ret;
	}
	r.child = "";
	if (!out->kernel.size)
		return refuse(&r, "multiboot,kernel", "missing");
	return 0;
}

/* Looked up once: a pass over the tree costs 100,000 instructions or so. */
static int chosen_node(const void *fdt)
{
	static const void *tree;
	static int node;

	if (tree != fdt || fdt_get_name(fdt, node, NULL) == NULL ||
	    strcmp(fdt_get_name(fdt, node, NULL), "chosen")) {
		node = fdt_path_offset(fdt, "/chosen");
		tree = fdt;
	}
	return node;
}

int describe_next(const void *fdt, int prev)
{
	int node = prev;

	if (!prev) {
		node = chosen_node(fdt);
		if (node < 0)
			return node;
		node = fdt_first_subnode(fdt, node);
	} else {
		node = fdt_next_subnode(fdt, prev);
	}
	while (node >= 0 && fdt_node_check_compatible(fdt, node, "xen,domain"))
		node = fdt_next_subnode(fdt, node);
	return node;
}

/* --- /chosen -------------------------------------------------------------- */

/* Its other children: what is of Xen's or our making must be known. */
static int check_foreign(const struct reader *r)
{
	static const char *const prefixes[] = {"xen,", "skerry,", "multiboot,"};
	const char *s;

	for (int i = 0;
	     (s = fdt_stringlist_get(r->fdt, r->node, "compatible", i, NULL));
	     i++)
		for (unsigned int n = 0; n < ARRAY_SIZE(prefixes); n++)
			if (!strncmp(s, prefixes[n], strlen(prefixes[n])))
				return refuse(r, "compatible",
					      "%s: " NO_SUPPORT, s);
	return 0;
}

static int read_all_off(struct reader *r, const struct prop *p)
{
	static const char *const names[] = {
		[ALL_OFF_POWEROFF] = "poweroff",
		[ALL_OFF_REBOOT] = "reboot",
		[ALL_OFF_STAY] = "stay",
	};
	const char *val;
	int err = read_string(r, p, &val);

	if (err)
		return err;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], val)) {
			r->all_off = i;
			return 0;
		}
	return refuse(r, p->name,
		      "must be \"poweroff\", \"reboot\" or \"stay\"");
}

/* machine.c reads the command line. */
static int accept(struct reader *r __unused, const struct prop *p __unused)
{
	return 0;
}

static const struct rule chosen_rules[] = {
	{"skerry,when-all-off", .read = read_all_off},
	{"xen,xen-bootargs", .read = accept},
	{.name = NULL},
};

int describe_chosen(const void *fdt, enum when_all_off *out,
		    struct describe_error *err)
{
	struct reader r = {.fdt = fdt,
			   .name = "chosen",
			   .child = "",
			   .all_off = ALL_OFF_POWEROFF,
			   .err = err};
	int child, ret;

	r.node = chosen_node(fdt);
	if (r.node < 0)
		return refuse(&r, "node", "missing");
	ret = read_props(&r, chosen_rules);
	if (ret)
		return ret;
	*out = r.all_off;
	fdt_for_each_subnode(child, fdt, r.node) {
		struct reader c = r;

		c.node = child;
		c.child = fdt_get_name(fdt, child, NULL);
		if (is_kind(&c, "xen,domain"))
			continue;
		ret = check_foreign(&c);
		if (ret)
			return ret;
	}
	return 0;
}
