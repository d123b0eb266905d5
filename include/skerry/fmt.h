/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: %c %s %d %u %x %% with flags `0` (numbers), `-`, `#` (%x),
 * width, and length l, ll, z; tools/check_layers.py refuses others. Output is
 * always terminated; the result is the length that the whole text would have.
 */
#pragma once

#include <skerry/util.h>
#include <stdarg.h>

__printf(3, 0) int fmt_vsnprintf(char *buf, size_t size, const char *fmt,
				 va_list ap);
__printf(3, 4) int fmt_snprintf(char *buf, size_t size, const char *fmt, ...);
