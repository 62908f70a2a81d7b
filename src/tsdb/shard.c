// SPDX-License-Identifier: Apache-2.0
/* Which series a shard has: table by labels, postings by (name, value). */
#include <stdlib.h>

#include "tsdb/head.h"

static uint64_t pair_key(uint32_t name, uint32_t value)
{
    return (uint64_t)name << 32 | value;
}

static bool has_labels(const struct head *h, const struct series *s, struct labels ls)
{
    if (s->labels_n != ls.n)
        return false;
    for (size_t i = 0; i < ls.n; i++)
        if (!str_eq(symbols_text(&h->symbols, s->labels[2 * i + 1]), ls.at[i].value) ||
            !str_eq(symbols_text(&h->symbols, s->labels[2 * i]), ls.at[i].name))
            return false;
    return true;
}

struct series *shard_find(struct head *h, struct shard *sh, struct labels ls, uint64_t hash)
{
    if (!sh->slots_n)
        return NULL;
    for (size_t i = hash & (sh->slots_n - 1); sh->slots[i]; i = (i + 1) & (sh->slots_n - 1)) {
        struct series *s = sh->by_id.at[sh->slots[i] - 1];
        if (s->hash == hash && has_labels(h, s, ls))
            return s;
    }
    return NULL;
}

/* Three dependent places for each, so three rounds: the misses of a round overlap. */
void shard_prefetch(const struct shard *sh, const uint64_t *hashes, size_t n)
{
    size_t mask = sh->slots_n - 1;
    if (!sh->slots_n)
        return;
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&sh->slots[hashes[i] & mask]);
    for (size_t i = 0; i < n; i++)
        if (sh->slots[hashes[i] & mask])
            __builtin_prefetch(&sh->by_id.at[sh->slots[hashes[i] & mask] - 1]);
    for (size_t i = 0; i < n; i++) {
        if (!sh->slots[hashes[i] & mask])
            continue;
        const char *s = (const char *)sh->by_id.at[sh->slots[hashes[i] & mask] - 1];
        __builtin_prefetch(s);
        __builtin_prefetch(s + 64); /* the labels */
        __builtin_prefetch(s + 128);
    }
}

static void slot_put(struct shard *sh, const struct series *s)
{
    size_t i = s->hash & (sh->slots_n - 1);
    while (sh->slots[i])
        i = (i + 1) & (sh->slots_n - 1);
    sh->slots[i] = s->id + 1;
}

/* Makes the table anew, `n` slots, from the series that are there. */
static void rebuild_slots(struct shard *sh, size_t n)
{
    free(sh->slots);
    sh->slots_n = n;
    sh->slots = mem_zalloc(n * sizeof *sh->slots);
    VEC_EACH (s, &sh->by_id)
        if (*s)
            slot_put(sh, *s);
}

static void postings_push(struct postings *p, uint32_t id)
{
    if (p->n == 0 && p->cap == 0) {
        p->one = id;
    } else {
        if (p->cap == 0 || p->n == p->cap) {
            uint32_t cap = p->cap ? p->cap + p->cap / 2 : 4;
            uint32_t *at = mem_array(cap, sizeof *at);
            memcpy(at, p->cap ? p->at : &p->one, p->n * sizeof *at);
            if (p->cap)
                free(p->at);
            p->at = at;
            p->cap = cap;
        }
        p->at[p->n] = id;
    }
    p->n++;
}

static const uint32_t *postings_ids(const struct postings *p)
{
    return p->cap ? p->at : &p->one;
}

static struct label_values *values_of(struct shard *sh, uint32_t name)
{
    const uint32_t *i = numbers_get(&sh->by_name, name);
    if (i)
        return &sh->names.at[*i];
    numbers_put(&sh->by_name, name, (uint32_t)sh->names.n);
    vec_push(&sh->names, (struct label_values){.name = name});
    return &vec_last(&sh->names);
}

/* Adds the series to the postings of its label; new postings count their symbols. */
static void index_label(struct head *h, struct shard *sh, uint32_t name, uint32_t value,
                        uint32_t id)
{
    const uint32_t *i = numbers_get(&sh->pairs, pair_key(name, value));
    if (i) {
        postings_push(&sh->postings.at[*i], id);
        return;
    }
    struct label_values *lv = values_of(sh, name);
    vec_push(&lv->postings, (uint32_t)sh->postings.n);
    numbers_put(&sh->pairs, pair_key(name, value), (uint32_t)sh->postings.n);
    vec_push(&sh->postings, (struct postings){.name = name, .value = value});
    postings_push(&vec_last(&sh->postings), id);
    atomic_fetch_add_explicit(&h->memory, 48, memory_order_relaxed);
}

static size_t series_size(size_t labels_n)
{
    return offsetof(struct series, labels) + 2 * labels_n * sizeof(uint32_t);
}

