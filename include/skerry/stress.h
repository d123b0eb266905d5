/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders for guests at random times, from every CPU (CONFIG_STRESS). Options:
 * stress=SEED and lives=N, or faults=1 for a sweep of failing allocations.
 */
#pragma once

/* Every CPU, with its timer; does nothing without the options. */
void stress_init_cpu(void);
