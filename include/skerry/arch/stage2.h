/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain's guest-physical address space. RANK_PAGE is not held while these
 * run; the domain's lock is, except during building and by faults, which only
 * read.
 */
#pragma once

#include <skerry/arch/pgtable.h>

struct domain;
struct pool;

struct stage2 {
	struct pgtable pt;
	struct pool *pool;
	u64 vttbr;
};

/* Board-wide: IPA size = min(40, PARange), VTCR_EL2. */
unsigned int stage2_ipa_bits(void);
int stage2_init(struct stage2 *s2, struct pool *pool, u8 vmid) __must_check;
/* Flushes the VMID everywhere. Idempotent. */
void stage2_exit(struct stage2 *s2);
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags) __must_check;
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
	__must_check;
/* The calling CPU, which has no guest loaded, lets go of the last one's. */
void stage2_leave(void);
struct domain_part;
extern const struct domain_part stage2_part;
/* Per CPU: VTCR_EL2. */
void stage2_init_cpu(void);

struct vcpu;

/*
 * Set/way maintenance by a guest: flush the domain's RAM to the PoC, a batch
 * per call. True when done (the instruction is skipped); false: execute the
 * trapped instruction again. Later calls are free until the guest switches
 * its caches.
 */
bool stage2_flush_step(struct vcpu *v);
/* The guest wrote SCTLR_EL1 while such writes were trapped. */
void stage2_cache_toggle(struct vcpu *v, bool on);
