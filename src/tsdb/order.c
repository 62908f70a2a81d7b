// SPDX-License-Identifier: Apache-2.0
#include "tsdb/order.h"

#include <stdlib.h>
#include <string.h>

#include "tsdb/head.h"

enum { RANK_GAP = 1 << 16, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

void order_init(struct order *o)
{
    pthread_mutex_init(&o->update, NULL);
    pthread_rwlock_init(&o->lock, NULL);
}

void order_fini(struct order *o)
{
    vec_fini(&o->at);
    pthread_mutex_destroy(&o->update);
    pthread_rwlock_destroy(&o->lock);
}

/* ---- sorting by labels ---- */

/* A series at one of its labels' symbols; 0 behind the last. */
struct at_symbol {
    uint32_t symbol;
    struct series *s;
};

/* The series [from, from + n) have this symbol. */
struct same {
    uint32_t symbol;
    size_t from, n;
};

static int by_symbol(const void *a, const void *b)
{
    uint32_t x = ((const struct at_symbol *)a)->symbol, y = ((const struct at_symbol *)b)->symbol;
    return (x > y) - (x < y);
}

static int by_labels(const void *a, const void *b, void *head)
{
    return series_cmp(head, *(const struct series *const *)a, *(const struct series *const *)b);
}

static int by_text(const void *a, const void *b, void *head)
{
    const struct symbols *y = &((const struct head *)head)->symbols;
    return str_cmp(symbols_text(y, ((const struct same *)a)->symbol),
                   symbols_text(y, ((const struct same *)b)->symbol));
}

static uint32_t symbol_at(const struct series *s, size_t place)
{
    return place < 2 * (size_t)s->labels_n ? s->labels[place] : 0;
}

/* From `place` on, the first place at which not all have one symbol; where one ends at the latest.
 */
static size_t skip_common(struct series *const *at, size_t n, size_t place)
{
    for (;; place++)
        for (size_t i = 0; i < n; i++)
            if (symbol_at(at[i], place) != symbol_at(at[0], place) || !symbol_at(at[i], place))
                return place;
}

/* Equal in the symbols before `place`. Many series have few symbols at one place: numbers group
 * them, and of each group text is compared once. */
static void sort_series(struct head *h, struct series **at, size_t n, size_t place,
                        struct at_symbol *room)
{
    enum { FEW = 32 };
    VEC(struct same) groups = {0};
    if (n <= FEW) {
        qsort_r(at, n, sizeof(struct series *), by_labels, h);
        return;
    }
    place = skip_common(at, n, place);
    for (size_t i = 0; i < n; i++)
        room[i] = (struct at_symbol){symbol_at(at[i], place), at[i]};
    qsort(room, n, sizeof *room, by_symbol);
    for (size_t i = 0; i < n; groups.at[groups.n - 1].n++, i++)
        if (i == 0 || room[i].symbol != room[i - 1].symbol)
            vec_push(&groups, (struct same){room[i].symbol, i, 0});
    /* What has no more labels comes first. */
    size_t ended = groups.at[0].symbol == 0;
    qsort_r(groups.at + ended, groups.n - ended, sizeof *groups.at, by_text, h);
    size_t to = 0;
    VEC_EACH (g, &groups)
        for (size_t i = 0; i < g->n; i++)
            at[to++] = room[g->from + i].s;
    to = 0;
    VEC_EACH (g, &groups) {
        if (g->symbol)
            sort_series(h, at + to, g->n, place + 1, room);
        to += g->n;
    }
    vec_fini(&groups);
}

/* ---- giving ranks ---- */

typedef VEC(struct series *) series_vec;

static void collect_new(struct head *h, series_vec *out)
{
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        pthread_rwlock_rdlock(&sh->lock);
        for (struct series *s; (s = series_table_next(&sh->table, &sh->ranked)); sh->ranked++)
            vec_push(out, s);
        pthread_rwlock_unlock(&sh->lock);
    }
}

/* Where s goes in [0, n): in steps that double from the back, as what goes in comes from the back
 * too and is mostly near. */
