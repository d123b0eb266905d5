/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's stage 1: direct map of hypervisor memory, devices, guarded stacks and
 * the per-CPU windows. Table pages come from a reserve that is refilled from
 * hypervisor memory before it can run out, since mapping needs tables itself.
 */
#include <skerry/arch/mmu.h>

#include "arch_priv.h"
#include "early_priv.h"

#include <asm/barrier.h>
#include <asm/pte.h>
#include <asm/sysreg.h>
#include <skerry/arch/pgtable.h>
#include <skerry/cpu.h>
#include <skerry/page.h>
#include <skerry/panic.h>
#include <skerry/sections.h>
#include <skerry/spinlock.h>

#define RESERVE_BOOT 20
#define RESERVE_LOW  6
#define RESERVE_MAX  16

static u64 boot_tables[RESERVE_BOOT][512]
	__attribute__((section(".bss.page_aligned"), aligned(PAGE_SIZE)));

static struct {
	struct spinlock lock; /* RANK_MMU: tables, reserve */
	struct pgtable pt;
	paddr_t image;
	u64 *reserve[RESERVE_BOOT + RESERVE_MAX];
	unsigned int nr_reserve;
	bool refilling;
	u64 next_device;   /* boot only */
	u64 *window_l2[2]; /* the L2 table of each slot, indexed by CPU */
} mmu = {
	.lock = SPINLOCK_INIT(RANK_MMU),
	.next_device = EL2_DEVICE_BASE,
};

static bool in_image(u64 va)
{
	return va >= EL2_IMAGE_BASE && va < EL2_IMAGE_BASE + FRAME_SIZE;
}

paddr_t image_pa(const void *sym)
{
	return PADDR((u64)sym - EL2_IMAGE_BASE + mmu.image.v);
}

/* The reserve is zero: from .bss, from page_alloc_hyp(), or given back so. */
static u64 *table_alloc(struct pgtable *pt __unused)
{
	return mmu.nr_reserve ? mmu.reserve[--mmu.nr_reserve] : NULL;
}

static void table_free(struct pgtable *pt __unused, u64 *table)
{
	if (mmu.nr_reserve < ARRAY_SIZE(mmu.reserve))
		mmu.reserve[mmu.nr_reserve++] = table;
}

static u64 *table_virt(struct pgtable *pt __unused, u64 pa)
{
	if (pa - mmu.image.v < FRAME_SIZE && pa < image_pa(image_end).v)
		return (u64 *)(pa - mmu.image.v + EL2_IMAGE_BASE);
	return direct_ptr(PADDR(pa));
}

static u64 table_phys(struct pgtable *pt __unused, const u64 *table)
{
	return in_image((u64)table) ? image_pa(table).v : direct_pa(table).v;
}

static void tlb_flush(struct pgtable *pt __unused, u64 va, u64 size)
{
	/* Partner: the stores of the caller, seen by all walkers before. */
	dsb(ishst);
	if (size > 64 * PAGE_SIZE) {
		__asm__ volatile("tlbi alle2is" ::: "memory");
	} else {
		for (u64 a = va; a < va + size; a += PAGE_SIZE)
			__asm__ volatile("tlbi vae2is, %0" ::"r"(a >> 12)
					 : "memory");
	}
	dsb(ish);
	/* A76 CVE-2025-10263, A55 2441007: broadcast once more. */
	__asm__ volatile("tlbi vale2is, xzr" ::: "memory");
	dsb(ish);
	isb();
}

static const struct pgtable_ops ops = {
	.alloc = table_alloc,
	.free = table_free,
	.to_virt = table_virt,
	.to_phys = table_phys,
	.flush = tlb_flush,
};

static void copy_root(void)
{
	/* All but the one-to-one entry, which only boot_root has. */
	for (unsigned int i = EL2_DIRECT_BASE >> 39; i < 512; i++)
		if (el2_root[i])
			boot_root[i] = el2_root[i];
	dsb(ishst);
}

/* Create the window tables by mapping and unmapping a page in each slot. */
static void windows_init(void)
{
	for (unsigned int slot = 0; slot < 2; slot++) {
		u64 *l1 = table_alloc(NULL), *l2 = table_alloc(NULL);
		unsigned int i = (EL2_WINDOW_BASE >> 39 & 511) + slot;

		check(l1 && l2);
		l1[0] = table_phys(NULL, l2) | PTE_VALID | PTE_TABLE;
		store_release(&el2_root[i],
			      table_phys(NULL, l1) | PTE_VALID | PTE_TABLE);
		mmu.window_l2[slot] = l2;
	}
	dsb(ishst);
	isb();
}

