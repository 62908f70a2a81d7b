// SPDX-License-Identifier: Apache-2.0
/*
 * How an expression is evaluated.
 *
 * A node is evaluated once, for all steps of its grid. Its result is rows: one series with one
 * value per step. Rows are pushed: whoever evaluates a node gives a sink, and gets each row when it
 * is ready, so that a chain of functions and an aggregation above it hold one row at a time. What
 * needs several rows at once (joins, topk, sort) collects them.
 *
 * A step without value holds the stale marker: arithmetic never produces its bit pattern, so it is
 * distinct from every NaN that is a value. A step with a native histogram holds it beside the
 * floats.
 *
 * Labels live until the query ends (selections are kept open); the values of a row only during the
 * call, and the sink may change them. Everything is owned by the thread that runs promql_exec; what
 * other threads do for it is in scan_int.h.
 */
#ifndef PROMQL_EVAL_INT_H
#define PROMQL_EVAL_INT_H

#include "base/kahan.h"
#include "model/histogram_math.h"
#include "promql/function_int.h"

/* Times of an evaluation are at most so far from 1970, so that subtracting a duration (below 2^54
 * ms) cannot overflow. */
#define TIME_MAX (INT64_C(1) << 60)

/* Points of time start, start + step, ...; step is 1 when n is 1. */
struct grid {
    ts_ms start;
    int64_t step_ms;
    size_t n;
};

static inline ts_ms grid_at(const struct grid *g, size_t i)
{
    return g->start + (int64_t)i * g->step_ms;
}

static inline double absent(void)
{
    return stale_nan();
}
static inline bool is_absent(double v)
{
    return is_stale_nan(v);
}

struct row {
    struct labels labels;
    bool drop_name; /* delayed name removal: the metric name goes at the end */
    double *v;      /* one per step of the grid */
    /* Native histograms: NULL when the row has none, else one or NULL per step; where there is one,
     * v is absent, so that code for floats does not see it. */
    const struct histogram **h;
};

static inline bool row_has(const struct row *r, size_t i)
{
    return !is_absent(r->v[i]) || (r->h && r->h[i]);
}

struct row_sink {
    bool (*put)(void *ctx, struct row *r, struct err *err);
    void *ctx;
};

struct rows {
    struct row *at;
    size_t n, cap;
};

struct selection_ref {
    const struct source_ops *ops;
    struct selection *sel;
};

struct eval {
    const struct promql_query *q;
    const struct promql_expr *expr;
    struct arena arena; /* labels and collected rows, until the query ends */
    struct grid grid;   /* of the whole query */
    ts_ms end;          /* of the query as asked, for @ end() */
    int64_t lookback_ms;
    bool delayed_names;
    bool range_query;
    VEC(struct selection_ref) selections;
    struct notes *notes;
    struct promql_cost *costs; /* by node; NULL when nobody asked */
    size_t outside_bytes;      /* of working memory that is not in an arena, counted all the same */
    str func; /* innermost function or aggregation being evaluated, a hint for the source */
    struct promql_stats stats;
    /* What points that are looked at now count for, in the statistics. */
    enum counting {
        COUNT_AT_STEP, /* at its own */
        COUNT_AT_ALL,  /* what is evaluated once and is the same at every step */
        COUNT_NOWHERE, /* inside a subquery, whose points are counted in the windows over them */
    } counting;
    bool only_subquery; /* the result is that of a subquery itself, so its inside counts */
    uint64_t *per_step; /* NULL: nobody asked */
};

/* ---- eval.c ---- */

/* Evaluates a node of type vector. */
bool eval_rows(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err);
/* Evaluates a node of type scalar into out[g->n]. */
bool eval_scalar(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                 struct err *err);
/* Rows of a node, kept in ev->arena. */
bool eval_collect(struct eval *ev, const struct node *n, const struct grid *g, struct rows *out,
                  struct err *err);
/* A row of n values in ev->arena; NULL with an error when the query may not have so much. */
double *eval_row_new(struct eval *ev, size_t n, struct err *err);
/* A row of n histograms, all NULL. */
const struct histogram **eval_histograms_new(struct eval *ev, size_t n, struct err *err);
/* A copy of the row's values and histograms in ev->arena. */
bool eval_row_keep(struct eval *ev, const struct row *r, size_t n, struct row *out,
                   struct err *err);
/* Fails when the query is over its memory. */
bool eval_memory(struct eval *ev, struct err *err);
/* Fails because of it. */
bool eval_over_memory(struct eval *ev, struct err *err);
/* Whose memory counts as the query's. */
static inline struct quota *eval_quota(const struct eval *ev)
{
    return &ev->q->budget->memory;
}
/* Points looked at: at this step of the grid, or altogether while nobody asks for steps. */
void eval_looked_at(struct eval *ev, size_t step, uint64_t points);
void eval_looked_at_together(struct eval *ev, uint64_t points);
/* Samples that a point counts for. */
uint64_t sample_weight(const struct histogram *h);
/* Counts memory that is in no arena, until the query ends. */
void eval_count_outside(struct eval *ev, size_t bytes);
/* Seconds to milliseconds of a duration that may be arithmetic. */
bool eval_duration(struct eval *ev, int64_t literal_ms, const struct node *expr, bool negative_ok,
                   int64_t *out, struct err *err);
