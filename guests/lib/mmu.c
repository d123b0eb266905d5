/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An identity map of 39 bits: RAM write-back cacheable, all else device
 * memory that is not executed. 1 GiB blocks, 2 MiB blocks where RAM does not
 * fill a gigabyte. No page permissions and no unmapping.
 */
#include "guest.h"

#define GIB	   (1ul << 30)
#define BLK	   (2ul << 20)
#define NR_L2	   8
#define DESC_BLOCK 1ul
#define DESC_TABLE 3ul
#define DESC_AF	   BIT(10)
#define DESC_ISH   (3ul << 8)
#define DESC_XN	   (3ul << 53)
#define ATTR(n)	   ((u64)(n) << 2)
#define RAM_BLOCK  (DESC_BLOCK | DESC_AF | DESC_ISH | ATTR(0))
#define DEV_BLOCK  (DESC_BLOCK | DESC_AF | DESC_XN | ATTR(1))
#define MAIR	   0x04fful /* 0: normal write-back, 1: device nGnRE */

static u64 l1[512] __attribute__((aligned(4096)));
static u64 l2[NR_L2][512] __attribute__((aligned(4096)));

/* How many of the bytes are RAM. */
static u64 ram_in(u64 base, u64 size)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < plat.nr_mem; i++) {
		u64 lo = plat.mem[i].base, hi = lo + plat.mem[i].size;

		lo = lo > base ? lo : base;
		hi = hi < base + size ? hi : base + size;
		if (lo < hi)
			sum += hi - lo;
	}
	return sum;
}

void mmu_init(void)
{
	unsigned int used = 0;

	for (u64 i = 0; i < 512; i++) {
		u64 ram = ram_in(i * GIB, GIB);

		l1[i] = i * GIB | (ram == GIB ? RAM_BLOCK : DEV_BLOCK);
		if (!ram || ram == GIB || used == NR_L2)
			continue;
		for (u64 j = 0; j < 512; j++) {
			u64 pa = i * GIB + j * BLK;

			l2[used][j] = pa |
				      (ram_in(pa, BLK) ? RAM_BLOCK : DEV_BLOCK);
		}
		l1[i] = (u64)l2[used++] | DESC_TABLE;
	}
	/* Written uncached, but stale clean lines may shadow the tables. */
	cache_clean(l1, sizeof(l1));
	cache_clean(l2, sizeof(l2));
}

void mmu_on(void)
{
	u64 ips = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	asm volatile("tlbi vmalle1\n\tic iallu\n\tdsb nsh\n\tisb" ::: "memory");
	sysreg_write(mair_el1, MAIR);
	/* T0SZ 25; inner and outer write-back; inner shareable; EPD1. */
	sysreg_write(tcr_el1, 25 | 1ul << 8 | 1ul << 10 | 3ul << 12 |
				      1ul << 23 | (ips > 5 ? 5 : ips) << 32);
	sysreg_write(ttbr0_el1, l1);
	isb();
	/* M, C, I */
	sysreg_write(sctlr_el1,
		     sysreg_read(sctlr_el1) | BIT(0) | BIT(2) | BIT(12));
	isb();
}

void cache_clean(const void *p, size_t size)
{
	u64 line = 4ul << (sysreg_read(ctr_el0) >> 16 & 0xf);

	for (u64 a = (u64)p & ~(line - 1); a < (u64)p + size; a += line)
		asm volatile("dc civac, %0" ::"r"(a) : "memory");
	dsb();
}

void mmu_allow_exec(u64 addr)
{
	l1[addr / GIB] &= ~DESC_XN;
	cache_clean(&l1[addr / GIB], 8);
	asm volatile("tlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
}
