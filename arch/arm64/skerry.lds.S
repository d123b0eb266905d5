/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout of the image: text, read-only data and data, each from a page
 * boundary so that the EL2 tables can give each its own permissions. Linked at
 * a fixed virtual address; loaded anywhere on a page boundary.
 */
#include <skerry/arch/layout.h>

OUTPUT_ARCH(aarch64)
ENTRY(image_head)
SECTIONS
{
	. = EL2_IMAGE_BASE;
	image_start = .;
	.text : {
		*(.head.text)
		*(.text .text.*)
	}
	. = ALIGN(4096);
	text_end = .;
	.rodata : {
		*(.rodata .rodata.[!s]* .rodata.s[!y]*)
		. = ALIGN(4);
		branches_start = .;
		*(.branches)
		branches_end = .;
		. = ALIGN(8);
		*(.rodata.symtab)
	}
	. = ALIGN(4096);
	rodata_end = .;
	.data : { *(.data .data.*) }
	. = ALIGN(4096);
	.bss (NOLOAD) : {
		bss_start = .;
		*(.bss.page_aligned)
		*(.bss .bss.* COMMON)
		. = ALIGN(4096);
		boot_stack_guard = .;
		. += 4096;
		. += 12288;
		boot_stack_top = .;
	}
	. = ALIGN(4096);
	image_end = .;
	image_size = ABSOLUTE(image_end - image_start);
	/DISCARD/ : {
		*(.note*) *(.comment*) *(.eh_frame*) *(.interp) *(.dynamic)
		*(.dynsym) *(.dynstr) *(.hash) *(.gnu.hash) *(.gnu.attributes)
	}
}
ASSERT(image_end - image_start <= 0x200000, "image larger than one L3 table")
ASSERT(boot_trampoline_end - image_start <= 4096, "trampoline beyond a page")
