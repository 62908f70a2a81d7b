// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the sections of a part. Pages of values stream into the file; times, directory and
 * symbols are collected. Symbols are numbered by their order, which is known at the end, so labels
 * are kept with numbers of first appearance and get their final ones when they are written.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "codec/zstd.h"
#include "tsdb/index_int.h"
#include "tsdb/numbers.h"

enum {
    LEVEL = 3,
    KNOWN_TIMES_MAX = 2 << 20, /* times of rows that are remembered: 16 MiB */
};

struct series_entry {
    size_t labels_at; /* in `labels`: name, value pairs of early numbers */
    uint32_t labels_n, blocks_n;
};

struct page_entry {
    uint32_t size, entries;
};

struct row_entry {
    ts_ms min_t, max_t;
    uint32_t n;
    size_t known_at; /* in `known`, while it is there */
};

/* A page that is being filled, and those before it. */
struct pages {
    struct row_streams streams;
    uint32_t entries, times;
    VEC(struct page_entry) done;
};

struct index_writer {
    struct part_writer *w;
    struct arena arena; /* symbol text */
    struct map symbols; /* text -> early number + 1 */
    VEC(uint32_t) labels;
    VEC(struct series_entry) series;
    VEC(uint32_t) block_rows; /* of each block, the number of its row of times */
    struct pages values, times;
    struct enc times_out; /* pages of times: written when the values are */
    bool beside;          /* pages of values too, into: */
    struct enc values_out;
    VEC(struct row_entry) rows;
    VEC(ts_ms) known;          /* the times of rows seen lately */
    struct numbers known_rows; /* hash of their times -> row + 1 */
    struct enc metadata;
    uint32_t metadata_n;
    struct extras_out extras;
    uint64_t samples;
    ts_ms min_t, max_t;
    uint32_t *final; /* early number -> final number */
    struct err err;  /* a section that is too large */
};

struct index_writer *index_writer_new(struct part_writer *w)
{
    struct index_writer *x = mem_new(struct index_writer);
    x->w = w;
    x->min_t = INT64_MAX;
    x->max_t = INT64_MIN;
    arena_init(&x->arena, 0);
    part_writer_section(w, "values");
    return x;
}

struct index_writer *index_writer_new_beside(struct part_writer *w)
{
    struct index_writer *x = mem_new(struct index_writer);
    x->w = w;
    x->beside = true;
    x->min_t = INT64_MAX;
    x->max_t = INT64_MIN;
    arena_init(&x->arena, 0);
    return x;
}

static void pages_fini(struct pages *p)
{
    row_streams_fini(&p->streams);
    vec_fini(&p->done);
}

static void index_writer_free(struct index_writer *x)
{
    map_fini(&x->symbols);
    vec_fini(&x->labels);
    vec_fini(&x->series);
    vec_fini(&x->block_rows);
    pages_fini(&x->values);
    pages_fini(&x->times);
    enc_fini(&x->times_out);
    enc_fini(&x->values_out);
    vec_fini(&x->rows);
    vec_fini(&x->known);
    numbers_fini(&x->known_rows);
    enc_fini(&x->metadata);
    extras_out_fini(&x->extras);
    free(x->final);
    arena_fini(&x->arena);
    free(x);
}

void index_writer_abort(struct index_writer *x)
{
    part_writer_abort(x->w);
    index_writer_free(x);
}

uint64_t index_writer_samples(const struct index_writer *x)
{
    return x->samples;
}

static uint32_t symbol(struct index_writer *x, str text)
{
    uintptr_t at = (uintptr_t)map_get(&x->symbols, text);
    if (!at) {
        at = x->symbols.n + 1;
        map_put(&x->symbols, arena_dup(&x->arena, text), (void *)at);
    }
    return (uint32_t)(at - 1);
}

/* The same; `near` is the number that it most likely has. */
static uint32_t symbol_near(struct index_writer *x, str text, uint32_t near)
{
    bool is_near = near < x->symbols.n && str_eq(x->symbols.entries[near].key, text);
    return is_near ? near : symbol(x, text);
}

/* Most labels are those of the series before. */
static void put_labels(struct index_writer *x, struct labels ls)
{
    const struct series_entry *last = x->series.n ? &x->series.at[x->series.n - 1] : NULL;
    for (size_t i = 0; i < ls.n; i++) {
        bool has_near = last && i < last->labels_n;
        size_t near = has_near ? last->labels_at + 2 * i : 0;
        uint32_t name = has_near ? x->labels.at[near] : UINT32_MAX;
        uint32_t value = has_near ? x->labels.at[near + 1] : UINT32_MAX;
        vec_push(&x->labels, symbol_near(x, ls.at[i].name, name));
        vec_push(&x->labels, symbol_near(x, ls.at[i].value, value));
    }
}

