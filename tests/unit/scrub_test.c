/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM holds nothing of an earlier owner: whatever a domain is given is
 * zero in the caches and in memory before its kernel is loaded, and what it
 * gives back is before anyone else can have it. Building a guest, undoing that
 * and a domain's end, each with RAM full of secrets; and the instruction
 * caches are invalidated between its load and its start.
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

#undef CONFIG_ALLOW_UNSIGNED
#define CONFIG_ALLOW_UNSIGNED 1
#include "../../kernel/build.c"

#define AREA	    (64 * MIB) /* what a guest's RAM is found in */
#define FREE_BASE   (PA_BASE + GIB)
#define MODULES	    (PA_BASE + 3 * GIB)
#define MAX_PIECES  32
#define MAX_GUESTS  2
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

static struct describe_guest guests[MAX_GUESTS];
static unsigned int nr_guests, nr_described;
static int load_err, map_err_after, spare_hyp;
#define PIECE (64 * KIB) /* between two looks at interrupts */

static unsigned int loads, seen, nr_hyp, stage2s, iallus, starts, placed;
static u64 now, dirtied;
static char trace[64]; /* dsb, ic, isb and starts since the last load */

u64 host_sysreg_read(const char *name)
{
	return !strcmp(name, "ctr_el0") ? ctr : dczid;
}
const char *verify_algo_name(const struct verify_key *k)
{
	return "";
}
const char *verify_padding_name(const struct verify_key *k)
{
	return "";
}
void panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}
void die(const char *fmt, ...)
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
void log_line(const char *fmt, ...)
{
}
void log_at(enum log_level level, const char *fmt, ...)
{
}
u64 time_now(void)
{
	return now;
}
void timer_cancel(struct timer *t)
{
}
void ptimer_vcpu_init(struct vcpu *v)
{
}
/* Of a GICv2, GICV's pages are mapped and are nobody's RAM. */
static unsigned int version = 3, gicv_pages;

unsigned int gic_version(void)
{
	return version;
}
paddr_t gic_guest_frame(unsigned int n)
{
	return PADDR(0xff846000 + n * 0x10000UL);
}
int vgic_domain_init(struct domain *d, unsigned int nr_spis)
{
	return 0;
}
void vgic_domain_exit(struct domain *d)
{
}
void vgic_vcpu_reset(struct vcpu *v)
{
}
int vpl011_init(struct domain *d)
{
	return 0;
}
int pl031_init(struct domain *d)
{
	return 0;
}
int wdt_init(struct domain *d, u32 ms)
{
	return 0;
}
void wdt_start(struct domain *d)
{
}
void wdt_resume(struct domain *d)
{
}
void wdt_exit(struct domain *d)
{
}
void arch_vcpu_dump_parked(const struct vcpu *v)
{
}
void console_guest_flush(struct domain *d)
{
}
void console_give_input(const struct domain *d)
{
}
void console_leave_input(const struct domain *d)
{
}
void console_sync(void)
{
}
void arch_vcpu_dump(const struct vcpu *v)
{
}
void arch_poweroff(void)
{
	fail_msg("powered off");
	abort();
}
void arch_reboot(void)
{
	fail_msg("rebooted");
	abort();
}

const struct verify_ring verify_built_in = {.nr = 0};

int describe_chosen(const void *fdt, struct describe_chosen *out,
		    struct describe_error *err)
{
	*out = (struct describe_chosen){.when_all_off = ALL_OFF_STAY};
	return 0;
}
void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT])
{
	fail_msg("none is revoked");
}
int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *ring, struct fit_guest *out,
	     struct fit_error *err)
{
	fail_msg("none is signed");
	return -EINVAL;
}
int mmu_map_direct(paddr_t pa, u64 size)
{
	return 0;
}
void mmu_unmap_direct(paddr_t pa, u64 size)
{
}
bool describe_next(const void *fdt, struct dt_node *node)
{
	if (nr_described == nr_guests)
		return false;
	node->name = guests[nr_described++].name;
	return true;
}
int describe_guest(const struct dt_node *node, struct describe_guest *out,
		   struct describe_error *err)
{
	*out = guests[nr_described - 1];
	assert_string_equal(out->name, node->name);
	return 0;
}

