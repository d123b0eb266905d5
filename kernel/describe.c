/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads guest descriptions. What is not understood is refused by name, so no
 * guest runs with less isolation than its author wrote down. Properties of
 * other vendors are none of ours and pass. tools/skerry_pack/describe.py
 * applies the same rules on the host; docs/guests.md lists them.
 */
#include <skerry/describe.h>

#include <libfdt.h>

#include <skerry/admit.h>
#include <skerry/dt.h>
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/string.h>

#define MAX_PA		BIT(48)
#define MAX_SPIS	960 /* INTIDs 32 to 991: registers of 32 */
#define MAX_BOOTARGS	4096
#define MAX_POOL_MIB	1024
#define MAX_WATCHDOG_MS 3600000
#define MAX_CPU		999 /* in hard-affinity */
#define MAX_MEMORY	(GUEST_RAM0_SIZE + GUEST_RAM1_SIZE)
#define NO_NUMBER	~0U
#define NO_SUPPORT	"not supported"
#define MAX_CONFIG	31
#define MAX_ATTESTED	63
/* A fingerprint as text, with its end. */
#define PRINT_TEXT (2 * DESCRIBE_FINGERPRINT + 1)

enum node_kind {
	CHOSEN = 1,
	GUEST = 2,
	FIT = 4,
	KERNEL = 8,
	RAMDISK = 16,
	TREE = 32,
	VCPU = 64,
};
enum wfi { WFI_NATIVE, WFI_TRAP };

struct reader;
struct rule {
	u32 kinds; /* of the nodes that may have the property */
	const char *name;
	void (*read)(struct reader *r, const struct dt_prop *p);
	u32 lo, hi;		   /* of one cell, or */
	const char *choices, *why; /* a list of strings, and what tells it */
	size_t field;		   /* u32 of the reader for it or its place */
};

/* The first refusal counts: what is read after it has no effect. */
struct reader {
	const struct rule *rule;
	struct dt_node node;
	const char *name, *child; /* child: "" in the guest's own node */
	u32 address_cells, size_cells, pool_mib, off;
	struct sched_params sched; /* of all vCPUs, or of the node being read */
	u32 wfi;		   /* enum wfi; NO_NUMBER: not said */
	u32 id; /* of the xen,vcpu node being read, and its mask */
	u64 mask;
	const char *vcpu_nodes[DESCRIBE_MAX_VCPUS]; /* their names, or NULL */
	struct describe_guest guest;
	struct describe_chosen chosen;
	struct describe_error *err;
	bool refused;
};

__printf(3, 4) static void refuse(struct reader *r, const char *prop,
				  const char *fmt, ...)
{
	char *at = r->err->text, *end = at + sizeof(r->err->text);

	if (r->refused)
		return;
	r->refused = true;
	at += fmt_snprintf(at, sizeof(r->err->text), "%s%s%s: %s: ", r->name,
			   *r->child ? "/" : "", r->child, prop);
	at = min(at, end - 1);
	fmt_args(at, (size_t)(end - at), fmt);
}

/* --- values -------------------------------------------------------------- */

static void store(struct reader *r, u32 val)
{
	*(u32 *)((char *)r + r->rule->field) = val;
}

static void read_number(struct reader *r, const struct dt_prop *p)
{
	u32 val = p->len == 4 ? (u32)dt_cells(p->data, 0, 1) : 0;
	u32 lo = r->rule->lo, hi = r->rule->hi;

	if (lo == hi && (p->len != 4 || val != lo))
		refuse(r, p->name, NO_SUPPORT " (only %u)", lo);
	if (p->len != 4)
		refuse(r, p->name, "must be one cell");
	if (val < lo || val > hi)
		refuse(r, p->name, "%u: must be %u to %u", val, lo, hi);
	store(r, val);
}

/* One string: terminated, and nothing behind it. */
static const char *read_string(struct reader *r, const struct dt_prop *p)
{
	if (p->len && strnlen(p->data, (size_t)p->len) == (size_t)p->len - 1)
		return p->data;
	refuse(r, p->name, "must be one string");
	return "";
}

