// SPDX-License-Identifier: Apache-2.0
/*
 * The catalog of parts.
 *
 * Opening writes the list anew (temporary name, sync, rename), so a torn tail never grows; a change
 * appends a record. When an append fails nobody knows whether it will be found after a crash. Both
 * are right as long as no file is deleted before the list was rewritten, so then the old list is
 * written anew at once, and if that fails too the new files stay: opening settles them by what
 * their footers say.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/catalog_int.h"
#include "sys/pool.h"
#include "sys/self.h"

enum { FORMAT_VERSION = 1, FILE_BYTES_MAX = 64 << 20 };

struct catalog {
    struct catalog_options o;
    struct disk *disk;
    struct arena arena;
    str dir, parts_dir, quarantine, file_path;
    struct catalog_list list;
    VEC(struct part *) parts;
    struct disk_file *file;
    uint64_t end;
    bool uncertain; /* what the file says is not known */
    uint64_t next_id;
    uint64_t seen; /* read only: hash of the file as it was read */
};

/* Writes a small file of `dir` so that it is there as a whole or as it was. */
static bool replace_file_in(struct disk *d, str dir, str path, bytes content, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    str tmp = arena_printf(&a, "%.*s.tmp", STR_ARG(path));
    struct disk_file *f = d->ops->open(d, tmp, DISK_WRITE | DISK_CREATE, err);
    if (!f)
        return false;
    struct disk_iov iov = {content.p, content.n};
    bool ok =
        d->ops->truncate(f, 0, err) && d->ops->write(f, 0, &iov, 1, err) && d->ops->sync(f, err);
    d->ops->close(f);
    return ok && d->ops->rename(d, tmp, path, err) && d->ops->sync_dir(d, dir, err);
}

static bool replace_file(struct catalog *c, str path, bytes content, struct err *err)
{
    return replace_file_in(c->disk, c->dir, path, content, err);
}

static bool read_file(struct catalog *c, str path, struct arena *a, bytes *out, struct err *err)
{
    struct disk *d = c->disk;
    struct disk_file *f = d->ops->open(d, path, DISK_READ, err);
    uint64_t n;
    if (!f)
        return false;
    bool ok = d->ops->size(f, &n, err);
    if (ok && n > FILE_BYTES_MAX)
        ok = err_set(err, ERR_CORRUPT, "%.*s has %" PRIu64 " bytes", STR_ARG(path), n);
    if (ok) {
        uint8_t *p = arena_alloc(a, n);
        ok = d->ops->read(f, 0, p, n, err);
        *out = (bytes){p, n};
    }
    d->ops->close(f);
    return ok;
}

/* Writes the whole list anew and opens it for appending. */
static bool rewrite(struct catalog *c, struct err *err)
{
    struct enc e = {0};
    catalog_header_encode(&e, c->o.kind, c->o.space);
    struct catalog_change all = {c->list.live.at, c->list.live.n, c->list.removed.at,
                                 c->list.removed.n, c->list.wal_covered};
    catalog_record_encode(&e, &all);
    bool ok = replace_file(c, c->file_path, (bytes){e.p, e.n}, err);
    if (c->file)
        c->disk->ops->close(c->file);
    c->file = ok ? c->disk->ops->open(c->disk, c->file_path, DISK_WRITE, err) : NULL;
    c->end = e.n;
    c->uncertain = !c->file;
    enc_fini(&e);
    return c->file != NULL;
}

/* ---- opening ---- */

static void find(const struct catalog *c, str path, const char *what)
{
    if (c->o.finding)
        c->o.finding(c->o.finding_arg, path, 0, what);
}

static bool check_format(struct catalog *c, struct err *err)
{
    str path = arena_printf(&c->arena, "%.*s/format", STR_ARG(c->dir));
    bytes text;
    int version;
    if (read_file(c, path, &c->arena, &text, err)) {
        str z = arena_dup(&c->arena, str_from_bytes(text));
        if (sscanf(z.p, "nunchi storage %d", &version) == 1) {
            if (version <= FORMAT_VERSION)
                return true;
            return err_set(err, ERR_INVALID,
                           "%.*s was written by a newer nunchi (storage format %d; this one "
                           "reads up to %d)",
                           STR_ARG(c->dir), version, FORMAT_VERSION);
        }
    } else if (err->kind != ERR_NOT_FOUND) {
        return false;
    }
    /* Missing, or damaged: every file tells its own version as well. */
    err_clear(err);
    find(c, path, "missing or damaged");
    if (c->o.read_only)
        return true;
    str now = arena_printf(&c->arena, "nunchi storage %d\n", FORMAT_VERSION);
    return replace_file(c, path, bytes_from_str(now), err);
}

