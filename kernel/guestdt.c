/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a guest's device tree: the machine of <skerry/layout.h> as Xen
 * describes it to dom0less guests, plus the real-time clock. It holds nothing
 * random, so that a guest boots the same way each time.
 */
#include <skerry/guestdt.h>

#include <libfdt.h>

#include <skerry/arch/gic.h>
#include <skerry/domain.h>
#include <skerry/error.h>
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/machine.h>
#include <skerry/string.h>

/* clang-format off */
#define PHANDLE_GIC	GUEST_PHANDLE_GIC
#define PHANDLE_CLOCK	(GUEST_PHANDLE_GIC + 1)
#define GIC_SPI		0
#define GIC_PPI		1
#define IRQ_LEVEL_HIGH	4
#define IRQ_LEVEL_LOW	8
#define PPI_ALL_CPUS	0xf00	/* GICv2's CPU mask; v3 ignores it */
#define PL031_PERIPHID	0x00041031 /* DDI 0224 3.3.9 */
#define PSCI_CPU_OFF	0x84000002
#define PSCI_CPU_ON64	0xc4000003
#define MAX_CELLS	(4 * DOMAIN_MAX_RAM)
/* clang-format on */

/* The tree being written. After the first error nothing is written. */
struct writer {
	void *fdt;
	int err;
};

static void begin(struct writer *w, const char *name)
{
	if (!w->err)
		w->err = fdt_begin_node(w->fdt, name);
}

static void end(struct writer *w)
{
	if (!w->err)
		w->err = fdt_end_node(w->fdt);
}

/* Also for string lists: `size` counts every terminator. */
static void put(struct writer *w, const char *name, const void *val, u64 size)
{
	if (!w->err)
		w->err = fdt_property(w->fdt, name, val, (int)size);
}

static void put_string(struct writer *w, const char *name, const char *val)
{
	put(w, name, val, strlen(val) + 1);
}

static void put_cells(struct writer *w, const char *name, const u32 *val,
		      unsigned int nr)
{
	fdt32_t be[MAX_CELLS];

	for (unsigned int i = 0; i < nr; i++)
		be[i] = cpu_to_fdt32(val[i]);
	put(w, name, be, nr * sizeof(be[0]));
}

static void put_u32(struct writer *w, const char *name, u32 val)
{
	put_cells(w, name, &val, 1);
}

/* 64-bit numbers, two cells each: the root's cells of address and size. */
static void put_u64s(struct writer *w, const char *name, const u64 *val,
		     unsigned int nr)
{
	u32 pair[MAX_CELLS];

	for (unsigned int i = 0; i < nr; i++) {
		pair[2 * i] = (u32)(val[i] >> 32);
		pair[2 * i + 1] = (u32)val[i];
	}
	put_cells(w, name, pair, 2 * nr);
}

#define PUT_CELLS(w, name, ...)                                                \
	put_cells(w, name, (const u32[]){__VA_ARGS__},                         \
		  ARRAY_SIZE(((const u32[]){__VA_ARGS__})))
#define PUT_U64S(w, name, ...)                                                 \
	put_u64s(w, name, (const u64[]){__VA_ARGS__},                          \
		 ARRAY_SIZE(((const u64[]){__VA_ARGS__})))
#define PUT_STRINGS(w, name, list) put(w, name, list, sizeof(list))

static void write_chosen(struct writer *w, const struct describe_guest *g,
			 u64 initrd)
{
	begin(w, "chosen");
	put_string(w, "bootargs", g->bootargs);
	if (g->ramdisk.size) {
		PUT_U64S(w, "linux,initrd-start", initrd);
		PUT_U64S(w, "linux,initrd-end", initrd + g->ramdisk.size);
	}
	if (g->vpl011)
		put_string(w, "stdout-path", "/sbsa-uart@22000000");
	end(w);
}

static void write_cpus(struct writer *w, const struct domain *d)
{
	char name[16];

	begin(w, "cpus");
	put_u32(w, "#address-cells", 1);
	put_u32(w, "#size-cells", 0);
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		u32 affinity = (u32)vcpu_mpidr(i) & 0xffffff;

		fmt_snprintf(name, sizeof(name), "cpu@%x", affinity);
		begin(w, name);
		/* The guest sees the real MIDR, so name the real core. */
		put_string(w, "compatible",
			   machine.cpus[d->vcpus[i]->cpu].compatible);
		put_string(w, "device_type", "cpu");
		put_u32(w, "reg", affinity);
		put_string(w, "enable-method", "psci");
		end(w);
	}
	end(w);
}

