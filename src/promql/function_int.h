// SPDX-License-Identifier: Apache-2.0
/*
 * The function table. One file per family in functions/, one row per function. A row names how the
 * function works, by the one pointer that is set:
 *
 *   each    value -> value, for every point of a vector; further arguments are scalars at that step
 *   window  the samples of a range at one step -> value
 *   row     the same for all steps of one series at once, when a sliding window can do better;
 *           beside a window function it is used where there are only floats
 *   shape   beside row: what of it depends on times alone
 *   mixed   beside window or row: windows with native histograms, with start times, or of anchored
 *           and smoothed selectors. Without it such a window is worked on as its floats alone.
 *   tier    beside window or row: what it is on rows of a tier, where they stand for samples that
 * are gone. Else it sees the first and last sample of each row, and a warning says so. call
 * everything else: the function evaluates its arguments itself scalar  no series at all: a value
 * per step
 */
#ifndef PROMQL_FUNCTION_INT_H
#define PROMQL_FUNCTION_INT_H

#include "promql/ast_int.h"
#include "promql/tier_window.h"

struct eval;
struct grid;
struct row_sink;

enum { FUNCTION_ARGS_MAX = 8 };

/* Samples of one series inside the window that ends at `end`: (start, end]. */
struct window {
    const ts_ms *t;
    const double *v;
    size_t n; /* never 0 */
    ts_ms start, end;
    ts_ms step;      /* time of the evaluation, without offset */
    double args[2];  /* the scalar arguments in order */
    double *scratch; /* room for n values */
};

/* The windows of one series at every step. */
struct range_row {
    const ts_ms *t;
    const double *v;
    size_t n;
    size_t steps;
    const uint32_t *lo, *hi; /* per step: samples [lo, hi) are in its window */
    const ts_ms *end;        /* per step: end of the window */
    int64_t range_ms;
    double *scratch;     /* room for n values */
    const double *shape; /* what the function's `shape` made of the times; NULL: unknown */
};

struct histogram;

/* A window that is more than floats. What it needs to note something stands with it. */
struct mixed_window {
    struct eval *ev;
    const struct node *call, *arg; /* the function, and its first argument, which notes point to */
    struct labels labels;
    struct arena *arena; /* of resulting histograms */
    struct window w;     /* samples in order; of a histogram v is not to be looked at */
    const struct histogram *const *h; /* NULL: floats only */
    const ts_ms *start_times;         /* NULL: not known, or not to be used */
    const bool *fell; /* of functions of counters: whether a reset lies before histogram i */
    size_t floats_n, histograms_n;
    uint64_t stand_for;     /* so many samples, where rows of tiers stand for some; 0: w.n */
    enum extended extended; /* w then has samples from outside of (start, end] too */
};

/* A value of either kind. */
struct mixed_value {
    double v;
    const struct histogram *h;
};

enum function_flags {
    FN_EXPERIMENTAL = 1,
    FN_KEEP_NAME = 2,      /* the result keeps the metric name */
    FN_STEP_DEPENDENT = 4, /* differs from step to step even when the arguments do not */
    FN_COUNTER = 8,        /* meant for counters: others get an info */
    FN_START_TIMES = 16,   /* of counters: sees resets, also by start times */
    FN_ANCHORED = 32,      /* allowed on anchored selectors */
    FN_SMOOTHED = 64,      /* allowed on smoothed selectors */
    FN_METRICSQL = 128,    /* not of PromQL: known only with PROMQL_METRICSQL */
    FN_TWO_SAMPLES = 256,  /* needs two samples: a window that is not written is wide enough */
};

struct function {
    str name;
    enum promql_type args[FUNCTION_ARGS_MAX];
    uint8_t args_n;
    int8_t variadic; /* as upstream: 0 none, k: args_n - 1 + k at most, -1: any number */
    enum promql_type returns;
    unsigned flags;
    str help;
    double (*each)(double v, const double *args);
    /* False: no value at this step. */
    bool (*window)(const struct window *w, double *out);
    void (*row)(const struct range_row *r, double *out);
    /* Beside row: shape_n rows of a number per step, made of the times alone (`v` is NULL) once for
     * all series that have them. */
    void (*shape)(const struct range_row *r, double *out);
    size_t shape_n;
    bool (*mixed)(const struct mixed_window *m, struct mixed_value *out);
    enum tier_function tier;
    /* Of window and row: refuses scalar arguments (a row of `steps` each); may be NULL. */
    bool (*check)(const double *const *args, size_t steps, struct err *err);
    bool (*call)(struct eval *ev, const struct node *n, const struct grid *g,
                 const struct row_sink *sink, struct err *err);
    double (*scalar)(const struct grid *g, size_t step);
    bool (*scalars)(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                    struct err *err);
};

struct function_family {
    const struct function *rows;
    size_t n;
};

extern const struct function_family family_absent, family_histogram, family_label, family_math,
    family_order, family_over_time, family_rate, family_scalar, family_time, family_trend,
    family_metricsql_label, family_metricsql_range, family_metricsql_time, family_metricsql_union;

/* A function of PromQL; NULL when there is none. */
const struct function *function_find(str name);
/* The function that a call with so many arguments means. With `metricsql` its functions are known
 * too; where one has the name of a function of PromQL, it is meant by calls with more arguments
 * than that takes. */
const struct function *function_choose(str name, size_t args_n, bool metricsql);
/* The function whose name is nearest; empty when none is near. */
str function_nearest(str name, bool metricsql);

#endif
