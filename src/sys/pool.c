// SPDX-License-Identifier: Apache-2.0
/*
 * Slots and threads are two things: a thread computes only while it holds one of its lane's slots.
 * Whoever lets a slot go (a task that ended, waits or yields) calls pool_grant, the one place that
 * decides who gets it: the highest class first, and in a class a task that was interrupted before
 * one that is new. Two rules keep long tasks from holding up the rest: a task that had its slot for
 * a slice goes to the end of its class, where it and new tasks take turns; and background work gets
 * a slot after so many granted to queries, or a flush would never run on a machine full of queries.
 *
 * A worker is idle, or has a task and holds a slot, or has a task and does not (it is blocked, or
 * stands in `resume` and sleeps on its own condition). A new task is bound to an idle worker at the
 * moment its slot is granted, so a worker that wakes always finds what it woke for. Everything is
 * guarded by one lock; `wanted` repeats what the lock guards so that pool_yield costs one load.
 */
#include "sys/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sys/self.h"
#include "sys/thread.h"

struct task {
    void (*fn)(void *arg);
    void *arg;
};

/* A ring that grows up to the pool's queue_max. */
struct queue {
    struct task *at;
    size_t first, n, cap;
};

enum {
    SLICE_MS = 10,
    PASSED_OVER_MAX = 8, /* query slots granted while background work waits, before it gets one */
};

/* Lanes do not share threads either: a thread may lower its priority but not raise it again. */
enum lane_name { LANE_INGEST, LANE_REST, LANES };

static const enum lane_name lane_of[POOL_CLASSES] = {
    [POOL_INGEST] = LANE_INGEST,
    [POOL_QUERY] = LANE_REST,
    [POOL_BACKGROUND] = LANE_REST,
};

struct worker {
    struct pool *pool;
    enum lane_name lane;
    pthread_t thread;
    pthread_cond_t wake;
    struct worker *next; /* in `idle` or `resume` */
    struct worker *all_next;
    struct task task;
    enum pool_class class;
    unsigned blocked; /* depth of pool_block_begin; its own thread only */
    bool granted;     /* holds a slot */
    bool rotated;     /* lost its slot because its time was over, not to a higher class */
    int64_t since_ns; /* when it got its slot; its own thread only */
    bool quit;
};

struct resume {
    struct worker *first, *last;
    size_t n;
};

struct lane {
    unsigned slots_used, threads;
    int nice;
    struct worker *idle; /* the latest first: its stack is warm */
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t drained;
    unsigned slots, threads_max; /* of each lane */
    struct lane lane[LANES];
    size_t queue_max;
    size_t unfinished; /* tasks taken and not yet returned */
    struct queue queue[POOL_CLASSES];
    struct resume resume[POOL_CLASSES];
    size_t running[POOL_CLASSES];
    unsigned begun[POOL_CLASSES], tasks_max[POOL_CLASSES];
    bool fresh[POOL_CLASSES]; /* the next turn after a rotation is a new task's */
    unsigned passed_over;
    int64_t slice_ns;
    struct worker *all;
    bool ending;
    _Atomic unsigned wanted; /* bit per class for which somebody waits; a hint outside the lock */
};

static _Thread_local struct worker *current;

static const enum self_id refused[POOL_CLASSES] = {
    [POOL_INGEST] = SELF_POOL_REFUSED_INGEST,
    [POOL_QUERY] = SELF_POOL_REFUSED_QUERY,
    [POOL_BACKGROUND] = SELF_POOL_REFUSED_BACKGROUND,
};

static void queue_push(struct queue *q, struct task t)
{
    if (q->n == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 16;
        struct task *at = mem_array(cap, sizeof *at);
        for (size_t i = 0; i < q->n; i++)
            at[i] = q->at[(q->first + i) % q->cap];
        free(q->at);
        *q = (struct queue){.at = at, .n = q->n, .cap = cap};
    }
    q->at[(q->first + q->n++) % q->cap] = t;
}

static struct task queue_pop(struct queue *q)
{
    struct task t = q->at[q->first];
    q->first = (q->first + 1) % q->cap;
    q->n--;
    return t;
}

static void resume_push(struct resume *r, struct worker *w)
{
    w->next = NULL;
    if (r->last)
        r->last->next = w;
    else
        r->first = w;
    r->last = w;
    r->n++;
}

static struct worker *resume_pop(struct resume *r)
{
    struct worker *w = r->first;
    r->first = w->next;
    if (!r->first)
        r->last = NULL;
    r->n--;
    return w;
}

