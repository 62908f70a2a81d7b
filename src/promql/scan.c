// SPDX-License-Identifier: Apache-2.0
#include "promql/scan_int.h"

#include <pthread.h>

#include "base/finite.h"
#include "base/mem.h"
#include "sys/pool.h"

enum {
    SERIES_MAX = 64,         /* of a morsel */
    SAMPLES_ABOUT = 1 << 14, /* of a morsel, if they are ten seconds apart */
    APART_MS = 10000,
    HELPERS_MAX = 15,
    AHEAD = 4, /* morsels that are read and not put, for each thread */
};

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_DONE };

struct slot {
    enum slot_state
        state; /* under the lock; the rest belongs to who took it, then to who puts it */
    struct arena arena;
    struct scanned *at;
    size_t first, n;
    bool ok;
    struct err err;
    int64_t read_ns;
    uint64_t samples;
    struct scan_memo *memo; /* while it is made */
};

/* Morsel k is in slot k % slots_n. Those below `put` are done with, those below `taken` have a
 * thread. */
struct job {
    const struct scan *s;
    const struct source_ops *ops;
    struct selection *sel;
    size_t series_n, morsel, morsels_n;
    struct tiered tiered; /* of the series that was read last, when there are any */
    pthread_mutex_t lock; /* guards what follows and the slots' states */
    pthread_cond_t done;
    size_t put, taken;
    bool ended;
    unsigned refs, busy, helpers, helpers_max;
    struct scan_memo memos[HELPERS_MAX + 1], *idle_memos[HELPERS_MAX + 1];
    size_t idle_n; /* memos that no thread has now */
    size_t slots_n;
    struct slot slots[];
};

static int64_t now_ns(const struct eval *ev)
{
    struct budget *b = ev->q->budget;
    return b->mono_ns ? b->mono_ns(b->clock) : 0;
}

/* ---- stale markers ---- */

static bool is_stale(const struct columns *c, size_t i)
{
    return is_stale_nan(c->v[i]) && !(c->h && c->h[i]);
}

/* What columns_drop_stale does to the columns that few series have. */
static bool drop_stale_others(struct columns *c, struct columns *out, struct arena *scratch)
{
    const struct histogram **h = c->h ? arena_try(scratch, c->n, sizeof *h) : NULL;
    ts_ms *start = c->start ? arena_try(scratch, c->n, sizeof *start) : NULL;
    if ((c->h && !h) || (c->start && !start))
        return false;
    for (size_t i = 0, n = 0; i < c->n; i++) {
        if (is_stale(c, i))
            continue;
        if (h)
            h[n] = c->h[i];
        if (start)
            start[n] = c->start[i];
        n++;
    }
    out->h = h;
    out->start = start;
    return true;
}

bool columns_drop_stale(struct columns *c, struct arena *scratch)
{
    size_t i = 0, n;
    struct columns out = {0};
    if (are_finite(c->v, c->n)) /* a marker is no number */
        return true;
    while (i < c->n && !is_stale(c, i))
        i++;
    if (i == c->n)
        return true;
    ts_ms *t = arena_try(scratch, c->n, sizeof *t);
    double *v = arena_try(scratch, c->n, sizeof *v);
    if (!t || !v)
        return false;
    for (n = 0, i = 0; i < c->n; i++)
        if (!is_stale(c, i)) {
            t[n] = c->t[i];
            v[n++] = c->v[i];
        }
    if ((c->h || c->start) && !drop_stale_others(c, &out, scratch))
        return false;
    out.n = n;
    out.t = t;
    out.v = v;
    *c = out;
    return true;
}

/* Count and sum alone, with hints that say what the buckets would have said about resets. */
static void strip_buckets(struct columns *c, struct arena *scratch)
{
    const struct histogram **out = arena_array(scratch, const struct histogram *, c->n),
                           *before = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct histogram *h = c->h[i];
        if (!h)
            continue;
        struct histogram *copy = arena_new(scratch, struct histogram);
        *copy = (struct histogram){
            .count = h->count, .sum = h->sum, .schema = h->schema, .reset = h->reset};
        if (before && h->reset == HISTOGRAM_RESET_UNKNOWN)
            copy->reset = histogram_was_reset(h, before) ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO;
        before = h;
        out[i] = copy;
    }
    c->h = out;
}

/* ---- reading a morsel, on any thread ---- */

static bool read_series(const struct job *j, struct slot *slot, struct columns *out)
{
    const struct select_hints *h = j->s->hints;
    for (size_t i = 0, n; i < slot->n; i += n) {
        n = slot->n - i;
        if (!j->ops->read(j->sel, slot->first + i, &n, h->start, h->end, &slot->arena, out + i,
                          &slot->err))
            return false;
        pool_yield();
    }
    return true;
}

