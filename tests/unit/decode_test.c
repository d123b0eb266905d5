/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-2 aborts: which of them are accesses of emulated devices, what the
 * device is asked and what the guest's registers are then, for every size,
 * register and extension; and that all the others end in an exception of the
 * guest's or are made again, with the guest's state as the hardware would
 * leave it. The functions are static, so their file is included here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../arch/arm64/trap.c"

#define DEV0	  0x03001000UL /* 64 KiB */
#define DEV1	  0x22000000UL /* a page */
#define DEV2	  (BIT(40) - PAGE_SIZE)
#define HOLE	  0x50000000UL
#define VBAR	  0xffff800008010800UL
#define PC	  0x40080000UL
#define FILL	  0x2222222222222200UL
#define FSC_TRANS 0x07
#define FSC_PERM  0x0f
#define NONE	  (~0UL)
#define DABT	  field_prep(ESR_EC, EC_DABT_LOW)
#define IABT	  field_prep(ESR_EC, EC_IABT_LOW)

static struct vcpu v;
static struct domain d;
static u64 far, hpfar, esr_el1, far_el1, elr_el1, spsr_el1, span;
static bool mapped; /* what a look-up finds */
static unsigned int lookups, logs, crashes;
static u64 looked_up;

static struct {
	unsigned int calls;
	int dev;
	struct emul_access a;
	u64 reply;
} dev;

u64 host_sysreg_read(const char *name)
{
	if (!strcmp(name, "far_el2"))
		return far;
	if (!strcmp(name, "hpfar_el2"))
		return hpfar;
	if (!strcmp(name, "vbar_el1"))
		return VBAR;
	if (!strcmp(name, "sctlr_el1"))
		return span;
	assert_string_equal(name, "id_aa64mmfr1_el1");
	return BIT(20); /* PAN */
}
void host_sysreg_write(const char *name, u64 val)
{
	if (!strcmp(name, "esr_el1"))
		esr_el1 = val;
	else if (!strcmp(name, "far_el1"))
		far_el1 = val;
	else if (!strcmp(name, "elr_el1"))
		elr_el1 = val;
	else if (!strcmp(name, "spsr_el1"))
		spsr_el1 = val;
	else
		fail_msg("%s written", name);
}
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	assert_ptr_equal(s2, &d.s2);
	lookups++;
	looked_up = ipa.v;
	return mapped ? 0 : -ENOENT;
}
void domain_log_once(struct domain *dom, const char *fmt, ...)
{
	assert_ptr_equal(dom, &d);
	logs++;
}
void domain_crash(struct vcpu *vcpu, const char *fmt, ...)
{
	assert_ptr_equal(vcpu, &v);
	crashes++;
}

/* Not on the way of an abort. */
#define NEVER(name)                                                            \
	do {                                                                   \
		fail_msg("%s called", name);                                   \
		abort();                                                       \
	} while (0)

void (*host_barrier)(const char *name);
static struct cpu host_cpu;
struct cpu *host_this_cpu = &host_cpu;

void log_line(const char *fmt, ...)
{
	NEVER("log_line");
}
void panic(const char *fmt, ...)
{
	NEVER("panic");
}
void panic_regs(const struct el2_regs *regs, const char *why)
{
	NEVER("panic_regs");
}
struct vcpu *sched_next(void)
{
	NEVER("sched_next");
}
void sched_block(struct vcpu *vcpu)
{
	NEVER("sched_block");
}
void sched_wake(struct vcpu *vcpu)
{
	NEVER("sched_wake");
}
void sched_pass(struct vcpu *vcpu)
{
	NEVER("sched_pass");
}
void irq_handle(void)
{
	NEVER("irq_handle");
}
void ghost_check_domain(struct domain *dom)
{
	NEVER("ghost_check_domain");
}
bool psci_call(struct vcpu *vcpu)
{
	NEVER("psci_call");
}
bool vgic_has_pending(struct vcpu *vcpu)
{
	NEVER("vgic_has_pending");
}
void vgic_write_sgir(struct vcpu *vcpu, u64 val, bool group1)
{
	NEVER("vgic_write_sgir");
}
enum sysreg_result sysreg_emulate(struct vcpu *vcpu, u32 iss)
{
	NEVER("sysreg_emulate");
}
void arch_fp_trap(struct vcpu *vcpu)
{
	NEVER("arch_fp_trap");
}