/* The end of the windows, or time of the lookup, at every step: @ and offset applied. */
bool eval_when(struct eval *ev, const struct when *w, const struct grid *g, ts_ms *out,
               struct err *err);

/* ---- explain.c: the same, measured ---- */

bool measure_rows(struct eval *ev, const struct node *n, const struct grid *g,
                  const struct row_sink *sink, struct err *err);
struct windows;
struct range_sink;
bool measure_range(struct eval *ev, const struct node *n, const struct windows *w,
                   const struct range_sink *sink, struct err *err);
/* What they measure: eval.c and select.c. */
bool eval_rows_plain(struct eval *ev, const struct node *n, const struct grid *g,
                     const struct row_sink *sink, struct err *err);
bool eval_range_plain(struct eval *ev, const struct node *n, const struct windows *w,
                      const struct range_sink *sink, struct err *err);

/* ---- select.c ---- */

/* The sample of every series at every step, within the lookback, or its time or start time in
 * seconds; LOOKUP_INFO is the time too, and refuses histograms. */
enum lookup { LOOKUP_VALUE, LOOKUP_TIME, LOOKUP_START, LOOKUP_INFO };
bool eval_selector(struct eval *ev, const struct node *n, const struct grid *g, enum lookup what,
                   const struct row_sink *sink, struct err *err);

/* One series of a range expression: all samples that any of its windows needs, no stale markers. */
struct range_series {
    struct labels labels;
    bool drop_name;
    size_t n;
    const ts_ms *t;
    const double *v;
    const struct histogram *const *h; /* as in struct columns */
    const ts_ms *start;
    /* Rows of tiers that overlap the windows; of them the samples above have first and last. */
    const struct tier_row *rows;
    size_t rows_n;
    ts_ms rows_end;              /* up to here samples are gone */
    size_t raw_from;             /* samples from here on are behind the rows */
    const struct scanned *ready; /* what `prepare` made of it; NULL: nothing */
};

struct scanned;
struct scan_room;

struct range_sink {
    bool (*put)(void *ctx, const struct range_series *s, struct err *err);
    void *ctx;
    /* scan_int.h; may be NULL, and is called for what comes from a selector only. */
    void (*prepare)(void *ctx, struct scanned *s, struct scan_room *room);
};

struct windows {
    ts_ms *end; /* one per step */
    size_t n;
    int64_t range_ms;
    enum extended extended;
    /* anchored, smoothed: samples so far outside of a window are handed over too */
    int64_t before_ms, after_ms;
};

/* Series of a range selector or subquery, and its windows on the grid. */
bool eval_windows(struct eval *ev, const struct node *n, const struct grid *g, struct windows *out,
                  struct err *err);
bool eval_range(struct eval *ev, const struct node *n, const struct windows *w,
                const struct range_sink *sink, struct err *err);

/* ---- union.c: selectors with { or } ---- */

/* The series of a selector: of one set of matchers, or of several together, in order, each once.
 * `sel` NULL after an error. */
struct selection_ref selector_select(struct eval *ev, const struct node *selector,
                                     const struct select_hints *h, struct err *err);

/* ---- tiered.c: selections of which a part is rows of tiers ---- */

struct tiered {
    struct selection_ref from;
    struct tier_span spans[SOURCE_TIERS_MAX];
    bool used[SOURCE_TIERS_MAX];
    size_t n;              /* 0: nothing to do, the usual case */
    struct tier_rows rows; /* of the series at hand */
};
struct tiered tiered_of(struct selection_ref from, struct arena *scratch);
/* Reads the rows of series i and puts what samples are known from them before those of `c`: first
 * and last of each row and markers, as far as they are inside of start and end. `*raw_from`: place
 * of the first sample that c had. */
bool tiered_read(struct eval *ev, struct tiered *t, size_t i, const struct select_hints *h,
                 struct columns *c, size_t *raw_from, struct err *err);
/* Lookups inside of the samples of a row: its first. True when there is any. */
bool tiered_look_up(const struct tiered *t, const ts_ms *at, size_t n, enum lookup what,
                    struct row *r);
/* Up to when the samples asked for are gone. */
ts_ms tiered_end(const struct tiered *t, const struct select_hints *h);
/* A rate, increase or delta (`tier` says which) over a window of histograms that touches rows:
 * `fn`, which knows samples, on what rows know. False: there is none. */
bool tiered_histograms(const struct mixed_window *m, const struct range_series *s,
                       const struct function *fn, struct mixed_value *out);
