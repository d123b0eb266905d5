/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain (guest) and its life: built at boot, running, and off for good when
 * all of its vCPUs have stopped after a shutdown or a crash.
 */
#pragma once

#include <skerry/arch/stage2.h>
#include <skerry/console.h>
#include <skerry/describe.h>
#include <skerry/emul.h>
#include <skerry/pool.h>
#include <skerry/spinlock.h>
#include <skerry/vcpu.h>
#include <skerry/wdt.h>
#include <skerry/work.h>

enum domain_state {
	DOMAIN_BUILDING,
	DOMAIN_RUNNING,
	DOMAIN_STOPPING, /* no vCPU may enter the guest again */
	DOMAIN_OFF,	 /* all vCPUs have left, memory scrubbed */
};

enum stop_reason {
	STOP_OFF,
	STOP_RESET,
	STOP_CRASH,
	STOP_DESTROY,
	STOP_WATCHDOG,
};
extern const char *const stop_names[];

struct domain_ram {
	ipa_t ipa;
	paddr_t pa;
	u64 size;
};

/* Guest RAM is a few contiguous pieces; a hole in the board's RAM splits. */
#define DOMAIN_MAX_RAM 8

struct domain {
	unsigned int id; /* slot, domid and VMID: 1 to CONFIG_MAX_DOMAINS */
	char name[DESCRIBE_NAME_SIZE];
	u32 state; /* enum domain_state; written under lock */
	u32 stop_reason;
	bool paused;	      /* likewise; read it by domain_is_paused() */
	struct spinlock lock; /* RANK_DOMAIN: state, stage2 changes, pool */
	struct spinlock vcpu_lock; /* RANK_VCPU: power states of all vCPUs */
	struct stage2 s2;
	struct pool pool;
	struct emul_domain emul;
	struct vgic_domain vgic;
	struct console_domain console;
	struct wdt wdt;
	struct domain_ram ram[DOMAIN_MAX_RAM];
	unsigned int nr_ram;
	u64 memory;
	u64 cntvoff; /* of virtual time; grows where a pause ends, under lock */
	bool wfi_trap;
	bool is_signed;	 /* its image, by a key of the ring */
	u32 nr_warned;	 /* lines of domain_log_once so far */
	struct work end; /* by the worker, when all vCPUs have left */
	unsigned int nr_vcpus;
	u32 nr_inside; /* vCPUs not yet parked; atomic */
	struct vcpu *vcpus[CONFIG_MAX_VCPUS];
	/* Who of us ran last on each CPU; only that CPU touches its entry. */
	struct vcpu *last_vcpu[CONFIG_NR_CPUS];
};

/* Slots; NULL where there is none. Filled at boot by the boot CPU only. */
extern struct domain *domains[CONFIG_MAX_DOMAINS + 1];

/* vCPU 0 becomes runnable. */
void domain_start(struct domain *d);
/*
 * Stop all vCPUs of d; they leave the guest at their next entry to EL2, which
 * IPIs bring about. Any CPU; returns at once. The first reason wins.
 */
void domain_stop(struct domain *d, enum stop_reason why);
/*
 * No vCPU of d runs until it is resumed. Its virtual time stands still from
 * when the last of them has left the guest, and its watchdog with it; physical
 * time goes on. Any CPU; returns at once. Nothing happens to one that is not
 * running.
 */
void domain_pause(struct domain *d, bool pause);
/* Acquire: if it is not, cntvoff is that of now. Partner: domain_pause(). */
static inline bool domain_is_paused(const struct domain *d)
{
	return load_acquire(&d->paused);
}
/* domain_stop() for a crash, with the reason and v's registers in the log. */
__printf(2, 3) void domain_crash(struct vcpu *v, const char *fmt, ...);
/* A line about the guest's doing, at most a few per domain. */
__printf(2, 3) void domain_log_once(struct domain *d, const char *fmt, ...);
static inline bool domain_is_stopping(const struct domain *d)
{
	return READ_ONCE(d->state) >= DOMAIN_STOPPING;
}
/* A CPU that ran v of a stopping domain has let go of it; idle loop only. */
void domain_vcpu_left(struct vcpu *v);

/* The vCPU with this MPIDR affinity (bits of MPIDR_EL1), or NULL. */
struct vcpu *domain_vcpu_by_mpidr(struct domain *d, u64 mpidr);
