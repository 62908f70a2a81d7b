// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the sections of a part. Samples stream into the file; directory, symbols and postings are
 * collected, because symbols are numbered by their order, which is known at the end: the series
 * section is therefore made in two steps, with numbers of first appearance first.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "tsdb/block.h"
#include "tsdb/index.h"

struct block_entry {
    ts_ms min_t, max_t;
    uint32_t n, len;
};

struct series_entry {
    size_t labels_at, labels_n; /* in `labels`: name, value pairs of early numbers */
    size_t blocks_at, blocks_n;
    uint64_t off;
};

struct pair {
    uint32_t name, value; /* final numbers */
    uint32_t series;
};

struct index_writer {
    struct part_writer *w;
    struct arena arena; /* symbol text */
    struct map symbols; /* text -> early number + 1 */
    VEC(uint32_t) labels;
    VEC(struct series_entry) series;
    VEC(struct block_entry) blocks;
    struct enc metadata;
    uint32_t metadata_n;
    uint64_t samples;
    ts_ms min_t, max_t;
    uint32_t *final; /* early number -> final number */
};

struct index_writer *index_writer_new(struct part_writer *w)
{
    struct index_writer *x = mem_new(struct index_writer);
    x->w = w;
    x->min_t = INT64_MAX;
    x->max_t = INT64_MIN;
    arena_init(&x->arena, 0);
    part_writer_section(w, "samples");
    return x;
}

static void index_writer_free(struct index_writer *x)
{
    map_fini(&x->symbols);
    vec_fini(&x->labels);
    vec_fini(&x->series);
    vec_fini(&x->blocks);
    enc_fini(&x->metadata);
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

/* count, min, max and sum of the values that are numbers. */
static void encode_aggregates(struct enc *e, const double *v, size_t n)
{
    double min = INFINITY, max = -INFINITY, sum = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i]))
            continue;
        count++;
        sum += v[i];
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    enc_uvar(e, count);
    enc_bytes(e, &min, sizeof min);
    enc_bytes(e, &max, sizeof max);
    enc_bytes(e, &sum, sizeof sum);
}

static void add_block(struct index_writer *x, const ts_ms *t, const double *v, size_t n)
{
    struct enc e = {0};
    for (size_t i = 1; i < n; i++)
        assert(t[i - 1] < t[i]);
    enc_u32(&e, 0);
    encode_aggregates(&e, v, n);
    block_encode(&e, t, v, n);
    uint32_t crc = crc32c(0, e.p + sizeof crc, e.n - sizeof crc);
    memcpy(e.p, &crc, sizeof crc);
    part_writer_add(x->w, e.p, e.n);
    vec_push(&x->blocks, (struct block_entry){t[0], t[n - 1], (uint32_t)n, (uint32_t)e.n});
    enc_fini(&e);
    x->samples += n;
    x->min_t = t[0] < x->min_t ? t[0] : x->min_t;
    x->max_t = t[n - 1] > x->max_t ? t[n - 1] : x->max_t;
}

void index_writer_series(struct index_writer *x, struct labels ls, const ts_ms *t, const double *v,
                         size_t n)
{
    struct series_entry s = {.labels_at = x->labels.n,
                             .labels_n = ls.n,
                             .blocks_at = x->blocks.n,
                             .off = part_writer_offset(x->w)};
    for (size_t i = 0; i < ls.n; i++) {
        vec_push(&x->labels, symbol(x, ls.at[i].name));
        vec_push(&x->labels, symbol(x, ls.at[i].value));
    }
    /* Pieces of one length, so that the last is not a crumb. */
    size_t pieces = (n + INDEX_BLOCK_SAMPLES - 1) / INDEX_BLOCK_SAMPLES;
    for (size_t k = 0; k < pieces; k++) {
        size_t from = n * k / pieces, to = n * (k + 1) / pieces;
        add_block(x, t + from, v + from, to - from);
    }
    s.blocks_n = x->blocks.n - s.blocks_at;
    vec_push(&x->series, s);
}

