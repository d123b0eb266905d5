/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that libfdt uses; the compiler's own header wants a libc's. */
#pragma once

#define INT_MAX __INT_MAX__
