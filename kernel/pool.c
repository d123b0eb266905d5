/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain's memory in the hypervisor: carve upwards from zeroed memory, keep
 * freed pages.
 */
#include <skerry/pool.h>

#include <skerry/fault.h>
#include <skerry/string.h>

void pool_init(struct pool *p, void *base, u64 size)
{
	*p = (struct pool){.base = base, .size = size};
}

void *pool_alloc(struct pool *p, u64 size, u64 align)
{
	/* Alignment of the address, not of the offset in the pool. */
	u64 start = align_up((u64)p->base + p->used, align) - (u64)p->base;

	if (fault_hits() || start > p->size || size > p->size - start)
		return NULL;
	/* Whole pages skipped for alignment are not lost. */
	for (u64 at = align_up(p->used, PAGE_SIZE); at + PAGE_SIZE <= start;
	     at += PAGE_SIZE)
		pool_free_page(p, p->base + at);
	p->used = start + size;
	return p->base + start;
}

void *pool_alloc_page(struct pool *p)
{
	u64 *page = p->free_page;

	/* One that is carved asks in pool_alloc(). */
	if (page && fault_hits())
		return NULL;
	if (!page)
		return pool_alloc(p, PAGE_SIZE, PAGE_SIZE);
	p->free_page = (u64 *)page[0];
	p->nr_free--;
	return memset(page, 0, PAGE_SIZE);
}

void pool_free_page(struct pool *p, void *page)
{
	*(u64 *)page = (u64)p->free_page;
	p->free_page = page;
	p->nr_free++;
}
