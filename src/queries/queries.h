// SPDX-License-Identifier: Apache-2.0
/*
 * The queries under way: who asks what, since when, what it took so far; ending one; and which ran
 * when the process died the last time.
 *
 *     struct query *q = query_begin(queries, &ask, &limits, pool);     any thread
 *     query_started(q);                                 where it begins to run
 *     ...
 *     query_end(q);
 */
#ifndef QUERIES_QUERIES_H
#define QUERIES_QUERIES_H

#include "base/arena.h"
#include "model/budget.h"
#include "model/sample.h"
#include "sys/env.h"

struct queries;

struct queries_options {
    struct env *env;    /* with a disk: the journal is there, as queries.active; without: none */
    unsigned tasks_max; /* that run at once; more are not in the journal */
};

/* Reads and empties the journal; what is wrong with it is said and nothing else. */
struct queries *queries_new(const struct queries_options *o);
/* Nobody asks any more. */
void queries_free(struct queries *qs);

enum { QUERY_TEXT_MAX = 64 << 10 }; /* bytes that are kept of a text */

/* Views that query_begin copies. */
struct query_ask {
    str text;   /* the expression, or whatever says what is wanted */
    str path;   /* of the API; or what else asks */
    str method; /* empty: not by HTTP */
    str remote; /* address and port; empty: from inside */
};

struct query {
    struct budget budget; /* in the pool until query_end */
    struct arena arena;   /* counted in the budget; the caller's for the query's life */
    uint64_t id;          /* unique in this process */
    struct query_ask ask;
    ts_ms arrived_at;
    int64_t arrived_ns; /* by the monotonic clock */
    int64_t queue_ns;   /* from its arrival to query_started */
    /* private; under the lock */
    struct queries *of;
    struct query *next, *prev;
    bool started;
    int slot; /* in the journal; -1: none */
};

/* `pool` NULL: of none. */
struct query *query_begin(struct queries *qs, const struct query_ask *ask,
                          const struct budget *limits, struct budget_pool *pool);
/* It runs: from now on it is in the journal. May wait for the disk. */
void query_started(struct query *q);
void query_end(struct query *q);

struct query_info {
    uint64_t id;
    struct query_ask ask;
    ts_ms arrived_at;
    int64_t elapsed_ns;
    bool started, ended; /* ended: it was told to end and has not yet */
    uint64_t samples;    /* looked at */
    size_t memory_bytes, memory_peak_bytes;
};
/* Copies in the arena, the oldest first. */
size_t queries_list(struct queries *qs, struct arena *a, struct query_info **out);

/* False when no query under way has this number. Its error says that it was asked to end. */
bool queries_stop(struct queries *qs, uint64_t id);

/* One that ran when the process ended without a word, as far as its text fits a line. */
struct query_unfinished {
    str text;
    ts_ms started_at;
};
/* Those of the process before this one; they live as long as `qs`. */
size_t queries_unfinished(const struct queries *qs, const struct query_unfinished **out);

#endif
