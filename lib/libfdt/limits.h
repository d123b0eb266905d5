/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that libfdt uses; the compiler's own header wants a libc's. */
#pragma once

#define INT_MAX	 __INT_MAX__
#define INT_MIN	 (-INT_MAX - 1)
#define UINT_MAX (2u * INT_MAX + 1u)
