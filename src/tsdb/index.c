// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the sections of a part. Loading walks every section once and keeps tables of places; what
 * it checked there is safe to use afterwards (symbol numbers, lengths, ids below the count).
 */
#include "tsdb/index.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/block.h"

struct plist {
    uint32_t name, value, n;
    uint32_t len;
    uint32_t off; /* in `postings` */
};

struct index {
    struct part *part;
    struct arena arena;
    bytes symbols_raw, series_raw, postings_raw, metadata_raw;
    str *symbols;
    uint32_t symbols_n;
    uint32_t *series; /* offset in series_raw */
    uint32_t series_n;
    struct plist *lists; /* by name, then value: numbers rise with the text */
    uint32_t lists_n;
    const struct part_section *samples;
};

static bool damaged(const struct index *x, const char *what, struct err *err)
{
    self_add(SELF_PART_CORRUPT_READS, 1);
    return err_set(err, ERR_CORRUPT, "part %016" PRIx64 ": %s is malformed", part_info(x->part)->id,
                   what);
}

/* A count of things that take at least one byte each. */
static uint32_t take_count(struct dec *d)
{
    uint64_t n = dec_uvar(d);
    if (n > dec_left(d) || n > UINT32_MAX / 2)
        d->bad = true;
    return d->bad ? 0 : (uint32_t)n;
}

static bool load_symbols(struct index *x)
{
    struct dec d = dec_of(x->symbols_raw);
    x->symbols_n = take_count(&d);
    x->symbols = arena_alloc(&x->arena, (x->symbols_n + 1) * sizeof(str));
    for (uint32_t i = 0; i < x->symbols_n; i++)
        x->symbols[i] = dec_str(&d);
    return !d.bad && dec_left(&d) == 0;
}

static bool skip_series(struct index *x, struct dec *d)
{
    uint64_t labels_n = dec_uvar(d);
    if (labels_n > SERIES_LABELS_MAX)
        return false;
    for (uint64_t i = 0; i < 2 * labels_n; i++)
        if (dec_uvar(d) >= x->symbols_n)
            return false;
    uint64_t off = dec_uvar(d), blocks_n = dec_uvar(d);
    for (uint64_t i = 0; i < blocks_n && !d->bad; i++) {
        dec_svar(d);
        dec_uvar(d);
        uint64_t n = dec_uvar(d), len = dec_uvar(d);
        if (n == 0 || n > BLOCK_SAMPLES_MAX || off > x->samples->n || len > x->samples->n - off)
            return false;
        off += len;
    }
    return !d->bad;
}

static bool load_series(struct index *x)
{
    struct dec d = dec_of(x->series_raw);
    x->series_n = take_count(&d);
    x->series = arena_alloc(&x->arena, (x->series_n + 1) * sizeof *x->series);
    if (x->series_raw.n > UINT32_MAX)
        return false;
    for (uint32_t i = 0; i < x->series_n; i++) {
        x->series[i] = (uint32_t)(d.p - x->series_raw.p);
        if (!skip_series(x, &d))
            return false;
    }
    return !d.bad && dec_left(&d) == 0;
}

static bool load_postings(struct index *x)
{
    struct dec d = dec_of(x->postings_raw);
    x->lists_n = take_count(&d);
    x->lists = arena_alloc(&x->arena, (x->lists_n + 1) * sizeof *x->lists);
    for (uint32_t i = 0; i < x->lists_n; i++) {
        uint64_t name = dec_uvar(&d), value = dec_uvar(&d), n = dec_uvar(&d), len = dec_uvar(&d);
        const uint8_t *p = dec_take(&d, len);
        if (!p || name >= x->symbols_n || value >= x->symbols_n || n > x->series_n || n > len)
            return false;
        x->lists[i] = (struct plist){(uint32_t)name, (uint32_t)value, (uint32_t)n, (uint32_t)len,
                                     (uint32_t)(p - x->postings_raw.p)};
    }
    return !d.bad && dec_left(&d) == 0 && x->postings_raw.n <= UINT32_MAX;
}

struct index *index_load(struct part *p, struct err *err)
{
    static const char *const names[] = {"symbols", "series", "postings", "metadata"};
    bytes raw[4];
    struct index *x = mem_new(struct index);
    x->part = p;
    arena_init(&x->arena, 0);
    x->samples = part_section(p, "samples");
    bool ok = x->samples || damaged(x, "its directory", err);
    ok = ok && part_read_sections(p, &x->arena, names, 4, raw, err);
    if (ok) {
        x->symbols_raw = raw[0];
        x->series_raw = raw[1];
        x->postings_raw = raw[2];
        x->metadata_raw = raw[3];
        ok = (load_symbols(x) || damaged(x, "section \"symbols\"", err)) &&
             (load_series(x) || damaged(x, "section \"series\"", err)) &&
             (load_postings(x) || damaged(x, "section \"postings\"", err));
    }
    if (ok)
        return x;
    index_free(x);
    return NULL;
}

void index_free(struct index *x)
{
    arena_fini(&x->arena);
    free(x);
}

size_t index_bytes(const struct index *x)
{
    return sizeof *x + x->arena.used;
}

size_t index_series_n(const struct index *x)
{
    return x->series_n;
}

/* ---- matching ---- */

static bool add_list(const struct index *x, const struct plist *p, struct id_list *out)
{
    struct dec d = dec_of((bytes){x->postings_raw.p + p->off, p->len});
    uint64_t id = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        id += dec_uvar(&d);
        if (d.bad || id >= x->series_n)
            return false;
        out->at[out->n++] = (uint32_t)id;
    }
    return true;
}

/* First list with (name, value) or behind it. */
static uint32_t find_list(const struct index *x, str name, str value)
{
    uint32_t lo = 0, hi = x->lists_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct plist *p = &x->lists[mid];
        int c = str_cmp(x->symbols[p->name], name);
        if (c == 0)
            c = str_cmp(x->symbols[p->value], value);
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int id_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool ids_by_value(const struct index *x, const struct matcher *m, bool want, struct arena *a,
                         struct id_list *out)
{
    bool only_one = want && m->op == MATCH_EQ;
    uint32_t from = find_list(x, m->name, only_one ? m->value : STR("")), lists = 0;
    *out = (struct id_list){arena_alloc(a, (x->series_n + 1) * sizeof(uint32_t)), 0};
    for (uint32_t i = from; i < x->lists_n; i++) {
        const struct plist *p = &x->lists[i];
        if (!str_eq(x->symbols[p->name], m->name))
            break;
        if (matcher_test(m, x->symbols[p->value]) == want) {
            if (p->n > x->series_n - out->n || !add_list(x, p, out))
                return false;
            lists++;
        }
        if (only_one)
            break;
    }
    if (lists > 1)
        qsort(out->at, out->n, sizeof *out->at, id_cmp);
    return true;
}

static void combine(struct id_list *l, const struct id_list *with, bool keep_common)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < l->n; i++) {
        while (k < with->n && with->at[k] < l->at[i])
            k++;
        if ((k < with->n && with->at[k] == l->at[i]) == keep_common)
            l->at[n++] = l->at[i];
    }
    l->n = n;
}

bool index_match(const struct index *x, const struct matcher *m, size_t m_n, struct arena *a,
                 struct id_list *out, struct err *err)
{
    struct id_list l = {arena_alloc(a, (x->series_n + 1) * sizeof(uint32_t)), 0}, some;
    for (uint32_t i = 0; i < x->series_n; i++)
        l.at[l.n++] = i;
    for (int absent = 0; absent < 2; absent++)
        for (size_t i = 0; i < m_n && l.n > 0; i++) {
            if (matcher_test_absent(&m[i]) != absent)
                continue;
            if (!ids_by_value(x, &m[i], !absent, a, &some))
                return damaged(x, "a list of section \"postings\"", err);
            combine(&l, &some, !absent);
        }
    *out = l;
    return true;
}

/* ---- one series; everything was checked when it was loaded ---- */

static struct dec series_at(const struct index *x, uint32_t id)
{
    return dec_of((bytes){x->series_raw.p + x->series[id], x->series_raw.n - x->series[id]});
}

bool index_labels(const struct index *x, uint32_t id, struct arena *a, struct labels *out,
                  struct err *err)
{
    struct dec d = series_at(x, id);
    uint64_t n = dec_uvar(&d);
    struct label *at = arena_alloc(a, (n + 1) * sizeof *at);
    for (uint64_t i = 0; i < n; i++) {
        at[i].name = x->symbols[dec_uvar(&d)];
        at[i].value = x->symbols[dec_uvar(&d)];
        if (i > 0 && str_cmp(at[i - 1].name, at[i].name) >= 0)
            return damaged(x, "a label set", err);
    }
    *out = (struct labels){at, n};
    return true;
}

