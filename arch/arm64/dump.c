/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be known of a vCPU whose guest crashed, as log lines. */
#include <skerry/arch/vcpu.h>

#include "decode.h"

#include <asm/sysreg.h>
#include <skerry/domain.h>
#include <skerry/log.h>
#include <skerry/work.h>

/* Each line by itself: together they take as long as a short period. */
#define line(fmt, ...)                                                         \
	do {                                                                   \
		log_line(fmt, ##__VA_ARGS__);                                  \
		do                                                             \
			work_point();                                          \
		while (console_is_behind());                                   \
	} while (0)

/*
 * HPFAR_EL2 has the IPA of a fault of stage 2 (Arm ARM D17.2.65), unless it was
 * one of permissions, or external, in the access itself. No AT: the guest could
 * have its walk abort in EL2.
 */
void arch_vcpu_note_fault(struct vcpu *v)
{
	u64 far = sysreg_read(far_el2);

	v->arch.fault_va = far;
	v->arch.fault_ipa = decode_ipa(far, sysreg_read(hpfar_el2));
}

/* Where the guest's own tables, and then ours, led from an address. */
static void dump_walk(const struct vcpu *v)
{
	unsigned int id = v->domain->id;
	u64 va = v->arch.fault_va, ipa = v->arch.fault_ipa;
	u64 ec = field_get(ESR_EC, v->arch.esr);
	struct pgtable_leaf leaf;

	if ((ec != EC_IABT_LOW && ec != EC_DABT_LOW) ||
	    (field_get(FSC_TYPE, v->arch.esr) >= FSC_PERMISSION &&
	     !(v->arch.esr & ESR_DABT_S1PTW))) {
		line("d%u vcpu%u: stage 1: where %#lx leads is not known", id,
		     v->id, va);
		return;
	}
	line("d%u vcpu%u: stage 1: %s%#lx is IPA %#lx", id, v->id,
	     v->arch.esr & ESR_DABT_S1PTW ? "a table of " : "", va, ipa);
	if (stage2_lookup(&v->domain->s2, IPA(ipa), &leaf))
		line("d%u vcpu%u: stage 2: nothing at %#lx", id, v->id, ipa);
	else
		line("d%u vcpu%u: stage 2: %#lx+%#lx %c%c%c at %#lx", id, v->id,
		     leaf.va, leaf.size, leaf.flags & PGT_R ? 'r' : '-',
		     leaf.flags & PGT_W ? 'w' : '-',
		     leaf.flags & PGT_X ? 'x' : '-', leaf.pa);
}

static void dump_regs(const struct vcpu *v)
{
	const struct arch_regs *r = &v->arch.regs;
	const struct arch_sysregs *s = &v->arch.sys;
	unsigned int id = v->domain->id;

	line("d%u vcpu%u: pc %#018lx pstate %#lx esr %#lx", id, v->id, r->pc,
	     r->pstate, v->arch.esr);
	line("d%u vcpu%u: elr_el1 %#lx esr_el1 %#lx far_el1 %#lx vbar_el1 %#lx",
	     id, v->id, s->elr_el1, s->esr, s->far, s->vbar);
	for (unsigned int i = 0; i < 28; i += 4)
		line("d%u vcpu%u: x%-2u %016lx %016lx %016lx %016lx", id, v->id,
		     i, r->x[i], r->x[i + 1], r->x[i + 2], r->x[i + 3]);
	line("d%u vcpu%u: x28 %016lx %016lx %016lx", id, v->id, r->x[28],
	     r->x[29], r->x[30]);
}

static void dump_exits(const struct vcpu *v)
{
	unsigned int id = v->domain->id, n = v->arch.nr_exits;

	for (unsigned int i = n < NR_EXITS ? 0 : n - NR_EXITS; i < n; i++) {
		const struct exit_record *e = &v->arch.exits[i % NR_EXITS];

		line("d%u vcpu%u: exit %u: esr %#lx pc %#lx", id, v->id, i,
		     e->esr, e->pc);
	}
}

void arch_vcpu_dump(const struct vcpu *v, bool fault)
{
	dump_regs(v);
	if (fault)
		dump_walk(v);
	dump_exits(v);
}
