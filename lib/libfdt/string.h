/* SPDX-License-Identifier: Apache-2.0 */
/* What libfdt finds as <string.h> in a build without a C library. */
#pragma once

#include <skerry/string.h>
