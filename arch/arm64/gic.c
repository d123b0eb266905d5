/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch/gic.h for both versions: the choice, made once by the host DTB, and the
 * registers of the distributor that both have.
 */
#include "gic_priv.h"

#include <asm/barrier.h>
#include <asm/io.h>
#include <asm/static_branch.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/machine.h>

#define GICD_CTLR_RWP BIT(31) /* GICv3 */
/* Four bits count at least (IHI 0048 3.3): the two are told apart. */
#define PRIO_DEFAULT 0xa0
#define PRIO_EL2     0x80U

struct gic gic = {.lock = SPINLOCK_INIT(RANK_GIC)};

/* Nothing on these paths goes through a pointer, nor asks memory. */
#define EITHER(name, args)                                                     \
	(branch_is_taken() ? gicv2_##name args : gicv3_##name args)
#define DISPATCH(type, name, params, args)                                     \
	type gic_##name params                                                 \
	{                                                                      \
		return EITHER(name, args);                                     \
	}
GIC_OPS(DISPATCH)

unsigned int gic_nr_lrs(void)
{
	return gic.nr_lrs;
}

u32 gic_lrs(void)
{
	return gic.lrs;
}

unsigned int gic_version(void)
{
	return branch_is_taken() ? 2 : 3;
}

/*
 * Off, idle, of one priority: INTIDs from `first` to before `end`. Group 1 in
 * GICv3. Of a GICv2 without Security Extensions group 0 is the one that its
 * Enable bits mean; with them, the firmware's choice stays (IHI 0048 4.3.4).
 */
static void reset_irqs(u64 frame, u32 first, u32 end)
{
	for (u32 i = first; i < end; i += 32) {
		mmio_write32(frame + GICD_IGROUPR + i / 8,
			     branch_is_taken() ? 0 : ~0U);
		mmio_write32(frame + GICD_ICENABLER + i / 8, ~0U);
		mmio_write32(frame + GICD_ICPENDR + i / 8, ~0U);
		mmio_write32(frame + GICD_ICACTIVER + i / 8, ~0U);
	}
	for (u32 i = first; i < end; i += 4)
		mmio_write32(frame + GICD_IPRIORITYR + i,
			     PRIO_DEFAULT * 0x01010101U);
}

/* Private ones of a GICv2 are banked: only the calling CPU's can be reached. */
static u64 frame_of(u32 intid, unsigned int cpu)
{
	return intid < 32 && !branch_is_taken() ? gicv3_sgi_frame(cpu)
						: gic.dist;
}

/*
 * Of one priority the lowest INTID goes first: IPIs that come one after the
 * other would keep EL2's timer from ending a budget or a slice. The timer and
 * the maintenance interrupt of the guest that runs may wait: what keeps them
 * off keeps that guest off, too.
 */
static void prefer_el2_timer(void)
{
	u32 intid = machine.htimer_intid, shift = intid % 4 * 8;

	mmio_write32(frame_of(intid, this_cpu()->id) + GICD_IPRIORITYR +
			     align_down(intid, 4),
		     (PRIO_DEFAULT * 0x01010101U & ~(0xffU << shift)) |
			     PRIO_EL2 << shift);
}

void gic_reset_private(void)
{
	u64 frame = frame_of(0, this_cpu()->id);

	reset_irqs(frame, 0, 32);
	prefer_el2_timer();
	mmio_write32(frame + GICD_ISENABLER, 0xffff);
}

void gic_init(void)
{
	const struct machine_gic *m = &machine.gic;
	u32 lines;

	if (m->version == 2)
		arch_take_branch();
	gic.dist = (u64)mmu_map_device(PADDR(m->dist), m->dist_size);
	lines = 32 * ((mmio_read32(gic.dist + GICD_TYPER) & 31) + 1);
	EITHER(init, ());
	mmio_write32(gic.dist + GICD_CTLR, 0);
	while (!branch_is_taken() &&
	       mmio_read32(gic.dist + GICD_CTLR) & GICD_CTLR_RWP)
		cpu_relax();
	reset_irqs(gic.dist, 32, min(lines, 1020U));
	EITHER(start, ());
}

void gic_init_cpu(void)
{
	gic.nr_lrs = EITHER(init_cpu, ());
	gic.lrs = (u32)BITS(gic.nr_lrs - 1, 0);
	EITHER(write_hcr, (0));
	for (unsigned int i = 0; i < gic.nr_lrs; i++)
		gic_lr_clear(i);
	isb();
}

void gic_activate(u32 intid)
{
	u64 reg = frame_of(intid, this_cpu()->id) + GICD_ISACTIVER;

	mmio_write32(reg, 1U << intid);
	/*
	 * Done before the caller lets the line rise. The write is posted (nGnRE);
	 * what is read back comes after it, and the barrier waits for that.
	 */
	(void)mmio_read32(reg);
	dsb(sy);
}

void gic_enable(u32 intid, unsigned int cpu, bool level)
{
	u64 frame = frame_of(intid, cpu);
	u64 cfg = frame + GICD_ICFGR + intid / 16 * 4;
	u32 bit = 2U << intid % 16 * 2;
	u32 val;

	spin_lock(&gic.lock);
	val = mmio_read32(cfg);
	mmio_write32(cfg, level ? val & ~bit : val | bit);
	if (intid >= 32)
		EITHER(route, (intid, cpu));
	mmio_write32(frame + GICD_ISENABLER + intid / 32 * 4, 1U << intid % 32);
	spin_unlock(&gic.lock);
}

void gic_disable(u32 intid)
{
	u64 frame = frame_of(intid, this_cpu()->id);

	mmio_write32(frame + GICD_ICENABLER + intid / 32 * 4, 1U << intid % 32);
}

void gic_set_waiting(bool some, bool active)
{
	/* Ends not yet taken are kept. */
	u32 hcr = EITHER(read_hcr, ()) & HCR_EOICOUNT;

	EITHER(write_hcr, (hcr | HCR_EN | (some ? HCR_UIE : 0) |
			   (active ? HCR_LRENPIE : 0)));
}

unsigned int gic_take_eois(void)
{
	u32 hcr = EITHER(read_hcr, ());

	if (likely(!(hcr & HCR_EOICOUNT)))
		return 0;
	EITHER(write_hcr, (hcr & ~HCR_EOICOUNT));
	return (unsigned int)field_get(HCR_EOICOUNT, hcr);
}