static size_t series_bytes(const struct series *s)
{
    /* The struct, its slots and table entries, its postings. */
    return series_size(s->labels_n) + s->labels_n * 5 + 24 + sizeof(struct mark);
}

struct series *shard_add(struct head *h, struct shard *sh, struct labels ls, uint64_t hash)
{
    struct series *s = mem_zalloc(series_size(ls.n));
    s->hash = hash;
    s->labels_n = (uint16_t)ls.n;
    s->gen = UINT32_MAX; /* none yet */
    s->id = (uint32_t)sh->by_id.n;
    for (size_t i = 0; i < ls.n; i++) {
        s->labels[2 * i] = symbols_ref(&h->symbols, ls.at[i].name);
        s->labels[2 * i + 1] = symbols_ref(&h->symbols, ls.at[i].value);
        index_label(h, sh, s->labels[2 * i], s->labels[2 * i + 1], s->id);
    }
    vec_push(&sh->by_id, s);
    vec_push(&sh->marks, (struct mark){0});
    sh->live++;
    if (sh->live * 4 >= sh->slots_n * 3)
        rebuild_slots(sh, sh->slots_n ? sh->slots_n * 2 : 64);
    else
        slot_put(sh, s);
    atomic_fetch_add_explicit(&h->memory, series_bytes(s), memory_order_relaxed);
    atomic_fetch_add_explicit(&h->series, 1, memory_order_relaxed);
    atomic_fetch_add(&h->added, 1);
    return s;
}

static void index_clear(struct shard *sh)
{
    VEC_EACH (p, &sh->postings)
        if (p->cap)
            free(p->at);
    VEC_EACH (n, &sh->names)
        vec_fini(&n->postings);
    vec_fini(&sh->postings);
    vec_fini(&sh->names);
    numbers_fini(&sh->pairs);
    numbers_fini(&sh->by_name);
}

static void series_retire(struct head *h, struct series *s)
{
    for (size_t i = 0; i < 2 * (size_t)s->labels_n; i++)
        symbols_unref(&h->symbols, s->labels[i]);
    atomic_fetch_sub_explicit(&h->memory, series_bytes(s), memory_order_relaxed);
    atomic_fetch_sub_explicit(&h->series, 1, memory_order_relaxed);
    s->gone = true;
    if (s->has_extra)
        extras_remove(&h->extras, head_series_number(h, s));
    reclaim_retire(&h->reclaim, s);
}

static bool is_removable(const struct shard *sh, const struct series *s, uint32_t idle_min,
                         uint32_t spared)
{
    return s->idle >= idle_min && !s->open && !s->sealed && !s->frozen && !s->late &&
           atomic_load(&sh->marks.at[s->id].touched) < spared;
}

void shard_remove_idle(struct head *h, struct shard *sh, uint32_t idle_min)
{
    size_t pairs = sh->postings.n;
    uint32_t spared = flights_oldest(&h->flights);
    VEC(struct series *) removed = {0};
    VEC_EACH (s, &sh->by_id)
        if (*s && is_removable(sh, *s, idle_min, spared)) {
            vec_push(&removed, *s);
            *s = NULL;
        }
    if (removed.n) {
        order_forget(h, removed.at, removed.n);
        VEC_EACH (s, &removed)
            series_retire(h, *s);
    }
    bool any = removed.n > 0;
    sh->live -= removed.n;
    vec_fini(&removed);
    if (!any)
        return;
    index_clear(sh);
    VEC_EACH (s, &sh->by_id)
        for (size_t i = 0; *s && i < (*s)->labels_n; i++)
            index_label(h, sh, (*s)->labels[2 * i], (*s)->labels[2 * i + 1], (*s)->id);
    atomic_fetch_sub_explicit(&h->memory, 48 * pairs, memory_order_relaxed);
    rebuild_slots(sh, sh->slots_n);
}

int series_cmp(const struct head *h, const struct series *x, const struct series *y)
{
    size_t n = x->labels_n < y->labels_n ? x->labels_n : y->labels_n;
    for (size_t i = 0; i < 2 * n; i++) {
        if (x->labels[i] == y->labels[i]) /* equal symbols are equal text */
            continue;
        return str_cmp(symbols_text(&h->symbols, x->labels[i]),
                       symbols_text(&h->symbols, y->labels[i]));
    }
    return (x->labels_n > y->labels_n) - (x->labels_n < y->labels_n);
}

struct labels series_labels(const struct head *h, const struct series *s, struct arena *a)
{
    struct label *at = arena_alloc(a, (s->labels_n + 1) * sizeof *at);
    for (size_t i = 0; i < s->labels_n; i++)
        at[i] = (struct label){symbols_text(&h->symbols, s->labels[2 * i]),
                               symbols_text(&h->symbols, s->labels[2 * i + 1])};
    return (struct labels){at, s->labels_n};
}

