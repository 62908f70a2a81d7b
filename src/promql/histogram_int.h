// SPDX-License-Identifier: Apache-2.0
/* Operations on native histograms that operators, aggregations and functions share. */
#ifndef PROMQL_HISTOGRAM_INT_H
#define PROMQL_HISTOGRAM_INT_H

#include "promql/eval_int.h"

/* ---- operators: binary_histogram.c ---- */

/* One side of a binary operation, or its result: a histogram, or a float when `h` is NULL. */
struct operand {
    double v;
    const struct histogram *h;
};

enum pair_result {
    PAIR_NONE,  /* not for these types; noted */
    PAIR_FALSE, /* a comparison that does not hold */
    PAIR_TRUE,
};

struct pair_work {
    struct eval *ev;
    const struct node *n;    /* the binary operation */
    struct arena *arena;     /* of the results */
    struct histogram_work w; /* histogram_work_fini when done */
};

/* l op r, where at least one is a histogram or the operator is </ or >/. Of a comparison, `out` is
 * the left side. */
enum pair_result pair_apply(struct pair_work *p, struct operand l, struct operand r,
                            struct operand *out);

/* ---- aggregation of histograms ---- */

/* Sum or mean of histograms, compensated; from where the sum would overflow, a running mean. */
struct histogram_fold {
    struct histogram_work sum, trial;
    double count;
    bool mean;            /* sum holds the mean */
    bool reset, no_reset; /* hints that were seen */
    bool reconciled;
    bool incompatible; /* custom and exponential buckets: there is no result */
};

void histogram_fold_fini(struct histogram_fold *f);
/* Adds one; false, once, when it does not fit to those before. */
bool histogram_fold_add(struct histogram_fold *f, const struct histogram *h, bool average);
const struct histogram *histogram_fold_finish(struct histogram_fold *f, bool average,
                                              struct arena *a);

/* ---- between samples: functions/extended.c ---- */

struct interpolation {
    struct eval *ev;
    const struct node *at; /* what notes point to */
    str metric;
    const struct histogram *h1;
    ts_ms t1;
    const struct histogram *h2;
    ts_ms t2, t; /* t1 <= t <= t2 */
    bool counter;
};
/* The histogram at time t into `w`; false, noted, when the two do not fit. */
bool interpolate_histograms(const struct interpolation *in, struct histogram_work *w);

struct smoother {
    struct eval *ev;
    const struct node *node;
    struct arena *arena; /* of the results */
    struct histogram_work work;
};
/* A smoothed instant selector: at each time the value between the samples around it. `s` holds no
 * stale markers. False: no value at any step. */
bool smooth_lookup(struct smoother *sm, const struct range_series *s, const ts_ms *at, size_t n,
                   struct row *r);
/* The points of an extended range (start, end] of floats, with the borders; room for n + 2. */
size_t extended_points(const struct range_series *s, enum extended kind, ts_ms start, ts_ms end,
                       ts_ms *t, double *v);

/* ---- notes that several have ---- */

/* `text`, and " for metric name "x"" when it has one. */
void note_named(struct eval *ev, const struct node *at, bool warning, const char *text, str metric);
void note_mixed_buckets(struct eval *ev, const struct node *at, str metric);
void note_mixed_floats(struct eval *ev, const struct node *at, str metric);
void note_ignored_in_range(struct eval *ev, const struct node *at, str metric);
void note_ignored_in_aggregation(struct eval *ev, const struct node *at, const char *name);
/* `what`: "addition", "subtraction" or "aggregation". */
void note_reconciled(struct eval *ev, const struct node *at, const char *what);
void note_reset_collision(struct eval *ev, const struct node *at, const char *what);
void note_not_counter(struct eval *ev, const struct node *at, str metric);
void note_not_gauge(struct eval *ev, const struct node *at, str metric);

#endif
