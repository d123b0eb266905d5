/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trapped system registers: every encoding read and written, and what is done
 * for each. Names of encodings are static, so their file is included here. What
 * the ID registers say is in idregs_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../arch/arm64/sysregs.c"

#define FILL   0x2222222222222222UL
#define VALUE  0x123456789abcdef0UL
#define NR_ENC 0x10000U

/* Side effects of the last instruction. */
enum effect {
	NONE,
	SGI1,
	SGI0,
	FLUSH,
	TOGGLE_OFF,
	TOGGLE_ON,
	TIMER_R,
	TIMER_W
};

static struct vcpu v;
static unsigned int effects;
static enum effect effect;
static u64 effect_val;
static enum ptimer_reg timer_reg;
static bool flush_done;
static char written[32];
static u64 written_val;
static unsigned int nr_written;

/* The CPU: all registers have this value, but for one. */
static u64 cpu_value;
static const char *cpu_name;
static u64 cpu_named;

static void note(enum effect e, u64 val)
{
	effect = e;
	effect_val = val;
	effects++;
}

u64 host_sysreg_read(const char *name)
{
	return cpu_name && !strcmp(name, cpu_name) ? cpu_named : cpu_value;
}
void host_sysreg_write(const char *name, u64 val)
{
	assert_true(strlen(name) < sizeof(written));
	strcpy(written, name);
	written_val = val;
	nr_written++;
}
static unsigned int version;

unsigned int gic_version(void)
{
	return version;
}
void vgic_write_sgir(struct vcpu *vcpu, u64 val, bool group1)
{
	assert_ptr_equal(vcpu, &v);
	note(group1 ? SGI1 : SGI0, val);
}
bool stage2_flush_step(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	note(FLUSH, 0);
	return flush_done;
}
void stage2_cache_toggle(struct vcpu *vcpu, bool on)
{
	assert_ptr_equal(vcpu, &v);
	/* After the register itself. */
	assert_string_equal(written, "sctlr_el1");
	note(on ? TOGGLE_ON : TOGGLE_OFF, 0);
}
u64 ptimer_read(struct vcpu *vcpu, enum ptimer_reg reg)
{
	assert_ptr_equal(vcpu, &v);
	timer_reg = reg;
	note(TIMER_R, 0);
	return VALUE + reg;
}
void ptimer_write(struct vcpu *vcpu, enum ptimer_reg reg, u64 val)
{
	assert_ptr_equal(vcpu, &v);
	timer_reg = reg;
	note(TIMER_W, val);
}

static int setup(void **state)
{
	(void)state;
	version = 3;
	cpu_value = 0;
	cpu_name = NULL;
	flush_done = true;
	return 0;
}

static u32 iss_of(unsigned int enc, unsigned int rt, bool read)
{
	return (u32)(field_prep(ESR_SYS_OP0, enc >> 14) |
		     field_prep(ESR_SYS_OP1, enc >> 11) |
		     field_prep(ESR_SYS_CRN, enc >> 7) |
		     field_prep(ESR_SYS_CRM, enc >> 3) |
		     field_prep(ESR_SYS_OP2, enc) | field_prep(ESR_SYS_RT, rt) |
		     read);
}

/* x5 holds VALUE before; no other register may ever change. */
static enum sysreg_result run_rt(unsigned int enc, unsigned int rt, bool read)
{
	enum sysreg_result res;

	for (unsigned int i = 0; i < 31; i++)
		v.arch.regs.x[i] = i == 5 ? VALUE : FILL + i;
	v.arch.regs.pc = 0x1000;
	effects = nr_written = 0;
	effect = NONE;
	res = sysreg_emulate(&v, iss_of(enc, rt, read));
	for (unsigned int i = 0; i < 31; i++)
		if (i != rt || !read || res != SYSREG_DONE)
			assert_int_equal(v.arch.regs.x[i],
					 i == 5 ? VALUE : FILL + i);
	/* Stepping over it is the caller's. */
	assert_int_equal(v.arch.regs.pc, 0x1000);
	return res;
}

static enum sysreg_result rd(unsigned int enc)
{
	return run_rt(enc, 5, true);
}
static enum sysreg_result wr(unsigned int enc)
{
	return run_rt(enc, 5, false);
}
static u64 result(void)
{
	return v.arch.regs.x[5];
}

