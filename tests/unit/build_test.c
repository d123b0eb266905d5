/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building of domains: who is placed on which CPU, RAM in pieces, what each
 * domain begins with, in its first life and in later ones, and that nothing is
 * left when any one allocation of it fails. scrub_test.c has the contents.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <skerry/util.h>

#undef CONFIG_FAULT_INJECTION
#define CONFIG_FAULT_INJECTION 1
#include "../../kernel/build.c"
#include "../../kernel/place.c"
#include "../../kernel/pool.c"

#define POOLS	  (3 * GIB)
#define POOL_SIZE (256 * KIB)
#define NR_POOLS  4
#define RAM	  (8 * GIB) /* given out from here up */

struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus;

static struct describe_guest g, of_slot[8];
static char logged[1024], trace[512];
static unsigned int version, nr_owned, nr_mapped;
static u64 now, max_piece, ram_end, owned, scrubbed, window_pa;
static bool pool_used[NR_POOLS], unaligned;
static int parts_err, map_direct_err;

static __printf(1, 2) void note(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
	strncat(trace, " ", sizeof(trace) - strlen(trace) - 1);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	assert_int_equal(level, LOG_WARNING);
	va_start(ap, fmt);
	vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	va_end(ap);
	strncat(logged, "|", sizeof(logged) - strlen(logged) - 1);
}
void panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}
u64 time_now(void)
{
	return now++;
}
void sched_reserve(unsigned int cpu, u32 nr_constrained)
{
	(void)cpu;
	(void)nr_constrained;
}
void work_point(void)
{
}
unsigned int gic_version(void)
{
	return version;
}

static u64 free_bytes;

void page_stats(struct page_stats *out)
{
	*out = (struct page_stats){.free = free_bytes};
}

/* Of frames at most 1 GiB aligned, as page.c finds them, but upwards. */
int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	if (fault_hits())
		return -ENOMEM;
	if (state == PAGE_HYP) {
		unsigned int i = 0;

		assert_int_equal(size, POOL_SIZE);
		while (i < NR_POOLS && pool_used[i])
			i++;
		if (i == NR_POOLS)
			return -ENOMEM;
		pool_used[i] = true;
		*pa = PADDR(POOLS + i * POOL_SIZE);
		return 0;
	}
	assert_true(state == PAGE_OWNED && owner >= 1);
	if (size > max_piece || (align == GIB && unaligned))
		return -ENOMEM;
	ram_end = align_up(ram_end, align);
	*pa = PADDR(ram_end);
	ram_end += size;
	owned += size;
	nr_owned++;
	return 0;
}
int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	if (state == PAGE_HYP) {
		u64 i = (pa.v - POOLS) / POOL_SIZE;

		assert_true(i < NR_POOLS && pool_used[i]);
		assert_int_equal(owner, PAGE_OWNER_NONE);
		pool_used[i] = false;
		return 0;
	}
	owned -= size;
	nr_owned--;
	return 0;
}
int mmu_map_direct(paddr_t pa, u64 size)
{
	if (map_direct_err)
		return map_direct_err;
	nr_mapped++;
	memset(direct_ptr(pa), 0xa5, size);
	return 0;
}
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	nr_mapped--;
}
void *mmu_window(unsigned int slot, paddr_t pa)
{
	static u8 room[1];

	window_pa = pa.v;
	return room;
}
void mmu_window_close(unsigned int slot)
{
}
void cache_zero_clean(void *p, u64 size)
{
	/* Within one piece. */
	assert_int_equal(window_pa / WORK_PIECE,
			 (window_pa + size - 1) / WORK_PIECE);
	scrubbed += size;
}
int domain_init_parts(struct domain *d, const struct describe_guest *desc)
{
	assert_memory_equal(desc, &g, sizeof(g));
	/* They may look at vCPUs and use the pool. */
	for (unsigned int i = 0; i < g.nr_vcpus; i++)
		assert_ptr_equal(d->vcpus[i]->domain, d);
	note("init");
	if (!pool_alloc_page(&d->pool) || !pool_alloc(&d->pool, 200, 8))
		return -ENOMEM;
	return parts_err;
}
void domain_exit_parts(struct domain *d)
{
	assert_int_not_equal(d->state, DOMAIN_DEAD);
	note("exit");
}
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	note("map");
	return fault_hits() ? -ENOMEM : 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&g, 0, sizeof(g));
	memset(book, 0, sizeof(book));
	memset(placed, 0, sizeof(placed));
	memset(pool_used, 0, sizeof(pool_used));
	fault_arm(0);
	free_bytes = ~0UL;
	logged[0] = trace[0] = '\0';
	version = 3;
	nr_cpus = 4;
	nr_owned = nr_mapped = 0;
	build_scrub_ticks = now = owned = scrubbed = 0;
	max_piece = ~0UL;
	ram_end = RAM;
	unaligned = false;
	parts_err = map_direct_err = 0;
	strcpy(g.name, "web");
	g.memory = 4 * MIB;
	g.nr_vcpus = 1;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++)
		g.sched[i] = (struct sched_params){.weight = 256};
	g.pool_size = POOL_SIZE;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++)
		g.affinity[i] = ~0UL;
	return 0;
}

