/* SPDX-License-Identifier: Apache-2.0 */
/* Physical interrupts at EL2: who gets what. */
#pragma once

#include <skerry/util.h>

/* The board's interrupts of EL2's own; each CPU once. */
void irq_init_cpu(void);
/*
 * Handle the highest pending interrupt of this CPU, if any. Whatever it was, it
 * may have made vCPUs ready, even the timer of the one that is loaded: in an LR
 * it may take the place of an interrupt that another one is to have now.
 */
void irq_handle(void);