static void access_dev(int n, struct vcpu *vcpu, struct emul_access *a)
{
	assert_ptr_equal(vcpu, &v);
	/* What every device relies on. */
	assert_true(is_aligned(a->offset, a->size));
	dev.calls++;
	dev.dev = n;
	dev.a = *a;
	if (!a->write)
		a->value = dev.reply;
}
static void access0(struct vcpu *vcpu, struct emul_access *a)
{
	assert_true(a->offset + a->size <= 0x10000);
	access_dev(0, vcpu, a);
}
static void access1(struct vcpu *vcpu, struct emul_access *a)
{
	assert_true(a->offset + a->size <= PAGE_SIZE);
	access_dev(1, vcpu, a);
}
static void access2(struct vcpu *vcpu, struct emul_access *a)
{
	assert_true(a->offset + a->size <= PAGE_SIZE);
	access_dev(2, vcpu, a);
}

static const struct emul_region regions[] = {
	{DEV0, 0x10000, access0},
	{DEV1, PAGE_SIZE, access1},
	{DEV2, PAGE_SIZE, access2},
};

static int setup(void **state)
{
	(void)state;
	memset(&v, 0, sizeof(v));
	memset(&d, 0, sizeof(d));
	v.domain = &d;
	v.state = VCPU_ON;
	d.state = DOMAIN_RUNNING;
	for (unsigned int i = 0; i < ARRAY_SIZE(regions); i++)
		assert_int_equal(emul_add(&d.emul, &regions[i]), 0);
	dev.reply = 0;
	mapped = false;
	span = BIT(23); /* PSTATE.PAN is kept */
	return 0;
}

static u64 reg_before(unsigned int n)
{
	return FILL + n * 0x0101010101010101UL;
}

/* One abort at `ipa`; FAR has the guest's virtual page above the offset. */
static void trap(u64 esr, u64 ipa)
{
	far = 0xffff123456789000UL | (ipa & (PAGE_SIZE - 1));
	hpfar = ipa >> 12 << 4;
	for (unsigned int i = 0; i < 31; i++)
		v.arch.regs.x[i] = reg_before(i);
	v.arch.regs.pc = PC;
	v.arch.regs.pstate = SPSR_EL1H;
	memset(&dev.a, 0, sizeof(dev.a));
	dev.calls = lookups = logs = crashes = 0;
	esr_el1 = far_el1 = elr_el1 = spsr_el1 = NONE;
	assert_ptr_equal(trap_sync(&v, esr), &v);
}

/* No general register but `rt` has changed. */
static void assert_regs_but(unsigned int rt)
{
	for (unsigned int i = 0; i < 31; i++)
		if (i != rt)
			assert_int_equal(v.arch.regs.x[i], reg_before(i));
}

static void assert_done(unsigned int rt)
{
	assert_int_equal(dev.calls, 1);
	assert_int_equal(v.arch.regs.pc, PC + 4);
	assert_int_equal(v.arch.regs.pstate, SPSR_EL1H);
	assert_true(esr_el1 == NONE && far_el1 == NONE && elr_el1 == NONE);
	assert_int_equal(lookups + logs + crashes, 0);
	assert_regs_but(rt);
}

/* A synchronous external abort at EL1, from EL1. */
static void assert_aborted(u64 esr)
{
	u64 ec = esr >> 26 == EC_IABT_LOW ? EC_IABT_CUR : EC_DABT_CUR;

	assert_int_equal(dev.calls, 0);
	assert_int_equal(crashes, 0);
	assert_regs_but(31);
	assert_int_equal(v.arch.regs.pc, VBAR + 0x200);
	assert_int_equal(v.arch.regs.pstate,
			 SPSR_D | SPSR_A | SPSR_I | SPSR_F | SPSR_EL1H);
	assert_int_equal(elr_el1, PC);
	assert_int_equal(spsr_el1, SPSR_EL1H);
	assert_int_equal(far_el1, far);
	assert_int_equal(field_get(ESR_EC, esr_el1), ec);
	assert_int_equal(field_get(ESR_ABT_FSC, esr_el1), FSC_EXTERNAL);
	assert_int_equal(esr_el1 & ESR_IL, esr & ESR_IL);
	/* No syndrome of EL2's, but the direction of a data access. */
	assert_int_equal(esr_el1 & (ESR_ISS & ~ESR_ABT_FSC),
			 ec == EC_DABT_CUR ? esr & ESR_DABT_WNR : 0);
}