/* ---- times and values ---- */

static void end_page(struct pages *p, struct enc *out)
{
    size_t before = out->n;
    if (!p->entries)
        return;
    page_encode(&p->streams, p->entries, out);
    vec_push(&p->done, (struct page_entry){(uint32_t)(out->n - before), p->entries});
    p->entries = p->times = 0;
}

static void end_values_page(struct index_writer *x)
{
    struct enc e = {0};
    if (x->beside) {
        end_page(&x->values, &x->values_out);
        return;
    }
    end_page(&x->values, &e);
    part_writer_add(x->w, e.p, e.n);
    enc_fini(&e);
}

/* The number of the row with these times, which may be one that was there before. */
static uint32_t time_row(struct index_writer *x, const ts_ms *t, size_t n)
{
    uint64_t h = hash_bytes(t, n * sizeof *t) | 1;
    const uint32_t *there = numbers_get(&x->known_rows, h);
    if (there) {
        const struct row_entry *r = &x->rows.at[*there - 1];
        if (r->n == n && memcmp(&x->known.at[r->known_at], t, n * sizeof *t) == 0)
            return *there - 1;
    }
    if (x->known.n + n > KNOWN_TIMES_MAX) {
        vec_clear(&x->known);
        numbers_fini(&x->known_rows);
        there = NULL;
    }
    vec_push(&x->rows, (struct row_entry){t[0], t[n - 1], (uint32_t)n, x->known.n});
    if (!there) { /* else two rows with one hash: the first is the one that is found */
        vec_reserve(&x->known, n);
        memcpy(x->known.at + x->known.n, t, n * sizeof *t);
        x->known.n += n;
        numbers_put(&x->known_rows, h, (uint32_t)x->rows.n);
    }
    page_put_times(&x->times.streams, t, n);
    x->times.entries++;
    x->times.times += (uint32_t)n;
    if (x->times.times >= PAGE_TIMES_MAX)
        end_page(&x->times, &x->times_out);
    return (uint32_t)x->rows.n - 1;
}

static void add_block(struct index_writer *x, const ts_ms *t, const double *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        assert(t[i - 1] < t[i]);
    vec_push(&x->block_rows, time_row(x, t, n));
    struct pages *p = &x->values;
    page_put_values(&p->streams, v, n);
    p->entries++;
    if (p->streams.ctl.n + p->streams.low.n + p->streams.high.n >= PAGE_RAW_BYTES)
        end_values_page(x);
    x->samples += n;
    x->min_t = t[0] < x->min_t ? t[0] : x->min_t;
    x->max_t = t[n - 1] > x->max_t ? t[n - 1] : x->max_t;
}

void index_writer_series(struct index_writer *x, struct labels ls, const ts_ms *t, const double *v,
                         size_t n)
{
    struct series_entry s = {.labels_at = x->labels.n, .labels_n = (uint32_t)ls.n};
    put_labels(x, ls);
    /* Pieces of one length, so that the last is not a crumb. */
    s.blocks_n = (uint32_t)((n + INDEX_BLOCK_SAMPLES - 1) / INDEX_BLOCK_SAMPLES);
    for (size_t k = 0; k < s.blocks_n; k++) {
        size_t from = n * k / s.blocks_n, to = n * (k + 1) / s.blocks_n;
        add_block(x, t + from, v + from, to - from);
    }
    vec_push(&x->series, s);
}

void index_writer_extras(struct index_writer *x, const ts_ms *t, const struct histogram *const *h,
                         const ts_ms *start, size_t n)
{
    extras_out_series(&x->extras, (uint32_t)x->series.n - 1, t, h, start, n);
}

void index_writer_exemplars(struct index_writer *x, struct enc *e)
{
    enc_fini(&x->extras.exemplars);
    x->extras.exemplars = *e;
    *e = (struct enc){0};
}

void index_writer_metadata(struct index_writer *x, const struct metadata *m)
{
    enc_str(&x->metadata, m->family);
    enc_u8(&x->metadata, (uint8_t)m->type);
    enc_str(&x->metadata, m->unit);
    enc_str(&x->metadata, m->help);
    enc_svar(&x->metadata, m->since);
    x->metadata_n++;
}

/* ---- sections ---- */

