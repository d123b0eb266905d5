/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM holds nothing of an earlier owner: whatever a domain is given is
 * zero in the caches and in memory before its kernel is loaded, and what it
 * gives back is before anyone else can have it. Building a domain, undoing
 * that, its end, and its next life, each with RAM full of secrets.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memhost.h"

#include "../../kernel/build.c"

#define AREA	    (64 * MIB) /* what a guest's RAM is found in */
#define FREE_BASE   (PA_BASE + GIB)
#define POOLS	    (PA_BASE + 5 * GIB)
#define POOL_SIZE   (512 * KIB)
#define MAX_PIECES  32
#define SECRET	    0xa7
#define DEADLINE    (64 * KIB)
#define TICKS_A_SEE 7

static u64 ctr, dczid;
static struct cpu me;
struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus = 4;
struct cpu *host_this_cpu = &me;

/* Physical memory: given out upwards; what is out, and to whom. */
static struct piece {
	u64 pa, size;
	u8 owner; /* 0: free (again) */
	bool mapped;
} pieces[MAX_PIECES];
static unsigned int nr_pieces;
static u64 max_piece, gap, left;

static struct describe_guest g;
static struct domain *d;
static int map_err_after, parts_err;
#define PIECE (64 * KIB) /* between two looks at interrupts */

static unsigned int seen, nr_pools, inits, exits;
static u64 now, dirtied;

u64 host_sysreg_read(const char *name)
{
	return !strcmp(name, "ctr_el0") ? ctr : dczid;
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
void log_at(enum log_level level, const char *fmt, ...)
{
}
u64 time_now(void)
{
	return now;
}
unsigned int gic_version(void)
{
	return 3;
}
int mmu_map_direct(paddr_t pa, u64 size)
{
	assert_int_equal(size, POOL_SIZE);
	memset(direct_ptr(pa), SECRET, size);
	nr_pools++;
	return 0;
}
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	const u8 *p = direct_ptr(pa);

	/* Saved registers of guests, and more. */
	assert_true(!p[0] && !memcmp(p, p + 1, size - 1));
	nr_pools--;
}

/* Interrupts come through here: no window is open, and not too late. */
void sched_reserve(unsigned int cpu, u32 nr_constrained)
{
	(void)cpu;
	(void)nr_constrained;
}
void work_point(void)
{
	assert_windows_closed();
	dirtied = 0;
	seen++;
	now += TICKS_A_SEE;
}

static void on_op(const char *op, u64 pa)
{
	if (!strcmp(op, "civac")) {
		dirtied += cache_line_size();
		assert_true(dirtied <= DEADLINE);
	}
}

static bool all_are(const u8 *p, u64 size, u8 val)
{
	return !size || (*p == val && !memcmp(p, p + 1, size - 1));
}

static void assert_scrubbed(u64 pa, u64 size)
{
	if (!all_are(host_byte(mem, pa), size, 0))
		fail_msg("%#lx: not zero", pa);
	if (!all_are(host_byte(poc, pa), size, 0))
		fail_msg("%#lx: not written back", pa);
}

static void assert_secret(u64 pa, u64 size)
{
	assert_true(all_are(host_byte(mem, pa), size, SECRET));
	assert_true(all_are(host_byte(poc, pa), size, SECRET));
}

static void leave_secret(u64 pa, u64 size)
{
	memset(host_byte(mem, pa), SECRET, size);
	memset(host_byte(poc, pa), SECRET, size);
}

static struct piece *find_piece(u64 pa, u64 size)
{
	for (unsigned int i = 0; i < nr_pieces; i++)
		if (pieces[i].pa == pa && pieces[i].size == size)
			return &pieces[i];
	fail_msg("%#lx, %#lx: never given out", pa, size);
	return NULL;
}

void page_stats(struct page_stats *out)
{
	*out = (struct page_stats){.free = ~0UL};
}
int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	if (state == PAGE_HYP) {
		*pa = PADDR(POOLS);
		return 0;
	}
	assert_true(state == PAGE_OWNED && owner > 0);
	if (size > max_piece || size > left)
		return -ENOMEM;
	assert_true(nr_pieces < MAX_PIECES);
	left -= size;
	pa->v = FREE_BASE;
	if (nr_pieces)
		pa->v = align_up(pieces[nr_pieces - 1].pa +
					 pieces[nr_pieces - 1].size + gap,
				 FRAME_SIZE);
	pieces[nr_pieces++] = (struct piece){pa->v, size, owner, false};
	/* A page before and behind belong to others, or to no one. */
	leave_secret(pa->v - PAGE_SIZE, size + 2 * PAGE_SIZE);
	return 0;
}

