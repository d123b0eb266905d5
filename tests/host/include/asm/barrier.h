/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: barriers are recorded by name when the test has a recorder. */
#pragma once

extern void (*host_barrier)(const char *name);

#define host_bar(name)                                                         \
	do {                                                                   \
		if (host_barrier)                                              \
			host_barrier(name);                                    \
	} while (0)
#define dsb(scope) host_bar("dsb " #scope)
#define isb()	   host_bar("isb")
#define wfi()	   host_bar("wfi")
#define sev()	   host_bar("sev")
#ifdef HOST_THREADS
#include <sched.h>
#define cpu_relax() sched_yield()
#else
#define cpu_relax() host_bar("yield")
#endif
