/* SPDX-License-Identifier: Apache-2.0 */
/* What the architecture does at boot that no other header names. */
#pragma once

#include <skerry/util.h>

/* Once, with the machine known: firmware calls. */
void arch_init(void);
/* Every CPU: vectors, mitigations. */
void arch_init_cpu(void);
/* The UART of /chosen stdout-path into machine; false when there is none. */
bool arch_find_console(const void *fdt);

/* Affinity fields of the calling CPU's MPIDR_EL1. */
u64 arch_mpidr(void);
