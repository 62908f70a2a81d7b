// SPDX-License-Identifier: Apache-2.0
/*
 * Loading the sections of a part. Everything is checked here (symbols below their count, series
 * sorted, pages inside their section, rows of times inside their page, blocks in order of time), so
 * that using an index cannot fail.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/zstd.h"
#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/index_int.h"

bool index_damaged(const struct index *x, const char *what, struct err *err)
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

/* A number below `below`. */
static uint32_t take_below(struct dec *d, uint64_t below)
{
    uint64_t v = dec_uvar(d);
    if (v >= below)
        d->bad = true;
    return d->bad ? 0 : (uint32_t)v;
}

/* ---- frames ---- */

static bool add_frame(struct dec *d, struct enc *out)
{
    struct err err;
    uint64_t n = dec_uvar(d), stored = dec_uvar(d);
    const uint8_t *p = dec_take(d, stored);
    if (!p || n == 0 || n > FRAME_BYTES || stored > n || n + out->n > SECTION_BYTES_MAX)
        return false;
    uint8_t *to = enc_room(out, n);
    if (stored == n)
        memcpy(to, p, n);
    else if (!zstd_decode_exact(bytes_of(p, stored), to, n, &err))
        return false;
    out->n += n;
    return true;
}

bool index_unpack(bytes raw, struct enc *out)
{
    struct dec d = dec_of(raw);
    while (dec_left(&d) > 0)
        if (!add_frame(&d, out))
            return false;
    return true;
}

/* ---- sections ---- */

static bool load_symbols(struct index *x, bytes raw)
{
    struct dec d = dec_of(raw);
    uint64_t total = 0;
    x->symbols_n = take_count(&d);
    x->symbols = arena_alloc(&x->arena, (x->symbols_n + 1) * sizeof(str));
    for (uint32_t i = 0; i < x->symbols_n; i++) {
        uint64_t same = dec_uvar(&d);
        str rest = dec_str(&d);
        if (d.bad || same > (i ? x->symbols[i - 1].n : 0) ||
            (total += same + rest.n) > SECTION_BYTES_MAX)
            return false;
        char *p = arena_alloc(&x->arena, same + rest.n);
        if (same)
            memcpy(p, x->symbols[i - 1].p, same);
        if (rest.n)
            memcpy(p + same, rest.p, rest.n);
        x->symbols[i] = (str){p, same + rest.n};
        if (i && str_cmp(x->symbols[i - 1], x->symbols[i]) >= 0)
            return false;
    }
    return !d.bad && dec_left(&d) == 0;
}

static bool load_schemas(struct index *x, struct dec *d)
{
    x->schemas_n = take_count(d);
    x->schemas = arena_alloc(&x->arena, (x->schemas_n + 1) * sizeof *x->schemas);
    for (uint32_t i = 0; i < x->schemas_n && !d->bad; i++) {
        uint32_t n = take_below(d, SERIES_LABELS_MAX + 1);
        uint32_t *names = arena_alloc(&x->arena, (n + 1) * sizeof *names);
        for (uint32_t k = 0; k < n; k++) {
            names[k] = take_below(d, x->symbols_n);
            if (k && names[k - 1] >= names[k])
                d->bad = true;
        }
        x->schemas[i] = (struct schema){n, names};
    }
    return !d->bad;
}

/* How many series and values each run has; the values come behind all runs. */
static bool load_runs(struct index *x, struct dec *d, uint64_t *values_n)
{
    uint64_t series = 0;
    x->runs_n = take_count(d);
    x->runs = arena_alloc(&x->arena, (x->runs_n + 1) * sizeof *x->runs);
    *values_n = 0;
    for (uint32_t i = 0; i < x->runs_n && !d->bad; i++) {
        uint32_t schema = take_below(d, x->schemas_n), n = take_below(d, x->series_n + 1ULL);
        x->runs[i] = (struct run){.first = (uint32_t)series, .schema = schema};
        if (d->bad || n == 0 || (x->schemas[schema].n == 0 && n > 1))
            return false;
        series += n;
        *values_n += (uint64_t)n * x->schemas[schema].n;
        if (series > x->series_n)
            return false;
    }
    x->runs[x->runs_n] = (struct run){.first = x->series_n};
    /* Each value takes a byte. */
    return !d->bad && series == x->series_n && *values_n <= dec_left(d);
}