static struct domain *build(unsigned int id)
{
	struct domain *d = NULL;

	of_slot[id] = g;
	assert_int_equal(build_domain(&d, id, &of_slot[id]), 0);
	assert_non_null(d);
	return d;
}

static void end(struct domain *d)
{
	build_stop(d);
	build_free(d);
}

static void assert_nothing_left(void)
{
	assert_int_equal(owned, 0);
	assert_int_equal(nr_owned, 0);
	assert_int_equal(nr_mapped, 0);
	for (unsigned int i = 0; i < NR_POOLS; i++)
		assert_false(pool_used[i]);
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++) {
		assert_int_equal(placed[i].weight, 0);
		assert_int_equal(placed[i].ppm, 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(book); i++)
		assert_int_equal(book[i].nr, 0);
}

static void refuses(int err, const char *why)
{
	struct domain *d = NULL;

	logged[0] = '\0';
	assert_int_equal(build_domain(&d, 1, &g), err);
	assert_null(d);
	assert_string_equal(logged, why);
	assert_nothing_left();
}

static void test_domain(void **state)
{
	struct domain *d;

	(void)state;
	g.nr_vcpus = 3;
	g.wfi_trap = 1;
	d = build(5);
	assert_int_equal(d->id, 5);
	assert_string_equal(d->name, "web");
	assert_int_equal(d->state, DOMAIN_BUILDING);
	assert_int_equal(d->memory, 4 * MIB);
	assert_int_equal(d->nr_vcpus, 3);
	assert_int_equal(d->nr_inside, 3);
	assert_true(d->wfi_trap);
	assert_int_equal(d->lock.tickets | d->vcpu_lock.tickets, 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(d->vcpus[i]->id, i);
		assert_int_equal(d->vcpus[i]->state, VCPU_OFF);
		assert_int_equal(d->vcpus[i]->cpu, place_of(5, i));
	}
	assert_string_equal(trace, "init map ");
	assert_int_equal(scrubbed, 4 * MIB);
	assert_true(build_scrub_ticks > 0);
	assert_string_equal(logged, "");
	end(d);
	assert_string_equal(trace, "init map exit ");
	assert_nothing_left();
	setup(NULL);
	d = build(1);
	assert_false(d->wfi_trap);
	end(d);
}

/* The least weight of those allowed; each vCPU elsewhere while that lasts. */
static void test_place(void **state)
{
	static const u8 want[] = {1, 3, 1, 1};
	struct domain *a, *b, *c;

	(void)state;
	/* CPUs that there are not do not count. */
	g.nr_vcpus = 4;
	g.affinity[0] = g.affinity[2] = g.affinity[3] = ~0UL << 8 | BIT(1);
	g.affinity[1] = BIT(1) | BIT(3);
	a = build(1);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(a->vcpus[i]->cpu, want[i]);
	assert_int_equal(placed[1].weight, 3 * 256);
	assert_int_equal(placed[3].weight, 256);
	g.nr_vcpus = 2;
	g.sched[0].weight = g.sched[1].weight = 1000;
	for (unsigned int i = 0; i < 2; i++)
		g.affinity[i] = ~0UL;
	b = build(2);
	assert_int_equal(b->vcpus[0]->cpu, 0);
	assert_int_equal(b->vcpus[1]->cpu, 2);
	g.sched[0].weight = g.sched[1].weight = 1;
	c = build(3);
	assert_int_equal(c->vcpus[0]->cpu, 3);
	assert_int_equal(c->vcpus[1]->cpu, 1);
	/* Gone, it weighs nothing; stopped, as much as before. */
	build_stop(b);
	assert_int_equal(placed[0].weight, 1000);
	build_free(b);
	assert_int_equal(placed[0].weight, 0);
	b = build(2);
	assert_int_equal(b->vcpus[0]->cpu, 0);
	assert_int_equal(b->vcpus[1]->cpu, 2);
	end(a);
	end(b);
	end(c);
	assert_nothing_left();
}