/* As frames, compressed where that makes them smaller; frees e. */
static void add_section(struct index_writer *x, const char *name, struct enc *e)
{
    struct enc head = {0};
    if (e->n > SECTION_BYTES_MAX && x->err.kind == ERR_NONE)
        err_set(&x->err, ERR_LIMIT, "section \"%s\" would have %zu bytes; a part has at most %llu",
                name, e->n, SECTION_BYTES_MAX);
    part_writer_section(x->w, name);
    for (size_t at = 0; at < e->n; at += FRAME_BYTES) {
        struct strbuf packed STRBUF_CLEANUP = {0};
        size_t n = e->n - at < FRAME_BYTES ? e->n - at : FRAME_BYTES;
        zstd_encode(bytes_of(e->p + at, n), LEVEL, &packed);
        bool pays = packed.n < n;
        head.n = 0;
        enc_uvar(&head, n);
        enc_uvar(&head, pays ? packed.n : n);
        part_writer_add(x->w, head.p, head.n);
        part_writer_add(x->w, pays ? (const uint8_t *)packed.p : e->p + at, pays ? packed.n : n);
    }
    enc_fini(&head);
    enc_fini(e);
}

static int entry_cmp(const void *a, const void *b)
{
    return str_cmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
}

/* Bytes that both begin with. */
static size_t common(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i < n && a.p[i] == b.p[i])
        i++;
    return i;
}

