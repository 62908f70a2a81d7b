// SPDX-License-Identifier: Apache-2.0
/* Warnings and infos of one query, in the words and the form that upstream's clients know. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "promql/eval_int.h"

enum { NOTES_MAX = 10 }; /* of each kind are reported, as upstream does; the rest is counted */

struct note {
    bool warning;
    char *text;
};

/* Histograms repaired at one place of the expression. */
struct repair {
    const struct node *at;
    char *metric;
    ts_ms first, last;
    double min, max, diff;
    size_t count;
};

struct notes {
    const struct promql_expr *expr;
    VEC(struct note) v;
    VEC(struct repair) repairs;
};

struct notes *notes_new(const struct promql_expr *expr)
{
    struct notes *n = mem_new(struct notes);
    n->expr = expr;
    return n;
}

void notes_free(struct notes *n)
{
    if (!n)
        return;
    VEC_EACH (it, &n->v)
        free(it->text);
    VEC_EACH (r, &n->repairs)
        free(r->metric);
    vec_fini(&n->v);
    vec_fini(&n->repairs);
    free(n);
}

static void add_position(struct notes *n, const struct node *at, struct strbuf *b)
{
    struct pos p = pos_of(n->expr->text, at->start);
    strbuf_addf(b, " (%u:%u)", p.line, p.col);
}

static void add_note(struct notes *n, bool warning, struct strbuf *b)
{
    VEC_EACH (it, &n->v) {
        if (it->warning == warning && str_eqz(strbuf_str(b), it->text)) {
            strbuf_fini(b);
            return;
        }
    }
    vec_push(&n->v, (struct note){warning, strbuf_take(b)});
}

__attribute__((format(printf, 4, 0))) static void
note(struct eval *ev, bool warning, const struct node *at, const char *fmt, va_list ap)
{
    struct strbuf b = {0};
    strbuf_addz(&b, warning ? "PromQL warning: " : "PromQL info: ");
    strbuf_addv(&b, fmt, ap);
    add_position(ev->notes, at, &b);
    add_note(ev->notes, warning, &b);
}

void note_warning(struct eval *ev, const struct node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(ev, true, at, fmt, ap);
    va_end(ap);
}

void note_info(struct eval *ev, const struct node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(ev, false, at, fmt, ap);
    va_end(ap);
}

void note_quantile(struct eval *ev, const struct node *at, double q)
{
    char text[F64_TEXT_MAX];
    if (q >= 0 && q <= 1)
        return;
    f64_format_g(q, text);
    note_warning(ev, at, "quantile value should be between 0 and 1, got %s", text);
}

void note_monotonicity(struct eval *ev, const struct node *at, str metric, ts_ms t, double min,
                       double max, double diff)
{
    struct notes *n = ev->notes;
    VEC_EACH (r, &n->repairs) {
        if (r->at != at || !str_eqz(metric, r->metric))
            continue;
        r->first = t < r->first ? t : r->first;
        r->last = t > r->last ? t : r->last;
        r->min = fmin(r->min, min);
        r->max = fmax(r->max, max);
        r->diff = fmax(r->diff, diff);
        r->count++;
        return;
    }
    char *name = mem_alloc(metric.n + 1);
    memcpy(name, metric.p, metric.n);
    name[metric.n] = 0;
    vec_push(&n->repairs, (struct repair){at, name, t, t, min, max, diff, 1});
}

/* 2024-01-02T03:04:05Z, in UTC; days to civil date after Howard Hinnant's algorithm. */
static void add_time(struct strbuf *b, ts_ms t)
{
    int64_t s = t / 1000, days = s / 86400, rest = s % 86400;
    if (rest < 0)
        rest += 86400, days--;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    strbuf_addf(b, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ", (long long)year, (long long)month,
                (long long)(doy - (153 * mp + 2) / 5 + 1), (long long)(rest / 3600),
                (long long)(rest / 60 % 60), (long long)(rest % 60));
}

void note_tier(struct eval *ev, const struct node *at, int64_t step_ms, ts_ms start, ts_ms end)
{
    struct strbuf b = {0};
    char step[64];
    duration_format(step_ms, step);
    strbuf_addf(&b, "PromQL info: samples from ");
    add_time(&b, start);
    strbuf_addz(&b, " to ");
    add_time(&b, end);
    strbuf_addf(&b, " are gone, the rows of %s that were kept of them answer", step);
    add_position(ev->notes, at, &b);
    add_note(ev->notes, false, &b);
}

void note_thinned(struct eval *ev, const struct node *at, str function, ts_ms end)
{
    struct strbuf b = {0};
    strbuf_addf(&b, "PromQL warning: %.*s needs every sample; of those up to ", STR_ARG(function));
    add_time(&b, end);
    strbuf_addz(&b, " it has the first and last of each row that was kept");
    add_position(ev->notes, at, &b);
    add_note(ev->notes, true, &b);
}

static void add_repair(struct notes *n, const struct repair *r)
{
    char min[F64_TEXT_MAX], max[F64_TEXT_MAX];
    struct strbuf b = {0};
    f64_format_g(r->min, min);
    f64_format_g(r->max, max);
    strbuf_addz(&b,
                "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
                "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                "#histogram_quantile)");
    if (r->metric[0])
        strbuf_addf(&b, " for metric name \"%s\"", r->metric);
    strbuf_addf(&b, ", from buckets %s to %s, with a max diff of %.2g, over %zu samples from ", min,
                max, r->diff, r->count);
    add_time(&b, r->first);
    strbuf_addz(&b, " to ");
    add_time(&b, r->last);
    add_position(n, r->at, &b);
    add_note(n, false, &b);
}

static int by_text(const void *a, const void *b)
{
    const struct note *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static str *take_kind(struct notes *n, bool warning, struct arena *a, size_t *out_n)
{
    size_t all = 0, k = 0;
    VEC_EACH (it, &n->v)
        all += it->warning == warning;
    size_t shown = all < NOTES_MAX ? all : NOTES_MAX;
    str *out = arena_array(a, str, shown + 1);
    VEC_EACH (it, &n->v) {
        if (it->warning == warning && k < shown)
            out[k++] = arena_dup(a, str_from_z(it->text));
    }
    if (all > shown)
        out[k++] = arena_printf(a, "%zu more %s annotations omitted", all - shown,
                                warning ? "warning" : "info");
    *out_n = k;
    return out;
}

void notes_take(struct notes *n, struct arena *a, struct promql_result *out)
{
    VEC_EACH (r, &n->repairs)
        add_repair(n, r);
    if (n->v.n)
        qsort(n->v.at, n->v.n, sizeof *n->v.at, by_text);
    out->warnings = take_kind(n, true, a, &out->warnings_n);
    out->infos = take_kind(n, false, a, &out->infos_n);
}
