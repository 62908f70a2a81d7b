// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel tells about this host: small files of procfs and sysfs, mounts, names. Paths are
 * the kernel's, not a user's. These calls may wait: never on a loop.
 */
#ifndef SYS_HOST_H
#define SYS_HOST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

/* Replaces the buffer by the content of the file; the buffer is kept from call to call. More than
 * `max` bytes is ERR_LIMIT, a missing file (or one the kernel was told not to fill) ERR_NOT_FOUND,
 * everything else ERR_IO. */
bool host_read(struct strbuf *b, const char *path, size_t max, struct err *err);
/* Names in a directory, sorted, in the arena. */
bool host_list(const char *path, struct arena *a, str **names, size_t *n, struct err *err);

struct host_fs {
    uint64_t block_bytes, blocks, blocks_free, blocks_avail, files, files_free;
};
/* Asks the file system mounted at `path`; 0 or an errno. May hang for ever on a dead server. */
int host_statfs(const char *path, struct host_fs *fs);

struct host_name {
    str domainname, machine, nodename, release, sysname, version;
};
void host_name(struct arena *a, struct host_name *out);

/* Local time zone at `sec`: seconds east of UTC, and its name in the arena. */
void host_zone(int64_t sec, struct arena *a, int64_t *offset_s, str *name);

/* Soft limits of this process; infinite ones are the largest number. */
uint64_t host_limit_files(void);
uint64_t host_limit_memory_bytes(void);

struct host_units {
    int64_t page_bytes, ticks_per_s;
};
struct host_units host_units(void);

#endif
