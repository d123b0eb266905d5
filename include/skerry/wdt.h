/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's watchdog: the generic watchdog of BSA (Arm DEN0094, version 1 of
 * its registers). A domain has one when its description asks for it.
 */
#pragma once

#include <skerry/spinlock.h>
#include <skerry/time.h>

struct domain;

struct wdt {
	u32 ms;		      /* of the description; 0: there is none */
	struct spinlock lock; /* RANK_VCPU: what follows */
	struct timer timer;   /* only the CPU of vCPU 0 changes it, */
	u64 armed;	     /* with lock; when it fires at the latest, or ~0 */
	u64 offset, compare; /* WOR, WCV; these are in virtual time */
	u64 refreshed;	     /* when, for the log */
	u32 wcs;
	bool single; /* the guest has not set it up: one stage only */
};

/* Of d, not started yet; ms is not 0. d's vGIC is there. */
int wdt_init(struct domain *d, u32 ms) __must_check;
/*
 * All of these do nothing where there is no watchdog. Reset state: enabled,
 * with the description's timeout. d does not run.
 */
void wdt_reset(struct domain *d);
/* d starts now: so does its timeout. Any CPU. */
void wdt_start(struct domain *d);
/* d was paused and goes on by a new cntvoff: so does the period. Any CPU. */
void wdt_resume(struct domain *d);
/*
 * On the CPU of vCPU 0, which d, stopping, has left: the timer never fires
 * again before the next wdt_start(). Idempotent.
 */
void wdt_exit(struct domain *d);
/* IPI_WATCHDOG: another CPU wants timers of this one to fire sooner. */
void wdt_ipi(void);
struct domain_part;
extern const struct domain_part wdt_part;
