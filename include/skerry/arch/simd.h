/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIMD and FP registers for EL2's own use, which is hashing alone
 * (kernel/sha256.c). They belong to some vCPU otherwise.
 */
#pragma once

/*
 * The calling CPU's SIMD registers are free for use until interrupts are taken
 * the next time: what a vCPU had in them is stored. In the EL2 worker only.
 */
void arch_simd_take(void);
