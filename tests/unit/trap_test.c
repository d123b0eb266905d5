/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which handler each exception from a guest goes to, where the guest goes on
 * afterwards and which vCPU runs next; waiting in WFI and CPU_SUSPEND; calls
 * with any immediate; and the exceptions that the guest gets in return. The
 * file is included for its waiting. Stage-2 aborts are in decode_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpuhost.h"
#include "stophost.h"
#include <skerry/sched.h>

#include "../../arch/arm64/trap.c"

extern void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);

#define PC     0x40080000UL
#define VBAR   0xffff800008010800UL
#define HVC    field_prep(ESR_EC, 0x16)
#define SMC    field_prep(ESR_EC, 0x17)
#define WFX(n) (field_prep(ESR_EC, EC_WFX) | ESR_IL | (n))
#define SYSREG field_prep(ESR_EC, EC_SYSREG)

static struct cpu cpu;
struct cpu *host_this_cpu = &cpu;
static struct domain d;
static struct vcpu v, other;

/* What the others answer. */
static bool switches;		/* psci_call() */
static bool blocks;		/* and it was CPU_SUSPEND */
static bool off_in_irq;		/* the trace */
static bool contended;		/* sched_is_contended() */
static unsigned int pending_at; /* waits until the guest has an interrupt */
static unsigned int waits;
static unsigned int resched_at, contended_at;
static bool pending_when_blocked;
static bool blocked;
static enum sysreg_result sysreg_result;
static struct vcpu *next;

