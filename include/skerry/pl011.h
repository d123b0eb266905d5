/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver of the PL011 (Arm DDI 0183) as EL2's console. `base` is a virtual
 * address, or a physical one while the MMU is off. The loader has set baud
 * rate and pins.
 */
#pragma once

#include <skerry/util.h>

void pl011_putc_wait(u64 base, char c);
/* False when the FIFO is full. */
bool pl011_try_putc(u64 base, char c);
/* -1 when nothing was received. */
int pl011_getc(u64 base);
void pl011_init(u64 base);
/* Interrupt for received bytes, and for room in the FIFO when `tx`. */
void pl011_irq_mask(u64 base, bool tx);
