/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a guest's device tree: kernel/guest.dts, which all guests share, and
 * what differs from guest to guest. A libfdt call that fails changes nothing;
 * errors are negative, so that they can be collected by OR.
 */
#include <skerry/guestdt.h>

#include <libfdt.h>

#include <skerry/arch/gic.h>
#include <skerry/domain.h>
#include <skerry/dt.h>
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/machine.h>
#include <skerry/string.h>

static const u8 common[] __attribute__((aligned(8))) = {
#include <guest_dtb.h>
};

#define UART	 "/sbsa-uart@22000000"
#define GIC	 "/interrupt-controller@3001000"
#define WATCHDOG "/watchdog@22002000"

/* The names of nodes say the same as layout.h. */
static_assert(GUEST_RAM0_BASE == 0x40000000 && GUEST_GICD_BASE == 0x3001000 &&
		      GUEST_PL011_BASE == 0x22000000 &&
		      GUEST_PL031_BASE == 0x22001000 &&
		      GUEST_WATCHDOG_BASE == 0x22002000,
	      "unit addresses in node names");

/* fdt_path_offset(), in a quarter of the time; paths have unit addresses. */
static int node_at(const void *fdt, const char *path)
{
	struct dt_node n = dt_path(fdt, path, strlen(path));
	const char *first = (const char *)fdt + fdt_off_dt_struct(fdt);

	return n.name ? (int)(n.name - first - 4) : -FDT_ERR_NOTFOUND;
}

static int write_chosen(void *fdt, const struct guestdt *in)
{
	int node = node_at(fdt, "/chosen");
	int err = fdt_setprop_string(fdt, node, "bootargs", in->bootargs);

	if (in->initrd_size) {
		err |= fdt_setprop_u64(fdt, node, "linux,initrd-start",
				       in->initrd);
		err |= fdt_setprop_u64(fdt, node, "linux,initrd-end",
				       in->initrd + in->initrd_size);
	}
	if (in->vpl011)
		err |= fdt_setprop_string(fdt, node, "stdout-path", UART);
	else
		err |= fdt_del_node(fdt, node_at(fdt, UART));
	return err;
}

/* From the last to the first: each is put in front of those that are there. */
static int write_cpus(void *fdt, const struct domain *d)
{
	int cpus = node_at(fdt, "/cpus"), err = 0;
	char name[16];

	for (unsigned int i = d->nr_vcpus; i--;) {
		u32 affinity = (u32)vcpu_mpidr(i) & 0xffffff;
		/* The guest sees the real MIDR, so name the real core. */
		const char *core = machine.cpus[d->vcpus[i]->cpu].compatible;
		int node;

		fmt_snprintf(name, sizeof(name), "cpu@%x", affinity);
		node = fdt_add_subnode(fdt, cpus, name);
		err |= fdt_setprop_string(fdt, node, "enable-method", "psci");
		err |= fdt_setprop_u32(fdt, node, "reg", affinity);
		err |= fdt_setprop_string(fdt, node, "device_type", "cpu");
		err |= fdt_setprop_string(fdt, node, "compatible", core);
	}
	return err;
}

/* 64-bit numbers: two cells each, as the root has it. */
static int write_reg(void *fdt, const char *path, u64 *reg, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		reg[i] = cpu_to_fdt64(reg[i]);
	return fdt_setprop(fdt, node_at(fdt, path), "reg", reg,
			   (int)(nr * sizeof(reg[0])));
}

/* Pieces that follow each other in the guest's view are one bank. */
static int write_memory(void *fdt, const struct domain *d)
{
	u64 reg[2 * DOMAIN_MAX_RAM] = {0};
	unsigned int nr = 0;

	for (unsigned int i = 0; i < d->home.nr_ram; i++) {
		const struct domain_ram *r = &d->home.ram[i];

		if (nr && reg[nr - 2] + reg[nr - 1] == r->ipa.v) {
			reg[nr - 1] += r->size;
			continue;
		}
		reg[nr++] = r->ipa.v;
		reg[nr++] = r->size;
	}
	return write_reg(fdt, "/memory@40000000", reg, nr);
}

static int write_gic(void *fdt, const struct domain *d)
{
	u64 v3[] = {GUEST_GICD_BASE, GUEST_GICD_SIZE, GUEST_GICR_BASE,
		    d->nr_vcpus * GUEST_GICR_STRIDE};
	u64 v2[] = {GUEST_GICD_BASE, PAGE_SIZE, GUEST_GICC_BASE,
		    GUEST_GICC_SIZE};
	int node = node_at(fdt, GIC);

	if (gic_version() == 3)
		return write_reg(fdt, GIC, v3, ARRAY_SIZE(v3));
	return write_reg(fdt, GIC, v2, ARRAY_SIZE(v2)) |
	       fdt_setprop_string(fdt, node, "compatible", "arm,gic-400") |
	       fdt_delprop(fdt, node, "#redistributor-regions");
}

