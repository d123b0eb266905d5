/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA. Line and zeroing block sizes come from the CPU. */
#include <skerry/arch/cache.h>
#include <skerry/string.h>
#include <asm/barrier.h>
#include <asm/cacheops.h>

void cache_clean_inval(const void *p, u64 size)
{
	u64 line = cache_line_size();
	u64 end = (u64)p + size;

	for (u64 a = align_down((u64)p, line); a < end; a += line)
		cache_civac(a);
	/* Complete before anyone reads with caches off; no other partner. */
	dsb(sy);
}

void cache_zero_clean(void *p, u64 size)
{
	u64 block = cache_zva_size();
	u64 a = (u64)p, end = a + size;

	if (!block || !is_aligned(a | size, block))
		memset(p, 0, size);
	else
		for (; a < end; a += block)
			cache_zva(a);
	cache_clean_inval(p, size);
}

void cache_inval_icache_all(void)
{
	/* What was cleaned to memory first, then forgotten by all I-caches. */
	dsb(ish);
	cache_iallu_is();
	dsb(ish);
	isb();
}
