/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and dispatch of what brings a CPU from a guest to EL2. Handlers
 * never switch: they return the vCPU to run next.
 */
#include "arch_priv.h"
#include "decode.h"
#include "sysregs.h"

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/domain.h>
#include <skerry/irq.h>
#include <skerry/log.h>
#include <skerry/page.h>
#include <skerry/panic.h>
#include <skerry/psci.h>
#include <skerry/trace.h>

#define HVC_IMM	     BITS(15, 0)
#define VECTORS_SIZE 0x800

/*
 * On the way out of what may have made another vCPU ready, or stopped v: v
 * again, or what is to run now. Another CPU that asks sends an IPI.
 */
static struct vcpu *next_vcpu(struct vcpu *v)
{
	return likely(!READ_ONCE(this_cpu()->sched.resched)) ? v : sched_next();
}

/*
 * A trapped WFI or CPU_SUSPEND. Where nobody else is ready, v waits here and
 * stays loaded, unless that is to be told from running; interrupts are polled,
 * as WFI wakes although they are masked (Arm ARM D1.7.2).
 */
static __noinline struct vcpu *wait(struct vcpu *v)
{
	const struct sched_cpu *c = &this_cpu()->sched;

	v->blocked = false;
	while (!vgic_has_pending(v)) {
		if (sched_is_contended() || sched_is_server(&v->sched) ||
		    v->domain->wfi_trap || READ_ONCE(c->resched)) {
			sched_block(v);
			/* What came before was told to a ready vCPU. */
			if (vgic_has_pending(v))
				sched_wake(v);
			break;
		}
		wfi();
		irq_handle();
	}
	return next_vcpu(v);
}

/*
 * Both ends of an exit. Off, it costs one look: the handlers are apart, so
 * that they are there once, and branched to.
 */
static __noinline struct vcpu *traced(struct vcpu *v, u64 esr,
				      struct vcpu *(*handle)(struct vcpu *v,
							     u64 esr))
{
	struct vcpu *next;

	trace(TRACE_EXIT, v, (u32)esr);
	next = handle(v, esr);
	if (next == v)
		trace(TRACE_ENTER, v, 0);
	return next;
}

static bool is_traced(void)
{
	return unlikely(READ_ONCE(this_cpu()->trace.on));
}

static __noinline struct vcpu *handle_call(struct vcpu *v, u64 esr)
{
	/* SMC traps with ELR at the SMC itself (Arm ARM D1.4.3). */
	if (esr & BIT(26)) /* EC 0x17, not 0x16 */
		sysreg_write(elr_el2, sysreg_read(elr_el2) + 4);
	if (unlikely(esr & HVC_IMM)) {
		/* Neither SMCCC nor, in this version, Xen's HVC #0xEA1. */
		v->arch.regs.pc = sysreg_read(elr_el2) - 4;
		v->arch.regs.pstate = sysreg_read(spsr_el2);
		arch_inject_undef(v);
		sysreg_write(elr_el2, v->arch.regs.pc);
		sysreg_write(spsr_el2, v->arch.regs.pstate);
		return v;
	}
	if (CONFIG_DEBUG)
		ghost_check_domain(v->domain);
	if (likely(!psci_call(v)))
		return v;
	return v->blocked ? wait(v) : next_vcpu(v);
}

struct vcpu *trap_call(struct vcpu *v, u64 esr)
{
	return is_traced() ? traced(v, esr, handle_call) : handle_call(v, esr);
}

static __noinline struct vcpu *handle_irq(struct vcpu *v, u64 none __unused)
{
	irq_handle();
	return next_vcpu(v);
}

struct vcpu *trap_irq(struct vcpu *v)
{
	if (is_traced())
		return traced(v, 0, handle_irq);
	irq_handle();
	return next_vcpu(v);
}

/* Result of a load to its register as the instruction asked (SSE, SF). */
static void mmio_finish(struct vcpu *v, const struct mmio *m, u64 val)
{
	if (m->sign_extend) {
		unsigned int shift = 64 - 8 * m->size;

		val = (u64)((s64)(val << shift) >> shift);
		if (!m->sf)
			val = (u32)val;
	}
	if (m->reg != 31)
		v->arch.regs.x[m->reg] = val;
}

static void emulate_mmio(struct vcpu *v, const struct mmio *m,
			 const struct emul_region *r)
{
	struct emul_access a = {
		.offset = m->ipa - r->base,
		.size = m->size,
		.write = m->write,
	};

	if (m->write && m->reg != 31) {
		a.value = v->arch.regs.x[m->reg];
		if (m->size < 8)
			a.value &= BITS(8 * m->size - 1, 0);
	}
	r->access(v, &a);
	if (!m->write)
		mmio_finish(v, m, a.value);
	arch_vcpu_skip(&v->arch);
}

/*
 * True when the guest's address is mapped after all: another CPU was changing
 * the tables, and the access is made again.
 */
static bool fault_is_stale(struct vcpu *v, u64 esr, u64 ipa)
{
	struct pgtable_leaf leaf;

	if (field_get(FSC_TYPE, esr) != FSC_TRANSLATION)
		return false;
	return !stage2_lookup(&v->domain->s2, IPA(ipa), &leaf);
}

