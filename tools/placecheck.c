/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's placement and admission on the host: kernel/place.c and
 * sched/admit.c. tools/skerry_pack/admit.py calls `placecheck CPUS` with a line
 * on standard input for each vCPU that starts at boot, guest by guest:
 *
 *   GUEST NAME AFFINITY WEIGHT SLICE PERIOD BUDGET DEADLINE EXTRA
 *
 * in decimal, AFFINITY a mask in hexadecimal, times in us. Prints what the log
 * would say. Exit status 0, or 2 for what is no such line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skerry/admit.h>
#include <skerry/cpu.h>
#include <skerry/log.h>
#include <skerry/place.h>
#include <skerry/work.h>

struct cpu *host_this_cpu;
unsigned int nr_cpus;

static struct describe_guest guests[CONFIG_MAX_DOMAINS + 1];

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Nobody else runs here. */
void sched_reserve(unsigned int cpu, u32 nr_constrained)
{
	(void)cpu;
	(void)nr_constrained;
}

void work_point(void)
{
}

/* The next vCPU; its guest's number, 0 at the end. */
static unsigned int read_vcpu(void)
{
	char name[DESCRIBE_NAME_SIZE], why[ADMIT_WHY];
	struct describe_guest *g;
	struct sched_params p;
	unsigned int id;
	u64 mask;
	int n = scanf("%u %31s %lx %u %u %u %u %u %u", &id, name, &mask,
		      &p.weight, &p.slice_us, &p.period_us, &p.budget_us,
		      &p.deadline_us, &p.extra_time);

	if (n == EOF)
		return 0;
	if (n == 9 && id && id <= CONFIG_MAX_DOMAINS) {
		g = &guests[id];
		if (g->nr_vcpus < CONFIG_MAX_VCPUS &&
		    (mask & BITS(nr_cpus - 1, 0)) && !admit_check(&p, why)) {
			strcpy(g->name, name);
			g->affinity[g->nr_vcpus] = mask;
			g->sched[g->nr_vcpus++] = p;
			return id;
		}
	}
	fprintf(stderr, "placecheck: not a vCPU\n");
	exit(2);
}

int main(int argc, char **argv)
{
	int cpus = argc == 2 ? atoi(argv[1]) : 0;

	if (cpus < 1 || cpus > CONFIG_NR_CPUS) {
		fprintf(stderr, "usage: placecheck CPUS, 1 to %u\n",
			CONFIG_NR_CPUS);
		return 2;
	}
	nr_cpus = (unsigned int)cpus;
	while (read_vcpu())
		;
	/* Who is refused is told of, and the others go on. */
	for (unsigned int id = 1; id <= CONFIG_MAX_DOMAINS; id++)
		if (place_guest(id, &guests[id]))
			continue;
	return 0;
}
