/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end, line by line: reasons, registers, what a fault most likely is and
 * whence it came; frame records that are broken, loop or lie at the edge of a
 * stack; CPUs that panic at once and one that does so in panic; die().
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <skerry/util.h>

#undef CONFIG_PANIC_POWEROFF
#define CONFIG_PANIC_POWEROFF powers_off
static bool powers_off;

#include "../../kernel/panic.c"

/*
 * The image: 4 KiB of text, whose functions are the table's, and the boot
 * stack with its guard page below it.
 */
__asm__(".bss\n"
	".balign 4096\n"
	".globl image_start, text_end, boot_stack_guard, boot_stack_top\n"
	"image_start: .skip 4096\n"
	"text_end: .skip 4096\n"
	"boot_stack_guard: .skip 4096\n"
	".skip 8192\n"
	"boot_stack_top: .skip 4096\n"
	".section .rodata\n"
	".globl symtab_start, symtab_end, symtab_names\n"
	".balign 8\n"
	"symtab_start: .long 0, 0, 0x40, 5, 0x80, 11, 0x200, 15\n"
	"symtab_end:\n"
	"symtab_names: .asciz \"boot\", \"first\", \"mid\", \"last\"\n"
	".text\n");

#define MAX_LINES 64
#define ME	  2
#define OTHER	  5
#define PC(off)	  ((u64)image_start + (off))

struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus;
struct cpu *host_this_cpu;
static char lines[MAX_LINES][256];
static unsigned int nr_lines, next_line, nr_modes;
static u32 stopped[CONFIG_NR_CPUS]; /* reasons of IPIs */
static enum { RUNS, PARKED, OFF, REBOOTED } how;
static int option;
static u64 now, freq;
static unsigned int nr_keeps, nr_refreshes;
static jmp_buf out;
/* Once, at the first line or the first IPI. */
static void (*in_log)(void), (*in_ipi)(void), (*in_wait)(void);
static unsigned int nr_waits; /* that fail */
static u64 *stack;	      /* an EL2 stack between pages that fault */
#define STACK_WORDS (EL2_STACK_SIZE / 8)
static struct el2_regs regs;

static void once(void (**fn)(void))
{
	void (*f)(void) = *fn;

	*fn = NULL;
	if (f)
		f();
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_ERROR);
	/* No lock may be waited for from the first line on. */
	assert_int_not_equal(nr_modes, 0);
	/* Of a panic all lines are kept as such, of die() none. */
	assert_int_equal(nr_keeps, strncmp(fmt, "boot: ", 6) != 0);
	assert_in_range(nr_lines, 0, MAX_LINES - 1);
	va_start(ap, fmt);
	fmt_vsnprintf(lines[nr_lines++], sizeof(lines[0]), fmt, ap);
	va_end(ap);
	once(&in_log);
}
void console_panic_mode(void)
{
	nr_modes++;
}
void keep_panic(void)
{
	assert_int_equal(nr_lines && !host_this_cpu->in_panic, 0);
	nr_keeps = 1;
}
int machine_get_number(const char *name, u32 lowest, u32 most)
{
	assert_string_equal(name, "panic=");
	assert_int_equal(lowest, 0);
	assert_int_equal(most, 3600);
	return option;
}
u64 time_now(void)
{
	return now += 100000;
}
u64 time_freq(void)
{
	return freq;
}
void watchdog_refresh(void)
{
	nr_refreshes++;
	if (nr_waits) {
		nr_waits--;
		in_wait();
	}
}
void (*host_barrier)(const char *name);
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_in_range(cpu, 0, nr_cpus - 1);
	assert_int_not_equal(cpu, host_this_cpu->id);
	assert_int_equal(reasons, IPI_STOP);
	assert_int_equal(cpus[cpu].online, 1);
	stopped[cpu]++;
	once(&in_ipi);
}
void arch_cpu_park(void)
{
	how = PARKED;
	longjmp(out, 1);
}
void arch_poweroff(void)
{
	how = OFF;
	longjmp(out, 1);
}
void arch_reboot(void)
{
	how = REBOOTED;
	longjmp(out, 1);
}

