/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hostile guest: attacks are rows of a table, each a function that is one
 * round of nastiness and runs on all vCPUs at once. Exceptions are counted by
 * class and survived: an instruction is skipped, or attempt() ends. No heap,
 * and all that is random follows from the seed.
 */
#pragma once

#include "guest.h"

#define PAGE	    4096ul
#define CODE_WORDS  1024
#define INSN_RET    0xd65f03c0u
#define HOLE	    0x30000000ul /* nothing of a guest's layout is here */
#define NR_CLASSES  64
#define EC_WFX	    0x01
#define EC_ILLEGAL  0x0e
#define EC_SVC32    0x11
#define EC_SVC64    0x15
#define EC_IABT_LOW 0x20
#define EC_PC_ALIGN 0x22
#define EC_DABT_LOW 0x24
#define EC_BRK	    0x3c

/* Written by attempt() in vectors.S. */
struct recovery {
	u64 x19_x30[12], sp, daif;
};

/* Of each vCPU. */
struct me {
	struct recovery recovery; /* first: vectors.S */
	unsigned int cpu;
	u64 seed;
	bool trying;  /* in attempt() */
	u32 *code;    /* a page for generated code */
	u64 *scratch; /* two pages for what is destroyed */
	void (*irq)(struct me *me, bool fiq); /* NULL: end and disable it */
	/* Of the attack that runs. */
	u64 rounds, ops, irqs, fiqs, serrors;
	u64 classes[NR_CLASSES];
	u64 last_esr;
};

struct attack {
	const char *name;
	void (*round)(struct me *me);
	u64 must;     /* classes of exceptions that it has to bring */
	bool irqs;    /* and interrupts */
	bool restart; /* secondaries run one round and go off */
};

/* The page where times are read, and nothing else is done; or HOLE. */
extern u64 time_page;

u64 rnd(struct me *me);
u64 below(struct me *me, u64 n);
struct me *myself(void);
/* A value of the kind that breaks things. */
u64 bad_value(struct me *me);
/* An address where a guest has no business; RAM never. */
u64 bad_address(struct me *me);
/* fn(arg); false when an exception that cannot be skipped ended it. */
bool attempt(struct me *me, void (*fn)(u64), u64 arg);
/* What was written to me->code can be executed. */
void code_ready(const struct me *me, unsigned int words);
/* Calls code with x0 to x17 from args. */
u64 call_stub(u64 code, const u64 args[18]);
/* The interrupt controller as after reset, whatever was done to it. */
void gic_sane(void);
/* An attack's way with interrupts: ended, and the timer off. */
void timer_over(struct me *me, bool fiq);
/* GICv2: takes and ends what IAR does not give, as it is of group 1. */
u32 gic_end_group1(void);

void round_access(struct me *me);
void round_jump(struct me *me);
void round_user(struct me *me);
void round_sysreg(struct me *me);
void round_cache(struct me *me);
void round_call(struct me *me);
void round_psci(struct me *me);
void round_gic(struct me *me);
void round_spis(struct me *me);
void round_timer(struct me *me);
void round_table(struct me *me);
void round_hog(struct me *me);
void round_flood(struct me *me);
void round_nap(struct me *me);
void round_watchdog(struct me *me);
void round_burst(struct me *me);

/* Until when the attack goes on at least, in ticks. */
u64 attack_end(void);
