/* SPDX-License-Identifier: Apache-2.0 */
/* Physical interrupts at EL2: who gets what. */
#pragma once

#include <skerry/util.h>

/* The board's interrupts of EL2's own; each CPU once. */
void irq_init_cpu(void);
/*
 * Handle the highest pending interrupt of this CPU, if any. Not 0 when it was
 * an IPI: vCPUs may have been started or stopped.
 */
int irq_handle(void);
