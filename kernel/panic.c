/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: reason, registers and a symbolised backtrace on the console, other
 * CPUs stopped. Takes no lock and trusts little.
 */
#include <skerry/panic.h>

#include <asm/barrier.h>
#include <skerry/arch/layout.h>
#include <skerry/console.h>
#include <skerry/cpu.h>
#include <skerry/fmt.h>
#include <skerry/keep.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/sections.h>
#include <skerry/time.h>
#include <skerry/watchdog.h>

#define MAX_FRAMES 24
#define MAX_WAIT   3600 /* seconds */

static int reboot_after = -1; /* option panic=, seconds */

/*
 * Written by tools/gensyms.py: function start offsets from image_start in
 * order, each with the offset of its name in symtab_names.
 */
struct symbol {
	u32 addr, name;
};
extern const struct symbol symtab_start[], symtab_end[];
extern const char symtab_names[];

static bool is_text(u64 pc)
{
	return pc >= (u64)image_start && pc < (u64)text_end;
}

static void print_frame(u64 pc)
{
	const struct symbol *lo = symtab_start, *hi = symtab_end;
	u64 off = pc - (u64)image_start;

	if (!is_text(pc) || lo == hi) {
		log_err("  %#018lx", pc);
		return;
	}
	while (hi - lo > 1) {
		const struct symbol *mid = lo + (hi - lo) / 2;

		if (mid->addr <= off)
			lo = mid;
		else
			hi = mid;
	}
	log_err("  %#018lx %s+%#lx", pc, symtab_names + lo->name,
		off - lo->addr);
}

/* A frame record lies in [lo, hi) with both of its words. */
static bool is_within(u64 fp, u64 lo, u64 hi)
{
	return fp >= lo && fp < hi && hi - fp >= 2 * sizeof(u64);
}

/* A frame record lies in a mapped stack: EL2 stacks or the image's data. */
static bool is_stack(u64 fp)
{
	u64 top = this_cpu()->stack_top;

	return is_aligned(fp, 8) &&
	       (is_within(fp, (u64)boot_stack_guard + PAGE_SIZE,
			  (u64)boot_stack_top) ||
		is_within(fp, (u64)cpus, (u64)(cpus + CONFIG_NR_CPUS)) ||
		is_within(fp, top - EL2_STACK_SIZE, top));
}

static void backtrace(u64 fp)
{
	for (unsigned int i = 0; i < MAX_FRAMES && is_stack(fp); i++) {
		const u64 *frame = (const u64 *)fp;

		if (!frame[1])
			break;
		/* The call, not the instruction after it. */
		print_frame(frame[1] - 4);
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
}

void panic_init(void)
{
	reboot_after = machine_get_number("panic=", 0, MAX_WAIT);
}

/* Interrupts may be what is broken: time is polled. */
static void wait_and_reboot(void)
{
	u64 start = time_now(), ticks = (u64)reboot_after * time_freq();

	if (reboot_after < 0)
		return;
	while (time_now() - start < ticks) {
		watchdog_refresh();
		cpu_relax();
	}
	/* If there is no way to reboot, the watchdog is one. */
	arch_reboot();
}

/* In panic() already nothing more can be told; in wait_and_reboot(), done. */
static void begin(void)
{
	struct cpu *cpu = this_cpu();

	if (cpu->in_panic++) {
		if (cpu->in_panic < 4)
			wait_and_reboot();
		arch_cpu_park();
	}
	keep_panic();
	console_panic_mode();
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (i != cpu->id && READ_ONCE(cpus[i].online))
			ipi_send(i, IPI_STOP);
}

static __noreturn void power_off(void)
{
	if (CONFIG_PANIC_POWEROFF)
		arch_poweroff();
	arch_cpu_park();
}

static __noreturn void end(void)
{
	if (reboot_after > 0)
		log_err("rebooting in %d s", reboot_after);
	wait_and_reboot();
	power_off();
}

void panic(const char *fmt, ...)
{
	char reason[160];

	begin();
	fmt_args(reason, sizeof(reason), fmt);
	log_err("panic: %s", reason);
	log_err("CPU %u", this_cpu()->id);
	log_err("backtrace:");
	backtrace((u64)__builtin_frame_address(0));
	end();
}

/* What a fault of EL2's own most likely is, by its address. */
static const char *explain(const struct el2_regs *r)
{
	u64 ec = r->esr >> 26, fsc = r->esr & 0x3c;

	if (ec == 0x25 &&
	    ((r->far >> 40) == (EL2_STACK_BASE >> 40) ||
	     align_down(r->far, PAGE_SIZE) == (u64)boot_stack_guard))
		return "stack overflow";
	if (ec == 0x25 && fsc == 0x0c && (r->esr & BIT(6)))
		return "write to read-only memory";
	if (ec == 0x21 && fsc == 0x0c)
		return "execution of data";
	if (ec == 0x25 || ec == 0x21)
		return "access to unmapped memory";
	if (ec == 0x3c)
		return "breakpoint";
	return "exception";
}

void panic_regs(const struct el2_regs *r, const char *why)
{
	begin();
	log_err("panic: %s: %s", why, explain(r));
	log_err("CPU %u: ESR %#lx FAR %#lx PC %#lx SP %#lx PSTATE %#lx",
		this_cpu()->id, r->esr, r->far, r->pc, r->sp, r->pstate);
	for (unsigned int i = 0; i < 28; i += 4)
		log_err("x%-2u %016lx %016lx %016lx %016lx", i, r->x[i],
			r->x[i + 1], r->x[i + 2], r->x[i + 3]);
	log_err("x28 %016lx %016lx %016lx", r->x[28], r->x[29], r->x[30]);
	log_err("backtrace:");
	print_frame(r->pc);
	if (!is_text(r->pc)) /* a wild branch: the link register tells whence */
		print_frame(r->x[30] - 4);
	backtrace(r->x[29]);
	end();
}

void die(const char *fmt, ...)
{
	char reason[200];

	fmt_args(reason, sizeof(reason), fmt);
	console_panic_mode();
	log_err("boot: %s", reason);
	power_off();
}
