// SPDX-License-Identifier: Apache-2.0
/* `nunchi query`: asks a server that speaks Prometheus' API, or a storage directory, and shows the
 * answer. */
#include <stdio.h>

#include "base/num.h"
#include "cmd/cmd.h"
#include "cmd/query_int.h"
#include "codec/date.h"
#include "net/http_client.h"
#include "sys/env.h"
#include "sys/loop.h"

enum { TIME, START, END, STEP, JSON, FEATURES };

static const struct option_row options[] = {
    [TIME] = {"time", OPTION_TEXT, "TIME", NULL,
              "When an instant query is evaluated: RFC 3339 or Unix seconds. Default: now."},
    [START] = {"start", OPTION_TEXT, "TIME", NULL,
               "First moment. Default of range: one hour before the end."},
    [END] = {"end", OPTION_TEXT, "TIME", NULL, "Last moment. Default of range: now."},
    [STEP] = {"step", OPTION_TEXT, "DURATION", NULL,
              "Between two moments of a range query. Default: a 250th of the range, 1s at least."},
    [JSON] = {"json", OPTION_BOOL, NULL, NULL, "Print the answer as it came."},
    [FEATURES] =
        {"enable-feature", OPTION_LIST, "NAME,...", NULL,
         "Of a directory: metricsql, what MetricsQL adds to the language. A server has its "
         "own."},
};

enum { CALL_TIMEOUT_MS = 150000, BODY_BYTES_MAX = 256 << 20, STEPS_DEFAULT = 250 };

/* What to ask for. */
struct question {
    str base; /* URL of the server, without a slash at the end */
    struct strbuf path, form;
    bool get;             /* the form is the URL's query */
    const char *dir;      /* NULL, or the storage directory to ask instead */
    struct query_ask ask; /* the same question for a directory */
};

static void question_fini(struct question *q)
{
    strbuf_fini(&q->path);
    strbuf_fini(&q->form);
}
#define QUESTION_CLEANUP __attribute__((cleanup(question_fini)))

/* ---- the question ---- */

static void add_encoded(struct strbuf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            strbuf_addc(out, (char)c);
        else
            strbuf_addf(out, "%%%02X", c);
    }
}

static void add_param(struct question *q, const char *name, str value)
{
    strbuf_addf(&q->form, "%s%s=", q->form.n ? "&" : "", name);
    add_encoded(&q->form, value);
}

static void add_time(struct question *q, const char *name, ts_ms t)
{
    char text[DATE_TEXT_MAX];
    add_param(q, name, str_of(text, date_format_seconds(t, text)));
}

static bool read_time(const struct option_value *v, const char *flag, ts_ms fallback, ts_ms *out,
                      struct err *err)
{
    *out = fallback;
    return !v->given || date_parse_param(v->text, out, err) || err_wrap(err, "--%s", flag);
}

/* Only what was given. */
static bool add_bounds(struct question *q, const struct option_value *values, struct err *err)
{
    ts_ms start, end;
    if (!read_time(&values[START], "start", 0, &start, err) ||
        !read_time(&values[END], "end", 0, &end, err))
        return false;
    q->ask.start = values[START].given ? start : INT64_MIN;
    q->ask.end = values[END].given ? end : INT64_MAX;
    if (values[START].given)
        add_time(q, "start", start);
    if (values[END].given)
        add_time(q, "end", end);
    return true;
}

static bool one_expression(size_t args_n, struct err *err)
{
    if (args_n == 1)
        return true;
    return err_set(err, ERR_INVALID, args_n ? "more than one expression" : "no expression");
}

static bool ask_instant(struct question *q, const struct option_value *values, char **args,
                        size_t args_n, struct err *err)
{
    ts_ms t;
    if (!one_expression(args_n, err) ||
        !read_time(&values[TIME], "time", clock_system()->now_ms(clock_system()), &t, err))
        return false;
    q->ask = (struct query_ask){.kind = QUERY_INSTANT, .start = t, .end = t};
    q->ask.expr = str_from_z(args[0]);
    strbuf_addz(&q->path, "/api/v1/query");
    add_param(q, "query", str_from_z(args[0]));
    add_time(q, "time", t);
    return true;
}

/* Seconds with a fraction, or 1h30m, as the API takes it. */
static bool read_step(const struct option_value *v, int64_t *ms, struct err *err)
{
    double seconds;
    if (!v->given)
        return true;
    if (!f64_parse(v->text, &seconds))
        return duration_parse(v->text, ms, err) || err_wrap(err, "--step");
    if (!date_from_seconds(seconds, ms) || *ms <= 0)
        return err_set(err, ERR_INVALID, "--step is no positive duration");
    return true;
}

