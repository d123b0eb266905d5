/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI and SMCCC calls of guests: every function, 32-bit and 64-bit argument
 * rules, the power states against a naive model, features, workarounds, and
 * what is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/error.h>
#include <skerry/psci.h>
#include <skerry/pvtime.h>

#define NR_VCPUS 4
#define GARBAGE	 0xdeadbeef00000000UL
#define FILL	 0x1111111111111111UL
#define RAM_BASE 0x40000000UL
#define RAM_HIGH 0x240000000UL /* more than 32 bits */
#define DEVICE	 0x3002000UL   /* mapped, as GICC may be */

/* clang-format off */
#define VERSION		0x84000000UL
#define SUSPEND		0x84000001UL
#define CPU_OFF		0x84000002UL
#define CPU_ON		0x84000003UL
#define AFFINITY	0x84000004UL
#define MIGRATE_TYPE	0x84000006UL
#define SYSTEM_OFF	0x84000008UL
#define SYSTEM_RESET	0x84000009UL
#define FEATURES	0x8400000aUL
#define SMC_VERSION	0x80000000UL
#define SMC_FEATURES	0x80000001UL
#define WORKAROUND_1	0x80008000UL
#define WORKAROUND_2	0x80007fffUL
#define WORKAROUND_3	0x80003fffUL
#define VENDOR_COUNT	0x8600ff00UL
#define VENDOR_UID	0x8600ff01UL
#define VENDOR_REVISION	0x8600ff03UL
#define PV_FEATURES	0xc5000020UL
#define PV_ST		0xc5000021UL
#define SMC64		BIT(30)
/* clang-format on */

static struct domain d;
static struct vcpu vcpus[NR_VCPUS];
static unsigned int workarounds, stops, wakes, blocks;
static struct vcpu *woken;
static enum stop_reason stopped;

unsigned int smccc_workarounds(void)
{
	return workarounds;
}
void domain_stop(struct domain *dom, enum stop_reason why)
{
	assert_ptr_equal(dom, &d);
	stopped = why;
	stops++;
}
void sched_wake(struct vcpu *v)
{
	/* Never under the lock that the other CPU is going to take. */
	assert_int_equal(d.vcpu_lock.tickets, 0);
	assert_int_equal(v->state, VCPU_PENDING);
	woken = v;
	wakes++;
}
void sched_block(struct vcpu *v)
{
	/* Before anybody can find it off and wake it. */
	assert_int_equal(v->state, VCPU_ON);
	assert_int_not_equal(d.vcpu_lock.tickets, 0);
	blocks++;
}
/* tests/unit/pvtime_test.c has the real ones. */
s64 pvtime_features(u32 fn)
{
	return 0x1000 + fn;
}
s64 pvtime_ask(struct vcpu *v)
{
	return 0x2000 + v->id;
}
void lock_rank_take(struct spinlock *l)
{
	(void)l;
}
void lock_rank_drop(struct spinlock *l)
{
	(void)l;
}
struct vcpu *domain_vcpu_by_mpidr(struct domain *dom, u64 mpidr)
{
	assert_ptr_equal(dom, &d);
	/* Reserved bits have been refused before. */
	assert_int_equal(mpidr & ~0xff00ffffffUL, 0);
	return mpidr < NR_VCPUS ? &vcpus[mpidr] : NULL;
}
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	assert_ptr_equal(s2, &d.s2);
	*leaf = (struct pgtable_leaf){
		.flags = ipa.v == DEVICE ? PGT_R | PGT_W | PGT_DEVICE
					 : PGT_R | PGT_W | PGT_X,
	};
	return ipa.v - RAM_BASE < MIB || ipa.v - RAM_HIGH < MIB ||
			       ipa.v == DEVICE
		       ? 0
		       : -ENOENT;
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	memset(vcpus, 0, sizeof(vcpus));
	spin_init(&d.vcpu_lock, RANK_VCPU);
	d.nr_vcpus = NR_VCPUS;
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		vcpus[i].domain = &d;
		vcpus[i].id = i;
		vcpus[i].cpu = 10 + i;
		d.vcpus[i] = &vcpus[i];
	}
	vcpus[0].state = VCPU_ON;
	stops = wakes = workarounds = 0;
	return 0;
}

