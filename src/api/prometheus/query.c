// SPDX-License-Identifier: Apache-2.0
/* /api/v1/query and /api/v1/query_range. */
#include <assert.h>
#include <math.h>

#include "api/prometheus/params.h"
#include "api/prometheus/query_int.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/date.h"
#include "model/histogram_math.h"
#include "promql/promql.h"
#include "queries/log.h"

enum { STEPS_MAX = 11000, POINTS_AT_ONCE = 1024 };

enum {
    POINT_START_MAX = 32, /* of 24: 20 of a time in seconds, a sign, 3 around it */
    POINT_TEXT_MAX = POINT_START_MAX + F64_TEXT_MAX + 8,
    TIME_TEXTS_MAX = 1024,
};

/* As upstream: an exponent for what is very small or very large. */
static size_t format_value(double v, char out[F64_TEXT_MAX])
{
    double size = fabs(v);
    bool plain = v == 0 || (size >= 1e-6 && size < 1e21) || !isfinite(v);
    return plain ? f64_format(v, out) : f64_format_e(v, out);
}

/* [time," as it stands before a value. */
struct time_text {
    ts_ms t;
    uint32_t n; /* 0: not made yet */
    char text[POINT_START_MAX];
};

/* Most series of an answer have the same times, so their texts are kept. */
struct time_texts {
    size_t n; /* power of two; point k of any series is at k % n */
    struct time_text at[];
};

static void make_time_text(struct time_text *x, ts_ms t)
{
    char text[DATE_TEXT_MAX + 3] = "[";
    size_t n = 1 + date_format_seconds(t, text + 1);
    text[n++] = ',';
    text[n++] = '"';
    assert(n <= sizeof x->text);
    memcpy(x->text, text, sizeof x->text);
    x->t = t;
    x->n = (uint32_t)n;
}

static struct time_texts *time_texts_new(struct arena *a, size_t points)
{
    size_t n = 1;
    while (n < points && n < TIME_TEXTS_MAX)
        n *= 2;
    struct time_texts *x = arena_zalloc(a, sizeof *x + n * sizeof x->at[0]);
    x->n = n;
    return x;
}

static const struct time_text *time_text_of(struct time_texts *x, size_t k, ts_ms t)
{
    struct time_text *at = &x->at[k & (x->n - 1)];
    if (at->n == 0 || at->t != t)
        make_time_text(at, t);
    return at;
}

/* [time,"value"]: most of the bytes of most answers. Returns its end. */
static char *put_point(char *p, const struct time_text *t, double v)
{
    memcpy(p, t->text, sizeof t->text);
    p += t->n;
    p += format_value(v, p);
    *p++ = '"';
    *p++ = ']';
    *p = 0;
    return p;
}

static void write_value(struct json_writer *w, ts_ms t, double v)
{
    char text[POINT_TEXT_MAX];
    struct time_text start;
    make_time_text(&start, t);
    json_put_raw(w, str_of(text, (size_t)(put_point(text, &start, v) - text)));
}

static void write_number(struct json_writer *w, double v)
{
    char text[F64_TEXT_MAX];
    json_put_str(w, str_of(text, format_value(v, text)));
}

/* {"count":"3","sum":"2","buckets":[[rule,"lower","upper","count"]]}; the rule says which borders
 * belong to the bucket: 0 upper, 1 lower, 2 none, 3 both. */
static void write_histogram(struct json_writer *w, const struct histogram *h)
{
    struct histogram_bucket *b = mem_array(histogram_list_max(h), sizeof *b);
    size_t n = histogram_list(h, b);
    json_open_object(w);
    json_put_key(w, STR("count"));
    write_number(w, h->count);
    json_put_key(w, STR("sum"));
    write_number(w, h->sum);
    if (n) {
        json_put_key(w, STR("buckets"));
        json_open_array(w);
    }
    for (size_t i = 0; i < n; i++) {
        json_open_array(w);
        json_put_i64(w, b[i].lower_in ? (b[i].upper_in ? 3 : 1) : b[i].upper_in ? 0 : 2);
        write_number(w, b[i].lower);
        write_number(w, b[i].upper);
        write_number(w, b[i].count);
        json_close_array(w);
    }
    if (n)
        json_close_array(w);
    json_close_object(w);
    free(b);
}