/* All that is emulated; what is said twice the compiler finds. */
/* clang-format off */
static const struct row {
	u16 first, last;
	enum { ZERO, SET_WAY, OTHER } kind;
} rows[] = {
	{ENC(1, 0, 7, 6, 2), ENC(1, 0, 7, 6, 2), SET_WAY},
	{ENC(1, 0, 7, 10, 2), ENC(1, 0, 7, 10, 2), SET_WAY},
	{ENC(1, 0, 7, 14, 2), ENC(1, 0, 7, 14, 2), SET_WAY},
	{ENC(2, 0, 0, 0, 2), ENC(2, 0, 0, 0, 2), ZERO},
	{ENC(2, 0, 0, 0, 4), ENC(2, 0, 0, 0, 7), ZERO},
	{ENC(2, 0, 0, 1, 4), ENC(2, 0, 0, 1, 7), ZERO},
	{ENC(2, 0, 0, 2, 0), ENC(2, 0, 0, 2, 0), ZERO},
	{ENC(2, 0, 0, 2, 2), ENC(2, 0, 0, 2, 2), OTHER},
	{ENC(2, 0, 0, 2, 4), ENC(2, 0, 0, 15, 7), ZERO},
	{ENC(2, 0, 1, 0, 0), ENC(2, 0, 1, 0, 0), ZERO},
	{ENC(2, 0, 1, 0, 4), ENC(2, 0, 1, 0, 4), ZERO},
	{ENC(2, 0, 1, 1, 4), ENC(2, 0, 1, 1, 4), OTHER},
	{ENC(2, 0, 1, 3, 4), ENC(2, 0, 1, 3, 4), ZERO},
	{ENC(2, 0, 1, 4, 4), ENC(2, 0, 1, 4, 4), ZERO},
	{ENC(2, 0, 7, 8, 6), ENC(2, 0, 7, 14, 6), ZERO},
	{ENC(2, 3, 0, 1, 0), ENC(2, 3, 0, 1, 0), ZERO},
	{ENC(3, 0, 0, 1, 0), ENC(3, 0, 0, 7, 7), OTHER},
	{ENC(3, 0, 1, 0, 0), ENC(3, 0, 1, 0, 0), OTHER},
	{ENC(3, 0, 1, 0, 1), ENC(3, 0, 1, 0, 1), ZERO},
	{ENC(3, 0, 2, 0, 0), ENC(3, 0, 2, 0, 2), OTHER},
	{ENC(3, 0, 5, 1, 0), ENC(3, 0, 5, 1, 1), OTHER},
	{ENC(3, 0, 5, 2, 0), ENC(3, 0, 5, 2, 0), OTHER},
	{ENC(3, 0, 6, 0, 0), ENC(3, 0, 6, 0, 0), OTHER},
	{ENC(3, 0, 10, 2, 0), ENC(3, 0, 10, 2, 0), OTHER},
	{ENC(3, 0, 10, 3, 0), ENC(3, 0, 10, 3, 0), OTHER},
	{ENC(3, 0, 12, 11, 5), ENC(3, 0, 12, 11, 7), OTHER},
	{ENC(3, 0, 12, 12, 5), ENC(3, 0, 12, 12, 5), OTHER},
	{ENC(3, 0, 13, 0, 1), ENC(3, 0, 13, 0, 1), OTHER},
	{ENC(3, 3, 14, 2, 0), ENC(3, 3, 14, 2, 2), OTHER},
};
/* clang-format on */

static const struct row *find(unsigned int enc)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if (enc >= rows[i].first && enc <= rows[i].last)
			return &rows[i];
	return NULL;
}

static void test_all_encodings(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < NR_ENC * 4; n++) {
		unsigned int enc = n / 4, rt = n & 1 ? 31 : 5;
		const struct row *r = find(enc);
		bool read = n & 2;
		enum sysreg_result res = run_rt(enc, rt, read);

		if (!r) {
			assert_int_equal(res, SYSREG_UNDEF);
			assert_int_equal(effects + nr_written, 0);
		} else if (r->kind == ZERO) {
			assert_int_equal(res, SYSREG_DONE);
			assert_int_equal(effects + nr_written, 0);
			if (read && rt != 31)
				assert_int_equal(result(), 0);
		} else if (r->kind == SET_WAY) {
			assert_int_equal(effect, FLUSH);
		} else if (read) {
			assert_int_equal(nr_written, 0);
		}
	}
}

