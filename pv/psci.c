/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI (DEN 0022D) and SMCCC (DEN 0028) calls of guests. The power state of a
 * vCPU moves OFF -> ON_PENDING by CPU_ON, -> ON by the CPU that takes it
 * (sched/sched.c), -> OFF by CPU_OFF, all under the domain's vcpu_lock.
 */
#include <skerry/psci.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/pvtime.h>
#include <skerry/smccc.h>

/* clang-format off */
#define FN_SMC64		BIT(30)
#define VENDOR_COUNT		0x8600ff00U
#define VENDOR_UID		0x8600ff01U
#define VENDOR_REVISION		0x8600ff03U
#define PSCI_1_1		0x10001
#define SMCCC_1_2		0x10002
#define TOS_NOT_PRESENT		2	/* MIGRATE_INFO_TYPE: no migration */
#define AFF_ON			0
#define AFF_OFF			1
#define AFF_ON_PENDING		2
#define MPIDR_AFF		0xff00ffffffUL
/* clang-format on */

static struct vcpu *target_of(struct vcpu *v, u64 mpidr)
{
	return mpidr & ~MPIDR_AFF ? NULL
				  : domain_vcpu_by_mpidr(v->domain, mpidr);
}

static __noinline s64 cpu_on(struct vcpu *v, u64 mpidr, u64 entry, u64 arg)
{
	struct domain *d = v->domain;
	struct vcpu *t = target_of(v, mpidr);
	struct pgtable_leaf leaf;
	s64 ret = PSCI_SUCCESS;

	if (!t)
		return PSCI_INVALID_PARAMS;
	/* Not in a device's page either, of which nothing is fetched. */
	if (entry & 3 || stage2_lookup(&d->s2, IPA(entry), &leaf) ||
	    !(leaf.flags & PGT_X))
		return PSCI_INVALID_ADDR;
	spin_lock(&d->vcpu_lock);
	if (t->state == VCPU_ON) {
		ret = PSCI_ALREADY_ON;
	} else if (t->state == VCPU_PENDING) {
		ret = PSCI_ON_PENDING;
	} else {
		t->on_entry = entry;
		t->on_arg = arg;
		/* Partner: take_pending() of t's CPU, under that lock. */
		WRITE_ONCE(t->state, (u32)VCPU_PENDING);
	}
	spin_unlock(&d->vcpu_lock);
	if (ret == PSCI_SUCCESS)
		sched_wake(t);
	return ret;
}

static __noinline s64 affinity_info(struct vcpu *v, u64 mpidr, u64 level)
{
	/* Level 1 and above need not be implemented by PSCI 1.x (5.7.1). */
	struct vcpu *t = level ? NULL : target_of(v, mpidr);
	static const u8 state[] = {
		[VCPU_OFF] = AFF_OFF,
		[VCPU_PENDING] = AFF_ON_PENDING,
		[VCPU_ON] = AFF_ON,
	};

	return t ? state[READ_ONCE(t->state)] : PSCI_INVALID_PARAMS;
}

static __noinline s64 features(u32 fn)
{
	switch (fn) {
	case PSCI_VERSION ... PSCI_AFFINITY_INFO: /* 32-bit, without gap */
	case PSCI_CPU_SUSPEND64:
	case PSCI_CPU_ON64:
	case PSCI_AFFINITY_INFO64:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF ... PSCI_FEATURES:
	case SMCCC_VERSION:
		return PSCI_SUCCESS;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

static __noinline s64 arch_features(u32 fn)
{
	unsigned int mask = smccc_workarounds();

	switch (fn) {
	case SMCCC_VERSION:
	case SMCCC_ARCH_FEATURES:
	case PV_TIME_FEATURES:
		return PSCI_SUCCESS;
	case SMCCC_WORKAROUND_1:
		return mask & BIT(0) ? 0 : PSCI_NOT_SUPPORTED;
	case SMCCC_WORKAROUND_2:
		return mask & BIT(1) ? 0 : PSCI_NOT_SUPPORTED;
	case SMCCC_WORKAROUND_3:
		return mask & BIT(2) ? 0 : PSCI_NOT_SUPPORTED;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

/* The calls after which v may not go on. */
static __noinline void power_call(struct vcpu *v, u32 fn)
{
	switch (fn) {
	case PSCI_CPU_OFF:
		spin_lock(&v->domain->vcpu_lock);
		/* First: a CPU_ON that finds it off wakes it. */
		sched_block(v);
		WRITE_ONCE(v->state, (u32)VCPU_OFF);
		spin_unlock(&v->domain->vcpu_lock);
		break;
	case PSCI_SYSTEM_OFF:
		domain_stop(v->domain, STOP_OFF);
		break;
	case PSCI_SYSTEM_RESET:
		domain_stop(v->domain, STOP_RESET);
		break;
	default:
		/* Every state is a standby state: wait for an interrupt. */
		v->blocked = true;
		v->arch.regs.x[0] = PSCI_SUCCESS;
	}
}

static __noinline s64 other_call(struct vcpu *v, u32 fn)
{
	u64 *x = v->arch.regs.x;

	switch (fn) {
	case SMCCC_WORKAROUND_1:
	case SMCCC_WORKAROUND_2:
	case SMCCC_WORKAROUND_3:
		/* Entering EL2 did it, where the CPU needs it. */
		return arch_features(fn) ? PSCI_NOT_SUPPORTED : (s64)x[0];
	case VENDOR_COUNT:
		return 3;
	case VENDOR_UID:
		/* Ours; four words. Linux compares it with KVM's only. */
		x[1] = 0x694398c6;
		x[2] = 0xd179cf9a;
		x[3] = 0x67e6de8d;
		return 0xdc1218a7;
	case VENDOR_REVISION:
		x[1] = 1;
		return 0;
	case PV_TIME_FEATURES:
		return pvtime_features((u32)x[1]);
	case PV_TIME_ST:
		return pvtime_ask(v);
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

/* A 32-bit call has 32-bit arguments: what is above them is undefined. */
static u64 arg(u64 val, u32 fn)
{
	return fn & FN_SMC64 ? val : (u32)val;
}

bool psci_call(struct vcpu *v)
{
	u64 *x = v->arch.regs.x;
	u32 fn = (u32)x[0];
	s64 ret;

	switch (fn) {
	case PSCI_VERSION:
		ret = PSCI_1_1;
		break;
	case PSCI_FEATURES:
		ret = features((u32)x[1]);
		break;
	case PSCI_CPU_ON:
	case PSCI_CPU_ON64:
		x[0] = (u64)cpu_on(v, arg(x[1], fn), arg(x[2], fn),
				   arg(x[3], fn));
		return true; /* it may be on this CPU */
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO64:
		ret = affinity_info(v, arg(x[1], fn), (u32)x[2]);
		break;
	case PSCI_MIGRATE_INFO_TYPE:
		ret = TOS_NOT_PRESENT;
		break;
	case SMCCC_VERSION:
		ret = SMCCC_1_2;
		break;
	case SMCCC_ARCH_FEATURES:
		ret = arch_features((u32)x[1]);
		break;
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND64:
	case PSCI_CPU_OFF:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
		power_call(v, fn);
		return true;
	default:
		ret = other_call(v, fn);
	}
	x[0] = (u64)ret;
	return false;
}