static void write_histogram_point(struct json_writer *w, ts_ms t, const struct histogram *h)
{
    json_open_array(w);
    json_time(w, t);
    write_histogram(w, h);
    json_close_array(w);
}

/* A matrix series that has histograms: "values" of its floats, "histograms" of the others. */
static bool write_mixed(struct reply *r, struct json_writer *w, const struct promql_series *s)
{
    size_t histograms = 0;
    for (size_t k = 0; k < s->n; k++)
        histograms += s->h[k] != NULL;
    if (histograms < s->n) {
        json_put_key(w, STR("values"));
        json_open_array(w);
        for (size_t k = 0; k < s->n; k++) {
            if (!s->h[k])
                write_value(w, s->t[k], s->v[k]);
            if (k % POINTS_AT_ONCE == 0 && !reply_more(r))
                return false;
        }
        json_close_array(w);
    }
    if (!histograms)
        return true;
    json_put_key(w, STR("histograms"));
    json_open_array(w);
    for (size_t k = 0; k < s->n; k++) {
        if (s->h[k])
            write_histogram_point(w, s->t[k], s->h[k]);
        if (!reply_more(r))
            return false;
    }
    json_close_array(w);
    return true;
}

/* Past the writer, which has nothing to add but commas. A series may be longer than all that is
 * kept of an answer. */
static bool write_values(struct reply *r, struct json_writer *w, const struct promql_series *s,
                         struct time_texts *times)
{
    json_open_array(w);
    for (size_t k = 0; k < s->n; k++) {
        if (k % POINTS_AT_ONCE == 0 && !reply_more(r))
            return false;
        char *p = strbuf_reserve(w->out, POINT_TEXT_MAX + 1), *end = p;
        if (k)
            *end++ = ',';
        end = put_point(end, time_text_of(times, k, s->t[k]), s->v[k]);
        w->out->n += (size_t)(end - p);
    }
    json_close_array(w);
    return true;
}

/* `times` of a matrix, NULL of a vector. False when nobody waits any more. */
static bool write_points(struct reply *r, struct json_writer *w, const struct promql_series *s,
                         struct time_texts *times)
{
    if (times && s->h)
        return write_mixed(r, w, s);
    if (times) {
        json_put_key(w, STR("values"));
        return write_values(r, w, s, times);
    }
    if (s->h && s->h[0]) {
        json_put_key(w, STR("histogram"));
        write_histogram_point(w, s->t[0], s->h[0]);
    } else {
        json_put_key(w, STR("value"));
        write_value(w, s->t[0], s->v[0]);
    }
    return true;
}

static bool write_series(struct reply *r, struct json_writer *w, const struct promql_result *res)
{
    struct time_texts *times = NULL;
    if (res->type == PROMQL_MATRIX && res->series_n)
        times = time_texts_new(r->call->arena, res->series[0].n);
    for (size_t i = 0; i < res->series_n; i++) {
        const struct promql_series *s = &res->series[i];
        json_open_object(w);
        json_put_key(w, STR("metric"));
        json_labels(w, s->labels);
        if (!write_points(r, w, s, times))
            return false;
        json_close_object(w);
        if (!reply_more(r))
            return false;
    }
    return true;
}

static bool write_result(struct reply *r, struct json_writer *w, const struct promql_result *res)
{
    json_open_object(w);
    json_pair(w, "resultType", promql_type_name(res->type));
    json_put_key(w, STR("result"));
    if (res->type == PROMQL_SCALAR) {
        write_value(w, res->t, res->scalar);
    } else if (res->type == PROMQL_STRING) {
        json_open_array(w);
        json_time(w, res->t);
        json_put_str(w, res->string);
        json_close_array(w);
    } else {
        json_open_array(w);
        if (!write_series(r, w, res))
            return false;
        json_close_array(w);
    }
    return true;
}

static void json_seconds(struct json_writer *w, const char *key, int64_t ns)
{
    char text[F64_TEXT_MAX];
    json_put_key(w, str_from_z(key));
    json_put_raw(w, str_of(text, f64_format((double)ns / 1e9, text)));
}