/* For a crash dump; not the accesses that are emulated, which are many. */
static void note_exit(struct vcpu *v)
{
	struct exit_record *e = &v->arch.exits[v->arch.nr_exits++ % NR_EXITS];

	e->esr = v->arch.esr;
	e->pc = v->arch.regs.pc;
}

/* An access that no device of the guest takes. */
static __noinline void bad_access(struct vcpu *v, u64 esr, u64 far, u64 ipa)
{
	note_exit(v);
	if (fault_is_stale(v, esr, ipa))
		return;
	if (!(esr & ESR_DABT_ISV) && field_get(FSC_TYPE, esr) != FSC_PERMISSION &&
	    emul_find(&v->domain->emul, ipa))
		domain_log_once(
			v->domain,
			"no syndrome for the access at pc %#lx to %#lx: external abort",
			v->arch.regs.pc, ipa);
	arch_inject_abort(v, false, far);
}

static void data_abort(struct vcpu *v, u64 esr)
{
	u64 far = sysreg_read(far_el2), hpfar = sysreg_read(hpfar_el2);
	const struct emul_region *r;
	struct mmio m;

	if (likely(mmio_decode(esr, far, hpfar, &m) &&
		   is_aligned(m.ipa, m.size))) {
		r = emul_find(&v->domain->emul, m.ipa);
		if (likely(r)) {
			emulate_mmio(v, &m, r);
			return;
		}
	}
	bad_access(v, esr, far, decode_ipa(far, hpfar));
}

static void fetch_abort(struct vcpu *v, u64 esr)
{
	u64 far = sysreg_read(far_el2);
	u64 ipa = decode_ipa(far, sysreg_read(hpfar_el2));

	note_exit(v);
	if (fault_is_stale(v, esr, ipa))
		return;
	/*
	 * No vector to fetch: the abort would be taken there again, for ever
	 * and without one instruction in between.
	 */
	if ((v->arch.regs.pstate & SPSR_M) != SPSR_EL0T &&
	    far - sysreg_read(vbar_el1) < VECTORS_SIZE) {
		domain_crash(v, "no exception vectors: fetch at %#lx aborts",
			     far);
		return;
	}
	arch_inject_abort(v, true, far);
}

/* ISS of a trapped MSR without its register number. */
#define SYSREG_KEY (ESR_ISS & ~ESR_SYS_RT)
#define ISS_SGI1R                                                              \
	(field_prep(ESR_SYS_OP0, 3) | field_prep(ESR_SYS_CRN, 12) |            \
	 field_prep(ESR_SYS_CRM, 11) | field_prep(ESR_SYS_OP2, 5))

static void trap_sysreg(struct vcpu *v, u64 esr)
{
	u64 pc = v->arch.regs.pc;
	enum sysreg_result r;

	/* By far the most frequent one. */
	if (likely((esr & SYSREG_KEY) == ISS_SGI1R)) {
		u64 rt = field_get(ESR_SYS_RT, esr);

		v->arch.regs.pc = pc + 4;
		vgic_write_sgir(v, rt == 31 ? 0 : v->arch.regs.x[rt], true);
		return;
	}
	note_exit(v);
	r = sysreg_emulate(v, (u32)(esr & ESR_ISS));

	if (likely(r == SYSREG_DONE))
		v->arch.regs.pc = pc + 4;
	else if (r == SYSREG_UNDEF)
		arch_inject_undef(v);
}

static __noinline struct vcpu *handle_sync(struct vcpu *v, u64 esr)
{
	v->arch.esr = esr;
	if (likely(field_get(ESR_EC, esr) == EC_DABT_LOW)) {
		data_abort(v, esr);
		return next_vcpu(v);
	}
	switch (field_get(ESR_EC, esr)) {
	case EC_SYSREG:
		trap_sysreg(v, esr);
		break;
	case EC_FP:
		arch_fp_trap(v);
		break;
	case EC_WFX:
		arch_vcpu_skip(&v->arch);
		if (!(esr & BIT(0)))
			return wait(v);
		sched_pass(v); /* WFE */
		break;
	case EC_IABT_LOW:
		fetch_abort(v, esr);
		break;
	default:
		/* SVE, SME, trapped AArch32, LD64B, ...: not for guests. */
		note_exit(v);
		arch_inject_undef(v);
	}
	return next_vcpu(v);
}

struct vcpu *trap_sync(struct vcpu *v, u64 esr)
{
	return is_traced() ? traced(v, esr, handle_sync) : handle_sync(v, esr);
}

struct vcpu *trap_fiq(struct vcpu *v, u64 esr __unused)
{
	/* Group 0 is the firmware's; with SCR_EL3.FIQ clear it could come. */
	domain_log_once(v->domain, "unexpected FIQ ignored");
	return v;
}

struct vcpu *trap_serror(struct vcpu *v, u64 esr)
{
	/* Synchronised by nothing: the guest's own access is charged. */
	domain_log_once(v->domain, "SError, ESR %#lx, injected", esr);
	arch_inject_serror(v);
	return v;
}

struct vcpu *trap_aarch32(struct vcpu *v, u64 esr)
{
	domain_crash(v, "exception from AArch32 EL1, ESR %#lx", esr);
	return next_vcpu(v);
}

void trap_own(u64 kind, struct el2_regs *regs)
{
	static const char *const names[] = {"synchronous exception",
					    "unexpected interrupt", "FIQ",
					    "SError"};

	panic_regs(regs, names[kind & 3]);
}