struct vcpu *sched_next(void)
{
	note("next");
	cpu.sched.resched = 0;
	return next;
}
void sched_block(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	note("block");
	blocked = true;
	cpu.sched.resched = 1;
}
void sched_wake(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	note("wake");
	blocked = false;
}
void sched_pass(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	/* The instruction is over when another vCPU runs. */
	assert_int_equal(vcpu->arch.regs.pc, PC + 4);
	note("pass");
	cpu.sched.resched = contended;
}
bool sched_is_contended(void)
{
	return contended;
}
void irq_handle(void)
{
	note("irq");
	if (off_in_irq)
		cpu.trace.on = 0;
	waits++;
	if (waits == resched_at)
		cpu.sched.resched = 1;
	if (waits == contended_at)
		contended = true;
}
bool vgic_has_pending(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	return blocked ? pending_when_blocked : waits >= pending_at;
}
bool psci_call(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	note("psci");
	v.blocked = blocks;
	return switches;
}
void ghost_check_domain(struct domain *dom)
{
	assert_ptr_equal(dom, &d);
}
void vgic_write_sgir(struct vcpu *vcpu, u64 val, bool group1)
{
	assert_ptr_equal(vcpu, &v);
	note("sgir %#lx %u", val, group1);
}
enum sysreg_result sysreg_emulate(struct vcpu *vcpu, u32 iss)
{
	assert_ptr_equal(vcpu, &v);
	note("sysreg %#x", iss);
	return sysreg_result;
}
void arch_fp_trap(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	note("fp");
}
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	return -ENOENT;
}
void log_line(const char *fmt, ...)
{
	char text[100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note("log %s", text);
}
void domain_log_once(struct domain *dom, const char *fmt, ...)
{
	assert_ptr_equal(dom, &d);
	note("log once %s", fmt);
}
void domain_crash(struct vcpu *vcpu, const char *fmt, ...)
{
	char text[100];
	va_list ap;

	assert_ptr_equal(vcpu, &v);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note("crash %s", text);
	cpu.sched.resched = 1;
}

STOPS_AS(panic)

void panic_regs(const struct el2_regs *regs, const char *text)
{
	panic("%s at %#lx", text, regs->pc);
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memset(&cpu, 0, sizeof(cpu));
	memset(&v, 0, sizeof(v));
	memset(&d, 0, sizeof(d));
	d.id = 2;
	v.domain = &d;
	v.arch.regs.pc = PC;
	v.arch.regs.pstate = SPSR_EL1H | BIT(30);
	for (unsigned int i = 0; i < 31; i++)
		v.arch.regs.x[i] = 0x1000 + i;
	reg_set("vbar_el1", VBAR);
	reg_set("sctlr_el1", BIT(23));
	reg_set("id_aa64mmfr1_el1", 0);
	reg_set("hcr_el2", HCR_VM);
	switches = blocks = contended = blocked = false;
	pending_when_blocked = false;
	pending_at = waits = resched_at = contended_at = 0;
	sysreg_result = SYSREG_DONE;
	next = &other;
	return 0;
}

static void note_trace(enum trace_event e, const struct vcpu *who, u32 arg)
{
	assert_ptr_equal(who, &v);
	note("%s %#x", e == TRACE_EXIT ? "exit" : "enter", arg);
	assert_true(e == TRACE_EXIT || (e == TRACE_ENTER && !arg));
}

/* The guest is at its vector for what is UNDEFINED. */
static void assert_undef(u64 elr)
{
	assert_int_equal(v.arch.regs.pc, VBAR + 0x200);
	assert_int_equal(v.arch.regs.pstate, 0x400003c5);
	assert_int_equal(reg_get("elr_el1"), elr);
	assert_int_equal(reg_get("spsr_el1"), SPSR_EL1H | BIT(30));
	assert_int_equal(reg_get("esr_el1"), BIT(25)); /* EC 0, IL */
}

static void assert_last_exit(u64 esr)
{
	assert_int_equal(v.arch.nr_exits, 1);
	assert_int_equal(v.arch.exits[0].esr, esr);
	assert_int_equal(v.arch.exits[0].pc, PC);
}

static void test_calls(void **state)
{
	(void)state;
	/* A short entry: the vCPU's pc is where it was long ago. */
	v.arch.regs.pc = 0x1234;
	reg_set("elr_el2", PC + 4);
	assert_ptr_equal(trap_call(&v, HVC), &v);
	assert_trace("psci\n");
	assert_int_equal(reg_get("elr_el2"), PC + 4);
	/* An SMC is not over yet when it traps, and must not come again. */
	reg_set("elr_el2", PC);
	assert_ptr_equal(trap_call(&v, SMC), &v);
	assert_trace("elr_el2=%#lx\npsci\n", PC + 4);
	assert_int_equal(v.arch.regs.pc, 0x1234);
}

/* What an immediate but 0 asks for is nobody's. */
static void test_call_immediates(void **state)
{
	(void)state;
	for (unsigned int n = 1; n < 0x10000; n++) {
		u64 ec = n & 1 ? SMC : HVC;

		setup(NULL);
		v.arch.regs.pc = 0x1234;
		v.arch.regs.pstate = 0;
		reg_set("elr_el2", n & 1 ? PC : PC + 4);
		reg_set("spsr_el2", SPSR_EL1H | BIT(30));
		assert_ptr_equal(trap_call(&v, ec | ESR_IL | n), &v);
		assert_null(strstr(events, "psci"));
		assert_undef(PC);
		/* The way out takes them from the registers. */
		assert_int_equal(reg_get("elr_el2"), VBAR + 0x200);
		assert_int_equal(reg_get("spsr_el2"), 0x400003c5);
	}
}

static void test_call_switches(void **state)
{
	(void)state;
	/* CPU_OFF, SYSTEM_OFF: another one, or none, if it has to stop. */
	switches = true;
	cpu.sched.resched = 1;
	assert_ptr_equal(trap_call(&v, HVC), &other);
	assert_trace("psci\nnext\n");
	next = NULL;
	cpu.sched.resched = 1;
	assert_null(trap_call(&v, HVC));
	assert_trace("psci\nnext\n");
	/* It did not. */
	assert_ptr_equal(trap_call(&v, HVC), &v);
	assert_trace("psci\n");
	/* CPU_SUSPEND waits. */
	blocks = true;
	pending_at = 1;
	assert_ptr_equal(trap_call(&v, HVC), &v);
	assert_trace("psci\nwfi\nirq\n");
	assert_false(v.blocked);
	/* What did not switch is not asked whether it blocks. */
	switches = false;
	cpu.sched.resched = 1;
	assert_ptr_equal(trap_call(&v, HVC), &v);
	assert_trace("psci\n");
}

static void test_irq(void **state)
{
	(void)state;
	assert_ptr_equal(trap_irq(&v), &v);
	assert_trace("irq\n");
	/* Whatever it was: also the guest's timer may wake another vCPU. */
	resched_at = 2;
	assert_ptr_equal(trap_irq(&v), &other);
	assert_trace("irq\nnext\n");
	assert_ptr_equal(trap_irq(&v), &v);
	assert_trace("irq\n");
}

/* Both ends, the second one only where it is the same vCPU that goes on. */
static void test_traced(void **state)
{
	(void)state;
	host_trace = note_trace;
	cpu.trace.on = 1;
	reg_set("elr_el2", PC + 4);
	assert_ptr_equal(trap_call(&v, HVC), &v);
	assert_trace("exit %#x\npsci\nenter 0\n", (u32)HVC);
	assert_ptr_equal(trap_irq(&v), &v);
	assert_trace("exit 0\nirq\nenter 0\n");
	assert_ptr_equal(trap_sync(&v, WFX(1)), &v);
	assert_trace("exit %#x\npass\nenter 0\n", (u32)WFX(1));
	cpu.sched.resched = 1;
	assert_ptr_equal(trap_irq(&v), &other);
	assert_trace("exit 0\nirq\nnext\n");
	/* Turned off meanwhile by another CPU. */
	off_in_irq = true;
	assert_ptr_equal(trap_irq(&v), &v);
	assert_trace("exit 0\nirq\n");
	off_in_irq = false;
	assert_ptr_equal(trap_irq(&v), &v);
	assert_trace("irq\n");
}

static void test_wfi_alone(void **state)
{
	(void)state;
	/* Nobody else: the CPU waits, with the vCPU loaded. */
	pending_at = 3;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &v);
	assert_trace("wfi\nirq\nwfi\nirq\nwfi\nirq\n");
	assert_int_equal(v.arch.regs.pc, PC + 4);
	/* It is pending already. */
	assert_ptr_equal(trap_sync(&v, WFX(0)), &v);
	assert_trace("%s", "");
	assert_int_equal(v.arch.regs.pc, PC + 8);
	assert_int_equal(v.arch.nr_exits, 0);
}