/* What the guest's own log cannot tell it. */
static int write_reason(void *fdt, const struct domain *d)
{
	int node = node_at(fdt, "/chosen");
	int err = fdt_setprop_string(fdt, node, "skerry,reset-reason",
				     stop_names[d->born_by]);

	return err |
	       fdt_setprop_u32(fdt, node, "skerry,nr-starts", d->nr_starts);
}

static int write_watchdog(void *fdt, const struct domain *d)
{
	int node = node_at(fdt, WATCHDOG);

	if (!d->wdt.ms)
		return fdt_del_node(fdt, node);
	/* Without it, drivers take one of theirs; whole seconds only. */
	if (d->wdt.ms < 1000)
		return 0;
	return fdt_setprop_u32(fdt, node, "timeout-sec", d->wdt.ms / 1000);
}

/* --- partial tree -------------------------------------------------------- */

#define MAX_DEPTH     16
#define PHANDLE_CLOCK (GUEST_PHANDLE_GIC + 1)

struct merge {
	u32 *to;     /* where the next tag goes */
	u32 strings; /* where the tree's names of properties will begin */
	u32 gic;     /* phandle of the interrupt controller */
	u32 depth;
	const char *node; /* being copied */
	struct guestdt_error *err;
};

__printf(2, 3) static int refuse(struct guestdt_error *err, const char *fmt, ...)
{
	fmt_args(err->text, sizeof(err->text), fmt);
	return -EINVAL;
}

static int check_partial(const struct guestdt *in, struct guestdt_error *err)
{
	const struct fdt_header *h = in->partial;

	if (in->partial_size < sizeof(*h) || fdt_magic(h) != FDT_MAGIC ||
	    fdt_totalsize(h) > in->partial_size)
		return refuse(err, "not a device tree, or truncated");
	if (fdt_version(h) != 17 || fdt_off_dt_struct(h) % 4 ||
	    fdt_off_mem_rsvmap(h) % 8 || fdt_check_full(h, fdt_totalsize(h)))
		return refuse(err, "damaged: not a well-formed device tree");
	return 0;
}

static bool is_phandle(const char *name)
{
	return !strcmp(name, "phandle") || !strcmp(name, "linux,phandle");
}

/* The phandle that the partial tree's /gic stands for. */
static int read_gic(const void *partial, u32 *phandle, struct guestdt_error *err)
{
	struct dt_node n = dt_path(partial, "/gic", 4);
	struct dt_prop p = dt_find(&n, "phandle");

	if (!n.name)
		return 0;
	if (p.len != 4)
		return refuse(err, "gic: phandle: must be one cell");
	*phandle = (u32)dt_cells(p.data, 0, 1);
	if (!*phandle || *phandle == ~0U || *phandle == PHANDLE_CLOCK)
		return refuse(err, "gic: phandle: %u cannot be had", *phandle);
	return 0;
}

static int check_name(struct merge *m, const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~')
			return refuse(m->err, "a node's name cannot be printed");
	m->node = name;
	if (++m->depth > MAX_DEPTH)
		return refuse(m->err, "%s: nested deeper than %u", name,
			      MAX_DEPTH);
	return 0;
}

static int check_prop(struct merge *m, const char *name, const void *data,
		      u32 len)
{
	static const char assigns[] =
		"xen,reg\0xen,path\0xen,force-assign-without-iommu";
	u32 phandle;

	if (fdt_stringlist_contains(assigns, sizeof(assigns) - 1, name))
		return refuse(
			m->err,
			"%s: %s: device assignment is not supported in this version",
			m->node, name);
	if (!is_phandle(name))
		return 0;
	phandle = len == 4 ? (u32)dt_cells(data, 0, 1) : 0;
	if (!phandle || phandle == m->gic || phandle == PHANDLE_CLOCK)
		return refuse(m->err, "%s: %s: %u is taken, or malformed",
			      m->node, name, phandle);
	return 0;
}

