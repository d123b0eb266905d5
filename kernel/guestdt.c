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
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/machine.h>

static const u8 common[] __attribute__((aligned(8))) = {
#include <guest_dtb.h>
};

#define UART "/sbsa-uart@22000000"
#define GIC  "/interrupt-controller@3001000"

/* The names of nodes say the same as layout.h. */
static_assert(GUEST_RAM0_BASE == 0x40000000 && GUEST_GICD_BASE == 0x3001000 &&
		      GUEST_PL011_BASE == 0x22000000 &&
		      GUEST_PL031_BASE == 0x22001000,
	      "unit addresses in node names");

static int write_chosen(void *fdt, const struct describe_guest *g, u64 initrd)
{
	int node = fdt_path_offset(fdt, "/chosen");
	int err = fdt_setprop_string(fdt, node, "bootargs", g->bootargs);

	if (g->ramdisk.size) {
		err |= fdt_setprop_u64(fdt, node, "linux,initrd-start", initrd);
		err |= fdt_setprop_u64(fdt, node, "linux,initrd-end",
				       initrd + g->ramdisk.size);
	}
	if (g->vpl011)
		err |= fdt_setprop_string(fdt, node, "stdout-path", UART);
	else
		err |= fdt_del_node(fdt, fdt_path_offset(fdt, UART));
	return err;
}

/* From the last to the first: each is put in front of those that are there. */
static int write_cpus(void *fdt, const struct domain *d)
{
	int cpus = fdt_path_offset(fdt, "/cpus"), err = 0;
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
	return fdt_setprop(fdt, fdt_path_offset(fdt, path), "reg", reg,
			   (int)(nr * sizeof(reg[0])));
}

/* Pieces that follow each other in the guest's view are one bank. */
static int write_memory(void *fdt, const struct domain *d)
{
	u64 reg[2 * DOMAIN_MAX_RAM] = {0};
	unsigned int nr = 0;

	for (unsigned int i = 0; i < d->nr_ram; i++) {
		const struct domain_ram *r = &d->ram[i];

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
	int node = fdt_path_offset(fdt, GIC);

	if (gic_version() == 3)
		return write_reg(fdt, GIC, v3, ARRAY_SIZE(v3));
	return write_reg(fdt, GIC, v2, ARRAY_SIZE(v2)) |
	       fdt_setprop_string(fdt, node, "compatible", "arm,gic-400") |
	       fdt_delprop(fdt, node, "#redistributor-regions");
}

int guestdt_build(void *buf, u64 size, const struct domain *d,
		  const struct describe_guest *g, u64 initrd_ipa)
{
	int err;

	if (fdt_open_into(common, buf, (int)size))
		return -ENOSPC;
	err = write_chosen(buf, g, initrd_ipa);
	err |= write_cpus(buf, d);
	err |= write_memory(buf, d);
	err |= write_gic(buf, d);
	/* Only for boards whose firmware leaves CNTFRQ_EL0 wrong. */
	if (machine.timer_freq)
		err |= fdt_setprop_u32(buf, fdt_path_offset(buf, "/timer"),
				       "clock-frequency", machine.timer_freq);
	return err | fdt_pack(buf) ? -ENOSPC : 0;
}