static void assert_again(void)
{
	assert_int_equal(dev.calls + logs + crashes, 0);
	assert_int_equal(v.arch.regs.pc, PC);
	assert_int_equal(v.arch.regs.pstate, SPSR_EL1H);
	assert_int_equal(esr_el1, NONE);
	assert_regs_but(31);
}

static u64 iss(unsigned int sas, bool sse, unsigned int srt, bool sf, bool wnr)
{
	return DABT | ESR_IL | ESR_DABT_ISV | field_prep(ESR_DABT_SAS, sas) |
	       (sse ? ESR_DABT_SSE : 0) | field_prep(ESR_DABT_SRT, srt) |
	       (sf ? ESR_DABT_SF : 0) | (wnr ? ESR_DABT_WNR : 0) | FSC_TRANS;
}

/* As the instruction set says, spelt out. */
static u64 extended(unsigned int sas, bool sse, bool sf, u64 val)
{
	s64 s;

	if (!sse)
		return val;
	s = sas == 0   ? (int8_t)val
	    : sas == 1 ? (int16_t)val
	    : sas == 2 ? (int32_t)val
		       : (int64_t)val;
	return sf ? (u64)s : (u32)s;
}

static void test_loads(void **state)
{
	static const u64 vals[] = {0,
				   1,
				   0x7f7f7f7f7f7f7f7fUL,
				   0x8080808080808080UL,
				   ~0UL,
				   0x00ff00ff00ff0080UL,
				   0xff00ff00ff00ff7fUL};

	(void)state;
	for (unsigned int n = 0; n < 4 * 2 * 2 * 32 * ARRAY_SIZE(vals); n++) {
		unsigned int sas = n & 3, srt = n >> 4 & 31;
		bool sse = n & 4, sf = n & 8;
		u64 bits = 8UL << sas;

		dev.reply = vals[n >> 9] & BITS(bits - 1, 0);
		trap(iss(sas, sse, srt, sf, false), DEV1 + 0x118);
		assert_done(srt);
		assert_true(dev.dev == 1 && dev.a.offset == 0x118);
		assert_int_equal(dev.a.size, 1 << sas);
		assert_false(dev.a.write);
		if (srt != 31)
			assert_int_equal(v.arch.regs.x[srt],
					 extended(sas, sse, sf, dev.reply));
	}
}

static void test_stores(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 4 * 2 * 2 * 32; n++) {
		unsigned int sas = n & 3, srt = n >> 4;
		u64 bits = 8UL << sas, val = srt == 31 ? 0 : reg_before(srt);

		trap(iss(sas, n & 4, srt, n & 8, true), DEV1 + 0x220);
		assert_done(31);
		assert_true(dev.dev == 1 && dev.a.offset == 0x220);
		assert_int_equal(dev.a.size, 1 << sas);
		assert_true(dev.a.write);
		/* Not one bit more than the instruction stores. */
		assert_int_equal(dev.a.value, val & BITS(bits - 1, 0));
	}
}

/* A device sees nothing of the guest's register when it is read. */
static void test_load_starts_empty(void **state)
{
	(void)state;
	trap(iss(3, false, 7, true, false), DEV0);
	assert_done(7);
	assert_int_equal(dev.a.value, 0);
	assert_int_equal(v.arch.regs.x[7], 0);
}