/* [[time, samples], ...] */
static void write_steps(struct json_writer *w, const struct promql_query *q,
                        const struct promql_stats *s)
{
    json_put_key(w, STR("totalQueryableSamplesPerStep"));
    json_open_array(w);
    for (size_t i = 0; i < s->steps_n; i++) {
        json_open_array(w);
        json_time(w, q->start + (int64_t)i * q->step_ms);
        json_put_u64(w, s->samples_per_step[i]);
        json_close_array(w);
    }
    json_close_array(w);
}

static void write_stats(struct json_writer *w, const struct promql_query *q,
                        const struct promql_stats *s)
{
    json_put_key(w, STR("stats"));
    json_open_object(w);
    json_put_key(w, STR("timings"));
    json_open_object(w);
    json_seconds(w, "evalTotalTime", s->eval_ns);
    json_seconds(w, "queryPreparationTime", s->select_ns);
    json_seconds(w, "innerEvalTime", s->eval_ns - s->select_ns);
    json_seconds(w, "execTotalTime", s->eval_ns);
    json_close_object(w);
    json_put_key(w, STR("samples"));
    json_open_object(w);
    if (s->samples_per_step)
        write_steps(w, q, s);
    json_pair_u64(w, "totalQueryableSamples", s->samples_total);
    json_pair_u64(w, "samplesRead", s->samples_read);
    json_pair_u64(w, "peakSamples", s->peak_bytes / PROMQL_SAMPLE_BYTES);
    json_pair_u64(w, "seriesRead", s->series_read);
    json_pair_u64(w, "peakBytes", s->peak_bytes);
    json_close_object(w);
    json_close_object(w);
}

static void write_notes(struct json_writer *w, const char *key, const str *notes, size_t n)
{
    if (!n)
        return;
    json_put_key(w, str_from_z(key));
    json_open_array(w);
    for (size_t i = 0; i < n; i++)
        json_put_str(w, notes[i]);
    json_close_array(w);
}

/* Cuts the result to the limit parameter; true when something was cut. */
static bool cut_to_limit(struct promql_result *res, uint64_t limit)
{
    if (!limit || res->series_n <= limit)
        return false;
    res->series_n = limit;
    return true;
}

static void add_warning(struct call *c, struct promql_result *res, str text)
{
    str *with = arena_array(c->req->arena, str, res->warnings_n + 1);
    for (size_t i = 0; i < res->warnings_n; i++)
        with[i] = res->warnings[i];
    with[res->warnings_n++] = text;
    res->warnings = with;
}

/* Any text asks for statistics, and upstream says of all but two that it will not for ever. */
static void warn_stats(struct call *c, struct promql_result *res)
{
    str text = str_sub(http_params_get(&c->params, STR("stats")), 0, 100);
    if (!text.n || str_eqz(text, "true") || str_eqz(text, "all"))
        return;
    add_warning(c, res,
                arena_printf(c->req->arena,
                             "value \"%.*s\" for parameter \"stats\" is deprecated and will be "
                             "rejected in the next major release, use \"true\" or \"all\"",
                             STR_ARG(text)));
}

void query_write_rest(struct call *c, const struct promql_query *q, const struct promql_result *res,
                      struct json_writer *w)
{
    if (http_params_get(&c->params, STR("stats")).n)
        write_stats(w, q, &res->stats);
    if (res->costs) {
        json_put_key(w, STR("explain"));
        promql_explain(q->expr, res->costs, w);
    }
    json_close_object(w);
    write_notes(w, "warnings", res->warnings, res->warnings_n);
    write_notes(w, "infos", res->infos, res->infos_n);
}

static void respond(struct call *c, const struct promql_query *q, struct promql_result *res,
                    uint64_t limit)
{
    struct reply r;
    struct json_writer w;
    if (cut_to_limit(res, limit))
        add_warning(c, res, STR("results truncated due to limit"));
    warn_stats(c, res);
    if (columns_wanted(c, q, res)) {
        columns_respond(c, q, res);
        return;
    }
    success_begin(&r, &w, c);
    if (!write_result(&r, &w, res)) {
        reply_end(&r, false);
        return;
    }
    query_write_rest(c, q, res, &w);
    success_end(&r, &w);
}