static bool load_list(struct catalog *c, struct catalog_recovery *report, struct err *err)
{
    bytes file;
    bool whole;
    if (!read_file(c, c->file_path, &c->arena, &file, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return false;
        err_clear(err);
        find(c, c->file_path, "missing");
        report->rebuilt = true;
        return true;
    }
    c->seen = hash_bytes(file.p, file.n);
    if (!catalog_decode(file, c->o.kind, c->o.space, &c->list, &whole, err))
        return err_wrap(err, "%.*s", STR_ARG(c->file_path));
    report->rebuilt = !whole;
    if (!whole)
        find(c, c->file_path, "a record has a wrong checksum");
    if (whole || file.n == 0 || c->o.read_only)
        return true;
    return quarantine_move(
        c->disk, c->file_path, c->quarantine,
        STR("a record has a wrong checksum; the list was rebuilt from the parts"), err);
}

static struct part *open_part(struct catalog *c, uint64_t id, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct blob *b = blob_file_open(c->disk, part_path(&a, c->parts_dir, id), err);
    if (!b)
        return NULL;
    if (c->o.wrap)
        b = c->o.wrap(c->o.wrap_arg, b);
    if (c->o.cache)
        b = blob_cached(c->o.cache, b);
    struct part *p = part_open(b, err);
    if (!p)
        return NULL;
    const struct part_info *i = part_info(p);
    if (i->id == id && i->kind == c->o.kind && i->space == c->o.space)
        return p;
    err_set(err, ERR_CORRUPT, "the footer says part %016" PRIx64 ", kind %" PRIu32, i->id, i->kind);
    part_close(p);
    return NULL;
}

static bool put_away(struct catalog *c, uint64_t id, const struct err *why,
                     struct catalog_recovery *report, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    if (report->quarantined++ == 0)
        report->first = *why;
    find(c, part_path(&a, c->parts_dir, id), why->msg);
    if (c->o.read_only)
        return true;
    self_add(SELF_PART_QUARANTINED, 1);
    return quarantine_move(c->disk, part_path(&a, c->parts_dir, id), c->quarantine,
                           str_from_z(why->msg), err);
}

static bool id_of(str name, uint64_t *id)
{
    char z[17], *end;
    if (name.n != 21 || !str_ends(name, STR(".part")))
        return false;
    memcpy(z, name.p, 16);
    z[16] = 0;
    *id = strtoull(z, &end, 16);
    return end == z + 16;
}

static bool delete_file(struct catalog *c, str name, struct err *err)
{
    if (c->o.read_only)
        return true;
    str path = arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(c->parts_dir), STR_ARG(name));
    return c->disk->ops->unlink(c->disk, path, err);
}

/* One file in parts/: a live one, one to take in again, or one to delete. */
static bool settle_file(struct catalog *c, str name, struct catalog_recovery *report,
                        struct err *err)
{
    uint64_t id;
    if (str_ends(name, STR(".part.tmp")))
        return delete_file(c, name, err);
    if (!id_of(name, &id))
        return true;
    if (id > c->list.max_id)
        c->list.max_id = id;
    bool is_live = catalog_list_has(c->list.live.at, c->list.live.n, id);
    if (!is_live && catalog_list_has(c->list.removed.at, c->list.removed.n, id)) {
        report->deleted++;
        return delete_file(c, name, err);
    }
    struct err why = {0};
    struct part *p = open_part(c, id, &why);
    if (p) {
        report->adopted += !is_live;
        vec_push(&c->parts, p);
        return true;
    }
    if (why.kind == ERR_CORRUPT)
        return put_away(c, id, &why, report, err);
    *err = why;
    return err_wrap(err, "opening part %016" PRIx64, id);
}

static bool is_replaced(const struct catalog *c, uint64_t id)
{
    for (size_t i = 0; i < c->parts.n; i++) {
        const struct part_info *info = part_info(c->parts.at[i]);
        if (info->id != id && catalog_list_has(info->replaces, info->replaces_n, id))
            return true;
    }
    return false;
}

