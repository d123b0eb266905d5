/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of the hypervisor, which the code under test does not come back from:
 * the test goes on behind the call. Included after <cmocka.h>.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static jmp_buf stopped;
static char why[256];
static bool may_stop;

#define STOPS_AS(name)                                                         \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		int len = snprintf(why, sizeof(why), "%s: ", #name);           \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		vsnprintf(why + len, sizeof(why) - (size_t)len, fmt, ap);      \
		va_end(ap);                                                    \
		if (!may_stop)                                                 \
			fail_msg("%s", why);                                   \
		may_stop = false;                                              \
		longjmp(stopped, 1);                                           \
	}

#define assert_stops(call, text)                                               \
	do {                                                                   \
		why[0] = 0;                                                    \
		may_stop = true;                                               \
		if (!setjmp(stopped)) {                                        \
			call;                                                  \
			fail_msg("came back: %s", text);                       \
		}                                                              \
		assert_string_equal(why, text);                                \
	} while (0)
