// SPDX-License-Identifier: Apache-2.0
/*
 * Catalog: the durable list of live parts of one engine directory, docs/formats/catalog.md.
 *
 *     DIR/lock  DIR/format  DIR/catalog  DIR/parts/<id>.part  DIR/quarantine/
 *
 * A change (parts added, parts removed, WAL position covered) is one record: all of it or nothing.
 * Opening takes the directory for this process, checks the format version, opens every part's
 * footer, moves unreadable ones to quarantine with a reason, and settles files that the list does
 * not name: a part is taken in again unless the list says that it was removed or a live part says
 * that it replaces it. So a damaged, truncated or lost catalog is rebuilt from the parts alone.
 *
 * One thread changes it at a time (its caller sees to that).
 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include "store/part.h"

struct catalog;

struct catalog_options {
    struct disk *disk;
    str dir;       /* created when missing */
    uint32_t kind; /* PART_KIND_*; parts of another kind are refused */
    uint32_t space;
    /* Looks only: takes no lock and writes, moves and deletes nothing, so it may stand beside the
     * process that has the directory. What opening would settle is settled in memory. */
    bool read_only;
    /* Told of what is damaged or missing: file, offset in it, what is wrong. NULL: only counted. */
    void (*finding)(void *arg, str path, uint64_t off, const char *what);
    void *finding_arg;
    struct blob_cache *cache;                        /* NULL: none; parts are read through it */
    struct blob *(*wrap)(void *arg, struct blob *b); /* tests put a double around each part */
    void *wrap_arg;
};

/* What opening found. */
struct catalog_recovery {
    uint64_t parts, quarantined, adopted, deleted;
    bool rebuilt;     /* the list was damaged or missing */
    struct err first; /* why the first part went to quarantine */
};

struct catalog *catalog_open(const struct catalog_options *o, struct catalog_recovery *report,
                             struct err *err);
void catalog_close(struct catalog *c);
/* Opened read only: the list on disk is no longer the one that was read. */
bool catalog_is_outdated(struct catalog *c);

/* Live parts, in order of wal_from: an earlier one's samples were accepted first. The parts belong
 * to the catalog until they are removed. */
size_t catalog_parts(const struct catalog *c, struct part *const **parts);
/* WAL records below this are in parts (or were deleted on purpose). */
uint64_t catalog_wal_covered(const struct catalog *c);
/* Where part_writer_open puts new ones. */
str catalog_parts_dir(const struct catalog *c);
/* A fresh part id. */
uint64_t catalog_next_id(struct catalog *c);

/* No id that is given from now on is `id` or below. */
void catalog_ids_above(struct catalog *c, uint64_t id);

struct catalog_change {
    const uint64_t *add; /* ids of finished part files */
    size_t add_n;
    const uint64_t *remove;
    size_t remove_n;
    uint64_t wal_covered; /* 0: as it was */
};
/*
 * Makes the change durable. Removed parts leave the list and are handed out in `removed` (room for
 * remove_n); the caller ends with catalog_drop once no reader uses them. On failure the list is as
 * it was, and the added files are gone or will be settled by the next opening. An empty change
 * succeeds when the list can be written.
 */
bool catalog_apply(struct catalog *c, const struct catalog_change *ch, struct part **removed,
                   struct err *err);
/* Closes the part and deletes its file. When that fails it is deleted at the next open. */
void catalog_drop(struct catalog *c, struct part *p);
/*
 * A small file of the engine beside the list: written so that it is there as a whole or as it was,
 * also after a crash. get: ERR_NOT_FOUND when there is none.
 */
bool catalog_put_file(struct catalog *c, str name, bytes content, struct err *err);
bool catalog_get_file(struct catalog *c, str name, struct arena *a, bytes *out, struct err *err);
/* Puts it away with the reason. */
bool catalog_quarantine_file(struct catalog *c, str name, str reason, struct err *err);
/*
 * Makes `dir`, which must not be there, a directory like this one: the parts as hard links, those
 * of the small files `names` that are there as copies, a list of its own, no WAL. What `dir` has
 * after a failure is removed as far as the disk lets us; without its list it is no snapshot. The
 * parts must not be dropped meanwhile. Any thread, besides changes.
 */
bool catalog_snapshot(struct catalog *c, struct part *const *parts, size_t n, uint64_t wal_covered,
                      const str *names, size_t names_n, str dir, struct err *err);
/* Moves `path` to `quarantine`/NAME and writes NAME.reason there. Creates the directory. */
bool quarantine_move(struct disk *d, str path, str quarantine, str reason, struct err *err);

#endif
