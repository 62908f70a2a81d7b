// SPDX-License-Identifier: Apache-2.0
/* Warnings and infos of one query, in the words and the form that upstream's clients know. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "promql/eval_int.h"

enum { NOTES_MAX = 10 }; /* of each kind are reported, as upstream does; the rest is counted */

enum { NOTES_KEPT = 4096 }; /* different ones; of more only the number is known */

/* Histograms that were repaired. */
struct repair {
    ts_ms first, last;
    double min, max, diff;
};

struct note {
    bool warning;
    bool counted; /* its text says how often it came */
    str text;     /* without its place */
    const struct node *at;
    size_t count;
    struct repair *repair; /* NULL: none */
};

struct notes {
    const struct promql_expr *expr;
    struct arena arena;
    struct map by_text;
    size_t dropped[2]; /* infos, warnings */
};

struct notes *notes_new(const struct promql_expr *expr)
{
    struct notes *n = mem_new(struct notes);
    n->expr = expr;
    arena_init(&n->arena, 0);
    return n;
}

void notes_free(struct notes *n)
{
    if (!n)
        return;
    map_fini(&n->by_text);
    arena_fini(&n->arena);
    free(n);
}

/* The note with this text; NULL when there are too many. Upstream shows one of several places with
 * the same text, the one it came to last. */
static struct note *find_note(struct notes *n, bool warning, const struct node *at, str text)
{
    struct note *it = map_get(&n->by_text, text);
    if (!it && n->by_text.n == NOTES_KEPT) {
        n->dropped[warning]++;
        return NULL;
    }
    if (!it) {
        it = arena_new(&n->arena, struct note);
        it->warning = warning;
        it->text = arena_dup(&n->arena, text);
        map_put(&n->by_text, it->text, it);
    }
    it->at = at;
    it->count++;
    return it;
}

__attribute__((format(printf, 4, 0))) static void
note(struct eval *ev, bool warning, const struct node *at, const char *fmt, va_list ap)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    strbuf_addz(&b, warning ? "PromQL warning: " : "PromQL info: ");
    strbuf_addv(&b, fmt, ap);
    find_note(ev->notes, warning, at, strbuf_str(&b));
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

void note_overlapping_start(struct eval *ev, const struct node *at, str metric)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    strbuf_addf(&b,
                "PromQL warning: sample has start time that overlaps with previous sample "
                "timestamp for metric \"%.*s\"",
                STR_ARG(metric));
    struct note *n = find_note(ev->notes, true, at, strbuf_str(&b));
    if (n)
        n->counted = true;
}

void note_monotonicity(struct eval *ev, const struct node *at, str metric, ts_ms t, double min,
                       double max, double diff)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    strbuf_addz(&b,
                "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
                "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                "#histogram_quantile)");
    if (metric.n)
        strbuf_addf(&b, " for metric name \"%.*s\"", STR_ARG(metric));
    struct note *n = find_note(ev->notes, false, at, strbuf_str(&b));
    if (!n)
        return;
    struct repair *r = n->repair;
    if (!r) {
        n->repair = r = arena_new(&ev->notes->arena, struct repair);
        *r = (struct repair){t, t, min, max, diff};
        return;
    }
    r->first = t < r->first ? t : r->first;
    r->last = t > r->last ? t : r->last;
    r->min = fmin(r->min, min);
    r->max = fmax(r->max, max);
    r->diff = fmax(r->diff, diff);
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
    STRBUF_CLEANUP struct strbuf b = {0};
    char step[64];
    duration_format(step_ms, step);
    strbuf_addf(&b, "PromQL info: samples from ");
    add_time(&b, start);
    strbuf_addz(&b, " to ");
    add_time(&b, end);
    strbuf_addf(&b, " are gone, the rows of %s that were kept of them answer", step);
    find_note(ev->notes, false, at, strbuf_str(&b));
}

void note_thinned(struct eval *ev, const struct node *at, str function, ts_ms end)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    strbuf_addf(&b, "PromQL warning: %.*s needs every sample; of those up to ", STR_ARG(function));
    add_time(&b, end);
    strbuf_addz(&b, " it has the first and last of each row that was kept");
    find_note(ev->notes, true, at, strbuf_str(&b));
}

static void add_repair(const struct note *n, struct strbuf *b)
{
    char min[F64_TEXT_MAX], max[F64_TEXT_MAX];
    const struct repair *r = n->repair;
    f64_format_g(r->min, min);
    f64_format_g(r->max, max);
    strbuf_addf(b, ", from buckets %s to %s, with a max diff of %.2g, over %zu samples from ", min,
                max, r->diff, n->count);
    add_time(b, r->first);
    strbuf_addz(b, " to ");
    add_time(b, r->last);
}

/* text, what was counted, (line:col) */
static str format_note(const struct notes *n, const struct note *it, struct arena *a)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    struct pos p = pos_of(n->expr->text, it->at->start);
    strbuf_add(&b, it->text);
    if (it->repair)
        add_repair(it, &b);
    if (it->counted && it->count > 1)
        strbuf_addf(&b, " (%zu occurrences)", it->count);
    strbuf_addf(&b, " (%u:%u)", p.line, p.col);
    return arena_dup(a, strbuf_str(&b));
}

static int by_text(const void *a, const void *b)
{
    return str_cmp((*(const struct note *const *)a)->text, (*(const struct note *const *)b)->text);
}

static str *take_kind(struct notes *n, bool warning, struct arena *a, size_t *out_n)
{
    size_t all = 0, k = 0;
    const struct note **of_kind = arena_array(&n->arena, const struct note *, n->by_text.n);
    for (size_t i = 0; i < n->by_text.n; i++) {
        const struct note *it = n->by_text.entries[i].value;
        if (it->warning == warning)
            of_kind[all++] = it;
    }
    if (all)
        qsort(of_kind, all, sizeof(const struct note *), by_text);
    size_t shown = all < NOTES_MAX ? all : NOTES_MAX;
    str *out = arena_array(a, str, shown + 1);
    while (k < shown) {
        out[k] = format_note(n, of_kind[k], a);
        k++;
    }
    size_t more = all - shown + n->dropped[warning];
    if (more)
        out[k++] =
            arena_printf(a, "%zu more %s annotations omitted", more, warning ? "warning" : "info");
    *out_n = k;
    return out;
}

void notes_take(struct notes *n, struct arena *a, struct promql_result *out)
{
    out->warnings = take_kind(n, true, a, &out->warnings_n);
    out->infos = take_kind(n, false, a, &out->infos_n);
}