/* n symbols, and what they lie between. */
static bool load_column(const struct index *x, struct dec *d, uint32_t n, uint32_t *out,
                        struct run_column *c)
{
    uint64_t v = 0;
    *c = (struct run_column){.min = UINT32_MAX};
    for (uint32_t s = 0; s < n; s++) {
        v += (uint64_t)dec_svar(d);
        if (d->bad || v >= x->symbols_n)
            return false;
        out[s] = (uint32_t)v;
        c->min = out[s] < c->min ? out[s] : c->min;
        c->max = out[s] > c->max ? out[s] : c->max;
    }
    uint32_t span = c->max - c->min;
    c->width = span == 0 ? 0 : span <= UINT8_MAX ? 1 : span <= UINT16_MAX ? 2 : 4;
    return true;
}

/* `room` is for the symbols of the run, column by column, until their widths are known. */
static bool load_columns(struct index *x, struct dec *d, uint32_t i, struct enc *room)
{
    struct run *r = &x->runs[i];
    uint32_t labels = x->schemas[r->schema].n, n = r[1].first - r->first;
    struct run_column *columns = arena_alloc(&x->arena, (labels + 1) * sizeof *columns);
    uint32_t *values = (uint32_t *)(void *)enc_room(room, (uint64_t)labels * n * sizeof *values);
    for (uint32_t k = 0; k < labels; k++) {
        if (!load_column(x, d, n, values + (uint64_t)k * n, &columns[k]))
            return false;
        columns[k].at = (uint16_t)r->stride;
        r->stride += columns[k].width;
    }
    if (labels && columns[0].width)
        return false;
    uint8_t *rows = arena_alloc(&x->arena, (uint64_t)n * r->stride + 1);
    for (uint32_t k = 0; k < labels; k++)
        for (uint32_t s = 0; s < n && columns[k].width; s++) {
            uint32_t v = values[(uint64_t)k * n + s] - columns[k].min;
            memcpy(rows + (uint64_t)s * r->stride + columns[k].at, &v, columns[k].width);
        }
    r->columns = columns;
    r->rows = rows;
    return true;
}
static_assert(4 * SERIES_LABELS_MAX <= UINT16_MAX, "places in a row have 16 bits");

/* As labels_cmp; numbers of symbols are in order of their text. */
static int ids_cmp(const struct index *x, const struct run *r, uint32_t a, const struct run *q,
                   uint32_t b)
{
    const struct schema *s = &x->schemas[r->schema], *t = &x->schemas[q->schema];
    for (uint32_t i = 0; i < s->n && i < t->n; i++) {
        if (s->names[i] != t->names[i])
            return s->names[i] < t->names[i] ? -1 : 1;
        if (r == q && r->columns[i].width == 0)
            continue;
        uint32_t v = run_value(r, a, i), w = run_value(q, b, i);
        if (v != w)
            return v < w ? -1 : 1;
    }
    return (s->n > t->n) - (s->n < t->n);
}

static bool is_sorted(const struct index *x)
{
    for (uint32_t i = 0; i < x->runs_n; i++) {
        const struct run *r = &x->runs[i];
        if (i && ids_cmp(x, r - 1, r->first - 1, r, r->first) >= 0)
            return false;
        for (uint32_t id = r->first + 1; id < r[1].first; id++)
            if (ids_cmp(x, r, id - 1, r, id) >= 0)
                return false;
    }
    return true;
}

static bool load_series(struct index *x, bytes raw)
{
    struct dec d = dec_of(raw);
    uint64_t values_n, series_n = dec_uvar(&d);
    if (series_n > UINT32_MAX / 2)
        return false;
    x->series_n = (uint32_t)series_n;
    if (!load_schemas(x, &d) || !load_runs(x, &d, &values_n))
        return false;
    x->values_n = values_n;
    struct enc room = {0};
    bool ok = true;
    for (uint32_t i = 0; i < x->runs_n && ok; i++)
        ok = load_columns(x, &d, i, &room);
    enc_fini(&room);
    return ok && !d.bad && dec_left(&d) == 0 && is_sorted(x);
}

