/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 2 of a domain: the shared walker with tables from the domain's pool,
 * TLB maintenance by VMID, and cache maintenance by set/way made safe.
 */
#include <skerry/arch/stage2.h>

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/arch/cache.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/mmu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/pool.h>
#include <skerry/work.h>

#define VTCR_RES1  BIT(31)
#define VTCR_WB_IS 0x3500UL   /* SH0 inner, ORGN0 and IRGN0 write-back */
#define VTCR_SL0_1 BIT(6)     /* start at level 1 */
#define FLUSH_STEP (64 * KIB) /* of one trap, with interrupts masked */

unsigned int stage2_ipa_bits(void)
{
	static const u8 bits[] = {32, 36, 40}; /* more: 40 */

	return bits[min(sysreg_read(id_aa64mmfr0_el1) & 15, 2UL)];
}

void stage2_init_cpu(void)
{
	u64 ps = min(sysreg_read(id_aa64mmfr0_el1) & 15, 5UL);

	sysreg_write(vtcr_el2, VTCR_RES1 | VTCR_WB_IS | VTCR_SL0_1 | ps << 16 |
				       (64 - stage2_ipa_bits()));
	isb();
	/* The reset value's root would be whatever is at address 0. */
	stage2_leave();
}

static struct pool *pool_of(struct pgtable *pt)
{
	return container_of(pt, struct stage2, pt)->pool;
}

static u64 *table_alloc(struct pgtable *pt)
{
	return pool_alloc_page(pool_of(pt));
}

static void table_free(struct pgtable *pt, u64 *table)
{
	pool_free_page(pool_of(pt), table);
}

static u64 *table_virt(struct pgtable *pt __unused, u64 pa)
{
	return direct_ptr(PADDR(pa));
}

static u64 table_phys(struct pgtable *pt __unused, const u64 *table)
{
	return direct_pa(table).v;
}

/* All translations of this VMID, stage 1 included, on all CPUs. */
static void flush_vmid(u64 vttbr)
{
	u64 old = sysreg_read(vttbr_el2);

	/* Partner: the table stores, seen by all walkers before the TLBI. */
	dsb(ishst);
	sysreg_write(vttbr_el2, vttbr);
	isb();
	__asm__ volatile("tlbi vmalls12e1is" ::: "memory");
	dsb(ish);
	/* A76 CVE-2025-10263, A55 2441007: broadcast once more. */
	__asm__ volatile("tlbi vale2is, xzr" ::: "memory");
	dsb(ish);
	sysreg_write(vttbr_el2, old);
	isb();
}

static void tlb_flush(struct pgtable *pt, u64 va __unused, u64 size __unused)
{
	flush_vmid(container_of(pt, struct stage2, pt)->vttbr);
}

static const struct pgtable_ops ops = {
	.alloc = table_alloc,
	.free = table_free,
	.to_virt = table_virt,
	.to_phys = table_phys,
	.flush = tlb_flush,
};

int stage2_init(struct stage2 *s2, struct pool *pool, u8 vmid)
{
	unsigned int bits = stage2_ipa_bits();
	/* With 40 bits two tables in a row, aligned as one. */
	u64 size = bits == 40 ? 2 * PAGE_SIZE : PAGE_SIZE;
	u64 *root = pool_alloc(pool, size, size);

	if (!root)
		return -ENOMEM;
	s2->pool = pool;
	s2->vttbr = direct_pa(root).v | (u64)vmid << 48;
	s2->pt = (struct pgtable){
		.ops = &ops,
		.root = root,
		.start_level = 1,
		.va_bits = (u8)bits,
		.stage2 = true,
	};
	/* An earlier domain of this VMID may have left translations. */
	flush_vmid(s2->vttbr);
	return 0;
}

void stage2_exit(struct stage2 *s2)
{
	bool preempt;

	if (!s2->pt.root)
		return;
	flush_vmid(s2->vttbr);
	/* Nobody else has its tables, nor its pool. */
	preempt = work_preempt(true);
	pgtable_destroy(&s2->pt);
	work_preempt(preempt);
	s2->pt.root = NULL;
}

/* VMID 0 is nobody's: nothing is mapped. Two tables, as 40 bits have them. */
static u64 nobody[2 * PAGE_SIZE / sizeof(u64)]
	__attribute__((section(".bss.page_aligned"), aligned(2 * PAGE_SIZE)));

void stage2_leave(void)
{
	/*
	 * EL1's registers are still the last vCPU's: no walk may mix them with
	 * the other stage 2 (A53 1530924, A72 1319367). The next vCPU brings
	 * its TCR_EL1.
	 */
	sysreg_write(tcr_el1, TCR_EPD0 | TCR_EPD1);
	isb();
	sysreg_write(sctlr_el1, SCTLR_EL1_RESET | SCTLR_M);
	isb();
	sysreg_write(vttbr_el2, image_pa(nobody).v);
	isb();
}

/* The CPU interface of a GICv2 is the hardware's own; the rest is vgic/'s. */
static int map_gicv(struct domain *d)
{
	int err = 0;

	for (unsigned int n = 0; !err && gic_version() == 2 && n < 2; n++)
		err = stage2_map(&d->s2, IPA(GUEST_GICC_BASE + n * PAGE_SIZE),
				 gic_guest_frame(n), PAGE_SIZE,
				 PGT_R | PGT_W | PGT_DEVICE);
	return err;
}

static int domain_init(struct domain *d, const struct describe_guest *g __unused)
{
	return stage2_init(&d->s2, &d->pool, (u8)d->id) ?: map_gicv(d);
}

static void domain_exit(struct domain *d)
{
	stage2_exit(&d->s2);
}

const struct domain_part stage2_part = {
	.domain_init = domain_init,
	.domain_exit = domain_exit,
};

int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	return pgtable_map(&s2->pt, ipa.v, pa.v, size, flags);
}

int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	return pgtable_lookup(&s2->pt, ipa.v, leaf);
}

/*
 * Set/way operations reach only the CPU's own caches and no system cache, so
 * they cannot do what the guest wants (Arm ARM D7.5.9.5). The first one starts
 * a flush by VA of all RAM; until the guest switches its caches the following
 * ones have nothing left to do.
 */
bool stage2_flush_step(struct vcpu *v)
{
	struct domain *d = v->domain;
	u64 skip = v->flush_pos;

	if (v->flush_done)
		return true;
	for (unsigned int i = 0; i < d->home.nr_ram; i++) {
		u64 n, pa;

		if (skip >= d->home.ram[i].size) {
			skip -= d->home.ram[i].size;
			continue;
		}
		pa = d->home.ram[i].pa.v + skip;
		n = min(d->home.ram[i].size - skip,
			FLUSH_STEP - (pa & (FLUSH_STEP - 1)));
		cache_clean_inval(mmu_window(0, PADDR(pa)), n);
		mmu_window_close(0);
		v->flush_pos += n;
		return false;
	}
	v->flush_pos = 0;
	v->flush_done = true;
	/* See the next switch of the caches; earlier ones may not have been. */
	v->caches_on = (sysreg_read(sctlr_el1) & (SCTLR_M | SCTLR_C)) ==
		       (SCTLR_M | SCTLR_C);
	sysreg_write(hcr_el2, sysreg_read(hcr_el2) | HCR_TVM);
	return true;
}

void stage2_cache_toggle(struct vcpu *v, bool on)
{
	if (on == v->caches_on)
		return;
	v->caches_on = on;
	v->flush_done = false;
	if (on)
		sysreg_write(hcr_el2, sysreg_read(hcr_el2) & ~HCR_TVM);
}