static void test_no_cpus(void **state)
{
	(void)state;
	g.nr_vcpus = 2;
	g.affinity[1] = BIT(4);
	refuses(-EINVAL, "refused: web: hard-affinity: no physical CPU for "
			 "vCPU 1 (4 CPUs, affinity 0x10)|");
	nr_cpus = 5;
	end(build(1));
	version = 2;
	end(build(1));
	g.nr_vcpus = VGIC_V2_MAX_VCPUS + 1;
	refuses(-EINVAL, "refused: web: cpus: 9, but at most 8 with a GICv2|");
	assert_string_equal(trace, "init map exit init map exit ");
}

static void is_piece(const struct domain *d, unsigned int n, u64 ipa, u64 size)
{
	assert_int_equal(d->home.ram[n].ipa.v, ipa);
	assert_int_equal(d->home.ram[n].size, size);
}

/* In blocks as large as can be had; what the first bank has no room for, in
 * the second one.
 */
static void test_ram(void **state)
{
	struct domain *d;

	(void)state;
	g.memory = GUEST_RAM0_SIZE + 2 * MIB + PAGE_SIZE;
	ram_end = RAM + FRAME_SIZE;
	d = build(1);
	assert_int_equal(d->home.nr_ram, 2);
	is_piece(d, 0, GUEST_RAM0_BASE, GUEST_RAM0_SIZE);
	is_piece(d, 1, GUEST_RAM1_BASE, 2 * MIB + PAGE_SIZE);
	assert_true(is_aligned(d->home.ram[0].pa.v, GIB));
	assert_int_equal(scrubbed, g.memory);
	end(d);
	assert_int_equal(scrubbed, 2 * g.memory);
	/* Better somewhere than nowhere. */
	setup(NULL);
	g.memory = 2 * GIB;
	ram_end = RAM + FRAME_SIZE;
	unaligned = true;
	d = build(1);
	assert_int_equal(d->home.nr_ram, 1);
	assert_int_equal(d->home.ram[0].pa.v, RAM + FRAME_SIZE);
	end(d);
	/* Halves, then quarters. */
	setup(NULL);
	g.memory = 14 * MIB;
	max_piece = 4 * MIB;
	d = build(1);
	assert_int_equal(d->home.nr_ram, 4);
	for (unsigned int i = 0; i < 4; i++)
		is_piece(d, i, GUEST_RAM0_BASE + i * 4 * MIB,
			 i == 3 ? 2 * MIB : 4 * MIB);
	end(d);
	assert_nothing_left();
}

