/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was started, in order: a digest of every guest image with the key that
 * vouched for it. Written by the EL2 worker only; never shortened.
 */
#pragma once

#include <skerry/describe.h>
#include <skerry/sha256.h>

struct measurement {
	const char *key; /* NULL: unsigned */
	u32 version;
	unsigned int domain;	       /* id */
	char name[DESCRIBE_NAME_SIZE]; /* of the guest */
	u8 digest[SHA256_SIZE];
};

/*
 * Entry by entry, each once; the oldest are kept when there is no room for
 * more.
 */
void measure_add(const struct measurement *m);
/* The n-th, or NULL. Any CPU. */
const struct measurement *measure_get(unsigned int n);
