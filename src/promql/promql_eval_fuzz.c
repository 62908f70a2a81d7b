// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions made of one another: the mutator changes syntax trees (fuzz_mutate.h). Each is
 * evaluated at one time and as the middle step of a range query, which must give the same; with
 * delayed names it need not, as upstream gives a whole series the name of its first step.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/histogram_math.h"
#include "promql/fuzz_mutate.h"
#include "promql/fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed);

enum { NOW_MS = 360000, TEXT_MAX = 4000 };

#define N_OF(a) (sizeof(a) / sizeof *(a))

/* ---- mutating ---- */

static size_t mutate(str text, str other, uint8_t *out, size_t max, unsigned seed)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    uint64_t state = seed;
    fuzz_mutate(&state, text, other, max, &b);
    memcpy(out, b.p, b.n);
    return b.n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return mutate(str_of((const char *)data, size), (str){0}, data, max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed)
{
    return mutate(str_of((const char *)a, a_n), str_of((const char *)b, b_n), out, max, seed);
}

/* ---- evaluating ---- */

static bool evaluate(const struct promql_expr *e, int64_t step, unsigned features, struct arena *a,
                     struct promql_result *r, struct err *err)
{
    struct budget b = promql_fuzz_budget(200000, 8 << 20);
    struct promql_query q = {.source = mem_source_source(promql_fuzz_source()),
                             .expr = e,
                             .start = NOW_MS - step,
                             .end = NOW_MS + step,
                             .step_ms = step,
                             .budget = &b,
                             .features = features};
    return promql_exec(&q, a, r, err);
}

static bool same(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    if (!a || !b)
        return a == b;
    return a->schema == b->schema && same(a->count, b->count) && same(a->sum, b->sum) &&
           same(a->zero_count, b->zero_count);
}

/* The value of the middle step is that of the instant query. */
static bool agrees(const struct promql_series *range, const struct promql_series *instant)
{
    for (size_t i = 0; i < range->n; i++) {
        if (range->t[i] != NOW_MS)
            continue;
        if (!instant)
            return false;
        const struct histogram *x = range->h ? range->h[i] : NULL;
        const struct histogram *y = instant->h ? instant->h[0] : NULL;
        return same_histogram(x, y) && (x || same(range->v[i], instant->v[0]));
    }
    return instant == NULL;
}

static size_t count(str text, const char *const *words, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        str rest = text;
        for (ssize_t at; (at = str_find(rest, str_from_z(words[i]))) >= 0; found++)
            rest = str_sub(rest, (size_t)at + 1, rest.n);
    }
    return found;
}

/* What picks some of a vector, or orders it, decides ties by the order it gets, which an instant
 * and a range query need not share once something below it orders too. */
static bool order_matters(str text)
{
    static const char *const words[] = {"topk", "bottomk", "limitk", "sort"};
    return count(text, words, N_OF(words)) > 1;
}

/* MetricsQL has functions of the whole range. */
static bool depends_on_range(str text)
{
    static const char *const words[] = {"start()", "end()", "step()", "range()"};
    struct promql_parse_options o = {PROMQL_UPSTREAM_FEATURES};
    struct err err;
    struct promql_expr *e = promql_parse(text, &o, &err);
    promql_expr_free(e);
    return !e || count(text, words, N_OF(words));
}

_Noreturn static void fail(str text, const char *why)
{
    fprintf(stderr, "%.*s: %s\n", STR_ARG(text), why);
    abort();
}

/* Series and times rise, and no step that has no value is in there. */
static void check_matrix(str text, const struct promql_result *r)
{
    for (size_t i = 0; i < r->series_n; i++) {
        const struct promql_series *s = &r->series[i];
        if (i && labels_cmp(r->series[i - 1].labels, s->labels) >= 0)
            fail(text, "series are there twice, or out of order");
        if (s->n == 0)
            fail(text, "a series without points");
        for (size_t k = 0; k < s->n; k++) {
            if (k && s->t[k] <= s->t[k - 1])
                fail(text, "times do not rise");
            if (is_stale_nan(s->v[k]) && !(s->h && s->h[k]))
                fail(text, "a stale marker is a value");
        }
    }
}

static void compare(str text, const struct promql_result *instant,
                    const struct promql_result *range)
{
    size_t seen = 0;
    for (size_t i = 0; i < range->series_n; i++) {
        const struct promql_series *other = NULL;
        for (size_t k = 0; k < instant->series_n && !other; k++)
            if (labels_eq(instant->series[k].labels, range->series[i].labels))
                other = &instant->series[k];
        seen += other != NULL;
        if (!agrees(&range->series[i], other))
            fail(text, "the range query has another value");
    }
    if (seen != instant->series_n)
        fail(text, "the range query lacks a series");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct promql_result instant, range;
    struct err err;
    struct arena a;
    str text = str_of((const char *)data, size);
    struct promql_expr *e = size > TEXT_MAX ? NULL : promql_parse(text, &fuzz_features, &err);
    if (!e)
        return 0;
    arena_init(&a, 0);
    for (unsigned mode = 0; mode < 2; mode++) {
        unsigned features = PROMQL_START_TIMESTAMPS | (mode ? PROMQL_DELAYED_NAME_REMOVAL : 0);
        bool once = evaluate(e, 0, features, &a, &instant, &err);
        bool often = evaluate(e, 60000, features, &a, &range, &err);
        if (often)
            check_matrix(text, &range);
        if (once && often && instant.type == PROMQL_VECTOR && !mode && !depends_on_range(text) &&
            !order_matters(text))
            compare(text, &instant, &range);
        arena_reset(&a);
    }
    arena_fini(&a);
    promql_expr_free(e);
    return 0;
}
