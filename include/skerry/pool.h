/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain's own memory inside the hypervisor: fixed size from creation, so no
 * guest can take more than its description granted. Pages come back to the
 * pool's free list; small objects are carved from pages and live as long as
 * the domain. Caller holds the domain's lock or is the only user.
 */
#pragma once

#include <skerry/util.h>

struct pool {
	u8 *base;
	u64 size, used; /* bytes ever carved */
	u64 *free_page; /* list through the first word */
	u64 nr_free;
};

/* `base` is zeroed memory, page-aligned. */
void pool_init(struct pool *p, void *base, u64 size);
/* Zeroed; NULL when exhausted. */
void *pool_alloc_page(struct pool *p);
void pool_free_page(struct pool *p, void *page);
void *pool_alloc(struct pool *p, u64 size, u64 align);
