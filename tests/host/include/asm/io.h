/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: device registers are what the test makes of them. */
#pragma once

#include <skerry/types.h>

u64 host_mmio_read(u64 addr, unsigned int bits);
void host_mmio_write(u64 addr, u64 val, unsigned int bits);

#define mmio_read32(addr)	((u32)host_mmio_read(addr, 32))
#define mmio_read64(addr)	host_mmio_read(addr, 64)
#define mmio_write32(addr, val) host_mmio_write(addr, val, 32)
#define mmio_write64(addr, val) host_mmio_write(addr, val, 64)
