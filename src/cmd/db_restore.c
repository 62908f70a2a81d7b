// SPDX-License-Identifier: Apache-2.0
/*
 * `nunchi db restore`: a storage directory from a snapshot. The snapshot is verified, copied to a
 * directory under a temporary name, the copy is verified and then gets its name: so DIR is whole or
 * not there. What an interrupted restore left is removed by the next one.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cmd/db_int.h"
#include "sys/file.h"
#include "tsdb/verify.h"

#define TEMPORARY STR("metrics.restoring")

enum { PIECE_BYTES = 1 << 20, DEPTH_MAX = 8 };

struct copy {
    struct disk *from, *to;
    struct arena arena;
    struct db_progress progress;
    uint64_t files, bytes;
};

static bool copy_bytes(struct copy *c, struct disk_file *from, struct disk_file *to,
                       struct err *err)
{
    uint8_t *buf MEM_CLEANUP = mem_alloc(PIECE_BYTES);
    uint64_t size;
    char count[DB_COUNT_MAX];
    if (!c->from->ops->size(from, &size, err))
        return false;
    for (uint64_t off = 0; off < size;) {
        size_t n = size - off < PIECE_BYTES ? (size_t)(size - off) : PIECE_BYTES;
        struct disk_iov iov = {buf, n};
        if (!c->from->ops->read(from, off, buf, n, err) ||
            !c->to->ops->write(to, off, &iov, 1, err))
            return false;
        off += n;
        c->bytes += n;
        db_progress_say(&c->progress, "%s bytes copied", db_count(c->bytes, count));
    }
    c->files++;
    return c->to->ops->sync(to, err);
}

static bool copy_file(struct copy *c, str from, str to, struct err *err)
{
    struct disk_file *f = c->from->ops->open(c->from, from, DISK_READ, err);
    struct disk_file *t =
        f ? c->to->ops->open(c->to, to, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, err) : NULL;
    bool ok = t && copy_bytes(c, f, t, err);
    if (t)
        c->to->ops->close(t);
    if (f)
        c->from->ops->close(f);
    return ok;
}

/* What belongs to a process, or was put away as unreadable, stays behind. */
static bool is_left(str name)
{
    return str_eqz(name, "lock") || str_eqz(name, "quarantine");
}

static bool copy_dir(struct copy *c, str from, str to, int depth, struct err *err)
{
    str *names;
    size_t n;
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%.*s: directories are nested too deep", STR_ARG(from));
    if (!c->to->ops->mkdir(c->to, to, err) ||
        !c->from->ops->list(c->from, from, &c->arena, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct disk_info info;
        str f = arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(from), STR_ARG(names[i]));
        str t = arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(to), STR_ARG(names[i]));
        if (depth == 0 && is_left(names[i]))
            continue;
        if (!c->from->ops->stat(c->from, f, &info, err))
            return false;
        if (!(info.is_dir ? copy_dir(c, f, t, depth + 1, err) : copy_file(c, f, t, err)))
            return false;
    }
    return c->to->ops->sync_dir(c->to, to, err);
}

static bool remove_dir(struct disk *d, str path, struct arena *a, int depth, struct err *err)
{
    str *names;
    size_t n;
    if (depth > DEPTH_MAX || !d->ops->list(d, path, a, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct disk_info info;
        str p = arena_printf(a, "%.*s/%.*s", STR_ARG(path), STR_ARG(names[i]));
        if (!d->ops->stat(d, p, &info, err) ||
            !(info.is_dir ? remove_dir(d, p, a, depth + 1, err) : d->ops->unlink(d, p, err)))
            return false;
    }
    return d->ops->rmdir(d, path, err);
}

/* Empty, but for what an earlier restore left. */
static bool make_empty(struct copy *c, const char *dir, struct err *err)
{
    str *names;
    size_t n;
    if (!c->to->ops->list(c->to, STR("."), &c->arena, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(names[i], TEMPORARY))
            return err_set(err, ERR_EXISTS, "%s is not empty: it has %.*s", dir, STR_ARG(names[i]));
    return n == 0 || remove_dir(c->to, TEMPORARY, &c->arena, 0, err);
}

static void say_finding(void *arg, str path, uint64_t off, const char *what)
{
    fprintf(stderr, "%s: %.*s, byte %" PRIu64 ": %s\n", (const char *)arg, STR_ARG(path), off,
            what);
}

static bool verify(struct disk *d, str dir, char *name, struct verify_report *r, struct err *err)
{
    struct env env = {clock_system(), d, entropy_system()};
    if (!tsdb_verify(&env, dir, say_finding, name, r, err))
        return false;
    if (!r->findings)
        return true;
    return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " findings, nothing was restored", name,
                   r->findings);
}

static bool restore(struct db_place *from, char **args, struct err *err)
{
    struct copy c = {.from = from->env.disk};
    struct verify_report before, after;
    char samples[DB_COUNT_MAX], size[DB_COUNT_MAX];
    c.to = disk_system_open(args[1], err);
    if (!c.to)
        return false;
    arena_init(&c.arena, 0);
    bool ok = make_empty(&c, args[1], err) && verify(c.from, from->dir, args[0], &before, err) &&
              copy_dir(&c, from->dir, TEMPORARY, 0, err);
    db_progress_end(&c.progress);
    ok = ok && verify(c.to, TEMPORARY, args[1], &after, err);
    if (ok && (after.samples != before.samples || after.wal_records != before.wal_records))
        ok = err_set(err, ERR_UNAVAILABLE, "%s changed while it was copied", args[0]);
    ok = ok && c.to->ops->rename(c.to, TEMPORARY, STR("metrics"), err) &&
         c.to->ops->sync_dir(c.to, STR("."), err);
    if (ok)
        printf("restored %s samples in %" PRIu64 " parts and %" PRIu64
               " records of the WAL: %" PRIu64 " files, %s bytes\n",
               db_count(after.samples, samples), after.parts, after.wal_records, c.files,
               db_count(c.bytes, size));
    arena_fini(&c.arena);
    disk_system_close(c.to);
    return ok;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    struct err err;
    arena_init(&a, 0);
    if (!db_args(self, args, args_n, 2, &err) || !db_place_open(args[0], false, &a, &place, &err) ||
        !restore(&place, args, &err))
        return cmd_fail(&err);
    return 0;
}

const struct command cmd_db_restore = {
    .name = "db restore",
    .args = "SNAPSHOT DIR",
    .summary = "make a storage directory from a snapshot",
    .text =
        "Verifies the snapshot, copies it and verifies the copy. DIR must be missing or empty; "
        "afterwards a\nserver takes it as --storage.path. SNAPSHOT may also be the directory of a "
        "server that is stopped.",
    .run = run,
};
