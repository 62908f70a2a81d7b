// SPDX-License-Identifier: Apache-2.0
/* This process as the system sees it. */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Once, before any thread: broken pipes are errors of the write, as many descriptors as allowed,
 * files for owner and group only, no core dumps (they would hold secrets). */
void process_prepare(void);

/* Name of this host, "localhost" when it has none; NUL-terminated. */
str process_hostname(char *buf, size_t cap);
unsigned process_cpus(void);
/* What the machine has, or the least that any cgroup of this process may have; 0: unknown. */
uint64_t process_memory_bytes(void);
/* The least limit of memory of the cgroups in `list`, written as in /proc/self/cgroup, and those
 * they are in, whose files are below `mount`; UINT64_MAX: none. */
uint64_t process_cgroup_memory_bytes(str list, const char *mount);

#endif
