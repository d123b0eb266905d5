/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: the per-CPU structure is a variable of the test. */
#pragma once

struct cpu;
extern struct cpu *host_this_cpu;

static inline struct cpu *arch_this_cpu(void)
{
	return host_this_cpu;
}
