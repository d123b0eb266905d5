/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalar types. Host physical and guest physical addresses (IPA) are
 * one-member structs, so that the compiler refuses to mix them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

typedef struct {
	u64 v;
} paddr_t;
typedef struct {
	u64 v;
} ipa_t;

#define PADDR(x) ((paddr_t){(x)})
#define IPA(x)	 ((ipa_t){(x)})
