/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: a register is what the test keeps at its address. */
#pragma once

#include <skerry/types.h>

#define MMIO_ACCESSORS(bits)                                                   \
	u##bits host_mmio_read##bits(u64 addr);                                \
	void host_mmio_write##bits(u64 addr, u##bits val);                     \
	static inline u##bits mmio_read##bits(u64 addr)                        \
	{                                                                      \
		return host_mmio_read##bits(addr);                             \
	}                                                                      \
	static inline void mmio_write##bits(u64 addr, u##bits val)             \
	{                                                                      \
		host_mmio_write##bits(addr, val);                              \
	}

MMIO_ACCESSORS(16)
MMIO_ACCESSORS(32)
MMIO_ACCESSORS(64)
