/* SPDX-License-Identifier: Apache-2.0 */
/* arch/arm64/gicv2.c behind gic.c: what reaches a GIC-400, and in which order. */
#include "gichost.h"

#define D  0x10000UL
#define C  0x40000UL
#define H  0x80000UL
#define V  0xc0000UL
#define C2 (C + 0xf000) /* where pages are repeated */

static const struct frame v2_frames[] = {
	{"D", D, 0x1000},
	{"X", C2, 0x2000},
	{"C", C, 0x20000},
	{"H", H, 0x1000},
};

/* GICC, GICH and the registers of private interrupts have a copy per CPU. */
static unsigned int v2_bank(u64 addr)
{
	static const struct {
		u64 at, size;
	} private[] = {{0x80, 4},  {0x100, 4}, {0x180, 4},    {0x280, 4},
		       {0x300, 4}, {0x380, 4}, {0x400, 0x20}, {0x800, 0x20},
		       {0xc00, 8}, {0xf00, 4}};

	if (addr >= C)
		return host_this_cpu->id;
	for (unsigned int i = 0; i < ARRAY_SIZE(private); i++)
		if (addr - D - private[i].at < private[i].size)
			return host_this_cpu->id;
	return 0;
}

static void init_cpu(unsigned int cpu, u32 target)
{
	on_cpu(cpu);
	*mmio(D + 0x800) = target * 0x01010101;
	*mmio(H + 4) = 0x90000003;
	gic_init_cpu();
}

static int setup(void **state)
{
	reset_host();
	frames = v2_frames;
	nr_frames = ARRAY_SIZE(v2_frames);
	bank_of = v2_bank;
	machine.gic = (struct machine_gic){
		.version = 2,
		.dist = D,
		.dist_size = 0x1000,
		.redist = {C, H, V},
		.redist_size = {0x2000, 0x1000, 0x2000},
	};
	*mmio(D + 4) = 5;
	return 0;
}

/* With interface numbers that are no CPU numbers. */
static int start(void **state)
{
	setup(state);
	gic_init();
	init_cpu(2, 0x02);
	init_cpu(1, 0x80);
	init_cpu(0, 0x04);
	clear_trace();
	return 0;
}

static void test_init(void **state)
{
	static const char before[] =
		"map 10000+1000; rD+4; map 40000+2000; map 80000+1000; D+0=0; D+84=0; ";

	gic_init();
	assert_begins(before);
	assert_ends(" D+0=1; ");
	assert_reset(D, 32, 192, 0);
	assert_int_equal(gic_version(), 2);
	assert_int_equal(gic_guest_frame(0).v, V);
	assert_int_equal(gic_guest_frame(1).v, V + 0x1000);
	/* 1020 to 1023 are no interrupts. */
	setup(state);
	*mmio(D + 4) = 0xfc1f;
	gic_init();
	assert_reset(D, 32, 1020, 0);
	assert_null(strstr(trace, "D+0=3"));
	assert_null(strstr(trace, "=ffffffff; D+800"));
}

/* Frames for pages of 64 KiB, of 4 KiB in such a room, and repeated ones. */
static void test_frames(void **state)
{
	static const struct {
		u64 c_size, v_size;
		u32 iidr, copy;
		bool moved, step;
	} cases[] = {
		{0x20000, 0x20000, 0x0202043b, 0x0202043b, true, true},
		{0x20000, 0x2000, 0x0202043b, 0x0202043b, true, false},
		{0x20000, 0x20000, 0x0202043b, 0, false, false},
		{0x10000, 0x10000, 0x0202043b, 0x0202043b, false, false},
		{0x1ffff, 0x20000, 0x0202043b, 0x0202043b, false, false},
		{0x40000, 0x40000, 0x0202043b, 0x0202043b, true, true},
	};

	char want[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		machine.gic.redist_size[0] = cases[i].c_size;
		machine.gic.redist_size[2] = cases[i].v_size;
		*mmio(C + 0xfc) = cases[i].iidr;
		*mmio(C + 0xf0fc) = cases[i].copy;
		gic_init();
		snprintf(want, sizeof(want), "map 40000+%lx; ",
			 min(cases[i].c_size, 0x20000UL));
		assert_non_null(strstr(trace, want));
		clear_trace();
		gic_deactivate(40);
		assert_trace(cases[i].moved ? "X+1000=28; " : "C+1000=28; ");
		gic_eoi(40);
		assert_trace(cases[i].moved ? "X+10=28; " : "C+10=28; ");
		assert_int_equal(gic_guest_frame(0).v, V);
		assert_int_equal(gic_guest_frame(1).v,
				 V + (cases[i].step ? 0x10000 : 0x1000));
	}
}