/* Interrupts come through here: no window is open, and not too late. */
void work_point(void)
{
	assert_windows_closed();
	dirtied = 0;
	seen++;
	now += TICKS_A_SEE;
}
void work_submit(struct work *w, void (*fn)(struct work *w))
{
	fn(w);
}

static void on_op(const char *op, u64 pa)
{
	if (!strcmp(op, "civac")) {
		dirtied += cache_line_size();
		assert_true(dirtied <= DEADLINE);
	} else if (strlen(trace) < sizeof(trace) - 1 && strcmp(op, "zva")) {
		strcat(trace, !strcmp(op, "dsb ish") ? "D"
			      : !strcmp(op, "isb")   ? "B"
			      : strcmp(op, "dsb sy") ? "I"
						     : "");
	}
	iallus += !strcmp(op, "iallu_is");
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

int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	assert_int_equal(state, PAGE_OWNED);
	assert_true(owner > 0);
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
		assert_true(pa.v >= MODULES && owner == PAGE_OWNER_NONE);
		return 0;
	}
	p = find_piece(pa.v, size);
	assert_int_equal(p->owner, owner);
	/* Once it ran, no TLB may know the pages any more. */
	assert_false(p->mapped && starts);
	assert_scrubbed(p->pa, p->size);
	assert_secret(p->pa - PAGE_SIZE, PAGE_SIZE);
	assert_secret(p->pa + p->size, PAGE_SIZE);
	p->owner = 0;
	left += size;
	return 0;
}

/* Pools: at addresses of the direct map as far as arithmetic goes. */
void *page_alloc_hyp(u64 size)
{
	void *p;

	if (!spare_hyp)
		return NULL;
	spare_hyp--;
	nr_hyp++;
	p = aligned_alloc(PAGE_SIZE, size);
	assert_non_null(p);
	return memset(p, 0, size);
}
void page_free_hyp(void *p, u64 size)
{
	nr_hyp--;
	free(p);
}

int stage2_init(struct stage2 *s2, struct pool *pool, u8 vmid)
{
	stage2s++;
	s2->vttbr = vmid;
	s2->pt.root = (u64 *)s2;
	return 0;
}
void stage2_exit(struct stage2 *s2)
{
	if (s2->pt.root)
		stage2s--;
	s2->pt.root = NULL;
	for (unsigned int i = 0; i < nr_pieces; i++)
		if (pieces[i].owner == s2->vttbr)
			pieces[i].mapped = false;
}
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	if (map_err_after >= 0 && !map_err_after--)
		return -ENOMEM;
	if (flags & PGT_DEVICE) {
		assert_int_equal(flags, PGT_DEVICE | PGT_R | PGT_W);
		assert_int_equal(ipa.v, 0x3002000 + gicv_pages * PAGE_SIZE);
		assert_int_equal(pa.v, gic_guest_frame(gicv_pages++).v);
		assert_int_equal(size, PAGE_SIZE);
		return 0;
	}
	find_piece(pa.v, size)->mapped = true;
	return 0;
}

/* As a guest would find it; then as a guest leaves it. */
int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img)
{
	u64 total = 0;

	assert_windows_closed();
	for (unsigned int i = 0; i < d->nr_ram; i++) {
		struct piece *p = find_piece(d->ram[i].pa.v, d->ram[i].size);

		assert_int_equal(p->owner, d->id);
		assert_scrubbed(p->pa, p->size);
		assert_secret(p->pa - PAGE_SIZE, PAGE_SIZE);
		assert_secret(p->pa + p->size, PAGE_SIZE);
		leave_secret(p->pa, p->size);
		total += p->size;
	}
	assert_int_equal(total, g->memory);
	loads++;
	trace[0] = '\0';
	return load_err;
}

