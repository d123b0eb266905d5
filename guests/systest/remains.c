/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest leaves behind: one that fills its memory and its registers with
 * marks by which the test finds them in the board's RAM, and one that looks for
 * what a predecessor in its place had, of memory and of translations.
 */
#include "systest.h"

#define SPREAD 0x9e3779b97f4a7c15ul
#define STEP   (64ul << 10)

extern char _image_end[];

/* All that is neither the image nor the device tree at the end of the RAM. */
static struct range unused(void)
{
	u64 base = (u64)_image_end;

	return (struct range){base, (u64)plat.fdt - base};
}

/* Low bits tell the register; this is in none of the image's constants. */
static void mark_fp(u64 mark)
{
#define FILL(n) asm volatile("dup v" #n ".2d, %0" ::"r"(mark + n) : "v" #n);
	/* clang-format off */
	FILL(0) FILL(1) FILL(2) FILL(3) FILL(4) FILL(5) FILL(6) FILL(7)
	FILL(8) FILL(9) FILL(10) FILL(11) FILL(12) FILL(13) FILL(14) FILL(15)
	FILL(16) FILL(17) FILL(18) FILL(19) FILL(20) FILL(21) FILL(22) FILL(23)
	FILL(24) FILL(25) FILL(26) FILL(27) FILL(28) FILL(29) FILL(30) FILL(31)
	/* clang-format on */
}

/* For ever, with and without traps, and without a stack. */
static void __attribute__((noreturn)) hold(u64 mark)
{
	irq_off();
	asm volatile("mov x19, %0\n\tadd x20, x19, #1\n\t"
		     "add x21, x19, #2\n\tadd x22, x19, #3\n\t"
		     "add x23, x19, #4\n\tadd x24, x19, #5\n\t"
		     "add x25, x19, #6\n\tadd x26, x19, #7\n\t"
		     "add x27, x19, #8\n\tadd x28, x19, #9\n\t"
		     "1: mov x0, %1\n\thvc #0\n\t"
		     "mov x0, #10000\n\t"
		     "2: subs x0, x0, #1\n\tb.ne 2b\n\t"
		     "b 1b" ::"r"(mark),
		     "i"(PSCI_VERSION));
	__builtin_unreachable();
}

void test_remains(void)
{
	u64 mark = bootarg_num("mark", 1) * SPREAD, regs = ~mark & ~0xfffful;
	struct range r = unused();

	mark_fp(regs + 0x100);
	sysreg_write(tpidr_el0, regs + 0x200);
	sysreg_write(tpidrro_el0, regs + 0x201);
	for (u64 a = r.base; a < r.base + r.size; a += 8)
		WRITE_ONCE(*(u64 *)a, mark);
	dsb();
	printf("PLANTED %lu\n", r.size / 8);
	hold(regs);
}

/* former_mib=N: so much memory the predecessor had. */
void test_heir(void)
{
	struct range r = unused(), *last = &plat.mem[plat.nr_mem - 1];
	u64 end = plat.mem[0].base + (bootarg_num("former_mib", 0) << 20);
	u64 dirty = 0, answered = 0, tried = 0;

	for (u64 a = r.base; a < r.base + r.size; a += 8)
		dirty += READ_ONCE(*(u64 *)a) != 0;
	ok(!dirty, "memory is zero: %lu of %lu words", r.size / 8 - dirty,
	   r.size / 8);
	for (u64 a = last->base + last->size; a < end; a += STEP, tried++) {
		struct fault f;

		fault_begin(&f);
		(void)read64(a);
		answered += !fault_end(&f) || FSC(f.esr) != FSC_EXTERNAL;
	}
	ok(tried && !answered, "nothing behind it: %lu of %lu accesses fault",
	   tried - answered, tried);
}
