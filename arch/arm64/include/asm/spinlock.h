/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticket lock on one word: next ticket in 31:16, served ticket in 15:0.
 * Load-exclusives only, no LSE (Cortex-A53 and A72). Needs the MMU on.
 */
#pragma once

#include <skerry/types.h>

static inline void arch_spin_lock(u32 *lock)
{
	u32 val, next, fail;

	__asm__ volatile("1:	ldaxr	%w0, [%3]\n"
			 "	add	%w1, %w0, #0x10000\n"
			 "	stxr	%w2, %w1, [%3]\n"
			 "	cbnz	%w2, 1b\n"
			 "	eor	%w1, %w0, %w0, ror #16\n"
			 "	cbz	%w1, 3f\n"
			 /*
			  * Not our turn. ldaxrh arms the monitor, the holder's
			  * stlrh clears it, which is the event that ends wfe
			  * (Arm ARM B2.9.2); sevl makes the first wfe pass.
			  */
			 "	sevl\n"
			 "2:	wfe\n"
			 "	ldaxrh	%w1, [%3]\n"
			 "	eor	%w2, %w1, %w0, lsr #16\n"
			 "	cbnz	%w2, 2b\n"
			 "3:\n"
			 : "=&r"(val), "=&r"(next), "=&r"(fail)
			 : "r"(lock)
			 : "memory");
}

static inline void arch_spin_unlock(u32 *lock)
{
	u32 tmp;

	/* Release: pairs with the ldaxr or ldaxrh of the next holder. */
	__asm__ volatile("ldrh	%w0, [%1]\n"
			 "	add	%w0, %w0, #1\n"
			 "	stlrh	%w0, [%1]\n"
			 : "=&r"(tmp)
			 : "r"(lock)
			 : "memory");
}