/* Deletes the parts that others replaced: what a merge left when it was cut short. */
static bool drop_replaced(struct catalog *c, struct catalog_recovery *report, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    bool *gone = arena_array(&a, bool, c->parts.n + 1);
    for (size_t i = 0; i < c->parts.n; i++)
        gone[i] = is_replaced(c, part_info(c->parts.at[i])->id);
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; i < c->parts.n; i++) {
        struct part *p = c->parts.at[i];
        if (!gone[i]) {
            c->parts.at[n++] = p;
            continue;
        }
        str path = part_path(&a, c->parts_dir, part_info(p)->id);
        part_close(p);
        report->deleted++;
        ok = (c->o.read_only || c->disk->ops->unlink(c->disk, path, err)) && ok;
    }
    c->parts.n = n;
    return ok;
}

static int part_cmp(const void *a, const void *b)
{
    const struct part_info *x = part_info(*(struct part *const *)a);
    const struct part_info *y = part_info(*(struct part *const *)b);
    if (x->wal_from != y->wal_from)
        return x->wal_from < y->wal_from ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static void sort_parts(struct catalog *c)
{
    if (c->parts.n)
        qsort(c->parts.at, c->parts.n, sizeof(struct part *), part_cmp);
    self_set(SELF_TSDB_PARTS, (int64_t)c->parts.n);
}

/* One that is there and unreadable was told of already. */
static void find_missing(struct catalog *c, uint64_t id)
{
    struct err ignored = {0};
    struct disk_info info;
    str path = part_path(&c->arena, c->parts_dir, id);
    if (!c->disk->ops->stat(c->disk, path, &info, &ignored))
        find(c, path, "listed in the catalog, but missing");
}

/* A part that the list names and that is not there any more. */
static void note_missing(struct catalog *c, struct catalog_recovery *report)
{
    for (size_t i = 0; i < c->list.live.n; i++) {
        uint64_t id = c->list.live.at[i];
        bool found = is_replaced(c, id);
        VEC_EACH (p, &c->parts)
            found = found || part_info(*p)->id == id;
        if (!found)
            find_missing(c, id);
        if (!found && report->first.kind == ERR_NONE)
            err_set(&report->first, ERR_CORRUPT, "part %016" PRIx64 " is missing or unreadable",
                    id);
    }
}

/* Makes the list say what is there, so that opening ends with a list that is right. */
static void settle_list(struct catalog *c)
{
    vec_clear(&c->list.live);
    vec_clear(&c->list.removed);
    VEC_EACH (p, &c->parts) {
        const struct part_info *i = part_info(*p);
        vec_push(&c->list.live, i->id);
        if (i->wal_to > c->list.wal_covered)
            c->list.wal_covered = i->wal_to;
        for (size_t k = 0; k < i->replaces_n; k++)
            if (i->replaces[k] > c->list.max_id)
                c->list.max_id = i->replaces[k];
    }
    c->next_id = c->list.max_id + 1;
}

static bool load_parts(struct catalog *c, struct catalog_recovery *report, struct err *err)
{
    str *names;
    size_t n;
    if (!c->disk->ops->list(c->disk, c->parts_dir, &c->arena, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!settle_file(c, names[i], report, err))
            return false;
    note_missing(c, report);
    /* Deletions come after the list is settled in memory and before it is written: a file that is
     * deleted here is either named as removed or replaced by one that is there. */
    if (!drop_replaced(c, report, err) ||
        !(c->o.read_only || c->disk->ops->sync_dir(c->disk, c->parts_dir, err)))
        return false;
    sort_parts(c);
    settle_list(c);
    report->parts = c->parts.n;
    report->rebuilt = report->rebuilt && n > 0;
    return c->o.read_only || rewrite(c, err);
}

static bool make_dirs(struct catalog *c, struct err *err)
{
    struct disk *d = c->disk;
    str lock = arena_printf(&c->arena, "%.*s/lock", STR_ARG(c->dir));
    return d->ops->mkdir(d, c->dir, err) && d->ops->lock(d, lock, err) && check_format(c, err) &&
           d->ops->mkdir(d, c->parts_dir, err) && d->ops->mkdir(d, c->quarantine, err) &&
           d->ops->sync_dir(d, c->dir, err) && d->ops->sync_dir(d, STR("."), err);
}

struct catalog *catalog_open(const struct catalog_options *o, struct catalog_recovery *report,
                             struct err *err)
{
    struct catalog *c = mem_new(struct catalog);
    arena_init(&c->arena, 0);
    *report = (struct catalog_recovery){0};
    c->o = *o;
    c->disk = o->disk;
    c->dir = arena_dup(&c->arena, o->dir);
    c->parts_dir = arena_printf(&c->arena, "%.*s/parts", STR_ARG(o->dir));
    c->quarantine = arena_printf(&c->arena, "%.*s/quarantine", STR_ARG(o->dir));
    c->file_path = arena_printf(&c->arena, "%.*s/catalog", STR_ARG(o->dir));
    bool ready = c->o.read_only ? check_format(c, err) : make_dirs(c, err);
    if (ready && load_list(c, report, err) && load_parts(c, report, err))
        return c;
    catalog_close(c);
    return NULL;
}

bool catalog_is_outdated(struct catalog *c)
{
    struct arena a ARENA_CLEANUP;
    struct err ignored = {0};
    bytes file = {0};
    arena_init(&a, 0);
    uint64_t now = read_file(c, c->file_path, &a, &file, &ignored) ? hash_bytes(file.p, file.n) : 0;
    return now != c->seen;
}

void catalog_close(struct catalog *c)
{
    VEC_EACH (p, &c->parts)
        part_close(*p);
    vec_fini(&c->parts);
    if (c->file)
        c->disk->ops->close(c->file);
    catalog_list_fini(&c->list);
    arena_fini(&c->arena);
    free(c);
}

/* ---- the list ---- */

size_t catalog_parts(const struct catalog *c, struct part *const **parts)
{
    *parts = c->parts.at;
    return c->parts.n;
}

uint64_t catalog_wal_covered(const struct catalog *c)
{
    return c->list.wal_covered;
}

uint64_t catalog_next_id(struct catalog *c)
{
    return c->next_id++;
}

void catalog_ids_above(struct catalog *c, uint64_t id)
{
    if (id >= c->next_id)
        c->next_id = id + 1;
}

str catalog_parts_dir(const struct catalog *c)
{
    return c->parts_dir;
}

static bool append(struct catalog *c, const struct catalog_change *ch, struct err *err)
{
    struct enc e = {0};
    catalog_record_encode(&e, ch);
    struct disk_iov iov = {e.p, e.n};
    pool_block_begin();
    bool ok =
        c->disk->ops->write(c->file, c->end, &iov, 1, err) && c->disk->ops->sync(c->file, err);
    pool_block_end();
    if (ok)
        c->end += e.n;
    enc_fini(&e);
    return ok;
}

/* After a failed append: back to the old list, or leave everything as it is. */
static void take_back(struct catalog *c, const struct catalog_change *ch)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err ignored = {0};
    c->uncertain = true;
    if (!rewrite(c, &ignored))
        return;
    for (size_t i = 0; i < ch->add_n; i++)
        c->disk->ops->unlink(c->disk, part_path(&a, c->parts_dir, ch->add[i]), &ignored);
}

/* Moves the parts named in ch->remove from the table to `removed`. */
static void move_removed(struct catalog *c, const struct catalog_change *ch, struct part **removed)
{
    size_t n = 0, out = 0;
    for (size_t i = 0; i < c->parts.n; i++) {
        struct part *p = c->parts.at[i];
        if (catalog_list_has(ch->remove, ch->remove_n, part_info(p)->id))
            removed[out++] = p;
        else
            c->parts.at[n++] = p;
    }
    c->parts.n = n;
}

bool catalog_apply(struct catalog *c, const struct catalog_change *ch, struct part **removed,
                   struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct part **added = arena_array(&a, struct part *, ch->add_n + 1);
    if (c->uncertain && !rewrite(c, err))
        return false;
    size_t opened = 0;
    while (opened < ch->add_n && (added[opened] = open_part(c, ch->add[opened], err)))
        opened++;
    bool is_empty = !ch->add_n && !ch->remove_n && !ch->wal_covered;
    if (opened < ch->add_n || !(is_empty || append(c, ch, err))) {
        while (opened > 0)
            part_close(added[--opened]);
        take_back(c, ch);
        return false;
    }
    catalog_list_apply(&c->list, ch);
    move_removed(c, ch, removed);
    for (size_t i = 0; i < ch->add_n; i++)
        vec_push(&c->parts, added[i]);
    sort_parts(c);
    return true;
}

void catalog_drop(struct catalog *c, struct part *p)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err ignored = {0};
    str path = part_path(&a, c->parts_dir, part_info(p)->id);
    part_close(p);
    c->disk->ops->unlink(c->disk, path, &ignored);
}

