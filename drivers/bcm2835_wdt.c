/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog in the power management block of Raspberry Pis. Broadcom does
 * not document it: registers and bits are those that Linux' bcm2835_wdt and
 * the community's list of BCM2835 registers have.
 */
#include "wdt_priv.h"

#include <asm/io.h>

/* Top byte of each write, without which it has no effect. */
#define PM_PASSWORD	 0x5a000000U
#define PM_PASSWORD_MASK BITS(31, 24)

#define PM_RSTC	      0x1c
#define PM_RSTC_WRCFG BITS(5, 4) /* what the end of PM_WDOG's time does */
#define WRCFG_FULL    2

/*
 * Only the flags of full resets: those of the others (bits 0, 2, 4 and so on)
 * have the firmware's number of a boot partition.
 */
#define PM_RSTS	       0x20
#define PM_RSTS_HADPOR BIT(12)
#define PM_RSTS_HADSRF BIT(9) /* software */
#define PM_RSTS_HADWRF BIT(5)
#define PM_RSTS_HADDRF BIT(1) /* debugger */

#define PM_WDOG	    0x24 /* counts down */
#define HZ	    65536U
#define MAX_SECONDS 15U /* 20 bits */

/* HADPOR last: resets after it may leave it set. */
static const char *probe(const u64 *frame)
{
	u32 rsts = mmio_read32(frame[0] + PM_RSTS);

	return rsts & PM_RSTS_HADWRF   ? "watchdog"
	       : rsts & PM_RSTS_HADSRF ? "software"
	       : rsts & PM_RSTS_HADDRF ? "debugger"
	       : rsts & PM_RSTS_HADPOR ? "power on"
				       : NULL;
}

static u32 start(const u64 *frame __unused, u32 seconds)
{
	return min(seconds, MAX_SECONDS);
}

static void refresh(const u64 *frame, u32 seconds)
{
	u32 rstc = mmio_read32(frame[0] + PM_RSTC);

	rstc &= (u32) ~(PM_PASSWORD_MASK | PM_RSTC_WRCFG);
	mmio_write32(frame[0] + PM_WDOG, PM_PASSWORD | seconds * HZ);
	mmio_write32(frame[0] + PM_RSTC,
		     PM_PASSWORD | rstc |
			     (u32)field_prep(PM_RSTC_WRCFG, WRCFG_FULL));
}

const struct wdt_driver bcm2835_wdt = {probe, start, refresh};