static void read_choice(struct reader *r, const struct dt_prop *p)
{
	const char *val = read_string(r, p), *choice = r->rule->choices;
	u32 place = 0;

	for (; *choice && strcmp(choice, val); choice += strlen(choice) + 1)
		place++;
	if (!*choice)
		refuse(r, p->name, "%s", r->rule->why);
	store(r, place);
}

/* Decimal number at *s; above MAX_CPU or NO_NUMBER when it is none. */
static u32 parse_number(const char **s)
{
	u32 val = **s >= '0' && **s <= '9' ? 0 : NO_NUMBER;

	for (; **s >= '0' && **s <= '9' && val <= MAX_CPU; (*s)++)
		val = val * 10 + (u32)(**s - '0');
	return val;
}

/* "0-3,5" to a mask; 0 when it is no such list, or names no CPU below 64. */
static u64 parse_cpus(const char *s)
{
	for (u64 mask = 0;; s++) {
		u32 first, last;

		while (*s == ' ')
			s++;
		first = last = parse_number(&s);
		if (*s == '-') {
			s++;
			last = parse_number(&s);
		}
		if (last > MAX_CPU || first > last)
			return 0;
		for (u32 c = first; c <= min(last, 63U); c++)
			mask |= BIT(c);
		while (*s == ' ')
			s++;
		if (*s != ',')
			return *s ? 0 : mask;
	}
}

/* --- properties ---------------------------------------------------------- */

static void read_memory(struct reader *r, const struct dt_prop *p)
{
	u64 kib = p->len == 8 ? dt_cells(p->data, 0, 2) : 0;

	if (p->len != 8)
		refuse(r, p->name, "must be two cells (KiB)");
	if (!kib || kib % (PAGE_SIZE / KIB))
		refuse(r, p->name,
		       "%lu KiB: must be a multiple of 4 KiB and not zero", kib);
	if (kib > MAX_MEMORY / KIB)
		refuse(r, p->name, "%lu KiB: at most %lu", kib,
		       MAX_MEMORY / KIB);
	r->guest.memory = kib * KIB;
}

static void read_vpl011(struct reader *r, const struct dt_prop *p)
{
	if (p->len)
		refuse(r, p->name, "must be empty");
	r->guest.vpl011 = true;
}

static void read_disabled(struct reader *r, const struct dt_prop *p)
{
	if (!dt_is(&r->node, p->name, "disabled"))
		refuse(r, p->name, NO_SUPPORT " (only \"disabled\")");
}

static void read_bootargs(struct reader *r, const struct dt_prop *p)
{
	if (p->len > MAX_BOOTARGS)
		refuse(r, p->name, "longer than %u characters",
		       MAX_BOOTARGS - 1);
	r->guest.bootargs = read_string(r, p);
}

static void refuse_bootargs(struct reader *r, const struct dt_prop *p)
{
	refuse(r, p->name, "belongs in the %s",
	       r->guest.fit.size ? "signed configuration" : "kernel's node");
}

/* A string of 1 to `most` characters that are safe to print. */
static const char *read_text(struct reader *r, const struct dt_prop *p,
			     unsigned int most)
{
	const char *text = read_string(r, p);

	if (!*text || strlen(text) > most)
		refuse(r, p->name, "must have 1 to %u characters", most);
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			refuse(r, p->name, "has what cannot be printed");
	return text;
}

static void read_config(struct reader *r, const struct dt_prop *p)
{
	r->guest.config = read_text(r, p, MAX_CONFIG);
}

static void read_attested(struct reader *r, const struct dt_prop *p)
{
	r->chosen.attested = read_text(r, p, MAX_ATTESTED);
}

/* The digit's value; 16 when it is none. */
static u8 hex_digit(char c)
{
	char lower = c | 0x20;

	if (c >= '0' && c <= '9')
		return (u8)(c - '0');
	return lower >= 'a' && lower <= 'f' ? (u8)(lower - 'a' + 10) : 16;
}

static void read_revoked(struct reader *r, const struct dt_prop *p)
{
	bool good = p->len && p->len % PRINT_TEXT == 0;
	const char *text = p->data;

	for (int i = 0; good && i < p->len; i++)
		good = i % PRINT_TEXT == PRINT_TEXT - 1
			       ? !text[i]
			       : hex_digit(text[i]) < 16;
	if (!good)
		refuse(r, p->name,
		       "must be fingerprints of %u hexadecimal digits each",
		       PRINT_TEXT - 1);
	r->chosen.revoked = text;
	r->chosen.nr_revoked = (unsigned int)(p->len / PRINT_TEXT);
}

