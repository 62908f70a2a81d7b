// SPDX-License-Identifier: Apache-2.0
/* What the engine says of itself: figures and the cardinality tables of the status page. */
#include <stdlib.h>

#include "tsdb/tsdb_int.h"

static void add_parts(struct tsdb *db, const struct part_set *ps, struct tsdb_stats *out)
{
    out->parts = ps->n;
    for (size_t i = 0; i < ps->n; i++) {
        const struct part_info *info = part_info(ps->at[i]->part);
        out->part_bytes += part_blob(ps->at[i]->part)->size;
        out->part_samples += info->samples;
        if (info->min_t > info->max_t)
            continue;
        out->all_min_t = info->min_t < out->all_min_t ? info->min_t : out->all_min_t;
        out->all_max_t = info->max_t > out->all_max_t ? info->max_t : out->all_max_t;
    }
}

void tsdb_stats(struct tsdb *db, struct tsdb_stats *out)
{
    struct wal_stats w;
    struct head *h = &db->head;
    *out = (struct tsdb_stats){0};
    if (db->wal)
        wal_stats(db->wal, &w);
    else
        w = (struct wal_stats){0};
    out->wal_bytes = w.bytes;
    out->wal_segments = w.segments;
    out->wal_commits = w.commits;
    out->wal_records_per_commit_max = w.group_records_max;
    pthread_rwlock_rdlock(&h->gate);
    out->chunks = h->chunks;
    out->head_samples = h->samples;
    out->min_t = out->all_min_t = h->min_t;
    out->max_t = out->all_max_t = h->max_t;
    add_parts(db, db->parts, out);
    pthread_rwlock_unlock(&h->gate);
    out->series = atomic_load(&h->series);
    out->memory_bytes = head_memory(h);
    for (unsigned i = 0; i < h->shards_n; i++) {
        pthread_rwlock_rdlock(&h->shards[i].lock);
        out->label_pairs += h->shards[i].index.postings.n - h->shards[i].index.unused.n;
        pthread_rwlock_unlock(&h->shards[i].lock);
    }
    out->stored = atomic_load(&db->stored);
    out->duplicate = atomic_load(&db->duplicate);
    out->conflicting = atomic_load(&db->conflicting);
    out->refused = atomic_load(&db->refused);
}

/* ---- cardinality ---- */

/* Counts by (name, value), over all shards; text in the arena. */
struct pair_count {
    str name, value;
    uint64_t n;
};

struct counts {
    VEC(struct pair_count) at;
};

static void count_shard(struct head *h, struct shard *sh, struct numbers *places, struct arena *a,
                        struct counts *c)
{
    VEC_EACH (p, &sh->index.postings) {
        if (p->n == 0)
            continue;
        uint64_t key = (uint64_t)p->name << 32 | p->value;
        const uint32_t *i = numbers_get(places, key);
        if (!i) {
            numbers_put(places, key, (uint32_t)c->at.n);
            vec_push(&c->at,
                     (struct pair_count){arena_dup(a, symbols_text(&h->symbols, p->name)),
                                         arena_dup(a, symbols_text(&h->symbols, p->value)), 0});
            i = numbers_get(places, key);
        }
        c->at.at[*i].n += p->n;
    }
}

static int top_cmp(const void *a, const void *b)
{
    const struct tsdb_top *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static void settle_top(struct tsdb_top *at, size_t n, size_t limit, struct tsdb_top **out,
                       size_t *out_n)
{
    if (n)
        qsort(at, n, sizeof *at, top_cmp);
    *out = at;
    *out_n = n > limit ? limit : n;
}

static int pair_cmp(const void *a, const void *b)
{
    const struct pair_count *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->value, y->value);
}

/* Two tables by label name: how many values, how many bytes of text. */
static void top_names(const struct counts *c, size_t limit, struct arena *a,
                      struct tsdb_cardinality *out)
{
    struct tsdb_top *values = arena_array(a, struct tsdb_top, c->at.n + 1);
    struct tsdb_top *sizes = arena_array(a, struct tsdb_top, c->at.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->at.n; i++) {
        const struct pair_count *p = &c->at.at[i];
        if (n == 0 || !str_eq(values[n - 1].name, p->name)) {
            values[n].name = sizes[n].name = p->name;
            n++;
        }
        values[n - 1].n++;
        sizes[n - 1].n += p->value.n * p->n;
    }
    settle_top(values, n, limit, &out->values_by_label, &out->values_by_label_n);
    settle_top(sizes, n, limit, &out->bytes_by_label, &out->bytes_by_label_n);
}

static void top_pairs(const struct counts *c, size_t limit, struct arena *a,
                      struct tsdb_cardinality *out)
{
    struct tsdb_top *pairs = arena_array(a, struct tsdb_top, c->at.n + 1);
    struct tsdb_top *metrics = arena_array(a, struct tsdb_top, c->at.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->at.n; i++) {
        const struct pair_count *p = &c->at.at[i];
        pairs[i].name = arena_printf(a, "%.*s=%.*s", STR_ARG(p->name), STR_ARG(p->value));
        pairs[i].n = p->n;
        if (str_eq(p->name, LABEL_NAME))
            metrics[n++] = (struct tsdb_top){p->value, p->n};
    }
    settle_top(pairs, c->at.n, limit, &out->series_by_pair, &out->series_by_pair_n);
    settle_top(metrics, n, limit, &out->series_by_metric, &out->series_by_metric_n);
}

void tsdb_cardinality(struct tsdb *db, size_t limit, struct arena *a, struct tsdb_cardinality *out)
{
    struct head *h = &db->head;
    struct counts c = {0};
    struct numbers places = {0};
    struct reclaim_reader reader;
    reclaim_enter(&h->reclaim, &reader);
    for (unsigned i = 0; i < h->shards_n; i++) {
        pthread_rwlock_rdlock(&h->shards[i].lock);
        count_shard(h, &h->shards[i], &places, a, &c);
        pthread_rwlock_unlock(&h->shards[i].lock);
    }
    reclaim_leave(&h->reclaim, &reader);
    numbers_fini(&places);
    if (c.at.n)
        qsort(c.at.at, c.at.n, sizeof c.at.at[0], pair_cmp);
    top_names(&c, limit, a, out);
    top_pairs(&c, limit, a, out);
    out->label_pairs = c.at.n;
    vec_fini(&c.at);
}