/* Pieces that follow each other in the guest's view are one bank. */
static void write_memory(struct writer *w, const struct domain *d)
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
	begin(w, "memory@40000000");
	put_string(w, "device_type", "memory");
	put_u64s(w, "reg", reg, nr);
	end(w);
}

static void write_gicv3(struct writer *w, const struct domain *d)
{
	begin(w, "interrupt-controller@3001000");
	put_string(w, "compatible", "arm,gic-v3");
	put_u32(w, "#interrupt-cells", 3);
	put_u32(w, "#address-cells", 0);
	put(w, "interrupt-controller", "", 0);
	put_u32(w, "#redistributor-regions", 1);
	PUT_U64S(w, "reg", GUEST_GICD_BASE, GUEST_GICD_SIZE, GUEST_GICR_BASE,
		 d->nr_vcpus * GUEST_GICR_STRIDE);
	put_u32(w, "phandle", PHANDLE_GIC);
	end(w);
}

static void write_timer(struct writer *w)
{
	const u32 flags = PPI_ALL_CPUS | IRQ_LEVEL_LOW;

	begin(w, "timer");
	put_string(w, "compatible", "arm,armv8-timer");
	PUT_CELLS(w, "interrupts", GIC_PPI, GUEST_STIMER_INTID - 16, flags,
		  GIC_PPI, GUEST_PTIMER_INTID - 16, flags, GIC_PPI,
		  GUEST_VTIMER_INTID - 16, flags);
	/* Only for boards whose firmware leaves CNTFRQ_EL0 wrong. */
	if (machine.timer_freq)
		put_u32(w, "clock-frequency", machine.timer_freq);
	end(w);
}

static void write_psci(struct writer *w)
{
	begin(w, "psci");
	PUT_STRINGS(w, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
	put_string(w, "method", "hvc");
	/* For PSCI 0.1, which has no numbers of its own. */
	put_u32(w, "cpu_off", PSCI_CPU_OFF);
	put_u32(w, "cpu_on", PSCI_CPU_ON64);
	end(w);
}

static void write_uart(struct writer *w)
{
	begin(w, "sbsa-uart@22000000");
	put_string(w, "compatible", "arm,sbsa-uart");
	PUT_U64S(w, "reg", GUEST_PL011_BASE, GUEST_PL011_SIZE);
	PUT_CELLS(w, "interrupts", GIC_SPI, GUEST_PL011_INTID - 32,
		  IRQ_LEVEL_HIGH);
	put_u32(w, "current-speed", 115200);
	end(w);
}

/* No alarm, so no interrupt: the binding leaves it out then. */
static void write_rtc(struct writer *w)
{
	begin(w, "apb-pclk");
	put_string(w, "compatible", "fixed-clock");
	put_u32(w, "#clock-cells", 0);
	put_u32(w, "clock-frequency", 24000000);
	put_u32(w, "phandle", PHANDLE_CLOCK);
	end(w);
	begin(w, "rtc@22001000");
	PUT_STRINGS(w, "compatible", "arm,pl031\0arm,primecell");
	put_u32(w, "arm,primecell-periphid", PL031_PERIPHID);
	PUT_U64S(w, "reg", GUEST_PL031_BASE, GUEST_PL031_SIZE);
	put_u32(w, "clocks", PHANDLE_CLOCK);
	put_string(w, "clock-names", "apb_pclk");
	end(w);
}

/* The node names above say the same as layout.h. */
static_assert(GUEST_RAM0_BASE == 0x40000000 && GUEST_GICD_BASE == 0x3001000 &&
		      GUEST_PL011_BASE == 0x22000000 &&
		      GUEST_PL031_BASE == 0x22001000,
	      "unit addresses in node names");

int guestdt_build(void *buf, u64 size, const struct domain *d,
		  const struct describe_guest *g, u64 initrd_ipa)
{
	struct writer w = {.fdt = buf};

	if (gic_version() != 3)
		return -EOPNOTSUPP;
	w.err = fdt_create(buf, (int)size);
	if (!w.err)
		w.err = fdt_finish_reservemap(buf);
	begin(&w, "");
	put_u32(&w, "#address-cells", 2);
	put_u32(&w, "#size-cells", 2);
	put_u32(&w, "interrupt-parent", PHANDLE_GIC);
	write_chosen(&w, g, initrd_ipa);
	write_cpus(&w, d);
	write_memory(&w, d);
	write_gicv3(&w, d);
	write_timer(&w);
	write_psci(&w);
	if (g->vpl011)
		write_uart(&w);
	write_rtc(&w);
	end(&w);
	if (!w.err)
		w.err = fdt_finish(buf);
	return w.err ? -ENOSPC : 0;
}
