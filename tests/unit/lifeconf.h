/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of the tests of lives, for every file that they link:
 * included after config.h by the command line (build.mk).
 */
#pragma once

#include <skerry/arch/layout.h>

#undef CONFIG_FAULT_INJECTION
#define CONFIG_FAULT_INJECTION 1
#undef CONFIG_ALLOW_UNSIGNED
#define CONFIG_ALLOW_UNSIGNED 1
/* Lock ranks, and the second map of page ownership. */
#undef CONFIG_DEBUG
#define CONFIG_DEBUG 1

#ifdef __SANITIZE_THREAD__ /* which has its own tables at our address */
#undef EL2_DIRECT_BASE
#define EL2_DIRECT_BASE 0x7e9000000000
#endif
