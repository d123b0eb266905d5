/* SPDX-License-Identifier: Apache-2.0 */
/* vgic/v2.c with tables that mutate.h can change. */
#include <skerry/layout.h>
#include "../../vgic/vgic_priv.h"

#define const
#include "../../vgic/v2.c"
#undef const
#include "mutate.h"

static __attribute__((constructor)) void mutate_tables(void)
{
	mutate("dist_regs", dist_regs, ARRAY_SIZE(dist_regs));
	mutate_end();
}