static bool ask_range(struct question *q, const struct option_value *values, char **args,
                      size_t args_n, struct err *err)
{
    ts_ms start, end;
    if (!one_expression(args_n, err) ||
        !read_time(&values[END], "end", clock_system()->now_ms(clock_system()), &end, err) ||
        !read_time(&values[START], "start", end - 3600 * 1000, &start, err))
        return false;
    if (start > end)
        return err_set(err, ERR_INVALID, "--end is before --start");
    int64_t step_ms = (end - start) / STEPS_DEFAULT / 1000 * 1000;
    step_ms = step_ms < 1000 ? 1000 : step_ms;
    strbuf_addz(&q->path, "/api/v1/query_range");
    add_param(q, "query", str_from_z(args[0]));
    add_time(q, "start", start);
    add_time(q, "end", end);
    if (!read_step(&values[STEP], &step_ms, err))
        return false;
    add_time(q, "step", step_ms);
    q->ask =
        (struct query_ask){.kind = QUERY_RANGE, .start = start, .end = end, .step_ms = step_ms};
    q->ask.expr = str_from_z(args[0]);
    return true;
}

static bool ask_series(struct question *q, const struct option_value *values, char **args,
                       size_t args_n, struct err *err)
{
    if (!args_n)
        return err_set(err, ERR_INVALID, "no selector");
    if (args_n > 1 && q->dir)
        return err_set(err, ERR_INVALID, "more than one selector for a directory");
    q->ask = (struct query_ask){.kind = QUERY_SERIES, .expr = str_from_z(args[0])};
    strbuf_addz(&q->path, "/api/v1/series");
    for (size_t i = 0; i < args_n; i++)
        add_param(q, "match[]", str_from_z(args[i]));
    return add_bounds(q, values, err);
}

static bool ask_labels(struct question *q, const struct option_value *values, char **args,
                       size_t args_n, struct err *err)
{
    q->get = true;
    if (args_n > 2 && q->dir)
        return err_set(err, ERR_INVALID, "more than one selector for a directory");
    q->ask = (struct query_ask){.kind = QUERY_LABELS,
                                .name = args_n ? str_from_z(args[0]) : STR(""),
                                .expr = args_n > 1 ? str_from_z(args[1]) : STR("")};
    if (args_n) {
        strbuf_addz(&q->path, "/api/v1/label/");
        add_encoded(&q->path, str_from_z(args[0]));
        strbuf_addz(&q->path, "/values");
    } else {
        strbuf_addz(&q->path, "/api/v1/labels");
    }
    for (size_t i = 1; i < args_n; i++)
        add_param(q, "match[]", str_from_z(args[i]));
    return add_bounds(q, values, err);
}

static const struct {
    str name;
    bool (*ask)(struct question *q, const struct option_value *values, char **args, size_t args_n,
                struct err *err);
} kinds[] = {
    {STR_INIT("instant"), ask_instant},
    {STR_INIT("range"), ask_range},
    {STR_INIT("series"), ask_series},
    {STR_INIT("labels"), ask_labels},
};
enum { KINDS_N = sizeof kinds / sizeof kinds[0] };

/* A URL, or a directory. */
static void read_place(const char *place, struct question *q)
{
    str url = str_from_z(place);
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))) {
        q->dir = place;
        return;
    }
    while (str_ends(url, STR("/")))
        url.n--;
    q->base = url;
}

static bool read_question(struct question *q, const struct option_value *values, char **args,
                          size_t args_n, struct err *err)
{
    str names[KINDS_N];
    if (args_n < 2) {
        err_set(err, ERR_INVALID, "expected what to ask for and whom");
        return err_hint(err, "nunchi query instant http://127.0.0.1:9090 up");
    }
    for (size_t i = 0; i < KINDS_N; i++) {
        names[i] = kinds[i].name;
        if (!str_eqz(names[i], args[0]))
            continue;
        read_place(args[1], q);
        return kinds[i].ask(q, values, args + 2, args_n - 2, err);
    }
    err_set(err, ERR_INVALID, "unknown kind of query \"%s\"", args[0]);
    str near = str_nearest(str_from_z(args[0]), names, KINDS_N);
    return err_hint(err, near.n ? "did you mean \"%.*s\"?" : "instant, range, series or labels%.*s",
                    STR_ARG(near));
}

/* ---- the call ---- */

struct answer {
    struct loop *loop;
    bool ok;
    int status;
    struct strbuf body;
    struct err err;
};

static void on_done(void *arg, const struct http_result *r)
{
    struct answer *a = arg;
    a->ok = r->failure == HTTP_CALL_OK;
    a->status = r->status;
    if (a->ok)
        strbuf_add(&a->body, str_from_bytes(r->body));
    else
        a->err = r->err;
    loop_stop(a->loop);
}

