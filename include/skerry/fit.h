/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's image: a U-Boot FIT (doc/usage/fit in U-Boot's tree) of which one
 * configuration is signed. Reading and judging only; the parts are copied and
 * hashed by kernel/load.c. Nothing in the FIT is believed before its signature
 * has been checked, except what is needed to check it.
 *
 * Signed are, as mkimage does it: the root, the configuration, its images and
 * their hash nodes, and the names of properties (`hashed-strings`). The rules
 * beyond U-Boot's are in docs/security.md.
 */
#pragma once

#include <skerry/verify.h>

/* One image of the configuration; size 0: there is none. */
struct fit_part {
	u64 offset, size; /* in the FIT, bytes; offset a multiple of 4 */
	u8 hash[SHA256_SIZE];
};

struct fit_guest {
	struct fit_part kernel, ramdisk, dtb;
	const char *bootargs;	/* skerry,bootargs; in the FIT; "" if none */
	u32 version;		/* skerry,version; 0 if none */
	u8 digest[SHA256_SIZE]; /* of all that is signed: the measurement */
	const struct verify_key *key;
};

/* `<node of the FIT>: <reason>`, ready for the log. */
struct fit_error {
	char text[160];
};

/*
 * Check the FIT of at most `size` bytes at `fit` (8-byte aligned, not changing
 * meanwhile) and its configuration `config`, or the only one when NULL. 0;
 * -EINVAL for a malformed FIT, -EACCES for one that no key of the ring signed
 * or whose version is below min_version, -ENOMEM; then err says why and *out
 * is all zero. By the EL2 worker.
 */
int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *ring, struct fit_guest *out,
	     struct fit_error *err) __must_check;
