// SPDX-License-Identifier: Apache-2.0
/*
 * A queue of all, oldest in front, and a chain for each series through the same items: what leaves
 * the queue is always the first of its chain. Series are found by a table of chains; they are gone
 * with their last exemplar.
 */
#include "tsdb/exemplars.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/vec.h"
#include "sys/self.h"

/* Memory allowed for each that may be held: a few times what one takes. */
enum { BYTES_EACH = 1024, BUCKETS_MIN = 64, PAUSE_EVERY = 256 };

struct item {
    struct item *next, *series_next; /* newer */
    struct held_series *series;
    struct exemplar x; /* text behind it */
    size_t size;
};

struct held_series {
    struct held_series *next; /* in the table */
    struct item *oldest, *newest;
    struct labels labels; /* text behind it */
    uint64_t hash;
    size_t size;
    uint32_t number; /* while all are copied */
    bool doomed;     /* while something is deleted */
};

struct exemplars {
    pthread_mutex_t lock; /* guards all */
    struct item *oldest, *newest;
    struct held_series **table;
    size_t buckets, n, series_n, max;
    uint64_t bytes;
    bool dirty;
};

struct exemplars *exemplars_new(size_t max)
{
    struct exemplars *x = mem_new(struct exemplars);
    pthread_mutex_init(&x->lock, NULL);
    x->max = max;
    x->buckets = BUCKETS_MIN;
    x->table = mem_zalloc(x->buckets * sizeof(struct held_series *));
    return x;
}

/* ---- copies ---- */

static size_t labels_size(struct labels ls)
{
    size_t n = ls.n * sizeof *ls.at;
    for (size_t i = 0; i < ls.n; i++)
        n += ls.at[i].name.n + ls.at[i].value.n;
    return n;
}

static str copy_text(char **p, str s)
{
    char *at = *p;
    if (s.n)
        memcpy(at, s.p, s.n);
    *p += s.n;
    return (str){at, s.n};
}

/* Array and text go to `at`, which has labels_size bytes. */
static struct labels labels_at(void *at, struct labels ls)
{
    struct label *copy = at;
    char *p = (char *)(copy + ls.n);
    for (size_t i = 0; i < ls.n; i++)
        copy[i] = (struct label){copy_text(&p, ls.at[i].name), copy_text(&p, ls.at[i].value)};
    return (struct labels){copy, ls.n};
}

/* ---- series ---- */

static struct held_series **slot_of(struct exemplars *x, struct labels ls, uint64_t hash)
{
    struct held_series **at = &x->table[hash & (x->buckets - 1)];
    while (*at && !((*at)->hash == hash && labels_eq((*at)->labels, ls)))
        at = &(*at)->next;
    return at;
}

static void grow_table(struct exemplars *x)
{
    size_t buckets = x->buckets * 2;
    struct held_series **table = mem_zalloc(buckets * sizeof(struct held_series *));
    for (size_t i = 0; i < x->buckets; i++)
        for (struct held_series *s = x->table[i], *next; s; s = next) {
            next = s->next;
            s->next = table[s->hash & (buckets - 1)];
            table[s->hash & (buckets - 1)] = s;
        }
    free(x->table);
    x->table = table;
    x->buckets = buckets;
}

static struct held_series *add_series(struct exemplars *x, struct labels ls, uint64_t hash)
{
    size_t size = sizeof(struct held_series) + labels_size(ls);
    struct held_series *s = mem_alloc(size);
    *s = (struct held_series){.labels = labels_at(s + 1, ls), .hash = hash, .size = size};
    if (x->series_n >= x->buckets)
        grow_table(x);
    s->next = x->table[hash & (x->buckets - 1)];
    x->table[hash & (x->buckets - 1)] = s;
    x->series_n++;
    x->bytes += size;
    return s;
}

static void remove_series(struct exemplars *x, struct held_series *s)
{
    struct held_series **at = slot_of(x, s->labels, s->hash);
    *at = s->next;
    x->series_n--;
    x->bytes -= s->size;
    free(s);
}

/* ---- items ---- */

