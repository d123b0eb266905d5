/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry from the loader (boot CPU) and from PSCI or a spin table (the others),
 * up to the first C function at its linked address. Assumes nothing of the
 * loader's registers, caches or .bss.
 */
#include <skerry/arch/layout.h>
#include <offsets.h>

#define SCTLR_EL2_OFF	0x30c50830	/* RES1 bits, all else off */
#define SCTLR_EL2_ON	0x30cd183d	/* + M A? C SA I WXN, see el2_mmu_on */

	.section .head.text, "ax"
	.globl	image_head, boot_trampoline_end
	.globl	secondary_entry, secondary_spin, arch_cpu_park
image_head:				/* arm64 Image header */
	b	boot_entry
	.long	0
	.quad	0			/* text_offset: any 2 MiB boundary */
	.quad	image_size
	.quad	0xa			/* little-endian, 4 KiB, anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	/* x0 = address, x1 = end: clean and invalidate to the PoC. */
dcache_range:
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4		/* DminLine, log2 of words */
	mov	x3, #4
	lsl	x3, x3, x2
	sub	x2, x3, #1
	bic	x0, x0, x2
1:	dc	civac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret

	/*
	 * EL2 registers that must be right before any C runs. Everything the
	 * loader may have left is written, nothing is read-modified. SCTLR
	 * first: U-Boot may leave caches off but SA or A on.
	 */
el2_reset:
	ldr	w9, =SCTLR_EL2_OFF
	msr	sctlr_el2, x9
	mov	x9, #(1 << 31)		/* HCR_EL2.RW */
	msr	hcr_el2, x9
	mov	x9, #0x32ff		/* CPTR_EL2 RES1: FP usable at EL2 */
	msr	cptr_el2, x9
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mov	x9, #1			/* EL1PCTEN; CNTP_* trap */
	msr	cnthctl_el2, x9
	msr	cntvoff_el2, xzr
	msr	cnthp_ctl_el2, xzr
	msr	cntv_ctl_el0, xzr
	mrs	x9, id_aa64dfr0_el1
	ubfx	x10, x9, #8, #4		/* PMUVer */
	cmp	x10, #0
	ccmp	x10, #15, #4, ne
	mov	x11, xzr
	b.eq	1f
	mrs	x11, pmcr_el0
	ubfx	x11, x11, #11, #5	/* HPMN = all counters */
	/*
	 * TPMCR, TPM, TDA, TDOSA, TDRA: what a guest leaves in the debug and
	 * PMU registers the next one would find; it has none (sysregs.c).
	 */
1:	mov	x12, #0xe60
	orr	x11, x11, x12
	msr	mdcr_el2, x11
	isb
	ret

	/*
	 * x0 = TTBR0_EL2. Turns the MMU and caches on; the caller's code must
	 * be mapped where it runs. MAIR: 0 write-back, 1 Device-nGnRE
	 * (asm/pte.h).
	 */
el2_mmu_on:
	mov	x9, #0x04ff
	msr	mair_el2, x9
	mrs	x9, id_aa64mmfr0_el1
	and	x9, x9, #15		/* PARange */
	mov	x10, #5			/* 48 bits at most */
	cmp	x9, x10
	csel	x9, x9, x10, lo
	ldr	x10, =0x80803510	/* RES1, SH0 IS, WB WA, T0SZ 16 */
	orr	x10, x10, x9, lsl #16
	msr	tcr_el2, x10
	msr	ttbr0_el2, x0
	/* Stale entries of an earlier EL2 user, before M is set (D8.16). */
	isb
	tlbi	alle2
	tlbi	alle1
	ic	iallu
	dsb	nsh
	isb
	ldr	w9, =SCTLR_EL2_ON
	msr	sctlr_el2, x9
	isb
	ret

boot_entry:
	msr	daifset, #0xf
	mrs	x20, cntpct_el0		/* for the boot time in the log */
	mov	x21, x0			/* DTB */
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	wrong_el
	bl	el2_reset
	/*
	 * Dirty lines that the loader left over the image, .bss or the tables
	 * would be written back over what is stored with the MMU off.
	 */
	adrp	x0, image_start
	adrp	x1, image_end
	bl	dcache_range
	adrp	x0, bss_start
	adrp	x1, image_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	adrp	x9, boot_stack_top
	mov	sp, x9
	mov	x29, xzr
	mov	x30, xzr
	bl	early_map		/* PA of the bring-up root */
	mov	x22, x0
	/*
	 * Lines fetched while the MMU was off hold old values. They are clean,
	 * so invalidation by clean+invalidate cannot overwrite the tables.
	 */
	adrp	x0, bss_start
	adrp	x1, image_end
	bl	dcache_range
	mov	x0, x22
	bl	el2_mmu_on
	mov	x0, x21
	adr	x1, image_head
	mov	x2, x20
	ldr	x3, =cpus		/* linked addresses from here on */
	ldr	x4, =boot_stack_top
	ldr	x5, =init_main		/* (dtb, image PA, entry tick) */

	/* x0 to x2 arguments, x3 the CPU's structure, x4 stack, x5 function. */
enter_c:
	msr	tpidr_el2, x3
	ldr	x9, =vectors
	msr	vbar_el2, x9
	mrs	x9, midr_el1		/* guests see the real one */
	msr	vpidr_el2, x9
	mov	sp, x4
	mov	x29, xzr		/* backtraces end here */
	mov	x30, xzr
	isb
	br	x5

	/*
	 * A secondary: x0 = PA of its boot word pair {root PA, cpu VA}, which
	 * the boot CPU cleaned to the PoC.
	 */
secondary_entry:
	msr	daifset, #0xf
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	park
	mov	x19, x0
	bl	el2_reset
	ldp	x0, x3, [x19]
	bl	el2_mmu_on
	ldr	x4, [x3, #CPU_STACK_TOP]
	ldr	x5, =cpu_secondary_main
	b	enter_c

	/*
	 * From a spin table: no argument. The record of the CPU whose MPIDR
	 * is ours (only the boot CPU's caches hold more, and it cleaned them).
	 */
secondary_spin:
	mrs	x9, mpidr_el1
	ldr	x10, =0xff00ffffff
	and	x9, x9, x10
	adrp	x11, cpus
	add	x11, x11, :lo12:cpus
	adrp	x0, boot_args
	add	x0, x0, :lo12:boot_args
1:	ldr	x12, [x11, #CPU_MPIDR]
	cmp	x12, x9
	b.eq	secondary_entry
	add	x11, x11, #CPU_SIZE
	add	x0, x0, #16
	b	1b

	/* EL1 or EL3: one line from the CPU with affinity 0, then park. */
wrong_el:
	mrs	x9, mpidr_el1
	ldr	x10, =0xff00ffffff
	tst	x9, x10
	b.ne	park
	adrp	x9, boot_stack_top
	mov	sp, x9
	mov	x29, xzr
	mov	x0, x21
	mrs	x1, CurrentEL
	lsr	x1, x1, #2
	bl	early_wrong_el
arch_cpu_park:
park:
	msr	daifset, #0xf
1:	wfi
	b	1b
	.ltorg
boot_trampoline_end:
