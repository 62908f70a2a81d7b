// SPDX-License-Identifier: Apache-2.0
#include "tsdb/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "store/catalog.h"
#include "store/enc.h"
#include "store/wal.h"
#include "tsdb/index.h"
#include "tsdb/record.h"
#include "tsdb/tombstones.h"

enum {
    PIECE_BYTES = 1 << 20,
    PART_HEADER_BYTES = 16,
    WHAT_MAX = 900,
    ATTEMPTS = 16,
    PAGES_BYTES = 4 << 20
};

struct verify {
    verify_fn fn;
    void *arg;
    struct verify_report *out;
    str path; /* of the file at hand */
    struct arena arena;
    struct page_cache *pages; /* of the part at hand */
};

static void find_at(struct verify *v, str path, uint64_t off, const char *what)
{
    v->out->findings++;
    v->fn(v->arg, path, off, what);
}

static void find(struct verify *v, uint64_t off, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void find(struct verify *v, uint64_t off, const char *fmt, ...)
{
    char what[WHAT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    find_at(v, v->path, off, what);
}

static void on_finding(void *arg, str path, uint64_t off, const char *what)
{
    find_at(arg, path, off, what);
}

/* ---- parts ---- */

static void check_section(struct verify *v, struct part *p, const struct part_section *s)
{
    uint8_t *buf MEM_CLEANUP = mem_alloc(PIECE_BYTES);
    struct err err = {0};
    uint32_t crc = 0;
    for (uint64_t off = 0; off < s->n;) {
        size_t n = s->n - off < PIECE_BYTES ? (size_t)(s->n - off) : PIECE_BYTES;
        struct blob_range r = {s->off + off, n, buf};
        if (!blob_read(part_blob(p), &r, 1, &err)) {
            find(v, r.off, "section \"%s\" cannot be read: %s", s->name, err.msg);
            return;
        }
        crc = crc32c(crc, buf, n);
        off += n;
    }
    if (crc != s->crc)
        find(v, s->off, "section \"%s\" of %" PRIu64 " bytes has a wrong checksum", s->name, s->n);
}

static void check_header(struct verify *v, struct part *p)
{
    static const uint8_t want[PART_HEADER_BYTES] = "nunchiPT\1";
    uint8_t head[PART_HEADER_BYTES];
    struct err err = {0};
    struct blob_range r = {0, sizeof head, head};
    if (!blob_read(part_blob(p), &r, 1, &err))
        find(v, 0, "%s", err.msg);
    else if (memcmp(head, want, sizeof head) != 0)
        find(v, 0, "the file does not begin as a part does");
}

static void check_bytes(struct verify *v, struct part *p)
{
    const struct part_section *s;
    size_t n = part_sections(p, &s);
    uint64_t end = PART_HEADER_BYTES;
    check_header(v, p);
    for (size_t i = 0; i < n; i++) {
        if (s[i].off != end)
            find(v, end, "section \"%s\" begins at byte %" PRIu64, s[i].name, s[i].off);
        end = s[i].off + s[i].n;
        check_section(v, p, &s[i]);
    }
    v->out->part_bytes += part_blob(p)->size;
}

struct totals {
    uint64_t samples;
    ts_ms min_t, max_t;
};

static void check_samples(struct verify *v, const struct gather *g, const char *series,
                          struct totals *t)
{
    for (size_t i = 1; i < g->n; i++) {
        if (g->t[i - 1] < g->t[i])
            continue;
        find(v, 0, "%s: time %" PRId64 " does not come after %" PRId64, series, g->t[i],
             g->t[i - 1]);
        break;
    }
    if (!g->n)
        return;
    t->samples += g->n;
    t->min_t = g->t[0] < t->min_t ? g->t[0] : t->min_t;
    t->max_t = g->t[g->n - 1] > t->max_t ? g->t[g->n - 1] : t->max_t;
}

static void check_series(struct verify *v, const struct index *x, uint32_t id,
                         struct strbuf *before, struct totals *t)
{
    struct err err = {0};
    struct strbuf name STRBUF_CLEANUP = {0};
    labels_format(index_labels(x, id, &v->arena), &name);
    struct gather g = gather_of(&v->arena, INT64_MIN, INT64_MAX);
    if (index_read(x, v->pages, &id, 1, &(struct gather *){&g}, &err))
        check_samples(v, &g, name.p, t);
    else
        find(v, 0, "%s: %s", name.p, err.msg);
    if (id > 0 && strcmp(name.p, before->p) == 0)
        find(v, 0, "%s is there twice", name.p);
    strbuf_clear(before);
    strbuf_add(before, strbuf_str(&name));
}

static void check_totals(struct verify *v, const struct part_info *info, const struct totals *t,
                         uint64_t series)
{
    if (series != info->series)
        find(v, 0, "%" PRIu64 " series, but the footer says %" PRIu64, series, info->series);
    if (t->samples != info->samples)
        find(v, 0, "%" PRIu64 " samples, but the footer says %" PRIu64, t->samples, info->samples);
    if (t->samples && (t->min_t != info->min_t || t->max_t != info->max_t))
        find(v, 0,
             "times from %" PRId64 " to %" PRId64 ", but the footer says %" PRId64 " to %" PRId64,
             t->min_t, t->max_t, info->min_t, info->max_t);
}

static void check_index(struct verify *v, struct part *p)
{
    struct err err = {0};
    struct strbuf before STRBUF_CLEANUP = {0};
    struct totals t = {.min_t = INT64_MAX, .max_t = INT64_MIN};
    uint64_t findings = v->out->findings;
    struct index *x = index_load(p, &err);
    if (!x) {
        find(v, 0, "%s", err.msg);
        return;
    }
    size_t n = index_series_n(x);
    if (!index_check_postings(x, &err))
        find(v, 0, "%s", err.msg);
    v->pages = page_cache_new(PAGES_BYTES);
    for (size_t i = 0; i < n; i++) {
        check_series(v, x, (uint32_t)i, &before, &t);
        arena_reset(&v->arena);
    }
    if (v->out->findings == findings)
        check_totals(v, part_info(p), &t, n);
    v->out->series += n;
    v->out->samples += t.samples;
    page_cache_free(v->pages);
    v->pages = NULL;
    index_free(x);
}

void tsdb_verify_part(struct part *p, str path, verify_fn fn, void *arg, struct verify_report *out)
{
    struct verify v = {.fn = fn, .arg = arg, .out = out, .path = path};
    arena_init(&v.arena, 0);
    check_bytes(&v, p);
    check_index(&v, p);
    out->parts++;
    arena_fini(&v.arena);
}

static void check_tombstones(struct verify *v, struct catalog *c, str dir)
{
    struct arena a ARENA_CLEANUP;
    struct err err = {0};
    struct tombstones *t = NULL;
    bytes file;
    arena_init(&a, 0);
    v->path = arena_printf(&a, "%.*s/tombstones", STR_ARG(dir));
    if (catalog_get_file(c, STR("tombstones"), &a, &file, &err))
        t = tombstones_decode(file, &err);
    if (!t && err.kind != ERR_NOT_FOUND)
        find(v, 0, "%s", err.msg);
    if (t)
        tombstones_unref(t);
}

/* ---- WAL ---- */

static bool see_series(void *arg, uint64_t number, struct labels ls)
{
    return true;
}
static bool see_samples(void *arg, const struct record_samples *s)
{
    return true;
}
static bool see_metadata(void *arg, const struct metadata *m)
{
    return true;
}

static bool check_record(void *arg, const struct wal_record *r, struct err *err)
{
    struct verify *v = arg;
    struct record_visitor all = {see_series, see_samples, see_metadata, NULL};
    arena_reset(&v->arena);
    str path = arena_printf(&v->arena, "%.*s/%016" PRIx64 ".wal", STR_ARG(v->path), r->segment);
    char what[WHAT_MAX];
    if (r->type != RECORD_BATCH)
        snprintf(what, sizeof what, "record %" PRIu64 " is of the unknown type %u", r->lsn,
                 r->type);
    else if (!record_decode(r->payload, &v->arena, &all))
        snprintf(what, sizeof what, "record %" PRIu64 " is malformed", r->lsn);
    else
        return true;
    find_at(v, path, 0, what);
    return true;
}

static bool check_wal(struct verify *v, struct env *env, str dir, uint64_t covered, struct err *err)
{
    struct arena names ARENA_CLEANUP;
    struct wal_recovery found;
    arena_init(&names, 0);
    v->path = arena_printf(&names, "%.*s/wal", STR_ARG(dir));
    struct wal_options o = {.env = env, .dir = v->path, .finding = on_finding, .finding_arg = v};
    if (!wal_read(&o, covered, check_record, v, &found, err))
        return false;
    v->out->wal_segments = found.segments;
    v->out->wal_records = found.records;
    v->out->wal_bytes = found.bytes;
    v->out->wal_torn = found.torn_tails;
    return true;
}

static uint64_t count_quarantine(struct env *env, str dir)
{
    struct arena a ARENA_CLEANUP;
    struct err ignored = {0};
    str *names;
    size_t n;
    uint64_t found = 0;
    arena_init(&a, 0);
    str path = arena_printf(&a, "%.*s/quarantine", STR_ARG(dir));
    if (!env->disk->ops->list(env->disk, path, &a, &names, &n, &ignored))
        return 0;
    for (size_t i = 0; i < n; i++)
        found += !str_ends(names[i], STR(".reason"));
    return found;
}

/* Everything once. *moved: a server changed the list of parts meanwhile. */
static bool verify_once(struct env *env, str dir, verify_fn fn, void *arg,
                        struct verify_report *out, bool *moved, struct err *err)
{
    struct verify v = {.fn = fn, .arg = arg, .out = out};
    struct catalog_recovery ignored;
    struct arena names ARENA_CLEANUP;
    struct part *const *parts;
    *out = (struct verify_report){0};
    struct catalog_options o = {.disk = env->disk,
                                .dir = dir,
                                .kind = PART_KIND_METRICS,
                                .read_only = true,
                                .finding = on_finding,
                                .finding_arg = &v};
    struct catalog *c = catalog_open(&o, &ignored, err);
    *moved = !c && err->kind == ERR_NOT_FOUND; /* a part went between its listing and its opening */
    if (!c)
        return false;
    arena_init(&v.arena, 0);
    arena_init(&names, 0);
    size_t n = catalog_parts(c, &parts);
    for (size_t i = 0; i < n; i++)
        tsdb_verify_part(parts[i], part_path(&names, catalog_parts_dir(c), part_info(parts[i])->id),
                         fn, arg, out);
    check_tombstones(&v, c, dir);
    bool ok = check_wal(&v, env, dir, catalog_wal_covered(c), err);
    *moved = catalog_is_outdated(c);
    catalog_close(c);
    arena_fini(&v.arena);
    return ok;
}

/* Findings wait until it is known that no server was changing the list under them. */
struct finding {
    str path, what;
    uint64_t off;
};

struct kept {
    struct arena arena;
    VEC(struct finding) at;
};

static void keep(void *arg, str path, uint64_t off, const char *what)
{
    struct kept *k = arg;
    if (k->at.n < VERIFY_FINDINGS_MAX)
        vec_push(&k->at, (struct finding){arena_dup(&k->arena, path),
                                          arena_dup(&k->arena, str_from_z(what)), off});
}

bool tsdb_verify(struct env *env, str dir, verify_fn fn, void *arg, struct verify_report *out,
                 struct err *err)
{
    struct kept k = {0};
    struct disk_info info;
    bool ok = false, again = true;
    arena_init(&k.arena, 0);
    dir = dir.n ? dir : STR("metrics");
    str parts = arena_printf(&k.arena, "%.*s/parts", STR_ARG(dir));
    if (!env->disk->ops->stat(env->disk, parts, &info, err)) {
        arena_fini(&k.arena);
        return false;
    }
    for (int i = 0; i < ATTEMPTS && again; i++) {
        bool moved;
        vec_clear(&k.at);
        err_clear(err);
        ok = verify_once(env, dir, keep, &k, out, &moved, err);
        /* Files of the WAL become shorter when their segment ends, and go. */
        again = (moved && (!ok || out->findings)) ||
                (!ok && (err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND));
    }
    VEC_EACH (f, &k.at)
        fn(arg, f->path, f->off, f->what.p);
    out->quarantined = count_quarantine(env, dir);
    vec_fini(&k.at);
    arena_fini(&k.arena);
    return ok;
}
