/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that means harm, on all its vCPUs at once: what runs an attack,
 * counts what comes of it and stays alive. It says what it did; whether the
 * hypervisor and its neighbours noticed is for them to say.
 *
 * Boot arguments: what=<a,b,...> (default all), seed=N (default 1), rounds=N
 * of each attack and vCPU (default 16), ms=N (and for at least so long,
 * default 0), wait_ms=N (asleep before the first, default 0), period_us=N (of
 * whom a burst is meant for, default 1000).
 */
#include <string.h>

#include "hostile.h"

/* clang-format off */
static const struct attack attacks[] = {
	{"access", round_access, BIT(EC_DABT_CUR), false, false},
	{"jump", round_jump, BIT(EC_UNKNOWN) | BIT(EC_IABT_CUR) |
	 BIT(EC_PC_ALIGN) | BIT(EC_ILLEGAL) | BIT(EC_BRK), false, false},
	{"user", round_user, BIT(EC_UNKNOWN) | BIT(EC_DABT_LOW) |
	 BIT(EC_IABT_LOW) | BIT(EC_SVC64), false, false},
	{"sysreg", round_sysreg, BIT(EC_UNKNOWN), false, false},
	{"cache", round_cache, BIT(EC_UNKNOWN), false, false},
	{"call", round_call, BIT(EC_UNKNOWN), false, false},
	{"psci", round_psci, 0, false, true},
	{"gic", round_gic, 0, true, false},
	{"spis", round_spis, 0, false, false},
	{"timer", round_timer, 0, true, false},
	{"table", round_table, BIT(EC_DABT_CUR) | BIT(EC_IABT_CUR), false,
	 false},
	{"hog", round_hog, 0, false, false},
	{"flood", round_flood, 0, false, false},
	{"nap", round_nap, 0, true, false},
	{"watchdog", round_watchdog, 0, false, false},
	{"burst", round_burst, 0, true, false},
};
/* clang-format on */

static struct me all[MAX_CPUS];
static u32 code[MAX_CPUS][CODE_WORDS] __attribute__((aligned(4096)));
static u64 scratch[MAX_CPUS][1024] __attribute__((aligned(4096)));
static char args[256]; /* the device tree may not survive */

u64 time_page = HOLE;

static u64 min_rounds, end_at;
static const struct attack *running;
static u32 go, here;

extern char hostile_vectors[];
bool attempt_asm(struct recovery *r, void (*fn)(u64), u64 arg);
void recover(struct recovery *r) __attribute__((noreturn));
void hostile_trap(u64 kind);

/* --- randomness ---------------------------------------------------------- */

u64 rnd(struct me *me)
{
	u64 x = me->seed;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	me->seed = x;
	return x * 0x2545f4914f6cdd1dul;
}

u64 below(struct me *me, u64 n)
{
	return rnd(me) % n;
}

u64 bad_value(struct me *me)
{
	u64 bit = BIT(below(me, 64));

	switch (below(me, 8)) {
	case 0:
		return 0;
	case 1:
		return ~0ul;
	case 2:
		return bit;
	case 3:
		return bit - 1;
	case 4:
		return below(me, 64);
	case 5:
		return (u32)rnd(me);
	case 6: /* an address of its own: pointers are values too */
		return (u64)me->scratch + below(me, 2 * PAGE);
	default:
		return rnd(me);
	}
}

static u64 device(struct me *me)
{
	switch (below(me, 5)) {
	case 0:
		return plat.gicd + below(me, 0x10000);
	case 1:
		return plat.gic == 3 ? plat.gicr.base +
					       below(me, plat.gicr.size + PAGE)
				     : plat.gicc + below(me, 3 * PAGE);
	case 2:
		return plat.uart + 1 + below(me, PAGE); /* rarely its data */
	case 3:
		return time_page + below(me, PAGE);
	default:
		return plat.rtc + below(me, PAGE);
	}
}

u64 bad_address(struct me *me)
{
	const struct range *last = &plat.mem[plat.nr_mem - 1];
	u64 a;

	switch (below(me, 8)) {
	case 0:
	case 1:
	case 2:
		a = device(me);
		break;
	case 3: /* across the end of a device's page or of the RAM */
		a = (device(me) | (PAGE - 1)) + 1 - below(me, 16);
		break;
	case 4:
		a = last->base + last->size + below(me, 64);
		break;
	case 5:
		a = below(me, 1ul << 33);
		break;
	case 6:
		a = below(me, 1ul << 39);
		break;
	default: /* not even an address */
		a = rnd(me);
	}
	if (below(me, 2))
		a &= ~7ul;
	return is_ram(a & ~63ul) || is_ram(a + 64) ? HOLE : a;
}

