// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "codec/regex.h"
#include "model/histogram_math.h"
#include "promql/eval_int.h"
#include "promql/script_int.h"

enum {
    SAMPLES_MAX = 10 * 1000 * 1000, /* of one evaluation */
    MEMORY_MAX = 256 << 20,
};

enum expectation_kind { EXPECT_FAIL, EXPECT_WARN, EXPECT_NO_WARN, EXPECT_INFO, EXPECT_NO_INFO };

struct expectation {
    enum expectation_kind kind;
    bool regex; /* else the whole message; neither when the text is empty */
    str text;
};

/* One eval command with what belongs to it. */
struct evaluation {
    str expr;
    bool range, ordered, only_instant;
    ts_ms start, end;
    int64_t step;
    VEC(struct expectation) expect;
    script_series_vec series;
    bool scalar_set, string_set;
    double scalar;
    str string;
    ts_ms points_start; /* of expected values */
    int64_t points_step;
};

struct script {
    str file;
    unsigned features;
    struct promql_script_report *report;
    struct mem_source *source;
    struct arena arena; /* of the command at hand */
    VEC(str) lines;     /* trimmed, comments empty */
    size_t line;        /* index of the line at hand */
};

static void fail(struct script *s, size_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct script *s, size_t line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_addf(&s->report->failures, "%.*s:%zu: ", STR_ARG(s->file), line + 1);
    strbuf_addv(&s->report->failures, fmt, ap);
    strbuf_addc(&s->report->failures, '\n');
    va_end(ap);
}

/* ---- small readers ---- */

/* Cuts the next word off. */
static str word(str *rest)
{
    size_t n = 0;
    *rest = str_trim(*rest);
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    str w = str_sub(*rest, 0, n);
    *rest = str_trim(str_sub(*rest, n, rest->n));
    return w;
}

static bool expect_word(str *rest, const char *want, struct err *err)
{
    str w = word(rest);
    return str_eqz(w, want) || err_set(err, ERR_INVALID, "\"%s\" expected", want);
}

static bool read_duration(str *rest, int64_t *out, struct err *err)
{
    str w = word(rest);
    bool negative = w.n > 0 && w.p[0] == '-';
    if (!duration_parse(negative ? str_sub(w, 1, w.n) : w, out, err))
        return false;
    if (negative)
        *out = -*out;
    return true;
}

/* from A to B step S */
static bool read_span(str *rest, ts_ms *start, ts_ms *end, int64_t *step, struct err *err)
{
    return expect_word(rest, "from", err) && read_duration(rest, start, err) &&
           expect_word(rest, "to", err) && read_duration(rest, end, err) &&
           expect_word(rest, "step", err) && read_duration(rest, step, err);
}

/* The next line of the command; false at its end. */
static bool next_line(struct script *s, str *out)
{
    if (s->line + 1 >= s->lines.n || s->lines.at[s->line + 1].n == 0)
        return false;
    *out = s->lines.at[++s->line];
    return true;
}

/* What belongs to a command that failed is not read as commands. */
static void skip_block(struct script *s)
{
    str ignored;
    while (next_line(s, &ignored))
        ;
}

/* ---- load ---- */

static void add_series(struct script *s, const struct script_series *series,
                       const struct script_series *starts, int64_t gap)
{
    for (size_t i = 0; i < series->n; i++) {
        const struct script_value *v = &series->values[i];
        struct mem_sample sample = {.t = (ts_ms)i * gap, .v = v->v, .h = v->h};
        if (starts && i < starts->n && !starts->values[i].gap)
            sample.start = sample.t + (ts_ms)starts->values[i].v;
        if (!v->gap)
            mem_source_add(s->source, series->labels, &sample);
    }
}

/* A line of start times stands right before the samples it is about. */
static void add_loaded(struct script *s, const script_series_vec *loaded, int64_t gap)
{
    const struct script_series *starts = NULL;
    VEC_EACH (series, loaded) {
        bool fits = starts && labels_eq(starts->labels, series->labels);
        if (!series->starts)
            add_series(s, series, fits ? starts : NULL, gap);
        starts = series->starts ? series : NULL;
    }
}

