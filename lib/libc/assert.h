/* SPDX-License-Identifier: Apache-2.0 */
/* static_assert() is the compiler's word in C23, and <skerry/util.h>'s here. */
#pragma once
#include <skerry/util.h>
