/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making domains from descriptions: modules kept until all are built, vCPUs
 * placed on physical CPUs, memory allocated, scrubbed and filled.
 */
#pragma once

#include <skerry/describe.h>

/* What the boot leaves behind; written by the boot CPU only. */
extern struct build {
	/* RAM that modules occupy, until all guests are built */
	struct page_bank modules[2 * CONFIG_MAX_DOMAINS];
	unsigned int nr_modules;
	enum when_all_off when_all_off;
	u64 scrub_ticks; /* spent scrubbing so far */
} build;

/* Boot order: read all, then (with page ownership up) build and start all. */
void build_read(const void *fdt);
void build_all(void);
/* Scrub a domain's RAM, looking at interrupts, and free it. */
struct domain;
void build_release_ram(struct domain *d);
/*
 * kernel/load.c: put kernel, ramdisk and device tree into the guest's RAM and
 * set vCPU 0's entry. Logs `refused: ...` itself.
 */
int load_guest(struct domain *d, const struct describe_guest *g) __must_check;