void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT])
{
	const char *text = c->revoked + (size_t)n * PRINT_TEXT;

	for (unsigned int i = 0; i < DESCRIBE_FINGERPRINT; i++)
		out[i] = (u8)(hex_digit(text[2 * i]) << 4 |
			      hex_digit(text[2 * i + 1]));
}

static void read_affinity(struct reader *r, const struct dt_prop *p)
{
	const char *list = read_string(r, p);

	r->mask = parse_cpus(list);
	if (!r->mask)
		refuse(r, p->name, "\"%s\" is not a list of CPUs", list);
}

/* A string may have the length of a cell, too. */
static void read_flag(struct reader *r, const struct dt_prop *p)
{
	u64 val = p->len == 4 ? dt_cells(p->data, 0, 1) : 1;

	if ((p->len && p->len != 4) || val > 1)
		refuse(r, p->name, "is a flag: by itself, or <0> or <1>");
	store(r, (u32)val);
}

#define NUMBER(l, h, f) read_number, .lo = l, .hi = h, FIELD(f)
#define CHOICE(l, w, f) read_choice, .choices = l, .why = w, FIELD(f)
#define FIELD(f)	.field = offsetof(struct reader, f)

static const struct rule rules[] = {
	/* In the order of enum when_all_off. */
	{CHOSEN, "skerry,when-all-off",
	 CHOICE("poweroff\0reboot\0stay\0",
		"must be \"poweroff\", \"reboot\" or \"stay\"",
		chosen.when_all_off)},
	{CHOSEN, "skerry,revoked-keys", .read = read_revoked},
	{CHOSEN, "skerry,attested", .read = read_attested},
	{CHOSEN, "xen,xen-bootargs", .read = NULL}, /* machine.c reads it */
	{GUEST, "#address-cells", NUMBER(1, 2, address_cells)},
	{GUEST, "#size-cells", NUMBER(1, 2, size_cells)},
	{GUEST, "memory", .read = read_memory},
	{GUEST, "cpus", NUMBER(1, DESCRIBE_MAX_VCPUS, guest.nr_vcpus)},
	{GUEST, "vpl011", .read = read_vpl011},
	{GUEST, "nr_spis", NUMBER(0, MAX_SPIS, guest.nr_spis)},
	{GUEST, "xen,domain-p2m-mem-mb", NUMBER(1, MAX_POOL_MIB, pool_mib)},
	{GUEST, "skerry,min-version", NUMBER(0, ~0U, guest.min_version)},
	/* In the order of enum wfi. */
	{GUEST, "skerry,wfi",
	 CHOICE("native\0trap\0", "must be \"trap\" or \"native\"", wfi)},
	/* What this version can only leave off. */
	{GUEST, "xen,enhanced", .read = read_disabled},
	{GUEST, "passthrough", .read = read_disabled},
	{GUEST | VCPU, "skerry,weight",
	 NUMBER(1, SCHED_MAX_WEIGHT, sched.weight)},
	{GUEST | VCPU, "skerry,slice-us", NUMBER(100, 1000000, sched.slice_us)},
	{GUEST | VCPU, "skerry,period-us",
	 NUMBER(SCHED_MIN_PERIOD_US, SCHED_MAX_PERIOD_US, sched.period_us)},
	{GUEST | VCPU, "skerry,budget-us",
	 NUMBER(SCHED_MIN_BUDGET_US, SCHED_MAX_PERIOD_US, sched.budget_us)},
	{GUEST | VCPU, "skerry,deadline-us",
	 NUMBER(SCHED_MIN_BUDGET_US, SCHED_MAX_PERIOD_US, sched.deadline_us)},
	{GUEST | VCPU, "skerry,extra-time", read_flag, FIELD(sched.extra_time)},
	/* In the order of enum restart. */
	{GUEST, "skerry,restart",
	 CHOICE("never\0on-crash\0always\0",
		"must be \"never\", \"on-crash\" or \"always\"", guest.restart)},
	{GUEST, "skerry,start",
	 CHOICE("boot\0later\0", "must be \"boot\" or \"later\"", guest.later)},
	{GUEST, "skerry,watchdog-ms",
	 NUMBER(1, MAX_WATCHDOG_MS, guest.watchdog_ms)},
	{GUEST, "capabilities", NUMBER(0, 0, off)},
	{GUEST, "sve", NUMBER(0, 0, off)},
	{GUEST, "trap-unmapped-accesses", NUMBER(1, 1, off)},
	{KERNEL, "bootargs", .read = read_bootargs},
	{RAMDISK | TREE | FIT, "bootargs", .read = refuse_bootargs},
	{FIT, "skerry,config", .read = read_config},
	{VCPU, "id", NUMBER(0, DESCRIBE_MAX_VCPUS - 1, id)},
	{VCPU, "hard-affinity", .read = read_affinity},
};

