/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PL031 for guests. It tells the time; writes to load or match register are
 * ignored, so one guest cannot change another's clock, and no alarm rings.
 */
#include <skerry/pl031.h>

#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/time.h>

#define RTCDR	0x00
#define RTCCR	0x0c
#define RTC_ID	0xfe0
#define ID_SIZE 0x20

static u64 base_seconds;

void pl031_set_base(u64 seconds)
{
	base_seconds = seconds - time_now() / time_freq();
}

static void read_dr(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = (u32)(base_seconds + time_now() / time_freq());
}

static void read_cr(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = 1; /* started */
}

static void read_id(struct vcpu *v __unused, struct emul_access *a)
{
	static const u8 id[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	a->value = id[(a->offset - RTC_ID) / 4];
}

static const struct emul_reg regs[] = {
	{RTCDR, 4, W32, read_dr, NULL},
	{RTCCR, 4, W32, read_cr, NULL},
	{RTC_ID, ID_SIZE, W32, read_id, NULL},
};

static void access(struct vcpu *v, struct emul_access *a)
{
	emul_table_access(regs, ARRAY_SIZE(regs), v, a);
}

int pl031_init(struct domain *d)
{
	static const struct emul_region region = {
		.base = GUEST_PL031_BASE,
		.size = GUEST_PL031_SIZE,
		.access = access,
	};

	return emul_add(&d->emul, &region);
}

static int domain_init(struct domain *d, const struct describe_guest *g __unused)
{
	return pl031_init(d);
}

const struct domain_part pl031_part = {.domain_init = domain_init};
