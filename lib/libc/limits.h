/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that libraries name; the compiler's own header wants a libc's. */
#pragma once
#define CHAR_BIT  __CHAR_BIT__
#define INT_MAX	  __INT_MAX__
#define UINT_MAX  (2U * __INT_MAX__ + 1)
#define LONG_MAX  __LONG_MAX__
#define ULONG_MAX (2UL * __LONG_MAX__ + 1)
