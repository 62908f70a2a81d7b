// SPDX-License-Identifier: Apache-2.0
/*
 * SQLite's files on `struct disk`.
 *
 * - No locks and no shared memory: the process owns the directory and opens the file once.
 * - SQLite wants to read past the end and get zeros; the disk calls that damage. So the size of
 * each file is kept here, as we are its only writer, and asked for again after a failure.
 * - A file that we made exists for good only after its directory was synced too: done with its
 * first sync.
 * - After a failed sync nothing is written any more: the pages it was to save may be gone while
 * reads still show them.
 */
#include <stdio.h>

#include "base/mem.h"
#include "store/state_int.h"

struct vfs_file {
    sqlite3_file base;
    struct state_vfs *vfs;
    struct disk_file *file;
    uint64_t size;
    bool size_known;
    bool sync_dir; /* made by us, its name is not safe yet */
};

enum { PATH_BYTES_MAX = 512, SECTOR_BYTES = 4096 };

static struct vfs_file *file_of(sqlite3_file *f)
{
    return (struct vfs_file *)(void *)f;
}

static const struct disk_ops *ops(const struct state_vfs *v)
{
    return v->env->disk->ops;
}

/* SQLite's code for the failure, which is kept for the message. */
static int failed(struct state_vfs *v, const struct err *err, int code)
{
    v->last = *err;
    return err->kind == ERR_NO_SPACE ? SQLITE_FULL : code;
}

static int file_close(sqlite3_file *base)
{
    struct vfs_file *f = file_of(base);
    ops(f->vfs)->close(f->file);
    return SQLITE_OK;
}

static int know_size(struct vfs_file *f, int code)
{
    struct err err;
    if (!f->size_known && !ops(f->vfs)->size(f->file, &f->size, &err))
        return failed(f->vfs, &err, code);
    f->size_known = true;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int n, sqlite3_int64 offset)
{
    struct vfs_file *f = file_of(base);
    uint64_t off = (uint64_t)offset, want = (uint64_t)n;
    int rc = know_size(f, SQLITE_IOERR_READ);
    if (rc != SQLITE_OK)
        return rc;
    uint64_t there = off >= f->size ? 0 : f->size - off;
    size_t take = (size_t)(there < want ? there : want);
    struct err err;
    if (take && !ops(f->vfs)->read(f->file, off, to, take, &err))
        return failed(f->vfs, &err, SQLITE_IOERR_READ);
    if (take == want)
        return SQLITE_OK;
    memset((char *)to + take, 0, (size_t)want - take);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 offset)
{
    struct vfs_file *f = file_of(base);
    if (f->vfs->sync_failed)
        return SQLITE_IOERR_WRITE;
    int rc = know_size(f, SQLITE_IOERR_WRITE);
    if (rc != SQLITE_OK)
        return rc;
    struct disk_iov iov = {from, (size_t)n};
    struct err err;
    if (!ops(f->vfs)->write(f->file, (uint64_t)offset, &iov, 1, &err)) {
        f->size_known = false;
        return failed(f->vfs, &err, SQLITE_IOERR_WRITE);
    }
    uint64_t end = (uint64_t)offset + (uint64_t)n;
    f->size = end > f->size ? end : f->size;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct vfs_file *f = file_of(base);
    struct err err;
    if (f->vfs->sync_failed)
        return SQLITE_IOERR_TRUNCATE;
    if (!ops(f->vfs)->truncate(f->file, (uint64_t)size, &err)) {
        f->size_known = false;
        return failed(f->vfs, &err, SQLITE_IOERR_TRUNCATE);
    }
    f->size = (uint64_t)size;
    f->size_known = true;
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct vfs_file *f = file_of(base);
    struct state_vfs *v = f->vfs;
    struct err err;
    if (v->sync_failed)
        return SQLITE_IOERR_FSYNC;
    if (!ops(v)->sync(f->file, &err) ||
        (f->sync_dir && !ops(v)->sync_dir(v->env->disk, v->dir, &err))) {
        v->sync_failed = true;
        return failed(v, &err, SQLITE_IOERR_FSYNC);
    }
    f->sync_dir = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct vfs_file *f = file_of(base);
    int rc = know_size(f, SQLITE_IOERR_FSTAT);
    if (rc == SQLITE_OK)
        *size = (sqlite3_int64)f->size;
    return rc;
}