static void test_every_offset(void **state)
{
	static const struct {
		u64 base, size;
	} devs[] = {{DEV0, 0x10000}, {DEV1, PAGE_SIZE}, {DEV2, PAGE_SIZE}};

	(void)state;
	/* From before the first byte to behind the last one, any alignment. */
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int n = 0; n < (devs[i].size + 32) * 4; n++) {
			u64 off = n / 4 - 16, size = 1UL << (n & 3);
			u64 esr = iss(n & 3, false, 3, true, true);

			trap(esr, devs[i].base + off);
			if (off < devs[i].size && is_aligned(off, size)) {
				assert_done(31);
				assert_int_equal(dev.dev, i);
				assert_int_equal(dev.a.offset, off);
			} else {
				assert_aborted(esr);
				assert_int_equal(looked_up, devs[i].base + off);
			}
		}
}

/* Unaligned, as far as into the next page: nobody's. */
static void test_cross_page(void **state)
{
	(void)state;
	for (unsigned int sas = 1; sas < 4; sas++)
		for (u64 back = 1; back < 1UL << sas; back++)
			for (u64 page = DEV0 + PAGE_SIZE;
			     page <= DEV0 + 0x10000; page += 0xf000) {
				u64 esr = iss(sas, false, 1, false, back & 1);

				trap(esr, page - back);
				assert_aborted(esr);
				assert_int_equal(logs, 0);
			}
}

static void test_fault_status(void **state)
{
	(void)state;
	for (u64 fsc = 0; fsc < 64; fsc++)
		for (unsigned int n = 0; n < 4; n++) {
			u64 esr = (iss(2, false, 4, false, n & 1) &
				   ~ESR_ABT_FSC) |
				  fsc;

			mapped = n & 2;
			dev.reply = 0x1234;
			trap(esr, DEV0 + 8);
			/*
			 * Translation, access flag. Permission: the address of
			 * a device is what HPFAR_EL2 had before.
			 */
			if (fsc >= 4 && fsc <= 11) {
				assert_done(n & 1 ? 31 : 4);
				continue;
			}
			assert_aborted(esr);
			/* Nothing that a look-up could explain. */
			assert_int_equal(lookups, 0);
		}
}

static void test_no_syndrome(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 64; n++) {
		/* Without ISV its other fields mean nothing. */
		u64 esr = iss(n & 3, n & 4, n & 31, n & 8, n & 16) &
			  ~ESR_DABT_ISV;

		trap(esr, DEV0 + 0x10);
		assert_aborted(esr);
		/* A line for who reads the log, when a device was meant. */
		assert_int_equal(logs, 1);
		trap(esr, HOLE);
		assert_aborted(esr);
		assert_int_equal(logs, 0);
		/* Nobody knows what was meant. */
		trap(esr | FSC_PERM, DEV0 + 0x10);
		assert_aborted(esr | FSC_PERM);
		assert_int_equal(logs, 0);
	}
}

/* A walk of the guest's own tables and a cache instruction have no register. */
static void test_no_access(void **state)
{
	static const u64 bits[] = {ESR_DABT_S1PTW, ESR_DABT_CM,
				   ESR_DABT_S1PTW | ESR_DABT_CM};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
		for (unsigned int n = 0; n < 4; n++) {
			u64 esr = iss(3, false, 9, true, n & 1) | bits[i];

			if (n & 2)
				esr &= ~ESR_DABT_ISV;
			trap(esr, DEV1);
			assert_aborted(esr);
			/* Where the tables are in RAM, the walk is repeated. */
			mapped = true;
			trap(esr, HOLE);
			assert_again();
			mapped = false;
		}
}

/* FAR not valid goes with an external abort only. */
static void test_fnv(void **state)
{
	u64 esr = (iss(2, false, 4, false, true) & ~ESR_ABT_FSC) | ESR_ABT_FNV |
		  FSC_EXTERNAL;

	(void)state;
	mapped = true;
	trap(esr, DEV0);
	assert_aborted(esr);
	trap(esr & ~ESR_DABT_ISV, DEV0);
	assert_aborted(esr);
	assert_int_equal(lookups, 0);
}

