/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of deadline vCPUs on schedhost.h's CPUs. Times in ms. */
#pragma once

#include "schedhost.h"

#define MS    (SEC / 1000)
#define US(n) ((u64)(n)*MS / 1000)

static inline struct sched_params params(u32 budget, u32 deadline, u32 period)
{
	return (struct sched_params){.weight = SCHED_WEIGHT,
				     .slice_us = SCHED_SLICE_US,
				     .budget_us = budget * 1000,
				     .deadline_us = deadline * 1000,
				     .period_us = period * 1000};
}
static inline void server(unsigned int i, u32 budget, u32 deadline, u32 period)
{
	struct sched_params p = params(budget, deadline, period);

	sched_set(&vcpus[i], &p);
}
static inline void extra(unsigned int i, u32 budget, u32 period, u32 weight)
{
	struct sched_params p = params(budget, period, period);

	p.extra_time = 1;
	p.weight = weight;
	sched_set(&vcpus[i], &p);
}
static inline void plain(unsigned int i)
{
	struct sched_params p = params(0, 0, 0);

	sched_set(&vcpus[i], &p);
}
static inline const struct sched_server *of(unsigned int i)
{
	return &vcpus[i].sched.server;
}
static inline u64 deadline_of(unsigned int i)
{
	return of(i)->release + of(i)->deadline;
}
/* Its job is done. */
static inline int done(void)
{
	return block();
}
/* It goes on, and nothing happens, but timers. */
static inline void passes(u64 ticks)
{
	u64 end = now + ticks;

	while (hosts[0].armed < end) {
		now = max(now, hosts[0].armed);
		runs();
	}
	now = end;
	runs();
}
/* What i has run, up to now. */
static inline u64 ran(unsigned int i)
{
	cpus[0].sched.resched = 1;
	runs();
	return vcpus[i].sched.ran;
}
