/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's own address space. Mapped are the image, devices that EL2 drives,
 * memory in PAGE_HYP through a direct map, and two windows per CPU through
 * which EL2 reaches one guest page or one 2 MiB frame at a time.
 */
#pragma once

#include <skerry/arch/layout.h>
#include <skerry/util.h>

static inline void *direct_ptr(paddr_t pa)
{
	return (void *)(EL2_DIRECT_BASE + pa.v);
}
static inline paddr_t direct_pa(const void *p)
{
	return PADDR((u64)p - EL2_DIRECT_BASE);
}
/* Of a symbol of the image. */
paddr_t image_pa(const void *sym);

/* Where the image was loaded; before anything else of this header. */
void mmu_boot(paddr_t image);
/* Boot CPU, once, before page_init(): may map, with a reserve of tables. */
void mmu_init(void);
/* Guarded stack of a CPU; its top. Boot only. */
u64 mmu_alloc_stack(unsigned int cpu);
/* Add or remove hypervisor memory in the direct map. */
int mmu_map_direct(paddr_t pa, u64 size) __must_check;
void mmu_unmap_direct(paddr_t pa, u64 size);
/* Device registers, page granular; panics when out of space (boot only). */
void *mmu_map_device(paddr_t pa, u64 size);

/*
 * The calling CPU's 2 MiB window onto the frame that holds `pa`, valid until
 * its next use on this CPU. Returns the address of `pa` itself. Slot 0 is for
 * whoever has interrupts masked until it is closed again; slot 1 is the EL2
 * worker's alone, which may be preempted with it open.
 */
void *mmu_window(unsigned int slot, paddr_t pa);
void mmu_window_close(unsigned int slot);