static int setup(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	memset(stopped, 0, sizeof(stopped));
	memset(&regs, 0, sizeof(regs));
	memset(boot_stack_guard, 0, 3 * PAGE_SIZE);
	memset(stack, 0, EL2_STACK_SIZE);
	nr_cpus = 8;
	for (unsigned int i = 0; i < nr_cpus; i++) {
		cpus[i].id = i;
		cpus[i].online = i != 3; /* it never came */
	}
	host_this_cpu = &cpus[ME];
	host_this_cpu->stack_top = (u64)stack + EL2_STACK_SIZE;
	nr_lines = next_line = nr_modes = nr_keeps = nr_refreshes = 0;
	nr_waits = 0;
	option = reboot_after = -1;
	now = 5;
	freq = 1000000;
	in_log = in_ipi = NULL;
	powers_off = true;
	return 0;
}

static int map_stack(void **state)
{
	u8 *p = mmap(NULL, EL2_STACK_SIZE + 2 * PAGE_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (p == MAP_FAILED)
		return -1;
	stack = (u64 *)(p + PAGE_SIZE);
	return mprotect(stack, EL2_STACK_SIZE, PROT_READ | PROT_WRITE);
}

static __printf(1, 2) void expect(const char *fmt, ...)
{
	char want[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	assert_in_range(next_line, 0, nr_lines - 1);
	assert_string_equal(lines[next_line++], want);
}

static void expect_frame(u64 off, const char *name)
{
	expect("  %#018lx %s", PC(off), name);
}

static void expect_end(void)
{
	assert_int_equal(next_line, nr_lines);
}

/* How it ends. */
static int ends(void (*fn)(void))
{
	how = RUNS;
	if (!setjmp(out))
		fn();
	assert_int_not_equal(how, RUNS);
	return how;
}

static void fault(void)
{
	panic_regs(&regs, "fault");
}

static void frame(u64 *at, const void *next, u64 ret)
{
	at[0] = (u64)next;
	at[1] = ret;
}

/* The lines of a fault's backtrace from `fp` on; the first is PC's own. */
static void trace_from(const void *fp)
{
	nr_lines = 0;
	host_this_cpu->in_panic = 0;
	regs.pc = PC(0x90);
	regs.x[29] = (u64)fp;
	ends(fault);
	next_line = 10;
	expect("backtrace:");
	expect_frame(0x90, "mid+0x10");
}

static __noinline void panics(void)
{
	panic("%s at %#lx", "odd", 0x1234UL);
}

/* Its caller comes first; other CPUs that run are stopped, each once. */
static void test_panic(void **state)
{
	u64 pc;

	(void)state;
	host_this_cpu->stack_top = align_up((u64)__builtin_frame_address(0), 16) +
				   4096;
	assert_int_equal(ends(panics), OFF);
	expect("panic: odd at 0x1234");
	expect("CPU 2");
	expect("backtrace:");
	assert_true(nr_lines > 3);
	pc = strtoul(lines[3], NULL, 0);
	assert_in_range(pc, (u64)panics, (u64)panics + 256);
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(stopped[i], i < 8 && i != 3 && i != ME);
	setup(NULL);
	powers_off = false;
	assert_int_equal(ends(panics), PARKED);
}

static char long_text[300];

static void panics_at_length(void)
{
	panic("%s", long_text);
}

static void dies_at_length(void)
{
	die("%s", long_text);
}

static void test_long(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	ends(panics_at_length);
	assert_int_equal(strlen(lines[0]), strlen("panic: ") + 159);
	setup(NULL);
	ends(dies_at_length);
	assert_int_equal(strlen(lines[0]), strlen("boot: ") + 199);
}

static void dies(void)
{
	die("memory: bank %u is odd", 7);
}

/* One line. Nobody else runs yet who could be stopped. */
static void test_die(void **state)
{
	(void)state;
	assert_int_equal(ends(dies), OFF);
	expect("boot: memory: bank 7 is odd");
	expect_end();
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(stopped[i], 0);
	setup(NULL);
	powers_off = false;
	assert_int_equal(ends(dies), PARKED);
}

static void test_regs(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 31; i++)
		regs.x[i] = i;
	regs.sp = 0xaaa0;
	regs.pc = PC(0x44);
	regs.pstate = 0x3c9;
	regs.esr = 0x96000045;
	regs.far = ~0UL;
	assert_int_equal(ends(fault), OFF);
	expect("panic: fault: access to unmapped memory");
	expect("CPU 2: ESR 0x96000045 FAR 0xffffffffffffffff PC %#lx "
	       "SP 0xaaa0 PSTATE 0x3c9",
	       PC(0x44));
	for (unsigned int i = 0; i < 28; i += 4)
		expect("x%-2u %016x %016x %016x %016x", i, i, i + 1, i + 2,
		       i + 3);
	expect("x28 %016x %016x %016x", 28, 29, 30);
	expect("backtrace:");
	expect_frame(0x44, "first+0x4");
	expect_end();
	assert_int_equal(stopped[0], 1);
	setup(NULL);
	powers_off = false;
	assert_int_equal(ends(fault), PARKED);
}

/* By class, fault and address, as their kinds are told apart. */
static void test_explain(void **state)
{
	const u64 guard = (u64)boot_stack_guard, other = guard - 1;
	const u64 top = EL2_STACK_BASE;
	const struct {
		u64 ec, iss, far;
		const char *want;
	} cases[] = {
		{0x25, 0x07, top, "stack overflow"},
		{0x25, 0x47, top + 0x104fff, "stack overflow"},
		{0x25, 0x07, top - 1, "access to unmapped memory"},
		{0x25, 0x4f, guard, "stack overflow"},
		{0x25, 0x4f, guard + PAGE_SIZE - 1, "stack overflow"},
		{0x25, 0x4f, guard + PAGE_SIZE, "write to read-only memory"},
		{0x25, 0x4f, other, "write to read-only memory"},
		{0x25, 0x4c, 0, "write to read-only memory"},
		{0x25, 0x0f, 0, "access to unmapped memory"},
		{0x25, 0x44, 0, "access to unmapped memory"},
		{0x25, 0x06, 8, "access to unmapped memory"},
		{0x21, 0x0f, 0, "execution of data"},
		{0x21, 0x0f, guard, "execution of data"},
		{0x21, 0x06, 0, "access to unmapped memory"},
		{0x21, 0x06, top, "access to unmapped memory"},
		{0x3c, 0, 0, "breakpoint"},
		{0x3c, 0x4f, guard, "breakpoint"},
		{0x0e, 0, 0, "exception"},
		{0x2f, 0x4f, top, "exception"},
		{0x24, 0x4f, 0, "exception"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[64] = "panic: fault: ";

		setup(NULL);
		regs.esr = cases[i].ec << 26 | BIT(25) | cases[i].iss;
		regs.far = cases[i].far;
		ends(fault);
		expect("%s", strcat(want, cases[i].want));
	}
}

/* Of the call, not of what follows it: that may be another function. */
static void test_symbols(void **state)
{
	static const struct {
		u64 ret;
		const char *want;
	} cases[] = {
		{4, "boot+0x0"},     {0x40, "boot+0x3c"},
		{0x44, "first+0x0"}, {0x80, "first+0x3c"},
		{0x84, "mid+0x0"},   {0x200, "mid+0x17c"},
		{0x204, "last+0x0"}, {0x1000, "last+0xdfc"},
	};
	u64 *top = (u64 *)boot_stack_top;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		frame(top - 2 * (ARRAY_SIZE(cases) - i),
		      top - 2 * (ARRAY_SIZE(cases) - i - 1), PC(cases[i].ret));
	trace_from(top - 2 * ARRAY_SIZE(cases));
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		expect("  %#018lx %s", PC(cases[i].ret - 4), cases[i].want);
	expect_end();
}

/* What is no function of the image's has no name. */
static void test_no_symbol(void **state)
{
	(void)state;
	frame(stack, stack + 2, PC(0x1004));
	frame(stack + 2, stack + 4, PC(0));
	frame(stack + 4, stack + 6, 0x5004);
	trace_from(stack);
	expect("  %#018lx", PC(0x1000));
	expect("  %#018lx", PC(0) - 4);
	expect("  0x0000000000005000");
	expect_end();
}

/* A wild branch: its PC tells nothing, the link register does. */
static void test_wild_branch(void **state)
{
	(void)state;
	regs.pc = 0xdead0000;
	regs.x[30] = PC(0x104);
	frame(stack, NULL, PC(0x48));
	regs.x[29] = (u64)stack;
	ends(fault);
	next_line = 10;
	expect("backtrace:");
	expect("  0x00000000dead0000");
	expect_frame(0x100, "mid+0x80");
	expect_frame(0x44, "first+0x4");
	expect_end();
}

/* Where a frame record may lie; a stack's two edges, and beside them. */
static void test_stacks(void **state)
{
	u64 *end = stack + STACK_WORDS;
	u64 *boot = (u64 *)boot_stack_top;
	u64 *low = (u64 *)(boot_stack_guard + PAGE_SIZE);
	u64 *panic_stack = (u64 *)cpus[OTHER].panic_stack;
	u64 *const in[] = {stack,	end - 2,
			   low,		boot - 2,
			   panic_stack, (u64 *)(cpus + CONFIG_NR_CPUS) - 2};
	u64 *const beside[] = {stack - 2,
			       stack - 1,
			       end,
			       low - 2,
			       boot,
			       NULL,
			       (u64 *)(cpus + CONFIG_NR_CPUS),
			       (u64 *)cpus - 2};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(in); i++) {
		setup(NULL);
		frame(in[i], NULL, PC(0x48));
		trace_from(in[i]);
		expect_frame(0x44, "first+0x4");
		expect_end();
	}
	setup(NULL);
	frame(low - 2, NULL, PC(0x48));
	frame(boot, NULL, PC(0x48));
	stack[0] = PC(0x48); /* the second word of one that begins before */
	for (unsigned int i = 0; i < ARRAY_SIZE(beside); i++) {
		trace_from(beside[i]);
		expect_end();
	}
	/* A CPU that has no stack of its own yet. */
	host_this_cpu->stack_top = 0;
	trace_from((void *)~7UL);
	expect_end();
	trace_from((void *)~15UL);
	expect_end();
}

/* Half of it lies behind the stack, where a fault would end the panic. */
static void test_half(void **state)
{
	u64 *boot = (u64 *)boot_stack_top;

	(void)state;
	trace_from(stack + STACK_WORDS - 1);
	expect_end();
	boot[0] = PC(0x48);
	trace_from(boot - 1);
	expect_end();
}

/* Broken ones end it: none is read twice, nor ever more than some. */
static void test_broken(void **state)
{
	u64 *at = stack + 100;

	(void)state;
	/* A return address that is none: the first function's own caller. */
	frame(at, at + 2, PC(0x48));
	frame(at + 2, at + 4, 0);
	frame(at + 4, NULL, PC(0x48));
	trace_from(at);
	expect_frame(0x44, "first+0x4");
	expect_end();
	/* To itself; back; not aligned; nowhere. */
	const u64 next[] = {(u64)at, (u64)(at - 2), (u64)at + 12, ~0UL};

	frame(at - 2, at, PC(0x48));
	for (unsigned int i = 0; i < ARRAY_SIZE(next); i++) {
		frame(at, (void *)next[i], PC(0x48));
		trace_from(at);
		expect_frame(0x44, "first+0x4");
		expect_end();
	}
	for (unsigned int i = 0; i < 200; i += 2)
		frame(stack + i, stack + i + 2, PC(0x48));
	trace_from(stack);
	assert_int_equal(nr_lines, next_line + MAX_FRAMES);
}

/* As when printing faults: silence, and nobody is told once more. */
static void test_recursion(void **state)
{
	(void)state;
	in_log = fault;
	assert_int_equal(ends(panics), PARKED);
	assert_int_equal(nr_lines, 1);
	assert_int_equal(nr_modes, 1);
	assert_int_equal(stopped[0], 1);
	setup(NULL);
	in_ipi = panics;
	assert_int_equal(ends(fault), PARKED);
	assert_int_equal(nr_lines, 0);
	/* Whatever it was that panicked last, and when. */
	host_this_cpu->in_panic = 1;
	assert_int_equal(ends(panics), PARKED);
	assert_int_equal(ends(fault), PARKED);
	assert_int_equal(nr_lines, 0);
}

/* What CPU 5 does while CPU 2 is in panic. */
static void other_panics(void)
{
	jmp_buf was;

	memcpy(was, out, sizeof(was));
	host_this_cpu = &cpus[OTHER];
	assert_int_equal(ends(panics), OFF);
	host_this_cpu = &cpus[ME];
	memcpy(out, was, sizeof(was));
	how = RUNS;
}

/* Neither waits for the other, and each tells its own. */
static void test_at_once(void **state)
{
	(void)state;
	in_ipi = other_panics;
	regs.pc = PC(0x44);
	assert_int_equal(ends(fault), OFF);
	expect("panic: odd at 0x1234");
	expect("CPU 5");
	expect("backtrace:");
	expect("panic: fault: exception");
	assert_memory_equal(lines[next_line], "CPU 2:", 6);
	assert_string_equal(lines[nr_lines - 2], "backtrace:");
	assert_int_equal(stopped[ME], 1);
	assert_int_equal(stopped[OTHER], 1);
	assert_int_equal(stopped[0], 2);
	/* In the middle of a line's worth, too. */
	setup(NULL);
	in_log = other_panics;
	assert_int_equal(ends(fault), OFF);
	expect("panic: fault: exception");
	expect("panic: odd at 0x1234");
	expect("CPU 5");
	assert_true(cpus[ME].in_panic && cpus[OTHER].in_panic);
}

/* After that time, which is polled, and with the watchdog kept from it. */
static void test_reboot(void **state)
{
	static const int waits[] = {0, 1, 30, 3600};
	u64 from;

	for (unsigned int i = 0; i < ARRAY_SIZE(waits); i++) {
		setup(state);
		option = waits[i];
		panic_init();
		from = now;
		assert_int_equal(ends(fault), REBOOTED);
		assert_in_range(now - from, waits[i] * freq,
				waits[i] * freq + 300000);
		assert_in_range(nr_refreshes, waits[i] * 9, waits[i] * 10);
		next_line = nr_lines - 1;
		if (waits[i])
			expect("rebooting in %d s", waits[i]);
		else
			assert_null(strstr(lines[next_line], "rebooting"));
		assert_int_equal(stopped[0], 1);
		/* A board or description that is wrong stays so. */
		setup(state);
		option = waits[i];
		panic_init();
		assert_int_equal(ends(dies), OFF);
		assert_int_equal(nr_refreshes, 0);
	}
	/* A counter without a frequency. */
	setup(state);
	freq = 0;
	option = 5;
	panic_init();
	assert_int_equal(ends(panics), REBOOTED);
}

/* Panics of the dump, and of the wait: it ends, by a reboot if it can. */
static void test_reboot_recursion(void **state)
{
	option = 2;
	panic_init();
	in_log = fault;
	assert_int_equal(ends(panics), REBOOTED);
	assert_int_equal(nr_lines, 1);
	assert_true(now > 2 * freq);
	for (unsigned int i = 1; i < 9; i++) {
		setup(state);
		option = 2;
		panic_init();
		in_wait = i & 1 ? fault : panics;
		nr_waits = i;
		assert_int_equal(ends(panics), i < 3 ? REBOOTED : PARKED);
		assert_string_equal(lines[nr_lines - 1], "rebooting in 2 s");
		assert_int_equal(stopped[0], 1);
		assert_in_range(nr_refreshes, min(i, 3U), 24);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_panic, setup),
		cmocka_unit_test_setup(test_long, setup),
		cmocka_unit_test_setup(test_die, setup),
		cmocka_unit_test_setup(test_regs, setup),
		cmocka_unit_test_setup(test_explain, setup),
		cmocka_unit_test_setup(test_symbols, setup),
		cmocka_unit_test_setup(test_no_symbol, setup),
		cmocka_unit_test_setup(test_wild_branch, setup),
		cmocka_unit_test_setup(test_stacks, setup),
		cmocka_unit_test_setup(test_half, setup),
		cmocka_unit_test_setup(test_broken, setup),
		cmocka_unit_test_setup(test_recursion, setup),
		cmocka_unit_test_setup(test_at_once, setup),
		cmocka_unit_test_setup(test_reboot, setup),
		cmocka_unit_test_setup(test_reboot_recursion, setup),
	};

	return cmocka_run_group_tests(tests, map_stack, NULL);
}
