/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of a bare-metal guest (primary and secondary CPUs) and its exception
 * vectors. Runs at EL1 with the MMU off until guest_main's caller turns it
 * on. It does not decide anything: faults and interrupts go to trap.c.
 */
#define FRAME_SIZE	288		/* struct frame in guest.h */

	.section .head, "ax"
	.globl	_head
_head:
	b	start			/* code0 */
	.long	0			/* code1 */
	.quad	0			/* text_offset */
	.quad	_image_end - _head	/* image_size, .bss included */
	.quad	0xa			/* LE, 4 KiB pages, anywhere in RAM */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.text
start:
	mrs	x19, cntvct_el0		/* time of the first instruction */
	mov	x20, x0			/* DTB */
	bl	to_el1

	/* R_AARCH64_RELATIVE (1027) is all that a static PIE holds. */
	adrp	x1, _rela_start
	add	x1, x1, :lo12:_rela_start
	adrp	x2, _rela_end
	add	x2, x2, :lo12:_rela_end
	adr	x3, _head
1:	cmp	x1, x2
	b.hs	2f
	ldp	x4, x5, [x1], #16
	ldr	x6, [x1], #8
	cmp	w5, #1027
	b.ne	1b
	add	x6, x6, x3
	str	x6, [x3, x4]
	b	1b

2:	adrp	x1, _bss_start
	add	x1, x1, :lo12:_bss_start
	adrp	x2, _bss_end
	add	x2, x2, :lo12:_bss_end
3:	cmp	x1, x2
	b.hs	4f
	stp	xzr, xzr, [x1], #16
	b	3b

4:	adrp	x1, boot_stack_top
	add	x1, x1, :lo12:boot_stack_top
	mov	sp, x1
	bl	cpu_setup
	mov	x0, x20
	mov	x1, x19
	bl	guest_start
5:	wfi
	b	5b

/* x0 = struct cpu_boot *, written back to memory by cpu_start(). */
	.globl	secondary_entry
secondary_entry:
	mov	x20, x0
	bl	to_el1
	ldr	x1, [x20]		/* stack top */
	mov	sp, x1
	bl	cpu_setup
	mov	x0, x20
	bl	secondary_start
6:	wfi
	b	6b

/* Without a hypervisor we may be at EL2: leave it for good. Uses x9. */
to_el1:
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	1f
	mov	x9, #(1 << 31)		/* HCR_EL2.RW */
	msr	hcr_el2, x9
	mov	x9, #3			/* counter and timer not trapped */
	msr	cnthctl_el2, x9
	msr	cntvoff_el2, xzr
	mrs	x9, id_aa64pfr0_el1
	tst	x9, #(0xf << 24)
	b.eq	2f
	mov	x9, #0xf		/* ICC_SRE_EL2: SRE, EL1 may too */
	msr	S3_4_C12_C9_5, x9
2:	mov	x9, #0x0800		/* RES1 bits of SCTLR_EL1 */
	movk	x9, #0x30d0, lsl #16
	msr	sctlr_el1, x9
	mov	x9, #0x3c5		/* EL1h, all masked */
	msr	spsr_el2, x9
	msr	elr_el2, x30
	eret
1:	ret

/* Vectors, FP/SIMD usable at EL1, a defined SCTLR_EL1 with the MMU off. */
cpu_setup:
	msr	spsel, #1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	mov	x1, #0x0800		/* RES1 bits of SCTLR_EL1 */
	movk	x1, #0x30d0, lsl #16
	msr	sctlr_el1, x1
	isb
	ret

	.macro	save_frame
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x1, elr_el1
	stp	x30, x1, [sp, #240]
	mrs	x1, spsr_el1
	mrs	x2, esr_el1
	stp	x1, x2, [sp, #256]
	mrs	x1, far_el1
	str	x1, [sp, #272]
	.endm

	.macro	vector, handler
	.balign	128
	b	\handler
	.endm

	.balign	2048
vectors:
	.rept	4			/* current EL with SP_EL0: unused */
	vector	entry_bad
	.endr
	vector	entry_sync
	vector	entry_irq
	vector	entry_bad		/* FIQ: nothing is in group 0 */
	vector	entry_serror
	.rept	8			/* lower EL: unused */
	vector	entry_bad
	.endr

entry_irq:
	save_frame
	mov	x0, sp
	bl	trap_irq
	b	frame_return
entry_sync:
	save_frame
	mov	x0, sp
	bl	trap_sync
	b	frame_return
entry_serror:
	save_frame
	mov	x0, sp
	bl	trap_serror
	b	frame_return
entry_bad:
	save_frame
	mov	x0, sp
	bl	trap_bad

frame_return:
	ldp	x1, x2, [sp, #248]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	ldp	x0, x1, [sp], #FRAME_SIZE
	eret

	.bss
	.balign	16
	.skip	16384
boot_stack_top:

	.section .note.GNU-stack, "", %progbits