int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	struct piece *p;

	assert_windows_closed();
	if (state == PAGE_HYP) {
		assert_true(pa.v == POOLS && owner == PAGE_OWNER_NONE);
		return 0;
	}
	p = find_piece(pa.v, size);
	assert_int_equal(p->owner, owner);
	/* No TLB may know the pages any more. */
	assert_false(p->mapped);
	assert_scrubbed(p->pa, p->size);
	assert_secret(p->pa - PAGE_SIZE, PAGE_SIZE);
	assert_secret(p->pa + p->size, PAGE_SIZE);
	p->owner = 0;
	left += size;
	return 0;
}

int domain_init_parts(struct domain *dom, const struct describe_guest *desc)
{
	inits++;
	return parts_err;
}
/* After it nothing is mapped for the guest, nor in a TLB. */
void domain_exit_parts(struct domain *dom)
{
	exits++;
	for (unsigned int i = 0; i < nr_pieces; i++)
		if (pieces[i].owner == dom->id)
			pieces[i].mapped = false;
}
/* What the guest can read from the first moment on. */
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	struct piece *p = find_piece(pa.v, size);

	if (map_err_after >= 0 && !map_err_after--)
		return -ENOMEM;
	assert_int_equal(flags, PGT_R | PGT_W | PGT_X);
	assert_scrubbed(p->pa, p->size);
	p->mapped = true;
	return 0;
}

/* As a guest would find it; then as a guest leaves it. */
static void live(void)
{
	u64 total = 0;

	assert_windows_closed();
	for (unsigned int i = 0; i < d->home.nr_ram; i++) {
		struct piece *p = find_piece(d->home.ram[i].pa.v,
					     d->home.ram[i].size);

		assert_int_equal(p->owner, d->id);
		assert_true(p->mapped);
		assert_scrubbed(p->pa, p->size);
		assert_secret(p->pa - PAGE_SIZE, PAGE_SIZE);
		assert_secret(p->pa + p->size, PAGE_SIZE);
		leave_secret(p->pa, p->size);
		total += p->size;
	}
	assert_int_equal(total, g.memory);
	/* All of the pool is the domain's, which begins with nothing. */
	for (u64 n = sizeof(*d); n < POOL_SIZE; n++)
		if (d->pool.base[n] &&
		    (d->pool.base + n < (u8 *)d->vcpus[0] ||
		     d->pool.base + n >= (u8 *)(d->vcpus[0] + 1)))
			fail_msg("%#lx of the pool is not zero", n);
	for (unsigned int i = 0; i < 31; i++) {
		assert_int_equal(d->vcpus[0]->arch.regs.x[i], 0);
		d->vcpus[0]->arch.regs.x[i] = SECRET;
	}
	memset(pool_alloc(&d->pool, PAGE_SIZE, 8), SECRET, PAGE_SIZE);
}

static int setup(void **state)
{
	(void)state;
	forget_memory();
	mem_trace = on_op;
	ctr = field_prep(BITS(19, 16), 4UL);
	dczid = 4;
	build_scrub_ticks = 0;
	memset(&g, 0, sizeof(g));
	d = NULL;
	nr_pieces = 0;
	max_piece = left = AREA;
	gap = FRAME_SIZE;
	parts_err = 0;
	map_err_after = -1;
	seen = nr_pools = inits = exits = 0;
	now = dirtied = 0;
	return 0;
}

static void set_guest(u64 memory)
{
	strcpy(g.name, "guest");
	g.memory = memory;
	g.nr_vcpus = 1;
	g.pool_size = POOL_SIZE;
	g.affinity[0] = ~0UL;
}

static void assert_undone(void)
{
	for (unsigned int i = 0; i < nr_pieces; i++)
		assert_int_equal(pieces[i].owner, 0);
	assert_int_equal(nr_pools, 0);
}

static void refuses(void)
{
	assert_int_not_equal(build_domain(&d, 1, &g), 0);
	assert_null(d);
	assert_undone();
}

