/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that guests are checked against, from CONFIG_GUEST_KEYS. */
#include <skerry/verify.h>

static const struct verify_key keys[] = {
#include <guest_keys.h>
};

static_assert(ARRAY_SIZE(keys) <= 64, "a mask of them is a u64");

const struct verify_ring verify_built_in = {
	.keys = keys,
	.nr = ARRAY_SIZE(keys),
};