struct block_cursor {
    struct dec d;
    uint64_t left, off, t;
};

struct block_place {
    ts_ms min_t, max_t;
    uint64_t off, n, len;
};

static struct block_cursor blocks_of(const struct index *x, uint32_t id)
{
    struct block_cursor c = {.d = series_at(x, id)};
    for (uint64_t skip = 2 * dec_uvar(&c.d); skip > 0; skip--)
        dec_uvar(&c.d);
    c.off = dec_uvar(&c.d);
    c.left = dec_uvar(&c.d);
    return c;
}

static bool next_block(struct block_cursor *c, struct block_place *b)
{
    if (c->left == 0)
        return false;
    c->left--;
    uint64_t min_t = c->t + (uint64_t)dec_svar(&c->d);
    c->t = min_t + dec_uvar(&c->d);
    *b = (struct block_place){.min_t = (ts_ms)min_t, .max_t = (ts_ms)c->t, .off = c->off};
    b->n = dec_uvar(&c->d);
    b->len = dec_uvar(&c->d);
    c->off += b->len;
    return true;
}

bool index_overlaps(const struct index *x, uint32_t id, ts_ms start, ts_ms end)
{
    struct block_cursor c = blocks_of(x, id);
    struct block_place b;
    while (next_block(&c, &b))
        if (b.min_t <= end && b.max_t >= start)
            return true;
    return false;
}

/* A block as it lies in the file: checksum, aggregates, samples. */
static bool add_block(const struct index *x, const struct blob_range *r, struct gather *out,
                      struct err *err)
{
    struct dec d = dec_of((bytes){r->buf, r->n});
    uint32_t crc = dec_u32(&d);
    if (d.bad || crc != crc32c(0, d.p, dec_left(&d))) {
        self_add(SELF_PART_CORRUPT_READS, 1);
        return err_set(err, ERR_CORRUPT,
                       "part %016" PRIx64 ": the block of samples at byte %" PRIu64
                       " has a wrong checksum",
                       part_info(x->part)->id, r->off);
    }
    dec_uvar(&d);
    dec_take(&d, 3 * sizeof(double));
    if (d.bad)
        return damaged(x, "a block of samples", err);
    return gather_block(out, (bytes){d.p, dec_left(&d)}, err);
}

/* The blocks that a batch of series needs, and for each which series it is of. */
struct fetch {
    VEC(struct blob_range) ranges;
    VEC(uint32_t) owner;
    size_t bytes;
};

static void plan_series(const struct index *x, uint32_t id, uint32_t owner, const struct gather *g,
                        struct fetch *f)
{
    struct block_cursor c = blocks_of(x, id);
    struct block_place b;
    while (next_block(&c, &b)) {
        if (b.min_t > g->end || b.max_t < g->start)
            continue;
        vec_push(&f->ranges, (struct blob_range){.off = x->samples->off + b.off, .n = b.len});
        vec_push(&f->owner, owner);
        f->bytes += b.len;
    }
}

bool index_read(const struct index *x, const uint32_t *ids, size_t n, struct gather *const *out,
                struct err *err)
{
    struct fetch f = {0};
    for (size_t i = 0; i < n; i++)
        plan_series(x, ids[i], (uint32_t)i, out[i], &f);
    uint8_t *buf MEM_CLEANUP = mem_alloc(f.bytes + 1), *at = buf;
    VEC_EACH (r, &f.ranges) {
        r->buf = at;
        at += r->n;
    }
    bool ok = f.ranges.n == 0 || blob_read(part_blob(x->part), f.ranges.at, f.ranges.n, err);
    for (size_t i = 0; ok && i < f.ranges.n; i++)
        ok = add_block(x, &f.ranges.at[i], out[f.owner.at[i]], err);
    vec_fini(&f.ranges);
    vec_fini(&f.owner);
    return ok;
}

void index_metadata(const struct index *x, void (*fn)(void *arg, const struct metadata *m),
                    void *arg)
{
    struct dec d = dec_of(x->metadata_raw);
    uint64_t n = dec_uvar(&d);
    for (uint64_t i = 0; i < n && !d.bad; i++) {
        struct metadata m = {.family = dec_str(&d)};
        uint8_t type = dec_u8(&d);
        m.type = type <= METRIC_GAUGEHISTOGRAM ? (enum metric_type)type : METRIC_UNKNOWN;
        m.unit = dec_str(&d);
        m.help = dec_str(&d);
        if (!d.bad)
            fn(arg, &m);
    }
}
