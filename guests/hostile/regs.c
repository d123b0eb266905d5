/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random accesses over the whole space of system registers and system
 * instructions, by code made at run time; cache maintenance by set and way
 * and TLB maintenance without end.
 */
#include "hostile.h"

#define NR_REGS	   64
#define NR_CACHE   32
#define NR_REPEATS 16 /* of the same code with other values */
#define INSN_MRS   0xd5200000u
#define INSN_MSR   0xd5000000u
#define INSN_ISB   0xd5033fdfu
#define CRN(enc)   ((enc) >> 7 & 15)
#define X_OLD	   9
#define X_RESULT   10
#define X_SCRATCH  2

/* As in an ISS: op0, op1, CRn, CRm, op2. */
#define ENC(op0, op1, crn, crm, op2)                                           \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

void cache_off_on(void);

/*
 * Not written with random values, as this guest would be its only victim: its
 * next instruction, or its next exception, would find no memory or no stack.
 * All others get their old value back, where it can be read, after each write.
 */
static const u16 own[] = {
	ENC(3, 0, 1, 0, 0),  /* SCTLR_EL1: byte order, WXN, alignment */
	ENC(3, 0, 2, 0, 0),  /* TTBR0_EL1 */
	ENC(3, 0, 2, 0, 2),  /* TCR_EL1 */
	ENC(3, 0, 10, 2, 0), /* MAIR_EL1: locks need cacheable memory */
	ENC(3, 0, 12, 0, 0), /* VBAR_EL1 */
	ENC(3, 0, 13, 0, 4), /* TPIDR_EL1: where struct me is found */
	/*
	 * Not for its own sake: QEMU 10 keeps three bits of what is written,
	 * after it has checked more, and then asserts that they are not 0.
	 */
	ENC(3, 0, 12, 12, 3), /* ICC_BPR1_EL1 */
};

static bool is_own(u32 enc)
{
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] == enc)
			return true;
	return false;
}

/* op0 to op2 of an instruction, from the form above. */
static u32 fields(u32 enc)
{
	return enc << 5;
}

/* A register: read, written, read, and what it held written back. */
static u32 *make_register(struct me *me, u32 *p, u32 enc)
{
	*p++ = INSN_MRS | fields(enc) | X_OLD;
	if (is_own(enc))
		return p;
	*p++ = INSN_MSR | fields(enc) | (u32)(3 + below(me, 5)); /* x3 to x7 */
	*p++ = INSN_ISB;
	*p++ = INSN_MRS | fields(enc) | X_RESULT;
	*p++ = INSN_MSR | fields(enc) | X_OLD;
	*p++ = INSN_ISB;
	return p;
}

/*
 * A system instruction. Those by address (CRn 7) get one of the scratch page:
 * DC ZVA and DC IVAC would destroy this guest's own memory elsewhere.
 */
static u32 *make_instruction(struct me *me, u32 *p, u32 enc)
{
	if (below(me, 4) == 0)
		*p++ = INSN_MRS | fields(enc) | X_RESULT; /* SYSL */
	else
		*p++ = INSN_MSR | fields(enc) |
		       (CRN(enc) == 7 ? X_SCRATCH : (u32)(3 + below(me, 5)));
	return p;
}

/*
 * op0 is 1, 2 or 3. op0 = 0 has no registers: MSR (immediate), barriers and
 * hints, of which WFI with all masked would sleep for good.
 */
void round_sysreg(struct me *me)
{
	u32 *p = me->code;
	u64 args[18] = {0};

	for (unsigned int i = 0; i < NR_REGS; i++) {
		u32 enc = (u32)below(me, 1u << 14);

		if (below(me, 4) == 0)
			p = make_instruction(me, p, enc | 1u << 14);
		else
			p = make_register(me, p,
					  enc | 2u << 14 |
						  (u32)below(me, 2) << 14);
		me->ops++;
	}
	*p++ = INSN_RET;
	code_ready(me, (unsigned int)(p - me->code));
	for (unsigned int i = 0; i < NR_REPEATS; i++) {
		args[X_SCRATCH] = (u64)me->scratch + below(me, PAGE);
		for (unsigned int x = 3; x < 8; x++)
			args[x] = bad_value(me);
		call_stub((u64)me->code, args);
		me->ops += NR_REGS;
	}
}

#define OP(insn) asm volatile(insn ", %0" ::"r"(v) : "memory")

static void maintain(u64 which, u64 v)
{
	switch (which) {
	case 0:
		OP("dc isw");
		break;
	case 1:
		OP("dc csw");
		break;
	case 2:
		OP("dc cisw");
		break;
	case 3:
		OP("tlbi vae1is");
		break;
	case 4:
		OP("tlbi aside1is");
		break;
	case 5:
		OP("tlbi vaale1is");
		break;
	case 6:
		asm volatile("tlbi vmalle1is" ::: "memory");
		break;
	case 7:
		asm volatile("ic ialluis" ::: "memory");
		break;
	case 8: /* of EL2, undefined: TLBI IPAS2E1IS, ALLE1IS, ALLE2 */
		OP("sys #4, c8, c0, #1");
		break;
	case 9:
		asm volatile("sys #4, c8, c3, #4" ::: "memory");
		break;
	case 10:
		asm volatile("sys #4, c8, c7, #0" ::: "memory");
		break;
	default:
		asm volatile("dsb sy\n\tisb" ::: "memory");
	}
}

void round_cache(struct me *me)
{
	/* The next operation by set and way does all its work again. */
	if (below(me, 4) == 0)
		cache_off_on();
	for (unsigned int i = 0; i < NR_CACHE; i++) {
		maintain(below(me, 12), bad_value(me));
		me->ops++;
	}
	maintain(8, 0);
	dsb();
	isb();
}