/* x0 after the call; what is no argument has to stay as it was. */
static u64 call_by(struct vcpu *v, u64 fn, u64 a1, u64 a2, u64 a3)
{
	u64 *x = v->arch.regs.x;
	bool stop, may_stop;

	for (unsigned int i = 0; i < 31; i++)
		x[i] = FILL + i;
	x[0] = fn;
	x[1] = a1;
	x[2] = a2;
	x[3] = a3;
	stop = psci_call(v);
	may_stop = (u32)(fn & ~SMC64) == SUSPEND || (u32)fn == CPU_OFF ||
		   (u32)fn == SYSTEM_OFF || (u32)fn == SYSTEM_RESET ||
		   (u32)(fn & ~SMC64) == CPU_ON;
	assert_int_equal(stop, may_stop);
	for (unsigned int i = 4; i < 31; i++)
		assert_int_equal(x[i], FILL + i);
	assert_int_equal(d.vcpu_lock.tickets, 0);
	if ((u32)fn != VENDOR_UID && (u32)fn != VENDOR_REVISION)
		assert_true(x[1] == a1 && x[2] == a2 && x[3] == a3);
	return x[0];
}

static s64 call(u64 fn, u64 a1, u64 a2, u64 a3)
{
	return (s64)call_by(&vcpus[0], fn, a1, a2, a3);
}

static void test_constants(void **state)
{
	(void)state;
	/* Whatever stands in the upper half of x0. */
	for (unsigned int i = 0; i < 2; i++) {
		u64 up = i ? GARBAGE : 0;

		assert_int_equal(call(up | VERSION, 5, 6, 7), 0x10001);
		assert_int_equal(call(up | MIGRATE_TYPE, 5, 6, 7), 2);
		assert_int_equal(call(up | SMC_VERSION, 5, 6, 7), 0x10002);
		assert_int_equal(call(up | VENDOR_COUNT, 5, 6, 7), 3);
	}
}

static void test_cpu_on(void **state)
{
	struct vcpu *t = &vcpus[2];

	(void)state;
	assert_int_equal(call(CPU_ON | SMC64, 2, RAM_HIGH + 8, GARBAGE | 9),
			 PSCI_SUCCESS);
	assert_int_equal(t->state, VCPU_PENDING);
	assert_int_equal(t->on_entry, RAM_HIGH + 8);
	assert_int_equal(t->on_arg, GARBAGE | 9);
	assert_true(wakes == 1 && woken == t);
	/* Given again: the first entry and argument stay, nobody is woken. */
	assert_int_equal(call(CPU_ON | SMC64, 2, RAM_BASE, 1), PSCI_ON_PENDING);
	t->state = VCPU_ON;
	assert_int_equal(call(CPU_ON | SMC64, 2, RAM_BASE, 1), PSCI_ALREADY_ON);
	assert_int_equal(t->on_entry, RAM_HIGH + 8);
	assert_int_equal(t->on_arg, GARBAGE | 9);
	assert_int_equal(wakes, 1);
	/* Itself. */
	assert_int_equal(call(CPU_ON, 0, RAM_BASE, 1), PSCI_ALREADY_ON);
	assert_int_equal(vcpus[0].state, VCPU_ON);
	/* After CPU_OFF once more. */
	assert_int_equal((s64)call_by(t, CPU_OFF, 1, 2, 3), (s64)CPU_OFF);
	assert_int_equal(t->state, VCPU_OFF);
	assert_int_equal(call(CPU_ON, 2, RAM_BASE, 4), PSCI_SUCCESS);
	assert_int_equal(t->on_entry, RAM_BASE);
	assert_int_equal(vcpus[0].state, VCPU_ON);
	assert_int_equal(vcpus[1].state, VCPU_OFF);
}

