/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests: what is described, whether it lives, and what happens when a life
 * ends. A guest has a slot, and a domain (domain.h) for as long as it lives or
 * waits to start again. Orders may come from any CPU at any time; the EL2
 * worker carries them out, one step of one guest at a time. docs/lifecycle.md.
 */
#pragma once

#include <skerry/describe.h>
#include <skerry/domain.h>
#include <skerry/work.h>

/* Restarts in a row, none of whose lives lasted RESTART_STABLE_S seconds. */
#define RESTART_LIMIT	 5   /* after crashes; the next one is the last */
#define RESTART_DELAY_MS 100 /* of the second; doubled for each further one */
#define RESTART_MAX_MS	 10000
#define RESTART_SHARE	 9 /* times what the last start took, at least */
#define RESTART_STABLE_S 60

enum guest_phase {
	GUEST_NONE, /* an empty slot */
	GUEST_DOWN, /* no domain; until an order comes */
	GUEST_BUILDING,
	GUEST_LIVE,    /* has its domain in domains[] */
	GUEST_ENDING,  /* its last output, then torn down */
	GUEST_WAITING, /* to start again */
};

enum guest_order { ORDER_NONE, ORDER_START, ORDER_RESTART, ORDER_DESTROY };

struct guest {
	struct describe_guest desc;
	unsigned int id;
	u32 order;  /* enum guest_order: the last one; any CPU */
	u32 queued; /* work is submitted; any CPU */
	/* All else: the worker writes, CPU 0's interrupts may read. */
	u32 phase; /* enum guest_phase */
	struct work work;
	struct timer timer; /* of CPU 0: until the next step */
	struct domain *d;
	/* In ticks: a reset is not to give a vCPU another budget at once. */
	u64 budget_from[CONFIG_MAX_VCPUS];
	u64 cost;	    /* ticks of its last start */
	u64 started, until; /* ticks; until when it waits */
	u64 left;	    /* when its last vCPU left; what let go sets it */
	u64 scrub;	    /* ticks, of what the last life left */
	u32 reason;	    /* enum stop_reason of the last life */
	u32 nr_starts;
	u32 nr_quick;	/* lives in a row that were short */
	u32 nr_crashes; /* of these, by a crash or the watchdog */
	bool gave_up;	/* down after the last of these */
	bool held;	/* at boot: it runs when all others are built */
	bool created;	/* at run time: the slot is free when it is down */
};
extern struct guest guests[CONFIG_MAX_DOMAINS + 1]; /* by id; 0 is none */

/* NULL: an empty slot, or none. */
struct guest *guest_find(unsigned int id);
/* Its image is still there. */
static inline bool guest_may_start(const struct guest *g)
{
	return READ_ONCE(g->desc.restart) != RESTART_NEVER ||
	       READ_ONCE(g->created);
}

/* Boot: read all descriptions; then, by the worker, build and start them. */
void guest_read(const void *fdt);
void guest_start_all(void);
extern enum when_all_off guest_when_all_off;

/*
 * Orders; any CPU, at once: the log tells what comes of them. The last one
 * counts, but a life that has begun to end ends. -ENOENT: no such guest;
 * -EBUSY, -EALREADY: it is not down, or down already; -EACCES: it may not start
 * again, its image was given back.
 */
int guest_start(unsigned int id) __must_check;
int guest_restart(unsigned int id) __must_check;
int guest_destroy(unsigned int id) __must_check;
/* An order to destroy it is waiting; by the worker while it builds. */
bool guest_is_cancelled(unsigned int id);

/*
 * A guest of its own slot from a description at run time. Its tree, which
 * fdt_check_full() has passed, and its image stay in memory as long as the slot
 * is used. By the worker. The slot, or -ENOSPC without a free one, -EINVAL with
 * err, or what the building of it failed with; then nothing of it is left.
 */
int guest_create(const struct dt_node *node, struct describe_error *err)
	__must_check;
/*
 * Order the worker to create the guest that /chosen of the host tree describes
 * for later by this name. -EBUSY while another one is being looked at.
 */
int guest_create_later(const char *name) __must_check;

/* The last vCPU of its domain was let go of. Any CPU. */
void guest_left(unsigned int id);