void ipi_send(unsigned int cpu, u32 reasons)
{
}
void sched_place(struct vcpu *v, unsigned int cpu, u32 weight, u32 slice_us)
{
	assert_int_equal(v->cpu, cpu);
	placed++;
}
u64 time_freq(void)
{
	return 1000000;
}
void sched_kill(struct vcpu *v)
{
}
void sched_pause(struct vcpu *v)
{
}
void sched_resume(struct vcpu *v)
{
}
u64 sched_out_since(struct vcpu *v)
{
	return ~0UL;
}
void sched_wake(struct vcpu *v)
{
	/* Placed before it is to run. */
	assert_true(placed >= v->domain->nr_vcpus);
	starts++;
	strcat(trace, "S");
}

static int setup(void **state)
{
	(void)state;
	forget_memory();
	mem_trace = on_op;
	ctr = field_prep(BITS(19, 16), 4UL);
	dczid = 4;
	memset(&build, 0, sizeof(build));
	memset(&plan, 0, sizeof(plan));
	memset(domains, 0, sizeof(domains));
	memset(guests, 0, sizeof(guests));
	memset(cpus, 0, sizeof(cpus));
	memset(&me, 0, sizeof(me));
	nr_pieces = nr_guests = nr_described = 0;
	max_piece = left = AREA;
	gap = FRAME_SIZE;
	load_err = 0;
	map_err_after = -1;
	spare_hyp = 100;
	loads = seen = iallus = starts = placed = stage2s = nr_hyp = 0;
	now = dirtied = 0;
	trace[0] = '\0';
	version = 3;
	gicv_pages = 0;
	return 0;
}

static void add_guest(u64 memory, unsigned int nr_vcpus)
{
	struct describe_guest *g = &guests[nr_guests++];

	snprintf(g->name, sizeof(g->name), "guest%u", nr_guests);
	g->memory = memory;
	g->nr_vcpus = nr_vcpus;
	g->pool_size = 512 * KIB;
	g->kernel = (struct page_bank){MODULES, MIB};
	for (unsigned int i = 0; i < nr_vcpus; i++)
		g->affinity[i] = ~0UL;
}

static void build_guests(void)
{
	build_read(NULL);
	build_all();
}

/* The first guest alone: all of them failing ends in die(). */
static void build_first(void)
{
	build_read(NULL);
	build_guest(0);
}

static void assert_undone(void)
{
	for (unsigned int i = 0; i < nr_pieces; i++)
		assert_int_not_equal(pieces[i].owner, 1);
	assert_null(domains[1]);
}

static void drop_pools(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i])
			page_free_hyp(domains[i]->pool.base, 0);
	assert_int_equal(nr_hyp, 0);
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
			assert_int_equal(build.scrub_ticks,
					 frames * TICKS_A_SEE);
		}
	scrub(PADDR(FREE_BASE), 0);
}

static void test_before_load(void **state)
{
	(void)state;
	add_guest(8 * MIB, 1);
	add_guest(4 * MIB + PAGE_SIZE, 2);
	build_guests();
	assert_int_equal(loads, 2);
	assert_int_equal(nr_pieces, 2);
	assert_true(starts >= 2);
	drop_pools();
}

/* Each guest of a GICv2 gets GICV's pages, or is refused. */
static void test_gicv(void **state)
{
	(void)state;
	version = 2;
	add_guest(2 * MIB, 1);
	build_guests();
	assert_int_equal(gicv_pages, 2);
	drop_pools();
	setup(NULL);
	version = 2;
	add_guest(2 * MIB, 1);
	map_err_after = 1;
	build_first();
	assert_int_equal(gicv_pages, 1);
	assert_int_equal(loads, 0);
	assert_undone();
	assert_int_equal(stage2s, 0);
}

static void test_pieces(void **state)
{
	(void)state;
	add_guest(8 * MIB + 3 * PAGE_SIZE, 1);
	max_piece = FRAME_SIZE;
	build_guests();
	assert_int_equal(loads, 1);
	assert_int_equal(nr_pieces, 5);
	assert_int_equal(domains[1]->nr_ram, 5);
	/* And one after the start, one while its module is unmapped. */
	assert_int_equal(seen, 129 + 2);
	assert_int_equal(build.scrub_ticks, 129 * TICKS_A_SEE);
	drop_pools();
}

