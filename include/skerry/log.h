/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own messages: one call is one line on the console, with
 * the prefix `(sk) `, unless its level is above the option `loglevel=`. The
 * last LOG_SIZE bytes stay in memory. Takes RANK_LOG; callable from any
 * context.
 */
#pragma once

#include <skerry/util.h>

#define LOG_SIZE   16384
#define LOG_RECORD 320 /* longest: level, time, line */

/* A notice, an answer to a command or the end, is shown at any level. */
enum log_level {
	LOG_NOTICE,
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
	NR_LOG_LEVELS
};
extern const char *const log_levels[NR_LOG_LEVELS];

__printf(2, 3) void log_at(enum log_level level, const char *fmt, ...);
/* At LOG_INFO. */
__printf(1, 2) void log_line(const char *fmt, ...);
#define log_err(...)  log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARNING, __VA_ARGS__)

/*
 * What the ring keeps of a message: its level as a digit, the time of the
 * system counter in ms in so many columns, a space, the text. With the
 * console's lock, or in panic. Positions count bytes, and wrap.
 */
#define LOG_TIME 12
#define LOG_TEXT (1 + LOG_TIME + 1)
u32 log_end(void);
void log_append(enum log_level level, const char *text);
/* The message at *pos, which moves on; the oldest one if that is gone. */
bool log_read(u32 *pos, char r[LOG_RECORD]);