void index_writer_metadata(struct index_writer *x, const struct metadata *m)
{
    enc_str(&x->metadata, m->family);
    enc_u8(&x->metadata, (uint8_t)m->type);
    enc_str(&x->metadata, m->unit);
    enc_str(&x->metadata, m->help);
    x->metadata_n++;
}

static void add_section(struct index_writer *x, const char *name, struct enc *e)
{
    part_writer_section(x->w, name);
    part_writer_add(x->w, e->p, e->n);
    enc_fini(e);
}

static int entry_cmp(const void *a, const void *b)
{
    return str_cmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
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
        enc_str(&e, sorted[i]->key);
    }
    free(sorted);
    add_section(x, "symbols", &e);
}

static void write_series(struct index_writer *x)
{
    struct enc e = {0};
    enc_uvar(&e, x->series.n);
    VEC_EACH (s, &x->series) {
        enc_uvar(&e, s->labels_n);
        for (size_t i = 0; i < 2 * s->labels_n; i++)
            enc_uvar(&e, x->final[x->labels.at[s->labels_at + i]]);
        enc_uvar(&e, s->off);
        enc_uvar(&e, s->blocks_n);
        uint64_t t = 0;
        for (size_t i = 0; i < s->blocks_n; i++) {
            const struct block_entry *b = &x->blocks.at[s->blocks_at + i];
            enc_svar(&e, (int64_t)((uint64_t)b->min_t - t));
            enc_uvar(&e, (uint64_t)b->max_t - (uint64_t)b->min_t);
            t = (uint64_t)b->max_t;
            enc_uvar(&e, b->n);
            enc_uvar(&e, b->len);
        }
    }
    add_section(x, "series", &e);
}

static int pair_cmp(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}

/* For each (name, value), rising: both numbers, how many, length of the list, its differences. */
static void write_postings(struct index_writer *x)
{
    size_t n = x->labels.n / 2, k = 0, lists = 0;
    struct pair *p = mem_array(n + 1, sizeof *p);
    for (size_t i = 0; i < x->series.n; i++)
        for (size_t j = 0; j < x->series.at[i].labels_n; j++, k++)
            p[k] = (struct pair){x->final[x->labels.at[2 * k]], x->final[x->labels.at[2 * k + 1]],
                                 (uint32_t)i};
    if (n)
        qsort(p, n, sizeof *p, pair_cmp);
    struct enc e = {0}, list = {0};
    for (size_t i = 0; i < n; i++)
        lists += i == 0 || p[i].name != p[i - 1].name || p[i].value != p[i - 1].value;
    enc_uvar(&e, lists);
    for (size_t i = 0, to; i < n; i = to) {
        uint32_t before = 0;
        list.n = 0;
        for (to = i; to < n && p[to].name == p[i].name && p[to].value == p[i].value; to++) {
            enc_uvar(&list, p[to].series - before);
            before = p[to].series;
        }
        enc_uvar(&e, p[i].name);
        enc_uvar(&e, p[i].value);
        enc_uvar(&e, to - i);
        enc_uvar(&e, list.n);
        enc_bytes(&e, list.p, list.n);
    }
    enc_fini(&list);
    free(p);
    add_section(x, "postings", &e);
}

static void write_metadata(struct index_writer *x)
{
    struct enc e = {0};
    enc_uvar(&e, x->metadata_n);
    enc_bytes(&e, x->metadata.p, x->metadata.n);
    add_section(x, "metadata", &e);
}

bool index_writer_finish(struct index_writer *x, struct part_info *info, uint64_t *size,
                         struct err *err)
{
    info->kind = PART_KIND_METRICS;
    info->min_t = x->min_t;
    info->max_t = x->max_t;
    info->series = x->series.n;
    info->samples = x->samples;
    write_symbols(x);
    write_series(x);
    write_postings(x);
    write_metadata(x);
    bool ok = part_writer_finish(x->w, info, size, err);
    index_writer_free(x);
    return ok;
}