/* The rows of a series stand before its samples. */
static bool read_rows(struct job *j, struct slot *slot, struct err *err)
{
    struct scanned *s = &slot->at[0];
    j->tiered.rows.arena = &slot->arena;
    s->tiered = &j->tiered;
    return tiered_read(j->s->ev, &j->tiered, slot->first, j->s->hints, &s->c, &s->raw_from, err);
}

/* False when there is no memory for it. */
static bool drop_stale(struct scanned *s, struct arena *scratch)
{
    bool rows = s->tiered && s->tiered->rows.n;
    ts_ms raw_from = rows && s->raw_from < s->c.n ? s->c.t[s->raw_from] : INT64_MAX;
    if (!columns_drop_stale(&s->c, scratch))
        return false;
    s->raw_from = 0;
    while (rows && s->raw_from < s->c.n && s->c.t[s->raw_from] < raw_from)
        s->raw_from++;
    return true;
}

/* Between series: what many steps of them cost is no morsel any more. `*work` is the steps since
 * the last border. */
static bool border(const struct scan *s, size_t *work, struct err *err)
{
    enum { BORDER_STEPS = 1 << 17 };
    *work += s->steps;
    if (*work < BORDER_STEPS)
        return true;
    *work = 0;
    pool_yield();
    return budget_use(s->ev->q->budget, 0, err);
}

static bool make(struct job *j, struct slot *slot)
{
    const struct scan *s = j->s;
    struct columns c[SERIES_MAX] = {0};
    struct scan_room room = {&slot->arena, slot->memo};
    int64_t begin = now_ns(s->ev);
    bool ok = read_series(j, slot, c);
    slot->read_ns = now_ns(s->ev) - begin;
    slot->samples = 0;
    for (size_t i = 0, work = 0; i < slot->n && ok; i++) {
        slot->at[i] = (struct scanned){.c = c[i]};
        if (j->tiered.n && !read_rows(j, slot, &slot->err))
            return false;
        slot->samples += c[i].n;
        if (c[i].h && s->selector->selector.counts_only)
            strip_buckets(&slot->at[i].c, &slot->arena);
        if (s->drop_stale && !drop_stale(&slot->at[i], &slot->arena))
            return eval_over_memory(s->ev, &slot->err);
        if (s->prepare && slot->at[i].c.n && !j->tiered.n)
            s->prepare(s->ctx, &slot->at[i], &room);
        ok = border(s, &work, &slot->err);
    }
    return ok;
}

static void make_morsel(struct job *j, struct slot *slot, size_t k)
{
    slot->first = k * j->morsel;
    slot->n = j->series_n - slot->first < j->morsel ? j->series_n - slot->first : j->morsel;
    arena_reset(&slot->arena);
    slot->at = arena_array(&slot->arena, struct scanned, slot->n);
    slot->ok = make(j, slot);
}

/* ---- sharing the work ---- */

/* Takes the next morsel that nobody has, if it has a slot; under the lock. */
static struct slot *take(struct job *j, size_t *k)
{
    if (j->ended || j->taken == j->morsels_n || j->taken >= j->put + j->slots_n)
        return NULL;
    *k = j->taken++;
    struct slot *slot = &j->slots[*k % j->slots_n];
    slot->state = SLOT_TAKEN;
    slot->memo = j->idle_memos[--j->idle_n];
    return slot;
}

static void finish(struct job *j, struct slot *slot)
{
    slot->state = SLOT_DONE;
    j->idle_memos[j->idle_n++] = slot->memo;
    pthread_cond_signal(&j->done);
}

static void unref(struct job *j)
{
    if (--j->refs) {
        pthread_mutex_unlock(&j->lock);
        return;
    }
    pthread_mutex_unlock(&j->lock);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->done);
    free(j);
}

static void help(void *arg)
{
    struct job *j = arg;
    struct slot *slot;
    size_t k;
    pthread_mutex_lock(&j->lock);
    j->busy++;
    while ((slot = take(j, &k))) {
        pthread_mutex_unlock(&j->lock);
        make_morsel(j, slot, k);
        pthread_mutex_lock(&j->lock);
        finish(j, slot);
    }
    j->busy--;
    j->helpers--;
    pthread_cond_signal(&j->done);
    unref(j);
}

/* As many helpers as may be, while there is work for them; under the lock. */
static void call_helpers(struct job *j)
{
    while (j->helpers < j->helpers_max && j->morsels_n - j->taken > j->helpers + 1 &&
           j->taken < j->put + j->slots_n) {
        if (!pool_submit_here(help, j)) {
            j->helpers_max = j->helpers;
            return;
        }
        j->refs++;
        j->helpers++;
    }
}

