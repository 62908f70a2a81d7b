// SPDX-License-Identifier: Apache-2.0
#include "queries/queries.h"

#include <assert.h>

#include "base/mem.h"
#include "queries/journal_int.h"
#include "sys/diag.h"
#include "sys/self.h"

/* Locks are taken in this order: lock, a budget's pool. The journal's is never held with either. */
struct queries {
    struct env *env;
    pthread_mutex_t lock;
    struct query *first, *last; /* the oldest is the first */
    uint64_t next_id;
    pthread_mutex_t journal_lock;
    struct journal *journal; /* NULL: none */
    struct arena arena;      /* what follows */
    struct query_unfinished *unfinished;
    size_t unfinished_n;
};

static void open_journal(struct queries *qs, unsigned tasks_max)
{
    struct err err;
    qs->journal = journal_open(qs->env->disk, tasks_max, &qs->arena, &qs->unfinished,
                               &qs->unfinished_n, &err);
    if (!qs->journal)
        diag(DIAG_WARN, "query", "no journal of queries: %s", err.msg);
    for (size_t i = 0; i < qs->unfinished_n; i++)
        diag(DIAG_WARN, "query", "was running when the process ended: %.*s",
             STR_ARG(qs->unfinished[i].text));
}

struct queries *queries_new(const struct queries_options *o)
{
    struct queries *qs = mem_new(struct queries);
    qs->env = o->env;
    qs->next_id = 1;
    pthread_mutex_init(&qs->lock, NULL);
    pthread_mutex_init(&qs->journal_lock, NULL);
    arena_init(&qs->arena, 0);
    if (o->env->disk)
        open_journal(qs, o->tasks_max);
    return qs;
}

void queries_free(struct queries *qs)
{
    if (!qs)
        return;
    assert(!qs->first);
    journal_close(qs->journal);
    arena_fini(&qs->arena);
    pthread_mutex_destroy(&qs->journal_lock);
    pthread_mutex_destroy(&qs->lock);
    free(qs);
}

static str copy(struct arena *a, str s)
{
    return arena_dup(a, str_sub(s, 0, s.n < QUERY_TEXT_MAX ? s.n : QUERY_TEXT_MAX));
}

static struct query_ask copy_ask(struct arena *a, const struct query_ask *ask)
{
    return (struct query_ask){copy(a, ask->text), copy(a, ask->path), copy(a, ask->method),
                              copy(a, ask->remote)};
}

/* The copies are not counted: they are there before the budget has its pool. */
struct query_record {
    struct query query;
    struct arena words;
};

struct query *query_begin(struct queries *qs, const struct query_ask *ask,
                          const struct budget *limits, struct budget_pool *pool)
{
    struct query_record *r = mem_new(struct query_record);
    struct query *q = &r->query;
    arena_init(&r->words, 0);
    q->budget = *limits;
    if (pool)
        budget_join(&q->budget, pool);
    arena_init_quota(&q->arena, &q->budget.memory);
    q->ask = copy_ask(&r->words, ask);
    q->of = qs;
    q->slot = -1;
    q->arrived_at = env_now_ms(qs->env);
    q->arrived_ns = env_mono_ns(qs->env);
    pthread_mutex_lock(&qs->lock);
    q->id = qs->next_id++;
    q->prev = qs->last;
    *(qs->last ? &qs->last->next : &qs->first) = q;
    qs->last = q;
    pthread_mutex_unlock(&qs->lock);
    return q;
}

void query_started(struct query *q)
{
    struct queries *qs = q->of;
    q->queue_ns = env_mono_ns(qs->env) - q->arrived_ns;
    pthread_mutex_lock(&qs->lock);
    q->started = true;
    pthread_mutex_unlock(&qs->lock);
    if (!qs->journal)
        return;
    pthread_mutex_lock(&qs->journal_lock);
    q->slot = journal_put(qs->journal, q->ask.text, q->arrived_at);
    pthread_mutex_unlock(&qs->journal_lock);
}

void query_end(struct query *q)
{
    struct query_record *r = (struct query_record *)q;
    struct queries *qs = q->of;
    if (qs->journal && q->slot >= 0) {
        pthread_mutex_lock(&qs->journal_lock);
        journal_clear(qs->journal, q->slot);
        pthread_mutex_unlock(&qs->journal_lock);
    }
    pthread_mutex_lock(&qs->lock);
    *(q->prev ? &q->prev->next : &qs->first) = q->next;
    *(q->next ? &q->next->prev : &qs->last) = q->prev;
    pthread_mutex_unlock(&qs->lock);
    arena_fini(&q->arena);
    budget_leave(&q->budget);
    arena_fini(&r->words);
    free(r);
}

size_t queries_list(struct queries *qs, struct arena *a, struct query_info **out)
{
    size_t n = 0, i = 0;
    int64_t now = env_mono_ns(qs->env);
    pthread_mutex_lock(&qs->lock);
    for (struct query *q = qs->first; q; q = q->next)
        n++;
    *out = arena_array(a, struct query_info, n);
    for (struct query *q = qs->first; q; q = q->next)
        (*out)[i++] = (struct query_info){
            .id = q->id,
            .ask = copy_ask(a, &q->ask),
            .arrived_at = q->arrived_at,
            .elapsed_ns = now - q->arrived_ns,
            .started = q->started,
            .ended = atomic_load(&q->budget.ended) != BUDGET_GOES_ON,
            .samples = atomic_load(&q->budget.samples),
            .memory_bytes = quota_used(&q->budget.memory),
            .memory_peak_bytes = atomic_load(&q->budget.memory.peak),
        };
    pthread_mutex_unlock(&qs->lock);
    return n;
}

bool queries_stop(struct queries *qs, uint64_t id)
{
    pthread_mutex_lock(&qs->lock);
    struct query *q = qs->first;
    while (q && q->id != id)
        q = q->next;
    if (q)
        budget_end(&q->budget, BUDGET_STOPPED);
    pthread_mutex_unlock(&qs->lock);
    self_add(SELF_QUERIES_STOPPED, q != NULL);
    return q != NULL;
}

size_t queries_unfinished(const struct queries *qs, const struct query_unfinished **out)
{
    *out = qs->unfinished;
    return qs->unfinished_n;
}
