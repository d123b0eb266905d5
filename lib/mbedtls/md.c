/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS's digests by name, which PSS padding is checked with, in the middle
 * of preemptible work. They hash by way of kernel/sha256.c, as all of EL2 does.
 */
#define mbedtls_sha256_init   sha256_md_init
#define mbedtls_sha256_free   sha256_md_free
#define mbedtls_sha256_starts sha256_md_starts
#define mbedtls_sha256_update sha256_md_update
#define mbedtls_sha256_finish sha256_md_finish

#include "../../third_party/mbedtls/library/md.c"
