/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual CPU. It runs on the physical CPU where it was placed (sched.h). */
#pragma once

#include <skerry/arch/vcpu.h>
#include <skerry/sched.h>
#include <skerry/vgic.h>

struct domain;
struct pvtime;

enum vcpu_state {
	VCPU_OFF,     /* PSCI OFF */
	VCPU_PENDING, /* PSCI ON_PENDING: CPU_ON given, not yet run */
	VCPU_ON,
};

/* CNTP_* as emulated (pv/ptimer.c). Only the vCPU's CPU touches it. */
struct ptimer_vcpu {
	u64 ctl, cval;
	struct timer timer;
};

struct vcpu {
	struct arch_vcpu arch; /* first: SP_EL2 points here while it runs */
	struct domain *domain;
	unsigned int id;  /* in the domain */
	unsigned int cpu; /* physical CPU */
	u32 state;	  /* enum vcpu_state; RANK_VCPU of the domain */
	struct sched_vcpu sched;
	struct timer vtimer;  /* stands in for CNTV_* while it is blocked */
	bool blocked;	      /* in a trapped WFI or CPU_SUSPEND: idle until an
			       * interrupt; only its CPU writes it */
	u64 on_entry, on_arg; /* of a pending CPU_ON */
	bool fresh;	      /* reset since it last ran; only its CPU */
	/* Set/way flush (arch/stage2.h); only the CPU that runs the vCPU. */
	bool flush_done, caches_on;
	u64 flush_pos; /* bytes of RAM flushed so far */
	/* Where it reads its stolen time, once it has asked; only its CPU. */
	struct pvtime *pvtime;
	struct vgic_vcpu vgic;
	struct ptimer_vcpu ptimer;
	u64 wakes[SCHED_WAKES]; /* RANK_SCHED of its CPU */
};

/* MPIDR_EL1 of a vCPU: Aff0 = id[3:0], Aff1 = id[11:4]; bit 31 is RES1. */
static inline u64 vcpu_mpidr(unsigned int id)
{
	return BIT(31) | (id & 15) | (u64)(id >> 4) << 8;
}
