/* SPDX-License-Identifier: Apache-2.0 */
/* The EL2 physical timer (CNTHP) of the calling CPU. */
#pragma once

#include <skerry/util.h>

void arch_timer_set(u64 deadline);
void arch_timer_off(void);

/* Does the loaded vCPU's virtual timer assert its interrupt now? */
bool arch_vtimer_line(void);
