// SPDX-License-Identifier: Apache-2.0
/*
 * The outside world as values: clock, disk and entropy behind small tables of functions, so that
 * the same code runs on the system (`env_system`) and in simulation (sys/sim). Nothing outside sys/
 * calls the system for these.
 */
#ifndef SYS_ENV_H
#define SYS_ENV_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct clock {
    /* Wall clock, Unix milliseconds. */
    ts_ms (*now_ms)(struct clock *c);
    /* Steady clock for durations and deadlines, nanoseconds since an arbitrary moment. */
    int64_t (*mono_ns)(struct clock *c);
};

struct disk_file; /* an open file; one owner, positional reads from any thread */

enum disk_open_flags {
    DISK_READ = 1,
    DISK_WRITE = 2,
    DISK_CREATE = 4,    /* create when missing */
    DISK_EXCLUSIVE = 8, /* with CREATE: fail with ERR_EXISTS when it is there */
};

struct disk_info {
    uint64_t size_bytes;
    bool is_dir;
};

struct disk_iov {
    const void *p;
    size_t n;
};

/*
 * Files below one root directory; paths are relative to it, with '/' between plain names, "." being
 * the root itself. "..", absolute paths and the like are ERR_INVALID, links that lead outside
 * ERR_DENIED. ENOSPC and EDQUOT give ERR_NO_SPACE, a missing name ERR_NOT_FOUND, one that must not
 * be there ERR_EXISTS, everything else ERR_IO. Thread-safe, except that one file has one writer.
 */
struct disk {
    const struct disk_ops *ops;
};

struct disk_ops {
    struct disk_file *(*open)(struct disk *d, str path, int flags, struct err *err);
    void (*close)(struct disk_file *f);
    /* Reads exactly n bytes or fails; a file that ends before is ERR_CORRUPT. */
    bool (*read)(struct disk_file *f, uint64_t off, void *buf, size_t n, struct err *err);
    /* Writes all of it at `off` or fails (and then any prefix of it may be there). */
    bool (*write)(struct disk_file *f, uint64_t off, const struct disk_iov *iov, size_t iov_n,
                  struct err *err);
    /* Data (and the size, when it changed) is on stable storage afterwards. After a failure nothing
     * is known about what was written since the last success: never retried. */
    bool (*sync)(struct disk_file *f, struct err *err);
    /* Reserves blocks, extends the size with zeros. Not supported by the file system: no error. */
    bool (*allocate)(struct disk_file *f, uint64_t size, struct err *err);
    bool (*truncate)(struct disk_file *f, uint64_t size, struct err *err);
    bool (*size)(struct disk_file *f, uint64_t *size, struct err *err);
    bool (*rename)(struct disk *d, str from, str to, struct err *err);
    bool (*link)(struct disk *d, str from, str to, struct err *err);
    bool (*unlink)(struct disk *d, str path, struct err *err);
    bool (*mkdir)(struct disk *d, str path, struct err *err); /* no error when it is there */
    bool (*rmdir)(struct disk *d, str path, struct err *err); /* empty ones only */
    /* Names created, renamed or removed in the directory are on stable storage afterwards. */
    bool (*sync_dir)(struct disk *d, str path, struct err *err);
    bool (*stat)(struct disk *d, str path, struct disk_info *info, struct err *err);
    /* Names in a directory, sorted, in the arena. */
    bool (*list)(struct disk *d, str path, struct arena *a, str **names, size_t *n,
                 struct err *err);
    /* Bytes free for us on this file system. */
    bool (*free_bytes)(struct disk *d, uint64_t *out, struct err *err);
    /* Takes the directory for this process by the lock file `path`, made when missing, until the
     * disk is closed; ERR_EXISTS with the holder's pid when it is taken. */
    bool (*lock)(struct disk *d, str path, struct err *err);
};

struct entropy {
    void (*fill)(struct entropy *e, void *p, size_t n);
};

struct env {
    struct clock *clock;
    struct disk *disk; /* the storage directory; NULL where nothing is stored */
    struct entropy *entropy;
};

static inline ts_ms env_now_ms(const struct env *e)
{
    return e->clock->now_ms(e->clock);
}
static inline int64_t env_mono_ns(const struct env *e)
{
    return e->clock->mono_ns(e->clock);
}

struct clock *clock_system(void);
struct entropy *entropy_system(void);
/* Opens `root` (created with mode 0750 when missing, its parents too). */
struct disk *disk_system_open(const char *root, struct err *err);
void disk_system_close(struct disk *d);

#endif
