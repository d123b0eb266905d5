/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI 1.1 (DEN 0022) and SMCCC 1.2 (DEN 0028) as guests see them, by HVC #0
 * or SMC #0. Unknown functions answer NOT_SUPPORTED.
 */
#pragma once

#include <skerry/util.h>

struct vcpu;

#define PSCI_SUCCESS	    0L
#define PSCI_NOT_SUPPORTED  (-1L)
#define PSCI_INVALID_PARAMS (-2L)
#define PSCI_ALREADY_ON	    (-4L)
#define PSCI_ON_PENDING	    (-5L)
#define PSCI_INVALID_ADDR   (-9L)

/*
 * The call in v's x0.., result in x0 to x3. True when it may have stopped or
 * blocked v, so that the caller has to look what runs next.
 */
bool psci_call(struct vcpu *v);
/* Bits 0 to 2: SMCCC_ARCH_WORKAROUND_1 to 3 are offered to guests. */
unsigned int smccc_workarounds(void);
