// SPDX-License-Identifier: Apache-2.0
/*
 * Scrubbing: all bytes of all parts are read and their checksums tested once in a period, a piece
 * at a time, so that damage is found while there is a snapshot or another copy to repair it from. A
 * part whose index is damaged goes to quarantine at the next tick; of others the damaged pages are
 * named, and reads of their series fail as long as they are there.
 *
 * Where it was is not remembered over a restart: it begins at a part drawn by lot, so that what is
 * restarted often is read as well.
 */
#include <inttypes.h>

#include "base/hash.h"
#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/tsdb_int.h"

enum { PIECE_BYTES = 1 << 20 };
#define PERIOD_MS (7 * 24 * 3600 * 1000LL)

/* The live part with the smallest number that is `from` or above; NULL: none. */
static struct tpart *part_from(const struct tsdb *db, uint64_t from)
{
    struct tpart *best = NULL;
    for (size_t i = 0; i < db->parts->n; i++) {
        struct tpart *p = db->parts->at[i];
        uint64_t id = part_info(p->part)->id;
        if (id >= from && (!best || id < part_info(best->part)->id))
            best = p;
    }
    return best;
}

static void draw_first(struct tsdb *db)
{
    uint64_t lot;
    db->env->entropy->fill(db->env->entropy, &lot, sizeof lot);
    db->scrub = (struct scrub){.started = true,
                               .part = part_info(db->parts->at[lot % db->parts->n]->part)->id};
}

/* The part at hand, or the next one, from its beginning. */
static struct tpart *current(struct tsdb *db)
{
    struct scrub *s = &db->scrub;
    if (!s->started)
        draw_first(db);
    struct tpart *p = part_from(db, s->part);
    if (!p) {
        self_add(SELF_TSDB_SCRUB_PASSES, 1);
        p = part_from(db, 0);
    }
    uint64_t id = part_info(p->part)->id;
    if (id != s->part)
        *s = (struct scrub){.started = true, .part = id};
    return p;
}

static uint64_t total_bytes(const struct tsdb *db)
{
    uint64_t n = 0;
    for (size_t i = 0; i < db->parts->n; i++)
        n += part_blob(db->parts->at[i]->part)->size;
    return n;
}

static bool is_due(struct tsdb *db)
{
    int64_t now = env_mono_ns(db->env);
    if (db->o.scrub_period_ms < 0 || db->parts->n == 0)
        return false;
    if (!db->scrub.started)
        db->scrub_paid_ns = now;
    return db->scrub_paid_ns <= now;
}

/* The bytes' share of the period goes by before the next piece. */
static void pay(struct tsdb *db, uint64_t size)
{
    double period = (double)(db->o.scrub_period_ms ? db->o.scrub_period_ms : PERIOD_MS) * 1e6;
    uint64_t total = total_bytes(db);
    if (total)
        db->scrub_paid_ns = env_mono_ns(db->env) + (int64_t)(period * (double)size / (double)total);
    self_add(SELF_TSDB_SCRUBBED_BYTES, (int64_t)size);
}

/* ---- damage ---- */

static bool is_index(const char *section)
{
    static const char *const names[] = {"symbols", "series", "blocks", "metadata"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(section, names[i]) == 0)
            return true;
    return false;
}

/* Names the first damaged page and counts all. */
static bool name_pages(struct tpart *p, struct err *err)
{
    struct err ignored = {0}, first = {0};
    struct index_ref *r = tpart_index(p, &first);
    size_t n = r ? index_pages_n(r->x) : 0, bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t size;
        err_clear(&ignored);
        if (!index_check_page(r->x, i, &size, &ignored) && bad++ == 0)
            first = ignored;
        pool_yield();
    }
    index_ref_put(r);
    self_add(SELF_TSDB_SCRUB_DAMAGED, bad ? (int64_t)bad : 1);
    if (first.kind == ERR_NONE)
        return true;
    *err = first;
    return err_wrap(err, "scrubbing found %zu damaged pages; the first", bad);
}

static bool found_damage(struct tpart *p, const struct part_section *s, struct err *err)
{
    uint64_t id = part_info(p->part)->id;
    if (p->damaged || p->bad)
        return true; /* told already */
    if (is_index(s->name)) {
        self_add(SELF_TSDB_SCRUB_DAMAGED, 1);
        err_set(err, ERR_CORRUPT,
                "scrubbing: section \"%s\" of part %016" PRIx64 " has a wrong checksum", s->name,
                id);
        tpart_bad(p, err);
        return false;
    }
    tpart_damaged(p);
    if (strcmp(s->name, "values") == 0 || strcmp(s->name, "times") == 0) {
        if (!name_pages(p, err))
            return false;
    } else {
        self_add(SELF_TSDB_SCRUB_DAMAGED, 1);
    }
    return err_set(err, ERR_CORRUPT,
                   "scrubbing: section \"%s\" of part %016" PRIx64 " has a wrong checksum", s->name,
                   id);
}

/* ---- a piece ---- */

static bool read_piece(struct tsdb *db, struct tpart *p, struct err *err)
{
    struct scrub *at = &db->scrub;
    const struct part_section *sections;
    size_t n = part_sections(p->part, &sections);
    if (at->section >= n) {
        at->part++;
        return true;
    }
    const struct part_section *s = &sections[at->section];
    size_t size = s->n - at->off < PIECE_BYTES ? (size_t)(s->n - at->off) : PIECE_BYTES;
    uint8_t *buf MEM_CLEANUP = mem_alloc(size + 1);
    struct blob_range r = {s->off + at->off, size, buf};
    pay(db, size);
    if (size && !blob_read(part_blob(p->part), &r, 1, err)) {
        at->part++; /* it is tried again with the next pass */
        return err_wrap(err, "scrubbing part %016" PRIx64, part_info(p->part)->id);
    }
    at->crc = crc32c(at->crc, buf, size);
    at->off += size;
    if (at->off < s->n)
        return true;
    bool right = at->crc == s->crc;
    at->section++;
    at->off = 0;
    at->crc = 0;
    return right || found_damage(p, s, err);
}

bool db_scrub(struct tsdb *db, bool *did, struct err *err)
{
    *did = is_due(db);
    return !*did || read_piece(db, current(db), err);
}
