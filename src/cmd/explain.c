// SPDX-License-Identifier: Apache-2.0
/* `nunchi explain`: an expression as the tree that is evaluated, with what each part of it cost. */
#include <stdio.h>

#include "base/num.h"
#include "cmd/cmd.h"
#include "cmd/query_int.h"
#include "codec/date.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "promql/promql.h"
#include "sys/env.h"

enum { ON, TIME, START, END, STEP, FEATURES };

static const struct option_row options[] = {
    [ON] = {"on", OPTION_TEXT, "URL|DIR", NULL,
            "Evaluate it there: a nunchi server or a storage directory. Without it the tree is "
            "shown alone."},
    [TIME] = {"time", OPTION_TEXT, "TIME", NULL,
              "When an instant query is evaluated: RFC 3339 or Unix seconds. Default: now."},
    [START] = {"start", OPTION_TEXT, "TIME", NULL,
               "A range query's first moment. Default: one hour before the end."},
    [END] = {"end", OPTION_TEXT, "TIME", NULL, "Its last moment. Default: now."},
    [STEP] = {"step", OPTION_TEXT, "DURATION", NULL, "Between two of its moments. Default: 15s."},
    [FEATURES] = {"enable-feature", OPTION_LIST, "NAME,...", NULL,
                  "metricsql: understand what MetricsQL adds, too. A server has its own."},
};

enum { HOUR_MS = 3600000, TEXT_MAX = 100, DEPTH_MAX = 2 * PROMQL_DEPTH_MAX, MEMORY_MAX = 64 << 20 };

/* ---- the tree ---- */

static double number(const struct json_value *part, str key)
{
    double v = 0;
    return json_as_f64(json_get(part, key), &v) ? v : 0;
}

/* One line, short enough to be read, without bytes that a terminal obeys. */
static void put_text(struct strbuf *out, str text)
{
    size_t n = text.n < TEXT_MAX ? text.n : TEXT_MAX - 3;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool blank = c <= 0x20 || c == 0x7f;
        if (!blank || !out->n || out->p[out->n - 1] != ' ')
            strbuf_addc(out, blank ? ' ' : (char)c);
    }
    strbuf_addz(out, n < text.n ? "..." : "");
    strbuf_addc(out, '\n');
}

static void put_figures(struct strbuf *out, const struct json_value *part)
{
    strbuf_addf(out, "%9.0f %11.0f %9.3f %9.3f  ", number(part, STR("rows")),
                number(part, STR("samples")), number(part, STR("totalTime")) * 1e3,
                number(part, STR("selfTime")) * 1e3);
}

struct tree {
    struct strbuf *out;
    bool figures;
    bool last[DEPTH_MAX]; /* of each level above: no more come after this one */
};

static bool put_part(struct tree *t, const struct json_value *part, size_t depth, struct err *err)
{
    const struct json_value *parts = json_get(part, STR("parts"));
    str text;
    if (!json_as_str(json_get(part, STR("expr")), &text) || depth >= DEPTH_MAX)
        return err_set(err, ERR_CORRUPT, "the answer has no tree as a nunchi server makes it");
    if (t->figures)
        put_figures(t->out, part);
    for (size_t i = 1; i < depth; i++)
        strbuf_addz(t->out, t->last[i] ? "   " : "|  ");
    strbuf_addz(t->out, depth == 0 ? "" : t->last[depth] ? "`- " : "|- ");
    put_text(t->out, text);
    for (size_t i = 0; parts && parts->type == JSON_ARRAY && i < parts->n; i++) {
        t->last[depth + 1 < DEPTH_MAX ? depth + 1 : depth] = i + 1 == parts->n;
        if (!put_part(t, &parts->items[i], depth + 1, err))
            return false;
    }
    return true;
}

