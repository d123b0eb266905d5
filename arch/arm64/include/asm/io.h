/* SPDX-License-Identifier: Apache-2.0 */
/* Device register accesses: one load or store of the exact width, no barrier. */
#pragma once

#include <skerry/types.h>

/* An "m" operand may have an offset, never writeback. */
#define MMIO_ACCESSORS(bits, size, reg)                                        \
	static inline u##bits mmio_read##bits(u64 addr)                        \
	{                                                                      \
		u##bits val;                                                   \
		__asm__ volatile("ldr" size " %" reg "0, %1"                   \
				 : "=r"(val)                                   \
				 : "m"(*(volatile u##bits *)addr)              \
				 : "memory");                                  \
		return val;                                                    \
	}                                                                      \
	static inline void mmio_write##bits(u64 addr, u##bits val)             \
	{                                                                      \
		__asm__ volatile("str" size " %" reg "1, %0"                   \
				 : "=m"(*(volatile u##bits *)addr)             \
				 : "r"(val)                                    \
				 : "memory");                                  \
	}

MMIO_ACCESSORS(16, "h", "w")
MMIO_ACCESSORS(32, "", "w")
MMIO_ACCESSORS(64, "", "x")
