/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making domains from descriptions: modules kept until all are built, vCPUs
 * placed on physical CPUs, memory allocated, scrubbed and filled.
 */
#pragma once

#include <skerry/describe.h>

/* An unsigned guest has three, a signed one a single one. */
#define BUILD_MAX_MODULES (3 * CONFIG_MAX_DOMAINS)

/* What the boot leaves behind; written by the boot CPU only. */
extern struct build {
	/* RAM that modules occupy, until all guests are built */
	struct page_bank modules[BUILD_MAX_MODULES];
	unsigned int nr_modules;
	enum when_all_off when_all_off;
	u64 scrub_ticks;  /* spent scrubbing so far */
	u64 verify_ticks; /* and on digests and signatures */
} build;

/* A part of a guest's image, in hypervisor memory that is mapped. */
struct load_part {
	struct page_bank at; /* size 0: there is none */
	const u8 *hash;	     /* the signed one; NULL: unsigned */
};
struct load_image {
	struct load_part kernel, ramdisk, dtb;
	const char *bootargs;
	const char *node; /* of the signed image; NULL: unsigned */
	/* Of all that is signed; or of all parts, made by load_guest(). */
	u8 digest[32];
};

/* Boot order: read all, then (with page ownership up) build and start all. */
void build_read(const void *fdt);
void build_all(void);
/* Scrub a domain's RAM, looking at interrupts, and free it. */
struct domain;
void build_release_ram(struct domain *d);
/*
 * kernel/load.c: put kernel, ramdisk and device tree into the guest's RAM,
 * compare their hashes and set vCPU 0's entry. Logs `refused: ...` itself; what
 * is in the RAM then is the caller's to scrub. By the EL2 worker.
 */
int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img) __must_check;
