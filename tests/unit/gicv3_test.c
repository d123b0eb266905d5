/* SPDX-License-Identifier: Apache-2.0 */
/* arch/arm64/gicv3.c behind gic.c: what reaches a GICv3, and in which order. */
#include "gichost.h"

#define D	0x10000UL
#define R	0x100000UL /* a region of redistributors */
#define R2	0x800000UL
#define SGI	0x10000UL
#define LAST	BIT(4)
#define VLPI	BIT(1)
#define AFF(n)	((u64)(n) << 32)
#define RWP	BIT(31)
#define GRP_RWP BIT(3)

static const struct frame v3_frames[] = {
	{"D", D, 0x10000},
	{"R", R, 0x600000},
	{"Q", R2, 0x200000},
};

static unsigned int v3_bank(u64 addr)
{
	return 0;
}

/* CPUs 1.0.0.2, 0 and 1 of the tree, in another order in the GIC. */
static int setup(void **state)
{
	reset_host();
	frames = v3_frames;
	nr_frames = ARRAY_SIZE(v3_frames);
	bank_of = v3_bank;
	machine.gic = (struct machine_gic){
		.version = 3,
		.dist = D,
		.dist_size = 0x10000,
		.redist = {R},
		.redist_size = {0x200000},
		.nr_redist = 1,
	};
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		machine.cpus[i].mpidr = (u64[]){0x100000002, 0, 0x10201}[i];
		cpus[i].mpidr = machine.cpus[i].mpidr;
	}
	*mmio(D + 4) = 5;
	*mmio(R + 8) = AFF(0x10201);
	*mmio(R + 0x20008) = AFF(0x01000002);
	*mmio(R + 0x40008) = AFF(0) | LAST;
	/* One beyond the last, which must not be looked at. */
	*mmio(R + 0x60008) = AFF(0);
	return 0;
}

static void init_cpu(unsigned int cpu, u64 vtr)
{
	on_cpu(cpu);
	*sysreg("ich_vtr_el2") = vtr;
	gic_init_cpu();
}

static int start(void **state)
{
	setup(state);
	gic_init();
	for (unsigned int i = NR_CPUS; i--;)
		init_cpu(i, 0x90000003);
	clear_trace();
	return 0;
}

static u64 frame(unsigned int cpu)
{
	return R + (u64[]){0x20000, 0x40000, 0}[cpu] + SGI;
}

static void test_init(void **state)
{
	static const char before[] =
		"map 10000+10000; rD+4; map 100000+20000; rR+8(64); "
		"map 120000+20000; rR+20008(64); "
		"map 140000+20000; rR+40008(64); D+0=0; rD+0; yield; rD+0; yield; "
		"rD+0; D+84=ffffffff; ";
	static const char after[] = " D+0=10; rD+0; yield; rD+0; yield; rD+0; "
				    "D+0=12; rD+0; yield; rD+0; yield; rD+0; ";

	char want[48];

	busy_addr = D;
	busy_bit = RWP;
	busy_after_write = 2;
	gic_init();
	assert_begins(before);
	assert_ends(after);
	assert_reset(D, 32, 192, ~0U);
	assert_int_equal(gic_version(), 3);
	/* 1020 to 1023 are no interrupts; no more frames than CPUs. */
	setup(state);
	*mmio(D + 4) = 31;
	machine.gic.redist_size[0] = 1UL << 30;
	*mmio(R + 0x40008) &= ~LAST;
	gic_init();
	assert_reset(D, 32, 1020, ~0U);
	for (u64 n = 0; n <= 2 * CONFIG_NR_CPUS; n++) {
		snprintf(want, sizeof(want), "map %lx+20000; ", R + n * 0x20000);
		assert_int_equal(!!strstr(trace, want), n < 2 * CONFIG_NR_CPUS);
	}
}

/* Frames of two or of four pages of 64 KiB, or as far apart as told. */
static void test_redistributors(void **state)
{
	static const struct {
		u64 stride, first;
		u64 second;
	} cases[] = {
		{0, VLPI, 0x40000},
		{0, 0, 0x20000},
		{0x80000, VLPI, 0x80000},
	};
	char want[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		nr_regs = 0;
		machine.gic.redist_stride = cases[i].stride;
		machine.gic.nr_redist = 2;
		machine.gic.redist[1] = R2;
		machine.gic.redist_size[0] = cases[i].second + 0x20000;
		machine.gic.redist_size[1] = 0x20000;
		*mmio(R + 8) = AFF(0) | cases[i].first;
		*mmio(R + 0x20008) = LAST | AFF(9); /* if it is looked at */
		*mmio(R + cases[i].second + 8) = AFF(0x10201);
		*mmio(R2 + 8) = AFF(0x01000002);
		gic_init();
		clear_trace();
		on_cpu(2);
		gic_disable(3);
		snprintf(want, sizeof(want), "R+%lx=8; ",
			 cases[i].second + SGI + 0x180);
		assert_trace(want);
		on_cpu(0);
		gic_disable(4);
		assert_trace("Q+10180=10; ");
	}
}