static void *worker_main(void *arg);

/* A new thread, or NULL when there are enough or the system gives none. */
static struct worker *worker_new(struct pool *p, enum lane_name lane)
{
    if (p->lane[lane].threads >= p->threads_max)
        return NULL;
    struct worker *w = mem_new(struct worker);
    w->pool = p;
    w->lane = lane;
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        pthread_cond_destroy(&w->wake);
        free(w);
        return NULL;
    }
    w->all_next = p->all;
    p->all = w;
    p->lane[lane].threads++;
    return w;
}

static struct worker *idle_worker(struct pool *p, enum lane_name lane)
{
    struct worker *w = p->lane[lane].idle;
    if (!w)
        return worker_new(p, lane);
    p->lane[lane].idle = w->next;
    return w;
}

/* A new task waits, and the bound of its class lets it start. */
static bool may_begin(const struct pool *p, enum pool_class c)
{
    return p->queue[c].n && (!p->tasks_max[c] || p->begun[c] < p->tasks_max[c]);
}

/* The worker that may run for class `c` next, with its task, taken off where it stood. */
static struct worker *class_next(struct pool *p, enum pool_class c)
{
    const struct worker *first = p->resume[c].first;
    bool fresh = !first || (first->rotated && p->fresh[c]);
    struct worker *w = fresh && may_begin(p, c) ? idle_worker(p, lane_of[c]) : NULL;
    p->fresh[c] = !w;
    if (!w)
        return first ? resume_pop(&p->resume[c]) : NULL;
    p->begun[c]++;
    w->task = queue_pop(&p->queue[c]);
    w->class = c;
    return w;
}

static bool class_waits(const struct pool *p, enum pool_class c)
{
    return p->resume[c].n || may_begin(p, c);
}

/* The highest class first; but background work is not passed over for ever. */
static struct worker *next_worker(struct pool *p, enum lane_name lane)
{
    if (lane == LANE_INGEST)
        return class_next(p, POOL_INGEST);
    struct worker *w;
    bool both = class_waits(p, POOL_QUERY) && class_waits(p, POOL_BACKGROUND);
    if (both && ++p->passed_over >= PASSED_OVER_MAX && (w = class_next(p, POOL_BACKGROUND))) {
        p->passed_over = 0;
        return w;
    }
    w = class_next(p, POOL_QUERY);
    return w ? w : class_next(p, POOL_BACKGROUND);
}

static void wanted_update(struct pool *p)
{
    unsigned bits = 0;
    for (int c = 0; c < POOL_CLASSES; c++)
        bits |= class_waits(p, (enum pool_class)c) ? 1u << c : 0;
    atomic_store_explicit(&p->wanted, bits, memory_order_relaxed);
}

/* Gives free slots to those who wait. Called with the lock, after anything that changes either. */
static void pool_grant(struct pool *p, enum lane_name lane)
{
    struct worker *w;
    while (p->lane[lane].slots_used < p->slots && (w = next_worker(p, lane))) {
        w->granted = true;
        p->lane[lane].slots_used++;
        p->running[w->class]++;
        pthread_cond_signal(&w->wake);
    }
    wanted_update(p);
}

static void slot_release(struct worker *w)
{
    assert(w->granted);
    w->granted = false;
    w->pool->lane[w->lane].slots_used--;
    w->pool->running[w->class]--;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits in line for a slot for the task that this worker has already begun. */
static void slot_await(struct worker *w, bool rotated)
{
    w->rotated = rotated;
    resume_push(&w->pool->resume[w->class], w);
    pool_grant(w->pool, w->lane);
    while (!w->granted)
        pthread_cond_wait(&w->wake, &w->pool->lock);
    w->since_ns = now_ns();
}

static const char *const names[LANES] = {[LANE_INGEST] = "ingest", [LANE_REST] = "worker"};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    struct lane *lane = &p->lane[w->lane];
    current = w;
    thread_name(names[w->lane]);
    if (w->lane == LANE_INGEST)
        thread_prompt();
    else
        thread_lower(lane->nice);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!w->granted && !w->quit)
            pthread_cond_wait(&w->wake, &p->lock);
        if (!w->granted)
            break;
        pthread_mutex_unlock(&p->lock);
        w->since_ns = now_ns();
        w->task.fn(w->task.arg);
        assert(w->blocked == 0);
        pthread_mutex_lock(&p->lock);
        slot_release(w);
        p->begun[w->class]--;
        w->next = lane->idle;
        lane->idle = w;
        if (--p->unfinished == 0)
            pthread_cond_broadcast(&p->drained);
        pool_grant(p, w->lane);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static unsigned cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