/* The same, as its guest is to be told apart from one that runs. */
static void test_wfi_trap(void **state)
{
	(void)state;
	d.wfi_trap = true;
	pending_at = 3;
	next = NULL;
	assert_null(trap_sync(&v, WFX(0)));
	assert_trace("block\nnext\n");
	d.wfi_trap = false;
}

static void test_wfi_blocks(void **state)
{
	(void)state;
	pending_at = 100;
	contended = true;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &other);
	assert_trace("block\nnext\n");
	assert_int_equal(v.arch.regs.pc, PC + 4);
	/* Asked to look again: its domain is stopping, perhaps. */
	setup(NULL);
	pending_at = 100;
	cpu.sched.resched = 1;
	next = NULL;
	assert_null(trap_sync(&v, WFX(0)));
	assert_trace("block\nnext\n");
	/* While it waits. */
	setup(NULL);
	pending_at = 100;
	resched_at = 2;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &other);
	assert_trace("wfi\nirq\nwfi\nirq\nblock\nnext\n");
	setup(NULL);
	pending_at = 100;
	contended_at = 1;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &other);
	assert_trace("wfi\nirq\nblock\nnext\n");
	/* An interrupt and a wake at once: it is not lost in a block. */
	setup(NULL);
	pending_at = resched_at = 1;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &other);
	assert_trace("wfi\nirq\nnext\n");
}

/* An interrupt between the last look and the block. */
static void test_wfi_late_interrupt(void **state)
{
	(void)state;
	pending_at = 100;
	contended = pending_when_blocked = true;
	next = &v;
	assert_ptr_equal(trap_sync(&v, WFX(0)), &v);
	assert_trace("block\nwake\nnext\n");
}

static void test_wfe(void **state)
{
	(void)state;
	assert_ptr_equal(trap_sync(&v, WFX(1)), &v);
	assert_trace("pass\n");
	v.arch.regs.pc = PC;
	contended = true;
	assert_ptr_equal(trap_sync(&v, WFX(1)), &other);
	assert_trace("pass\nnext\n");
}

static void test_sgi(void **state)
{
	/* MSR ICC_SGI1R_EL1: op0 3, op1 0, CRn 12, CRm 11, op2 5. */
	const u64 sgi1r = SYSREG | ESR_IL | 0x3a3016;

	(void)state;
	for (u64 rt = 0; rt < 32; rt++) {
		v.arch.regs.pc = PC;
		assert_ptr_equal(trap_sync(&v, sgi1r | rt << 5), &v);
		assert_trace("sgir %#lx 1\n", rt == 31 ? 0 : 0x1000 + rt);
		assert_int_equal(v.arch.regs.pc, PC + 4);
	}
	/* Not worth a line in a dump. */
	assert_int_equal(v.arch.nr_exits, 0);
	/* It woke a vCPU of this CPU's. */
	cpu.sched.resched = 1;
	assert_ptr_equal(trap_sync(&v, sgi1r), &other);
	/* A read, and any other register, are the table's. */
	for (unsigned int bit = 0; bit < 22; bit++) {
		u64 iss = 0x3a3016 ^ BIT(bit);

		if (bit >= 5 && bit < 10)
			continue;
		trace_clear();
		trap_sync(&v, SYSREG | ESR_IL | iss);
		assert_trace("sysreg %#lx\n", iss);
	}
}

static void test_sysregs(void **state)
{
	const u64 esr = SYSREG | ESR_IL | 0x123456;

	(void)state;
	assert_ptr_equal(trap_sync(&v, esr), &v);
	assert_trace("sysreg 0x123456\n");
	assert_int_equal(v.arch.regs.pc, PC + 4);
	assert_last_exit(esr);
	/* A step of a long one: once more. */
	setup(NULL);
	sysreg_result = SYSREG_AGAIN;
	assert_ptr_equal(trap_sync(&v, esr), &v);
	assert_trace("sysreg 0x123456\n");
	assert_int_equal(v.arch.regs.pc, PC);
	setup(NULL);
	sysreg_result = SYSREG_UNDEF;
	assert_ptr_equal(trap_sync(&v, esr), &v);
	assert_undef(PC);
}

