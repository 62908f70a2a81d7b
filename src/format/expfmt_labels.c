// SPDX-License-Identifier: Apache-2.0
/*
 * What is inside a series text: names, labels, escapes. Called once for each new series, so it is
 * written for good errors first.
 */
#include <math.h>

#include "base/num.h"
#include "format/expfmt_int.h"

struct reader {
    const struct expfmt *p;
    const char *at, *end;
    struct err *err;
};

static bool fail(struct reader *r, const char *what)
{
    return expfmt_fail(r->p, r->at, r->err, what);
}

/* Blanks between tokens are the text format's alone. */
static char peek(struct reader *r)
{
    if (!r->p->openmetrics)
        r->at = expfmt_skip_space(r->at, r->end);
    return r->at < r->end ? *r->at : 0;
}

static bool read_quoted(struct reader *r, str *out, const char *what)
{
    const char *end = peek(r) == '"' ? expfmt_skip_quoted(r->at, r->end, r->p->openmetrics) : NULL;
    if (!end)
        return fail(r, what);
    str s = str_of(r->at + 1, (size_t)(end - r->at - 2));
    if (!str_utf8_valid(s))
        return fail(r, "text in quotes is not valid UTF-8");
    *out = s;
    r->at = end;
    return true;
}

static bool read_label_name(struct reader *r, str *out, bool *quoted)
{
    *quoted = peek(r) == '"';
    if (*quoted)
        return read_quoted(r, out, "expected a label name");
    const char *end = expfmt_skip_name(r->at, r->end, false);
    if (end == r->at)
        return fail(r, "expected a label name");
    *out = str_of(r->at, (size_t)(end - r->at));
    r->at = end;
    return true;
}

/* name="value", or the metric's name alone in quotes (then `l->value.p` is NULL). */
static bool read_item(struct reader *r, str *metric, struct label *l)
{
    bool quoted;
    l->value = (str){0};
    if (!read_label_name(r, &l->name, &quoted))
        return false;
    char next = peek(r);
    if (metric && quoted && (next == ',' || next == '}')) {
        if (metric->p)
            return fail(r, "the metric name is given twice");
        *metric = l->name;
        return true;
    }
    if (next != '=')
        return fail(r, "expected = after the label name");
    r->at++;
    return read_quoted(r, &l->value, "expected a label value in quotes");
}

const char *expfmt_label_list(const struct expfmt *p, const char *at, const char *end, str *metric,
                              struct label *out, size_t *n, struct err *err)
{
    struct reader r = {p, at, end, err};
    while (peek(&r) != '}') {
        struct label l;
        if (!read_item(&r, metric, &l))
            return NULL;
        if (l.value.p && ++*n > EXPFMT_LABELS_MAX) {
            fail(&r, "too many labels");
            return NULL;
        }
        if (l.value.p && out)
            out[*n - 1] = l;

        char next = peek(&r);
        if (next == ',')
            r.at++;
        else if (p->openmetrics && next != '}') { /* in the text format commas are optional */
            fail(&r, "expected a comma or a closing brace");
            return NULL;
        }
    }
    return r.at + 1;
}

/* With escapes resolved: \\ and \n, and \" when `quote`; others stay as they are. */
static str unescape(str s, bool quote, struct arena *a)
{
    if (str_index(s, '\\') < 0)
        return s;
    char *out = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char next = s.p[i] == '\\' && i + 1 < s.n ? s.p[i + 1] : 0;
        if (next == '\\' || (next == '"' && quote)) {
            out[n++] = next;
            i++;
        } else if (next == 'n') {
            out[n++] = '\n';
            i++;
        } else {
            out[n++] = s.p[i];
        }
    }
    return str_of(out, n);
}

str expfmt_family(const struct expfmt *p, struct arena *a)
{
    return unescape(p->family, true, a);
}

str expfmt_help(const struct expfmt *p, struct arena *a)
{
    return unescape(p->text, p->openmetrics, a);
}

str expfmt_bound(double v, char out[EXPFMT_BOUND_MAX])
{
    size_t n = f64_format_g(v, out);
    str s = str_of(out, n);
    if (!isfinite(v) || str_index(s, '.') >= 0 || str_index(s, 'e') >= 0)
        return s;
    memcpy(out + n, ".0", 2);
    return str_of(out, n + 2);
}