/* Of Xen's binding or planned: the reason tells them from misspellings. */
static const char unsupported[] =
	"direct-map\0domain-cpupool\0llc-colors\0v8r_el1_msa\0"
	"xen,static-mem\0xen,static-heap\0xen,sci_type\0xen,shared-mem\0"
	"xen,shm-id\0xen,reg\0xen,path\0xen,force-assign-without-iommu\0"
	"xen,passthrough\0xen,evtchn\0xen,dom0-bootargs\0"
	"skerry,role\0skerry,dma";
static const char unsupported_nodes[] =
	"skerry,vbd\0skerry,vif\0"
	"xen,evtchn-v1\0xen,domain-shared-memory-v1\0xen,cpupool";

#define IS_LISTED(name, list)                                                  \
	fdt_stringlist_contains(list, sizeof(list) - 1, name)

/* Of Xen's making or ours. */
static bool is_known_prefix(const char *name)
{
	return !strncmp(name, "xen,", 4) || !strncmp(name, "skerry,", 7);
}

/*
 * A property by its rule. Without one are ignored max_grant_version,
 * max_grant_frames and max_maptrack_frames (they size what needs
 * xen,enhanced), phandles, and whatever has no prefix of ours or Xen's.
 */
static void read_prop(struct reader *r, enum node_kind kind,
		      const struct dt_prop *p)
{
	for (const struct rule *u = rules; u < rules + ARRAY_SIZE(rules); u++) {
		if (!(u->kinds & kind) || strcmp(u->name, p->name))
			continue;
		r->rule = u;
		if (u->read)
			u->read(r, p);
		return;
	}
	if (IS_LISTED(p->name, unsupported))
		refuse(r, p->name, NO_SUPPORT);
	else if (is_known_prefix(p->name))
		refuse(r, p->name, "unknown property");
}

static void read_props(struct reader *r, enum node_kind kind)
{
	const u32 *at = r->node.props;
	struct dt_prop p;

	while (!r->refused && dt_next_prop(&r->node, &at, &p))
		read_prop(r, kind, &p);
}

/* --- nodes --------------------------------------------------------------- */

static void read_module(struct reader *r, struct page_bank *m,
			enum node_kind kind)
{
	u32 ac = r->address_cells, sc = r->size_cells;
	struct dt_prop reg = dt_find(&r->node, "reg");
	const struct describe_guest *g = &r->guest;

	if (m->size)
		refuse(r, "compatible", "a second module of its kind");
	if (kind != FIT && g->fit.size)
		refuse(r, "compatible", "belongs in the signed image");
	if (kind == FIT && (g->kernel.size || g->ramdisk.size || g->dtb.size))
		refuse(r, "compatible",
		       "the other modules belong in the signed image");
	if (!reg.data && dt_find(&r->node, "skerry,file").data)
		refuse(r, "skerry,file", "not packed by tools/mkboot");
	if (!reg.data)
		refuse(r, "reg", "missing");
	if (reg.len != (int)(4 * (ac + sc)))
		refuse(r, "reg",
		       "must be one address of %u and a size of %u cells", ac,
		       sc);
	if (r->refused)
		return;
	m->base = dt_cells(reg.data, 0, ac);
	m->size = dt_cells(reg.data, ac, sc);
	if (!m->size)
		refuse(r, "reg", "its size is zero");
	if (m->size > MAX_PA || m->base > MAX_PA - m->size)
		refuse(r, "reg", "%#lx+%#lx: beyond 48 bits", m->base, m->size);
	if (kind == FIT && m->base % 8)
		refuse(r, "reg", "%#lx: must be a multiple of 8", m->base);
	if (kind == FIT)
		r->guest.fit_node = r->child;
	read_props(r, kind);
}