/* Sorted text; gives every early number its final one. */
static void write_symbols(struct index_writer *x)
{
    size_t n = x->symbols.n;
    struct map_entry **sorted = mem_array(n + 1, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &x->symbols.entries[i];
    qsort(sorted, n, sizeof *sorted, entry_cmp);
    x->final = mem_array(n + 1, sizeof *x->final);
    struct enc e = {0};
    enc_uvar(&e, n);
    for (size_t i = 0; i < n; i++) {
        x->final[(uintptr_t)sorted[i]->value - 1] = (uint32_t)i;
        size_t same = i ? common(sorted[i - 1]->key, sorted[i]->key) : 0;
        enc_uvar(&e, same);
        enc_str(&e, str_sub(sorted[i]->key, same, sorted[i]->key.n));
    }
    free(sorted);
    add_section(x, "symbols", &e);
}

/* Like text of the names and the first value: equal for all series of a run. */
static bool same_run(const struct index_writer *x, const struct series_entry *a,
                     const struct series_entry *b)
{
    const uint32_t *p = &x->labels.at[a->labels_at], *q = &x->labels.at[b->labels_at];
    if (a->labels_n != b->labels_n || a->labels_n == 0 || p[1] != q[1])
        return false;
    for (uint32_t i = 0; i < a->labels_n; i++)
        if (p[2 * i] != q[2 * i])
            return false;
    return true;
}

/* The schema's number; new ones are appended to `out`. */
static uint32_t schema_of(struct index_writer *x, const struct series_entry *s, struct map *seen,
                          struct arena *a, struct enc *out)
{
    uint32_t *names = arena_alloc(a, (s->labels_n + 1) * sizeof *names);
    for (uint32_t i = 0; i < s->labels_n; i++)
        names[i] = x->final[x->labels.at[s->labels_at + 2 * i]];
    str key = {(const char *)names, s->labels_n * sizeof *names};
    uintptr_t no = (uintptr_t)map_get(seen, key);
    if (no)
        return (uint32_t)no - 1;
    no = seen->n + 1;
    map_put(seen, key, (void *)no);
    enc_uvar(out, s->labels_n);
    for (uint32_t i = 0; i < s->labels_n; i++)
        enc_uvar(out, names[i]);
    return (uint32_t)no - 1;
}

/* The values of series [from, to), label by label, each as the difference to the one before. */
static void put_columns(struct index_writer *x, size_t from, size_t to, struct enc *e)
{
    for (uint32_t k = 0; k < x->series.at[from].labels_n; k++) {
        uint32_t before = 0;
        for (size_t i = from; i < to; i++) {
            uint32_t v = x->final[x->labels.at[x->series.at[i].labels_at + 2 * k + 1]];
            enc_svar(e, (int64_t)v - before);
            before = v;
        }
    }
}

typedef VEC(struct label_column) label_columns;

/* The columns of series [from, to), which are a run. */
static void note_columns(const struct index_writer *x, size_t from, size_t to, label_columns *out)
{
    const struct series_entry *s = &x->series.at[from];
    const uint32_t *pairs = &x->labels.at[s->labels_at];
    for (uint32_t k = 0; k < s->labels_n; k++)
        vec_push(out, (struct label_column){.name = x->final[pairs[2 * k]],
                                            .first = (uint32_t)from,
                                            .n = (uint32_t)(to - from),
                                            .at = &pairs[2 * k + 1],
                                            .stride = 2 * (size_t)s->labels_n});
}

static void write_postings(struct index_writer *x, label_columns *columns)
{
    struct enc e = {0};
    postings_encode(columns->at, columns->n, x->final, (uint32_t)x->symbols.n, &e);
    vec_fini(columns);
    add_section(x, "postings", &e);
}

static void write_series(struct index_writer *x)
{
    struct enc e = {0}, schemas = {0}, runs = {0}, columns = {0};
    label_columns noted = {0};
    struct map seen MAP_CLEANUP = {0};
    struct arena a ARENA_CLEANUP;
    size_t runs_n = 0;
    arena_init(&a, 0);
    for (size_t i = 0, to; i < x->series.n; i = to, runs_n++) {
        for (to = i + 1; to < x->series.n && same_run(x, &x->series.at[i], &x->series.at[to]);)
            to++;
        enc_uvar(&runs, schema_of(x, &x->series.at[i], &seen, &a, &schemas));
        enc_uvar(&runs, to - i);
        put_columns(x, i, to, &columns);
        note_columns(x, i, to, &noted);
    }
    enc_uvar(&e, x->series.n);
    enc_uvar(&e, seen.n);
    enc_bytes(&e, schemas.p, schemas.n);
    enc_uvar(&e, runs_n);
    enc_bytes(&e, runs.p, runs.n);
    enc_bytes(&e, columns.p, columns.n);
    enc_fini(&schemas);
    enc_fini(&runs);
    enc_fini(&columns);
    add_section(x, "series", &e);
    write_postings(x, &noted);
}

static void put_pages(struct enc *e, const struct pages *p)
{
    enc_uvar(e, p->done.n);
    for (size_t i = 0; i < p->done.n; i++)
        enc_uvar(e, p->done.at[i].size);
    for (size_t i = 0; i < p->done.n; i++)
        enc_uvar(e, p->done.at[i].entries);
}

/* Column after column, so that what is the same for all costs nothing. */
static void write_blocks(struct index_writer *x)
{
    struct enc e = {0};
    uint64_t before = 0;
    put_pages(&e, &x->values);
    put_pages(&e, &x->times);
    enc_uvar(&e, x->rows.n);
    VEC_EACH (r, &x->rows) {
        enc_svar(&e, (int64_t)((uint64_t)r->min_t - before));
        before = (uint64_t)r->min_t;
    }
    VEC_EACH (r, &x->rows)
        enc_uvar(&e, (uint64_t)r->max_t - (uint64_t)r->min_t);
    VEC_EACH (r, &x->rows)
        enc_uvar(&e, r->n);
    enc_uvar(&e, x->block_rows.n);
    VEC_EACH (s, &x->series)
        enc_uvar(&e, s->blocks_n);
    for (size_t i = 0; i < x->block_rows.n; i++)
        enc_u8(&e, BLOCK_FLOATS);
    uint32_t row = 0;
    VEC_EACH (r, &x->block_rows) {
        enc_svar(&e, (int64_t)*r - row);
        row = *r;
    }
    add_section(x, "blocks", &e);
}

static void write_metadata(struct index_writer *x)
{
    struct enc e = {0};
    enc_uvar(&e, x->metadata_n);
    enc_bytes(&e, x->metadata.p, x->metadata.n);
    add_section(x, "metadata", &e);
}

static void section(void *arg, const char *name, struct enc *e)
{
    add_section(arg, name, e);
}

bool index_writer_finish(struct index_writer *x, struct part_info *info, uint64_t *size,
                         struct err *err)
{
    info->kind = PART_KIND_METRICS;
    info->min_t = x->min_t;
    info->max_t = x->max_t;
    info->series = x->series.n;
    info->samples = x->samples;
    end_values_page(x);
    if (x->beside) {
        part_writer_section(x->w, "values");
        part_writer_add(x->w, x->values_out.p, x->values_out.n);
    }
    end_page(&x->times, &x->times_out);
    part_writer_section(x->w, "times");
    part_writer_add(x->w, x->times_out.p, x->times_out.n);
    write_symbols(x);
    write_series(x);
    write_blocks(x);
    write_metadata(x);
    info->features = (info->features & PART_TIER) | extras_out_write(&x->extras, x->w, section, x);
    bool ok = x->err.kind == ERR_NONE;
    if (ok) {
        ok = part_writer_finish(x->w, info, size, err);
    } else {
        *err = x->err;
        part_writer_abort(x->w);
    }
    index_writer_free(x);
    return ok;
}
