/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of vCPUs' shares of their CPUs (struct sched_params) while guests run.
 */
#pragma once

#include <skerry/guest.h>

/*
 * Order the worker to change parameters of a vCPU, or of all, to what is not
 * ADMIT_KEEP (admit.h), in this life and in later ones. Admission first: all
 * of it or nothing; the log tells. -EBUSY while another change is being looked
 * at, -ENOENT: no such vCPU, -EACCES: it does not start again.
 */
#define PARAMS_ALL_VCPUS ~0U
int params_change(unsigned int id, unsigned int vcpu,
		  const struct sched_params *to) __must_check;