/* After each guest's loading, before it runs. */
static void test_icache(void **state)
{
	(void)state;
	add_guest(2 * MIB, 1);
	add_guest(2 * MIB, 1);
	build_guests();
	assert_int_equal(iallus, 2);
	assert_int_equal(strncmp(trace, "DIDBS", 5), 0);
	drop_pools();
}

static void test_load_fails(void **state)
{
	(void)state;
	add_guest(6 * MIB, 1);
	max_piece = FRAME_SIZE;
	load_err = -EINVAL;
	build_first();
	assert_int_equal(loads, 1);
	assert_int_equal(nr_pieces, 3);
	assert_undone();
	assert_int_equal(nr_hyp, 0);
	assert_int_equal(stage2s, 0);
}

/* Wherever memory ends, what was taken before goes back as it should. */
static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 12; n++) {
		setup(NULL);
		add_guest(12 * MIB, 1);
		add_guest(2 * MIB, 1);
		max_piece = FRAME_SIZE;
		if (n < 6)
			left = n * FRAME_SIZE + FRAME_SIZE - PAGE_SIZE;
		else
			map_err_after = (int)n - 6;
		build_first();
		assert_int_equal(loads, 0);
		assert_int_equal(nr_pieces, n < 6 ? n : n - 5);
		assert_undone();
		assert_int_equal(nr_hyp, 0);
		assert_int_equal(stage2s, 0);
	}
	/* More pieces than a domain can have. */
	setup(NULL);
	add_guest((DOMAIN_MAX_RAM + 1) * FRAME_SIZE, 1);
	max_piece = FRAME_SIZE;
	build_first();
	assert_int_equal(nr_pieces, DOMAIN_MAX_RAM);
	assert_undone();
	assert_int_equal(nr_hyp, 0);
}

/* One guest that cannot be had takes nothing from the next one. */
static void test_next_guest(void **state)
{
	(void)state;
	add_guest(AREA + MIB, 1);
	add_guest(4 * MIB, 1);
	max_piece = 16 * MIB;
	build_guests();
	assert_undone();
	assert_non_null(domains[2]);
	assert_int_equal(loads, 1);
	drop_pools();
}

/* Scrubbed at its end: after the last vCPU, once nothing is mapped. */
static void test_end(void **state)
{
	struct domain *d;

	(void)state;
	add_guest(6 * MIB, 2);
	add_guest(2 * MIB, 1);
	max_piece = 4 * MIB;
	build_guests();
	d = domains[1];
	assert_int_equal(nr_pieces, 3);
	domain_stop(d, STOP_OFF);
	iallus = 0;
	domain_vcpu_left(d->vcpus[1]);
	assert_int_equal(pieces[0].owner, 1);
	assert_secret(pieces[0].pa, pieces[0].size);
	assert_int_equal(READ_ONCE(d->state), DOMAIN_STOPPING);
	domain_vcpu_left(d->vcpus[0]);
	assert_int_equal(READ_ONCE(d->state), DOMAIN_OFF);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(pieces[i].owner, 0);
		assert_false(pieces[i].mapped);
		assert_scrubbed(pieces[i].pa, pieces[i].size);
	}
	assert_int_equal(d->nr_ram, 0);
	/* The neighbour's is untouched. */
	assert_int_equal(pieces[2].owner, 2);
	assert_secret(pieces[2].pa, pieces[2].size);
	drop_pools();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_range, setup),
		cmocka_unit_test_setup(test_before_load, setup),
		cmocka_unit_test_setup(test_gicv, setup),
		cmocka_unit_test_setup(test_pieces, setup),
		cmocka_unit_test_setup(test_icache, setup),
		cmocka_unit_test_setup(test_load_fails, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_next_guest, setup),
		cmocka_unit_test_setup(test_end, setup),
	};

	return cmocka_run_group_tests(tests, reserve_memory, NULL);
}