struct pool *pool_new(const struct pool_options *o)
{
    struct pool *p = mem_new(struct pool);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->drained, NULL);
    p->slots = o->slots ? o->slots : cpu_count();
    p->threads_max = o->threads_max ? o->threads_max : p->slots + 32;
    p->queue_max = o->queue_max ? o->queue_max : 10000;
    p->slice_ns = (int64_t)(o->slice_ms ? o->slice_ms : SLICE_MS) * 1000000;
    memcpy(p->tasks_max, o->tasks_max, sizeof p->tasks_max);
    p->lane[LANE_REST].nice = o->nice;
    /* One thread each now, so that a queued task can always run; the others when they are needed.
     */
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < LANES; i++) {
        struct worker *w = worker_new(p, (enum lane_name)i);
        if (!w)
            abort();
        w->next = NULL;
        p->lane[i].idle = w;
    }
    pthread_mutex_unlock(&p->lock);
    return p;
}

static void pool_drain(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    while (p->unfinished)
        pthread_cond_wait(&p->drained, &p->lock);
    for (struct worker *w = p->all; w; w = w->all_next) {
        w->quit = true;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&p->lock);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    assert(!current || current->pool != p);
    pool_drain(p);
    while (p->all) {
        struct worker *w = p->all;
        p->all = w->all_next;
        pthread_join(w->thread, NULL);
        pthread_cond_destroy(&w->wake);
        free(w);
    }
    for (int c = 0; c < POOL_CLASSES; c++)
        free(p->queue[c].at);
    pthread_cond_destroy(&p->drained);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool pool_submit(struct pool *p, enum pool_class c, void (*fn)(void *arg), void *arg)
{
    assert(c < POOL_CLASSES);
    pthread_mutex_lock(&p->lock);
    bool full = p->queue[c].n >= p->queue_max;
    bool ok = !p->ending && !full;
    if (ok) {
        queue_push(&p->queue[c], (struct task){fn, arg});
        p->unfinished++;
        pool_grant(p, lane_of[c]);
    }
    pthread_mutex_unlock(&p->lock);
    if (full)
        self_add(refused[c], 1);
    return ok;
}

unsigned pool_width(void)
{
    return current ? current->pool->slots : 1;
}

bool pool_submit_here(void (*fn)(void *arg), void *arg)
{
    return current && pool_submit(current->pool, current->class, fn, arg);
}

void pool_block_begin(void)
{
    struct worker *w = current;
    if (!w || w->blocked++)
        return;
    pthread_mutex_lock(&w->pool->lock);
    slot_release(w);
    pool_grant(w->pool, w->lane);
    pthread_mutex_unlock(&w->pool->lock);
}

void pool_block_end(void)
{
    struct worker *w = current;
    if (!w)
        return;
    assert(w->blocked > 0);
    if (--w->blocked)
        return;
    pthread_mutex_lock(&w->pool->lock);
    slot_await(w, false);
    pthread_mutex_unlock(&w->pool->lock);
}

static const unsigned mates[LANES] = {
    [LANE_INGEST] = 1u << POOL_INGEST,
    [LANE_REST] = 1u << POOL_QUERY | 1u << POOL_BACKGROUND,
};

/* A stale hint costs one piece of work of delay or one look at the lock, nothing else. */
void pool_yield(void)
{
    struct worker *w = current;
    if (!w || w->blocked)
        return;
    unsigned wanted = atomic_load_explicit(&w->pool->wanted, memory_order_relaxed) & mates[w->lane];
    bool higher = wanted & ((1u << w->class) - 1);
    if (!wanted || (!higher && now_ns() - w->since_ns < w->pool->slice_ns))
        return;
    pthread_mutex_lock(&w->pool->lock);
    slot_release(w);
    slot_await(w, !higher);
    pthread_mutex_unlock(&w->pool->lock);
}

void pool_load(struct pool *p, enum pool_class c, size_t *waiting, size_t *running)
{
    pthread_mutex_lock(&p->lock);
    *waiting = p->queue[c].n + p->resume[c].n;
    *running = p->running[c];
    pthread_mutex_unlock(&p->lock);
}

void pool_pause(unsigned ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    pool_block_begin();
    nanosleep(&pause, NULL);
    pool_block_end();
}
