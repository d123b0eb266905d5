/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error numbers of the hypervisor's own functions, returned negated. They
 * have Linux's values, so that pv/ can hand them to guests where Xen's ABI
 * names the same error.
 */
#pragma once

#define EPERM	   1
#define ENOENT	   2
#define ENOMEM	   12
#define EACCES	   13
#define EFAULT	   14
#define EBUSY	   16
#define EEXIST	   17
#define EINVAL	   22
#define ENOSPC	   28
#define EOPNOTSUPP 95
#define EALREADY   114
#define ECANCELED  125
