/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage-2 data abort says about the access (Arm ARM D19.2.37). */
#pragma once

#include <asm/sysreg.h>
#include <skerry/util.h>

struct mmio {
	u64 ipa;
	u8 size; /* bytes */
	u8 reg;	 /* 31: the zero register */
	bool write, sign_extend, sf;
};

/* The faulting IPA from FAR_EL2 and HPFAR_EL2. */
static inline u64 decode_ipa(u64 far, u64 hpfar)
{
	return (hpfar & BITS(39, 4)) << 8 | (far & (PAGE_SIZE - 1));
}

/* False when the syndrome does not describe the access. */
static inline bool mmio_decode(u64 esr, u64 far, u64 hpfar, struct mmio *m)
{
	u64 type = field_get(FSC_TYPE, esr);

	/*
	 * A stage-1 walk or cache instruction is no access of a register. After
	 * a permission fault HPFAR_EL2 says nothing (Arm ARM D19.2.57), and
	 * what is mapped is no device of ours.
	 */
	if (!(esr & ESR_DABT_ISV) || (esr & (ESR_DABT_S1PTW | ESR_DABT_CM)) ||
	    (type != FSC_TRANSLATION && type != FSC_ACCESS))
		return false;
	m->ipa = decode_ipa(far, hpfar);
	m->size = (u8)(1U << field_get(ESR_DABT_SAS, esr));
	m->reg = (u8)field_get(ESR_DABT_SRT, esr);
	m->write = esr & ESR_DABT_WNR;
	m->sign_extend = esr & ESR_DABT_SSE;
	m->sf = esr & ESR_DABT_SF;
	return true;
}
