/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WDOG of NXP's i.MX (i.MX 8M Plus reference manual, "Watchdog Timer (WDOG)"):
 * registers of 16 bits, time in halves of a second. Once enabled it cannot be
 * stopped.
 */
#include "wdt_priv.h"

#include <asm/io.h>
#include <skerry/machine.h>

#define WCR	0x0
#define WCR_WT	BITS(15, 8) /* 0 is half a second */
#define WCR_WDA BIT(5)	    /* 0 asserts WDOG_B */
#define WCR_SRS BIT(4)	    /* 0 resets at once */
#define WCR_WDT BIT(3)	    /* the timeout asserts WDOG_B */
#define WCR_WDE BIT(2)

#define WSR	  0x2
#define WSR_FIRST 0x5555 /* both, in this order, reload the counter */
#define WSR_THEN  0xaaaa

#define WRSR	  0x4
#define WRSR_POR  BIT(4)
#define WRSR_TOUT BIT(1)
#define WRSR_SFTW BIT(0)

#define WMCR 0x8

#define MAX_SECONDS 128U

static const char *probe(const u64 *frame)
{
	u16 wrsr = mmio_read16(frame[0] + WRSR);

	/* PDE, set by reset, asserts WDOG_B 16 s later. */
	mmio_write16(frame[0] + WMCR, 0);
	return wrsr & WRSR_TOUT	  ? "watchdog"
	       : wrsr & WRSR_SFTW ? "software"
	       : wrsr & WRSR_POR  ? "power on"
				  : NULL;
}

/*
 * One write, as some bits may be written once only, and QEMU's model takes a
 * second one for an end of WDE.
 */
static u32 start(const u64 *frame, u32 seconds)
{
	u64 wcr = mmio_read16(frame[0] + WCR) & ~WCR_WT;

	seconds = min(seconds, MAX_SECONDS);
	wcr |= WCR_WDA | WCR_SRS | WCR_WDE | field_prep(WCR_WT, 2 * seconds - 1);
	if (machine.wdt.ext_reset)
		wcr |= WCR_WDT;
	mmio_write16(frame[0] + WCR, (u16)wcr);
	return seconds;
}

static void refresh(const u64 *frame, u32 seconds __unused)
{
	mmio_write16(frame[0] + WSR, WSR_FIRST);
	mmio_write16(frame[0] + WSR, WSR_THEN);
}

const struct wdt_driver imx_wdt = {probe, start, refresh};