/* A series that a load names twice has the values of the later line. */
static bool run_load(struct script *s, str rest, bool nhcb, struct err *err)
{
    int64_t gap;
    str line;
    script_series_vec loaded = {0};
    struct label_table table = {0};
    bool ok = read_duration(&rest, &gap, err);
    while (ok && next_line(s, &line)) {
        struct script_series series;
        if (!(ok = script_series_parse(line, &s->arena, &series, err)))
            break;
        size_t known = table.n;
        if (series.starts || label_table_add(&table, series.labels) == known) {
            vec_push(&loaded, series);
            continue;
        }
        VEC_EACH (other, &loaded)
            if (!other->starts && labels_eq(other->labels, series.labels))
                *other = series;
    }
    if (ok)
        add_loaded(s, &loaded, gap);
    if (ok && nhcb)
        ok = script_add_nhcb(&loaded, gap, s->source, &s->arena, err);
    vec_fini(&loaded);
    label_table_fini(&table);
    return ok;
}

/* ---- eval: reading ---- */

static bool read_expect(struct evaluation *e, str rest, struct err *err)
{
    static const struct {
        const char *name;
        enum expectation_kind kind;
    } kinds[] = {{"fail", EXPECT_FAIL},
                 {"warn", EXPECT_WARN},
                 {"no_warn", EXPECT_NO_WARN},
                 {"info", EXPECT_INFO},
                 {"no_info", EXPECT_NO_INFO}};
    str what = word(&rest);
    if (str_eqz(what, "ordered")) {
        e->ordered = true;
        return true;
    }
    struct expectation x = {.regex = str_starts(rest, STR("regex:"))};
    if (x.regex)
        x.text = str_trim(str_sub(rest, 6, rest.n));
    else if (str_starts(rest, STR("msg:")))
        x.text = str_trim(str_sub(rest, 4, rest.n));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_eqz(what, kinds[i].name)) {
            x.kind = kinds[i].kind;
            vec_push(&e->expect, x);
            return true;
        }
    return err_set(err, ERR_INVALID, "unknown expectation \"%.*s\"", STR_ARG(what));
}

static bool read_expect_string(struct script *s, struct evaluation *e, str rest, struct err *err)
{
    struct promql_expr *x = promql_parse(rest, NULL, err);
    if (!x)
        return false;
    bool ok = promql_expr_type(x) == PROMQL_STRING;
    struct promql_result r;
    struct budget budget = {0};
    struct promql_query q = {.source = mem_source_source(s->source), .expr = x, .budget = &budget};
    ok = ok && promql_exec(&q, &s->arena, &r, err);
    if (ok)
        e->string = r.string;
    e->string_set = e->only_instant = true;
    promql_expr_free(x);
    return ok || err_set(err, ERR_INVALID, "string expected");
}

static bool read_result_line(struct script *s, struct evaluation *e, str line, struct err *err)
{
    static const str range_vector = STR_INIT("expect range vector"),
                     string = STR_INIT("expect string"), command = STR_INIT("expect "),
                     message = STR_INIT("expected_fail_message"),
                     regexp = STR_INIT("expected_fail_regexp");
    str rest = str_sub(line, range_vector.n, line.n);
    ts_ms end;
    if (str_starts(line, range_vector)) {
        e->only_instant = true;
        return read_span(&rest, &e->points_start, &end, &e->points_step, err);
    }
    if (str_starts(line, string))
        return read_expect_string(s, e, str_trim(str_sub(line, string.n, line.n)), err);
    if (str_starts(line, command))
        return read_expect(e, str_sub(line, command.n, line.n), err);
    if (str_starts(line, message) || str_starts(line, regexp)) {
        struct expectation x = {EXPECT_FAIL, str_starts(line, regexp), {0}};
        x.text = str_trim(str_sub(line, x.regex ? regexp.n : message.n, line.n));
        vec_push(&e->expect, x);
        return true;
    }
    if (f64_parse(line, &e->scalar)) {
        e->scalar_set = true;
        return true;
    }
    struct script_series series;
    if (!script_series_parse(line, &s->arena, &series, err))
        return false;
    vec_push(&e->series, series);
    return true;
}

static bool read_eval(struct script *s, struct evaluation *e, str rest, struct err *err)
{
    str kind = word(&rest), line;
    e->range = str_eqz(kind, "range");
    if (e->range) {
        if (!read_span(&rest, &e->start, &e->end, &e->step, err))
            return false;
    } else {
        if (!str_eqz(kind, "instant"))
            return err_set(err, ERR_INVALID, "\"instant\" or \"range\" expected");
        if (!expect_word(&rest, "at", err) || !read_duration(&rest, &e->start, err))
            return false;
        e->end = e->start;
    }
    e->points_start = e->start;
    e->points_step = e->range ? e->step : 0;
    e->expr = rest;
    while (next_line(s, &line))
        if (!read_result_line(s, e, line, err))
            return false;
    return true;
}

