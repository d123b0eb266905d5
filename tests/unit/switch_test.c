/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU changes vCPUs: each register is saved and loaded, in an order in which
 * no walk can mix two guests, no timer interrupt comes at the wrong moment and
 * no stale translation is hit; who owns the FP registers; a vCPU's first state;
 * and traps of WFI and WFE, which leave the rest of HCR_EL2 as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpuhost.h"
#include <skerry/cpu.h>
#include <skerry/domain.h>

/* clang-format off */
#define __asm__
#define volatile(...) note_asm(#__VA_ARGS__, 0, 0)
#include "../../arch/arm64/switch.c"
#undef volatile
#undef __asm__
/* clang-format on */

#define HCR_A	 (HCR_VM | HCR_RW | HCR_IMO | HCR_TSC)
#define HCR_B	 (HCR_VM | HCR_RW | HCR_IMO | HCR_TSW)
#define CPTR_FP	 0x1033ffUL /* RES1, TZ, TTA: FP runs */
#define CPTR_NFP 0x1037ffUL /* and TFP */

/* Every register that is a guest's own, and where it is kept. */
#define REG(field, name)                                                       \
	{                                                                      \
		name, offsetof(struct arch_sysregs, field)                     \
	}
static const struct {
	const char *name;
	size_t at;
} sysregs[] = {
	REG(sp_el0, "sp_el0"),
	REG(sp_el1, "sp_el1"),
	REG(elr_el1, "elr_el1"),
	REG(spsr_el1, "spsr_el1"),
	REG(sctlr, "sctlr_el1"),
	REG(cpacr, "cpacr_el1"),
	REG(ttbr0, "ttbr0_el1"),
	REG(ttbr1, "ttbr1_el1"),
	REG(tcr, "tcr_el1"),
	REG(mair, "mair_el1"),
	REG(amair, "amair_el1"),
	REG(vbar, "vbar_el1"),
	REG(esr, "esr_el1"),
	REG(far, "far_el1"),
	REG(afsr0, "afsr0_el1"),
	REG(afsr1, "afsr1_el1"),
	REG(par, "par_el1"),
	REG(contextidr, "contextidr_el1"),
	REG(tpidr_el0, "tpidr_el0"),
	REG(tpidrro_el0, "tpidrro_el0"),
	REG(tpidr_el1, "tpidr_el1"),
	REG(csselr, "csselr_el1"),
	REG(cntkctl, "cntkctl_el1"),
	REG(mdscr, "mdscr_el1"),
	REG(vmpidr, "vmpidr_el2"),
	REG(cntv_ctl, "cntv_ctl_el0"),
	REG(cntv_cval, "cntv_cval_el0"),
};

static struct cpu cpu;
extern void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);
struct cpu *host_this_cpu = &cpu;
static struct domain da, db;
static struct vcpu a, a2, b;
static u64 serror;
static char logged[160];

