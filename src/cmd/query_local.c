// SPDX-License-Identifier: Apache-2.0
/*
 * `nunchi query` on a storage directory: opened to be read, beside a server perhaps. The answer is
 * put together as a server's would be, as far as query_print shows it.
 */
#include "base/num.h"
#include "cmd/db_int.h"
#include "cmd/query_int.h"
#include "codec/date.h"
#include "codec/json_writer.h"
#include "promql/promql.h"

enum { LOOKBACK_MS = 300000 };

struct local {
    const struct query_ask *ask;
    struct source *source;
    struct budget budget;
    struct arena arena;
    struct json_writer w;
};

static int64_t mono_ns(void *arg)
{
    struct clock *clock = arg;
    return clock->mono_ns(clock);
}

static void put_pair(struct json_writer *w, const char *key, str value)
{
    json_put_key(w, str_from_z(key));
    json_put_str(w, value);
}

static void put_labels(struct json_writer *w, struct labels ls)
{
    json_open_object(w);
    for (size_t i = 0; i < ls.n; i++) {
        json_put_key(w, ls.at[i].name);
        json_put_str(w, ls.at[i].value);
    }
    json_close_object(w);
}

static void put_number(struct json_writer *w, double v)
{
    char text[F64_TEXT_MAX];
    json_put_str(w, str_of(text, f64_format(v, text)));
}

static void put_point(struct json_writer *w, ts_ms t, double v, const struct histogram *h)
{
    char text[DATE_TEXT_MAX];
    json_open_array(w);
    json_put_raw(w, str_of(text, date_format_seconds(t, text)));
    if (h) {
        json_open_object(w);
        json_put_key(w, STR("count"));
        put_number(w, h->count);
        json_put_key(w, STR("sum"));
        put_number(w, h->sum);
        json_close_object(w);
    } else {
        put_number(w, v);
    }
    json_close_array(w);
}

static void put_series(struct json_writer *w, const struct promql_series *s, bool matrix)
{
    json_open_object(w);
    json_put_key(w, STR("metric"));
    put_labels(w, s->labels);
    json_put_key(w, matrix ? STR("values") : STR("value"));
    if (matrix)
        json_open_array(w);
    for (size_t i = 0; i < s->n; i++)
        put_point(w, s->t[i], s->v ? s->v[i] : 0, s->h ? s->h[i] : NULL);
    if (matrix)
        json_close_array(w);
    json_close_object(w);
}

/* What is to be explained has no other result. */
static void put_result(struct json_writer *w, const struct promql_result *res,
                       const struct promql_expr *e)
{
    json_open_object(w);
    if (res->costs) {
        json_put_key(w, STR("explain"));
        promql_explain(e, res->costs, w);
        json_close_object(w);
        return;
    }
    put_pair(w, "resultType", promql_type_name(res->type));
    json_put_key(w, STR("result"));
    if (res->type == PROMQL_SCALAR) {
        put_point(w, res->t, res->scalar, NULL);
    } else if (res->type == PROMQL_STRING) {
        json_open_array(w);
        json_put_i64(w, res->t / 1000);
        json_put_str(w, res->string);
        json_close_array(w);
    } else {
        json_open_array(w);
        for (size_t i = 0; i < res->series_n; i++)
            put_series(w, &res->series[i], res->type == PROMQL_MATRIX);
        json_close_array(w);
    }
    json_close_object(w);
}

static void put_notes(struct json_writer *w, const char *key, const str *notes, size_t n)
{
    json_put_key(w, str_from_z(key));
    json_open_array(w);
    for (size_t i = 0; i < n; i++)
        json_put_str(w, notes[i]);
    json_close_array(w);
}

static bool evaluate(struct local *l, struct err *err)
{
    const struct query_ask *ask = l->ask;
    struct promql_parse_options all = {.features = PROMQL_UPSTREAM_FEATURES | ask->features};
    struct promql_result res;
    struct promql_expr *e = promql_parse(ask->expr, &all, err);
    if (!e)
        return false;
    struct promql_query q = {.source = l->source,
                             .expr = e,
                             .start = ask->start,
                             .end = ask->end,
                             .step_ms = ask->step_ms,
                             .lookback_ms = LOOKBACK_MS,
                             .budget = &l->budget,
                             .explain = ask->explain};
    bool ok = promql_exec(&q, &l->arena, &res, err);
    if (ok) {
        put_result(&l->w, &res, e);
        put_notes(&l->w, "warnings", res.warnings, res.warnings_n);
        put_notes(&l->w, "infos", res.infos, res.infos_n);
    }
    promql_expr_free(e);
    return ok;
}

static bool put_selected(struct local *l, const struct promql_expr *e, struct err *err)
{
    struct select_hints h = {.start = l->ask->start, .end = l->ask->end, .series_only = true};
    size_t m_n;
    const struct matcher *m = promql_expr_matchers(e, &m_n);
    struct selection *sel = l->source->ops->select(l->source, m, m_n, &h, &l->budget, err);
    if (!sel)
        return false;
    for (size_t i = 0; i < l->source->ops->size(sel); i++)
        put_labels(&l->w, l->source->ops->labels(sel, i));
    l->source->ops->release(sel);
    return true;
}

static bool list_series(struct local *l, struct err *err)
{
    struct promql_expr *e = promql_parse_selector(l->ask->expr, err);
    if (!e)
        return false;
    json_open_array(&l->w);
    bool ok = put_selected(l, e, err);
    json_close_array(&l->w);
    promql_expr_free(e);
    return ok;
}

/* Names, or values of `name`. */
static bool list_labels(struct local *l, struct err *err)
{
    const struct source_ops *ops = l->source->ops;
    struct select_hints h = {.start = l->ask->start, .end = l->ask->end, .series_only = true};
    struct promql_expr *e = NULL;
    const struct matcher *m = NULL;
    size_t m_n = 0, n;
    str *found;
    if (l->ask->expr.n && !(e = promql_parse_selector(l->ask->expr, err)))
        return false;
    if (e)
        m = promql_expr_matchers(e, &m_n);
    bool ok = l->ask->name.n
                  ? ops->label_values(l->source, l->ask->name, m, m_n, &h, &l->budget, &l->arena,
                                      &found, &n, err)
                  : ops->label_names(l->source, m, m_n, &h, &l->budget, &l->arena, &found, &n, err);
    json_open_array(&l->w);
    for (size_t i = 0; ok && i < n; i++)
        json_put_str(&l->w, found[i]);
    json_close_array(&l->w);
    if (e)
        promql_expr_free(e);
    return ok;
}

static bool answer(struct local *l, struct err *err)
{
    json_open_object(&l->w);
    put_pair(&l->w, "status", STR("success"));
    json_put_key(&l->w, STR("data"));
    if (!(l->ask->kind == QUERY_SERIES   ? list_series(l, err)
          : l->ask->kind == QUERY_LABELS ? list_labels(l, err)
                                         : evaluate(l, err)))
        return false;
    json_close_object(&l->w);
    return true;
}

bool query_local(const char *path, const struct query_ask *ask, struct strbuf *body,
                 struct err *err)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    struct local l = {.ask = ask, .w = json_writer(body)};
    arena_init(&a, 0);
    struct tsdb *db =
        db_place_open(path, false, &a, &place, err) ? db_open(&place, true, err) : NULL;
    if (!db)
        return false;
    l.budget.mono_ns = mono_ns;
    l.budget.clock = clock_system();
    arena_init(&l.arena, 0);
    l.source = tsdb_source(db);
    bool ok = answer(&l, err);
    arena_fini(&l.arena);
    tsdb_close(db);
    return ok;
}
