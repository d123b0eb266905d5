/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How mbedTLS asks whether the CPU has SHA-256 instructions, with the numbers
 * of Linux; arch/arm64/simd.c answers.
 */
#pragma once
#define AT_HWCAP   16
#define HWCAP_SHA2 (1UL << 6)
unsigned long getauxval(unsigned long type);