/* ---- eval: comparing ---- */

static bool expects(const struct evaluation *e, enum expectation_kind kind)
{
    VEC_EACH (x, &e->expect)
        if (x->kind == kind)
            return true;
    return false;
}

static bool text_matches(const struct expectation *x, str text)
{
    struct err ignored;
    if (x->text.n == 0)
        return true;
    if (!x->regex)
        return str_eq(x->text, text);
    struct regex *re = regex_compile(x->text, 0, &ignored);
    bool ok = re && regex_test(re, text);
    regex_free(re);
    return ok;
}

/* Every expected message occurs, and every one that came was expected when any was spelled out. */
static bool check_notes(const struct evaluation *e, enum expectation_kind want,
                        enum expectation_kind none, const str *notes, size_t n, struct err *err)
{
    if (expects(e, none) && n)
        return err_set(err, ERR_EXEC, "unexpected: %.*s", STR_ARG(notes[0]));
    if (!expects(e, want))
        return true;
    if (n == 0)
        return err_set(err, ERR_EXEC, "expected a warning or info, got none");
    bool all_known = true;
    VEC_EACH (x, &e->expect) {
        bool found = false;
        for (size_t i = 0; i < n && x->kind == want; i++)
            found |= text_matches(x, notes[i]);
        if (x->kind == want && !found)
            return err_set(err, ERR_EXEC, "expected %.*s, got %.*s", STR_ARG(x->text),
                           STR_ARG(notes[0]));
    }
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        VEC_EACH (x, &e->expect)
            known |= x->kind == want && text_matches(x, notes[i]);
        all_known &= known;
    }
    return all_known || err_set(err, ERR_EXEC, "unexpected: %.*s", STR_ARG(notes[0]));
}

static const struct promql_series *series_of(const struct promql_result *r, struct labels ls)
{
    for (size_t i = 0; i < r->series_n; i++)
        if (labels_eq(r->series[i].labels, ls))
            return &r->series[i];
    return NULL;
}

/* The value at time t; false when there is none. */
static bool value_at(const struct promql_series *s, ts_ms t, struct script_value *v)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->t[i] == t) {
            *v = (struct script_value){.v = s->v[i], .h = s->h ? s->h[i] : NULL};
            return true;
        }
    return false;
}

static bool differ(struct labels ls, ts_ms t, const char *want, const char *got, struct err *err)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    labels_format(ls, &b);
    return err_set(err, ERR_EXEC, "%s at %lld: expected %s, got %s", b.n ? b.p : "{}", (long long)t,
                   want, got);
}

static void format_value(const struct script_value *v, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    if (!v)
        strbuf_addz(out, "nothing");
    else if (v->h)
        histogram_format_script(v->h, out);
    else
        strbuf_add(out, str_of(text, f64_format_g(v->v, text)));
}

static bool same_value(const struct script_value *want, const struct script_value *got)
{
    if (!want->h != !got->h)
        return false;
    return want->h ? script_similar(want->h, got->h, want->hint)
                   : script_almost_equal(want->v, got->v);
}

/* NULL: nothing is there. */
static bool compare_value(struct labels ls, ts_ms t, const struct script_value *want,
                          const struct script_value *got, struct err *err)
{
    STRBUF_CLEANUP struct strbuf a = {0}, b = {0};
    if (want && want->gap)
        want = NULL;
    if (!want != !got || (want && !same_value(want, got))) {
        format_value(want, &a);
        format_value(got, &b);
        return differ(ls, t, a.p, b.p, err);
    }
    return true;
}

/* Values of one expected series at the times `start`, `start + step`, ... */
static bool compare_series(const struct evaluation *e, const struct script_series *want,
                           const struct promql_series *got, struct err *err)
{
    size_t found = 0;
    for (size_t i = 0; i < want->n; i++) {
        ts_ms t = e->points_start + (int64_t)i * e->points_step;
        struct script_value v;
        bool have = got && value_at(got, t, &v);
        found += have;
        if (!compare_value(want->labels, t, &want->values[i], have ? &v : NULL, err))
            return false;
    }
    if (got && found != got->n)
        return differ(want->labels, got->t[0], "other times", "more points", err);
    return true;
}

static bool compare_order(const struct evaluation *e, const struct promql_result *r,
                          struct err *err)
{
    for (size_t i = 0; i < r->series_n && i < e->series.n; i++)
        if (!labels_eq(r->series[i].labels, e->series.at[i].labels))
            return differ(e->series.at[i].labels, e->start, "at this place", "another series", err);
    return true;
}

