/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual GIC on two CPUs of the host, each a thread: accesses to what
 * stands in the list registers of the other, SGIs, and a long run in which
 * both vCPUs do to each other whatever they can, with each version of the GIC.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "vgichost.h"

#define NR_OPS	1000000
#define TIMEOUT 100 /* s; a deadlock ends the test */

_Thread_local struct cpu *host_this_cpu = &host_cpus[0];
void (*host_barrier)(const char *name);

static void (*guest)(void); /* what vCPU 1 does between its IPIs */
static bool stop, stopped;
static pthread_t other;

void ipi_send(unsigned int cpu, u32 reasons)
{
	__atomic_fetch_or(&host_cpus[cpu].ipi, reasons, __ATOMIC_RELEASE);
}
void sched_wake(struct vcpu *v)
{
	(void)v;
}
void ipi_handle(void)
{
	struct cpu *cpu = host_this_cpu;

	if (__atomic_exchange_n(&cpu->ipi, 0, __ATOMIC_ACQUIRE) & IPI_REFRESH)
		vgic_refresh(cpu->current);
}

/* GICH_HCR.UIE: none of the list registers, or one alone, is in use. */
static bool underflow(void)
{
	u64 empty = gic_lr_empty();

	return gic()->some_wait && __builtin_popcountl(empty) >= NR_LRS - 1;
}

/* EL2's way out: IPIs and maintenance first. */
static void leave_el2(void)
{
	struct vgic_vcpu *g = &host_this_cpu->current->vgic;

	while (READ_ONCE(host_this_cpu->ipi))
		ipi_handle();
	if (gic_lr_ended() || gic()->eois || underflow())
		vgic_maintain(host_this_cpu->current);
	assert_false(g->held);
	assert_null(g->holding);
	spin_lock(&d.vgic.lock); /* the test may play this CPU's guest */
	check_books();
	spin_unlock(&d.vgic.lock);
}

static void *run_other(void *arg)
{
	(void)arg;
	host_this_cpu = &host_cpus[1];
	host_this_cpu->current = &vcpus[1];
	vgic_load(&vcpus[1]);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		leave_el2();
		if (guest)
			guest();
	}
	vgic_unload(&vcpus[1]);
	__atomic_store_n(&stopped, true, __ATOMIC_RELEASE);
	return NULL;
}

static int start(void (*fn)(void))
{
	host_gic_reset();
	host_cpus[0].current = &vcpus[0];
	vgic_load(&vcpus[0]);
	gicd_w(0, host_gic_version == 3 ? 2 : 1);
	stop = stopped = false;
	guest = fn;
	alarm(TIMEOUT);
	assert_int_equal(pthread_create(&other, NULL, run_other, NULL), 0);
	while (!READ_ONCE(vcpus[1].vgic.loaded))
		leave_el2();
	return 0;
}
static int setup(void **state)
{
	(void)state;
	host_gic_version = 3;
	return start(NULL);
}
static int setup_v2(void **state)
{
	(void)state;
	host_gic_version = 2;
	return start(NULL);
}
static int teardown(void **state)
{
	(void)state;
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	/* It may be waiting for what stands in our LRs: only we let it go. */
	while (!__atomic_load_n(&stopped, __ATOMIC_ACQUIRE)) {
		leave_el2();
		sched_yield();
	}
	pthread_join(other, NULL);
	alarm(0);
	return 0;
}

/* As the other CPU's guest, while it is in ours: it does nothing itself. */
static void settle(void)
{
	bool busy;

	do {
		sched_yield();
		spin_lock(&d.vgic.lock);
		busy = READ_ONCE(host_cpus[1].ipi) || vcpus[1].vgic.refill ||
		       vcpus[1].vgic.held;
		spin_unlock(&d.vgic.lock);
	} while (busy);
}
static unsigned int other_state(unsigned int intid)
{
	unsigned int state;

	settle();
	host_this_cpu = &host_cpus[1];
	state = state_of(intid);
	host_this_cpu = &host_cpus[0];
	return state;
}
static void other_takes(unsigned int intid)
{
	settle();
	host_this_cpu = &host_cpus[1];
	take(lr_of(intid));
	host_this_cpu = &host_cpus[0];
}
static void other_ends(unsigned int intid)
{
	settle();
	host_this_cpu = &host_cpus[1];
	end(lr_of(intid));
	host_this_cpu = &host_cpus[0];
}

static void test_sgi(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
		assert_int_equal(other_state(6), 1);
		/* While active: once more after it. */
		other_takes(6);
		vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
		assert_int_equal(other_state(6), 3);
		other_ends(6);
		other_takes(6);
		other_ends(6);
		assert_int_equal(other_state(6), 0);
	}
}