/* The same memory and CPUs, whatever the others are given meanwhile. */
static void test_again(void **state)
{
	struct domain *d, *other;
	struct domain_home home;
	unsigned int cpu[2];
	u8 *base;

	(void)state;
	g.nr_vcpus = 2;
	d = build(1);
	home = d->home;
	for (unsigned int i = 0; i < 2; i++)
		cpu[i] = d->vcpus[i]->cpu;
	base = d->pool.base;
	other = build(2);
	for (unsigned int life = 2; life < 5; life++) {
		u64 before = scrubbed;

		d->nr_inside = 0;
		d->nr_warned = 4;
		d->stop_reason = STOP_CRASH;
		d->crashed = d->vcpus[1];
		d->vcpus[1]->on_entry = 0x1234;
		d->console.off = true;
		build_stop(d);
		assert_int_equal(d->state, DOMAIN_DEAD);
		assert_int_equal(scrubbed, before + g.memory);
		trace[0] = '\0';
		assert_int_equal(build_domain(&d, 1, &g), 0);
		assert_string_equal(trace, "init map ");
		assert_memory_equal(&d->home, &home, sizeof(home));
		assert_ptr_equal(d->pool.base, base);
		/* Nothing of the life before. */
		assert_int_equal(d->state, DOMAIN_BUILDING);
		assert_int_equal(d->nr_inside, 2);
		assert_int_equal(d->nr_warned, 0);
		assert_int_equal(d->stop_reason, STOP_NONE);
		assert_null(d->crashed);
		assert_int_equal(d->vcpus[1]->on_entry, 0);
		assert_false(d->console.off);
		assert_int_equal(d->vcpus[1]->cpu, cpu[1]);
		assert_int_equal(owned, 2 * g.memory);
		assert_int_equal(placed[cpu[0]].weight + placed[cpu[1]].weight,
				 2 * 256);
	}
	end(d);
	end(other);
	assert_nothing_left();
}

static void test_errors(void **state)
{
	(void)state;
	parts_err = -EINVAL;
	refuses(-EINVAL, "refused: web: xen,domain-p2m-mem-mb: pool too small "
			 "(error -22)|");
	assert_string_equal(trace, "init exit ");
	parts_err = 0;
	max_piece = FRAME_SIZE - 1;
	refuses(-ENOMEM, "refused: web: memory: not enough free RAM, or pool "
			 "too small (error -12)|");
	max_piece = FRAME_SIZE;
	g.memory = (DOMAIN_MAX_RAM + 1) * FRAME_SIZE;
	refuses(-ENOMEM, "refused: web: memory: not enough free RAM, or pool "
			 "too small (error -12)|");
	g.memory = FRAME_SIZE;
	map_direct_err = -ENOMEM;
	refuses(-ENOMEM, "refused: web: no memory for its pool of 256 KiB|");
	map_direct_err = 0;
	/* Before anything is taken: what there is suffices, or does not. */
	free_bytes = FRAME_SIZE - 1;
	refuses(-ENOMEM, "refused: web: memory: 2 MiB, but 1 are free|");
	free_bytes = FRAME_SIZE;
	end(build(1));
	memset(pool_used, 1, sizeof(pool_used));
	{
		struct domain *d = NULL;

		assert_int_equal(build_domain(&d, 1, &g), -ENOMEM);
		assert_null(d);
	}
}

/* Each allocation fails once, in this life: nothing is left, all is said. */
static void fails_each(unsigned int lives)
{
	unsigned int n = 1;

	for (bool hit = true; hit; n++) {
		struct domain *d = NULL;
		int err = 0;

		setup(NULL);
		max_piece = 2 * MIB;
		g.nr_vcpus = 2;
		for (unsigned int i = 1; !err && i <= lives; i++) {
			if (i > 1)
				build_stop(d);
			if (i == lives)
				fault_arm(n);
			err = build_domain(&d, 1, &g);
		}
		hit = fault_has_hit();
		fault_arm(0);
		/* RAM that cannot be had in one way is had in another one. */
		if (!err) {
			assert_true(!hit || lives == 1);
			end(d);
		} else {
			assert_int_equal(err, -ENOMEM);
			assert_null(d);
			assert_int_equal(strncmp(logged, "refused: web: ", 14),
					 0);
			assert_non_null(strchr(logged, '|'));
			assert_null(strchr(strchr(logged, '|') + 1, '|'));
		}
		assert_nothing_left();
	}
	/* Domain, vCPUs, two of the parts, each piece mapped. */
	assert_true(n > 1 + 2 + 2 + 2);
}

static void test_no_memory(void **state)
{
	(void)state;
	fails_each(1);
	fails_each(2);
	fails_each(3);
}

static int group_setup(void **state)
{
	(void)state;
	return mmap(direct_ptr(PADDR(POOLS)), NR_POOLS * POOL_SIZE,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_domain, setup),
		cmocka_unit_test_setup(test_place, setup),
		cmocka_unit_test_setup(test_no_cpus, setup),
		cmocka_unit_test_setup(test_ram, setup),
		cmocka_unit_test_setup(test_again, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