/* Classes that nobody knows: never EL2's problem. */
static void test_every_class(void **state)
{
	(void)state;
	for (u64 ec = 0; ec < 64; ec++) {
		u64 esr = field_prep(ESR_EC, ec) | ESR_IL | ESR_ISS;

		if (ec == EC_WFX || ec == EC_FP || ec == EC_SYSREG ||
		    ec == EC_IABT_LOW || ec == EC_DABT_LOW)
			continue;
		setup(NULL);
		assert_ptr_equal(trap_sync(&v, esr), &v);
		assert_undef(PC);
		assert_last_exit(esr);
		assert_int_equal(v.arch.esr, esr);
	}
	setup(NULL);
	assert_ptr_equal(trap_sync(&v, field_prep(ESR_EC, EC_FP)), &v);
	assert_trace("fp\n");
	/* The instruction is executed again, now with FP. */
	assert_int_equal(v.arch.regs.pc, PC);
}

static void test_last_exits(void **state)
{
	(void)state;
	for (u64 i = 0; i < 20; i++) {
		v.arch.regs.pc = PC + i;
		trap_sync(&v, SYSREG | i);
	}
	assert_int_equal(v.arch.nr_exits, 20);
	for (u64 i = 12; i < 20; i++) {
		assert_int_equal(v.arch.exits[i % 8].esr, SYSREG | i);
		assert_int_equal(v.arch.exits[i % 8].pc, PC + i);
	}
}

/* A guest that is ended by its fault: what runs next is looked for. */
static void test_crash(void **state)
{
	(void)state;
	reg_set("far_el2", VBAR);
	reg_set("hpfar_el2", 0);
	assert_ptr_equal(trap_sync(&v, field_prep(ESR_EC, EC_IABT_LOW) | 7),
			 &other);
	assert_trace("crash no exception vectors: fetch at %#lx aborts\nnext\n",
		     VBAR);
}

static void test_asynchronous(void **state)
{
	(void)state;
	assert_ptr_equal(trap_fiq(&v, 0), &v);
	assert_trace("log once unexpected FIQ ignored\n");
	/* The guest gets it; it is not EL2's end. */
	v.arch.hcr = HCR_RW;
	reg_set("hcr_el2", HCR_RW | HCR_TVM);
	assert_ptr_equal(trap_serror(&v, 0xbe000011), &v);
	assert_trace("log once SError, ESR %%#lx, injected\nhcr_el2=%#lx\n",
		     HCR_RW | HCR_TVM | HCR_VSE);
	/* Also if it is put off before it can take it. */
	assert_int_equal(v.arch.hcr, HCR_RW | HCR_VSE);
	assert_int_equal(v.arch.regs.pc, PC);
	assert_ptr_equal(trap_aarch32(&v, 0x3800001), &other);
	assert_trace("crash exception from AArch32 EL1, ESR 0x3800001\nnext\n");
}

static void own(u64 kind, const char *text)
{
	struct el2_regs regs = {.pc = 0x800000001234};

	assert_stops(trap_own(kind, &regs), text);
}

static void test_own(void **state)
{
	(void)state;
	own(0, "panic: synchronous exception at 0x800000001234");
	own(1, "panic: unexpected interrupt at 0x800000001234");
	own(2, "panic: FIQ at 0x800000001234");
	own(3, "panic: SError at 0x800000001234");
	own(~0UL, "panic: SError at 0x800000001234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_calls, setup),
		cmocka_unit_test_setup(test_call_immediates, setup),
		cmocka_unit_test_setup(test_call_switches, setup),
		cmocka_unit_test_setup(test_irq, setup),
		cmocka_unit_test_setup(test_traced, setup),
		cmocka_unit_test_setup(test_wfi_alone, setup),
		cmocka_unit_test_setup(test_wfi_trap, setup),
		cmocka_unit_test_setup(test_wfi_blocks, setup),
		cmocka_unit_test_setup(test_wfi_late_interrupt, setup),
		cmocka_unit_test_setup(test_wfe, setup),
		cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_sysregs, setup),
		cmocka_unit_test_setup(test_every_class, setup),
		cmocka_unit_test_setup(test_last_exits, setup),
		cmocka_unit_test_setup(test_crash, setup),
		cmocka_unit_test_setup(test_asynchronous, setup),
		cmocka_unit_test_setup(test_own, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
