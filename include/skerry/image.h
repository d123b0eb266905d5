/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests' images in memory: which modules there are and how long they are kept,
 * which keys may sign them, and the judgement of one. By the boot CPU, then by
 * the EL2 worker.
 */
#pragma once

#include <skerry/describe.h>
#include <skerry/fit.h>

/* An unsigned guest has three, a signed one a single one. */
#define IMAGE_MAX_MODULES (3 * CONFIG_MAX_DOMAINS)

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

/* An image that was judged; its load parts point into fit. */
struct image {
	struct load_image load;
	struct fit_guest fit;
};

/* RAM that modules occupy, and what judging them took. */
extern struct images {
	struct page_bank modules[IMAGE_MAX_MODULES]; /* size 0: freed */
	bool kept[IMAGE_MAX_MODULES]; /* for guests that start again */
	unsigned int nr_modules;
	u64 verify_ticks; /* on digests and signatures so far */
	u64 copy_ticks;	  /* on parts and trees, to guests' RAM so far */
} images;

/*
 * Boot: the modules of a description exist. Two guests may share one, whole;
 * -EEXIST when it overlaps by part, -ENOSPC when there are too many, and then
 * none was added.
 */
int image_add(const struct describe_guest *g) __must_check;
/* It may start again, or later: its modules are not given back. */
void image_keep(const struct describe_guest *g);
/* All of g's modules are still there. */
bool image_is_there(const struct describe_guest *g);
/* All are started: free what nobody keeps. */
void image_free_rest(void);
/* Boot: the ring of keys, without the revoked ones, and say so. */
void image_read_keys(const struct describe_chosen *c);
/*
 * Map and judge g's image. Logs `refused: ...` itself. While it is open nothing
 * may change the modules; load parts are valid until image_close(). The node
 * names are the description's.
 */
int image_open(const struct describe_guest *g, struct image *img) __must_check;
void image_close(const struct describe_guest *g);
