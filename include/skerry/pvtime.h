/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time (Arm DEN0057A): each vCPU of a guest reads for how long it was
 * ready and did not run, in a page that EL2 writes and the guest only reads.
 * Guests find it by the calls; nothing else says where it is.
 */
#pragma once

#include <skerry/util.h>

struct vcpu;

/* Of a vCPU, little-endian; the page is an array of these. */
struct pvtime {
	u32 revision, attributes; /* 0 */
	u64 stolen;		  /* ns since the domain's start; never less */
	u8 pad[48];
};
static_assert(sizeof(struct pvtime) == 64, "DEN0057A");

/* PV_TIME_FEATURES: PSCI_SUCCESS or PSCI_NOT_SUPPORTED for function fn. */
s64 pvtime_features(u32 fn);
/* PV_TIME_ST by v, which runs: the IPA of its structure, kept from now on. */
s64 pvtime_ask(struct vcpu *v);
/* Write what v has waited so far; v has asked. On v's CPU, at its load. */
void pvtime_publish(struct vcpu *v);
struct domain_part;
extern const struct domain_part pvtime_part;
