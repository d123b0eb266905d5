/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emulation of trapped MRS, MSR and SYS instructions: SGIs, the physical
 * timer, cache maintenance by set/way, ID and debug registers. What is not in
 * the table is UNDEFINED, as it would be on a CPU without the feature.
 */
#include "sysregs.h"

#include <asm/sysreg.h>
#include <skerry/arch/stage2.h>
#include <skerry/domain.h>
#include <skerry/ptimer.h>

/* op0, op1, CRn, CRm, op2 in the order of the ISS, so that rows sort. */
#define ENC(op0, op1, crn, crm, op2)                                           \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ICC_SGI1R  ENC(3, 0, 12, 11, 5)
#define ICC_ASGI1R ENC(3, 0, 12, 11, 6)
#define ICC_SGI0R  ENC(3, 0, 12, 11, 7)

struct access {
	u16 enc;
	bool read;
	u64 val; /* written, or the result */
};

typedef enum sysreg_result (*sysreg_fn)(struct vcpu *v, struct access *a);

struct row {
	u16 first, last; /* encodings, inclusive */
	sysreg_fn fn;
};

static enum sysreg_result raz_wi(struct vcpu *v __unused, struct access *a)
{
	a->val = 0;
	return SYSREG_DONE;
}

static enum sysreg_result id_group(struct vcpu *v __unused, struct access *a)
{
	if (!a->read)
		return SYSREG_UNDEF;
	a->val = idreg_read(a->enc >> 3 & 15, a->enc & 7);
	return SYSREG_DONE;
}

static enum sysreg_result set_way(struct vcpu *v, struct access *a __unused)
{
	return stage2_flush_step(v) ? SYSREG_DONE : SYSREG_AGAIN;
}

static enum sysreg_result sgi(struct vcpu *v, struct access *a)
{
	if (a->read || gic_version() == 2)
		return SYSREG_UNDEF;
	/* SGI0R is group 0's; ASGI1R is the other security state's: none. */
	if (a->enc != ICC_ASGI1R)
		vgic_write_sgir(v, a->val, a->enc == ICC_SGI1R);
	return SYSREG_DONE;
}

static enum sysreg_result icc_sre(struct vcpu *v __unused, struct access *a)
{
	a->val = 7; /* SRE, DFB, DIB: system registers only; writes ignored */
	return gic_version() == 3 ? SYSREG_DONE : SYSREG_UNDEF;
}

static enum sysreg_result ptimer(struct vcpu *v, struct access *a)
{
	enum ptimer_reg reg = a->enc & 3;

	if (a->read)
		a->val = ptimer_read(v, reg);
	else
		ptimer_write(v, reg, a->val);
	return SYSREG_DONE;
}

static enum sysreg_result mdscr(struct vcpu *v __unused, struct access *a)
{
	/* Kept for the guest's own reading; single step is not given. */
	if (a->read)
		a->val = sysreg_read(mdscr_el1);
	else
		sysreg_write(mdscr_el1, a->val & BIT(12));
	return SYSREG_DONE;
}

static enum sysreg_result oslsr(struct vcpu *v __unused, struct access *a)
{
	if (!a->read)
		return SYSREG_UNDEF;
	a->val = BIT(3); /* OS lock implemented, not locked */
	return SYSREG_DONE;
}

/* Writes that HCR_EL2.TVM traps while the guest's caches are watched. */
#define VM_REG(enc_, reg)                                                      \
	case enc_:                                                             \
		sysreg_write(reg, a->val);                                     \
		break;

static enum sysreg_result vm_control(struct vcpu *v, struct access *a)
{
	if (a->read)
		return SYSREG_UNDEF; /* TVM traps writes only */
	switch (a->enc) {
		VM_REG(ENC(3, 0, 2, 0, 0), ttbr0_el1)
		VM_REG(ENC(3, 0, 2, 0, 1), ttbr1_el1)
		VM_REG(ENC(3, 0, 2, 0, 2), tcr_el1)
		VM_REG(ENC(3, 0, 5, 1, 0), afsr0_el1)
		VM_REG(ENC(3, 0, 5, 1, 1), afsr1_el1)
		VM_REG(ENC(3, 0, 5, 2, 0), esr_el1)
		VM_REG(ENC(3, 0, 6, 0, 0), far_el1)
		VM_REG(ENC(3, 0, 10, 2, 0), mair_el1)
		VM_REG(ENC(3, 0, 10, 3, 0), amair_el1)
		VM_REG(ENC(3, 0, 13, 0, 1), contextidr_el1)
	case ENC(3, 0, 1, 0, 0):
		sysreg_write(sctlr_el1, a->val);
		stage2_cache_toggle(v, (a->val & (SCTLR_M | SCTLR_C)) ==
					       (SCTLR_M | SCTLR_C));
		break;
	default:
		return SYSREG_UNDEF;
	}
	return SYSREG_DONE;
}

