/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads, stores and cache operations of every form where a guest has no
 * business; jumps to where there is no code; and code of random words at EL0,
 * in AArch64 and, where the CPU has it, AArch32.
 */
#include "hostile.h"

#define FORM_SIZE   8
#define NR_ACCESSES 64
#define NR_JUMPS    16
#define NR_DROPS    256
#define NR_STARTS   64 /* in the page; new code is slow in an emulator */

#define SPSR_DAIF     0x3c0ul
#define SPSR_EL1H     0x5ul
#define SPSR_EL1T     0x4ul
#define SPSR_AARCH32  0x10ul
#define SPSR_NO_IRQ   0x80ul
#define SPSR_T32      0x20ul
#define SPSR_ENDIAN32 0x200ul

/* Before an endless loop, or a slide through zeros (A32: NOPs), ends. */
#define USER_US 2

extern char forms[], forms_end[];
void run_form(u64 form, u64 base, u64 data, u64 data2, u64 status, u64 index);
void leave(u64 pc, u64 spsr, u64 sp) __attribute__((noreturn));

void round_access(struct me *me)
{
	u64 nr = (u64)(forms_end - forms) / FORM_SIZE;

	for (unsigned int i = 0; i < NR_ACCESSES; i++) {
		u64 form = (u64)forms + below(me, nr) * FORM_SIZE;
		u64 base;

		/* What goes well, unaligned and across pages, now and then. */
		if (below(me, 8))
			base = bad_address(me);
		else
			base = (u64)me->scratch + PAGE - below(me, 64);
		run_form(form, base, bad_value(me), bad_value(me), 0,
			 below(me, 8));
		me->ops++;
	}
}

/* --- jumps --------------------------------------------------------------- */

static void jump(u64 to)
{
	((void (*)(void))to)();
}

/* ERET to what is no state of EL1: EL2, EL3, reserved, AArch32's modes. */
static void illegal(u64 mode)
{
	leave((u64)myself()->code, SPSR_DAIF | mode, 0);
}

/* Undefined at EL1t, with a stack pointer that is none. */
static void bad_stack(u64 sp)
{
	leave((u64)myself()->scratch, SPSR_DAIF | SPSR_EL1T, sp);
}

static void breakpoint(u64 arg)
{
	(void)arg;
	asm volatile("brk #0xbad" ::: "memory");
}

void round_jump(struct me *me)
{
	static const u8 modes[] = {0x1, 0x2, 0x6,  0x8,	 0x9,  0xc,
				   0xd, 0xf, 0x12, 0x13, 0x1a, 0x1f};
	u64 code = (u64)me->code;

	mmu_allow_exec(HOLE); /* and all devices: same gigabyte */
	me->scratch[0] = 0;
	me->code[0] = me->code[1] = INSN_RET;
	code_ready(me, 2);
	for (unsigned int i = 0; i < NR_JUMPS; i++) {
		switch (i % 8) {
		case 0:
			attempt(me, jump,
				(below(me, 2) ? HOLE : time_page) +
					below(me, PAGE / 4) * 4);
			break;
		case 1:
			attempt(me, jump, plat.gicd + below(me, 0x4000) * 4);
			break;
		case 2:
			attempt(me, jump, code + 1 + below(me, 3));
			break;
		case 3:
			attempt(me, jump, bad_address(me));
			break;
		case 4:
			attempt(me, jump, (u64)me->scratch);
			break;
		case 5:
			attempt(me, breakpoint, 0);
			break;
		case 6:
			attempt(me, illegal,
				modes[below(me, ARRAY_SIZE(modes))]);
			break;
		default:
			attempt(me, bad_stack, bad_value(me));
		}
		me->ops++;
	}
}

/* --- EL0 ----------------------------------------------------------------- */

/* The guest's map lets EL0 execute all RAM, and read and write none of it. */
static u32 word(struct me *me)
{
	static const u32 some[] = {
		0xd4000001, /* svc #0 */
		0xd4000002, /* hvc #0 */
		0xd4000003, /* smc #0 */
		0xd503205f, /* wfe */
		0xd503207f, /* wfi */
		0xd503203f, /* yield */
		0xf9400000, /* ldr x0, [x0] */
		0xf9000020, /* str x0, [x1] */
		0xd50b7420, /* dc zva, x0 */
		0xd53be040, /* mrs x0, cntvct_el0 */
		0xd53be220, /* mrs x0, cntp_ctl_el0 */
		0xd51be220, /* msr cntp_ctl_el0, x0 */
		0xd5380000, /* mrs x0, midr_el1 */
		0xd61f0000, /* br x0 */
		0x14000000, /* b . */
		0xd5033fdf, /* isb */
		0xef000000, /* A32: svc #0 */
		0xe320f003, /* A32: wfi */
		0xe320f002, /* A32: wfe */
		0x0320f003, /* A32: wfieq */
		0xee1d0f70, /* A32: mrc p15, 0, r0, c13, c0, 3 */
		0xee1f0f1e, /* A32: mrc p15, 0, r0, c15, c14, 0 */
		0xec510f1e, /* A32: mrrc p15, 1, r0, r1, c14 */
		0xee0e0f11, /* A32: mcr p14, 0, r0, c14, c1, 0 */
		0xeef10a10, /* A32: vmrs r0, fpscr */
		0xe1600070, /* A32: smc #0 */
		0xbf30df00, /* T32: svc; wfi */
	};

	return below(me, 2) ? (u32)rnd(me) : some[below(me, ARRAY_SIZE(some))];
}

void timer_over(struct me *me, bool fiq)
{
	u32 iar = gic_ack();

	(void)me;
	(void)fiq;
	timer_stop();
	if (gic_intid(iar) < 1020)
		gic_eoi(iar);
}

static void drop(u64 spsr)
{
	struct me *me = myself();
	u64 pc = (u64)me->code + below(me, NR_STARTS) * (PAGE / NR_STARTS);

	pc += spsr & SPSR_T32 ? 2 : 0;
	timer_set(now() + USER_US * ticks_per_us());
	leave(pc, spsr, bad_value(me));
}

static void sure(u64 pc)
{
	leave(pc, SPSR_DAIF, 0);
}

void round_user(struct me *me)
{
	bool has32 = (sysreg_read(id_aa64pfr0_el1) & 0xf) == 2;

	me->irq = timer_over;
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	if (me->rounds % 64 == 0) {
		for (unsigned int i = 0; i < CODE_WORDS; i++)
			me->code[i] = word(me);
		code_ready(me, CODE_WORDS);
	}
	for (unsigned int i = 0; i < NR_DROPS; i++) {
		u64 spsr = SPSR_DAIF & ~SPSR_NO_IRQ;

		if (has32 && below(me, 2)) {
			spsr &= ~SPSR_ENDIAN32;
			spsr |= SPSR_AARCH32;
			spsr |= rnd(me) & (SPSR_T32 | SPSR_ENDIAN32);
		}
		attempt(me, drop, spsr);
		me->ops++;
	}
	/* What random words may never bring. */
	me->code[0] = 0xd4000001;
	me->code[1] = 0xf9400000;
	me->code[2] = 0;
	code_ready(me, 3);
	timer_stop();
	attempt(me, sure, (u64)me->code);
	attempt(me, sure, (u64)(me->code + 1));
	attempt(me, sure, HOLE);
	attempt(me, sure, (u64)(me->code + 2));
}