/* The slot of the next morsel to put, when it is read. */
static struct slot *next_slot(struct job *j)
{
    struct slot *slot = &j->slots[j->put % j->slots_n];
    size_t k;
    pthread_mutex_lock(&j->lock);
    call_helpers(j);
    while (slot->state != SLOT_DONE) {
        struct slot *mine = take(j, &k);
        if (mine) {
            pthread_mutex_unlock(&j->lock);
            make_morsel(j, mine, k);
            pthread_mutex_lock(&j->lock);
            finish(j, mine);
            continue;
        }
        pool_block_begin();
        pthread_cond_wait(&j->done, &j->lock);
        pthread_mutex_unlock(&j->lock);
        pool_block_end();
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return slot;
}

static bool put_slot(struct job *j, struct slot *slot, struct err *err)
{
    struct eval *ev = j->s->ev;
    if (!slot->ok) {
        *err = slot->err;
        return false;
    }
    ev->stats.select_ns += slot->read_ns;
    ev->stats.samples_read += slot->samples;
    ev->stats.series_read += slot->n;
    for (size_t i = 0, work = 0; i < slot->n; i++) {
        if (slot->at[i].c.n == 0 && !(j->tiered.n && j->tiered.rows.n))
            continue;
        if (!j->s->put(j->s->ctx, j->ops->labels(j->sel, slot->first + i), &slot->at[i], err) ||
            !eval_memory(ev, err) || !border(j->s, &work, err))
            return false;
    }
    return budget_use(ev->q->budget, 0, err);
}

static bool run(struct job *j, struct err *err)
{
    while (j->put < j->morsels_n) {
        struct slot *slot = next_slot(j);
        if (!put_slot(j, slot, err))
            return false;
        pthread_mutex_lock(&j->lock);
        slot->state = SLOT_FREE;
        j->put++;
        pthread_mutex_unlock(&j->lock);
        pool_yield();
    }
    return true;
}

/* No helper may touch what belongs to the query once this returns. */
static void end(struct job *j)
{
    pthread_mutex_lock(&j->lock);
    j->ended = true;
    while (j->busy) {
        pool_block_begin();
        pthread_cond_wait(&j->done, &j->lock);
        pthread_mutex_unlock(&j->lock);
        pool_block_end();
        pthread_mutex_lock(&j->lock);
    }
    for (size_t i = 0; i < j->slots_n; i++)
        arena_fini(&j->slots[i].arena);
    while (j->idle_n > 0)
        arena_fini(&j->idle_memos[--j->idle_n]->arena);
    unref(j);
}

static size_t morsel_series(const struct select_hints *h)
{
    uint64_t span = h->end > h->start ? (uint64_t)h->end - (uint64_t)h->start : 0;
    uint64_t n = SAMPLES_ABOUT / (span / APART_MS + 1);
    return n < 1 ? 1 : n < SERIES_MAX ? n : SERIES_MAX;
}

bool scan_run(const struct scan *s, struct err *err)
{
    struct eval *ev = s->ev;
    int64_t begin = now_ns(ev);
    unsigned width = pool_width(), helpers = width - 1 < HELPERS_MAX ? width - 1 : HELPERS_MAX;
    size_t slots_n = AHEAD * (helpers + 1);
    struct job *j = mem_zalloc(sizeof *j + slots_n * sizeof j->slots[0]);
    j->s = s;
    j->slots_n = slots_n;
    j->helpers_max = helpers;
    struct selection_ref selected = selector_select(ev, s->selector, s->hints, err);
    j->ops = selected.ops;
    j->sel = selected.sel;
    ev->stats.select_ns += now_ns(ev) - begin;
    if (!j->sel) {
        free(j);
        return false;
    }
    vec_push(&ev->selections, (struct selection_ref){j->ops, j->sel});
    j->series_n = j->ops->size(j->sel);
    j->morsel = morsel_series(s->hints);
    j->tiered = tiered_of((struct selection_ref){j->ops, j->sel}, NULL);
    if (j->tiered.n) {
        j->morsel = 1;
        j->helpers_max = 0;
    }
    j->morsels_n = (j->series_n + j->morsel - 1) / j->morsel;
    for (size_t i = 0; i < j->slots_n; i++)
        arena_init_quota(&j->slots[i].arena, eval_quota(ev));
    for (; j->idle_n < helpers + 1; j->idle_n++) {
        j->idle_memos[j->idle_n] = &j->memos[j->idle_n];
        arena_init_quota(&j->memos[j->idle_n].arena, eval_quota(ev));
    }
    j->refs = 1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->done, NULL);
    bool ok = run(j, err);
    if (j->tiered.n)
        tiered_note(ev, &j->tiered, s->selector, s->hints);
    end(j);
    return ok;
}
