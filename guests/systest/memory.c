/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses where nothing is, accesses that cannot be emulated, jumps out of
 * memory, FP/SIMD registers across traps, and console input.
 */
#include "systest.h"

/* Nothing of Xen's guest layout, and nothing of QEMU's machine, is here. */
#define HOLE 0x30000000ul

bool external_abort(struct fault *f, u64 ec, u64 far)
{
	if (!fault_end(f))
		return false;
	if (ESR_EC(f->esr) == ec && FSC(f->esr) == FSC_EXTERNAL &&
	    f->far == far && f->count == 1)
		return true;
	printf("# esr %lx far %lx, %u faults\n", f->esr, f->far, f->count);
	return false;
}

static void test_holes(void)
{
	struct fault f;
	struct range *last = &plat.mem[plat.nr_mem - 1];
	u64 end = last->base + last->size;

	fault_begin(&f);
	(void)read32(HOLE);
	ok(external_abort(&f, EC_DABT_CUR, HOLE), "load from a hole");
	fault_begin(&f);
	write64(HOLE + 8, 1);
	ok(external_abort(&f, EC_DABT_CUR, HOLE + 8), "store to a hole");
	ok(f.esr & BIT(6), "the syndrome says that it was a store");
	(void)read8(end - 1);
	fault_begin(&f);
	(void)read8(end);
	ok(external_abort(&f, EC_DABT_CUR, end), "the byte behind the RAM");
	fault_begin(&f);
	(void)read32(0);
	ok(external_abort(&f, EC_DABT_CUR, 0), "address 0");
	fault_begin(&f);
	(void)read32(0x7ffffffff0ul);
	ok(external_abort(&f, EC_DABT_CUR, 0x7ffffffff0ul),
	   "the end of the address space");
}

static void test_fetch(void)
{
	struct fault f;
	void (*nowhere)(void) = (void (*)(void))HOLE;

	mmu_allow_exec(HOLE);
	fault_begin(&f);
	nowhere();
	ok(external_abort(&f, EC_IABT_CUR, HOLE), "a jump to a hole");
}

static void test_no_syndrome(void)
{
	struct fault f;
	u64 a = plat.gicd;

	fault_begin(&f);
	asm volatile("ldp w1, w2, [%0]" ::"r"(a) : "x1", "x2", "memory");
	ok(external_abort(&f, EC_DABT_CUR, a), "LDP from a device");
	fault_begin(&f);
	asm volatile("mov x1, %0\n\tldr w2, [x1], #4" ::"r"(a)
		     : "x1", "x2", "memory");
	ok(external_abort(&f, EC_DABT_CUR, a), "LDR with writeback");
	fault_begin(&f);
	asm volatile("ldr q0, [%0]" ::"r"(a) : "v0", "memory");
	ok(external_abort(&f, EC_DABT_CUR, a), "a vector load");
	fault_begin(&f);
	asm volatile("stp xzr, xzr, [%0, #16]" ::"r"(a) : "memory");
	ok(external_abort(&f, EC_DABT_CUR, a + 16), "STP to a device");
	fault_begin(&f);
	(void)read32(a + 1);
	ok(fault_end(&f) && ESR_EC(f.esr) == EC_DABT_CUR,
	   "an unaligned device access");
	ok(read32(a + 4) != 0, "and the device still answers");
}

void test_memory(void)
{
	test_holes();
	test_fetch();
	test_no_syndrome();
}

/* --- FP/SIMD ---------------------------------------------------------------- */

/* Bits of v0 to v31 that are not `seed + number`, in all lanes. */
static u64 fp_check(u64 seed)
{
	static u64 regs[64];
	u64 bad = 0;

	asm volatile(
		"stp q0, q1, [%0, #0]\n\tstp q2, q3, [%0, #32]\n\t"
		"stp q4, q5, [%0, #64]\n\tstp q6, q7, [%0, #96]\n\t"
		"stp q8, q9, [%0, #128]\n\tstp q10, q11, [%0, #160]\n\t"
		"stp q12, q13, [%0, #192]\n\tstp q14, q15, [%0, #224]\n\t"
		"stp q16, q17, [%0, #256]\n\tstp q18, q19, [%0, #288]\n\t"
		"stp q20, q21, [%0, #320]\n\tstp q22, q23, [%0, #352]\n\t"
		"stp q24, q25, [%0, #384]\n\tstp q26, q27, [%0, #416]\n\t"
		"stp q28, q29, [%0, #448]\n\tstp q30, q31, [%0, #480]" ::"r"(regs)
		: "memory");
	for (u64 i = 0; i < 64; i++)
		bad |= regs[i] ^ (seed ? seed + i / 2 : 0);
	return bad;
}

