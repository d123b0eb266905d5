/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's watchdog as EL2's own: options, time and messages, which are the
 * same for each kind. What the registers are is in the kind's driver.
 */
#include <skerry/watchdog.h>

#include <skerry/arch/mmu.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/time.h>

#include "wdt_priv.h"

#define MAX_SECONDS 3600

/* The tree's `compatible` gave the kind (kernel/machine.c). */
static const struct wdt_driver *const drivers[] = {
	[WDT_NONE] = NULL,
	[WDT_SBSA] = &sbsa_wdt,
	[WDT_IMX] = &imx_wdt,
	[WDT_BCM2835] = &bcm2835_wdt,
};

static struct {
	u64 frame[ARRAY_SIZE(machine.wdt.reg)];
	u32 seconds; /* 0: not running */
	u64 period;
	struct timer timer;
} wdt;

static const struct wdt_driver *driver(void)
{
	return drivers[machine.wdt.kind];
}

const char *watchdog_probe(void)
{
	if (!driver())
		return NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(wdt.frame); i++)
		if (machine.wdt.reg[i])
			wdt.frame[i] =
				(u64)mmu_map_device(PADDR(machine.wdt.reg[i]),
						    PAGE_SIZE);
	return driver()->probe(wdt.frame);
}

void watchdog_refresh(void)
{
	if (wdt.seconds)
		driver()->refresh(wdt.frame, wdt.seconds);
}

static void tick(struct timer *t)
{
	watchdog_refresh();
	timer_arm(t, time_now() + wdt.period);
}

void watchdog_init(void)
{
	int asked = machine_get_number("watchdog=", 1, MAX_SECONDS);

	if (asked < 0)
		return;
	if (!driver()) {
		log_warn("options: watchdog=%d: the board has none that we know",
			 asked);
		return;
	}
	wdt.seconds = driver()->start(wdt.frame, (u32)asked);
	if (wdt.seconds < (u32)asked)
		log_warn("options: watchdog=%d: %u is the most", asked,
			 wdt.seconds);
	log_line("watchdog: resets the board after %u s without EL2",
		 wdt.seconds);
	wdt.period = wdt.seconds * time_freq() / 4;
	timer_init(&wdt.timer, tick);
	tick(&wdt.timer);
}