/* Infos: which spans were used. */
void tiered_note(struct eval *ev, const struct tiered *t, const struct node *at,
                 const struct select_hints *h);

/* ---- rows.c ---- */

/* The labels without the metric name (and __type__, __unit__). */
struct labels labels_nameless(struct arena *a, struct labels ls);
/* Drops the name of a row of node `n` now or later, as the query's mode says; not with
 * keep_metric_names. */
void row_drop_name(struct eval *ev, const struct node *n, struct row *r);
/* True unless it is certain that rows of this node stay distinct without their names. */
bool node_names_vary(const struct eval *ev, const struct node *n);

/* {a="b", c="d"}: how upstream's errors write label sets. */
void label_set_format(struct labels ls, struct strbuf *out);

/* A table of label sets: index of an equal one, or a new one. */
struct label_table {
    struct labels *at;
    uint64_t *hash;
    size_t n, cap;
    uint32_t *slots;
    size_t slots_n;
    struct quota *quota; /* its memory counts there; NULL: nowhere */
    size_t held;
};
/* Index of `ls`, added (not copied) when it is new. */
size_t label_table_add(struct label_table *t, struct labels ls);
void label_table_fini(struct label_table *t);

/*
 * Puts rows with equal labels together; two values at one step are the error "vector cannot contain
 * metrics with the same labelset". Flushing pushes the merged rows in order of arrival.
 */
struct merger {
    struct eval *ev;
    size_t steps;
    struct rows rows; /* by index in the table */
    struct label_table table;
    size_t held; /* by rows.at */
};
void merger_init(struct merger *m, struct eval *ev, size_t steps);
bool merger_put(void *merger, struct row *r, struct err *err);
bool merger_flush(struct merger *m, const struct row_sink *sink, struct err *err);
void merger_fini(struct merger *m);

/* The labels in `names` (sorted) only, or all but them and the name; in the arena. */
struct labels labels_keep(struct arena *a, struct labels ls, const struct names *names);
struct labels labels_without(struct arena *a, struct labels ls, const struct names *names,
                             bool keep_name);
/* `names` sorted, each once, in the arena. */
struct names names_sorted(struct arena *a, const struct names *names);

/* ---- aggregate.c, topk.c, binary.c, join.c, call.c ---- */

bool eval_aggregate(struct eval *ev, const struct node *n, const struct grid *g,
                    const struct row_sink *sink, struct err *err);
bool eval_topk(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err);
bool eval_limit(struct eval *ev, const struct node *n, const struct grid *g,
                const struct row_sink *sink, struct err *err);
bool eval_count_values(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err);
bool eval_quantile(struct eval *ev, const struct node *n, const struct grid *g,
                   const struct row_sink *sink, struct err *err);
bool eval_binary(struct eval *ev, const struct node *n, const struct grid *g,
                 const struct row_sink *sink, struct err *err);
bool eval_join(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err);
bool eval_set(struct eval *ev, const struct node *n, const struct grid *g,
              const struct row_sink *sink, struct err *err);
bool eval_call(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err);

/* Arithmetic and comparison of two numbers; comparisons give 1 or 0. */
double binary_value(enum token_kind op, double a, double b);
/* Of n pairs; what comes of absent ones is the caller's affair. */
void binary_row(enum token_kind op, const double *a, const double *b, size_t n, double *out);

/* ---- arithmetic that aggregations and functions share: kahan.c ---- */

/* The phi-quantile of n values, which are sorted in place: interpolated between neighbours. */
double quantile_of(double q, double *v, size_t n);
/* Larger and smaller of two; NaN wins over everything but the infinity asked for. */
double go_max(double a, double b);
double go_min(double a, double b);

/* ---- notes.c: warnings and infos of a query ---- */

struct notes *notes_new(const struct promql_expr *expr);
void notes_free(struct notes *n);
/* Adds "PromQL warning: msg (line:col)" once; of several places the last is told. */
void note_warning(struct eval *ev, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void note_info(struct eval *ev, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A start time before the sample that came before; how often is told. */
void note_overlapping_start(struct eval *ev, const struct node *at, str metric);
/* A quantile outside [0, 1] gets upstream's warning. */
/* The step of a tier, and of which times it answers. */
void note_tier(struct eval *ev, const struct node *at, int64_t step_ms, ts_ms start, ts_ms end);
/* A function that needs every sample of windows in which some are gone; up to when they are. */
void note_thinned(struct eval *ev, const struct node *at, str function, ts_ms end);
void note_quantile(struct eval *ev, const struct node *at, double q);
/* A histogram whose buckets had to be made monotonic; equal ones are counted together. */
void note_monotonicity(struct eval *ev, const struct node *at, str metric, ts_ms t, double min,
                       double max, double diff);
void notes_take(struct notes *n, struct arena *a, struct promql_result *out);

#endif
