/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs at the load address with MMU and caches off: builds the bring-up
 * tables (the image with W^X and the trampoline page one to one), or reports
 * the wrong exception level. Everything is addressed relative to the PC here;
 * no pointer stored in data may be used.
 */
#include "early_priv.h"

#include <libfdt.h>

#include <asm/pte.h>
#include <skerry/arch/init.h>
#include <skerry/arch/layout.h>
#include <skerry/machine.h>
#include <skerry/pl011.h>
#include <skerry/sections.h>

#define TABLE __attribute__((section(".bss.page_aligned"), aligned(PAGE_SIZE)))

u64 boot_root[512] TABLE;
u64 el2_root[512] TABLE;
static u64 image_l1[512] TABLE, image_l2[512] TABLE, image_l3[512] TABLE;
static u64 id_l1[512] TABLE, id_l2[512] TABLE, id_l3[512] TABLE;

#define INDEX(va, level) (((va) >> (39 - 9 * (level))) & 511)

static u64 image_page(u64 pa)
{
	u64 pte = pa | PTE_VALID | PTE_TABLE | PTE_AF | PTE_SH_INNER |
		  PTE_S1_RES1;

	if (pa < (u64)text_end)
		return pte | PTE_S1_RO;
	if (pa < (u64)rodata_end)
		return pte | PTE_S1_RO | PTE_XN;
	if (pa == (u64)boot_stack_guard)
		return 0;
	return pte | PTE_XN;
}

static u64 table(const u64 *entries)
{
	return (u64)entries | PTE_VALID | PTE_TABLE;
}

u64 early_map(void)
{
	u64 start = (u64)image_start, end = (u64)image_end;

	for (u64 pa = start; pa < end; pa += PAGE_SIZE)
		image_l3[(pa - start) / PAGE_SIZE] = image_page(pa);
	image_l2[0] = table(image_l3);
	image_l1[0] = table(image_l2);
	el2_root[INDEX(EL2_IMAGE_BASE, 0)] = table(image_l1);
	boot_root[INDEX(EL2_IMAGE_BASE, 0)] = table(image_l1);

	id_l3[INDEX(start, 3)] = image_page(start);
	id_l2[INDEX(start, 2)] = table(id_l3);
	id_l1[INDEX(start, 1)] = table(id_l2);
	boot_root[INDEX(start, 0)] = table(id_l1);
	return (u64)boot_root;
}

static u64 cells(const fdt32_t *p, int nr)
{
	u64 val = 0;

	for (; nr > 0; nr--)
		val = val << 32 | fdt32_to_cpu(*p++);
	return val;
}

/* An address on a bus as the one above has it (as kernel/machine.c does). */
static u64 translate(const void *dtb, int bus, u64 addr, int up)
{
	int child = fdt_address_cells(dtb, bus), size = fdt_size_cells(dtb, bus);
	int parent = fdt_address_cells(dtb, up), len;
	const fdt32_t *r = fdt_getprop(dtb, bus, "ranges", &len);

	if (child < 0 || parent < 0 || size < 0)
		return 0;
	for (; r && len >= 4 * (child + parent + size);
	     len -= 4 * (child + parent + size), r += child + parent + size)
		if (addr - cells(r, child) < cells(r + child + parent, size))
			return addr - cells(r, child) + cells(r + child, parent);
	return addr;
}

/* The PL011 that stdout-path names, or 0. */
static u64 stdout_base(const void *dtb)
{
	const char *path, *options;
	const fdt32_t *reg;
	int len, node, bus;
	u64 base;

	if (!dtb || !is_aligned((u64)dtb, 8) || fdt_check_header(dtb))
		return 0;
	node = fdt_path_offset(dtb, "/chosen");
	path = node < 0 ? NULL : fdt_getprop(dtb, node, "stdout-path", &len);
	if (!path)
		return 0;
	len = (int)strnlen(path, (size_t)len);
	options = memchr(path, ':', (size_t)len);
	node = fdt_path_offset_namelen(dtb, path,
				       options ? (int)(options - path) : len);
	if (node < 0 || fdt_node_check_compatible(dtb, node, "arm,pl011"))
		return 0;
	reg = fdt_getprop(dtb, node, "reg", &len);
	bus = fdt_parent_offset(dtb, node);
	if (!reg || len < 4 * fdt_address_cells(dtb, bus))
		return 0;
	base = cells(reg, fdt_address_cells(dtb, bus));
	for (; bus > 0; bus = node) {
		node = fdt_parent_offset(dtb, bus);
		base = translate(dtb, bus, base, node);
	}
	return base;
}

static void early_puts(u64 base, const char *s)
{
	for (; *s; s++)
		pl011_putc_wait(base, *s);
}

void early_wrong_el(const void *dtb, u64 el)
{
	u64 base = stdout_base(dtb);

	if (!base && CONFIG_EARLY_UART)
		base = CONFIG_EARLY_UART_BASE;
	if (!base)
		return;
	early_puts(base, "(sk) boot: entered at EL");
	pl011_putc_wait(base, '0' + (char)el);
	early_puts(base, ", but Skerry has to be started at EL2\r\n");
}

bool arch_find_console(const void *fdt)
{
	/* The walk may have come as far. */
	u64 base = machine.uart ? machine.uart_base : stdout_base(fdt);

	machine.uart = base ? UART_PL011 : UART_NONE;
	machine.uart_base = base;
	return base;
}
