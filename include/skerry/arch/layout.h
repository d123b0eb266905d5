/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's virtual address space (48 bits; docs/memory-map.md). Also included by
 * assembly and the linker script, so constants only. Of its stack the worker
 * uses 5,248 bytes at most, for an ECDSA signature.
 */
#pragma once

#define EL2_DIRECT_BASE	 0x400000000000
#define EL2_IMAGE_BASE	 0x800000000000
#define EL2_DEVICE_BASE	 0x900000000000
#define EL2_WINDOW_BASE	 0xa00000000000
#define EL2_STACK_BASE	 0xb00000000000
#define EL2_STACK_SIZE	 0x3000
#define EL2_STACK_STRIDE 0x10000
