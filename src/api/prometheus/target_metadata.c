// SPDX-License-Identifier: Apache-2.0
/*
 * /api/v1/targets/metadata. Metadata is kept by metric family, not by target: a target is said to
 * have those families of which it has a series within the lookback.
 */
#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "base/map.h"
#include "base/vec.h"
#include "promql/promql.h"
#include "scrape/scrape.h"

struct listing {
    struct call *call;
    str metric; /* empty: all */
    struct metadata *rows;
    size_t rows_n;
    struct reply *reply;
    struct json_writer *writer;
    size_t entries;
    struct strbuf name; /* scratch */
};

static bool labels_match(const struct promql_expr *selector, struct labels ls)
{
    size_t n = 0;
    const struct matcher *m = selector ? promql_expr_matchers(selector, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (!matcher_test(&m[i], labels_get(ls, m[i].name)))
            return false;
    }
    return true;
}

/* Names of the series that the target has now. */
static bool target_names(struct call *c, struct labels ls, struct map *out, struct err *err)
{
    struct source *src = c->api->source;
    ts_ms now = env_now_ms(c->api->env);
    struct select_hints h = {
        .start = now - c->api->query.lookback_ms, .end = now, .series_only = true};
    VEC(struct matcher) m = {0};
    str *names;
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < ls.n; i++) {
        struct matcher one;
        ok = matcher_init(&one, MATCH_EQ, ls.at[i].name, ls.at[i].value, err);
        if (ok)
            vec_push(&m, one);
    }
    ok = ok && src->ops->label_values(src, LABEL_NAME, m.at, m.n, &h, c->budget, c->arena, &names,
                                      &n, err);
    for (size_t i = 0; ok && i < n; i++)
        map_put(out, names[i], NULL);
    for (size_t i = 0; i < m.n; i++)
        matcher_fini(&m.at[i]);
    vec_fini(&m);
    return ok;
}

static bool has_family(struct listing *l, const struct map *names, str family)
{
    static const char *const suffixes[] = {"",       "_total", "_info",   "_bucket",
                                           "_count", "_sum",   "_gcount", "_created"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        strbuf_clear(&l->name);
        strbuf_add(&l->name, family);
        strbuf_addz(&l->name, suffixes[i]);
        if (map_has(names, strbuf_str(&l->name)))
            return true;
    }
    return false;
}

/* The answer begins with its first entry: until then it may still be an error. */
static void put_entry(struct listing *l, const struct metadata *row, struct labels target)
{
    struct json_writer *w = l->writer;
    if (!l->entries++) {
        success_begin(l->reply, w, l->call);
        json_open_array(w);
    }
    json_open_object(w);
    json_put_key(w, STR("target"));
    json_labels(w, target);
    if (!l->metric.n)
        json_pair(w, "metric", row->family);
    json_pair(w, "type", metric_type_name(row->type));
    json_pair(w, "help", row->help);
    json_pair(w, "unit", row->unit);
    json_close_object(w);
}

/* False: nobody waits, or err when nothing was written yet. */
static bool put_target(struct listing *l, struct labels target, struct err *err)
{
    MAP_CLEANUP struct map names = {0};
    if (!target_names(l->call, target, &names, err))
        return false;
    for (size_t i = 0; i < l->rows_n; i++) {
        if (has_family(l, &names, l->rows[i].family))
            put_entry(l, &l->rows[i], target);
        if (l->entries && !reply_more(l->reply))
            return false;
    }
    return true;
}

static void list(struct listing *l, const struct promql_expr *selector, uint64_t limit)
{
    struct call *c = l->call;
    struct scrape_targets t;
    struct err err;
    bool ok = true;
    scrape_targets(c->api->scraper, c->req->arena, &t);
    for (size_t i = 0; ok && i < t.active_n && (!limit || l->entries < limit); i++) {
        if (labels_match(selector, t.active[i].labels))
            ok = put_target(l, t.active[i].labels, &err);
    }
    if (ok && !l->entries)
        ok = err_set(&err, ERR_NOT_FOUND, "specified metadata not found");
    if (!l->entries) {
        reply_error(c, &err);
    } else if (!ok) {
        reply_end(l->reply, false);
    } else {
        json_close_array(l->writer);
        success_end(l->reply, l->writer);
    }
}

void prometheus_targets_metadata(struct call *c)
{
    struct reply r;
    struct json_writer w;
    struct source *src = c->api->source;
    struct listing l = {.call = c, .reply = &r, .writer = &w};
    struct promql_expr *selector = NULL;
    struct err err;
    uint64_t limit;
    str match = http_params_get(&c->params, STR("match_target"));
    l.metric = http_params_get(&c->params, STR("metric"));
    bool ok = param_limit(c, STR("limit"), &limit, &err);
    if (ok && match.n) {
        selector = promql_parse_selector(match, &err);
        ok = selector || param_expr_error(&err, STR("match_target"));
    }
    if (ok && src->ops->metadata(src, l.metric, 0, c->arena, &l.rows, &l.rows_n, &err))
        list(&l, selector, limit);
    else
        reply_error(c, &err);
    promql_expr_free(selector);
    strbuf_fini(&l.name);
}
