/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host tests: the constants are the target's; a register is what the test
 * keeps under its name, spelt as in the code.
 */
#pragma once

#include "../../../../arch/arm64/include/asm/sysreg.h"

/* What only tests give to the code. */
#define ESR_ABT_FNV BIT(10)
#define SCTLR_I	    BIT(12)

u64 host_sysreg_read(const char *name);
void host_sysreg_write(const char *name, u64 val);

#undef sysreg_read
#undef sysreg_write
#define sysreg_read(reg)       host_sysreg_read(#reg)
#define sysreg_write(reg, val) host_sysreg_write(#reg, (u64)(val))