static void test_holes(void **state)
{
	static const u64 at[] = {
		0,
		DEV0 - 8,
		DEV0 + 0x10000,
		HOLE,
		DEV1 - 8,
		DEV1 + PAGE_SIZE,
		DEV2 - 8,
		BIT(40),
		BIT(40) + DEV0,
		BIT(44) + DEV1,
		BIT(47) + DEV2,
		BIT(48) - 8,
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++)
		for (unsigned int n = 0; n < 2; n++) {
			u64 esr = iss(3, false, 2, true, n);

			trap(esr, at[i]);
			assert_aborted(esr);
			assert_int_equal(lookups, 1);
			assert_int_equal(looked_up, at[i]);
			assert_int_equal(logs, 0);
		}
}

/* Mapped by another CPU meanwhile: once more, unless it may not be written. */
static void test_stale(void **state)
{
	(void)state;
	mapped = true;
	for (u64 fsc = 4; fsc < 16; fsc++) {
		u64 esr = (iss(2, false, 4, false, true) & ~ESR_ABT_FSC) | fsc;

		trap(esr, HOLE);
		if (fsc < 8)
			assert_again();
		else
			assert_aborted(esr);
		trap(esr & ~ESR_DABT_ISV, HOLE + 2);
		if (fsc < 8)
			assert_again();
		else
			assert_aborted(esr);
	}
}

/* The fault's address: HPFAR_EL2 has 47:12 in 39:4 and the world in 63. */
static void test_ipa(void **state)
{
	(void)state;
	assert_int_equal(decode_ipa(0xffffffffffffffffUL, 0), 0xfff);
	assert_int_equal(decode_ipa(0, ~0UL), BITS(47, 12));
	assert_int_equal(decode_ipa(0xabcUL, BIT(63) | 0xfUL), 0xabc);
	for (unsigned int b = 0; b < 36; b++)
		assert_int_equal(decode_ipa(0, BIT(4 + b)), BIT(12 + b));
	/* Of the guest's virtual address the offset alone counts. */
	for (unsigned int b = 0; b < 64; b++)
		assert_int_equal(decode_ipa(BIT(b), 0), b < 12 ? BIT(b) : 0);
}

/* Where the abort is taken from. */
static void test_abort_levels(void **state)
{
	static const struct {
		u64 pstate, offset, ec;
	} from[] = {{SPSR_EL0T, 0x400, EC_DABT_LOW},
		    {SPSR_EL1T, 0x000, EC_DABT_CUR},
		    {SPSR_EL1H, 0x200, EC_DABT_CUR},
		    {SPSR_EL1H | BITS(31, 28), 0x200, EC_DABT_CUR},
		    {SPSR_NRW, 0x600, EC_DABT_LOW}};
	const u64 daif = SPSR_D | SPSR_A | SPSR_I | SPSR_F, pan = BIT(22);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(from); i++)
		for (unsigned int n = 0; n < 4; n++) {
			u64 old = from[i].pstate | (n & 1 ? pan : 0);

			span = n & 2 ? BIT(23) : 0;
			far = HOLE;
			hpfar = HOLE >> 8;
			v.arch.regs.pc = PC;
			v.arch.regs.pstate = old;
			trap_sync(&v, iss(2, false, 0, false, false));
			assert_int_equal(v.arch.regs.pc, VBAR + from[i].offset);
			assert_int_equal(v.arch.regs.pstate,
					 daif | SPSR_EL1H | (old & BITS(31, 28)) |
						 (n == 2 ? 0 : pan));
			assert_int_equal(spsr_el1, old);
			assert_int_equal(field_get(ESR_EC, esr_el1), from[i].ec);
		}
}

static void trap_fetch(u64 at, u64 pstate, u64 fsc)
{
	far = at;
	hpfar = HOLE >> 8;
	for (unsigned int i = 0; i < 31; i++)
		v.arch.regs.x[i] = reg_before(i);
	v.arch.regs.pc = PC;
	v.arch.regs.pstate = pstate;
	dev.calls = lookups = logs = crashes = 0;
	esr_el1 = far_el1 = elr_el1 = spsr_el1 = NONE;
	assert_ptr_equal(trap_sync(&v, IABT | ESR_IL | fsc), &v);
}