static void test_cpu_on_refused(void **state)
{
	static const u64 targets[] = {NR_VCPUS,	   0x100,	0x10000,
				      1UL << 32,   ~0UL,	BIT(24) | 1,
				      BIT(25) | 1, BIT(30) | 1, BIT(31) | 1,
				      BIT(40) | 1, BIT(63) | 1};
	static const u64 entries[] = {
		RAM_BASE + 1, RAM_BASE + 2,   RAM_BASE + 3,
		RAM_BASE - 4, RAM_BASE + MIB, 0,
		~0UL,	      ~3UL,	      GARBAGE | RAM_BASE,
		DEVICE};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++)
		assert_int_equal(call(CPU_ON | SMC64, targets[i], RAM_BASE, 0),
				 PSCI_INVALID_PARAMS);
	assert_int_equal(call(CPU_ON, BIT(31) | 1, RAM_BASE, 0),
			 PSCI_INVALID_PARAMS);
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		assert_int_equal(call(CPU_ON | SMC64, 1, entries[i], 0),
				 PSCI_INVALID_ADDR);
	for (unsigned int i = 1; i < NR_VCPUS; i++)
		assert_int_equal(vcpus[i].state, VCPU_OFF);
	assert_int_equal(wakes, 0);
}

static void test_32_bit(void **state)
{
	(void)state;
	/* Upper halves of the arguments of a 32-bit call do not count... */
	assert_int_equal(call(CPU_ON, GARBAGE | 1, GARBAGE | RAM_BASE,
			      GARBAGE | 7),
			 PSCI_SUCCESS);
	assert_int_equal(vcpus[1].on_entry, RAM_BASE);
	assert_int_equal(vcpus[1].on_arg, 7);
	assert_int_equal(call(AFFINITY, GARBAGE | 1, GARBAGE, 0), 2);
	/* ...in the function's number neither, but they do in a 64-bit one. */
	assert_int_equal(call(GARBAGE | CPU_ON, 2, GARBAGE | RAM_BASE, 0),
			 PSCI_SUCCESS);
	assert_int_equal(call(CPU_ON | SMC64, GARBAGE | 3, RAM_BASE, 0),
			 PSCI_INVALID_PARAMS);
	assert_int_equal(call(AFFINITY | SMC64, GARBAGE | 3, 0, 0),
			 PSCI_INVALID_PARAMS);
	/* The level is 32 bits wide in both. */
	assert_int_equal(call(AFFINITY | SMC64, 3, GARBAGE, 0), 1);
	assert_int_equal(call(FEATURES, GARBAGE | CPU_ON, 0, 0), PSCI_SUCCESS);
	assert_int_equal(call(SMC_FEATURES, GARBAGE | SMC_VERSION, 0, 0),
			 PSCI_SUCCESS);
}

static void test_affinity_info(void **state)
{
	(void)state;
	vcpus[1].state = VCPU_PENDING;
	for (u64 width = 0; width <= SMC64; width += SMC64) {
		u64 fn = AFFINITY | width;

		assert_int_equal(call(fn, 0, 0, 0), 0);
		assert_int_equal(call(fn, 1, 0, 0), 2);
		assert_int_equal(call(fn, 2, 0, 0), 1);
		assert_int_equal(call(fn, NR_VCPUS, 0, 0), PSCI_INVALID_PARAMS);
		assert_int_equal(call(fn, 0x100, 0, 0), PSCI_INVALID_PARAMS);
		assert_int_equal(call(fn, BIT(31), 0, 0), PSCI_INVALID_PARAMS);
		for (u64 level = 1; level <= 4; level++)
			assert_int_equal(call(fn, 0, level, 0),
					 PSCI_INVALID_PARAMS);
		assert_int_equal(call(fn, 0, 0xffffffff, 0),
				 PSCI_INVALID_PARAMS);
	}
	assert_int_equal(wakes, 0);
}

static void test_suspend(void **state)
{
	static const u64 states[] = {0, 1, 0x10000, BIT(30), 0xffffffff, ~0UL};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++)
		for (u64 width = 0; width <= SMC64; width += SMC64) {
			vcpus[0].blocked = false;
			assert_int_equal(call(SUSPEND | width, states[i], 3, 4),
					 PSCI_SUCCESS);
			assert_true(vcpus[0].blocked);
			assert_int_equal(vcpus[0].state, VCPU_ON);
		}
	assert_int_equal(stops, 0);
	assert_false(vcpus[1].blocked);
}

static void test_system(void **state)
{
	(void)state;
	call(SYSTEM_OFF, 1, 2, 3);
	assert_true(stops == 1 && stopped == STOP_OFF);
	call(GARBAGE | SYSTEM_RESET, 1, 2, 3);
	assert_true(stops == 2 && stopped == STOP_RESET);
	assert_false(vcpus[0].blocked);
}

