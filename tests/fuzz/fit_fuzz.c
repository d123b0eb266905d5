/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer on kernel/fit.c with a ring of fixed keys, whose private halves are
 * gone: the FITs of the corpus are all that is signed. Linked a second time
 * with ANY_SIGNATURE, where each signature is good, so that what follows is
 * reached.
 */
#include <stdlib.h>
#include <string.h>

#include <skerry/arch/simd.h>
#include <skerry/fit.h>
#include <skerry/work.h>

static const struct verify_key keys[] = {
#include "fuzz_keys.h"
};
static const struct verify_ring ring = {keys, ARRAY_SIZE(keys), 0};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

bool work_preempt(bool on)
{
	return false;
}

void arch_simd_take(void)
{
}

#ifdef ANY_SIGNATURE
int __wrap_verify_digest(const struct verify_key *k, const u8 *digest,
			 const void *sig, size_t size);

int __wrap_verify_digest(const struct verify_key *k, const u8 *digest,
			 const void *sig, size_t size)
{
	return 0;
}
#endif

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(const char *s, size_t room)
{
	require(strnlen(s, room) < room);
	for (; *s; s++)
		require(*s >= ' ' && *s <= '~');
}

static void check_part(const u8 *fit, size_t size, const struct fit_part *p)
{
	struct sha256 s;
	u8 digest[SHA256_SIZE];

	if (!p->size)
		return;
	require(p->offset % 4 == 0 && p->offset < size &&
		p->size <= size - p->offset);
	sha256_init(&s);
	sha256_update(&s, fit + p->offset, p->size);
	sha256_final(&s, digest);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const struct fit_guest zero;
	struct fit_guest g;
	struct fit_error err = {""};
	u8 *fit = malloc(size ?: 1);
	int ret;

	/* Aligned, and to the byte. */
	memcpy(fit, data, size);
	ret = fit_open(fit, size, size % 2 ? NULL : "conf-1", 0, &ring, &g,
		       &err);
	if (ret) {
		require(!memcmp(&g, &zero, sizeof(g)));
		require(err.text[0]);
		check_text(err.text, sizeof(err.text));
	} else {
		require(g.key && g.kernel.size);
		/* Signed, so that any characters are all right. */
		require(strnlen(g.bootargs, 1024) < 1024);
		check_part(fit, size, &g.kernel);
		check_part(fit, size, &g.ramdisk);
		check_part(fit, size, &g.dtb);
	}
	free(fit);
	return 0;
}
