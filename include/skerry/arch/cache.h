/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA to the point of coherency (Arm ARM D7.5). */
#pragma once

#include <skerry/util.h>

void cache_clean_inval(const void *p, u64 size);
/* Zero and write back: DC ZVA where allowed, then clean+invalidate. */
void cache_zero_clean(void *p, u64 size);
/* All instruction caches of the inner-shareable domain, completed. */
void cache_inval_icache_all(void);
