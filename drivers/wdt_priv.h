/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers/watchdog.c asks of the driver of one kind of watchdog. Its
 * frames are those of machine.wdt, mapped.
 */
#pragma once

#include <skerry/util.h>

struct wdt_driver {
	/*
	 * Once, whatever the options are: readies the registers and says why
	 * the board was reset; NULL if they do not tell.
	 */
	const char *(*probe)(const u64 *frame);
	/* To run from the first refresh on; seconds, or the most it can. */
	u32 (*start)(const u64 *frame, u32 seconds);
	/* Any CPU, any context, also at once. */
	void (*refresh)(const u64 *frame, u32 seconds);
};

extern const struct wdt_driver sbsa_wdt, imx_wdt, bcm2835_wdt;
