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

/* The `limit` largest of what was offered; text in the symbols. */
struct row {
    str name, value; /* value.p NULL: it is about a name */
    uint64_t n;
};
struct top {
    struct row *at; /* a heap: the smallest, or last, is first */
    size_t n, limit;
};

/* Whether x stands before y: it is larger, or its text comes first. */
static bool is_before(const struct row *x, const struct row *y)
{
    if (x->n != y->n)
        return x->n > y->n;
    int c = str_cmp(x->name, y->name);
    return c ? c < 0 : str_cmp(x->value, y->value) < 0;
}

static void swap_rows(struct row *x, struct row *y)
{
    struct row z = *x;
    *x = *y;
    *y = z;
}

static void sink_first(struct top *t)
{
    for (size_t i = 0, k; (k = 2 * i + 1) < t->n; i = k) {
        k += k + 1 < t->n && is_before(&t->at[k], &t->at[k + 1]);
        if (is_before(&t->at[k], &t->at[i]))
            return;
        swap_rows(&t->at[i], &t->at[k]);
    }
}

static void offer(struct top *t, struct row r)
{
    if (t->n == t->limit) {
        if (t->n && is_before(&r, &t->at[0])) {
            t->at[0] = r;
            sink_first(t);
        }
        return;
    }
    size_t i = t->n++;
    for (t->at[i] = r; i && is_before(&t->at[(i - 1) / 2], &t->at[i]); i = (i - 1) / 2)
        swap_rows(&t->at[i], &t->at[(i - 1) / 2]);
}

static int row_cmp(const void *a, const void *b)
{
    return is_before(a, b) ? -1 : is_before(b, a);
}

/* Frees the heap. */
static void settle_top(struct top *t, struct arena *a, struct tsdb_top **out, size_t *n)
{
    if (t->n)
        qsort(t->at, t->n, sizeof *t->at, row_cmp);
    *out = arena_array(a, struct tsdb_top, t->n + 1);
    *n = t->n;
    for (size_t i = 0; i < t->n; i++) {
        const struct row *r = &t->at[i];
        (*out)[i].n = r->n;
        (*out)[i].name = r->value.p
                             ? arena_printf(a, "%.*s=%.*s", STR_ARG(r->name), STR_ARG(r->value))
                             : arena_dup(a, r->name);
    }
    free(t->at);
}

/* Of a pair, or of a name: symbols, because the same text is one symbol in all shards. */
struct pair_count {
    uint32_t name, value;
    uint64_t n;
};
struct name_count {
    uint32_t name;
    uint64_t values, bytes;
};

struct counts {
    const struct symbols *symbols;
    VEC(struct pair_count) pairs;
    VEC(struct name_count) names;
    struct numbers pair_places, name_places;
};

static void count_pair(struct counts *c, const struct postings *p)
{
    uint64_t key = (uint64_t)p->name << 32 | p->value;
    const uint32_t *there = numbers_get(&c->pair_places, key);
    if (there) {
        c->pairs.at[*there].n += p->n;
        return;
    }
    numbers_put(&c->pair_places, key, (uint32_t)c->pairs.n);
    vec_push(&c->pairs, (struct pair_count){p->name, p->value, p->n});
}

static void count_name(struct counts *c, const struct pair_count *p)
{
    const uint32_t *there = numbers_get(&c->name_places, p->name);
    uint32_t i = there ? *there : (uint32_t)c->names.n;
    if (!there) {
        numbers_put(&c->name_places, p->name, i);
        vec_push(&c->names, (struct name_count){.name = p->name});
    }
    c->names.at[i].values++;
    c->names.at[i].bytes += symbols_text(c->symbols, p->value).n * p->n;
}

/* All shards; each pair once. */
static void count_head(struct counts *c, struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++) {
        pthread_rwlock_rdlock(&h->shards[i].lock);
        VEC_EACH (p, &h->shards[i].index.postings)
            if (p->n)
                count_pair(c, p);
        pthread_rwlock_unlock(&h->shards[i].lock);
    }
    VEC_EACH (p, &c->pairs)
        count_name(c, p);
}

static struct top top_new(size_t limit, size_t n)
{
    limit = limit < n ? limit : n;
    return (struct top){.at = mem_array(limit + 1, sizeof(struct row)), .limit = limit};
}

static void top_names(const struct counts *c, size_t limit, struct arena *a,
                      struct tsdb_cardinality *out)
{
    struct top values = top_new(limit, c->names.n), sizes = top_new(limit, c->names.n);
    VEC_EACH (n, &c->names) {
        str name = symbols_text(c->symbols, n->name);
        offer(&values, (struct row){.name = name, .n = n->values});
        offer(&sizes, (struct row){.name = name, .n = n->bytes});
    }
    settle_top(&values, a, &out->values_by_label, &out->values_by_label_n);
    settle_top(&sizes, a, &out->bytes_by_label, &out->bytes_by_label_n);
}

static void top_pairs(const struct counts *c, size_t limit, struct arena *a,
                      struct tsdb_cardinality *out)
{
    struct top pairs = top_new(limit, c->pairs.n), metrics = top_new(limit, c->pairs.n);
    VEC_EACH (p, &c->pairs) {
        str name = symbols_text(c->symbols, p->name), value = symbols_text(c->symbols, p->value);
        offer(&pairs, (struct row){name, value, p->n});
        if (str_eq(name, LABEL_NAME))
            offer(&metrics, (struct row){.name = value, .n = p->n});
    }
    settle_top(&pairs, a, &out->series_by_pair, &out->series_by_pair_n);
    settle_top(&metrics, a, &out->series_by_metric, &out->series_by_metric_n);
    out->label_pairs = c->pairs.n;
}

void tsdb_cardinality(struct tsdb *db, size_t limit, struct arena *a, struct tsdb_cardinality *out)
{
    struct head *h = &db->head;
    struct counts c = {.symbols = &h->symbols};
    struct reclaim_reader reader;
    reclaim_enter(&h->reclaim, &reader);
    count_head(&c, h);
    top_names(&c, limit, a, out);
    top_pairs(&c, limit, a, out);
    reclaim_leave(&h->reclaim, &reader);
    numbers_fini(&c.pair_places);
    numbers_fini(&c.name_places);
    vec_fini(&c.pairs);
    vec_fini(&c.names);
}
