// SPDX-License-Identifier: Apache-2.0
/*
 * The log of queries, a file of JSON lines as upstream's query_log_file, and our own message for a
 * slow one. Whoever evaluated a query puts it here, which never waits: lines gather in memory, a
 * background task writes them; what does not fit is left out and counted.
 */
#ifndef QUERIES_LOG_H
#define QUERIES_LOG_H

#include "queries/queries.h"
#include "sys/file.h"
#include "sys/pool.h"

enum { QUERY_LOG_WAITING_MAX = 4 << 20 }; /* bytes of lines that are not written yet */

struct query_log;

/* `slow_ns` 0: no query is slow. */
struct query_log *query_log_new(struct env *env, struct pool *pool, int64_t slow_ns);
/* Writes what waits. The pool may be gone; nothing is put any more. */
void query_log_free(struct query_log *l);

/* From now on lines go to this file, which is the log's (NULL: nowhere). What waits is written to
 * the one before. Not on a loop. */
void query_log_swap(struct query_log *l, struct file_log *file);

struct query_log_entry {
    const struct query *query;
    ts_ms start, end;
    int64_t step_ms;   /* 0: at one moment */
    const char *error; /* NULL: none */
    /* Times of the statistics in an answer. */
    int64_t eval_ns, prepare_ns, queue_ns;
    uint64_t samples_total, samples_read, samples_peak;
};
/* Any thread. */
void query_log_put(struct query_log *l, const struct query_log_entry *e);

#endif
