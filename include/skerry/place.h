/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On which physical CPU each vCPU is, for as long as its guest may start again,
 * and what deadline vCPUs have of each CPU. All by the EL2 worker, but for
 * place_ppm(). docs/admission.md.
 */
#pragma once

#include <skerry/describe.h>

/*
 * A CPU for each vCPU of the guest in slot id, where it has none yet; g stays
 * as long as it has. Each vCPU may be on one of the CPUs that there are.
 * -ENOSPC when some CPU's time does not suffice: then `refused: ...` is logged,
 * and none has one.
 */
int place_guest(unsigned int id, const struct describe_guest *g) __must_check;
void place_free(unsigned int id);
unsigned int place_of(unsigned int id, unsigned int vcpu);
/*
 * The guest's sched[] has changed. -ENOSPC as above: then the caller takes that
 * back.
 */
int place_again(unsigned int id) __must_check;
/* What deadline vCPUs have of a CPU, in millionths. Any context. */
u32 place_ppm(unsigned int cpu);