static void test_features(void **state)
{
	static const u64 there[] = {VERSION,	    SUSPEND,
				    CPU_OFF,	    CPU_ON,
				    AFFINITY,	    MIGRATE_TYPE,
				    SYSTEM_OFF,	    SYSTEM_RESET,
				    FEATURES,	    SMC_VERSION,
				    CPU_ON | SMC64, AFFINITY | SMC64,
				    SUSPEND | SMC64};

	(void)state;
	for (u64 fn = 0; fn < 0x40; fn++) {
		const u64 all[] = {VERSION + fn, (VERSION | SMC64) + fn,
				   SMC_VERSION + fn, fn};

		for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
			s64 want = PSCI_NOT_SUPPORTED;

			for (unsigned int t = 0; t < ARRAY_SIZE(there); t++)
				if (there[t] == all[i])
					want = PSCI_SUCCESS;
			assert_int_equal(call(FEATURES, all[i], 0, 0), want);
		}
	}
	assert_int_equal(call(FEATURES, 0xffffffff, 0, 0), PSCI_NOT_SUPPORTED);
}

static void test_workarounds(void **state)
{
	static const u64 fns[] = {WORKAROUND_1, WORKAROUND_2, WORKAROUND_3};

	(void)state;
	for (workarounds = 0; workarounds < 8; workarounds++) {
		assert_int_equal(call(SMC_FEATURES, SMC_VERSION, 0, 0), 0);
		assert_int_equal(call(SMC_FEATURES, SMC_FEATURES, 0, 0), 0);
		assert_int_equal(call(SMC_FEATURES, VERSION, 0, 0),
				 PSCI_NOT_SUPPORTED);
		assert_int_equal(call(SMC_FEATURES, VENDOR_UID, 0, 0),
				 PSCI_NOT_SUPPORTED);
		for (unsigned int i = 0; i < 3; i++) {
			bool has = workarounds & BIT(i);

			assert_int_equal(call(SMC_FEATURES, fns[i], 0, 0),
					 has ? 0 : PSCI_NOT_SUPPORTED);
			/* The call itself has no result. */
			assert_int_equal(call(fns[i], 1, 2, 3),
					 has ? (s64)fns[i] : PSCI_NOT_SUPPORTED);
		}
	}
}

static void test_vendor(void **state)
{
	const u64 *x = vcpus[0].arch.regs.x;

	(void)state;
	assert_int_equal(call(VENDOR_UID, 5, 6, 7), 0xdc1218a7);
	assert_int_equal(x[1], 0x694398c6);
	assert_int_equal(x[2], 0xd179cf9a);
	assert_int_equal(x[3], 0x67e6de8d);
	assert_int_equal(call(VENDOR_REVISION, 5, 6, 7), 0);
	assert_int_equal(x[1], 1);
	assert_int_equal(x[2], 6);
	assert_int_equal(x[3], 7);
}

static void test_pvtime(void **state)
{
	(void)state;
	assert_int_equal(call(SMC_FEATURES, PV_FEATURES, 0, 0), 0);
	assert_int_equal(call(PV_FEATURES, GARBAGE | 0x33, 5, 6), 0x1033);
	assert_int_equal(call_by(&vcpus[3], PV_ST, 4, 5, 6), 0x2003);
	/* Only the calls of 64 bits. */
	assert_int_equal(call(PV_FEATURES & ~SMC64, 0x33, 5, 6),
			 PSCI_NOT_SUPPORTED);
	assert_int_equal(call(PV_ST & ~SMC64, 4, 5, 6), PSCI_NOT_SUPPORTED);
}

static bool is_known(u64 fn)
{
	static const u64 known[] = {VERSION,
				    SUSPEND,
				    CPU_OFF,
				    CPU_ON,
				    AFFINITY,
				    MIGRATE_TYPE,
				    SYSTEM_OFF,
				    SYSTEM_RESET,
				    FEATURES,
				    SMC_VERSION,
				    SMC_FEATURES,
				    VENDOR_COUNT,
				    VENDOR_UID,
				    VENDOR_REVISION,
				    CPU_ON | SMC64,
				    AFFINITY | SMC64,
				    SUSPEND | SMC64,
				    PV_FEATURES,
				    PV_ST};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == fn)
			return true;
	return false;
}