/* ---- files beside the list, snapshots ---- */

bool catalog_put_file(struct catalog *c, str name, bytes content, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    return replace_file(c, arena_printf(&a, "%.*s/%.*s", STR_ARG(c->dir), STR_ARG(name)), content,
                        err);
}

bool catalog_get_file(struct catalog *c, str name, struct arena *a, bytes *out, struct err *err)
{
    return read_file(c, arena_printf(a, "%.*s/%.*s", STR_ARG(c->dir), STR_ARG(name)), a, out, err);
}

bool catalog_quarantine_file(struct catalog *c, str name, str reason, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    str path = arena_printf(&a, "%.*s/%.*s", STR_ARG(c->dir), STR_ARG(name));
    find(c, path, reason.p);
    return c->o.read_only || quarantine_move(c->disk, path, c->quarantine, reason, err);
}

static bool link_parts(struct catalog *c, struct part *const *parts, size_t n, str dir,
                       struct err *err)
{
    struct disk *d = c->disk;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    str to = arena_printf(&a, "%.*s/parts", STR_ARG(dir));
    if (!d->ops->mkdir(d, to, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t id = part_info(parts[i])->id;
        if (!d->ops->link(d, part_path(&a, c->parts_dir, id), part_path(&a, to, id), err))
            return false;
    }
    return d->ops->sync_dir(d, to, err);
}

static bool copy_files(struct catalog *c, const str *names, size_t n, str dir, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        str to = arena_printf(&a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(names[i]));
        if (catalog_get_file(c, names[i], &a, &content, err)) {
            if (!replace_file_in(c->disk, dir, to, content, err))
                return false;
        } else if (err->kind != ERR_NOT_FOUND) {
            return false;
        }
        err_clear(err);
    }
    return true;
}