static void test_init_cpu(void **state)
{
	gic_init();
	nr_regs = 0;
	init_cpu(1, 2);
	assert_reset(D, 0, 32, 0);
	assert_int_equal(*mmio(D + 0x100), 0xffff);
	assert_string_equal(strstr(trace, "D+100"),
			    "D+100=ffff; rD+800; C+4=ff; C+8=0; C+d0=0; "
			    "C+0=201; rH+4; H+0=0; H+100=0; H+104=0; H+108=0; "
			    "H+10c=0; isb; ");
	assert_int_equal(gic_nr_lrs(), 4);
	/* As many as can be used. */
	*mmio(H + 4) = 0x9000000f;
	gic_init_cpu();
	assert_int_equal(gic_nr_lrs(), 16);
	*mmio(H + 4) = 0x9000003f;
	gic_init_cpu();
	assert_int_equal(gic_nr_lrs(), 16);
}

/* System registers of GICv3 are left alone, or switched off, or in the way. */
static void test_sre(void **state)
{
	gic_init();
	*sysreg("id_aa64pfr0_el1") = 0xf0ffffff;
	fixed_name = "icc_sre_el2";
	fixed_bits = 1;
	clear_trace();
	gic_init_cpu();
	assert_null(strstr(trace, "icc"));
	*sysreg("id_aa64pfr0_el1") = 1 << 24;
	assert_string_equal(death_of(gic_init_cpu),
			    "interrupt-controller: compatible: GICv2, but CPU "
			    "0 has ICC_SRE_EL2.SRE fixed at 1");
	fixed_bits = 0xe;
	clear_trace();
	assert_string_equal(death_of(gic_init_cpu), "");
	assert_begins("icc_sre_el2=0; isb; D+80=0; ");
}

static void test_ack(void **state)
{
	/* An SGI is ended with its sender, on each CPU its own. */
	*mmio(C + 0xc) = 0x1c03;
	assert_int_equal(gic_ack(), 3);
	assert_trace("rC+c; dsb sy; ");
	on_cpu(1);
	*mmio(C + 0xc) = 0x0403;
	assert_int_equal(gic_ack(), 3);
	clear_trace();
	gic_eoi(3);
	gic_deactivate(3);
	assert_trace("C+10=403; C+1000=403; ");
	on_cpu(0);
	/* The highest SGI and the lowest that is none. */
	*mmio(C + 0xc) = 16;
	assert_int_equal(gic_ack(), 16);
	clear_trace();
	gic_eoi(16);
	gic_deactivate(16);
	assert_trace("C+10=10; C+1000=10; ");
	gic_end(3);
	assert_trace("C+10=1c03; C+1000=1c03; ");
	*mmio(C + 0xc) = 0x80f;
	assert_int_equal(gic_ack(), 15);
	clear_trace();
	gic_eoi(15);
	assert_trace("C+10=80f; ");
	*mmio(C + 0xc) = 27;
	assert_int_equal(gic_ack(), 27);
	clear_trace();
	gic_end(27);
	assert_trace("C+10=1b; C+1000=1b; ");
	for (u32 none = 1022; none < 1024; none++) {
		*mmio(C + 0xc) = none;
		assert_true(gic_ack() >= GIC_SPURIOUS);
	}
	*mmio(C + 0xc) = 1019;
	assert_int_equal(gic_ack(), 1019);
}

static void test_sgi(void **state)
{
	gic_send_sgi(0, 0);
	gic_send_sgi(1, 15);
	gic_send_sgi(2, 1);
	assert_trace("dsb ishst; D+f00=40000; dsb ishst; D+f00=80000f; "
		     "dsb ishst; D+f00=20001; ");
	/* A lone CPU's targets read as zero. */
	init_cpu(0, 0);
	clear_trace();
	gic_send_sgi(0, 2);
	assert_trace("dsb ishst; D+f00=10002; ");
}

static void test_enable(void **state)
{
	*mmio(D + 0xc08) = ~0U;
	*mmio(D + 0x824) = 0x11223344;
	gic_enable(38, 1, true);
	assert_trace("rD+c08; D+c08=ffffdfff; rD+824; D+824=11803344; "
		     "D+104=40; ");
	gic_enable(47, 0, false);
	assert_trace("rD+c08; D+c08=ffffdfff; rD+82c; D+82c=4000000; "
		     "D+104=8000; ");
	*mmio(D + 0xc04) = 0;
	gic_enable(31, 0, false);
	assert_trace("rD+c04; D+c04=80000000; D+100=80000000; ");
	gic_enable(32, 2, true);
	assert_trace("rD+c08; D+c08=ffffdffd; rD+820; D+820=2; D+104=1; ");
	gic_disable(31);
	gic_disable(64);
	assert_trace("D+180=80000000; D+188=1; ");
	gic_activate(27);
	assert_trace("D+300=8000000; rD+300; dsb sy; ");
}

