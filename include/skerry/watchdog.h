/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's watchdog, when EL2 is to drive it (option watchdog=): it resets
 * the board when EL2's timers have not run on CPU 0 for so many seconds.
 */
#pragma once

#include <skerry/util.h>

/*
 * Why the board was reset, by the watchdog's registers; NULL if they do not
 * tell. Once, as soon as devices can be mapped: some are not to wait long.
 */
const char *watchdog_probe(void);
/* CPU 0, once, with its timers working. */
void watchdog_init(void);
/* Any CPU, any context; nothing when it is not running. */
void watchdog_refresh(void);