static bool load_pages(struct index *x, struct dec *d, const struct part_section *s,
                       struct page_at **out, uint32_t *out_n)
{
    uint32_t n = *out_n = take_count(d), first = 0;
    struct page_at *at = *out = arena_alloc(&x->arena, (n + 1) * sizeof *at);
    uint64_t off = 0;
    for (uint32_t i = 0; i < n && !d->bad; i++) {
        at[i] = (struct page_at){.off = off, .size = take_below(d, s->n - off + 1)};
        off += at[i].size;
    }
    for (uint32_t i = 0; i < n && !d->bad; i++) {
        at[i].first = first;
        at[i].entries = take_below(d, PAGE_RAW_BYTES_MAX);
        if (at[i].entries == 0 || at[i].entries > UINT32_MAX / 2 - first)
            return false;
        first += at[i].entries;
    }
    at[n] = (struct page_at){.off = off, .first = first};
    return !d->bad && off == s->n;
}

static bool load_rows(struct index *x, struct dec *d)
{
    uint64_t t = 0;
    uint32_t n = x->rows_n = take_count(d), page = 0;
    struct time_row *rows = x->rows = arena_alloc(&x->arena, (n + 1) * sizeof *rows);
    if (n != x->time_pages[x->time_pages_n].first)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        t += (uint64_t)dec_svar(d);
        while (i >= x->time_pages[page + 1].first)
            page++;
        rows[i] = (struct time_row){.min_t = (ts_ms)t, .page = page};
        rows[i].at = i - x->time_pages[page].first;
    }
    for (uint32_t i = 0; i < n; i++) {
        rows[i].max_t = (ts_ms)((uint64_t)rows[i].min_t + dec_uvar(d));
        if (rows[i].max_t < rows[i].min_t)
            return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        rows[i].n = take_below(d, ROW_MAX + 1);
        if (rows[i].n == 0)
            return false;
    }
    return !d->bad;
}

static bool load_block_rows(struct index *x, struct dec *d)
{
    uint64_t row = 0;
    for (uint32_t i = 0, b = 0; i < x->series_n; i++)
        for (; b < x->first_block[i + 1]; b++) {
            row += (uint64_t)dec_svar(d);
            if (row >= x->rows_n)
                return false;
            x->block_row[b] = (uint32_t)row;
            if (b > x->first_block[i] && x->rows[x->block_row[b - 1]].max_t >= x->rows[row].min_t)
                return false;
        }
    return true;
}

static bool load_blocks(struct index *x, bytes raw)
{
    struct dec d = dec_of(raw);
    if (!load_pages(x, &d, x->values_section, &x->pages, &x->pages_n) ||
        !load_pages(x, &d, x->times_section, &x->time_pages, &x->time_pages_n) || !load_rows(x, &d))
        return false;
    uint32_t n = x->blocks_n = take_count(&d);
    if (d.bad || n != x->pages[x->pages_n].first)
        return false;
    x->first_block = arena_alloc(&x->arena, (x->series_n + 1ULL) * sizeof *x->first_block);
    x->block_row = arena_alloc(&x->arena, (n + 1ULL) * sizeof *x->block_row);
    uint32_t block = 0;
    for (uint32_t i = 0; i < x->series_n; i++) {
        x->first_block[i] = block;
        block += take_below(&d, n - block + 1ULL);
    }
    x->first_block[x->series_n] = block;
    for (uint32_t i = 0; i < n; i++)
        if (dec_u8(&d) >= BLOCK_KINDS)
            return false;
    return !d.bad && block == n && load_block_rows(x, &d) && !d.bad && dec_left(&d) == 0;
}

static bool load_postings(struct index *x, bytes raw)
{
    return postings_load(&x->postings, raw, x->symbols_n, x->series_n, x->values_n, &x->arena);
}

static bool load_metadata(struct index *x, bytes raw)
{
    uint8_t *p = arena_alloc(&x->arena, raw.n);
    if (raw.n)
        memcpy(p, raw.p, raw.n);
    x->metadata = (bytes){p, raw.n};
    return true;
}

