/* SPDX-License-Identifier: Apache-2.0 */
/* As sched_sim_test.c, of which it is a small part, with the sanitizers. */
#define SIM_SETS   100
#define SIM_SHARES 10
#include "sched_sim_test.c"