static bool compare_result(const struct evaluation *e, const struct promql_result *r,
                           struct err *err)
{
    static const struct labels none = {0};
    if (e->scalar_set) {
        struct script_value want = {.v = e->scalar}, got = {.v = r->scalar};
        return compare_value(none, e->start, &want, r->type == PROMQL_SCALAR ? &got : NULL, err);
    }
    if (e->string_set)
        return (r->type == PROMQL_STRING && str_eq(r->string, e->string)) ||
               err_set(err, ERR_EXEC, "expected the string \"%.*s\"", STR_ARG(e->string));
    if (r->type == PROMQL_SCALAR || r->type == PROMQL_STRING)
        return err_set(err, ERR_EXEC, "expected series, got a %s", promql_type_name(r->type).p);
    for (size_t i = 0; i < r->series_n; i++) {
        bool known = false;
        VEC_EACH (x, &e->series)
            known |= labels_eq(x->labels, r->series[i].labels);
        if (!known)
            return differ(r->series[i].labels, r->series[i].t[0], "no such series", "one", err);
    }
    VEC_EACH (x, &e->series)
        if (!compare_series(e, x, series_of(r, x->labels), err))
            return false;
    return !e->ordered || compare_order(e, r, err);
}

/* ---- eval: running ---- */

static bool execute(struct script *s, const struct promql_expr *x, ts_ms start, ts_ms end,
                    int64_t step, struct promql_result *r, struct err *err)
{
    struct budget budget = {.samples_max = SAMPLES_MAX, .memory = {.max_bytes = MEMORY_MAX}};
    struct promql_query q = {.source = mem_source_source(s->source),
                             .expr = x,
                             .start = start,
                             .end = end,
                             .step_ms = step,
                             .budget = &budget,
                             .features = s->features};
    return promql_exec(&q, &s->arena, r, err);
}

static bool check_failure(const struct evaluation *e, const struct err *got, struct err *err)
{
    VEC_EACH (x, &e->expect)
        if (x->kind == EXPECT_FAIL && !text_matches(x, str_from_z(got->msg)))
            return err_set(err, ERR_EXEC, "expected failure \"%.*s\", got \"%s\"", STR_ARG(x->text),
                           got->msg);
    return true;
}

