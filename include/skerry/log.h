/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own messages: one call is one line on the console, with
 * the prefix `(sk) `. Takes RANK_LOG; callable from any context.
 */
#pragma once

#include <skerry/util.h>

__printf(1, 2) void log_line(const char *fmt, ...);