static void test_missing(void **state)
{
	static const char text[] =
		"interrupt-controller: reg: no redistributor for CPU 1";

	/* The first test: others leave theirs in the driver. */
	assert_int_equal(gic_nr_lrs(), 0);
	*mmio(R + 0x40008) = AFF(7) | LAST;
	assert_string_equal(death_of(gic_init), text);
	/* Of a frame only a part is in the region. */
	setup(state);
	machine.gic.redist_size[0] = 0x5ffff;
	assert_string_equal(death_of(gic_init), text);
}

static void test_init_cpu(void **state)
{
	gic_init();
	*mmio(R + 0x20014) = 3;
	busy_addr = R + 0x20014;
	busy_bit = BIT(2);
	busy_after_write = 3;
	clear_trace();
	init_cpu(0, 0x90000003);
	/* WAKER: asked to wake, and waited for, its other bits kept. */
	assert_null(strstr(trace, "icc_pmr_el1=ff; R+"));
	assert_begins("icc_sre_el2=f; isb; icc_sre_el1=7; rR+20014; "
		      "R+20014=1; rR+20014; yield; rR+20014; yield; ");
	assert_reset(frame(0), 0, 32, ~0U);
	assert_string_equal(strstr(trace, "R+30100"),
			    "R+30100=ffff; rR+20000; icc_pmr_el1=ff; "
			    "icc_bpr1_el1=0; icc_ctlr_el1=2; icc_igrpen1_el1=1; "
			    "ich_hcr_el2=0; ich_lr0_el2=0; ich_lr1_el2=0; "
			    "ich_lr2_el2=0; ich_lr3_el2=0; isb; ");
	assert_int_equal(gic_nr_lrs(), 4);
	busy_addr = R + 0x20000;
	busy_bit = GRP_RWP;
	busy_reads = 1;
	clear_trace();
	init_cpu(0, 0x9000000f);
	assert_int_equal(gic_nr_lrs(), 16);
	assert_non_null(strstr(trace, "rR+20000; yield; rR+20000; icc_pmr"));
	assert_non_null(strstr(trace, "ich_lr15_el2=0; isb; "));
}

static void test_cpu_interface(void **state)
{
	*sysreg("icc_iar1_el1") = 0x3ff;
	assert_int_equal(gic_ack(), 0x3ff);
	assert_trace("dsb sy; ");
	gic_eoi(27);
	gic_deactivate(28);
	assert_trace("icc_eoir1_el1=1b; icc_dir_el1=1c; ");
	gic_end(29);
	assert_trace("icc_eoir1_el1=1d; icc_dir_el1=1d; ");
	gic_send_sgi(0, 15);
	gic_send_sgi(1, 0);
	gic_send_sgi(2, 1);
	assert_trace("dsb ishst; icc_sgi1r_el1=100000f000004; isb; "
		     "dsb ishst; icc_sgi1r_el1=1; isb; "
		     "dsb ishst; icc_sgi1r_el1=101020002; isb; ");
	/* Aff0 beyond 15: the range selector. */
	machine.cpus[1].mpidr = 0x25;
	*mmio(R + 0x40008) = AFF(0x25) | LAST;
	gic_init();
	clear_trace();
	gic_send_sgi(1, 2);
	assert_trace("dsb ishst; icc_sgi1r_el1=200002000020; isb; ");
}

static void test_enable(void **state)
{
	*mmio(D + 0xc08) = ~0U;
	gic_enable(38, 0, true);
	assert_trace("rD+c08; D+c08=ffffdfff; D+6130(64)=100000002; "
		     "D+104=40; ");
	gic_enable(47, 2, false);
	assert_trace("rD+c08; D+c08=ffffdfff; D+6178(64)=10201; D+104=8000; ");
	gic_enable(31, 2, false);
	assert_trace("rR+10c04; R+10c04=80000000; R+10100=80000000; ");
	gic_enable(32, 1, true);
	assert_trace("rD+c08; D+c08=ffffdffd; D+6100(64)=0; D+104=1; ");
	on_cpu(1);
	gic_disable(31);
	gic_disable(64);
	assert_trace("R+50180=80000000; D+188=1; ");
	gic_activate(27);
	assert_trace("R+50300=8000000; rR+50300; dsb sy; ");
}

