/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emulation of trapped MRS, MSR and SYS instructions: SGIs, the physical
 * timer, cache maintenance by set/way, ID and debug registers. What is not
 * named is UNDEFINED, as it would be on a CPU without the feature.
 */
#include "sysregs.h"

#include <asm/sysreg.h>
#include <skerry/arch/stage2.h>
#include <skerry/domain.h>
#include <skerry/ptimer.h>

/* op0, op1, CRn, CRm, op2 in the order of the ISS. */
#define ENC(op0, op1, crn, crm, op2)                                           \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ICC_SGI1R  ENC(3, 0, 12, 11, 5)
#define ICC_ASGI1R ENC(3, 0, 12, 11, 6)
#define ICC_SGI0R  ENC(3, 0, 12, 11, 7)

struct access {
	u16 enc;
	bool read;
	u64 val; /* written, or the result: zero if nothing else is said */
};

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

/* clang-format off */
static enum sysreg_result emulate(struct vcpu *v, struct access *a)
{
	switch (a->enc) {
	case ENC(1, 0, 7, 6, 2):			/* DC ISW */
	case ENC(1, 0, 7, 10, 2):			/* DC CSW */
	case ENC(1, 0, 7, 14, 2):			/* DC CISW */
		return stage2_flush_step(v) ? SYSREG_DONE : SYSREG_AGAIN;
	/* Read as zero, writes ignored. */
	case ENC(2, 0, 0, 0, 2):			/* OSDTRRX_EL1 */
	case ENC(2, 0, 0, 0, 4) ... ENC(2, 0, 0, 0, 7):	/* DBG*R0 */
	case ENC(2, 0, 0, 1, 4) ... ENC(2, 0, 0, 1, 7):	/* DBG*R1 */
	case ENC(2, 0, 0, 2, 0):			/* MDCCINT_EL1 */
	case ENC(2, 0, 0, 2, 4) ... ENC(2, 0, 0, 15, 7): /* DBG*R2..15 */
	case ENC(2, 0, 1, 0, 0):			/* MDRAR_EL1 */
	case ENC(2, 0, 1, 0, 4):			/* OSLAR_EL1 */
	case ENC(2, 0, 1, 3, 4):			/* OSDLR_EL1 */
	case ENC(2, 0, 1, 4, 4):			/* DBGPRCR_EL1 */
	case ENC(2, 0, 7, 8, 6) ... ENC(2, 0, 7, 14, 6): /* DBGCLAIM.. */
	case ENC(2, 3, 0, 1, 0):			/* MDCCSR_EL0 */
	case ENC(3, 0, 1, 0, 1):			/* ACTLR_EL1 */
		break;
	case ENC(2, 0, 0, 2, 2):			/* MDSCR_EL1 */
		/* Single step is not given. A switch loads what is kept. */
		if (a->read) {
			a->val = v->arch.sys.mdscr;
			break;
		}
		v->arch.sys.mdscr = a->val & BIT(12);
		sysreg_write(mdscr_el1, v->arch.sys.mdscr);
		break;
	case ENC(2, 0, 1, 1, 4):			/* OSLSR_EL1 */
		if (!a->read)
			return SYSREG_UNDEF;
		a->val = BIT(3); /* OS lock implemented, not locked */
		break;
	case ENC(3, 0, 0, 1, 0) ... ENC(3, 0, 0, 7, 7):	/* ID_* */
		if (!a->read)
			return SYSREG_UNDEF;
		a->val = idreg_read(a->enc >> 3 & 15, a->enc & 7);
		break;
	case ICC_SGI1R ... ICC_SGI0R:
		if (a->read || gic_version() == 2)
			return SYSREG_UNDEF;
		/* SGI0R is group 0's; ASGI1R is the other state's: none. */
		if (a->enc != ICC_ASGI1R)
			vgic_write_sgir(v, a->val, a->enc == ICC_SGI1R);
		break;
	case ENC(3, 0, 12, 12, 5):			/* ICC_SRE_EL1 */
		if (gic_version() == 2)
			return SYSREG_UNDEF;
		a->val = 7; /* SRE, DFB, DIB: no other way; writes ignored */
		break;
	case ENC(3, 3, 14, 2, 0) ... ENC(3, 3, 14, 2, 2): /* CNTP_* */
		if (a->read)
			a->val = ptimer_read(v, a->enc & 3);
		else
			ptimer_write(v, a->enc & 3, a->val);
		break;
	default:
		return vm_control(v, a);
	}
	return SYSREG_DONE;
}
/* clang-format on */

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
	enum sysreg_result res;

	if (!a.read && rt != 31)
		a.val = x[rt];
	res = emulate(v, &a);
	if (res == SYSREG_DONE && a.read && rt != 31)
		x[rt] = a.val;
	return res;
}
