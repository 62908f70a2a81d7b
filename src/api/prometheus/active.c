// SPDX-License-Identifier: Apache-2.0
/* Ours: the queries under way, with what each took so far, and ending one. */
#include "api/prometheus/prometheus_int.h"
#include "base/num.h"
#include "queries/queries.h"

static void put_query(struct json_writer *w, const struct query_info *q)
{
    char text[F64_TEXT_MAX];
    json_open_object(w);
    json_pair_u64(w, "id", q->id);
    json_pair(w, "query", q->ask.text);
    json_pair(w, "path", q->ask.path);
    json_pair(w, "method", q->ask.method);
    json_pair(w, "remote", q->ask.remote);
    json_pair(w, "state", q->ended ? STR("ending") : q->started ? STR("running") : STR("waiting"));
    json_put_key(w, STR("startTime"));
    json_rfc3339(w, q->arrived_at);
    json_put_key(w, STR("elapsedSeconds"));
    json_put_raw(w, str_of(text, f64_format((double)q->elapsed_ns / 1e9, text)));
    json_pair_u64(w, "samples", q->samples);
    json_pair_u64(w, "memoryBytes", q->memory_bytes);
    json_pair_u64(w, "memoryPeakBytes", q->memory_peak_bytes);
    json_close_object(w);
}

void prometheus_active_queries(struct call *c)
{
    const struct query_unfinished *unfinished;
    struct query_info *list;
    struct reply r;
    struct json_writer w;
    size_t n = queries_list(c->api->queries, c->arena, &list);
    size_t unfinished_n = queries_unfinished(c->api->queries, &unfinished);
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("queries"));
    json_open_array(&w);
    for (size_t i = 0; i < n; i++)
        put_query(&w, &list[i]);
    json_close_array(&w);
    json_put_key(&w, STR("unfinished"));
    json_open_array(&w);
    for (size_t i = 0; i < unfinished_n; i++) {
        json_open_object(&w);
        json_pair(&w, "query", unfinished[i].text);
        json_put_key(&w, STR("startTime"));
        json_rfc3339(&w, unfinished[i].started_at);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_cancel_query(struct call *c)
{
    struct err err;
    uint64_t id;
    if (!u64_parse(c->segments[0], &id) || !queries_stop(c->api->queries, id)) {
        err_set(&err, ERR_NOT_FOUND, "no query under way has the id \"%.*s\"",
                STR_ARG(c->segments[0]));
        reply_error(c, &err);
        return;
    }
    reply_empty(c, 204);
}