static void check_unknown(u64 fn)
{
	if (is_known(fn))
		return;
	assert_int_equal(call(fn, 1, RAM_BASE, 3), PSCI_NOT_SUPPORTED);
	assert_int_equal(call(GARBAGE | fn, 1, RAM_BASE, 3), PSCI_NOT_SUPPORTED);
}

static void test_unknown(void **state)
{
	static const u64 services[] = {0,	    BIT(31),	 0xc0000000U,
				       0x84000000U, 0xc4000000U, 0x86000000U,
				       0xc6000000U, 0x8600ff00U, 0xc600ff00U,
				       0x85000000U, 0xc5000000U, 0x88000000U,
				       0x80007f80U, 0xc0007f80U, 0x80003f80U,
				       0xffffff00U, 0x04000000U, 0x44000000U};
	unsigned int seed = 5;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(services); i++)
		for (u64 n = 0; n < 0x100; n++)
			check_unknown(services[i] + n);
	for (unsigned int i = 0; i < 100000; i++)
		check_unknown((u32)rand_r(&seed) ^ (u32)rand_r(&seed) << 16);
	assert_int_equal(wakes + stops, 0);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		assert_int_equal(vcpus[i].state, i ? VCPU_OFF : VCPU_ON);
}

/* One call of a random vCPU that is on, or a CPU that takes what is pending. */
static void random_step(enum vcpu_state *model, unsigned int *seed)
{
	static const s64 on[] = {PSCI_SUCCESS, PSCI_ON_PENDING, PSCI_ALREADY_ON};
	static const s64 info[] = {1, 2, 0};
	unsigned int by = (unsigned int)rand_r(seed) % NR_VCPUS;
	u64 target = (u64)rand_r(seed) % (NR_VCPUS + 1);
	u64 entry = RAM_BASE + (u64)rand_r(seed) % 16;
	u64 width = rand_r(seed) & 1 ? SMC64 : 0;
	s64 want;

	if (model[by] != VCPU_ON) {
		/* What kernel/cpu.c does. */
		if (model[by] == VCPU_PENDING)
			model[by] = vcpus[by].state = VCPU_ON;
		return;
	}
	switch (rand_r(seed) % 4) {
	case 0:
		/* Somebody stays, so that it goes on. */
		if (!by)
			break;
		call_by(&vcpus[by], CPU_OFF, target, entry, 0);
		model[by] = VCPU_OFF;
		break;
	case 1:
		want = target == NR_VCPUS ? PSCI_INVALID_PARAMS
					  : info[model[target]];
		assert_int_equal(call_by(&vcpus[by], AFFINITY | width, target,
					 0, 0),
				 want);
		break;
	default:
		want = target == NR_VCPUS ? PSCI_INVALID_PARAMS
		       : entry & 3	  ? PSCI_INVALID_ADDR
					  : on[model[target]];
		wakes = 0;
		assert_int_equal(call_by(&vcpus[by], CPU_ON | width, target,
					 entry, by),
				 want);
		assert_int_equal(wakes, want == PSCI_SUCCESS);
		if (want != PSCI_SUCCESS)
			break;
		model[target] = VCPU_PENDING;
		assert_int_equal(vcpus[target].on_entry, entry);
		assert_int_equal(vcpus[target].on_arg, by);
	}
}

static void test_random(void **state)
{
	enum vcpu_state model[NR_VCPUS] = {VCPU_ON};
	unsigned int seed = 11;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		random_step(model, &seed);
		for (unsigned int n = 0; n < NR_VCPUS; n++)
			assert_int_equal(vcpus[n].state, model[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_constants, setup),
		cmocka_unit_test_setup(test_cpu_on, setup),
		cmocka_unit_test_setup(test_cpu_on_refused, setup),
		cmocka_unit_test_setup(test_32_bit, setup),
		cmocka_unit_test_setup(test_affinity_info, setup),
		cmocka_unit_test_setup(test_suspend, setup),
		cmocka_unit_test_setup(test_system, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_workarounds, setup),
		cmocka_unit_test_setup(test_vendor, setup),
		cmocka_unit_test_setup(test_pvtime, setup),
		cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