static size_t place_of(struct head *h, const struct series *s, size_t n)
{
    struct series *const *at = h->order.at.at;
    size_t lo = 0;
    for (size_t step = 1; step <= n; step *= 2) {
        if (series_cmp(h, at[n - step], s) < 0) {
            lo = n - step + 1;
            break;
        }
        n -= step;
    }
    while (lo < n) {
        size_t mid = lo + (n - lo) / 2;
        if (series_cmp(h, at[mid], s) < 0)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

static void number_all(struct order *o)
{
    for (size_t i = 0; i < o->at.n; i++)
        o->at.at[i]->rank = (i + 1) * (uint64_t)RANK_GAP;
}

/* The new ones stand at places[0..n), rising. False: there is no room for one of them. */
static bool number_new(struct order *o, const size_t *places, size_t n)
{
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && places[k] == places[k - 1] + 1;)
            k++;
        size_t first = places[i], behind = places[k - 1] + 1;
        uint64_t low = first ? o->at.at[first - 1]->rank : 0;
        uint64_t high =
            behind < o->at.n ? o->at.at[behind]->rank : low + (k - i + 1) * (uint64_t)RANK_GAP;
        uint64_t step = (high - low) / (k - i + 1);
        if (step == 0)
            return false;
        for (size_t j = i; j < k; j++)
            o->at.at[places[j]]->rank = low + (j - i + 1) * step;
    }
    return true;
}

/* Under the lock for writing. From the back, so that each series that was there moves once. */
static void insert(struct head *h, struct series *const *fresh, size_t n)
{
    struct order *o = &h->order;
    size_t end = o->at.n, *places MEM_CLEANUP = mem_array(n, sizeof *places);
    vec_reserve(&o->at, n);
    o->at.n += n;
    for (size_t i = n; i-- > 0;) {
        size_t at = place_of(h, fresh[i], end);
        memmove(o->at.at + at + i + 1, o->at.at + at, (end - at) * sizeof *o->at.at);
        o->at.at[at + i] = fresh[i];
        places[i] = at + i;
        end = at;
    }
    if (!number_new(o, places, n))
        number_all(o);
}

void order_update(struct head *h)
{
    struct order *o = &h->order;
    series_vec fresh = {0};
    pthread_mutex_lock(&o->update);
    uint64_t added = atomic_load(&h->added);
    if (added != o->seen)
        collect_new(h, &fresh);
    o->seen = added;
    if (fresh.n > 1) {
        struct at_symbol *room MEM_CLEANUP = mem_array(fresh.n, sizeof *room);
        sort_series(h, fresh.at, fresh.n, 0, room);
    }
    pthread_rwlock_wrlock(&o->lock);
    size_t n = 0;
    for (size_t i = 0; i < fresh.n; i++)
        if (!fresh.at[i]->forgotten)
            fresh.at[n++] = fresh.at[i];
    if (n)
        insert(h, fresh.at, n);
    pthread_rwlock_unlock(&o->lock);
    pthread_mutex_unlock(&o->update);
    vec_fini(&fresh);
}

void order_forget(struct head *h, struct series *const *at, size_t n)
{
    struct order *o = &h->order;
    size_t kept = 0;
    pthread_rwlock_wrlock(&o->lock);
    for (size_t i = 0; i < n; i++) {
        at[i]->forgotten = true;
        at[i]->rank = 0;
    }
    for (size_t i = 0; i < o->at.n; i++)
        if (!o->at.at[i]->forgotten)
            o->at.at[kept++] = o->at.at[i];
    o->at.n = kept;
    pthread_rwlock_unlock(&o->lock);
}

/* ---- sorting by them ---- */

/* One round of a radix sort; false when all have the same digit and nothing was moved. */
static bool sort_by_digit(const struct ranked *from, struct ranked *to, size_t n, unsigned shift)
{
    uint32_t count[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
        count[from[i].rank >> shift & (DIGITS - 1)]++;
    if (count[from[0].rank >> shift & (DIGITS - 1)] == n)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        uint32_t here = count[i];
        count[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        to[count[from[i].rank >> shift & (DIGITS - 1)]++] = from[i];
    return true;
}

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

static void sort_ranks(struct ranked *at, size_t n, struct ranked *room)
{
    struct ranked *from = at, *to = room;
    if (n < DIGITS / 4) {
        if (n)
            qsort(at, n, sizeof *at, by_rank);
        return;
    }
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS)
        if (sort_by_digit(from, to, n, shift)) {
            struct ranked *swap = from;
            from = to;
            to = swap;
        }
    if (from != at)
        memcpy(at, from, n * sizeof *at);
}

void order_ranks(struct head *h, const struct series *const *at, size_t n, struct ranked *out,
                 struct ranked *room)
{
    pthread_rwlock_rdlock(&h->order.lock);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct ranked){at[i]->rank, (uint32_t)i};
    pthread_rwlock_unlock(&h->order.lock);
    sort_ranks(out, n, room);
}