static int file_lock(sqlite3_file *base, int level)
{
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *out)
{
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
    return SECTOR_BYTES;
}

static int file_device(sqlite3_file *base)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: without shared memory and without mapped reads. */
static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
};

static struct state_vfs *vfs_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

/* Temporary files have no name; they are kept in memory (temp_store) and refused here. */
static int vfs_open(sqlite3_vfs *base, const char *name, sqlite3_file *out, int flags,
                    int *out_flags)
{
    struct state_vfs *v = vfs_of(base);
    struct vfs_file *f = file_of(out);
    *f = (struct vfs_file){.vfs = v};
    if (!name)
        return SQLITE_CANTOPEN;
    struct disk_info info;
    struct err err;
    bool there = ops(v)->stat(v->env->disk, str_from_z(name), &info, &err);
    if (!there && err.kind != ERR_NOT_FOUND)
        return failed(v, &err, SQLITE_CANTOPEN);
    int mode = DISK_READ | DISK_WRITE | (flags & SQLITE_OPEN_CREATE ? DISK_CREATE : 0);
    f->file = ops(v)->open(v->env->disk, str_from_z(name), mode, &err);
    if (!f->file)
        return failed(v, &err, SQLITE_CANTOPEN);
    f->sync_dir = !there;
    f->base.pMethods = &file_methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_dir)
{
    struct state_vfs *v = vfs_of(base);
    struct err err;
    if (v->sync_failed)
        return SQLITE_IOERR_DELETE;
    if (!ops(v)->unlink(v->env->disk, str_from_z(name), &err)) {
        if (err.kind == ERR_NOT_FOUND)
            return SQLITE_IOERR_DELETE_NOENT;
        return failed(v, &err, SQLITE_IOERR_DELETE);
    }
    if (sync_dir && !ops(v)->sync_dir(v->env->disk, v->dir, &err))
        return failed(v, &err, SQLITE_IOERR_DIR_FSYNC);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
    struct state_vfs *v = vfs_of(base);
    struct disk_info info;
    struct err err;
    *out = ops(v)->stat(v->env->disk, str_from_z(name), &info, &err);
    if (!*out && err.kind != ERR_NOT_FOUND)
        return failed(v, &err, SQLITE_IOERR_ACCESS);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *base, const char *name, int n, char *out)
{
    return snprintf(out, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *base, int n, char *out)
{
    struct entropy *e = vfs_of(base)->env->entropy;
    e->fill(e, out, (size_t)n);
    return n;
}

/* Asked for only where a lock is waited for, and there are none. */
static int vfs_sleep(sqlite3_vfs *base, int us)
{
    return us;
}

static int vfs_now(sqlite3_vfs *base, sqlite3_int64 *out)
{
    const int64_t unix_epoch_ms = 210866760000000; /* in milliseconds of the Julian calendar */
    *out = unix_epoch_ms + env_now_ms(vfs_of(base)->env);
    return SQLITE_OK;
}

static int vfs_now_days(sqlite3_vfs *base, double *out)
{
    sqlite3_int64 ms;
    vfs_now(base, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int n, char *out)
{
    return 0;
}

bool state_vfs_init(struct state_vfs *v, const struct env *env, str dir, struct err *err)
{
    *v = (struct state_vfs){.env = env, .dir = dir};
    snprintf(v->name, sizeof v->name, "disk-%p", (void *)v);
    v->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = PATH_BYTES_MAX,
        .zName = v->name,
        .pAppData = v,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_now_days,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_now,
    };
    if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK)
        return err_set(err, ERR_INTERNAL, "cannot register the state's file layer");
    return true;
}

void state_vfs_fini(struct state_vfs *v)
{
    sqlite3_vfs_unregister(&v->base);
}