bool explain_print(str body, bool figures, struct strbuf *out, struct err *err)
{
    ARENA_CLEANUP struct arena arena;
    struct json_value *answer;
    struct tree t = {.out = out, .figures = figures};
    str message;
    arena_init(&arena, MEMORY_MAX);
    if (!json_parse(body, &arena, &answer, err))
        return err_wrap(err, "the answer is no JSON");
    if (json_as_str(json_get(answer, STR("error")), &message))
        return err_set(err, ERR_EXEC, "%.*s", STR_ARG(message));
    const struct json_value *root = json_get(json_get(answer, STR("data")), STR("explain"));
    if (!root)
        return err_set(err, ERR_EXEC, "the server does not explain; it is no nunchi server");
    if (figures)
        strbuf_addf(out, "%9s %11s %9s %9s  \n", "series", "samples", "total ms", "self ms");
    return put_part(&t, root, 0, err);
}

/* ---- asking ---- */

static bool read_time(const struct option_value *v, const char *flag, ts_ms fallback, ts_ms *out,
                      struct err *err)
{
    *out = fallback;
    return !v->given || date_parse_param(v->text, out, err) || err_wrap(err, "--%s", flag);
}

static bool read_ask(const struct option_value *values, str expr, struct query_ask *out,
                     struct err *err)
{
    ts_ms now = clock_system()->now_ms(clock_system());
    *out = (struct query_ask){.kind = QUERY_INSTANT, .expr = expr, .explain = true};
    if (values[START].given || values[END].given || values[STEP].given) {
        out->kind = QUERY_RANGE;
        out->step_ms = 15000;
        return read_time(&values[END], "end", now, &out->end, err) &&
               read_time(&values[START], "start", out->end - HOUR_MS, &out->start, err) &&
               (!values[STEP].given || duration_parse(values[STEP].text, &out->step_ms, err) ||
                err_wrap(err, "--step"));
    }
    if (!read_time(&values[TIME], "time", now, &out->start, err))
        return false;
    out->end = out->start;
    return true;
}

/* The tree without figures, in the shape of an answer. */
static bool plan(const struct promql_expr *e, struct strbuf *body)
{
    static const struct promql_cost nothing[PROMQL_NODES_MAX];
    struct json_writer w = json_writer(body);
    json_open_object(&w);
    json_put_key(&w, STR("data"));
    json_open_object(&w);
    json_put_key(&w, STR("explain"));
    promql_explain(e, nothing, &w);
    json_close_object(&w);
    json_close_object(&w);
    return true;
}

static bool explain(const struct option_value *values, const char *text, struct strbuf *out,
                    struct err *err)
{
    STRBUF_CLEANUP struct strbuf body = {0};
    struct promql_parse_options all = {.features = PROMQL_UPSTREAM_FEATURES};
    struct query_ask ask;
    if (!cmd_promql_features(&values[FEATURES], &all.features, err) ||
        !read_ask(values, str_from_z(text), &ask, err))
        return false;
    ask.features = all.features;
    struct promql_expr *e = promql_parse(ask.expr, &all, err);
    if (!e)
        return false;
    bool there = values[ON].given;
    bool ok = (there ? query_explained(values[ON].text.p, &ask, &body, err) : plan(e, &body)) &&
              explain_print(strbuf_str(&body), there, out, err);
    promql_expr_free(e);
    return ok;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    struct err err;
    if (args_n != 1) {
        err_set(&err, ERR_INVALID,
                args_n ? "more than one expression" : "no expression to explain");
        err_hint(&err, "nunchi explain 'sum by (job) (rate(x[5m]))' --on http://127.0.0.1:9090");
        return cmd_fail(&err);
    }
    if (!explain(values, args[0], &out, &err)) {
        err_print(&err, "error", err.pos.line ? str_from_z(args[0]) : STR(""), &out);
        fputs(out.p, stderr);
        return 1;
    }
    fputs(out.p, stdout);
    return 0;
}

const struct command cmd_explain = {
    .name = "explain",
    .args = "EXPR",
    .summary = "show how a PromQL expression is evaluated, and what each part of it costs",
    .text =
        "Prints the expression as a tree. With --on it is evaluated there, and each line begins "
        "with the\nseries that part gave, the samples that were read for it, its time with all "
        "below it and its own.\nWith --start, --end or --step it is a range query.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