static bool call(const struct question *q, struct http_client *client, struct answer *a,
                 struct err *err)
{
    STRBUF_CLEANUP struct strbuf url = {0};
    struct http_header form = {STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    strbuf_addf(&url, "%.*s%s", STR_ARG(q->base), q->path.p);
    if (q->get && q->form.n)
        strbuf_addf(&url, "?%s", q->form.p);
    struct http_call_options o = {
        .url = url.p,
        .timeout_ms = CALL_TIMEOUT_MS,
        .body_max_bytes = BODY_BYTES_MAX,
        .gzip = true,
        .on_done = on_done,
        .arg = a,
    };
    if (!q->get) {
        o.headers = &form;
        o.headers_n = 1;
        o.body = bytes_from_str(strbuf_str(&q->form));
        o.has_body = true;
    }
    if (!http_call_start(client, &o, err))
        return false;
    loop_run(a->loop);
    if (!a->ok)
        *err = a->err;
    return a->ok;
}

/* One call on a loop of its own. */
static bool fetch(const struct question *q, struct answer *a, struct err *err)
{
    struct http_client_options o = {.egress = {.from = EGRESS_CONFIG}};
    a->loop = loop_new("query");
    struct http_client *client = http_client_new(a->loop, &o, err);
    bool ok = client && call(q, client, a, err);
    if (client)
        http_client_free(client);
    loop_free(a->loop);
    return ok;
}

bool query_explained(const char *place, const struct query_ask *ask, struct strbuf *body,
                     struct err *err)
{
    QUESTION_CLEANUP struct question q = {.ask = *ask};
    struct answer a = {0};
    read_place(place, &q);
    if (q.dir)
        return query_local(q.dir, ask, body, err);
    bool range = ask->kind == QUERY_RANGE;
    strbuf_addz(&q.path, range ? "/api/v1/query_range" : "/api/v1/query");
    add_param(&q, "query", ask->expr);
    add_time(&q, range ? "start" : "time", ask->start);
    if (range) {
        add_time(&q, "end", ask->end);
        add_time(&q, "step", ask->step_ms);
    }
    add_param(&q, "explain", STR("true"));
    add_param(&q, "limit", STR("1")); /* of the result, which nobody looks at */
    bool ok = fetch(&q, &a, err);
    if (ok)
        strbuf_add(body, strbuf_str(&a.body));
    strbuf_fini(&a.body);
    return ok;
}

static bool show(const struct answer *a, bool json, struct err *err)
{
    STRBUF_CLEANUP struct strbuf out = {0}, notes = {0};
    str body = strbuf_str(&a->body);
    if (json) {
        fwrite(body.p, 1, body.n, stdout);
        fputc('\n', stdout);
        return a->status / 100 == 2 ||
               err_set(err, ERR_EXEC, "the server answered with status %d", a->status);
    }
    if (!query_print(body, &out, &notes, err))
        return a->status / 100 == 2 || err->kind == ERR_EXEC
                   ? false
                   : err_set(err, ERR_EXEC, "the server answered with status %d", a->status);
    fputs(notes.p ? notes.p : "", stderr);
    fputs(out.p ? out.p : "", stdout);
    return true;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    QUESTION_CLEANUP struct question q = {0};
    struct answer a = {0};
    struct err err;
    bool ok = read_question(&q, values, args, args_n, &err);
    if (ok && q.dir && values[JSON].on)
        ok = err_set(&err, ERR_INVALID, "--json is for servers, not for directories");
    if (ok && !q.dir && values[FEATURES].given)
        ok = err_set(&err, ERR_INVALID, "--enable-feature is for directories, not for servers");
    ok = ok && cmd_promql_features(&values[FEATURES], &q.ask.features, &err);
    a.status = 200;
    ok = ok && (q.dir ? query_local(q.dir, &q.ask, &a.body, &err) : fetch(&q, &a, &err)) &&
         show(&a, values[JSON].on, &err);
    strbuf_fini(&a.body);
    return ok ? 0 : cmd_fail(&err);
}

const struct command cmd_query = {
    .name = "query",
    .args = "instant|range|series|labels URL|DIR [EXPR]...",
    .summary = "ask a server that speaks Prometheus' API, or a storage directory",
    .text = "instant URL EXPR: the value of an expression at one moment.\n"
            "range URL EXPR: its values from --start to --end.\n"
            "series URL SELECTOR...: the label sets of series.\n"
            "labels URL [NAME [SELECTOR...]]: the names of labels, or the values of one.\n\n"
            "The URL is that of nunchi, Prometheus or anything alike. A directory is what a server "
            "has as\n--storage.path, or a snapshot; it is read without changing it, also while a "
            "server is using it. Times\nare printed in UTC.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
