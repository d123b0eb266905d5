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
/* n bytes as 2 * n hexadecimal digits, terminated. */
void fmt_hex(char *buf, const void *data, size_t n);
/* In a function of `fmt, ...`: what it was given, as text; the length. */
#define fmt_args(buf, size, fmt)                                               \
	({                                                                     \
		va_list fmt_ap;                                                \
		int fmt_len;                                                   \
		va_start(fmt_ap, fmt);                                         \
		fmt_len = fmt_vsnprintf(buf, size, fmt, fmt_ap);               \
		va_end(fmt_ap);                                                \
		fmt_len;                                                       \
	})
