/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's judgement of a guest's FIT, on the host: kernel/fit.c and
 * verify.c with the keys of a file (tools/genkeys.py --ring). `tools/mkboot
 * verify` calls it: fitcheck RING IMAGE [--config NAME] [--min-version N].
 * Exit status 0 accepted, 1 refused, 2 for usage.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skerry/arch/simd.h>
#include <skerry/fit.h>
#include <skerry/work.h>

struct ring_key {
	char name[32];
	u32 algo, bits, development, exponent;
	u8 fingerprint[SHA256_SIZE], point[512], rr[512];
};

/* Nobody else runs here. */
bool work_preempt(bool on)
{
	(void)on;
	return false;
}

void arch_simd_take(void)
{
}

static void *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	void *data = NULL;
	long end = -1;

	if (f && !fseek(f, 0, SEEK_END) && (end = ftell(f)) >= 0 &&
	    !fseek(f, 0, SEEK_SET))
		/* At the end of the page is the end of what may be read. */
		data = aligned_alloc(8, ((size_t)end + 16) & ~15UL);
	*size = (size_t)end;
	if (!data || fread(data, 1, *size, f) != *size) {
		fprintf(stderr, "fitcheck: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	fclose(f);
	return data;
}

static void read_ring(const char *path, struct verify_ring *ring)
{
	size_t size;
	const struct ring_key *from = read_file(path, &size);
	struct verify_key *keys = calloc(64, sizeof(*keys));

	ring->nr = (unsigned int)(size / sizeof(*from));
	if (!keys || !ring->nr || ring->nr > 64 || size % sizeof(*from)) {
		fprintf(stderr, "fitcheck: %s: not a ring of keys\n", path);
		exit(2);
	}
	for (unsigned int i = 0; i < ring->nr; i++) {
		keys[i] = (struct verify_key){
			.name = from[i].name,
			.algo = from[i].algo,
			.bits = from[i].bits,
			.development = from[i].development,
			.point = from[i].point,
			.rr = from[i].rr,
			.exponent = from[i].exponent,
		};
		memcpy(keys[i].fingerprint, from[i].fingerprint, SHA256_SIZE);
	}
	ring->keys = keys;
}

static const char *hex(const u8 *digest)
{
	static char text[2 * SHA256_SIZE + 1];

	for (int i = 0; i < SHA256_SIZE; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	return text;
}

/* What kernel/load.c does to the copy. */
static bool check_part(const u8 *fit, const char *name,
		       const struct fit_part *part)
{
	struct sha256 s;
	u8 digest[SHA256_SIZE];

	if (!part->size)
		return true;
	sha256_init(&s);
	sha256_update(&s, fit + part->offset, part->size);
	sha256_final(&s, digest);
	if (memcmp(digest, part->hash, SHA256_SIZE)) {
		printf("refused: %s: its data does not have the signed hash\n",
		       name);
		return false;
	}
	printf("%s: %lu bytes at %lu, sha256 %s\n", name, part->size,
	       part->offset, hex(digest));
	return true;
}

static int usage(void)
{
	fprintf(stderr, "usage: fitcheck RING IMAGE [--config NAME] "
			"[--min-version N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *config = NULL;
	u32 min_version = 0;
	struct verify_ring ring = {0};
	struct fit_guest guest;
	struct fit_error err;
	size_t size;
	const u8 *fit;

	if (argc < 3 || argc % 2 == 0)
		return usage();
	for (int i = 3; i < argc; i += 2) {
		if (!strcmp(argv[i], "--config"))
			config = argv[i + 1];
		else if (!strcmp(argv[i], "--min-version"))
			min_version = (u32)strtoul(argv[i + 1], NULL, 0);
		else
			return usage();
	}
	read_ring(argv[1], &ring);
	fit = read_file(argv[2], &size);
	if (fit_open(fit, size, config, min_version, &ring, &guest, &err)) {
		printf("refused: %s\n", err.text);
		return 1;
	}
	if (!check_part(fit, "kernel", &guest.kernel) ||
	    !check_part(fit, "ramdisk", &guest.ramdisk) ||
	    !check_part(fit, "fdt", &guest.dtb))
		return 1;
	printf("bootargs: %s\n", guest.bootargs);
	printf("key: %s (%s%s%s)\n", guest.key->name,
	       verify_algo_name(guest.key),
	       guest.key->algo == VERIFY_ECDSA_P256 ? "" : ", ",
	       verify_padding_name(guest.key));
	printf("version: %u\n", guest.version);
	printf("digest: %s\n", hex(guest.digest));
	return 0;
}
