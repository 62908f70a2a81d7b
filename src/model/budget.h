// SPDX-License-Identifier: Apache-2.0
/*
 * Budget: what one query may use, shared by everything that works for it; and the pool, what all
 * queries together may have of memory.
 *
 * Who works for a query calls budget_use at its natural borders (every few ms), where it holds no
 * lock. There a query that is over a limit of its own, is out of time or was ended, fails. When
 * the memory of all is used up there, the query that holds the most is ended, whichever it is, and
 * the others wait at their borders until there is room again, by their deadline at the latest. So
 * one large query fails and twenty small ones beside it do not, and what passes the bound is what
 * the queries take between two borders.
 */
#ifndef MODEL_BUDGET_H
#define MODEL_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/quota.h"

enum budget_end {
    BUDGET_GOES_ON,
    BUDGET_GONE,    /* nobody waits for the answer any more */
    BUDGET_STOPPED, /* somebody asked for its end */
    BUDGET_EVICTED, /* it held the most when memory was used up */
};

struct budget_pool;

/* All zero is a budget without limits, of no pool. */
struct budget {
    _Atomic int ended;        /* enum budget_end; the first reason stays */
    int64_t deadline_mono_ns; /* 0: none */
    int64_t (*mono_ns)(void *clock);
    void *clock;
    uint64_t samples_max;     /* 0: none */
    _Atomic uint64_t samples; /* looked at so far */
    struct quota memory;      /* of its arenas, and what is counted with budget_hold */
    _Atomic size_t evicted;   /* bytes that it held and wanted when it was evicted */
    _Atomic bool told;        /* that it failed because of a limit is counted once */

    /* The pool's; under its lock. */
    struct budget_pool *pool; /* NULL: of none */
    struct budget *next, *prev;
    void (*stop)(void *arg); /* what it is about may wait for long without a border */
    void *stop_arg;
};

struct budget_pool {
    struct quota memory;
    _Atomic bool tight; /* memory goes back to the system as soon as it is freed */
    pthread_mutex_t lock;
    struct budget *first;
};

void budget_pool_init(struct budget_pool *p, size_t max_bytes);
/* Nobody is in it any more. */
void budget_pool_fini(struct budget_pool *p);

/* Its memory counts in the pool from now on; nothing is counted yet. Until budget_leave, when all
 * of its memory was given back. */
void budget_join(struct budget *b, struct budget_pool *p);
void budget_leave(struct budget *b);

/* Adds samples; fails with ERR_CANCELED, ERR_TIMEOUT or ERR_LIMIT, naming the setting. May wait for
 * memory: not on a loop. */
bool budget_use(struct budget *b, uint64_t samples, struct err *err);
/* Makes sure that `more` bytes of memory are within the bounds; the same errors, and waits too. */
bool budget_room(struct budget *b, size_t more, struct err *err);
/* Memory that is in no arena: `*held` bytes become `now`, when there is room. `b` may be NULL. */
bool budget_hold(struct budget *b, size_t *held, size_t now, struct err *err);
/* Fails because memory was refused (arena_try) or is over the bound (arena_over); names it. */
bool budget_memory_error(struct budget *b, struct err *err);

/* Ends it at its next border, and calls `stop`. Any thread; `b` is known to be there. */
void budget_end(struct budget *b, enum budget_end why);
/* While `fn` is set, budget_end calls it under the pool's lock, from any thread. NULL: not. */
void budget_on_stop(struct budget *b, void (*fn)(void *arg), void *arg);

#endif
