/* SPDX-License-Identifier: Apache-2.0 */
/* Boot order and what the boot leaves behind for later lines of the log. */
#pragma once

#include <skerry/types.h>

/* From boot.S: DTB and image as loaded, CNTPCT_EL0 at entry. */
void init_main(u64 dtb, u64 image, u64 entry_tick);
/* The first vCPU is about to run: logs the boot time, once. */
void init_first_guest(void);
