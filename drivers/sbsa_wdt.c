/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic watchdog of Arm's BSA (DEN 0094, appendix B) as EL2's own. It
 * counts the system counter's ticks: the first time that WOR of them pass
 * without a refresh it raises WS0, an interrupt, the second time WS1, which
 * resets the board.
 */
#include <skerry/watchdog.h>

#include <asm/io.h>
#include <skerry/arch/mmu.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/time.h>

#define WRR 0x000 /* refresh frame: any write is one */

#define WCS    0x000 /* control frame */
#define WCS_EN BIT(0)
#define WOR    0x008

#define MAX_SECONDS 3600

static struct {
	u64 refresh; /* 0: not running */
	u64 period;
	struct timer timer;
} wdt;

void watchdog_refresh(void)
{
	if (wdt.refresh)
		mmio_write32(wdt.refresh + WRR, 0);
}

static void tick(struct timer *t)
{
	watchdog_refresh();
	timer_arm(t, time_now() + wdt.period);
}

void watchdog_init(void)
{
	int seconds = machine_get_number("watchdog=", 1, MAX_SECONDS);
	u64 control, wor = (u64)seconds * time_freq() / 2;

	if (seconds < 0)
		return;
	if (!machine.wdt_control) {
		log_warn("options: watchdog=%d: the board has no \"arm,sbsa-gwdt\"",
			 seconds);
		return;
	}
	/* 48 bits from revision 1 on, which is not worth telling apart. */
	if (wor > 0xffffffff) {
		wor = 0xffffffff;
		log_warn("options: watchdog=%d: %lu is the most", seconds,
			 2 * wor / time_freq());
	}
	control = (u64)mmu_map_device(PADDR(machine.wdt_control), PAGE_SIZE);
	wdt.refresh = (u64)mmu_map_device(PADDR(machine.wdt_refresh), PAGE_SIZE);
	/* Twice before WS0, which firmware may take for its own. */
	wdt.period = wor / 2;
	mmio_write32(control + WOR, (u32)wor);
	mmio_write32(control + WCS, WCS_EN);
	timer_init(&wdt.timer, tick);
	tick(&wdt.timer);
	log_line("watchdog: resets the board after %lu s without EL2",
		 2 * wor / time_freq());
}
