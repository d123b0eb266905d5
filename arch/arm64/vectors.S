/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2 exception vectors and the way back into guests. While a vCPU runs,
 * SP_EL2 is its address, so registers are stored straight into it. HVC, SMC
 * and interrupts take the short entry (caller-saved registers; C keeps the
 * rest, x18 is not used at EL2); everything else saves all. C returns the
 * vCPU to run next: the same one in the fast case.
 */
#include <offsets.h>

	.macro	save_low
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	.endm

	/* x0 = vCPU, SP = this CPU's stack */
	.macro	to_stack
	mov	x0, sp
	mrs	x9, tpidr_el2
	ldr	x9, [x9, #CPU_STACK_TOP]
	mov	sp, x9
	.endm

	/* Straight-line speculation past eret (no FEAT_SB on our cores). */
	.macro	leave
	eret
	dsb	nsh
	isb
	.endm

	.macro	vector_sync
	stp	x0, x1, [sp]
	mrs	x1, esr_el2
	lsr	x0, x1, #26
	sub	x0, x0, #0x16		/* HVC64 0x16, SMC64 0x17 */
	cmp	x0, #1
	b.hi	sync_full
	save_low
	str	x30, [sp, #240]
	to_stack
	bl	trap_call
	b	exit_short
	.endm

	.macro	vector_irq
	stp	x0, x1, [sp]
	save_low
	str	x30, [sp, #240]
	to_stack
	bl	trap_irq
	b	exit_short
	.endm

	.macro	vector_full, fn
	stp	x0, x1, [sp]
	mrs	x1, esr_el2
	adr	x0, \fn
	b	full_entry
	.endm

	/* Branch predictor: mitigations run before any other code. */
	.macro	mitigate, kind
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
	.rept	4			/* SP_EL0: never used at EL2 */
	own_vector 0
	.endr
	own_vector 0
	.balign	128
	b	worker_irq
	own_vector 2
	.balign	128
	b	own_serror
	.balign	128
	mitigate \kind
	vector_sync
	.balign	128
	mitigate \kind
	vector_irq
	.balign	128
	vector_full trap_fiq
	.balign	128
	vector_full trap_serror
	.rept	4			/* AArch32 EL1: never entered */
	.balign	128
	vector_full trap_aarch32
	.endr
	.balign	128
	.endm

	.text
	table	vectors, 0
	table	vectors_smc, 1
	table	vectors_bhb, 2

	.macro	save_all
	save_low
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x2, elr_el2
	stp	x30, x2, [sp, #240]
	mrs	x3, spsr_el2
	str	x3, [sp, #256]
	.endm

	.macro	restore_high
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	.endm

	.macro	restore_low
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
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
	mrs	x9, tpidr_el2
	ldr	x10, [x9, #CPU_CURRENT]
	cmp	x0, x10
	b.ne	switch
exit_full:				/* x0 = vCPU */
	mov	sp, x0
	ldp	x30, x2, [sp, #240]
	ldr	x3, [sp, #256]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	restore_high
	b	exit_low

exit_short:				/* x0 = vCPU to run */
	mrs	x9, tpidr_el2
	ldr	x10, [x9, #CPU_CURRENT]
	cmp	x0, x10
	b.ne	switch_short
	mov	sp, x0
	ldr	x30, [sp, #240]
exit_low:
	restore_low
	ldp	x0, x1, [sp]
	leave

switch_short:				/* x10 = vCPU to leave, not NULL */
	stp	x18, x19, [x10, #144]
	stp	x20, x21, [x10, #160]
	stp	x22, x23, [x10, #176]
	stp	x24, x25, [x10, #192]
	stp	x26, x27, [x10, #208]
	stp	x28, x29, [x10, #224]
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
	mrs	x9, tpidr_el2
	ldr	x10, [x9, #CPU_CURRENT]
	cmp	x0, x10
	b.ne	switch
worker_resume:				/* x0 = its vCPU, x9 free */
	mov	sp, x0
	ldp	x30, x2, [sp, #240]
	ldr	x3, [sp, #256]
	ldr	x4, [sp, #VCPU_EL2_SP]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	msr	tpidr_el0, x4
	restore_high
	restore_low
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
	stp	x4, x5, [x1, #32]
	stp	x6, x7, [x1, #48]
	stp	x8, x9, [x1, #64]
	stp	x10, x11, [x1, #80]
	stp	x12, x13, [x1, #96]
	stp	x14, x15, [x1, #112]
	stp	x16, x17, [x1, #128]
	stp	x18, x19, [x1, #144]
	stp	x20, x21, [x1, #160]
	stp	x22, x23, [x1, #176]
	stp	x24, x25, [x1, #192]
	stp	x26, x27, [x1, #208]
	stp	x28, x29, [x1, #224]
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
	.macro	fp_regs, op
	\op	q0, q1, [x0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
	.endm

	.globl	arch_fp_save
arch_fp_save:
	fp_regs	stp
	mrs	x1, fpsr
	mrs	x2, fpcr
	str	x1, [x0, #512]
	str	x2, [x0, #520]
	ret
	.globl	arch_fp_load
arch_fp_load:
	fp_regs	ldp
	ldr	x1, [x0, #512]
	ldr	x2, [x0, #520]
	msr	fpsr, x1
	msr	fpcr, x2
	ret
