/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped system instructions (EC 0x18) and the ID registers of guests. */
#pragma once

#include <skerry/util.h>

struct vcpu;

enum sysreg_result {
	SYSREG_DONE,  /* emulated: step over it */
	SYSREG_UNDEF, /* not for guests */
	SYSREG_AGAIN, /* a batch was done: execute it once more */
};

enum sysreg_result sysreg_emulate(struct vcpu *v, u32 iss);

/* ID_* of op0 3, op1 0, CRn 0, CRm 1 to 7 as a guest sees them. */
u64 idreg_read(unsigned int crm, unsigned int op2);
