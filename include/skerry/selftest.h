/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CONFIG_SELFTEST: proofs of EL2's own protections. Option selftest=NAME on
 * the command line: write-text, exec-data, overflow, each ends in a panic with
 * the right reason; without the option nothing happens.
 */
#pragma once

void selftest_run(void);
