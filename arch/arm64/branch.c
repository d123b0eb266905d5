/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites the places of asm/static_branch.h. */
#include <asm/static_branch.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/util.h>

#define INSN_B 0x14000000U /* and the distance in words, 26 bits */

/* Distances in bytes, each from where it stands (skerry.lds.S). */
struct site {
	s32 from, to;
};
extern const struct site branches_start[], branches_end[];

static const void *at(const s32 *distance)
{
	return (const char *)distance + *distance;
}

void arch_take_branch(void)
{
	for (const struct site *s = branches_start; s < branches_end; s++) {
		const char *from = at(&s->from), *to = at(&s->to);
		/* Text is never writable where it runs. */
		u32 *insn = mmu_window(0, image_pa(from));

		*insn = INSN_B | ((u32)((to - from) / 4) & (u32)BITS(25, 0));
		cache_clean_inval(insn, sizeof(*insn));
		mmu_window_close(0);
	}
	/* NOP and B may change while others run (Arm ARM B2.2.5). */
	cache_inval_icache_all();
}
