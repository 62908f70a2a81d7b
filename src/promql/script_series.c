// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>

#include "base/num.h"
#include "model/histogram_math.h"
#include "promql/lex_int.h"
#include "promql/script_int.h"

/* Points of one line; scripts are small. */
enum { VALUES_MAX = 1000 * 1000 };

typedef VEC(struct script_value) value_vec;

static bool parse_label(struct lexer *lx, struct token t, struct arena *a, struct labels_builder *b,
                        struct err *err)
{
    STRBUF_CLEANUP struct strbuf name = {0}, value = {0};
    str text = str_sub(lx->text, t.start, t.end);
    if (t.kind == TOK_STRING ? !string_unquote(text, &name) : t.kind != TOK_IDENT)
        return err_set(err, ERR_INVALID, "label name expected");
    if (t.kind == TOK_IDENT)
        strbuf_add(&name, text);
    struct lexer before = *lx;
    struct token op = lexer_next(lx);
    if (t.kind == TOK_STRING && (op.kind == TOK_COMMA || op.kind == TOK_RBRACE)) {
        *lx = before;
        labels_builder_set(b, LABEL_NAME, arena_dup(a, strbuf_str(&name)));
        return true;
    }
    struct token v = lexer_next(lx);
    if (op.kind != TOK_EQL || v.kind != TOK_STRING ||
        !string_unquote(str_sub(lx->text, v.start, v.end), &value))
        return err_set(err, ERR_INVALID, "label=\"value\" expected");
    labels_builder_set(b, arena_dup(a, strbuf_str(&name)), arena_dup(a, strbuf_str(&value)));
    return true;
}

static bool parse_labels(struct lexer *lx, struct arena *a, struct labels_builder *b,
                         struct err *err)
{
    for (;;) {
        struct token t = lexer_next(lx);
        if (t.kind == TOK_RBRACE)
            return true;
        if (!parse_label(lx, t, a, b, err))
            return false;
        t = lexer_next(lx);
        if (t.kind == TOK_RBRACE)
            return true;
        if (t.kind != TOK_COMMA)
            return err_set(err, ERR_INVALID, "\",\" or \"}\" expected in labels");
    }
}

static bool parse_metric(str line, struct arena *a, struct labels *out, str *rest, struct err *err)
{
    struct labels_builder b;
    labels_builder_init(&b, (struct labels){0});
    size_t n = 0;
    while (n < line.n && line.p[n] != '{' && line.p[n] != ' ' && line.p[n] != '\t' &&
           line.p[n] != '@')
        n++;
    if (n)
        labels_builder_set(&b, LABEL_NAME, arena_dup(a, str_sub(line, 0, n)));
    bool ok = true;
    if (n < line.n && line.p[n] == '{') {
        struct lexer lx;
        lexer_init(&lx, str_sub(line, n, line.n));
        lexer_next(&lx);
        ok = parse_labels(&lx, a, &b, err);
        n += lx.pos;
    }
    *rest = str_trim(str_sub(line, n, line.n));
    *out = labels_builder_take(&b, a);
    labels_builder_fini(&b);
    return ok;
}

struct reading {
    struct arena *a;
    value_vec v;
    struct err *err;
};

static bool bad(struct reading *r, str s)
{
    return err_set(r->err, ERR_INVALID, "bad value \"%.*s\"", STR_ARG(s));
}

static bool repeat(struct reading *r, struct script_value first, double by, uint64_t times)
{
    if (times > VALUES_MAX || r->v.n + times > VALUES_MAX)
        return err_set(r->err, ERR_LIMIT, "more than %d values in a line", VALUES_MAX);
    for (uint64_t i = 0; i < times; i++, first.v += by)
        vec_push(&r->v, first);
    return true;
}

/* The N of xN, which stands for N more; 0 when nothing is written. */
static bool read_times(str s, uint64_t *out)
{
    *out = 0;
    return s.n == 0 || (s.p[0] == 'x' && u64_parse(str_sub(s, 1, s.n), out) && *out < VALUES_MAX);
}

/* Where the first number of a+bxN ends. */
static size_t number_end(str s)
{
    size_t i = 1;
    while (i < s.n && s.p[i] != 'x' &&
           !((s.p[i] == '+' || s.p[i] == '-') && (s.p[i - 1] | 32) != 'e'))
        i++;
    return i;
}

static bool read_number(str s, double *out)
{
    *out = stale_nan();
    return str_eqz(s, "stale") || f64_parse(s, out);
}

/* A duration with sign, in milliseconds. */
static bool read_offset(str s, double *out)
{
    struct err ignored;
    int64_t ms;
    bool sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    if (!duration_parse(sign ? str_sub(s, 1, s.n) : s, &ms, &ignored))
        return false;
    *out = (double)(s.p[0] == '-' ? -ms : ms);
    return true;
}

/* a, axN, a+bxN, a-bxN of numbers or durations */
static bool parse_run(struct reading *r, str s, bool (*read)(str s, double *out))
{
    struct script_value first = {0};
    double by = 0;
    uint64_t times;
    size_t end = number_end(s);
    str rest = str_sub(s, end, s.n);
    if (!read(str_sub(s, 0, end), &first.v))
        return bad(r, s);
    ssize_t x = str_index(rest, 'x');
    if (x > 0 && !read(str_sub(rest, 0, (size_t)x), &by))
        return bad(r, s);
    if (!read_times(str_sub(rest, x > 0 ? (size_t)x : 0, rest.n), &times))
        return bad(r, s);
    return repeat(r, first, is_stale_nan(first.v) ? 0 : by, times + 1);
}