static void read_vcpu(struct reader *r)
{
	const struct sched_params all = r->sched;

	r->id = NO_NUMBER;
	r->mask = ~0UL;
	read_props(r, VCPU);
	if (r->id == NO_NUMBER)
		refuse(r, "id", "missing");
	if (r->id >= r->guest.nr_vcpus)
		refuse(r, "id", "%u: the guest has %u vCPUs", r->id,
		       r->guest.nr_vcpus);
	if (r->refused)
		return;
	if (r->vcpu_nodes[r->id])
		refuse(r, "id", "%u: described twice", r->id);
	r->vcpu_nodes[r->id] = r->child;
	r->guest.affinity[r->id] = r->mask;
	r->guest.sched[r->id] = r->sched;
	r->sched = all;
}

/* Name the first compatible that we know of, else the first; or "missing". */
static void refuse_node(struct reader *r)
{
	struct dt_prop p = dt_find(&r->node, "compatible");
	const char *first = dt_next_string(&p, NULL);

	for (const char *s = first; s; s = dt_next_string(&p, s))
		if (IS_LISTED(s, unsupported_nodes))
			refuse(r, "compatible", "%s: " NO_SUPPORT, s);
	refuse(r, "compatible", "%s: unknown kind of sub-node",
	       first ? first : "missing");
}

static void read_child(struct reader *r)
{
	if (dt_is_compatible(&r->node, "skerry,fit"))
		read_module(r, &r->guest.fit, FIT);
	else if (dt_is_compatible(&r->node, "multiboot,kernel"))
		read_module(r, &r->guest.kernel, KERNEL);
	else if (dt_is_compatible(&r->node, "multiboot,ramdisk"))
		read_module(r, &r->guest.ramdisk, RAMDISK);
	else if (dt_is_compatible(&r->node, "multiboot,device-tree"))
		read_module(r, &r->guest.dtb, TREE);
	else if (dt_is_compatible(&r->node, "xen,vcpu"))
		read_vcpu(r);
	else
		refuse_node(r);
}

/* Of /chosen beside the guests: what is of known making must be known. */
static void check_foreign(struct reader *r)
{
	struct dt_prop p = dt_find(&r->node, "compatible");
	const char *s = NULL;

	if (dt_is_compatible(&r->node, "xen,domain"))
		return;
	while ((s = dt_next_string(&p, s)))
		if (is_known_prefix(s) || !strncmp(s, "multiboot,", 10))
			refuse(r, "compatible", "%s: " NO_SUPPORT, s);
}

static void read_children(struct reader *r, void (*read)(struct reader *r))
{
	for (r->node = dt_next_at(r->node, DT_CHILD);
	     r->node.name && !r->refused;
	     r->node = dt_next_at(r->node, DT_SIBLING)) {
		r->child = r->node.name;
		read(r);
	}
	r->child = "";
}

/* Node name without its unit address; only what is safe to print. */
static void read_name(struct reader *r)
{
	static const char punct[] = ",._+-";
	char *to = r->guest.name;
	unsigned int n = 0;

	for (const char *s = r->node.name; *s && *s != '@' && !r->refused; s++) {
		char lower = *s | 0x20;

		if (n == DESCRIBE_NAME_SIZE - 1)
			refuse(r, "name", "longer than %u characters", n);
		else if (!((*s >= '0' && *s <= '9') ||
			   (lower >= 'a' && lower <= 'z') || strchr(punct, *s)))
			refuse(r, "name",
			       "has a character other than letters, digits and \"%s\"",
			       punct);
		else
			to[n++] = *s;
	}
	r->name = to;
	if (!n)
		refuse(r, "name", "empty");
}

