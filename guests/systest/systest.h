/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance guest: one function per group of sub-tests, each prints TAP
 * lines. What a group needs beyond guests/lib is declared in its own file.
 */
#pragma once

#include "guest.h"

void test_psci(void);
void test_smccc(void);
void test_gic(void);
void test_gic_smp(void);
void test_timer(void);
void test_idregs(void);
void test_sysregs(void);
void test_memory(void);
void test_fp(void);
void test_fp_long(void);
void test_input(void);
void test_rtc(void);
void test_pvtime(void);
void test_stolen(void);
void test_watchdog(void);
void test_life(void);
void test_churn(void);
void test_pause(void);
void test_pause_smp(void);
void test_clock(void);
void test_remains(void);
void test_heir(void);
void test_wake(void);

/* These end in the guest's own ruin, or try to take others with it. */
void hostile_sweep(void);
void hostile_jump(void);
void hostile_vectors(void);
void hostile_storm(void);
void hostile_reset(void);
void hostile_undriven(void);
void hostile_unfed(void);
void hostile_flood(void);

/* The fault was one, of this class, at this address; ends it. */
bool external_abort(struct fault *f, u64 ec, u64 far);
/* Waits up to `us` for the word to reach `want`; interrupts as they are. */
bool wait_for(const u32 *word, u32 want, u64 us);
