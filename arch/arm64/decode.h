/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage-2 data abort says about the access (Arm ARM D19.2.37). */
#pragma once

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
bool mmio_decode(u64 esr, u64 far, u64 hpfar, struct mmio *m);