#define ONE(enc, fn)                                                           \
	{                                                                      \
		enc, enc, fn                                                   \
	}
/* clang-format off */
static const struct row rows[] = {
	ONE(ENC(1, 0, 7, 6, 2), set_way),		/* DC ISW */
	ONE(ENC(1, 0, 7, 10, 2), set_way),		/* DC CSW */
	ONE(ENC(1, 0, 7, 14, 2), set_way),		/* DC CISW */
	ONE(ENC(2, 0, 0, 0, 2), raz_wi),		/* OSDTRRX_EL1 */
	{ENC(2, 0, 0, 0, 4), ENC(2, 0, 0, 0, 7), raz_wi}, /* DBG*R0 */
	{ENC(2, 0, 0, 1, 4), ENC(2, 0, 0, 1, 7), raz_wi}, /* DBG*R1 */
	ONE(ENC(2, 0, 0, 2, 0), raz_wi),		/* MDCCINT_EL1 */
	ONE(ENC(2, 0, 0, 2, 2), mdscr),
	{ENC(2, 0, 0, 2, 4), ENC(2, 0, 0, 15, 7), raz_wi}, /* DBG*R2..15 */
	ONE(ENC(2, 0, 1, 0, 0), raz_wi),		/* MDRAR_EL1 */
	ONE(ENC(2, 0, 1, 0, 4), raz_wi),		/* OSLAR_EL1 */
	ONE(ENC(2, 0, 1, 1, 4), oslsr),
	ONE(ENC(2, 0, 1, 3, 4), raz_wi),		/* OSDLR_EL1 */
	ONE(ENC(2, 0, 1, 4, 4), raz_wi),		/* DBGPRCR_EL1 */
	{ENC(2, 0, 7, 8, 6), ENC(2, 0, 7, 14, 6), raz_wi}, /* DBGCLAIM.. */
	ONE(ENC(2, 3, 0, 1, 0), raz_wi),		/* MDCCSR_EL0 */
	{ENC(3, 0, 0, 1, 0), ENC(3, 0, 0, 7, 7), id_group},
	ONE(ENC(3, 0, 1, 0, 0), vm_control),
	ONE(ENC(3, 0, 1, 0, 1), raz_wi),		/* ACTLR_EL1 */
	{ENC(3, 0, 2, 0, 0), ENC(3, 0, 2, 0, 2), vm_control},
	{ENC(3, 0, 5, 1, 0), ENC(3, 0, 5, 2, 0), vm_control},
	ONE(ENC(3, 0, 6, 0, 0), vm_control),
	ONE(ENC(3, 0, 10, 2, 0), vm_control),
	ONE(ENC(3, 0, 10, 3, 0), vm_control),
	{ICC_SGI1R, ICC_SGI0R, sgi},
	ONE(ENC(3, 0, 12, 12, 5), icc_sre),
	ONE(ENC(3, 0, 13, 0, 1), vm_control),
	{ENC(3, 3, 14, 2, 0), ENC(3, 3, 14, 2, 2), ptimer},
};
/* clang-format on */

static const struct row *find(u16 enc)
{
	unsigned int lo = 0, hi = ARRAY_SIZE(rows);

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (enc < rows[mid].first)
			hi = mid;
		else if (enc > rows[mid].last)
			lo = mid + 1;
		else
			return &rows[mid];
	}
	return NULL;
}

enum sysreg_result sysreg_emulate(struct vcpu *v, u32 iss)
{
	unsigned int rt = (unsigned int)field_get(ESR_SYS_RT, iss);
	u64 *x = v->arch.regs.x;
	struct access a = {
		.enc = (u16)ENC(field_get(ESR_SYS_OP0, iss),
				field_get(ESR_SYS_OP1, iss),
				field_get(ESR_SYS_CRN, iss),
				field_get(ESR_SYS_CRM, iss),
				field_get(ESR_SYS_OP2, iss)),
		.read = iss & ESR_SYS_READ,
	};
	const struct row *r = find(a.enc);
	enum sysreg_result res;

	if (unlikely(!r))
		return SYSREG_UNDEF;
	if (!a.read && rt != 31)
		a.val = x[rt];
	res = r->fn(v, &a);
	if (res == SYSREG_DONE && a.read && rt != 31)
		x[rt] = a.val;
	return res;
}
