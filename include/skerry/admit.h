/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deadline vCPUs fit on a CPU, and which parameters a vCPU may have.
 * Arithmetic alone: exact, without state, of bounded work. docs/admission.md.
 */
#pragma once

#include <skerry/sched.h>

#define ADMIT_MAX   64	  /* deadline vCPUs of a CPU */
#define ADMIT_STEPS 20000 /* of a demand test, each over all vCPUs */
#define ADMIT_WHOLE 1000000U

enum admit_verdict {
	ADMIT_FITS,
	ADMIT_OVER, /* more than the whole CPU in the long run */
	ADMIT_LATE, /* needs_us by by_us after all have woken together */
	ADMIT_MANY, /* more than ADMIT_MAX */
	ADMIT_LONG, /* not known after ADMIT_STEPS */
};

struct admit_result {
	enum admit_verdict verdict;
	u32 ppm; /* of the CPU, as admit_ppm(); not for ADMIT_MANY */
	u64 by_us, needs_us;
};

/*
 * Whether EDF keeps all deadlines of n vCPUs, all of which have a budget and
 * keep to admit_check(). By the EL2 worker: gives way, holding no lock.
 */
void admit_test(const struct sched_params *set, unsigned int n,
		struct admit_result *r);
/*
 * The sum of budget / period of at most ADMIT_MAX vCPUs in millionths, rounded
 * up: above ADMIT_WHOLE exactly where the sum is above 1.
 */
u32 admit_ppm(const struct sched_params *set, unsigned int n);
/* What n of them need within t us of a start of all, in us. */
u64 admit_demand(const struct sched_params *set, unsigned int n, u64 t);

/*
 * NULL where p is one that a vCPU may have; else the property to blame, as in a
 * description, and why.
 */
#define ADMIT_WHY 64
const char *admit_check(const struct sched_params *p, char why[ADMIT_WHY]);
/* The property of the n-th member of struct sched_params, and its range. */
const char *admit_range(unsigned int n, char why[ADMIT_WHY]);
/* For a line of what there is. */
#define ADMIT_TEXT 96
void admit_text(const struct sched_params *p, char text[ADMIT_TEXT]);
/*
 * p changes to what is not ADMIT_KEEP in `to`. A period alone sets the deadline
 * too; budget 0 alone makes a round-robin vCPU.
 */
#define ADMIT_KEEP ~0U
void admit_change(struct sched_params *p, const struct sched_params *to);