static void drop_oldest(struct exemplars *x)
{
    struct item *i = x->oldest;
    struct held_series *s = i->series;
    x->oldest = i->next;
    if (!x->oldest)
        x->newest = NULL;
    s->oldest = i->series_next;
    x->n--;
    x->bytes -= i->size;
    free(i);
    if (!s->oldest)
        remove_series(x, s);
}

static void trim(struct exemplars *x)
{
    while (x->n && (x->n > x->max || x->bytes > (uint64_t)x->max * BYTES_EACH))
        drop_oldest(x);
    self_set(SELF_TSDB_EXEMPLARS_HELD, (int64_t)x->n);
}

static void append(struct exemplars *x, struct held_series *s, const struct exemplar *e)
{
    size_t size = sizeof(struct item) + labels_size(e->labels);
    struct item *i = mem_alloc(size);
    *i = (struct item){.series = s, .size = size, .x = {labels_at(i + 1, e->labels), e->t, e->v}};
    if (s->newest)
        s->newest->series_next = i;
    else
        s->oldest = i;
    s->newest = i;
    if (x->newest)
        x->newest->next = i;
    else
        x->oldest = i;
    x->newest = i;
    x->n++;
    x->bytes += size;
    x->dirty = true;
}

static size_t characters(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool too_long(struct labels ls)
{
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        n += characters(ls.at[i].name) + characters(ls.at[i].value);
    return n > EXEMPLAR_CHARACTERS_MAX;
}

static enum exemplar_result compare(const struct exemplar *newest, const struct exemplar *e)
{
    if (e->t != newest->t)
        return e->t > newest->t ? EXEMPLAR_STORED : EXEMPLAR_OUT_OF_ORDER;
    bool same_v = memcmp(&e->v, &newest->v, sizeof e->v) == 0;
    if (!same_v)
        return e->v < newest->v ? EXEMPLAR_OUT_OF_ORDER : EXEMPLAR_STORED;
    int c = labels_cmp(e->labels, newest->labels);
    return c == 0 ? EXEMPLAR_DUPLICATE : c < 0 ? EXEMPLAR_OUT_OF_ORDER : EXEMPLAR_STORED;
}

/* *s: the series, when it has some. */
static enum exemplar_result check(struct exemplars *x, struct labels series, uint64_t hash,
                                  const struct exemplar *e, struct held_series **s)
{
    *s = NULL;
    if (x->max == 0)
        return EXEMPLAR_DISABLED;
    if (too_long(e->labels))
        return EXEMPLAR_TOO_LONG;
    *s = *slot_of(x, series, hash);
    return *s ? compare(&(*s)->newest->x, e) : EXEMPLAR_STORED;
}

static enum exemplar_result add(struct exemplars *x, struct labels series, const struct exemplar *e)
{
    uint64_t hash = labels_hash(series);
    struct held_series *s;
    enum exemplar_result r = check(x, series, hash, e, &s);
    if (r != EXEMPLAR_STORED)
        return r;
    append(x, s ? s : add_series(x, series, hash), e);
    trim(x);
    return EXEMPLAR_STORED;
}

static void count(enum exemplar_result r)
{
    static const enum self_id rows[EXEMPLAR_RESULTS] = {
        SELF_TSDB_EXEMPLARS_STORED,       SELF_TSDB_EXEMPLARS_DUPLICATE,
        SELF_TSDB_EXEMPLARS_OUT_OF_ORDER, SELF_TSDB_EXEMPLARS_TOO_LONG,
        SELF_TSDB_EXEMPLARS_DISABLED,
    };
    self_add(rows[r], 1);
}

enum exemplar_result exemplars_add(struct exemplars *x, struct labels series,
                                   const struct exemplar *e)
{
    pthread_mutex_lock(&x->lock);
    enum exemplar_result r = add(x, series, e);
    pthread_mutex_unlock(&x->lock);
    count(r);
    return r;
}

enum exemplar_result exemplars_check(struct exemplars *x, struct labels series,
                                     const struct exemplar *e)
{
    struct held_series *s;
    pthread_mutex_lock(&x->lock);
    enum exemplar_result r = check(x, series, labels_hash(series), e, &s);
    pthread_mutex_unlock(&x->lock);
    if (r != EXEMPLAR_STORED)
        count(r);
    return r;
}

void exemplars_resize(struct exemplars *x, size_t max)
{
    pthread_mutex_lock(&x->lock);
    x->max = max;
    trim(x);
    pthread_mutex_unlock(&x->lock);
}

void exemplars_free(struct exemplars *x)
{
    if (!x)
        return;
    exemplars_resize(x, 0);
    pthread_mutex_destroy(&x->lock);
    free(x->table);
    free(x);
}

void exemplars_stats(struct exemplars *x, struct exemplars_stats *out)
{
    pthread_mutex_lock(&x->lock);
    *out = (struct exemplars_stats){x->n, x->series_n, x->max, x->bytes};
    pthread_mutex_unlock(&x->lock);
}

/* ---- selecting ---- */

static bool set_matches(const struct matcher_set *set, struct labels ls)
{
    for (size_t i = 0; i < set->n; i++)
        if (!matcher_test(&set->m[i], labels_get(ls, set->m[i].name)))
            return false;
    return true;
}

static bool matches(const struct matcher_set *sets, size_t n, struct labels ls)
{
    for (size_t i = 0; i < n; i++)
        if (set_matches(&sets[i], ls))
            return true;
    return false;
}

struct selecting {
    const struct matcher_set *sets;
    size_t sets_n;
    ts_ms start, end;
    struct arena *a;
    VEC(struct exemplar_series) found;
};

static void take(struct selecting *q, const struct held_series *s)
{
    size_t n = 0;
    for (const struct item *i = s->oldest; i; i = i->series_next)
        n += i->x.t >= q->start && i->x.t <= q->end;
    if (n == 0 || !matches(q->sets, q->sets_n, s->labels))
        return;
    struct exemplar *at = arena_array(q->a, struct exemplar, n);
    size_t k = 0;
    for (const struct item *i = s->oldest; i; i = i->series_next)
        if (i->x.t >= q->start && i->x.t <= q->end)
            at[k++] = (struct exemplar){labels_dup(q->a, i->x.labels), i->x.t, i->x.v};
    vec_push(&q->found, (struct exemplar_series){labels_dup(q->a, s->labels), at, n});
}

/* The lock is left now and then; when the table grew meanwhile, all begins again. */
static bool walk(struct exemplars *x, struct selecting *q)
{
    size_t buckets = x->buckets;
    vec_clear(&q->found);
    for (size_t i = 0; i < buckets; i++) {
        for (const struct held_series *s = x->table[i]; s; s = s->next)
            take(q, s);
        if (i % PAUSE_EVERY != PAUSE_EVERY - 1)
            continue;
        pthread_mutex_unlock(&x->lock);
        pthread_mutex_lock(&x->lock);
        if (x->buckets != buckets)
            return false;
    }
    return true;
}

static int found_cmp(const void *a, const void *b)
{
    return labels_cmp(((const struct exemplar_series *)a)->labels,
                      ((const struct exemplar_series *)b)->labels);
}

void exemplars_select(struct exemplars *x, const struct matcher_set *sets, size_t sets_n,
                      ts_ms start, ts_ms end, struct arena *a, struct exemplar_series **out,
                      size_t *n)
{
    struct selecting q = {.sets = sets, .sets_n = sets_n, .start = start, .end = end, .a = a};
    pthread_mutex_lock(&x->lock);
    while (!walk(x, &q))
        ;
    pthread_mutex_unlock(&x->lock);
    *n = q.found.n;
    *out = arena_array(a, struct exemplar_series, q.found.n + 1);
    if (q.found.n) {
        qsort(q.found.at, q.found.n, sizeof *q.found.at, found_cmp);
        memcpy(*out, q.found.at, q.found.n * sizeof *q.found.at);
    }
    vec_fini(&q.found);
}

/* ---- deleting ---- */

/* The chains of the series that match are emptied; what stays is put back in its order. */
static void empty_chains(struct exemplars *x, const struct matcher_set *m)
{
    for (size_t i = 0; i < x->buckets; i++)
        for (struct held_series *s = x->table[i]; s; s = s->next) {
            s->doomed = set_matches(m, s->labels);
            if (s->doomed)
                s->oldest = s->newest = NULL;
        }
}

static void keep_item(struct exemplars *x, struct item *i)
{
    struct held_series *s = i->series;
    i->next = NULL;
    if (x->newest)
        x->newest->next = i;
    else
        x->oldest = i;
    x->newest = i;
    if (!s->doomed)
        return;
    i->series_next = NULL;
    if (s->newest)
        s->newest->series_next = i;
    else
        s->oldest = i;
    s->newest = i;
}

static void remove_emptied(struct exemplars *x)
{
    for (size_t i = 0; i < x->buckets; i++)
        for (struct held_series *s = x->table[i], *next; s; s = next) {
            next = s->next;
            if (!s->oldest)
                remove_series(x, s);
        }
}

static size_t delete_from(struct exemplars *x, const struct matcher_set *m, ts_ms start, ts_ms end)
{
    size_t before = x->n;
    struct item *i = x->oldest, *next;
    empty_chains(x, m);
    x->oldest = x->newest = NULL;
    for (; i; i = next) {
        next = i->next;
        if (!i->series->doomed || i->x.t < start || i->x.t > end) {
            keep_item(x, i);
            continue;
        }
        x->n--;
        x->bytes -= i->size;
        free(i);
    }
    remove_emptied(x);
    return before - x->n;
}

size_t exemplars_delete(struct exemplars *x, const struct matcher_set *m, ts_ms start, ts_ms end)
{
    pthread_mutex_lock(&x->lock);
    size_t n = delete_from(x, m, start, end);
    x->dirty = x->dirty || n > 0;
    trim(x);
    pthread_mutex_unlock(&x->lock);
    return n;
}

/* ---- on disk ---- */

bool exemplars_dirty(struct exemplars *x)
{
    pthread_mutex_lock(&x->lock);
    bool dirty = x->dirty;
    pthread_mutex_unlock(&x->lock);
    return dirty;
}

void exemplars_set_dirty(struct exemplars *x, bool dirty)
{
    pthread_mutex_lock(&x->lock);
    x->dirty = dirty;
    pthread_mutex_unlock(&x->lock);
}

/* Copies, so that batches need not wait while they are sorted and written. */
struct held_copy {
    struct arena arena;
    struct labels *series;
    struct exemplar_row *rows; /* oldest first */
    size_t series_n, n;
};

/* Under the lock. */
static void copy_held(struct exemplars *x, struct held_copy *c)
{
    c->series = mem_array(x->series_n + 1, sizeof *c->series);
    c->rows = mem_array(x->n + 1, sizeof *c->rows);
    for (size_t i = 0; i < x->buckets; i++)
        for (struct held_series *s = x->table[i]; s; s = s->next) {
            s->number = (uint32_t)c->series_n;
            c->series[c->series_n++] = labels_dup(&c->arena, s->labels);
        }
    for (const struct item *i = x->oldest; i; i = i->next)
        c->rows[c->n++] = (struct exemplar_row){
            i->series->number, {labels_dup(&c->arena, i->x.labels), i->x.t, i->x.v}};
}

struct numbered {
    struct labels labels;
    uint32_t number;
};

static int numbered_cmp(const void *a, const void *b)
{
    return labels_cmp(((const struct numbered *)a)->labels, ((const struct numbered *)b)->labels);
}

/* Series by labels, so that neighbours have much in common. */
static void sort_copy(struct held_copy *c)
{
    struct numbered *all MEM_CLEANUP = mem_array(c->series_n + 1, sizeof *all);
    uint32_t *place MEM_CLEANUP = mem_array(c->series_n + 1, sizeof *place);
    for (size_t i = 0; i < c->series_n; i++)
        all[i] = (struct numbered){c->series[i], (uint32_t)i};
    qsort(all, c->series_n, sizeof *all, numbered_cmp);
    for (size_t i = 0; i < c->series_n; i++) {
        c->series[i] = all[i].labels;
        place[all[i].number] = (uint32_t)i;
    }
    for (size_t i = 0; i < c->n; i++)
        c->rows[i].series = place[c->rows[i].series];
}

void exemplars_encode(struct exemplars *x, struct enc *e)
{
    struct held_copy c = {0};
    arena_init(&c.arena, 0);
    pthread_mutex_lock(&x->lock);
    copy_held(x, &c);
    x->dirty = false;
    pthread_mutex_unlock(&x->lock);
    sort_copy(&c);
    exemplar_rows_encode(e, c.series, c.series_n, c.rows, c.n);
    free(c.rows);
    free(c.series);
    arena_fini(&c.arena);
}

static void put_labels(struct enc *e, struct labels ls, struct labels before)
{
    size_t same = 0;
    while (same < ls.n && same < before.n && str_eq(ls.at[same].name, before.at[same].name) &&
           str_eq(ls.at[same].value, before.at[same].value))
        same++;
    enc_uvar(e, same);
    enc_uvar(e, ls.n - same);
    for (size_t i = same; i < ls.n; i++) {
        enc_str(e, ls.at[i].name);
        enc_str(e, ls.at[i].value);
    }
}

void exemplar_rows_encode(struct enc *e, const struct labels *series, size_t series_n,
                          const struct exemplar_row *rows, size_t n)
{
    struct labels before = {0};
    uint64_t t = 0;
    enc_uvar(e, series_n);
    for (size_t i = 0; i < series_n; i++) {
        put_labels(e, series[i], before);
        before = series[i];
    }
    enc_uvar(e, n);
    for (size_t i = 0; i < n; i++) {
        enc_uvar(e, rows[i].series);
        enc_svar(e, (int64_t)((uint64_t)rows[i].x.t - t));
        t = (uint64_t)rows[i].x.t;
        enc_bytes(e, &rows[i].x.v, sizeof rows[i].x.v);
        put_labels(e, rows[i].x.labels, (struct labels){0});
    }
}

enum { LABELS_MAX = 1024, LABELS_PER_BYTE = 64 };

/* `left` bounds what labels that are only referred to can grow to. */
struct taking {
    struct dec *d;
    struct arena *a;
    uint64_t left;
};

static bool take_labels(struct taking *k, struct labels before, struct labels *out)
{
    struct dec *d = k->d;
    uint64_t same = dec_uvar(d), more = dec_uvar(d);
    if (d->bad || same > before.n || more > LABELS_MAX || same + more > LABELS_MAX ||
        same + more > k->left)
        return false;
    k->left -= same + more;
    struct label *at = arena_array(k->a, struct label, same + more);
    for (uint64_t i = 0; i < same; i++)
        at[i] = before.at[i];
    for (uint64_t i = same; i < same + more; i++) {
        at[i].name = dec_str(d);
        at[i].value = dec_str(d);
        if (i > 0 && str_cmp(at[i - 1].name, at[i].name) >= 0)
            return false;
    }
    *out = (struct labels){at, same + more};
    return !d->bad;
}

static bool take_row(struct taking *k, uint64_t *t, struct exemplar *x)
{
    *t += (uint64_t)dec_svar(k->d);
    uint64_t bits = dec_u64(k->d);
    x->t = (ts_ms)*t;
    memcpy(&x->v, &bits, sizeof bits);
    return take_labels(k, (struct labels){0}, &x->labels);
}

bool exemplar_rows_decode(struct dec *d, struct arena *a,
                          void (*fn)(void *arg, struct labels series, const struct exemplar *x),
                          void *arg)
{
    struct taking k = {d, a, LABELS_PER_BYTE * (uint64_t)dec_left(d)};
    uint64_t series_n = dec_uvar(d), t = 0;
    struct labels before = {0};
    if (d->bad || series_n > dec_left(d))
        return false;
    struct labels *series = arena_array(a, struct labels, series_n);
    for (uint64_t i = 0; i < series_n; i++) {
        if (!take_labels(&k, before, &series[i]))
            return false;
        before = series[i];
    }
    uint64_t n = dec_uvar(d);
    for (uint64_t i = 0; i < n; i++) {
        struct exemplar x;
        uint64_t s = dec_uvar(d);
        if (d->bad || s >= series_n || !take_row(&k, &t, &x))
            return false;
        fn(arg, series[s], &x);
    }
    return !d->bad;
}