static void test_hostile_syndromes(void **state)
{
	unsigned int seed = 17;

	(void)state;
	/* Bits that are reserved in the ISS, and any Rt. */
	for (unsigned int i = 0; i < 300000; i++) {
		u32 iss = (u32)rand_r(&seed) << 8 ^ (u32)rand_r(&seed);

		cpu_value = iss & 2 ? 0 : ~0UL;
		flush_done = iss & 4;
		assert_true(sysreg_emulate(&v, iss) <= SYSREG_AGAIN);
	}
}

static void test_undefined(void **state)
{
	static const u16 encs[] = {
		ENC(3, 4, 1, 1, 0),   /* HCR_EL2 */
		ENC(3, 6, 1, 1, 0),   /* SCR_EL3 */
		ENC(3, 4, 14, 1, 0),  /* CNTHCTL_EL2 */
		ENC(3, 5, 1, 0, 0),   /* SCTLR_EL12 */
		ENC(3, 3, 9, 12, 0),  /* PMCR_EL0 */
		ENC(3, 0, 9, 14, 1),  /* PMINTENSET_EL1 */
		ENC(3, 0, 9, 9, 0),   /* PMSCR_EL1 */
		ENC(3, 0, 1, 2, 0),   /* ZCR_EL1 */
		ENC(3, 0, 1, 2, 6),   /* SMCR_EL1 */
		ENC(3, 0, 5, 3, 0),   /* ERRIDR_EL1 */
		ENC(3, 0, 5, 4, 1),   /* ERXCTLR_EL1 */
		ENC(3, 0, 5, 6, 0),   /* TFSR_EL1 */
		ENC(3, 0, 1, 0, 5),   /* RGSR_EL1 */
		ENC(3, 0, 10, 4, 0),  /* LORSA_EL1 */
		ENC(3, 0, 10, 5, 0),  /* MPAM1_EL1 */
		ENC(3, 3, 13, 2, 0),  /* AMCR_EL0 */
		ENC(3, 0, 13, 0, 7),  /* SCXTNUM_EL1 */
		ENC(3, 0, 5, 1, 2),   /* between AFSR1_EL1 and ESR_EL1 */
		ENC(2, 1, 0, 0, 1),   /* TRCTRACEIDR */
		ENC(2, 3, 0, 4, 0),   /* DBGDTR_EL0 */
		ENC(3, 0, 12, 11, 4), /* before SGI1R */
		ENC(3, 0, 12, 12, 0), /* ICC_IAR1_EL1 */
		ENC(3, 3, 14, 2, 3),  /* after CNTP_CVAL_EL0 */
		ENC(3, 0, 11, 0, 2),  /* implementation defined */
		ENC(3, 7, 15, 7, 7),  /* likewise */
		ENC(1, 0, 7, 6, 1),   /* DC IVAC */
		0,
		0xffff};

	(void)state;
	cpu_value = ~0UL;
	for (unsigned int i = 0; i < ARRAY_SIZE(encs); i++) {
		assert_int_equal(rd(encs[i]), SYSREG_UNDEF);
		assert_int_equal(wr(encs[i]), SYSREG_UNDEF);
	}
}

