/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making domains from descriptions: modules kept until all are built, vCPUs
 * placed on physical CPUs, memory allocated, scrubbed and filled.
 */
#pragma once

#include <skerry/describe.h>
#include <skerry/page.h>

/* Boot order: read all, then (with page ownership up) build and start all. */
void build_read(const void *fdt);
/* The i-th range of RAM that a module occupies; false beyond the last. */
bool build_module(unsigned int i, struct page_bank *out);
void build_all(const void *fdt);
/* Ticks spent scrubbing so far. */
u64 build_scrub_ticks(void);
/* Zero RAM and write it back, frame by frame, looking at interrupts. */
void build_scrub(paddr_t pa, u64 size);
enum when_all_off build_when_all_off(void);