static bool write_lists(struct catalog *c, struct part *const *parts, size_t n,
                        uint64_t wal_covered, str dir, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    struct enc e = {0};
    arena_init(&a, 0);
    uint64_t *ids = arena_array(&a, uint64_t, n + 1);
    for (size_t i = 0; i < n; i++)
        ids[i] = part_info(parts[i])->id;
    struct catalog_change all = {.add = ids, .add_n = n, .wal_covered = wal_covered};
    catalog_header_encode(&e, c->o.kind, c->o.space);
    catalog_record_encode(&e, &all);
    str format = arena_printf(&a, "nunchi storage %d\n", FORMAT_VERSION);
    bool ok = replace_file_in(c->disk, dir, arena_printf(&a, "%.*s/format", STR_ARG(dir)),
                              bytes_from_str(format), err) &&
              replace_file_in(c->disk, dir, arena_printf(&a, "%.*s/catalog", STR_ARG(dir)),
                              (bytes){e.p, e.n}, err);
    enc_fini(&e);
    return ok;
}

/* Files and directories below, two levels; what cannot be removed stays. */
static void remove_snapshot(struct disk *d, str dir)
{
    struct arena a ARENA_CLEANUP;
    struct err ignored = {0};
    arena_init(&a, 0);
    str dirs[] = {arena_printf(&a, "%.*s/parts", STR_ARG(dir)), dir};
    for (size_t k = 0; k < 2; k++) {
        str *names;
        size_t n;
        if (!d->ops->list(d, dirs[k], &a, &names, &n, &ignored))
            continue;
        for (size_t i = 0; i < n; i++)
            d->ops->unlink(d, arena_printf(&a, "%.*s/%.*s", STR_ARG(dirs[k]), STR_ARG(names[i])),
                           &ignored);
        d->ops->rmdir(d, dirs[k], &ignored);
    }
}

/* Directories above `dir` are made, and their names synced. */
static bool make_dir(struct disk *d, str dir, struct err *err)
{
    struct disk_info info;
    struct err missing = {0};
    if (d->ops->stat(d, dir, &info, &missing))
        return err_set(err, ERR_EXISTS, "%.*s is there already", STR_ARG(dir));
    str above = STR(".");
    for (size_t i = 0; i <= dir.n; i++) {
        if (i < dir.n && dir.p[i] != '/')
            continue;
        str here = str_sub(dir, 0, i);
        if (!d->ops->mkdir(d, here, err) || !d->ops->sync_dir(d, above, err))
            return false;
        above = here;
    }
    return true;
}

bool catalog_snapshot(struct catalog *c, struct part *const *parts, size_t n, uint64_t wal_covered,
                      const str *names, size_t names_n, str dir, struct err *err)
{
    if (!make_dir(c->disk, dir, err))
        return false;
    if (link_parts(c, parts, n, dir, err) && copy_files(c, names, names_n, dir, err) &&
        write_lists(c, parts, n, wal_covered, dir, err))
        return true;
    remove_snapshot(c->disk, dir);
    return err_wrap(err, "making the snapshot %.*s", STR_ARG(dir));
}