static void test_debug(void **state)
{
	static const u16 zero[] = {ENC(2, 0, 0, 0, 2),	/* OSDTRRX_EL1 */
				   ENC(2, 0, 0, 3, 2),	/* OSDTRTX_EL1 */
				   ENC(2, 0, 0, 6, 2),	/* OSECCR_EL1 */
				   ENC(2, 0, 0, 2, 0),	/* MDCCINT_EL1 */
				   ENC(2, 3, 0, 1, 0),	/* MDCCSR_EL0 */
				   ENC(2, 0, 1, 0, 0),	/* MDRAR_EL1 */
				   ENC(2, 0, 1, 0, 4),	/* OSLAR_EL1 */
				   ENC(2, 0, 1, 3, 4),	/* OSDLR_EL1 */
				   ENC(2, 0, 1, 4, 4),	/* DBGPRCR_EL1 */
				   ENC(2, 0, 7, 8, 6),	/* DBGCLAIMSET_EL1 */
				   ENC(2, 0, 7, 9, 6),	/* DBGCLAIMCLR_EL1 */
				   ENC(2, 0, 7, 14, 6), /* DBGAUTHSTATUS_EL1 */
				   ENC(3, 0, 1, 0, 1)}; /* ACTLR_EL1 */
	const u16 mdscr_enc = ENC(2, 0, 0, 2, 2);

	(void)state;
	cpu_value = ~0UL;
	for (unsigned int i = 0; i < ARRAY_SIZE(zero) + 64; i++) {
		/* DBGBVR, DBGBCR, DBGWVR, DBGWCR 0 to 15 */
		unsigned int n = i - (unsigned int)ARRAY_SIZE(zero);
		u16 enc = i < ARRAY_SIZE(zero)
				  ? zero[i]
				  : (u16)ENC(2, 0, 0, n / 4, 4 + n % 4);

		assert_int_equal(rd(enc), SYSREG_DONE);
		assert_int_equal(result(), 0);
		assert_int_equal(wr(enc), SYSREG_DONE);
		assert_int_equal(effects + nr_written, 0);
	}
	/* The OS lock is there and never locked; a write is UNDEFINED. */
	assert_int_equal(rd(ENC(2, 0, 1, 1, 4)), SYSREG_DONE);
	assert_int_equal(result(), 8);
	assert_int_equal(wr(ENC(2, 0, 1, 1, 4)), SYSREG_UNDEF);
	/* MDSCR keeps TDCC alone: neither steps nor breakpoints. */
	v.arch.sys.mdscr = BIT(12);
	assert_int_equal(rd(mdscr_enc), SYSREG_DONE);
	assert_int_equal(result(), BIT(12));
	assert_int_equal(wr(mdscr_enc), SYSREG_DONE);
	assert_string_equal(written, "mdscr_el1");
	assert_int_equal(written_val, VALUE & BIT(12));
	assert_int_equal(v.arch.sys.mdscr, VALUE & BIT(12));
	assert_int_equal(run_rt(mdscr_enc, 31, false), SYSREG_DONE);
	assert_int_equal(written_val, 0);
}

static void test_gic(void **state)
{
	const u16 sgi1r = ENC(3, 0, 12, 11, 5), asgi1r = ENC(3, 0, 12, 11, 6),
		  sgi0r = ENC(3, 0, 12, 11, 7), sre = ENC(3, 0, 12, 12, 5);

	(void)state;
	assert_int_equal(wr(sgi1r), SYSREG_DONE);
	assert_true(effects == 1 && effect == SGI1 && effect_val == VALUE);
	assert_int_equal(wr(sgi0r), SYSREG_DONE);
	assert_true(effects == 1 && effect == SGI0 && effect_val == VALUE);
	assert_int_equal(wr(asgi1r), SYSREG_DONE);
	assert_int_equal(effects, 0);
	assert_int_equal(run_rt(sgi1r, 31, false), SYSREG_DONE);
	assert_true(effects == 1 && effect == SGI1 && effect_val == 0);
	for (u16 enc = sgi1r; enc <= sgi0r; enc++) {
		assert_int_equal(rd(enc), SYSREG_UNDEF);
		assert_int_equal(effects, 0);
	}
	assert_int_equal(rd(sre), SYSREG_DONE);
	assert_int_equal(result(), 7);
	assert_int_equal(wr(sre), SYSREG_DONE);
	assert_int_equal(effects + nr_written, 0);
	/* Of a CPU that has them, beside a GICv2. */
	version = 2;
	for (u16 enc = sgi1r; enc <= sgi0r; enc++)
		assert_int_equal(wr(enc), SYSREG_UNDEF);
	assert_int_equal(rd(sre), SYSREG_UNDEF);
	assert_int_equal(wr(sre), SYSREG_UNDEF);
	assert_int_equal(effects + nr_written, 0);
}

static void test_ptimer(void **state)
{
	static const enum ptimer_reg want[] = {PTIMER_TVAL, PTIMER_CTL,
					       PTIMER_CVAL};

	(void)state;
	for (unsigned int op2 = 0; op2 < 3; op2++) {
		u16 enc = (u16)ENC(3, 3, 14, 2, op2);

		assert_int_equal(rd(enc), SYSREG_DONE);
		assert_true(effect == TIMER_R && timer_reg == want[op2]);
		assert_int_equal(result(), VALUE + want[op2]);
		assert_int_equal(wr(enc), SYSREG_DONE);
		assert_true(effect == TIMER_W && timer_reg == want[op2]);
		assert_int_equal(effect_val, VALUE);
		assert_int_equal(run_rt(enc, 31, false), SYSREG_DONE);
		assert_true(effect == TIMER_W && effect_val == 0);
		/* To the zero register: read, and nothing kept. */
		assert_int_equal(run_rt(enc, 31, true), SYSREG_DONE);
		assert_true(effects == 1 && effect == TIMER_R);
	}
}