/* ---- matching ---- */

static struct id_list list_new(struct arena *a, size_t cap)
{
    return (struct id_list){arena_alloc(a, (cap + 1) * sizeof(uint32_t)), 0};
}

static struct id_list all_ids(struct shard *sh, struct arena *a)
{
    struct id_list l = list_new(a, sh->by_id.n);
    for (uint32_t i = 0; i < sh->by_id.n; i++)
        if (sh->by_id.at[i])
            l.at[l.n++] = i;
    return l;
}

/* Ids that are in one of some lists, as a bit each: sorted by being looked at in order. */
struct id_set {
    uint64_t *bits;
    size_t words, n;
};

static struct id_set set_new(const struct shard *sh, struct arena *a)
{
    size_t words = sh->by_id.n / 64 + 1;
    return (struct id_set){arena_array(a, uint64_t, words), words, 0};
}

static void set_add(struct id_set *s, const struct postings *p)
{
    const uint32_t *ids = postings_ids(p);
    for (uint32_t i = 0; i < p->n; i++)
        s->bits[ids[i] / 64] |= 1ULL << ids[i] % 64;
    s->n += p->n;
}

static struct id_list set_list(const struct id_set *s, struct arena *a)
{
    struct id_list l = list_new(a, s->n);
    for (size_t w = 0; w < s->words; w++)
        for (uint64_t left = s->bits[w]; left; left &= left - 1)
            l.at[l.n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(left));
    return l;
}

static const struct postings *postings_of(struct head *h, struct shard *sh, str name, str value)
{
    uint32_t n = symbols_find(&h->symbols, name), v = n ? symbols_find(&h->symbols, value) : 0;
    const uint32_t *i = v ? numbers_get(&sh->pairs, pair_key(n, v)) : NULL;
    return i ? &sh->postings.at[*i] : NULL;
}

/* Ids of the series whose label has a value that matches. An alternation of texts is looked up,
 * text by text; everything else is asked of every value. */
static struct id_list ids_by_value(struct head *h, struct shard *sh, const struct matcher *m,
                                   struct arena *a)
{
    struct id_set set = set_new(sh, a);
    str *texts;
    size_t n;
    if (m->op == MATCH_RE && regex_literals(m->re, a, &texts, &n)) {
        for (size_t i = 0; i < n; i++) {
            const struct postings *p = postings_of(h, sh, m->name, texts[i]);
            if (p)
                set_add(&set, p);
        }
        return set_list(&set, a);
    }
    uint32_t name = symbols_find(&h->symbols, m->name);
    const uint32_t *i = name ? numbers_get(&sh->by_name, name) : NULL;
    if (!i)
        return (struct id_list){0};
    VEC_EACH (k, &sh->names.at[*i].postings) {
        const struct postings *p = &sh->postings.at[*k];
        if (matcher_test(m, symbols_text(&h->symbols, p->value)))
            set_add(&set, p);
    }
    return set_list(&set, a);
}

/* Keeps in `l` what is in `with`. Both rise; `l` is the shorter, so it looks ahead in `with` by
 * doubling steps. */
static void keep_common(struct id_list *l, const struct postings *with)
{
    const uint32_t *ids = postings_ids(with);
    size_t n = 0, k = 0;
    for (size_t i = 0; i < l->n; i++) {
        size_t step = 1, end;
        while (k + step < with->n && ids[k + step] < l->at[i]) {
            k += step;
            step *= 2;
        }
        end = k + step < with->n ? k + step : with->n;
        while (k < end && ids[k] < l->at[i]) {
            size_t half = k + (end - k) / 2;
            if (ids[half] < l->at[i])
                k = half + 1;
            else
                end = half;
        }
        if (k < with->n && ids[k] == l->at[i])
            l->at[n++] = l->at[i];
    }
    l->n = n;
}

static int by_size(const void *a, const void *b)
{
    const struct postings *x = *(const struct postings *const *)a,
                          *y = *(const struct postings *const *)b;
    return (x->n > y->n) - (x->n < y->n);
}

/* The series that have all the values asked for by name; false when no matcher does that. */
static bool ids_equal(struct head *h, struct shard *sh, const struct matcher *m, size_t m_n,
                      struct arena *a, struct id_list *l)
{
    const struct postings **some = arena_array(a, const struct postings *, m_n);
    size_t n = 0;
    for (size_t i = 0; i < m_n; i++) {
        if (m[i].op != MATCH_EQ || m[i].value.n == 0)
            continue;
        some[n] = postings_of(h, sh, m[i].name, m[i].value);
        if (!some[n++]) {
            *l = (struct id_list){0};
            return true;
        }
    }
    if (n == 0)
        return false;
    qsort(some, n, sizeof *some, by_size);
    *l = list_new(a, some[0]->n);
    l->n = some[0]->n;
    memcpy(l->at, postings_ids(some[0]), l->n * sizeof *l->at);
    for (size_t i = 1; i < n && l->n; i++)
        keep_common(l, some[i]);
    return true;
}

