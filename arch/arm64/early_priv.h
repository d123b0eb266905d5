/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that run before the MMU is on, called from boot.S. */
#pragma once

#include <skerry/util.h>

/* Physical addresses; tables in .bss.page_aligned, see early.c. */
extern u64 boot_root[512], el2_root[512];

u64 early_map(void);
void early_wrong_el(const void *dtb, u64 el);
