/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic watchdog of Arm's BSA (DEN 0094, appendix B). It counts the
 * system counter's ticks: the first time that WOR of them pass without a
 * refresh it raises WS0, an interrupt, the second time WS1, which resets the
 * board. Four refreshes in both times are two before WS0, which firmware may
 * take for its own.
 */
#include "wdt_priv.h"

#include <asm/io.h>
#include <skerry/time.h>

#define CONTROL 0 /* frames, in the binding's order */
#define REFRESH 1

#define WRR 0x000 /* any write is a refresh */

#define WCS    0x000
#define WCS_EN BIT(0)
#define WOR    0x008

static const char *probe(const u64 *frame __unused)
{
	return NULL;
}

/* WOR has 48 bits from revision 1 on, which is not worth telling apart. */
static u32 start(const u64 *frame, u32 seconds)
{
	seconds = (u32)min((u64)seconds, 2 * 0xffffffffUL / time_freq());
	mmio_write32(frame[CONTROL] + WOR, (u32)(seconds * time_freq() / 2));
	mmio_write32(frame[CONTROL] + WCS, WCS_EN);
	return seconds;
}

static void refresh(const u64 *frame, u32 seconds __unused)
{
	mmio_write32(frame[REFRESH] + WRR, 0);
}

const struct wdt_driver sbsa_wdt = {probe, start, refresh};
