/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three ways to stop: panic() for a fault of EL2's own, die() for a board
 * or loader that cannot work (boot only), assert()/check() for broken
 * invariants. A guest's mistake ends in domain_crash(), never here.
 */
#pragma once

#include <skerry/util.h>

struct el2_regs;

/* Reads the option panic=. */
void panic_init(void);
/* Prints reason, registers and backtrace, stops all CPUs. Any context. */
__noreturn __cold __printf(1, 2) void panic(const char *fmt, ...);
/* The same with the registers of the exception that caused it. */
__noreturn __cold void panic_regs(const struct el2_regs *regs, const char *why);
/* One line `boot: ...` and park: the description or board is at fault. */
__noreturn __cold __printf(1, 2) void die(const char *fmt, ...);

/* Always compiled in: for what would corrupt memory when wrong. */
#define check(cond)                                                            \
	do {                                                                   \
		if (unlikely(!(cond)))                                         \
			panic("%s:%d: check(%s)", __FILE__, __LINE__, #cond);  \
	} while (0)

/* Debug builds only; never on guest data. */
#define assert(cond)                                                           \
	do {                                                                   \
		if (CONFIG_DEBUG && unlikely(!(cond)))                         \
			panic("%s:%d: assert(%s)", __FILE__, __LINE__, #cond); \
	} while (0)
