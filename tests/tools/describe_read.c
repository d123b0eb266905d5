/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_describe.py: reads device trees, one behind the other, from stdin
 * and prints what kernel/describe.c makes of the only guest of each, in a line.
 */
#include <stdio.h>
#include <stdlib.h>

#include <libfdt.h>
#include <skerry/describe.h>
#include <skerry/dt.h>
#include <skerry/work.h>

/* Of sched/admit.c; nothing here comes to it. */
void work_point(void)
{
	abort();
}

static _Alignas(8) char fdt[65536];

static void print_vcpu(const struct sched_params *s)
{
	printf(" %u,%u,%u,%u,%u,%u", s->weight, s->slice_us, s->period_us,
	       s->budget_us, s->deadline_us, s->extra_time);
}

static void print_guest(void)
{
	struct dt_node node = {NULL};
	struct describe_guest g;
	struct describe_error err;

	if (fdt_check_full(fdt, sizeof(fdt)) || !describe_next(fdt, &node))
		exit(1);
	if (describe_guest(&node, &g, &err)) {
		printf("refused: %s\n", err.text);
		return;
	}
	printf("%u:", g.wfi_trap);
	for (unsigned int i = 0; i < g.nr_vcpus; i++)
		print_vcpu(&g.sched[i]);
	printf("\n");
}

int main(void)
{
	size_t head = sizeof(struct fdt_header), size;

	while (fread(fdt, 1, head, stdin) == head) {
		size = fdt_totalsize(fdt);
		if (size < head || size > sizeof(fdt) ||
		    fread(fdt + head, 1, size - head, stdin) != size - head)
			return 1;
		print_guest();
	}
	return 0;
}
