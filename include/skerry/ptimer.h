/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' physical timer, CNTP_*_EL0 (Arm ARM D11.2.4), on EL2's own
 * timer. On the CPU that runs the vCPU only.
 */
#pragma once

#include <skerry/util.h>

struct vcpu;

/* In the order of their encodings, CNTP_TVAL_EL0 first. */
enum ptimer_reg { PTIMER_TVAL, PTIMER_CTL, PTIMER_CVAL };

void ptimer_vcpu_init(struct vcpu *v);
u64 ptimer_read(struct vcpu *v, enum ptimer_reg reg);
void ptimer_write(struct vcpu *v, enum ptimer_reg reg, u64 val);
struct domain_part;
extern const struct domain_part ptimer_part;
