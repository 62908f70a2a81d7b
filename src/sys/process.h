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
uint64_t process_machine_memory_bytes(void);

#endif