/* The tag at `at`, checked; where the next one begins, or NULL. */
static const u32 *check_tag(struct merge *m, const u32 *at, const char *strings)
{
	switch (fdt32_to_cpu(*at)) {
	case FDT_BEGIN_NODE:
		if (check_name(m, (const char *)(at + 1)))
			return NULL;
		return at + 2 + strlen((const char *)(at + 1)) / 4;
	case FDT_END_NODE:
		m->depth--;
		return at + 1;
	case FDT_PROP:
		if (check_prop(m, strings + fdt32_to_cpu(at[2]), at + 3,
			       fdt32_to_cpu(at[1])))
			return NULL;
		return at + 3 + align_up(fdt32_to_cpu(at[1]), 4) / 4;
	default: /* FDT_NOP */
		return at + 1;
	}
}

/* A node with all that is in it, tag by tag. */
static int copy_node(struct merge *m, const struct dt_node *n)
{
	const u32 *at = (const u32 *)(const void *)n->name - 1, *next;

	do {
		next = check_tag(m, at, n->strings);
		if (!next)
			return -EINVAL;
		memcpy(m->to, at, (size_t)(next - at) * sizeof(*at));
		if (fdt32_to_cpu(*at) == FDT_PROP)
			m->to[2] = cpu_to_fdt32(fdt32_to_cpu(at[2]) + m->strings);
		m->to += next - at;
		at = next;
	} while (m->depth);
	return 0;
}

/*
 * Nodes are put behind the last one of the root, as they are: their names of
 * properties follow the tree's own. libfdt would move all that comes behind
 * for each property.
 */
static int merge(void *fdt, u64 size, const struct guestdt *in, struct merge *m)
{
	const char *partial = in->partial;
	u64 more = align_up(fdt_size_dt_struct(partial), 4);
	u32 names = fdt_size_dt_strings(partial);
	char *strings = (char *)fdt + fdt_off_dt_strings(fdt);
	u32 *first = (u32 *)((char *)fdt + fdt_off_dt_struct(fdt));
	struct dt_node n = dt_next_at(dt_path(partial, "", 0), DT_CHILD);

	if (fdt_totalsize(fdt) + more + names > size)
		return -ENOSPC;
	m->strings = fdt_size_dt_strings(fdt);
	memmove(strings + more, strings, m->strings);
	memcpy(strings + more + m->strings,
	       partial + fdt_off_dt_strings(partial), names);
	/* In the place of the root's end. */
	m->to = first + fdt_size_dt_struct(fdt) / 4 - 2;
	for (; n.name; n = dt_next_at(n, DT_SIBLING))
		if ((!strcmp(n.name, "passthrough") ||
		     !strcmp(n.name, "aliases")) &&
		    copy_node(m, &n))
			return -EINVAL;
	*m->to++ = cpu_to_fdt32(FDT_END_NODE);
	*m->to++ = cpu_to_fdt32(FDT_END);
	fdt_set_size_dt_struct(fdt, (u32)(m->to - first) * 4);
	fdt_set_off_dt_strings(fdt, fdt_off_dt_strings(fdt) + (u32)more);
	fdt_set_size_dt_strings(fdt, m->strings + names);
	fdt_set_totalsize(fdt, fdt_totalsize(fdt) + (u32)more + names);
	return 0;
}

static int merge_partial(void *fdt, u64 size, const struct guestdt *in,
			 struct guestdt_error *err)
{
	struct merge m = {.gic = GUEST_PHANDLE_GIC, .err = err};
	int ret = check_partial(in, err) ?: read_gic(in->partial, &m.gic, err);

	if (ret)
		return ret;
	/* Of the same length: nothing moves. */
	ret = fdt_setprop_u32(fdt, node_at(fdt, GIC), "phandle", m.gic) |
	      fdt_setprop_u32(fdt, 0, "interrupt-parent", m.gic);
	return ret ? -ENOSPC : merge(fdt, size, in, &m);
}

int guestdt_build(void *buf, u64 size, const struct domain *d,
		  const struct guestdt *in, struct guestdt_error *err)
{
	int ret;

	if (fdt_open_into(common, buf, (int)size))
		return -ENOSPC;
	ret = write_chosen(buf, in);
	ret |= write_cpus(buf, d);
	ret |= write_memory(buf, d);
	ret |= write_gic(buf, d);
	ret |= write_watchdog(buf, d);
	ret |= write_reason(buf, d);
	/* Only for boards whose firmware leaves CNTFRQ_EL0 wrong. */
	if (machine.timer_freq)
		ret |= fdt_setprop_u32(buf, node_at(buf, "/timer"),
				       "clock-frequency", machine.timer_freq);
	if (ret | fdt_pack(buf))
		return -ENOSPC;
	return in->partial_size ? merge_partial(buf, size, in, err) : 0;
}
