/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated PL031 real-time clock (Arm DDI 0224): time of day, read-only. */
#pragma once

#include <skerry/util.h>

struct domain;

int pl031_init(struct domain *d) __must_check;
/* Seconds since 1970 now; the counter carries it on. Boot only. */
void pl031_set_base(u64 seconds);
struct domain_part;
extern const struct domain_part pl031_part;
