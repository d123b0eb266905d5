/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest descriptions: nodes with compatible "xen,domain" under /chosen of the
 * host device tree, Xen's dom0less binding (docs/guests.md says what is
 * accepted, ignored and refused). Reading only; kernel/build.c acts on it.
 */
#pragma once

#include <skerry/page.h>
#include <skerry/sched.h>

struct dt_node;

#define DESCRIBE_MAX_VCPUS CONFIG_MAX_VCPUS
#define DESCRIBE_NAME_SIZE 32

enum restart { RESTART_NEVER, RESTART_ON_CRASH, RESTART_ALWAYS };
enum when_all_off { ALL_OFF_POWEROFF, ALL_OFF_REBOOT, ALL_OFF_STAY };

struct describe_guest {
	char name[DESCRIBE_NAME_SIZE]; /* node name without unit address */
	u64 memory;		       /* bytes, multiple of PAGE_SIZE */
	u32 nr_vcpus, nr_spis;
	u64 pool_size; /* bytes; xen,domain-p2m-mem-mb or our default */
	bool vpl011;
	u32 wfi_trap;	 /* 0 or 1 */
	u32 watchdog_ms; /* 0: none */
	u32 restart;	 /* enum restart */
	u32 later;	 /* 1: not at boot, guest_create() */
	/* Either a signed image, or modules of their own; size 0: absent. */
	struct page_bank fit, kernel, ramdisk, dtb;
	/* These in the host DTB: */
	const char *fit_node; /* name of the image's node; "" when none */
	const char *config;   /* NULL: the only one of the image */
	const char *bootargs; /* the modules'; "" when none */
	u32 min_version;      /* of the image */
	/* Mask of physical CPUs allowed for each vCPU. */
	u64 affinity[DESCRIBE_MAX_VCPUS];
	/* Each fits together, the deadline's default is filled in. */
	struct sched_params sched[DESCRIBE_MAX_VCPUS];
};

/* Of /chosen itself; texts in the host DTB. */
struct describe_chosen {
	enum when_all_off when_all_off;
	const char *attested; /* who did; NULL: nobody */
	const char *revoked;  /* nr_revoked texts of 64 hexadecimal digits */
	unsigned int nr_revoked;
};

/* `<node>: <property>: <reason>`, ready for the log. */
struct describe_error {
	char text[160];
};

/*
 * The next xen,domain node after *node; zeroed to start, false when there is
 * none. The tree is one that fdt_check_full() has passed.
 */
bool describe_next(const void *fdt, struct dt_node *node);
/* 0, or -EINVAL with the reason in err. */
int describe_guest(const struct dt_node *node, struct describe_guest *out,
		   struct describe_error *err) __must_check;
int describe_chosen(const void *fdt, struct describe_chosen *out,
		    struct describe_error *err) __must_check;
#define DESCRIBE_FINGERPRINT 32
/* The n-th of the revoked fingerprints. */
void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT]);
