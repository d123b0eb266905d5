/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree that a guest is started with (kernel/guestdt.c). */
#pragma once

#include <skerry/util.h>

struct domain;

/* What is not to be seen from the domain itself. */
struct guestdt {
	const char *bootargs;
	bool vpl011;
	u64 initrd, initrd_size; /* IPA; size 0: none */
	/*
	 * Partial tree, 8-byte aligned: /passthrough and /aliases go into the
	 * guest's root, the phandle of /gic to its interrupt controller.
	 */
	const void *partial;
	u64 partial_size; /* 0: none */
};

/* `<node>: <reason>`, ready for the log. */
struct guestdt_error {
	char text[128];
};

/*
 * Into size bytes at buf, 8-byte aligned, from d's RAM and vCPUs. -ENOSPC when
 * buf is too small, -EINVAL for the partial tree, with the reason in err. Long
 * work with a large one: by the EL2 worker, in work_preempt().
 */
int guestdt_build(void *buf, u64 size, const struct domain *d,
		  const struct guestdt *in, struct guestdt_error *err)
	__must_check;
