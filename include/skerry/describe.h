/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest descriptions: nodes with compatible "xen,domain" under /chosen of the
 * host device tree, Xen's dom0less binding (docs/guests.md says what is
 * accepted, ignored and refused). Reading only; kernel/build.c acts on it.
 */
#pragma once

#include <skerry/page.h>

struct dt_node;

#define DESCRIBE_MAX_VCPUS CONFIG_MAX_VCPUS
#define DESCRIBE_NAME_SIZE 32

enum when_all_off { ALL_OFF_POWEROFF, ALL_OFF_REBOOT, ALL_OFF_STAY };

struct describe_guest {
	char name[DESCRIBE_NAME_SIZE]; /* node name without unit address */
	u64 memory;		       /* bytes, multiple of PAGE_SIZE */
	u32 nr_vcpus, nr_spis;
	u64 pool_size; /* bytes; xen,domain-p2m-mem-mb or our default */
	bool vpl011;
	u32 wfi_trap;			  /* 0 or 1 */
	u32 weight, slice_us;		  /* sched.h */
	struct page_bank kernel, ramdisk; /* size 0: absent */
	const char *bootargs;		  /* in the host DTB; "" when none */
	/* Mask of physical CPUs allowed for each vCPU. */
	u64 affinity[DESCRIBE_MAX_VCPUS];
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
/* skerry,when-all-off and unknown skerry,* or xen,* properties of /chosen. */
int describe_chosen(const void *fdt, enum when_all_off *out,
		    struct describe_error *err) __must_check;