/* --- exceptions ---------------------------------------------------------- */

struct me *myself(void)
{
	return &all[this_cpu()->id];
}

bool attempt(struct me *me, void (*fn)(u64), u64 arg)
{
	bool good;

	me->trying = true;
	good = attempt_asm(&me->recovery, fn, arg);
	me->trying = false;
	return good;
}

void code_ready(const struct me *me, unsigned int words)
{
	u64 ctr = sysreg_read(ctr_el0), a;
	u64 end = (u64)(me->code + words);
	u64 line = 4ul << ((ctr & 0xf) < (ctr >> 16 & 0xf) ? ctr & 0xf
							   : ctr >> 16 & 0xf);

	for (a = (u64)me->code; a < end; a += line)
		asm volatile("dc cvau, %0" ::"r"(a) : "memory");
	asm volatile("dsb ish" ::: "memory");
	for (a = (u64)me->code; a < end; a += line)
		asm volatile("ic ivau, %0" ::"r"(a) : "memory");
	asm volatile("dsb ish\n\tisb" ::: "memory");
}

/* Unless an attack has its own way: ended, and not wanted again. */
static void interrupt(struct me *me, bool fiq)
{
	u32 intid, iar;

	if (me->irq) {
		me->irq(me, fiq);
		return;
	}
	if (fiq && plat.gic == 3) {
		intid = (u32)sysreg_read(S3_0_C12_C8_0); /* ICC_IAR0 */
		if (intid < 1020)
			sysreg_write(S3_0_C12_C8_1, intid); /* ICC_EOIR0 */
	} else {
		iar = gic_ack();
		intid = gic_intid(iar);
		if (intid < 1020)
			gic_eoi(iar);
		else if (plat.gic == 2 && intid == 1022)
			intid = gic_end_group1();
	}
	isb();
	if (intid >= 16 && intid < NR_INTIDS)
		gic_disable(intid);
}

static void fatal(struct me *me, u64 kind)
{
	printf("\nnot ok - %s: cpu %u kind %lu esr %lx elr %lx far %lx\n",
	       running ? running->name : "?", me->cpu, kind,
	       sysreg_read(esr_el1), sysreg_read(elr_el1), sysreg_read(far_el1));
	power_off();
}

static bool can_skip(u64 ec)
{
	return ec == EC_UNKNOWN || ec == EC_DABT_CUR || ec == EC_FP_TRAP ||
	       ec == EC_SYSREG || ec == EC_BRK;
}

static void synchronous(struct me *me, u64 kind)
{
	u64 esr = sysreg_read(esr_el1), ec = ESR_EC(esr), elr;

	me->classes[ec]++;
	me->last_esr = esr;
	elr = sysreg_read(elr_el1);
	/* Not in zeros that go on and on, and not what is no longer ours. */
	if (kind < 8 && can_skip(ec) && !(me->trying && ec == EC_UNKNOWN)) {
		sysreg_write(elr_el1, elr + 4);
		return;
	}
	if (!me->trying && kind < 8 && ec == EC_SVC64)
		return;
	if (!me->trying)
		fatal(me, kind);
	recover(&me->recovery);
}

void hostile_trap(u64 kind)
{
	struct me *me = myself();

	switch (kind & 3) {
	case 0:
		synchronous(me, kind);
		break;
	case 1:
		me->irqs++;
		interrupt(me, false);
		/* It may have been the only way out of a loop below. */
		if (kind >= 8)
			recover(&me->recovery);
		break;
	case 2:
		me->fiqs++;
		interrupt(me, true);
		if (kind >= 8)
			recover(&me->recovery);
		break;
	default:
		me->serrors++;
	}
}

u64 attack_end(void)
{
	return end_at;
}

/* --- running ------------------------------------------------------------- */

static void work(struct me *me)
{
	u64 old = sysreg_read(vbar_el1);

	/* From now on EL2 writes there, each time that it runs. */
	psci(PV_TIME_ST, 0, 0, 0);
	sysreg_write(vbar_el1, hostile_vectors);
	isb();
	if (running->restart && me->cpu) {
		running->round(me);
		me->rounds++;
	} else {
		while (me->rounds < min_rounds || now() < end_at) {
			running->round(me);
			me->rounds++;
		}
	}
	irq_off();
	me->irq = NULL;
	sysreg_write(vbar_el1, old);
	isb();
}

static void worker(void *arg)
{
	struct me *me = arg;

	irq_off();
	if (running->restart && READ_ONCE(go)) {
		work(me);
		return;
	}
	__atomic_add_fetch(&here, 1, __ATOMIC_SEQ_CST);
	while (!READ_ONCE(go))
		cpu_relax();
	work(me);
	gic_sane();
	/* Off only when all are: no random CPU_ON may find it so. */
	__atomic_sub_fetch(&here, 1, __ATOMIC_SEQ_CST);
	while (!running->restart && READ_ONCE(here))
		cpu_relax();
}

