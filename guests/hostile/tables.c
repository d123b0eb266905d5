/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-1 tables with random descriptors: a window of addresses, unused by
 * the guest otherwise, is remapped all the time by tables that are good, bad
 * or not in memory at all, and used meanwhile. The upper half (TTBR1_EL1) has
 * its tables where no RAM is.
 */
#include "hostile.h"

#define WINDOW_L1 256ul /* index: 256 GiB, within the 39 bits */
#define WINDOW	  (WINDOW_L1 << 30)
#define UPPER	  0xffffff8000000000ul
#define NR_USES	  64
#define TCR_EPD1  BIT(23)
#define TTBR_ADDR 0xfffffffff000ul
#define DESC_RO	  BIT(7)
#define DESC_XN	  (3ul << 53)

extern char forms[], forms_end[];
void run_form(u64 form, u64 base, u64 data, u64 data2, u64 status, u64 index);

/* One window per vCPU: entries of its own in the common first level. */
static u64 l2[MAX_CPUS][512] __attribute__((aligned(4096)));
static u64 l3[MAX_CPUS][512] __attribute__((aligned(4096)));

static u64 *first_level(void)
{
	return (u64 *)(sysreg_read(ttbr0_el1) & TTBR_ADDR);
}

/*
 * Attributes at random, but this guest's own memory is written by none except
 * scratch, and executed by none except the page of RETs: a page descriptor
 * may also be found one level higher, where it is a table or a large block.
 */
static u64 page(struct me *me)
{
	u64 attr = rnd(me) & 0x0070000000000f5cul;

	switch (below(me, 8)) {
	case 0:
		return plat.gicd | attr | 3;
	case 1:
		return (below(me, 2) ? HOLE : time_page) | attr | 3;
	case 2: /* beyond any address size */
		return (rnd(me) & 0x0000ff8000000000ul) | BIT(40) | attr | 3;
	case 3: /* the tables themselves */
		return (u64)l3[me->cpu] | attr | DESC_RO | DESC_XN | 3;
	case 4: /* reserved: a block at the last level */
		return (u64)me->scratch | attr | DESC_RO | DESC_XN | 1;
	case 5: /* code */
		return (u64)me->code | (attr & ~DESC_XN) | DESC_RO | BIT(10) | 3;
	case 6:
		return rnd(me) & ~1ul;
	default:
		return (u64)me->scratch | attr | DESC_XN | BIT(10) | 3;
	}
}

/* A second-level entry: most often the good table. */
static u64 table(struct me *me)
{
	switch (below(me, 8)) {
	case 0: /* walked into a hole, a device, out of the address space */
		return (below(me, 2) ? HOLE : time_page) | 3;
	case 1:
		return plat.gicd | 3;
	case 2:
		return (rnd(me) & 0x0000fffffffff000ul & ~(BIT(34) - 1)) |
		       0x3000000000ul | 3;
	case 3: /* a block outside of memory */
		return (HOLE & ~(BIT(21) - 1)) | 0x401;
	case 4: /* itself, so that descriptors are data and data descriptors */
		return (u64)l2[me->cpu] | 3;
	default:
		return (u64)l3[me->cpu] | 3;
	}
}

static void forget(void)
{
	asm volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::
			     : "memory");
}

static void jump(u64 to)
{
	((void (*)(void))to)();
}

static u64 in_window(struct me *me)
{
	u64 base = WINDOW + ((u64)me->cpu << 30);

	return base + (below(me, 512) << 21) + (below(me, 512) << 12) +
	       below(me, PAGE);
}

static void use(struct me *me, u64 a)
{
	u64 nr = (u64)(forms_end - forms) / 8;

	if (below(me, 4) == 0)
		attempt(me, jump, a & ~3ul);
	else
		run_form((u64)forms + below(me, nr) * 8, a, INSN_RET, INSN_RET,
			 0, 0);
	me->ops++;
}

/* Walks by TTBR1_EL1 from a table that is not RAM. */
static void upper_half(struct me *me)
{
	u64 tcr = sysreg_read(tcr_el1), a = bad_address(me) & TTBR_ADDR;

	/* T1SZ 25, write-back, inner shareable, 4 KiB (TG1 = 2) */
	sysreg_write(ttbr1_el1, is_ram(a) ? HOLE : a);
	sysreg_write(tcr_el1, (tcr & ~TCR_EPD1) | 25ul << 16 | 1ul << 24 |
				      1ul << 26 | 3ul << 28 | 2ul << 30);
	forget();
	for (unsigned int i = 0; i < 8; i++)
		use(me, UPPER | (rnd(me) & 0x7ffffffffful));
	sysreg_write(tcr_el1, tcr);
	sysreg_write(ttbr1_el1, 0);
	forget();
}

void round_table(struct me *me)
{
	u64 *l1 = first_level();

	for (unsigned int i = 0; i < 512; i++) {
		me->scratch[i] = 0;
		l2[me->cpu][i] = table(me);
		l3[me->cpu][i] = page(me);
		me->code[i] = me->code[512 + i] = INSN_RET;
	}
	code_ready(me, CODE_WORDS);
	l1[WINDOW_L1 + me->cpu] = below(me, 8) ? (u64)l2[me->cpu] | 3
					       : table(me);
	forget();
	for (unsigned int i = 0; i < NR_USES; i++) {
		use(me, in_window(me));
		/* Changed while they may be cached, with and without TLBI. */
		l3[me->cpu][below(me, 512)] = page(me);
		l2[me->cpu][below(me, 512)] = table(me);
		if (below(me, 4) == 0)
			forget();
	}
	upper_half(me);
	l1[WINDOW_L1 + me->cpu] = 0;
	forget();
}
