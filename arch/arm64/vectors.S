/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2 exception vectors and the way back into guests. While a vCPU runs,
 * SP_EL2 is its address, so registers are stored straight into it. HVC, SMC
 * and interrupts take the short entry (caller-saved registers; C keeps the
 * rest, x18 is not used at EL2); everything else saves all. C returns the
 * vCPU to run next: the same one in the fast case.
 */
#include <offsets.h>

	.altmacro
	.macro	pair, op, kind, size, base, a, b
	\op	\kind\a, \kind\b, [\base, #\size * \a]
	.endm
	/* Registers `first` to `last`, in pairs, each at `size` times its number. */
	.macro	pairs, op, kind, size, base, first, last
	pair	\op, \kind, \size, \base, \first, %(\first + 1)
	.if	\last - \first > 1
	pairs	\op, \kind, \size, \base, %(\first + 2), \last
	.endif
	.endm

	/* x0 = vCPU, SP = this CPU's stack */
	.macro	to_stack
	mov	x0, sp
	mrs	x9, tpidr_el2
	ldr	x9, [x9, #CPU_STACK_TOP]
	mov	sp, x9
	.endm

	/* To `label` when x0 is not the current vCPU, which x10 is then. */
	.macro	b_if_other, label
	mrs	x9, tpidr_el2
	ldr	x10, [x9, #CPU_CURRENT]
	cmp	x0, x10
	b.ne	\label
	.endm

	/* Straight-line speculation past eret (no FEAT_SB on our cores). */
	.macro	leave
	eret
	dsb	nsh
	isb
	.endm

	.macro	short_entry, fn
	pairs	stp, x, 8, sp, 2, 17
	str	x30, [sp, #240]
	to_stack
	bl	\fn
	b	exit_short
	.endm

	.macro	vector_sync
	stp	x0, x1, [sp]
	mrs	x1, esr_el2
	lsr	x0, x1, #26
	sub	x0, x0, #0x16		/* HVC64 0x16, SMC64 0x17 */
	cmp	x0, #1
	b.hi	sync_full
	short_entry trap_call
	.endm

	.macro	vector_irq
	stp	x0, x1, [sp]
	short_entry trap_irq
	.endm

	.macro	vector_full, fn
	.balign	128
	stp	x0, x1, [sp]
	mrs	x1, esr_el2
	adr	x0, \fn
	b	full_entry
	.endm

	/* Branch predictor: mitigations run before any other code. */
	.macro	mitigate, kind
	.balign	128
	.if \kind == 1			/* SMCCC_ARCH_WORKAROUND_3 */
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	mov	w0, #0x3fff
	movk	w0, #0x8000, lsl #16
	smc	#0
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	.elseif \kind == 2		/* BHB: 24 taken branches (A76) */
	str	x0, [sp]
	mov	x0, #24
1:	b	2f
2:	subs	x0, x0, #1
	b.ne	1b
	dsb	nsh
	isb
	ldr	x0, [sp]
	.endif
	.endm

	.macro	own_vector, what
	.balign	128
	msr	sp_el0, x0		/* nothing of a guest matters now */
	mov	x0, #\what
	b	own_exception
	.endm

	.macro	table, name, kind
	.balign	2048
	.globl	\name
\name:
	.rept	5			/* SP_EL0's four: never used at EL2 */
	own_vector 0
	.endr
	.balign	128
	b	worker_irq
	own_vector 2
	.balign	128
	b	own_serror
	mitigate \kind
	vector_sync
	mitigate \kind
	vector_irq
	vector_full trap_fiq
	vector_full trap_serror
	.rept	4			/* AArch32 EL1: never entered */
	vector_full trap_aarch32
	.endr
	.balign	128
	.endm

	.text
	table	vectors, 0
	table	vectors_smc, 1
	table	vectors_bhb, 2

	.macro	save_all
	pairs	stp, x, 8, sp, 2, 29
	mrs	x2, elr_el2
	stp	x30, x2, [sp, #240]
	mrs	x3, spsr_el2
	str	x3, [sp, #256]
	.endm

full_entry:				/* x0 = handler, x1 = ESR */
	save_all
	mov	x4, x0
	to_stack
	blr	x4
	b	full_exit
sync_full:
	save_all
	to_stack
	bl	trap_sync
full_exit:
	b_if_other switch
exit_full:				/* x0 = vCPU */
	mov	sp, x0
	ldp	x30, x2, [sp, #240]
	ldr	x3, [sp, #256]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	pairs	ldp, x, 8, sp, 18, 29
	b	exit_low

exit_short:				/* x0 = vCPU to run */
	b_if_other switch_short
	mov	sp, x0
	ldr	x30, [sp, #240]
exit_low:
	pairs	ldp, x, 8, sp, 2, 17
	ldp	x0, x1, [sp]
	leave

switch_short:				/* x10 = vCPU to leave, not NULL */
	pairs	stp, x, 8, x10, 18, 29
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [x10, #VCPU_PC]
switch:					/* x10 saved in full; x0 = next */
	mov	x19, x0
	mov	x0, x10
	bl	arch_vcpu_unload
	mov	x0, x19
	/* fall through */

	/* arch_enter(v): v, or idle when NULL, on an empty stack. */
	.globl	arch_enter
arch_enter:
	mrs	x9, tpidr_el2
	ldr	x9, [x9, #CPU_STACK_TOP]
	mov	sp, x9
	mov	x29, xzr
	mov	x30, xzr
	cbz	x0, 1f
	mov	x19, x0
	bl	arch_vcpu_load
	mov	x0, x19
	ldr	x1, [x0, #VCPU_EL2_SP]
	cbnz	x1, worker_resume
	b	exit_full
1:	b	cpu_idle

	/*
	 * An interrupt of EL2's: the worker took it in arch_take_irqs(). Its
	 * registers go where a guest's would. What belongs to EL0 is free here,
	 * as no vCPU is loaded.
	 */
worker_irq:
	msr	sp_el0, x0
	mov	x0, sp
	msr	tpidr_el0, x0
	mrs	x0, tpidr_el2
	ldr	x0, [x0, #CPU_CURRENT]
	cbz	x0, 1f
	mov	sp, x0
	mrs	x0, sp_el0
	stp	x0, x1, [sp]
	save_all
	mrs	x2, tpidr_el0
	str	x2, [sp, #VCPU_EL2_SP]
	to_stack
	bl	trap_irq
	b_if_other switch
worker_resume:				/* x0 = its vCPU, x9 free */
	mov	sp, x0
	ldp	x30, x2, [sp, #240]
	ldr	x3, [sp, #256]
	ldr	x4, [sp, #VCPU_EL2_SP]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	msr	tpidr_el0, x4
	pairs	ldp, x, 8, sp, 18, 29
	pairs	ldp, x, 8, sp, 2, 17
	ldp	x0, x1, [sp]
	msr	sp_el0, x0
	mrs	x0, tpidr_el0
	mov	sp, x0
	mrs	x0, sp_el0
	leave
1:	mov	x0, #1			/* no worker: nobody unmasked it */
	b	own_exception

	/*
	 * An exception of EL2's own code. x0 = kind, guest's... nothing is
	 * saved but for the report; SP may be the cause, so the report runs on
	 * the stack inside struct cpu.
	 */
own_exception:
	msr	tpidr_el0, x1
	mrs	x1, tpidr_el2
	add	x1, x1, #(CPU_PANIC_TOP - EL2_REGS_SIZE)
	stp	x2, x3, [x1, #16]
	mrs	x2, sp_el0
	mrs	x3, tpidr_el0
	stp	x2, x3, [x1]
	pairs	stp, x, 8, x1, 4, 29
	mov	x2, sp
	stp	x30, x2, [x1, #240]
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [x1, #256]
	mrs	x2, esr_el2
	mrs	x3, far_el2
	stp	x2, x3, [x1, #272]
	mov	sp, x1
	b	trap_own		/* (kind, regs) */

	/*
	 * u64 arch_drain_serror(void): takes an SError that a guest left
	 * pending, before its successor could be blamed. 1 when there was one.
	 * dsb makes the guest's accesses complete, so that theirs is pending.
	 */
	.globl	arch_drain_serror
arch_drain_serror:
	mov	x0, #0
	dsb	sy
	isb
	msr	daifclr, #4
	isb
	msr	daifset, #4
arch_drain_end:
	ret

own_serror:
	stp	x1, x2, [sp, #-16]!
	mrs	x1, elr_el2
	adr	x2, arch_drain_serror
	cmp	x1, x2
	b.lo	1f
	adr	x2, arch_drain_end
	cmp	x1, x2
	b.hi	1f
	mov	x0, #1
	ldp	x1, x2, [sp], #16
	leave
1:	ldp	x1, x2, [sp], #16
	msr	sp_el0, x0
	mov	x0, #3
	b	own_exception

	/* FP/SIMD registers to and from struct arch_fpregs at x0. */
	.globl	arch_fp_save, arch_fp_load
arch_fp_save:
	pairs	stp, q, 16, x0, 0, 31
	mrs	x1, fpsr
	mrs	x2, fpcr
	str	x1, [x0, #512]
	str	x2, [x0, #520]
	ret
arch_fp_load:
	pairs	ldp, q, 16, x0, 0, 31
	ldr	x1, [x0, #512]
	ldr	x2, [x0, #520]
	msr	fpsr, x1
	msr	fpcr, x2
	ret