static bool parse_gap(struct reading *r, str s)
{
    uint64_t times = 1;
    if (s.n > 1 && (s.p[1] != 'x' || !u64_parse(str_sub(s, 2, s.n), &times)))
        return bad(r, s);
    return repeat(r, (struct script_value){.gap = true}, 0, times);
}

/* The {{...}} that `s` begins with. */
static bool cut_histogram(struct reading *r, str *s, struct histogram *out, bool *hint)
{
    ssize_t end = str_find(*s, STR("}}"));
    if (!str_starts(*s, STR("{{")) || end < 0)
        return bad(r, *s);
    str text = str_sub(*s, 0, (size_t)end + 2);
    *s = str_sub(*s, text.n, s->n);
    return histogram_parse(text, r->a, out, hint, r->err);
}

/* h, hxN, h+gxN, h-gxN */
static bool parse_histograms(struct reading *r, str s)
{
    struct histogram h, g;
    struct script_value v = {0};
    str rest = s;
    uint64_t times;
    bool ok = cut_histogram(r, &rest, &h, &v.hint);
    double sign = rest.n && rest.p[0] == '-' ? -1 : 1;
    bool steps = rest.n && (rest.p[0] == '-' || rest.p[0] == '+');
    if (ok && steps) {
        rest = str_sub(rest, 1, rest.n);
        ok = cut_histogram(r, &rest, &g, &v.hint);
    }
    if (!ok)
        return false;
    if (!read_times(rest, &times))
        return bad(r, s);
    v.h = histogram_dup(r->a, &h);
    if (!steps)
        return repeat(r, v, 0, times + 1);
    struct histogram_work w = {0};
    unsigned flags = 0;
    histogram_work_set(&w, &h);
    ok = repeat(r, v, 0, 1);
    for (uint64_t i = 0; ok && i < times; i++) {
        if (!histogram_work_add(&w, &g, sign, &flags)) {
            ok = bad(r, s);
            break;
        }
        v.h = histogram_work_freeze(&w, r->a);
        ok = repeat(r, v, 0, 1);
    }
    histogram_work_fini(&w);
    return ok;
}

/* Up to the next blank that is not inside a histogram. */
static size_t item_end(str s)
{
    size_t n = 0, depth = 0;
    for (; n < s.n && (depth || (s.p[n] != ' ' && s.p[n] != '\t')); n++) {
        depth += s.p[n] == '{';
        depth -= s.p[n] == '}' && depth;
    }
    return n;
}

static bool parse_item(struct reading *r, str s, bool starts)
{
    if (s.p[0] == '_')
        return parse_gap(r, s);
    if (starts)
        return parse_run(r, s, read_offset);
    return s.p[0] == '{' ? parse_histograms(r, s) : parse_run(r, s, read_number);
}

bool script_series_parse(str line, struct arena *a, struct script_series *out, struct err *err)
{
    str rest;
    struct reading r = {.a = a, .err = err};
    if (!parse_metric(line, a, &out->labels, &rest, err))
        return false;
    out->starts = str_starts(rest, STR("@st"));
    if (out->starts)
        rest = str_trim(str_sub(rest, 3, rest.n));
    bool ok = true;
    while (ok && rest.n) {
        size_t n = item_end(rest);
        ok = parse_item(&r, str_sub(rest, 0, n), out->starts);
        rest = str_trim(str_sub(rest, n, rest.n));
    }
    out->n = r.v.n;
    out->values = arena_array(a, struct script_value, r.v.n);
    if (r.v.n)
        memcpy(out->values, r.v.at, r.v.n * sizeof *r.v.at);
    vec_fini(&r.v);
    return ok;
}

bool script_almost_equal(double a, double b)
{
    const double epsilon = 1e-6;
    if (isnan(a) && isnan(b))
        return is_stale_nan(a) == is_stale_nan(b);
    if (a == b)
        return true;
    double diff = fabs(a - b), sum = fabs(a) + fabs(b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return diff < epsilon * DBL_MIN;
    return diff / fmin(sum, DBL_MAX) < epsilon;
}

static bool similar_buckets(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    struct histogram_walk x = histogram_walk_of(a), y = histogram_walk_of(b);
    for (;;) {
        bool more_x, more_y;
        while ((more_x = histogram_walk_next(&x)) && x.count == 0)
            ;
        while ((more_y = histogram_walk_next(&y)) && y.count == 0)
            ;
        if (!more_x || !more_y)
            return more_x == more_y;
        if (x.index != y.index || !script_almost_equal(x.count, y.count))
            return false;
    }
}

bool script_similar(const struct histogram *a, const struct histogram *b, bool hint)
{
    if (a->schema != b->schema || a->custom_n != b->custom_n || (hint && a->reset != b->reset))
        return false;
    if (a->custom_n && memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) != 0)
        return false;
    return script_almost_equal(a->count, b->count) && script_almost_equal(a->sum, b->sum) &&
           a->zero_threshold == b->zero_threshold &&
           script_almost_equal(a->zero_count, b->zero_count) &&
           similar_buckets(&a->positive, &b->positive) &&
           similar_buckets(&a->negative, &b->negative);
}
