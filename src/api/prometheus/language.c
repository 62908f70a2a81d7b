// SPDX-License-Identifier: Apache-2.0
/* /api/v1/format_query, parse_query and query_exemplars: what only reads the expression. */
#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
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

/* Exemplars are not stored: the list is empty, once the question is a good one. */
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
    promql_expr_free(e);
    success_empty_list(c);
}
