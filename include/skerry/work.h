/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long work of the hypervisor: placing and loading guests, scrubbing their
 * memory. One worker with a stack of its own does it on CPU 0, where it shares
 * the time with vCPUs by the same rules (sched.h). It runs with interrupts
 * masked, except in work_point(), where it is preempted.
 */
#pragma once

#include <skerry/list.h>

struct work {
	struct list node;
	void (*fn)(struct work *w);
};

#define WORKER_CPU 0

/* Boot CPU, with its scheduler and memory ready. */
void work_init(void);
/* fn(w) will be called once, by the worker. Any CPU, no RANK_SCHED held. */
void work_submit(struct work *w, void (*fn)(struct work *w));
/* Bytes to zero or to copy at once: some 8,000 instructions. */
#define WORK_PIECE (64 * KIB)
/* By the worker, between pieces of less than 14,000 instructions; holding no lock. */
void work_point(void);
/*
 * By the worker: while on it may be preempted anywhere, for what has no points
 * of its own. Holding no lock and no window but slot 1 (arch/mmu.h) meanwhile.
 * What it was before.
 */
bool work_preempt(bool on);