static bool all_off(void)
{
	bool off = true;

	for (unsigned int cpu = 1; cpu < plat.nr_cpus; cpu++)
		off &= cpu_is_off(cpu);
	return off;
}

static u64 total_of(u64 c)
{
	u64 sum = 0;

	for (unsigned int cpu = 0; cpu < plat.nr_cpus; cpu++)
		sum += all[cpu].classes[c];
	return sum;
}

/* Times, and in all other words what was there first. */
static bool time_is_whole(void)
{
	for (u64 a = time_page; time_page != HOLE && a < time_page + PAGE;
	     a += 8)
		if (a % 64 != 8 && read64(a))
			return false;
	return true;
}

static void report(const struct attack *a)
{
	u64 rounds = ~0ul, ops = 0, irqs = 0, serrors = 0;
	bool good = time_is_whole();

	for (unsigned int cpu = 0; cpu < plat.nr_cpus; cpu++) {
		struct me *me = &all[cpu];

		rounds = me->rounds < rounds ? me->rounds : rounds;
		ops += me->ops;
		irqs += me->irqs + me->fiqs;
		serrors += me->serrors;
		good &= me->ops > 0;
	}
	printf("\n# %s: %lu rounds or more, %lu interrupts, %lu SErrors\n",
	       a->name, rounds, irqs, serrors);
	for (u64 c = 0; c < NR_CLASSES; c++) {
		if (total_of(c))
			printf("# %s: class %02lx: %lu\n", a->name, c,
			       total_of(c));
		else
			good &= !(a->must >> c & 1);
	}
	ok(good && (!a->irqs || irqs), "%s: %lu operations", a->name, ops);
}

static void run(const struct attack *a, u64 ms)
{
	running = a;
	for (unsigned int cpu = 0; cpu < plat.nr_cpus; cpu++) {
		struct me *me = &all[cpu];

		me->rounds = me->ops = me->irqs = me->fiqs = me->serrors = 0;
		memset(me->classes, 0, sizeof(me->classes));
	}
	WRITE_ONCE(go, 0);
	WRITE_ONCE(here, 1);
	irq_off();
	for (unsigned int cpu = 1; cpu < plat.nr_cpus; cpu++)
		cpu_start(cpu, worker, &all[cpu]);
	while (READ_ONCE(here) != plat.nr_cpus)
		cpu_relax();
	printf("# %s: start\n", a->name);
	end_at = now() + ms * 1000 * ticks_per_us();
	WRITE_ONCE(go, 1);
	work(&all[0]);
	__atomic_sub_fetch(&here, 1, __ATOMIC_SEQ_CST);
	/* Twice, as one of them may have started another and gone off. */
	while (!all_off() || !all_off())
		cpu_relax();
	gic_sane();
	report(a);
}

/* The word is in the comma-separated list; NULL has all. */
static bool chosen(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (list && *list && *list != ' ') {
		if (!strncmp(list, word, len) &&
		    (!list[len] || list[len] == ',' || list[len] == ' '))
			return true;
		while (*list && *list != ' ' && *list++ != ',')
			;
	}
	return !list;
}

void guest_main(void)
{
	u64 seed = bootarg_num("seed", 1), ms = bootarg_num("ms", 0);
	const char *what;

	min_rounds = bootarg_num("rounds", 16);
	for (size_t i = 0; i < sizeof(args) - 1 && plat.bootargs[i]; i++)
		args[i] = plat.bootargs[i];
	plat.bootargs = args;
	what = bootarg("what");
	printf("# hostile: %u CPUs, GICv%u, \"%s\"\n", plat.nr_cpus, plat.gic,
	       args);
	printf("# seed %lu\n", seed);
	for (unsigned int cpu = 0; cpu < plat.nr_cpus; cpu++) {
		all[cpu].cpu = cpu;
		all[cpu].seed = (seed + cpu + 1) * 0x9e3779b97f4a7c15ul;
		all[cpu].code = code[cpu];
		all[cpu].scratch = scratch[cpu];
	}
	if ((s64)psci(PV_TIME_ST, 0, 0, 0) > 0)
		time_page = psci(PV_TIME_ST, 0, 0, 0) & ~(PAGE - 1);
	/* Whoever is still being built beside us is not delayed. */
	sleep_ms(bootarg_num("wait_ms", 0));
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
		if (chosen(what, attacks[i].name))
			run(&attacks[i], ms);
	tap_plan();
}