void mmu_boot(paddr_t image)
{
	mmu.image = image;
}

void mmu_init(void)
{
	for (unsigned int i = 0; i < RESERVE_BOOT; i++)
		mmu.reserve[mmu.nr_reserve++] = boot_tables[i];
	mmu.pt = (struct pgtable){.ops = &ops,
				  .root = el2_root,
				  .start_level = 0,
				  .va_bits = 48};
	windows_init();
	copy_root();
	mmu_switch_root();
}

paddr_t mmu_boot_root(void)
{
	copy_root();
	return image_pa(boot_root);
}

void mmu_switch_root(void)
{
	sysreg_write(ttbr0_el2, image_pa(el2_root).v);
	isb();
	/* Forget the one-to-one map. */
	__asm__ volatile("tlbi alle2" ::: "memory");
	dsb(nsh);
	isb();
}

/* Fill the reserve while there is still enough to map what fills it. */
static void refill(void)
{
	if (mmu.nr_reserve >= RESERVE_LOW || mmu.refilling)
		return;
	mmu.refilling = true;
	while (mmu.nr_reserve < RESERVE_LOW + 2) {
		u64 *table = page_alloc_hyp(PAGE_SIZE);

		if (!table)
			break;
		table_free(NULL, table);
	}
	mmu.refilling = false;
}

static int map(u64 va, u64 pa, u64 size, unsigned int flags)
{
	int err;

	refill();
	spin_lock(&mmu.lock);
	err = pgtable_map(&mmu.pt, va, pa, size, PGT_R | PGT_W | flags);
	spin_unlock(&mmu.lock);
	return err;
}

int mmu_map_direct(paddr_t pa, u64 size)
{
	return map(EL2_DIRECT_BASE + pa.v, pa.v, size, 0);
}

void mmu_unmap_direct(paddr_t pa, u64 size)
{
	spin_lock(&mmu.lock);
	check(!pgtable_unmap(&mmu.pt, EL2_DIRECT_BASE + pa.v, size));
	spin_unlock(&mmu.lock);
}

void *mmu_map_device(paddr_t pa, u64 size)
{
	u64 offset = pa.v & (PAGE_SIZE - 1), va = mmu.next_device;

	size = align_up(size + offset, PAGE_SIZE);
	if (map(va, pa.v - offset, size, PGT_DEVICE))
		panic("no tables to map the device at %#lx", pa.v);
	/* One page between devices, so that an overrun faults. */
	mmu.next_device += size + PAGE_SIZE;
	return (void *)(va + offset);
}

u64 mmu_alloc_stack(unsigned int cpu)
{
	u64 va = EL2_STACK_BASE + cpu * (u64)EL2_STACK_STRIDE + PAGE_SIZE;
	paddr_t pa;

	if (page_alloc(EL2_STACK_SIZE, PAGE_SIZE, ~0UL, PAGE_HYP,
		       PAGE_OWNER_NONE, &pa))
		panic("no memory for the stack of CPU %u", cpu);
	if (map(va, pa.v, EL2_STACK_SIZE, 0))
		panic("no tables for the stack of CPU %u", cpu);
	return va + EL2_STACK_SIZE;
}

/*
 * The window of a CPU is a 2 MiB block that only this CPU uses, so local TLB
 * maintenance is enough.
 */
static u64 window_va(unsigned int slot)
{
	return EL2_WINDOW_BASE + ((u64)slot << 39) + this_cpu()->id * FRAME_SIZE;
}

static void window_set(unsigned int slot, u64 pte)
{
	u64 va = window_va(slot);

	WRITE_ONCE(mmu.window_l2[slot][this_cpu()->id], 0UL);
	dsb(nshst);
	__asm__ volatile("tlbi vae2, %0" ::"r"(va >> 12) : "memory");
	dsb(nsh);
	if (pte)
		WRITE_ONCE(mmu.window_l2[slot][this_cpu()->id], pte);
	/* The walker's next look-up sees it. */
	dsb(nshst);
	isb();
}

void *mmu_window(unsigned int slot, paddr_t pa)
{
	u64 frame = align_down(pa.v, FRAME_SIZE);

	window_set(slot, frame | PTE_VALID | PTE_AF | PTE_SH_INNER |
				 PTE_S1_RES1 | PTE_XN);
	return (void *)(window_va(slot) + (pa.v - frame));
}

void mmu_window_close(unsigned int slot)
{
	window_set(slot, 0);
}
