/* SPDX-License-Identifier: Apache-2.0 */
/* A branch that is decided at boot: what is written where, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <asm/static_branch.h>
#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>

#define NOP 0xd503201fU

/* As skerry.lds.S has it: text, the same through a window, and the table. */
static u32 text[64], window[64];
struct site {
	s32 from, to;
};
struct site branches_start[4];
extern struct site branches_end[];
__asm__(".globl branches_end\n.set branches_end, branches_start + 4 * 8");

static bool open;
static unsigned int nr_cleaned, nr_inval;

paddr_t image_pa(const void *sym)
{
	return PADDR(0x40200000UL + ((u64)sym - (u64)text));
}
void *mmu_window(unsigned int slot, paddr_t pa)
{
	assert_int_equal(slot, 0);
	assert_false(open);
	assert_in_range(pa.v, 0x40200000UL, 0x40200000UL + sizeof(text) - 4);
	open = true;
	return (char *)window + (pa.v - 0x40200000UL);
}
void mmu_window_close(unsigned int slot)
{
	assert_int_equal(slot, 0);
	assert_true(open);
	open = false;
}
/* What was written, before any CPU fetches it. */
void cache_clean_inval(const void *p, u64 size)
{
	const u32 *insn = p;

	assert_true(open);
	assert_int_equal(size, 4);
	assert_int_equal(*insn >> 26, 0x14000000U >> 26);
	assert_int_equal(nr_inval, 0);
	nr_cleaned++;
}
void cache_inval_icache_all(void)
{
	assert_false(open);
	nr_inval++;
}

static void set_site(unsigned int i, unsigned int from, unsigned int to)
{
	struct site *s = &branches_start[i];

	s->from = (s32)((u64)&text[from] - (u64)&s->from);
	s->to = (s32)((u64)&text[to] - (u64)&s->to);
}

static void test_take(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++)
		text[i] = window[i] = NOP;
	set_site(0, 0, 1);
	set_site(1, 10, 63);
	set_site(2, 63, 10);
	set_site(3, 20, 19);
	arch_take_branch();
	assert_int_equal(window[0], 0x14000001);
	assert_int_equal(window[10], 0x14000035);
	assert_int_equal(window[63], 0x17ffffcb);
	assert_int_equal(window[20], 0x17ffffff);
	assert_int_equal(nr_cleaned, 4);
	assert_int_equal(nr_inval, 1);
	for (unsigned int i = 0; i < 64; i++) {
		/* Nothing else, and not where it runs. */
		assert_int_equal(text[i], NOP);
		if (i != 0 && i != 10 && i != 63 && i != 20)
			assert_int_equal(window[i], NOP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
