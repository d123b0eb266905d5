/* SPDX-License-Identifier: Apache-2.0 */
/* Between build.c and load.c. */
#pragma once

#include <skerry/describe.h>

struct domain;

/*
 * Put kernel, ramdisk and device tree into the guest's RAM and set vCPU 0's
 * entry. Logs `refused: ...` itself.
 */
int load_guest(struct domain *d, const struct describe_guest *g) __must_check;
