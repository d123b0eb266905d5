/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small macros used everywhere: bits and fields, alignment, error numbers,
 * single-copy accesses to shared memory. No state, no dependencies beyond the
 * compiler.
 */
#pragma once

#include <skerry/error.h>
#include <skerry/types.h>

#define BIT(n)	       (1UL << (n))
#define BITS(hi, lo)   ((~0UL >> (63 - (hi))) & (~0UL << (lo)))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define __must_check   __attribute__((warn_unused_result))
#define __noreturn     __attribute__((noreturn))
#define __unused       __attribute__((unused))
#define __cold	       __attribute__((cold))
#define __force_inline inline __attribute__((always_inline))
#define __noinline     __attribute__((noinline))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)
#define static_assert _Static_assert

/* A field is a mask; its shift is derived from it. */
#define field_shift(mask)     (__builtin_ctzl(mask))
#define field_get(mask, reg)  (((u64)(reg) & (mask)) >> field_shift(mask))
#define field_prep(mask, val) (((u64)(val) << field_shift(mask)) & (mask))

#define align_down(x, a) ((x) & ~((u64)(a)-1))
#define align_up(x, a)	 align_down((x) + (u64)(a)-1, a)
#define is_aligned(x, a) (!((x) & ((u64)(a)-1)))
#define div_up(x, n)	 (((x) + (n)-1) / (n))

#define min(a, b)                                                              \
	({                                                                     \
		__typeof__(a) min_a = (a);                                     \
		__typeof__(b) min_b = (b);                                     \
		min_a < min_b ? min_a : min_b;                                 \
	})
#define max(a, b)                                                              \
	({                                                                     \
		__typeof__(a) max_a = (a);                                     \
		__typeof__(b) max_b = (b);                                     \
		max_a > max_b ? max_a : max_b;                                 \
	})

#define container_of(ptr, type, member)                                        \
	((type *)((char *)(ptr)-offsetof(type, member)))

/* One load or store, never torn, repeated or cached by the compiler. */
#define READ_ONCE(x)	    (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)    (*(volatile __typeof__(x) *)&(x) = (v))
#define load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

#define PAGE_SHIFT 12
#define PAGE_SIZE  0x1000UL
#define FRAME_SIZE 0x200000UL /* what one ownership word covers */
#define GIB	   0x40000000UL
#define MIB	   0x100000UL
#define KIB	   0x400UL
