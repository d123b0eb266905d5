/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of kernel/trace.c, for tests of what calls trace(). Nothing comes
 * here unless the test has turned it on for its CPU, and takes it.
 */
#include <stdlib.h>

#include <skerry/trace.h>

void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);

void trace_put(enum trace_event e, const struct vcpu *v, u32 arg)
{
	if (!host_trace)
		abort();
	host_trace(e, v, arg);
}