static void test_fetch(void **state)
{
	(void)state;
	trap_fetch(HOLE, SPSR_EL1H, FSC_TRANS);
	assert_aborted(IABT | ESR_IL);
	mapped = true;
	trap_fetch(HOLE, SPSR_EL1H, FSC_TRANS);
	assert_again();
	trap_fetch(HOLE, SPSR_EL1H, FSC_EXTERNAL);
	assert_aborted(IABT | ESR_IL);
	assert_int_equal(lookups, 0);
	trap_fetch(VBAR, SPSR_EL1H, FSC_TRANS);
	assert_again();
	mapped = false;
	/* No vectors: it would come back for ever. */
	for (u64 off = 0; off < 0x800; off += 4) {
		trap_fetch(VBAR + off, SPSR_EL1H, FSC_TRANS);
		assert_int_equal(crashes, 1);
		assert_int_equal(esr_el1, NONE);
		assert_int_equal(v.arch.regs.pc, PC);
	}
	trap_fetch(VBAR + 0x800, SPSR_EL1H, FSC_TRANS);
	assert_aborted(IABT | ESR_IL);
	trap_fetch(VBAR - 4, SPSR_EL1H, FSC_TRANS);
	assert_aborted(IABT | ESR_IL);
	/* From EL0 the kernel is told. */
	trap_fetch(VBAR, SPSR_EL0T, FSC_TRANS);
	assert_int_equal(crashes, 0);
	assert_int_equal(field_get(ESR_EC, esr_el1), EC_IABT_LOW);
	assert_int_equal(v.arch.regs.pc, VBAR + 0x400);
}

/* Any syndrome at any address: one of three ends, and the right one. */
static void test_random(void **state)
{
	static const u64 near[] = {DEV0, DEV0 + 0xfff8, DEV1, DEV2, HOLE, 0};
	unsigned int seed = 23;

	(void)state;
	for (unsigned int i = 0; i < 300000; i++) {
		u64 esr = DABT |
			  (((u64)rand_r(&seed) << 12 ^ (u64)rand_r(&seed)) &
			   (ESR_IL | ESR_ISS));
		u64 ipa = near[(u64)rand_r(&seed) % ARRAY_SIZE(near)];
		u64 srt = field_get(ESR_DABT_SRT, esr), fsc = esr & 63, size;
		bool trans = fsc >= 4 && fsc <= 7, is_dev;

		if (rand_r(&seed) & 1)
			esr |= ESR_DABT_ISV;
		if (rand_r(&seed) & 1)
			esr &= ~(ESR_DABT_CM | ESR_DABT_S1PTW);
		ipa = (ipa + (u64)rand_r(&seed) % 64 - 16) & BITS(47, 0);
		mapped = rand_r(&seed) & 1;
		size = 1UL << (esr >> 22 & 3);
		is_dev = ipa - DEV0 < 0x10000 || ipa - DEV1 < PAGE_SIZE ||
			 ipa - DEV2 < PAGE_SIZE;
		trap(esr, ipa);
		if (is_dev && fsc >= 4 && fsc <= 11 && ipa % size == 0 &&
		    (esr & ESR_DABT_ISV) &&
		    !(esr & (ESR_DABT_CM | ESR_DABT_S1PTW)))
			assert_done(esr & ESR_DABT_WNR ? 31 : (unsigned int)srt);
		else if (trans && mapped)
			assert_again();
		else
			assert_aborted(esr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_loads, setup),
		cmocka_unit_test_setup(test_stores, setup),
		cmocka_unit_test_setup(test_load_starts_empty, setup),
		cmocka_unit_test_setup(test_every_offset, setup),
		cmocka_unit_test_setup(test_cross_page, setup),
		cmocka_unit_test_setup(test_fault_status, setup),
		cmocka_unit_test_setup(test_no_syndrome, setup),
		cmocka_unit_test_setup(test_no_access, setup),
		cmocka_unit_test_setup(test_fnv, setup),
		cmocka_unit_test_setup(test_holes, setup),
		cmocka_unit_test_setup(test_stale, setup),
		cmocka_unit_test_setup(test_ipa, setup),
		cmocka_unit_test_setup(test_abort_levels, setup),
		cmocka_unit_test_setup(test_fetch, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
