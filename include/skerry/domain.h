/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain: what one life of a guest consists of, from the first page that is
 * claimed for it to the last one that is scrubbed. kernel/guest.c decides about
 * lives; docs/lifecycle.md draws the states.
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

enum domain_state {
	DOMAIN_BUILDING, /* only the worker knows it */
	DOMAIN_RUNNING,
	DOMAIN_PAUSED, /* no vCPU runs, all keep their state */
	/* From here on no vCPU enters the guest again. */
	DOMAIN_SHUTTING_DOWN,
	DOMAIN_CRASHED, /* the same, for the guest's fault or its watchdog's */
	DOMAIN_DEAD,	/* torn down; its memory is scrubbed */
};

/* Why a life ended, and so why the next one began. */
enum stop_reason {
	STOP_NONE, /* the first life */
	STOP_OFF,
	STOP_RESET,
	STOP_CRASH,
	STOP_DESTROY,
	STOP_WATCHDOG,
	STOP_RESTART, /* by order, as STOP_DESTROY */
	STOP_REFUSED, /* it did not come to a life */
};
extern const char *const stop_names[];

struct domain_ram {
	ipa_t ipa;
	paddr_t pa;
	u64 size;
};

/* Guest RAM is a few contiguous pieces; a hole in the board's RAM splits. */
#define DOMAIN_MAX_RAM 8

/* Of a guest for as long as it starts again. Written by the worker. */
struct domain_home {
	struct domain_ram ram[DOMAIN_MAX_RAM];
	unsigned int nr_ram;
};

struct domain {
	unsigned int id; /* slot, domid and VMID: 1 to CONFIG_MAX_DOMAINS */
	char name[DESCRIBE_NAME_SIZE];
	u32 state; /* enum domain_state; written under lock */
	u32 stop_reason;
	u32 born_by;	      /* enum stop_reason of the last life */
	u32 nr_starts;	      /* lives, this one included */
	struct spinlock lock; /* RANK_DOMAIN: state, stage2 changes, pool */
	struct spinlock vcpu_lock; /* RANK_VCPU: power states of all vCPUs */
	struct stage2 s2;
	struct pool pool;
	struct emul_domain emul;
	struct vgic_domain vgic;
	struct console_domain console;
	struct wdt wdt;
	struct pvtime *pvtime; /* of each vCPU, a page for the guest to read */
	struct domain_home home;
	u64 memory;
	u64 cntvoff; /* of virtual time; grows where a pause ends, under lock */
	bool wfi_trap;
	struct vcpu *crashed; /* the last one that did; NULL: none */
	u32 nr_warned;	      /* lines of domain_log_once so far */
	unsigned int nr_vcpus;
	u32 nr_inside; /* vCPUs that no CPU has let go of yet; under lock */
	struct vcpu *vcpus[CONFIG_MAX_VCPUS];
	/* Who of us ran last on each CPU; only that CPU touches its entry. */
	struct vcpu *last_vcpu[CONFIG_NR_CPUS];
};

/*
 * Those that have been started and not yet torn down, by slot. The worker alone
 * writes; others load an entry once, with acquire, and use it until they leave
 * EL2 or take an IPI: the worker frees a domain after cpu_sync() (cpu.h).
 */
extern struct domain *domains[CONFIG_MAX_DOMAINS + 1];

/*
 * What a module has to do for a domain's life. The table is in the order of
 * domain_init; domain_exit goes the other way, is idempotent, and is called for
 * a domain of which only a part was initialised as well. By the worker.
 */
struct domain_part {
	int (*domain_init)(struct domain *d, const struct describe_guest *g);
	void (*domain_exit)(struct domain *d); /* NULL: nothing to undo */
};
extern const struct domain_part *const domain_parts[]; /* init.c; NULL ends */

/* All parts, or none with the error of the first that failed. */
int domain_init_parts(struct domain *d, const struct describe_guest *g)
	__must_check;
void domain_exit_parts(struct domain *d);

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
	return load_acquire(&d->state) == DOMAIN_PAUSED;
}
/*
 * domain_stop() for a crash of v, which the calling CPU has loaded, with the
 * reason in the log; the worker adds its registers when it has left.
 */
__printf(2, 3) void domain_crash(struct vcpu *v, const char *fmt, ...);
/* A line about the guest's doing, at most a few per domain. */
__printf(2, 3) void domain_log_once(struct domain *d, const char *fmt, ...);
static inline bool domain_is_stopping(const struct domain *d)
{
	return READ_ONCE(d->state) >= DOMAIN_SHUTTING_DOWN;
}
/* Running or paused. */
static inline bool domain_is_live(const struct domain *d)
{
	return READ_ONCE(d->state) - DOMAIN_RUNNING <=
	       DOMAIN_PAUSED - DOMAIN_RUNNING;
}
/*
 * A CPU that ran v of a stopping domain has let go of it; idle loop only. The
 * last one hands the domain to the worker (guest.h).
 */
void domain_vcpu_left(struct vcpu *v);

/* The vCPU with this MPIDR affinity (bits of MPIDR_EL1), or NULL. */
struct vcpu *domain_vcpu_by_mpidr(struct domain *d, u64 mpidr);
