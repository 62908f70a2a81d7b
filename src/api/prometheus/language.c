// SPDX-License-Identifier: Apache-2.0
/* /api/v1/format_query, parse_query and query_exemplars: what only reads the expression. */
#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "base/num.h"
#include "promql/promql.h"

/* The query parameter, parsed; on NULL the call was answered. */
static struct promql_expr *parse_or_answer(struct call *c)
{
    struct promql_parse_options options = {.features = c->api->query.features};
    struct err err;
    struct promql_expr *e = promql_parse(http_params_get(&c->params, STR("query")), &options, &err);
    if (!e) {
        param_expr_error(&err, STR("query"));
        reply_error(c, &err);
    }
    return e;
}

void prometheus_format_query(struct call *c)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    struct reply r;
    struct json_writer w;
    struct promql_expr *e = parse_or_answer(c);
    if (!e)
        return;
    promql_pretty(e, PROMQL_PRETTY_WIDTH, &text);
    promql_expr_free(e);
    success_begin(&r, &w, c);
    json_put_str(&w, strbuf_str(&text));
    success_end(&r, &w);
}

void prometheus_parse_query(struct call *c)
{
    struct reply r;
    struct json_writer w;
    struct promql_expr *e = parse_or_answer(c);
    if (!e)
        return;
    success_begin(&r, &w, c);
    promql_tree(e, &w);
    promql_expr_free(e);
    success_end(&r, &w);
}

static void put_exemplars(struct json_writer *w, const struct exemplar_series *s)
{
    json_open_object(w);
    json_put_key(w, STR("seriesLabels"));
    json_labels(w, s->labels);
    json_put_key(w, STR("exemplars"));
    json_open_array(w);
    for (size_t i = 0; i < s->n; i++) {
        char value[F64_TEXT_MAX];
        json_open_object(w);
        json_put_key(w, STR("labels"));
        json_labels(w, s->at[i].labels);
        json_pair(w, "value", str_of(value, f64_format(s->at[i].v, value)));
        json_put_key(w, STR("timestamp"));
        json_time(w, s->at[i].t);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

/* Of every selector in the expression, wherever it stands, as upstream. */
static void answer_exemplars(struct call *c, const struct promql_expr *e, ts_ms start, ts_ms end)
{
    struct source *src = c->api->source;
    struct arena a ARENA_CLEANUP;
    struct matcher_set *sets;
    struct exemplar_series *found = NULL;
    struct reply r;
    struct json_writer w;
    struct err err;
    size_t n = 0;
    arena_init_quota(&a, &c->budget->memory);
    size_t sets_n = promql_expr_selectors(e, &a, &sets);
    if (src->ops->exemplars &&
        !src->ops->exemplars(src, sets, sets_n, start, end, &a, &found, &n, &err)) {
        reply_error(c, &err);
        return;
    }
    success_begin(&r, &w, c);
    json_open_array(&w);
    bool waiting = true;
    for (size_t i = 0; i < n && waiting; i++) {
        put_exemplars(&w, &found[i]);
        waiting = reply_more(&r);
    }
    json_close_array(&w);
    if (waiting)
        success_end(&r, &w);
    else
        reply_end(&r, false);
}

void prometheus_query_exemplars(struct call *c)
{
    struct err err;
    ts_ms start, end;
    if (!param_time(c, STR("start"), INT64_MIN, &start, &err) ||
        !param_time(c, STR("end"), INT64_MAX, &end, &err)) {
        reply_error(c, &err);
        return;
    }
    if (end < start) {
        err_set(&err, ERR_INVALID, "end timestamp must not be before start timestamp");
        reply_error(c, &err);
        return;
    }
    struct promql_expr *e = parse_or_answer(c);
    if (!e)
        return;
    answer_exemplars(c, e, start, end);
    promql_expr_free(e);
}
