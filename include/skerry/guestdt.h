/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree that a guest is started with (kernel/guestdt.c). */
#pragma once

#include <skerry/util.h>

struct describe_guest;
struct domain;

/*
 * Into size bytes at buf, 8-byte aligned, from d's RAM and vCPUs. The ramdisk
 * of g, if any, will lie at initrd_ipa. -ENOSPC when buf is too small,
 * -EOPNOTSUPP for an interrupt controller that guests cannot be given.
 */
int guestdt_build(void *buf, u64 size, const struct domain *d,
		  const struct describe_guest *g, u64 initrd_ipa) __must_check;