/* Any start, any end, with and without DC ZVA: this and nothing else. */
static void test_range(void **state)
{
	static const u64 at[] = {0, PAGE_SIZE, FRAME_SIZE - PAGE_SIZE};
	static const u64 sizes[] = {PAGE_SIZE, FRAME_SIZE,
				    FRAME_SIZE + PAGE_SIZE,
				    3 * FRAME_SIZE - PAGE_SIZE};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++)
		for (unsigned int n = 0; n < ARRAY_SIZE(sizes) * 4; n++) {
			u64 pa = FREE_BASE + at[i], size = sizes[n / 4];
			u64 first = align_down(pa, PIECE);
			u64 frames = (align_up(pa + size, PIECE) - first) /
				     PIECE;

			setup(NULL);
			dczid = n & 1 ? BIT(4) : 4;
			ctr = field_prep(BITS(19, 16), n & 2 ? 4UL : 9UL);
			leave_secret(pa - PAGE_SIZE, size + 2 * PAGE_SIZE);
			scrub(PADDR(pa), size);
			assert_windows_closed();
			assert_scrubbed(pa, size);
			assert_secret(pa - PAGE_SIZE, PAGE_SIZE);
			assert_secret(pa + size, PAGE_SIZE);
			assert_int_equal(seen, frames);
			assert_int_equal(build_scrub_ticks,
					 frames * TICKS_A_SEE);
		}
	scrub(PADDR(FREE_BASE), 0);
}

static void test_pieces(void **state)
{
	(void)state;
	set_guest(8 * MIB + 3 * PAGE_SIZE);
	max_piece = FRAME_SIZE;
	assert_int_equal(build_domain(&d, 1, &g), 0);
	assert_int_equal(nr_pieces, 5);
	assert_int_equal(d->home.nr_ram, 5);
	assert_int_equal(build_scrub_ticks, 129 * TICKS_A_SEE);
	live();
}

/* At a life's end no other one may find it, in whatever life or memory. */
static void test_lives(void **state)
{
	(void)state;
	set_guest(6 * MIB);
	max_piece = 4 * MIB;
	for (unsigned int life = 1; life <= 4; life++) {
		assert_int_equal(build_domain(&d, 1, &g), 0);
		assert_int_equal(inits, life);
		/* The memory of the first life. */
		assert_int_equal(nr_pieces, 2);
		live();
		build_stop(d);
		assert_int_equal(exits, life);
		assert_int_equal(d->state, DOMAIN_DEAD);
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(pieces[i].owner, 1);
			assert_false(pieces[i].mapped);
			assert_scrubbed(pieces[i].pa, pieces[i].size);
		}
	}
	build_free(d);
	assert_undone();
}

/* Refused when it was loaded already: what was copied is nobody's either. */
static void test_load_fails(void **state)
{
	(void)state;
	set_guest(6 * MIB);
	max_piece = FRAME_SIZE;
	assert_int_equal(build_domain(&d, 1, &g), 0);
	assert_int_equal(nr_pieces, 3);
	live();
	build_stop(d);
	build_free(d);
	assert_undone();
}

/* Wherever memory ends, what was taken before goes back as it should. */
static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 12; n++) {
		setup(NULL);
		set_guest(12 * MIB);
		max_piece = FRAME_SIZE;
		if (n < 6)
			left = n * FRAME_SIZE + FRAME_SIZE - PAGE_SIZE;
		else
			map_err_after = (int)n - 6;
		refuses();
		assert_int_equal(nr_pieces, n < 6 ? n : 6);
		assert_int_equal(inits, n >= 6);
		assert_true(exits);
	}
	/* More pieces than a domain can have. */
	setup(NULL);
	set_guest((DOMAIN_MAX_RAM + 1) * FRAME_SIZE);
	max_piece = FRAME_SIZE;
	refuses();
	assert_int_equal(nr_pieces, DOMAIN_MAX_RAM);
	/* A part that fails. */
	setup(NULL);
	set_guest(2 * MIB);
	parts_err = -EINVAL;
	refuses();
	assert_int_equal(nr_pieces, 1);
}

/* The neighbour keeps what it has. */
static void test_neighbour(void **state)
{
	struct piece *p;

	(void)state;
	set_guest(2 * MIB);
	assert_int_equal(build_domain(&d, 1, &g), 0);
	p = &pieces[nr_pieces++];
	*p = (struct piece){pieces[0].pa + pieces[0].size + gap, FRAME_SIZE, 2,
			    true};
	leave_secret(p->pa, p->size);
	live();
	build_stop(d);
	build_free(d);
	assert_int_equal(p->owner, 2);
	assert_true(p->mapped);
	assert_secret(p->pa, p->size);
}

/* Pools are at the direct map's addresses. */
static int group_setup(void **state)
{
	if (mmap(direct_ptr(PADDR(POOLS)), POOL_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return -1;
	return reserve_memory(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_range, setup),
		cmocka_unit_test_setup(test_pieces, setup),
		cmocka_unit_test_setup(test_lives, setup),
		cmocka_unit_test_setup(test_load_fails, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_neighbour, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
