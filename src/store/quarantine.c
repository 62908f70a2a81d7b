// SPDX-License-Identifier: Apache-2.0
/* What cannot be read is put away with the reason beside it, never deleted. */
#include "store/catalog.h"

enum { NAMES_MAX = 1000 };

static str base_name(str path)
{
    size_t i = path.n;
    while (i > 0 && path.p[i - 1] != '/')
        i--;
    return str_sub(path, i, path.n);
}

/* A name in the directory that is not taken. */
static str free_name(struct arena *a, struct disk *d, str dir, str name)
{
    str path = {0};
    for (int i = 0; i < NAMES_MAX; i++) {
        struct disk_info info;
        struct err err = {0};
        path = i == 0 ? arena_printf(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name))
                      : arena_printf(a, "%.*s/%.*s.%d", STR_ARG(dir), STR_ARG(name), i);
        if (!d->ops->stat(d, path, &info, &err) && err.kind == ERR_NOT_FOUND)
            break;
    }
    return path;
}

/* The reason helps people; that it cannot be written must not keep the file from being put away. */
static void write_reason(struct arena *a, struct disk *d, str to, str reason)
{
    struct err ignored = {0};
    str path = arena_printf(a, "%.*s.reason", STR_ARG(to));
    struct disk_file *f = d->ops->open(d, path, DISK_WRITE | DISK_CREATE, &ignored);
    if (!f)
        return;
    struct disk_iov iov[] = {{reason.p, reason.n}, {"\n", 1}};
    if (d->ops->write(f, 0, iov, 2, &ignored))
        d->ops->sync(f, &ignored);
    d->ops->close(f);
}

bool quarantine_move(struct disk *d, str path, str quarantine, str reason, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    if (!d->ops->mkdir(d, quarantine, err))
        return false;
    str to = free_name(&a, d, quarantine, base_name(path));
    write_reason(&a, d, to, reason);
    return d->ops->rename(d, path, to, err) && d->ops->sync_dir(d, quarantine, err);
}