static void test_lr(void **state)
{
	static const struct {
		struct gic_lr lr;
		u32 val;
	} cases[] = {
		{{0}, 0},
		{{.intid = 1019}, 0x3fb},
		{{.intid = 27, .pending = true}, 0x1000001b},
		{{.active = true}, 0x20000000},
		{{.active = true, .pending = true}, 0x30000000},
		{{.group1 = true}, 0x40000000},
		{{.priority = 0xf8}, 0x0f800000},
		{{.priority = 0xff}, 0x0f800000},
		{{.priority = 0x08}, 0x00800000},
		{{.hw = true, .pintid = 1019}, 0x800fec00},
		{{.hw = true, .pintid = 27, .eoi_maint = true}, 0x80006c00},
		{{.hw = true, .source = 7}, 0x80000000},
		{{.pintid = 27}, 0},
		{{.eoi_maint = true}, 0x00080000},
		{{.intid = 5, .source = 7, .pending = true}, 0x10001c05},
	};
	char want[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		gic_lr_write(i, &cases[i].lr);
		snprintf(want, sizeof(want), "H+%x=%x; ", 0x100 + 4 * i,
			 cases[i].val);
		assert_trace(want);
		assert_int_equal(gic_lr_state(i),
				 cases[i].lr.pending | cases[i].lr.active << 1);
		clear_trace();
	}
	gic_lr_clear(15);
	assert_trace("H+13c=0; ");
}

static void test_repend(void **state)
{
	*mmio(H + 0x108) = 0x8a006c1b;
	assert_true(gic_lr_repend(2));
	assert_trace("rH+108; H+108=9a006c1b; ");
	for (u32 busy = 0x10000000; busy <= 0x30000000; busy += 0x10000000) {
		*mmio(H + 0x108) = 0x8a006c1b | busy;
		assert_false(gic_lr_repend(2));
		assert_trace("rH+108; ");
	}
	*mmio(H + 0x30) = 0xb;
	*mmio(H + 0x20) = 0x4;
	assert_int_equal(gic_lr_empty(), 0xb);
	assert_int_equal(gic_lr_ended(), 0x4);
}

static void test_hcr(void **state)
{
	*mmio(H) = 0x18000001;
	gic_set_waiting(false, false);
	assert_trace("rH+0; H+0=18000001; ");
	gic_set_waiting(true, false);
	assert_trace("rH+0; H+0=18000003; ");
	gic_set_waiting(true, true);
	assert_trace("rH+0; H+0=18000007; ");
	gic_set_waiting(false, true);
	assert_trace("rH+0; H+0=18000005; ");
	assert_int_equal(gic_take_eois(), 3);
	assert_trace("rH+0; H+0=5; ");
	assert_int_equal(gic_take_eois(), 0);
	assert_trace("rH+0; ");
}

static void test_vcpu(void **state)
{
	struct gic_vcpu g;

	memset(&g, 0xa5, sizeof(g));
	gic_vcpu_reset(&g);
	gic_vcpu_load(&g);
	assert_trace("H+8=4c0000; H+f0=0; H+0=1; ");
	*mmio(H + 8) = 0xf04c0001;
	*mmio(H + 0xf0) = 0x80000001;
	gic_vcpu_save(&g);
	assert_trace("rH+8; rH+f0; H+0=0; ");
	*mmio(H + 8) = *mmio(H + 0xf0) = 0;
	gic_vcpu_load(&g);
	assert_trace("H+8=f04c0001; H+f0=80000001; H+0=1; ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_frames, setup),
		cmocka_unit_test_setup(test_init_cpu, setup),
		cmocka_unit_test_setup(test_sre, setup),
		cmocka_unit_test_setup(test_ack, start),
		cmocka_unit_test_setup(test_sgi, start),
		cmocka_unit_test_setup(test_enable, start),
		cmocka_unit_test_setup(test_lr, start),
		cmocka_unit_test_setup(test_repend, start),
		cmocka_unit_test_setup(test_hcr, start),
		cmocka_unit_test_setup(test_vcpu, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
