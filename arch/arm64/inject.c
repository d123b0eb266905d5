/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions that EL2 makes a guest's EL1 take, as the hardware would have
 * taken them (Arm ARM D1.3.4): EL1 registers are live, the vCPU is current.
 */
#include <skerry/arch/vcpu.h>

#include <asm/sysreg.h>
#include <skerry/domain.h>

#define VECTOR_CUR_SP0	0x000
#define VECTOR_CUR_SPX	0x200
#define VECTOR_LOW_64	0x400
#define VECTOR_LOW_32	0x600
#define SPSR_SAVED_NZCV BITS(31, 28)
#define SCTLR_SPAN	BIT(23)
#define PSTATE_PAN	BIT(22)

static bool from_el0(u64 pstate)
{
	return (pstate & (SPSR_M | SPSR_NRW)) == SPSR_EL0T ||
	       (pstate & SPSR_NRW);
}

static void enter_el1(struct vcpu *v, u64 esr)
{
	struct arch_regs *r = &v->arch.regs;
	u64 old = r->pstate, offset;
	u64 pstate = SPSR_D | SPSR_A | SPSR_I | SPSR_F | SPSR_EL1H;

	if (old & SPSR_NRW)
		offset = VECTOR_LOW_32;
	else if ((old & SPSR_M) == SPSR_EL0T)
		offset = VECTOR_LOW_64;
	else if ((old & SPSR_M) == SPSR_EL1T)
		offset = VECTOR_CUR_SP0;
	else
		offset = VECTOR_CUR_SPX;
	/* PAN is kept, or set when SCTLR_EL1.SPAN is clear (D1.3.5). */
	pstate |= old & (SPSR_SAVED_NZCV | PSTATE_PAN);
	if ((sysreg_read(id_aa64mmfr1_el1) & BITS(23, 20)) &&
	    !(sysreg_read(sctlr_el1) & SCTLR_SPAN))
		pstate |= PSTATE_PAN;
	sysreg_write(spsr_el1, old);
	sysreg_write(elr_el1, r->pc);
	sysreg_write(esr_el1, esr);
	r->pc = sysreg_read(vbar_el1) + offset;
	r->pstate = pstate;
}

void arch_inject_undef(struct vcpu *v)
{
	enter_el1(v, ESR_IL); /* EC 0: unknown reason */
}

void arch_inject_abort(struct vcpu *v, bool fetch, u64 far)
{
	bool low = from_el0(v->arch.regs.pstate);
	u64 ec = low ? (fetch ? EC_IABT_LOW : EC_DABT_LOW)
		     : (fetch ? EC_IABT_CUR : EC_DABT_CUR);
	u64 esr = FSC_EXTERNAL | (v->arch.esr & ESR_IL);

	if (!fetch)
		esr |= v->arch.esr & ESR_DABT_WNR;
	sysreg_write(far_el1, far);
	enter_el1(v, esr | field_prep(ESR_EC, ec));
}

void arch_inject_serror(struct vcpu *v)
{
	/* Taken when the guest unmasks it; the hardware clears VSE then. */
	v->arch.hcr |= HCR_VSE;
	sysreg_write(hcr_el2, sysreg_read(hcr_el2) | HCR_VSE);
}
