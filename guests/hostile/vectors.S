/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exception vectors of the hostile guest, the way out of what an exception
 * ended, and the loads and stores of every form. Exceptions are judged in
 * hostile.c.
 */
	.arch	armv8.2-a+lse+rcpc
#define FRAME	192

	/* x0: 4 * where from (SP0, SPx, AArch64 below, AArch32) + what. */
	.macro	vector, kind
	.balign	128
	sub	sp, sp, #FRAME
	stp	x0, x1, [sp]
	mov	x0, #\kind
	b	common
	.endm

	.text
	.balign	2048
	.globl	hostile_vectors
hostile_vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

common:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	bl	hostile_trap
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x30, [sp, #144]
	ldp	x0, x1, [sp], #FRAME
	eret

/* bool attempt_asm(struct recovery *, void (*fn)(u64), u64 arg) */
	.globl	attempt_asm
attempt_asm:
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	x29, x30, [x0, #80]
	mov	x9, sp
	mrs	x10, daif
	stp	x9, x10, [x0, #96]
	stp	x29, x30, [sp, #-16]!
	mov	x0, x2
	blr	x1
	ldp	x29, x30, [sp], #16
	mov	x0, #1
	ret

/*
 * From an exception, and instead of its ERET: back to attempt()'s caller with
 * false. An exception to EL1 has reset all else of PSTATE.
 */
	.globl	recover
recover:
	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	x29, x30, [x0, #80]
	ldp	x9, x10, [x0, #96]
	mov	sp, x9
	msr	daif, x10
	mov	x0, #0
	ret

/* void leave(u64 pc, u64 spsr, u64 sp): ERET there, never back. */
	.globl	leave
leave:
	msr	elr_el1, x0
	msr	spsr_el1, x1
	msr	sp_el0, x2
	isb
	eret

/* u64 call_stub(u64 code, const u64 args[18]): x0 to x17, and x0 back. */
	.globl	call_stub
call_stub:
	stp	x29, x30, [sp, #-16]!
	mov	x18, x0
	mov	x17, x1
	ldp	x0, x1, [x17]
	ldp	x2, x3, [x17, #16]
	ldp	x4, x5, [x17, #32]
	ldp	x6, x7, [x17, #48]
	ldp	x8, x9, [x17, #64]
	ldp	x10, x11, [x17, #80]
	ldp	x12, x13, [x17, #96]
	ldp	x14, x15, [x17, #112]
	ldp	x16, x17, [x17, #128]
	blr	x18
	ldp	x29, x30, [sp], #16
	ret

/* void cache_off_on(void): SCTLR_EL1.C, with no access in between. */
	.globl	cache_off_on
cache_off_on:
	mrs	x0, sctlr_el1
	bic	x1, x0, #4
	msr	sctlr_el1, x1
	isb
	msr	sctlr_el1, x0
	isb
	ret

/*
 * void run_form(u64 form, u64 base, u64 data, u64 data2, u64 status,
 * u64 index): a slot below with its operands in x1 to x5.
 */
	.globl	run_form
run_form:
	br	x0

	.macro	form, insn:vararg
	\insn
	ret
	.endm

	.balign	8
	.globl	forms, forms_end
forms:
	form	ldrb w2, [x1]
	form	ldrsb w2, [x1]
	form	ldrsb x2, [x1]
	form	ldrh w2, [x1]
	form	ldrsh w2, [x1]
	form	ldrsh x2, [x1]
	form	ldr w2, [x1]
	form	ldrsw x2, [x1]
	form	ldr x2, [x1]
	form	ldr xzr, [x1]
	form	strb w2, [x1]
	form	strh w2, [x1]
	form	str w2, [x1]
	form	str x2, [x1]
	form	str xzr, [x1]
	form	ldrb w2, [x1], #1
	form	ldrh w2, [x1], #-2
	form	ldr w2, [x1], #4
	form	ldr x2, [x1], #-8
	form	ldrsw x2, [x1], #4
	form	ldrb w2, [x1, #1]!
	form	ldrh w2, [x1, #2]!
	form	ldr w2, [x1, #-4]!
	form	ldr x2, [x1, #8]!
	form	strb w2, [x1], #1
	form	strh w2, [x1], #2
	form	str w2, [x1], #-4
	form	str x2, [x1], #8
	form	strb w2, [x1, #-1]!
	form	strh w2, [x1, #2]!
	form	str w2, [x1, #4]!
	form	str x2, [x1, #-8]!
	form	ldr x2, [x1, #2048]
	form	str w2, [x1, #1024]
	form	ldr x2, [x1, x5]
	form	ldr w2, [x1, w5, uxtw #2]
	form	str x2, [x1, w5, sxtw #3]
	form	strh w2, [x1, x5, lsl #1]
	form	ldur x2, [x1, #-7]
	form	ldur w2, [x1, #3]
	form	stur x2, [x1, #5]
	form	sturh w2, [x1, #-1]
	form	ldtr x2, [x1]
	form	ldtrb w2, [x1]
	form	sttr w2, [x1]
	form	sttrh w2, [x1]
	form	ldp w2, w3, [x1]
	form	ldp x2, x3, [x1]
	form	ldpsw x2, x3, [x1]
	form	ldp x2, x3, [x1], #16
	form	ldp w2, w3, [x1, #-8]!
	form	ldnp x2, x3, [x1]
	form	stp w2, w3, [x1]
	form	stp x2, x3, [x1]
	form	stp x2, x3, [x1, #16]!
	form	stp w2, w3, [x1], #-8
	form	stnp x2, x3, [x1]
	form	ldxrb w2, [x1]
	form	ldxrh w2, [x1]
	form	ldxr w2, [x1]
	form	ldxr x2, [x1]
	form	ldaxr x2, [x1]
	form	ldxp x2, x3, [x1]
	form	ldaxp w2, w3, [x1]
	form	stxrb w4, w2, [x1]
	form	stxrh w4, w2, [x1]
	form	stxr w4, w2, [x1]
	form	stxr w4, x2, [x1]
	form	stlxr w4, x2, [x1]
	form	stxp w4, x2, x3, [x1]
	form	ldarb w2, [x1]
	form	ldarh w2, [x1]
	form	ldar w2, [x1]
	form	ldar x2, [x1]
	form	stlrb w2, [x1]
	form	stlrh w2, [x1]
	form	stlr w2, [x1]
	form	stlr x2, [x1]
	form	ldr b0, [x1]
	form	ldr h0, [x1]
	form	ldr s0, [x1]
	form	ldr d0, [x1]
	form	ldr q0, [x1]
	form	ldr q0, [x1], #16
	form	str b0, [x1]
	form	str h0, [x1]
	form	str s0, [x1]
	form	str d0, [x1, #8]!
	form	str q0, [x1]
	form	ldp s0, s1, [x1]
	form	ldp d0, d1, [x1]
	form	ldp q0, q1, [x1]
	form	stp q0, q1, [x1], #32
	form	stp s0, s1, [x1]
	form	ld1 {v0.16b}, [x1]
	form	ld1 {v0.2d-v3.2d}, [x1]
	form	ld1 {v0.h}[3], [x1]
	form	ld1r {v0.4s}, [x1]
	form	ld2 {v0.8h, v1.8h}, [x1]
	form	ld3 {v0.16b-v2.16b}, [x1]
	form	ld4 {v0.4s-v3.4s}, [x1], #64
	form	st1 {v0.16b}, [x1]
	form	st1 {v0.b}[7], [x1]
	form	st2 {v0.4s, v1.4s}, [x1]
	form	st4 {v0.2d-v3.2d}, [x1]
	form	prfm pldl1keep, [x1]
	form	prfm pstl1strm, [x1]
	form	prfm plil2keep, [x1]
	form	prfum pldl3strm, [x1, #-3]
	form	dc zva, x1
	form	dc ivac, x1
	form	dc cvac, x1
	form	dc cvau, x1
	form	dc civac, x1
	form	ic ivau, x1
	form	at s1e1r, x1
	form	at s1e1w, x1
	form	at s1e0r, x1
	/* Undefined on a CPU without LSE or RCPC. */
	form	ldadd x2, x3, [x1]
	form	ldaddalb w2, w3, [x1]
	form	stset w2, [x1]
	form	swp w2, w3, [x1]
	form	swpal x2, x3, [x1]
	form	cas w2, w3, [x1]
	form	casal x2, x3, [x1]
	form	casp x2, x3, x4, x5, [x1]
	form	ldapr x2, [x1]
forms_end:

	.section .note.GNU-stack, "", %progbits