u64 arch_drain_serror(void)
{
	note("drain");
	return serror;
}
void arch_fp_save(struct arch_fpregs *fp)
{
	note("fp_save %s", fp == &a.arch.fp ? "a" : "b");
}
void arch_fp_load(const struct arch_fpregs *fp)
{
	note("fp_load %s", fp == &a.arch.fp ? "a" : "b");
}
void vgic_load(struct vcpu *v)
{
	/* What it does to other CPUs' requests goes by the current one. */
	assert_ptr_equal(cpu.current, v);
	note("vgic_load");
}
void vgic_unload(struct vcpu *v)
{
	assert_ptr_equal(cpu.current, v);
	note("vgic_unload");
}
void pvtime_publish(struct vcpu *v)
{
	assert_ptr_equal(v, cpu.current);
	note("pvtime");
}
void timer_arm_for(struct timer *t, u64 deadline, bool is_server)
{
	assert_true(t == &a.vtimer || t == &b.vtimer);
	note("timer_arm %#lx%s", deadline, is_server ? " server" : "");
}
void timer_cancel(struct timer *t)
{
	assert_ptr_equal(t, &cpu.current->vtimer);
	note("timer_cancel");
}
void ipi_send(unsigned int id, u32 reasons)
{
	note("ipi_send %u %u", id, reasons);
}
void domain_log_once(struct domain *d, const char *fmt, ...)
{
	va_list ap;

	assert_ptr_equal(d, a.domain);

	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

static u64 *field(struct vcpu *v, unsigned int i)
{
	return (u64 *)((char *)&v->arch.sys + sysregs[i].at);
}

/* No two registers of two vCPUs are alike. */
static u64 value(const struct vcpu *v, unsigned int i)
{
	return (v == &a ? 0xaa000000UL : 0xbb000000UL) + 0x10 * i + 8;
}

static void make(struct vcpu *v, struct domain *d, u64 hcr)
{
	memset(v, 0, sizeof(*v));
	v->domain = d;
	v->arch.hcr = hcr;
	v->arch.vttbr = (u64)d->id << 48 | 0x80000000UL;
	for (unsigned int i = 0; i < ARRAY_SIZE(sysregs); i++)
		*field(v, i) = value(v, i);
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memset(&cpu, 0, sizeof(cpu));
	cpu.id = 3;
	memset(&da, 0, sizeof(da));
	memset(&db, 0, sizeof(db));
	da.id = 1;
	da.cntvoff = 0x5000;
	db.id = 2;
	db.cntvoff = 0x70000;
	make(&a, &da, HCR_A);
	make(&b, &db, HCR_B);
	for (unsigned int i = 0; i < ARRAY_SIZE(sysregs); i++)
		reg_set(sysregs[i].name, 0xdead);
	reg_set("hcr_el2", HCR_RW);
	reg_set("id_aa64pfr0_el1", 0);
	reg_set("id_aa64mmfr1_el1", 0);
	serror = 0;
	logged[0] = 0;
	return 0;
}

static void load(struct vcpu *v)
{
	arch_vcpu_load(v);
	assert_ptr_equal(cpu.current, v);
}

static void test_every_register(void **state)
{
	(void)state;
	load(&a);
	for (unsigned int i = 0; i < ARRAY_SIZE(sysregs); i++) {
		assert_int_equal(reg_get(sysregs[i].name), value(&a, i));
		/* The guest changes it. */
		reg_set(sysregs[i].name, ~value(&a, i));
	}
	assert_int_equal(reg_get("vttbr_el2"), a.arch.vttbr);
	assert_int_equal(reg_get("cntvoff_el2"), 0x5000);
	assert_int_equal(reg_get("hcr_el2"), HCR_A);
	arch_vcpu_unload(&a);
	assert_null(cpu.current);
	load(&b);
	for (unsigned int i = 0; i < ARRAY_SIZE(sysregs); i++) {
		/* Of these two what is to be loaded is known. */
		bool kept = field(&a, i) == &a.arch.sys.mdscr ||
			    field(&a, i) == &a.arch.sys.vmpidr;

		assert_int_equal(*field(&a, i),
				 kept ? value(&a, i) : ~value(&a, i));
		assert_int_equal(*field(&b, i), value(&b, i));
		assert_int_equal(reg_get(sysregs[i].name), value(&b, i));
	}
	assert_int_equal(reg_get("hcr_el2"), HCR_B);
	/* Nothing that a vCPU has is in no row: 27 words, all of them. */
	static_assert(sizeof(struct arch_sysregs) == 8 * ARRAY_SIZE(sysregs),
		      "each field is tested");
}

/* The lines from `line` on are cut off the record and compared. */
static void assert_tail(const char *line, const char *want)
{
	size_t at = trace_at(line);

	assert_string_equal(events + at, want);
	events[trace_len = at] = 0;
}

/*
 * A53 1530924, A72 1319367: from the first change to the last one no walk is
 * made with the registers of one guest and the stage 2 of another.
 */
static void test_load_order(void **state)
{
	static const char head[] =
		"tcr_el1=0x800080\nisb\nsctlr_el1=0x30c50839\nisb\n"
		"vttbr_el2=0x1000080000000\nhcr_el2=0x80080011\n"
		"cntvoff_el2=0x5000\nisb\n";
	char line[64];

	(void)state;
	a.vtimer.node.rank = 1; /* armed */
	load(&a);
	assert_memory_equal(events, head, sizeof(head) - 1);
	/* Walks are on when all that they need is in place for sure. */
	assert_tail("tcr_el1=0xaa000088",
		    "tcr_el1=0xaa000088\nvgic_load\ntimer_cancel\n"
		    "cntv_cval_el0=0xaa0001a8\n"
		    "cntv_ctl_el0=0xaa000198\n"
		    "cptr_el2=0x1037ff\n"
		    "tlbi vmalle1\nic iallu\ndsb nsh\nisb\n");
	/* In between, the registers of EL1: each once, no barrier missing. */
	memmove(events, events + sizeof(head) - 1, trace_len - sizeof(head) + 2);
	trace_len -= sizeof(head) - 1;
	assert_string_equal(events + trace_len - 4, "isb\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(sysregs) - 2; i++) {
		if (!strcmp(sysregs[i].name, "tcr_el1"))
			continue;
		snprintf(line, sizeof(line), "%s=%#lx", sysregs[i].name,
			 value(&a, i));
		trace_at(line);
	}
}

/* Local stage-1 entries of another vCPU of the same VMID. */
static void test_local_tlb(void **state)
{
	(void)state;
	make(&a2, &da, HCR_A);
	load(&a);
	assert_ptr_equal(da.last_vcpu[3], &a);
	arch_vcpu_unload(&a);
	/* Others of other domains in between do not matter. */
	load(&b);
	arch_vcpu_unload(&b);
	trace_clear();
	load(&a);
	assert_null(strstr(events, "tlbi"));
	assert_tail("cptr_el2=0x1037ff", "cptr_el2=0x1037ff\nisb\n");
	cpu.current = NULL;
	trace_clear();
	load(&a2);
	assert_tail("tlbi vmalle1", "tlbi vmalle1\nic iallu\ndsb nsh\nisb\n");
	assert_ptr_equal(da.last_vcpu[3], &a2);
	/* By CPU. */
	cpu.id = 4;
	trace_clear();
	load(&a2);
	trace_at("tlbi vmalle1");
	assert_ptr_equal(da.last_vcpu[4], &a2);
	assert_ptr_equal(da.last_vcpu[3], &a2);
	assert_null(da.last_vcpu[2]);
}

/* Once for each load of one that has asked; others and the worker never. */
static void test_stolen_time(void **state)
{
	struct pvtime *st = (struct pvtime *)&da; /* not looked at here */

	(void)state;
	load(&a);
	assert_null(strstr(events, "pvtime"));
	arch_vcpu_unload(&a);
	a.pvtime = st;
	trace_clear();
	load(&a);
	assert_tail("pvtime", "pvtime\nisb\n");
	assert_null(strstr(events, "pvtime"));
	trace_clear();
	arch_vcpu_unload(&a);
	load(&b);
	assert_null(strstr(events, "pvtime"));
	/* A reset of the vCPU is not one of the machine. */
	cpu.current = NULL;
	arch_vcpu_reset(&a);
	assert_ptr_equal(a.pvtime, st);
}

static void test_woken_between(void **state)
{
	(void)state;
	load(&a);
	assert_null(strstr(events, "ipi"));
	cpu.sched.resched = 1;
	trace_clear();
	load(&a);
	/* Last of all, so that it is taken as soon as the guest runs. */
	assert_tail("ipi_send 3 2", "ipi_send 3 2\n");
	/* The worker has no slice, and looks for nothing but interrupts. */
	memset(&b, 0, sizeof(b));
	b.domain = &db;
	arch_worker_init(&b, NULL, 0xb00000004000);
	load(&b);
	assert_tail("ipi_send 3 2", "ipi_send 3 2\n");
}

static void test_unload_order(void **state)
{
	(void)state;
	load(&a);
	trace_clear();
	trace_reads = true;
	arch_vcpu_unload(&a);
	assert_memory_equal(events,
			    "drain\nmrs cntv_cval_el0\nmrs cntv_ctl_el0\n"
			    "cntv_ctl_el0=0\nisb\nvgic_unload\n",
			    strlen("drain\nmrs cntv_cval_el0\nmrs cntv_ctl_el0\n"
				   "cntv_ctl_el0=0\nisb\nvgic_unload\n"));
	/* From here on it is only read. */
	assert_null(strchr(strstr(events, "vgic_unload"), '='));
	assert_string_equal(logged, "");
}

/* EL2's timer stands in where the guest's would have fired. */
static void test_timer_stands_in(void **state)
{
	(void)state;
	for (u64 ctl = 0; ctl < 8; ctl++)
		for (unsigned int ready = 0; ready < 2; ready++) {
			bool fires = (ctl & 3) == CNT_CTL_ENABLE && !ready;

			setup(NULL);
			load(&b);
			b.sched.ready = ready;
			reg_set("cntv_cval_el0", 0x123000);
			reg_set("cntv_ctl_el0", ctl);
			trace_clear();
			arch_vcpu_unload(&b);
			assert_int_equal(b.arch.sys.cntv_ctl, ctl);
			assert_int_equal(b.arch.sys.cntv_cval, 0x123000);
			assert_int_equal(reg_get("cntv_ctl_el0"), 0);
			if (!fires) {
				assert_null(strstr(events, "timer_arm"));
				continue;
			}
			/* In physical time. */
			assert_order("vgic_unload", "timer_arm 0x193000");
		}
}

/* The wait begins when it leaves, whatever it has asked for. */
static void test_timer_of_past(void **state)
{
	(void)state;
	load(&b);
	b.sched.since = 0x200000;
	b.sched.server.budget = 1;
	reg_set("cntv_cval_el0", 1);
	reg_set("cntv_ctl_el0", CNT_CTL_ENABLE);
	trace_clear();
	arch_vcpu_unload(&b);
	assert_order("vgic_unload", "timer_arm 0x200000 server");
	assert_int_equal(b.arch.sys.cntv_cval, 1);
}

/* One that is parked as far away as can be, after a pause: it is not due. */
static void test_parked_timer(void **state)
{
	static const struct {
		u64 cval;
		const char *want;
	} cases[] = {
		{~0UL, "timer_arm 0xffffffffffffffff"},
		{~0x70000UL + 1, "timer_arm 0xffffffffffffffff"},
		{~0x70000UL, "timer_arm 0xffffffffffffffff"},
		{~0x70000UL - 1, "timer_arm 0xfffffffffffffffe"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(NULL);
		load(&b);
		reg_set("cntv_cval_el0", cases[i].cval);
		reg_set("cntv_ctl_el0", CNT_CTL_ENABLE);
		trace_clear();
		arch_vcpu_unload(&b);
		assert_order("vgic_unload", cases[i].want);
		assert_int_equal(b.arch.sys.cntv_cval, cases[i].cval);
	}
}

/* Of all vCPUs, whatever each was doing when the domain's time was set back. */
static void test_new_offset(void **state)
{
	(void)state;
	load(&b);
	reg_set("cntv_cval_el0", 0x123000);
	reg_set("cntv_ctl_el0", CNT_CTL_ENABLE);
	/* On its way out: it is loaded once more, which cancels this. */
	db.cntvoff = 0x90000;
	arch_vcpu_unload(&b);
	assert_order("vgic_unload", "timer_arm 0x1b3000");
	load(&b);
	assert_int_equal(reg_get("cntvoff_el2"), 0x90000);
	/* In its own time nothing has changed. */
	assert_int_equal(reg_get("cntv_cval_el0"), 0x123000);
	arch_vcpu_unload(&b);
	db.cntvoff = 0xa0000;
	arch_vcpu_reset(&b);
	load(&b);
	assert_int_equal(reg_get("cntvoff_el2"), 0xa0000);
}

static void test_serror(void **state)
{
	(void)state;
	a.id = 5;
	load(&a);
	serror = 1;
	arch_vcpu_unload(&a);
	assert_string_equal(logged, "SError taken while vCPU 5 was put off");
	/* The one that was to come to the guest may have, meanwhile. */
	a.arch.hcr |= HCR_VSE;
	load(&a);
	assert_int_equal(reg_get("hcr_el2"), HCR_A | HCR_VSE);
	reg_set("hcr_el2", HCR_A | HCR_TVM);
	arch_vcpu_unload(&a);
	assert_int_equal(a.arch.hcr, HCR_A | HCR_TVM);
}

static void fn(void)
{
}

static void test_worker(void **state)
{
	struct vcpu kept;

	(void)state;
	memset(&b, 0, sizeof(b));
	b.domain = &db;
	arch_worker_init(&b, fn, 0xb00000004000);
	assert_int_equal(b.arch.regs.pc, (u64)fn);
	assert_int_equal(b.arch.regs.pstate, 0x3c9); /* EL2h, DAIF */
	assert_int_equal(b.arch.el2_sp, 0xb00000004000);
	kept = b;
	load(&b);
	/*
	 * The last one's stage 2, but no walks any more; interrupts at EL2,
	 * before any can come.
	 */
	assert_trace("tcr_el1=%#lx\nisb\nsctlr_el1=%#lx\nhcr_el2=%#lx\nisb\n",
		     TCR_EPD0 | TCR_EPD1, SCTLR_EL1_RESET | SCTLR_M,
		     HCR_VM | HCR_RW | HCR_IMO | HCR_FMO | HCR_AMO);
	arch_vcpu_trap_wait(&b, true, true);
	arch_vcpu_trap_wait(&b, false, false);
	arch_vcpu_unload(&b);
	/* The registers are whoever's they were. */
	assert_trace("%s", "");
	assert_null(cpu.current);
	assert_memory_equal(&b, &kept, sizeof(b));
	arch_take_irqs();
	assert_trace("msr daifclr, #2\nisb\nmsr daifset, #2\n");
}

static void test_fp(void **state)
{
	(void)state;
	load(&a);
	assert_int_equal(reg_get("cptr_el2"), CPTR_NFP);
	trace_clear();
	/* EL2 may touch them only when the trap is off for sure. */
	arch_fp_trap(&a);
	assert_trace("cptr_el2=%#lx\nisb\nfp_load a\n", CPTR_FP);
	assert_ptr_equal(cpu.fp_owner, &a);
	/* They stay in the CPU; b does not use them. */
	arch_vcpu_unload(&a);
	load(&b);
	assert_int_equal(reg_get("cptr_el2"), CPTR_NFP);
	arch_vcpu_unload(&b);
	load(&a);
	assert_int_equal(reg_get("cptr_el2"), CPTR_FP);
	arch_vcpu_unload(&a);
	load(&b);
	trace_clear();
	arch_fp_trap(&b);
	assert_trace("cptr_el2=%#lx\nisb\nfp_save a\nfp_load b\n", CPTR_FP);
	assert_ptr_equal(cpu.fp_owner, &b);
	/* Its own: as a trap that was on its way would find it. */
	arch_fp_trap(&b);
	assert_trace("cptr_el2=%#lx\nisb\n", CPTR_FP);
}

static void assert_first_state(const struct vcpu *v, u64 hcr)
{
	static const u8 zero[sizeof(struct arch_fpregs)];
	const u64 *words = (const u64 *)&v->arch.sys;

	for (unsigned int i = 0; i < 31; i++)
		assert_int_equal(v->arch.regs.x[i], 0);
	assert_int_equal(v->arch.regs.pc, 0);
	assert_int_equal(v->arch.regs.pstate, 0x3c5); /* EL1h, DAIF */
	for (unsigned int i = 0; i < sizeof(v->arch.sys) / 8; i++) {
		if (&words[i] == &v->arch.sys.sctlr)
			assert_int_equal(words[i], 0x00c50078); /* M, C off */
		else if (&words[i] == &v->arch.sys.vmpidr)
			assert_int_equal(words[i], BIT(31) | 0x102);
		else
			assert_int_equal(words[i], 0);
	}
	assert_memory_equal(&v->arch.fp, zero, sizeof(zero));
	assert_int_equal(v->arch.hcr, hcr);
	assert_int_equal(v->arch.vttbr, 0x1000080042000UL);
	assert_int_equal(v->arch.nr_exits, 0);
	assert_int_equal(v->arch.el2_sp, 0);
}

static void test_reset(void **state)
{
	/* VM SWIO FMO IMO AMO FB BSU=IS TID3 TSC TIDCP TACR TSW RW */
	const u64 hcr = 0x807c063b;
	static const struct {
		u64 pfr0, mmfr1, hcr;
	} cpus_[] = {
		{0, 0, 0},
		{BIT(28), 0, BIT(36)}, /* RAS: TERR */
		{0, BIT(16), BIT(35)}, /* LORegions: TLOR */
		{BIT(29), BIT(19), BITS(36, 35)},
		{~BITS(31, 28), ~BITS(19, 16), 0},
	};

	(void)state;
	da.s2.vttbr = 0x1000080042000UL;
	for (unsigned int i = 0; i < ARRAY_SIZE(cpus_); i++) {
		reg_set("id_aa64pfr0_el1", cpus_[i].pfr0);
		reg_set("id_aa64mmfr1_el1", cpus_[i].mmfr1);
		memset(&a.arch, 0xa5, sizeof(a.arch));
		a.id = 0x12;
		/* What the registers hold of it is gone. */
		cpu.fp_owner = &a;
		arch_vcpu_reset(&a);
		assert_first_state(&a, hcr | cpus_[i].hcr);
		assert_null(cpu.fp_owner);
	}
	/* Another's are not. */
	cpu.fp_owner = &b;
	arch_vcpu_reset(&a);
	assert_ptr_equal(cpu.fp_owner, &b);
	assert_trace("%s", "");
	arch_vcpu_start(&a, IPA(0x40080000), 0x44000000);
	assert_int_equal(a.arch.regs.pc, 0x40080000);
	assert_int_equal(a.arch.regs.x[0], 0x44000000);
	assert_int_equal(a.arch.regs.x[1], 0);
	assert_int_equal(a.arch.regs.pstate, 0x3c5);
}

static void test_trap_wait(void **state)
{
	(void)state;
	/* Not loaded: when it is. */
	for (unsigned int n = 0; n < 4; n++) {
		u64 bits = (n & 1 ? HCR_TWI : 0) | (n & 2 ? HCR_TWE : 0);

		arch_vcpu_trap_wait(&a, n & 1, n & 2);
		assert_int_equal(a.arch.hcr, HCR_A | bits);
		assert_trace("%s", "");
	}
	/* Loaded: now, if there is anything to change. */
	load(&a);
	trace_clear();
	for (unsigned int n = 0; n < 4; n++) {
		u64 bits = (n & 1 ? HCR_TWI : 0) | (n & 2 ? HCR_TWE : 0);

		arch_vcpu_trap_wait(&a, n & 1, n & 2);
		assert_int_equal(a.arch.hcr, HCR_A | bits);
		assert_trace("hcr_el2=%#lx\n", HCR_A | bits);
		arch_vcpu_trap_wait(&a, n & 1, n & 2);
		assert_trace("%s", "");
	}
	/* Of another one that is loaded nothing changes. */
	arch_vcpu_trap_wait(&b, true, false);
	assert_trace("%s", "");
}

/* Bits that change in the register alone while it is loaded. */
static void test_trap_wait_keeps(void **state)
{
	static const u64 bits[] = {HCR_VSE, HCR_TVM, HCR_VSE | HCR_TVM};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		/* Set since it was loaded. */
		setup(NULL);
		load(&a);
		reg_set("hcr_el2", HCR_A | bits[i]);
		arch_vcpu_trap_wait(&a, true, false);
		assert_int_equal(reg_get("hcr_el2"), HCR_A | bits[i] | HCR_TWI);
		/* The guest took the SError; it switched its caches. */
		setup(NULL);
		a.arch.hcr |= bits[i];
		load(&a);
		reg_set("hcr_el2", HCR_A);
		arch_vcpu_trap_wait(&a, false, true);
		assert_int_equal(reg_get("hcr_el2"), HCR_A | HCR_TWE);
		arch_vcpu_unload(&a);
		assert_int_equal(a.arch.hcr, HCR_A | HCR_TWE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_register, setup),
		cmocka_unit_test_setup(test_load_order, setup),
		cmocka_unit_test_setup(test_local_tlb, setup),
		cmocka_unit_test_setup(test_stolen_time, setup),
		cmocka_unit_test_setup(test_woken_between, setup),
		cmocka_unit_test_setup(test_unload_order, setup),
		cmocka_unit_test_setup(test_timer_stands_in, setup),
		cmocka_unit_test_setup(test_timer_of_past, setup),
		cmocka_unit_test_setup(test_parked_timer, setup),
		cmocka_unit_test_setup(test_new_offset, setup),
		cmocka_unit_test_setup(test_serror, setup),
		cmocka_unit_test_setup(test_worker, setup),
		cmocka_unit_test_setup(test_fp, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_trap_wait, setup),
		cmocka_unit_test_setup(test_trap_wait_keeps, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
