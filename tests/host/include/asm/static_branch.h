/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: the decision is a variable. */
#pragma once

#include <skerry/types.h>

extern bool host_branch_taken;

static inline bool branch_is_taken(void)
{
	return host_branch_taken;
}

void arch_take_branch(void);