/* `res` NULL: it failed, and what is known is what its budget knows. */
static void log_query(struct call *c, const struct promql_query *q, const struct promql_result *res,
                      int64_t took_ns, const struct err *err)
{
    const struct query *under_way = c->under_way;
    struct query_log_entry e = {
        .query = under_way,
        .start = q->start,
        .end = q->end,
        .step_ms = q->step_ms,
        .error = res ? NULL : err->msg,
        .queue_ns = under_way->queue_ns,
        .eval_ns = took_ns,
        .samples_read = atomic_load(&under_way->budget.samples),
        .samples_peak = atomic_load(&under_way->budget.memory.peak) / PROMQL_SAMPLE_BYTES,
    };
    if (res) {
        e.prepare_ns = res->stats.select_ns;
        e.samples_total = res->stats.samples_total;
        e.samples_read = res->stats.samples_read;
    }
    query_log_put(c->api->query_log, &e);
}

/* Evaluates what `q` asks and answers. */
static void execute(struct call *c, struct promql_query *q, uint64_t limit)
{
    SNAP_CLEANUP struct snap_ref ref = snap_get(&c->api->config);
    const struct api_config *config = ref.value;
    struct promql_result res;
    struct err err;
    q->source = c->api->source;
    q->scrape_interval_ms = config->scrape_interval_ms;
    q->budget = c->budget;
    q->features = c->api->query.features;
    q->step_stats = str_eqz(http_params_get(&c->params, STR("stats")), "all");
    q->explain = str_eqz(http_params_get(&c->params, STR("explain")), "true");
    int64_t begin = env_mono_ns(c->api->env);
    bool ok = promql_exec(q, c->arena, &res, &err);
    log_query(c, q, ok ? &res : NULL, env_mono_ns(c->api->env) - begin, &err);
    if (ok)
        respond(c, q, &res, limit);
    else
        reply_error(c, &err);
}

/* Parameters that both kinds have. The expression is the caller's to free. */
static struct promql_expr *common_params(struct call *c, struct promql_query *q, uint64_t *limit,
                                         struct err *err)
{
    const struct api *api = c->api;
    int64_t timeout_ms;
    if (!param_duration(c, STR("timeout"), api->query.timeout_ms, &timeout_ms, err) ||
        !param_duration(c, STR("lookback_delta"), api->query.lookback_ms, &q->lookback_ms, err) ||
        !param_limit(c, STR("limit"), limit, err))
        return NULL;
    call_deadline_set(c, timeout_ms);
    if (q->lookback_ms <= 0)
        q->lookback_ms = api->query.lookback_ms;
    struct promql_parse_options options = {.features = api->query.features};
    struct promql_expr *expr =
        promql_parse(http_params_get(&c->params, STR("query")), &options, err);
    if (!expr)
        param_expr_error(err, STR("query"));
    q->expr = expr;
    return expr;
}

/* The rest of both kinds, once the times are known. */
static void run(struct call *c, struct promql_query *q)
{
    struct err err;
    uint64_t limit;
    struct promql_expr *expr = common_params(c, q, &limit, &err);
    if (expr)
        execute(c, q, limit);
    else
        reply_error(c, &err);
    promql_expr_free(expr);
}

void prometheus_query(struct call *c)
{
    struct promql_query q = {0};
    struct err err;
    if (!param_time(c, STR("time"), env_now_ms(c->api->env), &q.start, &err)) {
        reply_error(c, &err);
        return;
    }
    q.end = q.start;
    run(c, &q);
}

static bool range_params(struct call *c, struct promql_query *q, struct err *err)
{
    if (!param_time_required(c, STR("start"), &q->start, err) ||
        !param_time_required(c, STR("end"), &q->end, err) ||
        !param_duration_required(c, STR("step"), &q->step_ms, err))
        return false;
    if (q->end < q->start)
        return err_set(err, ERR_INVALID,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    if (q->step_ms <= 0)
        return err_set(err, ERR_INVALID,
                       "invalid parameter \"step\": zero or negative query "
                       "resolution step widths are not accepted. Try a positive "
                       "integer");
    if ((q->end - q->start) / q->step_ms > STEPS_MAX)
        return err_set(err, ERR_INVALID,
                       "exceeded maximum resolution of 11,000 points per timeseries. "
                       "Try decreasing the query resolution (?step=XX)");
    return true;
}

void prometheus_query_range(struct call *c)
{
    struct promql_query q = {0};
    struct err err;
    if (range_params(c, &q, &err))
        run(c, &q);
    else
        reply_error(c, &err);
}
