// SPDX-License-Identifier: Apache-2.0
#include "model/budget.h"

#include <assert.h>
#include <inttypes.h>

#include "sys/memory.h"
#include "sys/pool.h"
#include "sys/self.h"

/* How often those that wait for memory look. It is rare, and who gives memory back tells nobody. */
enum { LOOK_EVERY_MS = 5 };

void budget_pool_init(struct budget_pool *p, size_t max_bytes)
{
    *p = (struct budget_pool){.memory = {.max_bytes = max_bytes}};
    pthread_mutex_init(&p->lock, NULL);
}

void budget_pool_fini(struct budget_pool *p)
{
    assert(!p->first);
    pthread_mutex_destroy(&p->lock);
}

void budget_join(struct budget *b, struct budget_pool *p)
{
    assert(!b->pool && quota_used(&b->memory) == 0);
    b->memory.parent = &p->memory;
    pthread_mutex_lock(&p->lock);
    b->pool = p;
    b->prev = NULL;
    b->next = p->first;
    if (p->first)
        p->first->prev = b;
    p->first = b;
    pthread_mutex_unlock(&p->lock);
}

/* What the allocator keeps for reuse counts for the machine, too. While queries have little it does
 * not matter; from half of the bound on nothing is kept, until they are down to a quarter. */
static void keep_tight(struct budget_pool *p)
{
    size_t used = quota_used(&p->memory), max = p->memory.max_bytes;
    bool tight = atomic_load_explicit(&p->tight, memory_order_relaxed);
    if (!max || (tight ? used > max / 4 : used <= max / 2))
        return;
    if (atomic_compare_exchange_strong(&p->tight, &tight, !tight))
        memory_return_at_once(!tight);
}

void budget_leave(struct budget *b)
{
    struct budget_pool *p = b->pool;
    if (!p)
        return;
    assert(quota_used(&b->memory) == 0);
    keep_tight(p);
    pthread_mutex_lock(&p->lock);
    *(b->prev ? &b->prev->next : &p->first) = b->next;
    if (b->next)
        b->next->prev = b->prev;
    b->pool = NULL;
    pthread_mutex_unlock(&p->lock);
}

static void end_locked(struct budget *b, enum budget_end why)
{
    int goes_on = BUDGET_GOES_ON;
    atomic_compare_exchange_strong(&b->ended, &goes_on, (int)why);
    if (b->stop)
        b->stop(b->stop_arg);
}

void budget_end(struct budget *b, enum budget_end why)
{
    struct budget_pool *p = b->pool;
    if (p)
        pthread_mutex_lock(&p->lock);
    end_locked(b, why);
    if (p)
        pthread_mutex_unlock(&p->lock);
}

void budget_on_stop(struct budget *b, void (*fn)(void *arg), void *arg)
{
    struct budget_pool *p = b->pool;
    if (p)
        pthread_mutex_lock(&p->lock);
    b->stop = fn;
    b->stop_arg = arg;
    if (fn && atomic_load(&b->ended))
        fn(arg);
    if (p)
        pthread_mutex_unlock(&p->lock);
}

static void count(struct budget *b, enum self_id limit)
{
    if (!atomic_exchange(&b->told, true))
        self_add(limit, 1);
}

static bool pool_error(struct budget *b, struct err *err)
{
    count(b, SELF_QUERIES_OVER_TOTAL_MEMORY);
    err_set(err, ERR_LIMIT,
            "all queries together need more than the %zu bytes of memory that "
            "--query.total-memory allows",
            b->memory.parent ? b->memory.parent->max_bytes : 0);
    return err_hint(err, "this one, with %zu bytes, was the largest", atomic_load(&b->evicted));
}

bool budget_memory_error(struct budget *b, struct err *err)
{
    if (!quota_over(&b->memory) && !atomic_load(&b->memory.refused))
        return pool_error(b, err);
    count(b, SELF_QUERIES_OVER_MEMORY);
    return err_set(err, ERR_LIMIT,
                   "query needs more than the %zu bytes of memory that --query.max-memory allows",
                   b->memory.max_bytes);
}