/* Registers of an interrupt in an LR of the other CPU. */
static void test_registers(void **state)
{
	(void)state;
	vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
	assert_int_equal(other_state(6), 1);
	assert_int_equal(gicr_r(1, 0x200), BIT(6));
	assert_int_equal(gicr_r(1, 0x300), 0);
	/* Pending is cleared where it stands. */
	gicr_w(1, 0x280, BIT(6));
	assert_int_equal(other_state(6), 0);
	assert_int_equal(gicr_r(1, 0x200), 0);
	gicr_w(1, 0x200, BIT(6));
	assert_int_equal(other_state(6), 1);
	other_takes(6);
	assert_int_equal(gicr_r(1, 0x300), BIT(6));
	assert_int_equal(gicr_r(1, 0x280), 0);
	/* Pending cleared, active kept; then active cleared. */
	gicr_w(1, 0x200, BIT(6));
	assert_int_equal(other_state(6), 3);
	gicr_w(1, 0x280, BIT(6));
	assert_int_equal(other_state(6), 2);
	gicr_w(1, 0x380, BIT(6));
	assert_int_equal(other_state(6), 0);
	gicr_w(1, 0x300, BIT(6));
	assert_int_equal(other_state(6), 2);
	other_ends(6);
	/* Disabled: gone when the write returns. */
	gicr_w(1, 0x200, BIT(6));
	assert_int_equal(other_state(6), 1);
	gicr_w(1, 0x180, BIT(6));
	host_this_cpu = &host_cpus[1];
	assert_int_equal(state_of(6), 0);
	host_this_cpu = &host_cpus[0];
	assert_int_equal(gicr_r(1, 0x200), BIT(6));
	gicr_w(1, 0x100, BIT(6));
	assert_int_equal(other_state(6), 1);
	gicr_w(1, 0x404, 0x400000);
	settle();
	assert_int_equal(gics[1].lrs[vcpus[1].vgic.private[6].lr].priority,
			 0x40);
}

/* A line, and a route, that change from here. */
static void test_spi(void **state)
{
	(void)state;
	mmio(&d.vgic.dist, 0x6100, 8, true, 1);
	gicd_w(0x104, 1);
	vgic_set_spi(&d, 32, true);
	assert_int_equal(other_state(32), 1);
	vgic_set_spi(&d, 32, false);
	assert_int_equal(other_state(32), 0);
	vgic_set_spi(&d, 32, true);
	other_takes(32);
	/* It ends where it is active. */
	mmio(&d.vgic.dist, 0x6100, 8, true, 0);
	assert_int_equal(other_state(32), 3);
	assert_int_equal(lr_of(32), -1);
	gicd_w(0x384, 1);
	assert_int_equal(other_state(32), 0);
	leave_el2();
	assert_int_equal(state_of(32), 1);
}

/* Its timer made inactive by us: its CPU's interrupt is what must end. */
static void test_timer(void **state)
{
	(void)state;
	gicr_w(1, 0x100, BIT(27));
	host_this_cpu = &host_cpus[1];
	timer_fires();
	host_this_cpu = &host_cpus[0];
	assert_int_equal(other_state(27), 1);
	other_takes(27);
	gicr_w(1, 0x380, BIT(27));
	assert_int_equal(other_state(27), 0);
	assert_false(gics[1].phys);
	assert_int_equal(gicr_r(1, 0x300), 0);
}

/* An SGI that waits elsewhere becomes that of two senders. */
static void test_senders(void **state)
{
	(void)state;
	host_this_cpu = &host_cpus[1];
	gicd_w(0xf00, 2 << 16 | 6);
	host_this_cpu = &host_cpus[0];
	assert_int_equal(other_state(6), 1);
	other_takes(6);
	gicd_w(0xf00, 2 << 16 | 6);
	assert_int_equal(other_state(6), 2);
	assert_true(gics[1].lrs[vcpus[1].vgic.private[6].lr].eoi_maint);
	other_ends(6);
	while (other_state(6) != 1)
		;
	assert_int_equal(gics[1].lrs[vcpus[1].vgic.private[6].lr].source, 0);
	other_takes(6);
	other_ends(6);
	/* An SPI there, routed here. */
	gicd_w(0xc08, 0xaaaaaaaa);
	mmio(&d.vgic.dist, 0x820, 1, true, 2);
	gicd_w(0x104, 1);
	gicd_w(0x204, 1);
	assert_int_equal(other_state(32), 1);
	mmio(&d.vgic.dist, 0x820, 1, true, 1);
	assert_int_equal(other_state(32), 0);
	assert_int_equal(state_of(32), 1);
}

