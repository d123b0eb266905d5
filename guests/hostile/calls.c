/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls that nobody offered, with arguments that mean nothing, and PSCI
 * from all vCPUs at once while some of them go off and on.
 */
#include "hostile.h"

#define NR_CALLS 32
#define NR_STUBS 16
#define INSN_HVC 0xd4000002u
#define INSN_SMC 0xd4000003u

#define PSCI_CPU_ON32	    0x84000003ul
#define PSCI_SYSTEM_RESET2  0x84000012ul
#define PSCI_SYSTEM_SUSPEND 0x8400000eul
#define SMC64		    BIT(30)

extern char secondary_entry[];

/* They would end the guest, or its boot CPU, and prove nothing. */
static bool is_last(u64 fn)
{
	switch ((u32)fn & ~(u32)SMC64) {
	case PSCI_CPU_OFF:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_SYSTEM_RESET2:
	case PSCI_SYSTEM_SUSPEND:
		return true;
	default:
		return false;
	}
}

static u64 function(struct me *me)
{
	u64 fn;

	switch (below(me, 4)) {
	case 0: /* PSCI and its neighbours */
		fn = 0x84000000ul + below(me, 0x20);
		break;
	case 1: /* any service, near its start or its end */
		fn = 0x80000000ul | below(me, 64) << 24 |
		     (below(me, 2) ? 0xff00 : 0) | below(me, 48);
		break;
	case 2:
		fn = (u32)rnd(me);
		break;
	default: /* what is above the 32 bits counts for nothing */
		fn = bad_value(me);
	}
	fn ^= below(me, 4) == 0 ? SMC64 : 0;
	return is_last(fn) ? PSCI_VERSION : fn;
}

/* CPU_SUSPEND ends at once: the timer's line is up. */
static void no_sleep(void)
{
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	timer_set(now());
}

void round_call(struct me *me)
{
	u64 args[18];

	no_sleep();
	for (unsigned int i = 0; i < NR_STUBS; i++) {
		u32 imm = below(me, 4) ? 0 : (u32)below(me, 0x10000);

		me->code[2 * i] = (below(me, 2) ? INSN_HVC : INSN_SMC) |
				  imm << 5;
		me->code[2 * i + 1] = INSN_RET;
	}
	code_ready(me, 2 * NR_STUBS);
	for (unsigned int i = 0; i < NR_CALLS; i++) {
		args[0] = function(me);
		for (unsigned int x = 1; x < 18; x++)
			args[x] = bad_value(me);
		call_stub((u64)(me->code + 2 * below(me, NR_STUBS)), args);
		me->ops++;
	}
	timer_stop();
}

/* An entry that no vCPU may ever have: outside of RAM, or between words. */
static u64 bad_entry(struct me *me, u64 fn)
{
	u64 a = below(me, 2) ? bad_address(me)
			     : (u64)secondary_entry + 1 + below(me, 3);

	if (!(fn & SMC64))
		a = (u32)a;
	return !(a & 3) && is_ram(a) ? HOLE : a;
}

static u64 some_mpidr(struct me *me)
{
	switch (below(me, 4)) {
	case 0:
		return bad_value(me);
	case 1:
		return plat.mpidr[below(me, plat.nr_cpus)] | rnd(me) << 32;
	default:
		return plat.mpidr[below(me, plat.nr_cpus)];
	}
}

static void abuse(struct me *me)
{
	u64 fn = 0x84000000ul + below(me, 0x18);

	fn ^= below(me, 2) ? SMC64 : 0;
	if (is_last(fn))
		fn = PSCI_AFFINITY_INFO;
	if ((fn & ~SMC64) == PSCI_CPU_ON32)
		psci(fn, some_mpidr(me), bad_entry(me, fn), bad_value(me));
	else
		psci(fn, some_mpidr(me), bad_value(me), bad_value(me));
	me->ops++;
}

/*
 * A secondary is off after its round. Whoever comes first starts it again,
 * with what the boot CPU wrote for it once; the others are to be told so.
 */
void round_psci(struct me *me)
{
	for (unsigned int i = 0; i < NR_CALLS; i++) {
		unsigned int cpu = (unsigned int)below(me, plat.nr_cpus);

		no_sleep();
		abuse(me);
		timer_stop();
		if (cpu && cpu != me->cpu && (!me->cpu || now() < attack_end())) {
			psci(PSCI_CPU_ON, plat.mpidr[cpu], (u64)secondary_entry,
			     cpu_boot_record(cpu));
			me->ops++;
		}
	}
}
