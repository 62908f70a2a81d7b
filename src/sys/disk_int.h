// SPDX-License-Identifier: Apache-2.0
/* What the disks of this folder (the system's and the simulated one) share. */
#ifndef SYS_DISK_INT_H
#define SYS_DISK_INT_H

#include "sys/env.h"

/*
 * Refuses what is no relative path of plain names: empty names, ".", "..", a leading '/', NUL,
 * names over 255 or paths over 1023 bytes (ERR_INVALID). "." alone is the root directory, allowed
 * when `dir`.
 */
bool disk_path_check(str path, bool dir, struct err *err);

enum { DISK_PATH_MAX = 1024 }; /* with the NUL */

/* The part before the last '/', "." when there is none; `*name` is the part after it. */
str disk_path_split(str path, str *name);

/* The error of a failed call on `path` by its errno, counted where it is the disk's own fault. */
bool disk_fail(struct err *err, int error, const char *verb, str path);

/* For tests: as if the kernel had no openat2. */
void disk_system_plain(struct disk *d);

/* Sorts by byte order. */
void disk_names_sort(str *names, size_t n);

#endif