/* What was asked of it from outside, and its time. */
static bool goes_on(struct budget *b, struct err *err)
{
    /* Relaxed is enough: the flag publishes no other memory. */
    switch ((enum budget_end)atomic_load_explicit(&b->ended, memory_order_relaxed)) {
    case BUDGET_GOES_ON:
        break;
    case BUDGET_GONE:
        return err_set(err, ERR_CANCELED, "query was canceled");
    case BUDGET_STOPPED:
        return err_set(err, ERR_CANCELED, "query was canceled by a request to end it");
    case BUDGET_EVICTED:
        return pool_error(b, err);
    }
    if (!b->deadline_mono_ns || b->mono_ns(b->clock) < b->deadline_mono_ns)
        return true;
    count(b, SELF_QUERIES_OVER_TIME);
    return err_set(err, ERR_TIMEOUT, "query took longer than --query.timeout allows");
}

/* An answer on its way would break off without a word of why, and is near its end mostly: it counts
 * half. */
static size_t weight(const struct budget *b)
{
    return b->stop ? quota_used(&b->memory) / 2 : quota_used(&b->memory);
}

/* Who is to go: the one that holds the most, `b` with what it wants; NULL when somebody is on its
 * way already. Under the lock. */
static struct budget *largest(struct budget_pool *p, struct budget *b, size_t wants)
{
    struct budget *most = b;
    size_t held = weight(b) + wants;
    for (struct budget *x = p->first; x; x = x->next) {
        if (x == b)
            continue;
        if (atomic_load(&x->ended) && quota_used(&x->memory) > 0)
            return NULL;
        if (weight(x) > held) {
            most = x;
            held = weight(x);
        }
    }
    return most;
}

static bool pool_has(const struct budget_pool *p, size_t more)
{
    size_t max = p->memory.max_bytes, used = quota_used(&p->memory);
    return !max || (used <= max && more <= max - used);
}

/* Waits until the pool has room, and sees to it that it will. */
static bool wait_for_room(struct budget *b, size_t more, struct err *err)
{
    struct budget_pool *p = b->pool;
    self_add(SELF_QUERIES_WAITED_MEMORY, 1);
    while (!pool_has(p, more)) {
        pthread_mutex_lock(&p->lock);
        struct budget *most = largest(p, b, more);
        if (most) {
            count(most, SELF_QUERIES_OVER_TOTAL_MEMORY);
            atomic_store(&most->evicted, quota_used(&most->memory) + (most == b ? more : 0));
            end_locked(most, BUDGET_EVICTED);
        }
        pthread_mutex_unlock(&p->lock);
        if (!goes_on(b, err))
            return false;
        pool_pause(LOOK_EVERY_MS);
    }
    return true;
}

bool budget_room(struct budget *b, size_t more, struct err *err)
{
    size_t max = b->memory.max_bytes, used = quota_used(&b->memory);
    if (max && (used > max || more > max - used)) {
        atomic_store_explicit(&b->memory.refused, true, memory_order_relaxed);
        return budget_memory_error(b, err);
    }
    if (!b->pool)
        return true;
    keep_tight(b->pool);
    return pool_has(b->pool, more) || wait_for_room(b, more, err);
}

bool budget_hold(struct budget *b, size_t *held, size_t now, struct err *err)
{
    if (b && now > *held && !budget_room(b, now - *held, err))
        return false;
    quota_hold(b ? &b->memory : NULL, held, now);
    return true;
}

bool budget_use(struct budget *b, uint64_t samples, struct err *err)
{
    if (!goes_on(b, err))
        return false;
    /* Relaxed is enough: the count publishes no other memory. */
    uint64_t before = atomic_fetch_add_explicit(&b->samples, samples, memory_order_relaxed);
    uint64_t total = before + samples < before ? UINT64_MAX : before + samples;
    if (!b->samples_max || total <= b->samples_max)
        return budget_room(b, 0, err);
    count(b, SELF_QUERIES_OVER_SAMPLES);
    return err_set(err, ERR_LIMIT,
                   "query needs more than the %" PRIu64 " samples that --query.max-samples allows",
                   b->samples_max);
}
