/* SPDX-License-Identifier: Apache-2.0 */
/* What libfdt and mbedTLS take from the C library's header of this name. */
#pragma once
#include <skerry/string.h>
