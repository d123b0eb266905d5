/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host tests: the per-CPU structure is a variable of the test, or of each of
 * its threads with HOST_THREADS.
 */
#pragma once

struct cpu;
#ifdef HOST_THREADS
extern _Thread_local struct cpu *host_this_cpu;
#else
extern struct cpu *host_this_cpu;
#endif

static inline struct cpu *arch_this_cpu(void)
{
	return host_this_cpu;
}