/* The value of a label, 0: it is not there. */
static uint32_t value_of(const struct series *s, uint32_t name)
{
    for (size_t i = 0; i < s->labels_n; i++)
        if (s->labels[2 * i] == name)
            return s->labels[2 * i + 1];
    return 0;
}

/* Keeps the series of `l` that match; each value is asked once. */
static void filter(struct head *h, struct shard *sh, const struct matcher *m, struct id_list *l)
{
    enum { NO = 1, YES };
    struct numbers answers = {0};
    uint32_t name = symbols_find(&h->symbols, m->name), before = 0;
    bool absent = matcher_test_absent(m), keep = absent;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        uint32_t value = name ? value_of(sh->by_id.at[l->at[i]], name) : 0;
        if (value == 0) {
            keep = absent;
        } else if (value != before) {
            const uint32_t *known = numbers_get(&answers, value);
            keep = known ? *known == YES : matcher_test(m, symbols_text(&h->symbols, value));
            if (!known)
                numbers_put(&answers, value, keep ? YES : NO);
        }
        before = value;
        if (keep)
            l->at[n++] = l->at[i];
    }
    l->n = n;
    numbers_fini(&answers);
}

struct id_list shard_match(struct head *h, struct shard *sh, const struct matcher *m, size_t m_n,
                           struct arena *a)
{
    struct id_list l = {0};
    const struct matcher *first = NULL;
    bool equal = ids_equal(h, sh, m, m_n, a, &l);
    /* Without an equality, a matcher that asks for a label is where to start. */
    for (size_t i = 0; i < m_n && !equal && !first; i++)
        if (!matcher_test_absent(&m[i]))
            first = &m[i];
    if (!equal)
        l = first ? ids_by_value(h, sh, first, a) : all_ids(sh, a);
    for (size_t i = 0; i < m_n && l.n; i++)
        if (&m[i] != first && !(m[i].op == MATCH_EQ && m[i].value.n))
            filter(h, sh, &m[i], &l);
    return l;
}

bool series_matches(const struct head *h, const struct series *s, const struct matcher *m,
                    size_t m_n)
{
    for (size_t k = 0; k < m_n; k++) {
        str value = STR("");
        for (size_t i = 0; i < s->labels_n; i++)
            if (str_eq(symbols_text(&h->symbols, s->labels[2 * i]), m[k].name))
                value = symbols_text(&h->symbols, s->labels[2 * i + 1]);
        if (!matcher_test(&m[k], value))
            return false;
    }
    return true;
}

/* ---- all of it ---- */

static void shard_fini(struct shard *sh)
{
    VEC_EACH (s, &sh->by_id) {
        if (!*s)
            continue;
        free((*s)->open);
        free((*s)->late);
        struct chunk *lists[] = {(*s)->sealed, (*s)->frozen};
        for (size_t i = 0; i < 2; i++)
            for (struct chunk *c = lists[i], *next; c; c = next) {
                next = c->next;
                free(c);
            }
        free(*s);
    }
    index_clear(sh);
    vec_fini(&sh->by_id);
    vec_fini(&sh->marks);
    free(sh->slots);
    pthread_rwlock_destroy(&sh->lock);
}

void head_lock_shards(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        pthread_rwlock_rdlock(&h->shards[i].lock);
}

void head_unlock_shards(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        pthread_rwlock_unlock(&h->shards[i].lock);
}

void head_init(struct head *h, unsigned shards)
{
    pthread_rwlockattr_t attr;
    *h = (struct head){.shards_n = shards, .gen = 1, .min_t = INT64_MAX, .max_t = INT64_MIN};
    /* Readers that keep coming must not keep a batch waiting. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&h->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    reclaim_init(&h->reclaim);
    symbols_init(&h->symbols, &h->reclaim);
    extras_init(&h->extras, &h->reclaim, &h->memory);
    keys_init(&h->keys);
    flights_init(&h->flights);
    order_init(&h->order);
    h->shards = aligned_alloc(64, shards * sizeof *h->shards);
    if (!h->shards)
        abort();
    memset(h->shards, 0, shards * sizeof *h->shards);
    for (unsigned i = 0; i < shards; i++)
        pthread_rwlock_init(&h->shards[i].lock, NULL);
}

void head_fini(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        shard_fini(&h->shards[i]);
    free(h->shards);
    extras_fini(&h->extras);
    symbols_fini(&h->symbols);
    keys_fini(&h->keys);
    flights_fini(&h->flights);
    order_fini(&h->order);
    reclaim_fini(&h->reclaim);
    pthread_rwlock_destroy(&h->gate);
}
