// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>

#include "base/num.h"
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
    while (n < line.n && line.p[n] != '{' && line.p[n] != ' ' && line.p[n] != '\t')
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

static bool repeat(value_vec *v, double first, double by, bool gap, uint64_t times, struct err *err)
{
    if (times > VALUES_MAX || v->n + times > VALUES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d values in a line", VALUES_MAX);
    for (uint64_t i = 0; i < times; i++, first += by)
        vec_push(v, (struct script_value){first, gap});
    return true;
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

static bool parse_item(str s, value_vec *v, struct err *err)
{
    double first, by = 0;
    uint64_t times;
    if (str_eqz(s, "stale"))
        return repeat(v, stale_nan(), 0, false, 1, err);
    if (s.p[0] == '_') {
        if (s.n == 1)
            return repeat(v, 0, 0, true, 1, err);
        if (s.p[1] == 'x' && u64_parse(str_sub(s, 2, s.n), &times))
            return repeat(v, 0, 0, true, times, err);
        return err_set(err, ERR_INVALID, "bad value \"%.*s\"", STR_ARG(s));
    }
    size_t end = number_end(s);
    str rest = str_sub(s, end, s.n);
    bool stale = str_eqz(str_sub(s, 0, end), "stale");
    first = stale_nan();
    if (!stale && !f64_parse(str_sub(s, 0, end), &first))
        return err_set(err, ERR_INVALID, "bad value \"%.*s\"", STR_ARG(s));
    if (rest.n == 0)
        return repeat(v, first, 0, false, 1, err);
    ssize_t x = str_index(rest, 'x');
    if (x < 0 || !u64_parse(str_sub(rest, (size_t)x + 1, rest.n), &times) ||
        (x > 0 && !f64_parse(str_sub(rest, 0, (size_t)x), &by)))
        return err_set(err, ERR_INVALID, "bad value \"%.*s\"", STR_ARG(s));
    if (times >= VALUES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d values in a line", VALUES_MAX);
    return repeat(v, first, stale ? 0 : by, false, times + 1, err);
}

bool script_series_parse(str line, struct arena *a, struct script_series *out, bool *unsupported,
                         struct err *err)
{
    str rest;
    value_vec v = {0};
    if (!parse_metric(line, a, &out->labels, &rest, err))
        return false;
    *unsupported = str_find(rest, STR("{{")) >= 0 || str_index(rest, '@') >= 0;
    bool ok = true;
    while (ok && rest.n && !*unsupported) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t')
            n++;
        ok = parse_item(str_sub(rest, 0, n), &v, err);
        rest = str_trim(str_sub(rest, n, rest.n));
    }
    out->n = v.n;
    out->values = arena_array(a, struct script_value, v.n);
    if (v.n)
        memcpy(out->values, v.at, v.n * sizeof *v.at);
    vec_fini(&v);
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