static void fp_fill(u64 seed)
{
#define FILL(n) asm volatile("dup v" #n ".2d, %0" ::"r"(seed + n) : "v" #n);
	/* clang-format off */
	FILL(0) FILL(1) FILL(2) FILL(3) FILL(4) FILL(5) FILL(6) FILL(7)
	FILL(8) FILL(9) FILL(10) FILL(11) FILL(12) FILL(13) FILL(14) FILL(15)
	FILL(16) FILL(17) FILL(18) FILL(19) FILL(20) FILL(21) FILL(22) FILL(23)
	FILL(24) FILL(25) FILL(26) FILL(27) FILL(28) FILL(29) FILL(30) FILL(31)
	/* clang-format on */
}

#define FP_SEED 0x5add1e5000000100ul

void test_fp(void)
{
	fp_fill(FP_SEED);
	sysreg_write(fpcr, 0);
	for (int i = 0; i < 1000; i++) {
		psci(PSCI_VERSION, 0, 0, 0);
		(void)read32(plat.gicd + 4);
		if (plat.nr_cpus > 1)
			cpu_is_off(1);
	}
	ok(fp_check(FP_SEED) == 0, "FP/SIMD registers across 3000 traps");
	timer_set(now() + 500 * ticks_per_us());
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	irq_off();
	wfi();
	timer_stop();
	irq_on();
	gic_disable(plat.timer_intid[TIMER_VIRT]);
	ok(fp_check(FP_SEED) == 0, "FP/SIMD registers across WFI");
}

/* While others come and go: a second of looking, and of being preempted. */
void test_fp_long(void)
{
	u64 end = now() + 1000000 * ticks_per_us(), bad = 0, rounds = 0;

	fp_fill(FP_SEED);
	for (; now() < end; rounds++)
		bad |= fp_check(FP_SEED);
	ok(rounds > 1000 && bad == 0, "FP/SIMD registers over a second");
}

/* --- console input -------------------------------------------------------- */

#define UART_FR	     0x18
#define UART_FR_RXFE BIT(4)
#define UART_IMSC    0x38
#define UART_ICR     0x44
#define INT_RX	     BIT(4)
#define INT_RT	     BIT(6)

static char typed[64];
static u32 nr_typed, line_done;

static void receive(u32 intid)
{
	int c;

	(void)intid;
	while ((c = console_getc()) >= 0) {
		if (c == '\r' || c == '\n')
			WRITE_ONCE(line_done, 1);
		else if (nr_typed < sizeof(typed) - 1)
			typed[nr_typed++] = (char)c;
	}
	write32(plat.uart + UART_ICR, INT_RX | INT_RT);
}

/* One line polled, one line by interrupt; the test types both. */
void test_input(void)
{
	ok(read32(plat.uart + UART_FR) & UART_FR_RXFE, "no input at first");
	printf("TYPE 1\n");
	while (!line_done) {
		receive(0);
		cpu_relax();
	}
	typed[nr_typed] = '\0';
	printf("TYPED %s\n", typed);
	ok(nr_typed > 0, "input by polling");

	nr_typed = line_done = 0;
	irq_register(plat.uart_intid, receive);
	gic_enable(plat.uart_intid);
	write32(plat.uart + UART_IMSC, INT_RX | INT_RT);
	printf("TYPE 2\n");
	while (!READ_ONCE(line_done)) {
		irq_off();
		if (!READ_ONCE(line_done))
			wfi();
		irq_on();
	}
	write32(plat.uart + UART_IMSC, 0);
	typed[nr_typed] = '\0';
	printf("TYPED %s\n", typed);
	ok(nr_typed > 0, "input by interrupt");
	ok(irq_count(0, plat.uart_intid) > 0, "the interrupt came");
}