static void test_lr(void **state)
{
	static const struct {
		struct gic_lr lr;
		u64 val;
	} cases[] = {
		{{0}, 0},
		{{.intid = 1019, .source = 5}, 0x3fb},
		{{.pending = true}, 1UL << 62},
		{{.active = true}, 1UL << 63},
		{{.active = true, .pending = true}, 3UL << 62},
		{{.group1 = true}, 1UL << 60},
		{{.priority = 0xff}, 0xffUL << 48},
		{{.hw = true, .pintid = 1019}, 0x200003fb00000000},
		{{.hw = true, .pintid = 27, .eoi_maint = true},
		 0x2000001b00000000},
		{{.pintid = 27}, 0},
		{{.eoi_maint = true}, 0x20000000000},
	};
	char want[64];

	for (unsigned int n = 0; n < 16; n++)
		for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
			const struct gic_lr *lr = &cases[i].lr;

			gic_lr_write(n, lr);
			snprintf(want, sizeof(want), "ich_lr%u_el2=%lx; ", n,
				 cases[i].val);
			assert_trace(want);
			assert_int_equal(gic_lr_state(n),
					 lr->pending | lr->active << 1);
			assert_int_equal(gic_lr_repend(n),
					 !lr->pending && !lr->active);
			if (!lr->pending && !lr->active)
				snprintf(want, sizeof(want),
					 "ich_lr%u_el2=%lx; ", n,
					 cases[i].val | 1UL << 62);
			else
				want[0] = 0;
			assert_trace(want);
			gic_lr_clear(n);
			assert_int_equal(gic_lr_state(n), 0);
			clear_trace();
		}
	/* Beyond the last one there is nothing. */
	gic_lr_clear(16);
	assert_int_equal(gic_lr_state(16), 0);
	assert_false(gic_lr_repend(16));
	assert_trace("");
	*sysreg("ich_elrsr_el2") = 0xb;
	*sysreg("ich_eisr_el2") = 0x4;
	assert_int_equal(gic_lr_empty(), 0xb);
	assert_int_equal(gic_lr_ended(), 0x4);
}

static void test_hcr(void **state)
{
	*sysreg("ich_hcr_el2") = 0x18000001;
	gic_set_waiting(false, false);
	gic_set_waiting(true, false);
	gic_set_waiting(true, true);
	gic_set_waiting(false, true);
	assert_trace("ich_hcr_el2=18000001; ich_hcr_el2=18000003; "
		     "ich_hcr_el2=18000007; ich_hcr_el2=18000005; ");
	assert_int_equal(gic_take_eois(), 3);
	assert_trace("ich_hcr_el2=5; ");
	assert_int_equal(gic_take_eois(), 0);
	assert_trace("");
}

/* As many active priority registers as there are; others are UNDEFINED. */
static void test_vcpu(void **state)
{
	static const char *const aprs[] = {"ich_ap0r0_el2", "ich_ap1r0_el2",
					   "ich_ap0r1_el2", "ich_ap1r1_el2",
					   "ich_ap0r2_el2", "ich_ap1r2_el2",
					   "ich_ap0r3_el2", "ich_ap1r3_el2"};
	struct gic_vcpu g;

	memset(&g, 0xa5, sizeof(g));
	gic_vcpu_reset(&g);
	gic_vcpu_load(&g);
	assert_trace("ich_vmcr_el2=0; ich_ap0r0_el2=0; ich_ap1r0_el2=0; "
		     "ich_hcr_el2=1; ");
	for (unsigned int pre = 4; pre <= 6; pre++) {
		unsigned int nr = 2U << (pre - 4);

		init_cpu(0, (u64)pre << 26 | 3);
		*sysreg("ich_vmcr_el2") = 0xf04c0001;
		for (unsigned int i = 0; i < 8; i++)
			*sysreg(aprs[i]) = 0x100 + i;
		clear_trace();
		gic_vcpu_save(&g);
		assert_trace("ich_hcr_el2=0; ");
		for (unsigned int i = 0; i < 8; i++)
			*sysreg(aprs[i]) = 0;
		gic_vcpu_load(&g);
		assert_begins("ich_vmcr_el2=f04c0001; ");
		for (unsigned int i = 0; i < 8; i++)
			assert_int_equal(*sysreg(aprs[i]),
					 i < nr ? 0x100 + i : 0);
		assert_ends("ich_hcr_el2=1; ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_missing, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_redistributors, setup),
		cmocka_unit_test_setup(test_init_cpu, setup),
		cmocka_unit_test_setup(test_cpu_interface, start),
		cmocka_unit_test_setup(test_enable, start),
		cmocka_unit_test_setup(test_lr, start),
		cmocka_unit_test_setup(test_hcr, start),
		cmocka_unit_test_setup(test_vcpu, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