static bool load_sections(struct index *x, struct err *err)
{
    static const char *const names[] = {"symbols", "series", "postings", "blocks", "metadata"};
    static bool (*const load[])(struct index * x, bytes raw) = {
        load_symbols, load_series, load_postings, load_blocks, load_metadata};
    enum { N = sizeof names / sizeof *names };
    bytes raw[N];
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    if (!part_read_sections(x->part, &a, names, N, raw, err))
        return false;
    for (int i = 0; i < N; i++) {
        struct enc section = {0};
        char what[64];
        bool ok = index_unpack(raw[i], &section) && load[i](x, (bytes){section.p, section.n});
        enc_fini(&section);
        snprintf(what, sizeof what, "section \"%s\"", names[i]);
        if (!ok)
            return index_damaged(x, what, err);
        pool_yield();
    }
    return true;
}

struct index *index_load(struct part *p, struct err *err)
{
    struct index *x = mem_new(struct index);
    x->part = p;
    arena_init(&x->arena, 0);
    x->values_section = part_section(p, "values");
    x->times_section = part_section(p, "times");
    if ((x->values_section && x->times_section) || index_damaged(x, "its directory", err))
        if (load_sections(x, err) && index_load_extras(x, err))
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

/* ---- one series ---- */

const struct run *index_run_of(const struct index *x, uint32_t id)
{
    uint32_t lo = 0, hi = x->runs_n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->runs[mid].first <= id)
            lo = mid;
        else
            hi = mid;
    }
    return &x->runs[lo];
}

struct labels index_labels(const struct index *x, uint32_t id, struct arena *a)
{
    const struct run *r = index_run_of(x, id);
    const struct schema *s = &x->schemas[r->schema];
    struct label *at = arena_alloc(a, (s->n + 1) * sizeof *at);
    for (uint32_t i = 0; i < s->n; i++)
        at[i] = (struct label){x->symbols[s->names[i]], x->symbols[run_value(r, id, i)]};
    return (struct labels){at, s->n};
}

bool index_overlaps(const struct index *x, uint32_t id, ts_ms start, ts_ms end)
{
    for (uint32_t b = x->first_block[id]; b < x->first_block[id + 1]; b++) {
        const struct time_row *r = &x->rows[x->block_row[b]];
        if (r->min_t <= end && r->max_t >= start)
            return true;
    }
    return false;
}

size_t index_samples(const struct index *x, uint32_t id, ts_ms start, ts_ms end)
{
    size_t n = 0;
    for (uint32_t b = x->first_block[id]; b < x->first_block[id + 1]; b++) {
        const struct time_row *r = &x->rows[x->block_row[b]];
        if (r->min_t <= end && r->max_t >= start)
            n += r->n;
    }
    return n;
}

bool index_span(const struct index *x, uint32_t id, ts_ms *start, ts_ms *end)
{
    uint32_t from = x->first_block[id], to = x->first_block[id + 1];
    if (from == to || !index_overlaps(x, id, *start, *end))
        return false;
    ts_ms min_t = x->rows[x->block_row[from]].min_t, max_t = x->rows[x->block_row[to - 1]].max_t;
    *start = *start < min_t ? min_t : *start;
    *end = *end > max_t ? max_t : *end;
    return true;
}

uint64_t index_extent(const struct index *x, uint32_t id, ts_ms *first, ts_ms *last)
{
    uint32_t from = x->first_block[id], to = x->first_block[id + 1];
    uint64_t n = 0;
    if (from == to)
        return 0;
    for (uint32_t b = from; b < to; b++)
        n += x->rows[x->block_row[b]].n;
    *first = x->rows[x->block_row[from]].min_t;
    *last = x->rows[x->block_row[to - 1]].max_t;
    return n;
}

void index_metadata(const struct index *x, void (*fn)(void *arg, const struct metadata *m),
                    void *arg)
{
    struct dec d = dec_of(x->metadata);
    uint64_t n = dec_uvar(&d);
    for (uint64_t i = 0; i < n && !d.bad; i++) {
        struct metadata m = {.family = dec_str(&d)};
        uint8_t type = dec_u8(&d);
        m.type = type <= METRIC_GAUGEHISTOGRAM ? (enum metric_type)type : METRIC_UNKNOWN;
        m.unit = dec_str(&d);
        m.help = dec_str(&d);
        m.since = dec_svar(&d);
        if (!d.bad)
            fn(arg, &m);
    }
}
