/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a domain from a description, and unmaking it: vCPUs placed on physical
 * CPUs, memory allocated, scrubbed and filled. All of it by the EL2 worker.
 */
#pragma once

#include <skerry/image.h>

struct domain;

/* As page_alloc_hyp() and page_free_hyp(), giving way at work points. */
void *build_alloc_hyp(u64 size);
void build_free_hyp(void *p, u64 size);
/* Ticks spent scrubbing so far. */
extern u64 build_scrub_ticks;

/*
 * *d becomes a domain of slot id with all its parts and scrubbed RAM, but no
 * contents. Where *d is one that build_stop() has left, of the same slot and
 * description, its memory is used again, and so are its CPUs; else these are
 * found first (place.h), and g stays while it has them. Logs `refused: ...`
 * itself; after an error nothing is left of it and *d is NULL.
 */
int build_domain(struct domain **d, unsigned int id,
		 const struct describe_guest *g) __must_check;
/*
 * No CPU runs *d, nobody finds it any more (cpu_sync()): end its parts and
 * scrub its RAM. Its memory stays its own.
 */
void build_stop(struct domain *d);
/* After build_stop(): all memory goes back. */
void build_free(struct domain *d);
/*
 * kernel/load.c: put kernel, ramdisk and device tree into the guest's RAM,
 * compare their hashes and set vCPU 0's entry. Logs `refused: ...` itself; what
 * is in the RAM then is the caller's to scrub. -ECANCELED when the guest was
 * ordered down meanwhile.
 */
int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img) __must_check;