static void test_set_way(void **state)
{
	static const u16 encs[] = {ENC(1, 0, 7, 6, 2), ENC(1, 0, 7, 10, 2),
				   ENC(1, 0, 7, 14, 2)};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(encs); i++) {
		flush_done = false;
		assert_int_equal(wr(encs[i]), SYSREG_AGAIN);
		assert_true(effects == 1 && effect == FLUSH);
		flush_done = true;
		assert_int_equal(wr(encs[i]), SYSREG_DONE);
		assert_true(effects == 1 && effect == FLUSH);
	}
}

static void test_vm_writes(void **state)
{
	static const struct {
		u16 enc;
		const char *name;
	} regs[] = {
		{ENC(3, 0, 1, 0, 0), "sctlr_el1"},
		{ENC(3, 0, 2, 0, 0), "ttbr0_el1"},
		{ENC(3, 0, 2, 0, 1), "ttbr1_el1"},
		{ENC(3, 0, 2, 0, 2), "tcr_el1"},
		{ENC(3, 0, 5, 1, 0), "afsr0_el1"},
		{ENC(3, 0, 5, 1, 1), "afsr1_el1"},
		{ENC(3, 0, 5, 2, 0), "esr_el1"},
		{ENC(3, 0, 6, 0, 0), "far_el1"},
		{ENC(3, 0, 10, 2, 0), "mair_el1"},
		{ENC(3, 0, 10, 3, 0), "amair_el1"},
		{ENC(3, 0, 13, 0, 1), "contextidr_el1"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++)
		for (unsigned int rt = 5; rt <= 31; rt += 26) {
			assert_int_equal(run_rt(regs[i].enc, rt, false),
					 SYSREG_DONE);
			assert_int_equal(nr_written, 1);
			assert_string_equal(written, regs[i].name);
			assert_int_equal(written_val, rt == 31 ? 0 : VALUE);
			assert_int_equal(effects, i == 0);
			assert_int_equal(run_rt(regs[i].enc, rt, true),
					 SYSREG_UNDEF);
			assert_int_equal(effects + nr_written, 0);
		}
}

static void test_sctlr(void **state)
{
	(void)state;
	/* The caches are on with MMU and C; the value is the guest's. */
	for (u64 m = 0; m < 16; m++) {
		u64 val = (m & 1 ? SCTLR_M : 0) | (m & 2 ? SCTLR_C : 0) |
			  (m & 4 ? SCTLR_I : 0) | (m & 8 ? BIT(44) : 0);

		effects = nr_written = 0;
		v.arch.regs.x[7] = val;
		assert_int_equal(sysreg_emulate(&v, iss_of(ENC(3, 0, 1, 0, 0),
							   7, false)),
				 SYSREG_DONE);
		assert_true(nr_written == 1 && written_val == val);
		assert_int_equal(effects, 1);
		assert_int_equal(effect, (m & 3) == 3 ? TOGGLE_ON : TOGGLE_OFF);
	}
}

static void test_id_group(void **state)
{
	(void)state;
	cpu_value = ~0UL;
	for (unsigned int crm = 0; crm < 16; crm++)
		for (unsigned int op2 = 0; op2 < 8; op2++) {
			unsigned int enc = ENC(3U, 0U, 0U, crm, op2);
			bool in = crm >= 1 && crm <= 7;

			assert_int_equal(rd(enc),
					 in ? SYSREG_DONE : SYSREG_UNDEF);
			if (in)
				assert_int_equal(result(), idreg_read(crm, op2));
			assert_int_equal(wr(enc), SYSREG_UNDEF);
			assert_int_equal(effects + nr_written, 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_encodings, setup),
		cmocka_unit_test_setup(test_hostile_syndromes, setup),
		cmocka_unit_test_setup(test_undefined, setup),
		cmocka_unit_test_setup(test_debug, setup),
		cmocka_unit_test_setup(test_gic, setup),
		cmocka_unit_test_setup(test_ptimer, setup),
		cmocka_unit_test_setup(test_set_way, setup),
		cmocka_unit_test_setup(test_vm_writes, setup),
		cmocka_unit_test_setup(test_sctlr, setup),
		cmocka_unit_test_setup(test_id_group, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