static void check_guest(struct reader *r)
{
	struct describe_guest *g = &r->guest;
	u64 pool;

	if (!g->memory)
		refuse(r, "memory", "missing");
	if (!g->nr_vcpus)
		refuse(r, "cpus", "missing");
	if (g->vpl011 && !g->nr_spis)
		refuse(r, "nr_spis", "0: vpl011 needs one");
	if (g->watchdog_ms && !g->nr_spis)
		refuse(r, "nr_spis", "0: skerry,watchdog-ms needs one");
	g->nr_spis = align_up(g->nr_spis, 32); /* as GICD_TYPER counts */
	/*
	 * What the hypervisor needs for the guest: its structures and vCPUs, a
	 * table per GiB of RAM and for the pieces that it may fall into.
	 */
	pool = 64 * KIB + g->nr_vcpus * 16 * KIB + g->nr_spis * 128UL +
	       (g->memory / GIB + 2) * 2 * PAGE_SIZE;
	g->pool_size = max(r->pool_mib * MIB, align_up(pool, 64 * KIB));
}

static void check_sched(struct reader *r, struct sched_params *s)
{
	char why[ADMIT_WHY];
	const char *prop;

	if (!s->deadline_us)
		s->deadline_us = s->period_us;
	prop = admit_check(s, why);
	if (prop)
		refuse(r, prop, "%s", why);
}

/* When all nodes are read, as each vCPU has something of two. */
static void check_vcpus(struct reader *r)
{
	struct describe_guest *g = &r->guest;

	for (unsigned int i = 0; !r->refused && i < g->nr_vcpus; i++) {
		struct sched_params *s = &g->sched[i];

		if (s->budget_us && r->wfi == WFI_NATIVE)
			refuse(r, "skerry,wfi",
			       "a deadline vCPU's WFI always traps");
		/* The node to blame; a vCPU's only where it says otherwise. */
		if (memcmp(s, &r->sched, sizeof(*s)))
			r->child = r->vcpu_nodes[i];
		check_sched(r, s);
		r->child = "";
	}
	g->wfi_trap = r->wfi == WFI_TRAP;
}

int describe_guest(const struct dt_node *node, struct describe_guest *out,
		   struct describe_error *err)
{
	struct reader r = {
		.node = *node,
		.name = "guest",
		.child = "",
		.err = err,
		.address_cells = 2,
		.size_cells = 1, /* DT spec 2.3.5 */
		.wfi = NO_NUMBER,
		.sched = {.weight = SCHED_WEIGHT, .slice_us = SCHED_SLICE_US},
		.guest = {.nr_spis = GUEST_MIN_SPIS,
			  .fit_node = "",
			  .bootargs = ""},
	};

	for (unsigned int i = 0; i < DESCRIBE_MAX_VCPUS; i++)
		r.guest.affinity[i] = ~0UL;
	read_name(&r);
	read_props(&r, GUEST);
	check_guest(&r);
	for (unsigned int i = 0; i < DESCRIBE_MAX_VCPUS; i++)
		r.guest.sched[i] = r.sched;
	read_children(&r, read_child);
	check_vcpus(&r);
	if (!r.guest.fit.size && !r.guest.kernel.size)
		refuse(&r, "multiboot,kernel", "missing");
	*out = r.guest;
	return r.refused ? -EINVAL : 0;
}

bool describe_next(const void *fdt, struct dt_node *node)
{
	*node = node->name ? dt_next_at(*node, DT_SIBLING)
			   : dt_next_at(dt_path(fdt, "/chosen", 7), DT_CHILD);
	while (node->name && !dt_is_compatible(node, "xen,domain"))
		*node = dt_next_at(*node, DT_SIBLING);
	return node->name;
}

int describe_chosen(const void *fdt, struct describe_chosen *out,
		    struct describe_error *err)
{
	struct reader r = {.node = dt_path(fdt, "/chosen", 7),
			   .name = "chosen",
			   .child = "",
			   .err = err};

	if (!r.node.name) {
		refuse(&r, "node", "missing");
	} else {
		read_props(&r, CHOSEN);
		read_children(&r, check_foreign);
	}
	*out = r.chosen;
	return r.refused ? -EINVAL : 0;
}
