/* SPDX-License-Identifier: Apache-2.0 */
/* Included by mbedTLS's sha256.c, which then uses nothing of it. */
#pragma once