static bool asks_for_query(str expr)
{
    static const char *const calls[] = {"start()", "end()", "range()", "step()"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (str_find(expr, str_from_z(calls[i])) >= 0)
            return true;
    return false;
}

/* The same as the middle step of a range query must give the same. */
static bool check_as_range(struct script *s, const struct evaluation *e,
                           const struct promql_expr *x, ts_ms t, struct err *err)
{
    struct promql_result r;
    if (e->range || e->ordered || e->only_instant || asks_for_query(promql_expr_text(x)))
        return true;
    if (!execute(s, x, t - 60000, t + 60000, 60000, &r, err))
        return err_wrap(err, "as a range query");
    size_t n = 0;
    for (size_t i = 0; i < r.series_n; i++) {
        struct promql_series *one = &r.series[i];
        struct script_value v;
        if (!value_at(one, t, &v))
            continue;
        ts_ms *at = arena_alloc(&s->arena, sizeof *at);
        double *value = arena_alloc(&s->arena, sizeof *value);
        const struct histogram **h = arena_alloc(&s->arena, sizeof *h);
        *at = e->start;
        *value = v.v;
        *h = v.h;
        r.series[n++] = (struct promql_series){one->labels, 1, at, value, h};
    }
    r.series_n = n;
    if (promql_expr_type(x) == PROMQL_SCALAR) {
        r.type = PROMQL_SCALAR;
        r.scalar = n ? r.series[0].v[0] : NAN;
    }
    return compare_result(e, &r, err) || err_wrap(err, "as a range query");
}

/* As if it had been asked for at the time of the evaluation. */
static void retime(struct promql_result *r, const struct evaluation *e)
{
    for (size_t i = 0; r->type == PROMQL_VECTOR && i < r->series_n; i++)
        r->series[i].t = &e->start;
    r->t = e->start;
}

/* With all selectors at the time of the evaluation it gives the same at other times. */
static bool check_pinned(struct script *s, const struct evaluation *e, struct err *err)
{
    const ts_ms t = e->start, times[] = {t ? -10 * t : -1000, 0, t ? t / 5 : 1000, t, 10 * t};
    struct promql_expr *x;
    struct promql_result r;
    bool ok = true;
    if (e->range || t > INT64_MAX / 100 || t < INT64_MIN / 100)
        return true;
    if (!script_pin(e->expr, s->features, t, &x, err))
        return false;
    for (size_t i = 0; x && ok && i < sizeof times / sizeof *times; i++) {
        ok = execute(s, x, times[i], times[i], 0, &r, err);
        if (ok)
            retime(&r, e);
        ok = ok && compare_result(e, &r, err) && check_as_range(s, e, x, times[i], err);
        if (!ok)
            err_wrap(err, "%.*s at %lld", STR_ARG(promql_expr_text(x)), (long long)times[i]);
    }
    promql_expr_free(x);
    return ok;
}

static bool check_success(struct script *s, const struct evaluation *e, const struct promql_expr *x,
                          const struct promql_result *r, struct err *err)
{
    if (expects(e, EXPECT_FAIL))
        return err_set(err, ERR_EXEC, "expected failure, but it was evaluated");
    return check_notes(e, EXPECT_WARN, EXPECT_NO_WARN, r->warnings, r->warnings_n, err) &&
           check_notes(e, EXPECT_INFO, EXPECT_NO_INFO, r->infos, r->infos_n, err) &&
           compare_result(e, r, err) && check_as_range(s, e, x, e->start, err) &&
           check_pinned(s, e, err);
}

static bool check_eval(struct script *s, const struct evaluation *e, struct err *err)
{
    struct promql_parse_options o = {s->features};
    struct promql_expr *x = promql_parse(e->expr, &o, err);
    struct promql_result r;
    struct err failure;
    if (!x)
        return false;
    bool ok;
    if (execute(s, x, e->start, e->end, e->range ? e->step : 0, &r, &failure)) {
        ok = check_success(s, e, x, &r, err);
    } else if (expects(e, EXPECT_FAIL)) {
        ok = check_failure(e, &failure, err);
    } else {
        *err = failure;
        ok = false;
    }
    promql_expr_free(x);
    return ok;
}

static void run_eval(struct script *s, str command, str rest)
{
    struct evaluation e = {0};
    struct err err;
    size_t line = s->line;
    if (str_ends(command, STR("_fail")))
        vec_push(&e.expect, (struct expectation){.kind = EXPECT_FAIL});
    if (str_ends(command, STR("_warn")))
        vec_push(&e.expect, (struct expectation){.kind = EXPECT_WARN});
    if (str_ends(command, STR("_info")))
        vec_push(&e.expect, (struct expectation){.kind = EXPECT_INFO});
    e.ordered = str_ends(command, STR("_ordered"));
    if (read_eval(s, &e, rest, &err) && check_eval(s, &e, &err)) {
        s->report->passed++;
    } else {
        s->report->failed++;
        fail(s, line, "%.*s: %s", STR_ARG(e.expr), err.msg);
        skip_block(s);
    }
    vec_fini(&e.expect);
    vec_fini(&e.series);
}

/* ---- the script ---- */

static void run_command(struct script *s)
{
    str rest = s->lines.at[s->line], command = word(&rest);
    struct err err;
    size_t line = s->line;
    if (command.n == 0)
        return;
    if (str_eqz(command, "clear")) {
        mem_source_clear(s->source);
    } else if (str_starts(command, STR("eval"))) {
        run_eval(s, command, rest);
    } else if (str_eqz(command, "load") || str_eqz(command, "load_with_nhcb")) {
        if (run_load(s, rest, str_eqz(command, "load_with_nhcb"), &err))
            return;
        s->report->failed++;
        fail(s, line, "%s", err.msg);
        skip_block(s);
    } else {
        s->report->failed++;
        fail(s, line, "unknown command \"%.*s\"", STR_ARG(command));
        skip_block(s);
    }
}

void promql_script_run(str file, str text, unsigned features, struct promql_script_report *r)
{
    struct script s = {.file = file,
                       .features = PROMQL_UPSTREAM_FEATURES | features,
                       .report = r,
                       .source = mem_source_new()};
    str line;
    arena_init(&s.arena, 0);
    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        vec_push(&s.lines, line.n && line.p[0] == '#' ? STR("") : line);
    }
    for (; s.line < s.lines.n; s.line++) {
        run_command(&s);
        arena_reset(&s.arena);
    }
    mem_source_free(s.source);
    arena_fini(&s.arena);
    vec_fini(&s.lines);
}

void promql_script_report_fini(struct promql_script_report *r)
{
    strbuf_fini(&r->failures);
}