static void act_v2(u64 r, u16 reg, bool write, u32 val)
{
	switch (r >> 5 & 7) {
	case 0:
	case 1: /* its own */
		mmio(&d.vgic.dist, reg, 4, write, val);
		break;
	case 3:
		mmio(&d.vgic.dist, 0x820 + (r >> 8 & 31), 1, write, r >> 16);
		break;
	default:
		if (r & 8)
			mmio(&d.vgic.dist, 0xf10 + (r >> 8 & 31), 1, write,
			     r >> 16);
		else
			gicd_w(0xf00, (u32)(r >> 8 & 0x300000f) |
					      (u32)(r >> 16 & 3) << 16);
	}
}

/* What one guest does next, at random: registers, SGIs, its interrupts. */
static void act(unsigned int *seed)
{
	static const u16 regs[] = {0x080, 0x100, 0x100, 0x180, 0x200, 0x200,
				   0x280, 0x300, 0x380, 0x400, 0x404, 0xc04};
	unsigned int me = host_this_cpu->id;
	u64 r = (u64)rand_r(seed) << 31 | (u64)rand_r(seed);
	u16 reg = regs[r % ARRAY_SIZE(regs)];
	u32 val = (u32)(r >> 20) & (u32)(r >> 8);
	bool write = r & 16;
	unsigned int what = r >> 5 & 7;

	if (host_gic_version == 2 &&
	    (what == 0 || what == 1 || what == 3 || what == 7)) {
		act_v2(r, reg, write, val);
		what = 8;
	}
	switch (what) {
	case 0:
	case 1: /* of any of the two */
		mmio(&d.vgic.redist, (r >> 3 & 1) * 0x20000 + 0x10000 + reg, 4,
		     write, val);
		break;
	case 2:
		mmio(&d.vgic.dist, reg + (reg < 0x400 ? 4U : 0x20U), 4, write,
		     val);
		break;
	case 3:
		mmio(&d.vgic.dist, 0x6100 + 8 * (r >> 8 & 31), 8, write,
		     r >> 16 & 3);
		break;
	case 4:
		if (!(r >> 8 & 63))
			gicd_w(0, r >> 16 & 3);
		break;
	case 5:
		vgic_set_spi(&d, 32 + (r >> 8 & 31), r & 16);
		break;
	case 6:
		if (!gic()->phys)
			timer_fires();
		break;
	case 7:
		vgic_write_sgir(&vcpus[me],
				(r >> 8 & 15) << 24 | (1 + (r >> 16 & 1)), true);
	}
	leave_el2();
	for (unsigned int n = 0; n < NR_LRS; n++)
		if (gic()->lrs[n].pending && !gic()->lrs[n].active &&
		    (rand_r(seed) & 1))
			take((int)n);
		else if (gic()->lrs[n].active && (rand_r(seed) & 1))
			end((int)n);
}

static void act_other(void)
{
	static unsigned int seed = 77;

	act(&seed);
}

static int setup_random(void **state)
{
	(void)state;
	host_gic_version = 3;
	return start(act_other);
}
static int setup_random_v2(void **state)
{
	(void)state;
	host_gic_version = 2;
	return start(act_other);
}

/* Deliver and end all that is left; true when something was. */
static bool drain(void)
{
	bool some = false;

	leave_el2();
	for (unsigned int n = 0; n < NR_LRS; n++) {
		some |= gic_lr_state(n);
		if (gic()->lrs[n].pending && !gic()->lrs[n].active)
			take((int)n);
		if (gic()->lrs[n].active)
			end((int)n);
	}
	return some;
}

static void test_random(void **state)
{
	unsigned int seed = 5;

	for (unsigned int i = 0; i < NR_OPS; i++)
		act(&seed);
	/* Quiet: the other's LRs go back, and all comes here in the end. */
	teardown(state);
	for (unsigned int i = 32; i < 32 + NR_SPIS; i++)
		vgic_set_spi(&d, i, false);
	for (unsigned int i = 0; i < 300 && drain(); i++)
		;
	assert_false(drain());
	for (unsigned int i = 0; i < NR_SPIS; i++) {
		assert_int_equal(spis[i].taken, 0);
		/* What is left waits for its group. */
		assert_false(spis[i].vcpu == &vcpus[0] &&
			     (spis[i].active || spis[i].lr != VGIC_NO_LR ||
			      d.vgic.enabled[spis[i].group1]));
	}
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(vcpus[i].vgic.holders, 0);
		for (unsigned int n = 0; n < VGIC_NR_PRIVATE; n++)
			assert_int_equal(vcpus[i].vgic.private[n].taken, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sgi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_senders, setup_v2, teardown),
		cmocka_unit_test_setup(test_random, setup_random),
		{"test_random_v2", test_random, setup_random_v2, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
