/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A branch that is decided once at boot: a NOP at each place that asks, and a
 * B there once arch_take_branch() was called. There is one such decision.
 */
#pragma once

#include <skerry/util.h>

static __force_inline bool branch_is_taken(void)
{
	__asm__ goto("1:	nop\n"
		     "	.pushsection .branches, \"a\"\n"
		     "	.long	1b - ., %l[taken] - .\n"
		     "	.popsection"
		     :
		     :
		     :
		     : taken);
	return false;
taken:
	return true;
}

/* Boot CPU alone, before the first branch_is_taken() that is to be true. */
void arch_take_branch(void);
