/* SPDX-License-Identifier: Apache-2.0 */
/* Debug-only: break each protection of EL2 on purpose. */
#include <skerry/selftest.h>

#include <skerry/keep.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <skerry/sections.h>

static u32 data_word = 0xd65f03c0; /* ret */

/* Through a pointer that the compiler cannot see through. */
static int (*volatile again)(volatile int *p);

static int recurse(volatile int *p)
{
	volatile int frame[64];

	frame[0] = *p + 1;
	return again(frame) + frame[0];
}

void selftest_run(void)
{
	if (machine_has_option("selftest=write-text")) {
		log_line("selftest: writing to text");
		WRITE_ONCE(*(u32 *)image_start, 0U);
	} else if (machine_has_option("selftest=exec-data")) {
		log_line("selftest: executing data");
		((void (*)(void))(u64)&data_word)();
	} else if (machine_has_option("selftest=overflow")) {
		volatile int zero = 0;

		log_line("selftest: overflowing the stack");
		again = recurse;
		recurse(&zero);
	} else if (machine_has_option("selftest=panic")) {
		panic("selftest");
	} else if (machine_has_option("selftest=panic-once") && keep_is_cold()) {
		panic("selftest");
	} else {
		return;
	}
	panic("selftest: the protection did not hold");
}
