/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that every guest sees: addresses and interrupts of Xen's public
 * arch-arm.h, so that a guest built for Xen finds all at its place.
 */
#pragma once

/* clang-format off */
#define GUEST_GICD_BASE		0x03001000UL
#define GUEST_GICD_SIZE		0x00010000UL	/* of GICv2: a page */
#define GUEST_GICC_BASE		0x03002000UL	/* of GICv2 only */
#define GUEST_GICC_SIZE		0x00002000UL
#define GUEST_GICR_BASE		0x03020000UL
#define GUEST_GICR_STRIDE	0x00020000UL
#define GUEST_PL011_BASE	0x22000000UL
#define GUEST_PL011_SIZE	0x00001000UL
#define GUEST_PL031_BASE	0x22001000UL	/* ours: free in Xen's map */
#define GUEST_PL031_SIZE	0x00001000UL
#define GUEST_WATCHDOG_BASE	0x22002000UL	/* likewise; two frames */
#define GUEST_WATCHDOG_SIZE	0x00002000UL
#define GUEST_PVTIME_BASE	0x22004000UL	/* likewise; a page to read */
#define GUEST_RAM0_BASE		0x40000000UL
#define GUEST_RAM0_SIZE		0xc0000000UL
#define GUEST_RAM1_BASE		0x200000000UL
#define GUEST_RAM1_SIZE		0xfe00000000UL

#define GUEST_VTIMER_INTID	27
#define GUEST_STIMER_INTID	29
#define GUEST_PTIMER_INTID	30
#define GUEST_PL011_INTID	32
#define GUEST_WATCHDOG_INTID	33
#define GUEST_PHANDLE_GIC	65000
#define GUEST_MIN_SPIS		32	/* distributor granularity */
/* clang-format on */