/* Prometheus 3: the same bucket has the same label whichever format told of it. */
static str canonical_value(const struct expfmt *p, const struct label *l, struct arena *a)
{
    bool le = p->type == METRIC_HISTOGRAM && str_eq(l->name, STR("le"));
    bool quantile = p->type == METRIC_SUMMARY && str_eq(l->name, STR("quantile"));
    double v;
    if ((!le && !quantile) || !f64_parse(l->value, &v))
        return l->value;
    char text[EXPFMT_BOUND_MAX];
    str s = expfmt_bound(v, text);
    return str_eq(s, l->value) ? l->value : arena_dup(a, s);
}

/* Sorts, refuses what occurs twice, drops empty values. */
static bool settle(struct reader *r, struct label *at, size_t *n)
{
    label_sort(at, *n);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (i && str_eq(at[i].name, at[i - 1].name))
            return fail(r, "a label is given twice");
    }
    for (size_t i = 0; i < *n; i++) {
        if (at[i].value.n)
            at[kept++] = at[i];
    }
    *n = kept;
    return true;
}

static bool read_series(struct reader *r, str *metric, struct label *out, size_t *n)
{
    const char *name_end = expfmt_skip_name(r->at, r->end, true);
    if (name_end > r->at)
        *metric = str_of(r->at, (size_t)(name_end - r->at));
    r->at = name_end;
    if (peek(r) == '{') {
        const char *end = expfmt_label_list(r->p, r->at + 1, r->end, metric, out, n, r->err);
        if (!end)
            return false;
        r->at = end;
    }
    if (r->at != r->end)
        return fail(r, "expected a value after the metric");
    r->at = r->p->series.p;
    return metric->n ? true : fail(r, "the metric has no name");
}

static size_t count(str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

bool expfmt_labels(const struct expfmt *p, struct arena *a, struct labels *out, struct err *err)
{
    struct reader r = {p, p->series.p, p->series.p + p->series.n, err};
    size_t room = count(p->series, '=') + 1;
    if (room > EXPFMT_LABELS_MAX + 1)
        room = EXPFMT_LABELS_MAX + 1;
    struct label *at = arena_alloc(a, room * sizeof *at);
    str metric = {0};
    size_t n = 0;
    if (!read_series(&r, &metric, at, &n))
        return false;

    for (size_t i = 0; i < n; i++) {
        at[i].name = unescape(at[i].name, true, a);
        at[i].value = unescape(at[i].value, true, a);
        at[i].value = canonical_value(p, &at[i], a);
        if (at[i].name.n == 0)
            return fail(&r, "a label has an empty name");
    }
    at[n++] = (struct label){LABEL_NAME, unescape(metric, true, a)};
    if (!settle(&r, at, &n))
        return false;
    *out = (struct labels){at, n};
    return true;
}

/* Its text was checked by expfmt_next, so only what labels may be is left to refuse. */
bool expfmt_exemplar(const struct expfmt *p, struct arena *a, struct exemplar *out, bool *has_t)
{
    const char *at = p->exemplar.p, *end = p->exemplar.p + p->exemplar.n;
    struct err err;
    size_t n = 0;
    if (!p->exemplar.n)
        return false;
    struct label *labels = arena_alloc(a, (count(p->exemplar, '=') + 1) * sizeof *labels);
    at = expfmt_label_list(p, at + 1, end, NULL, labels, &n, &err);
    *out = (struct exemplar){.t = 0};
    at = at ? expfmt_read_number(at + 1, end, true, &out->v) : NULL;
    if (!at)
        return false;
    *has_t = at < end;
    if (*has_t && !expfmt_read_seconds(at + 1, end, &out->t))
        return false;
    for (size_t i = 0; i < n; i++) {
        labels[i].name = unescape(labels[i].name, true, a);
        labels[i].value = unescape(labels[i].value, true, a);
    }
    struct reader r = {p, p->exemplar.p, end, &err};
    if (!settle(&r, labels, &n))
        return false;
    out->labels = (struct labels){labels, n};
    return true;
}
