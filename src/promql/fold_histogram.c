// SPDX-License-Identifier: Apache-2.0
/* Sums and means of native histograms, and the notes that are made about them. */
#include "promql/histogram_int.h"

void histogram_fold_fini(struct histogram_fold *f)
{
    histogram_work_fini(&f->sum);
    histogram_work_fini(&f->trial);
}

static void see_hint(struct histogram_fold *f, const struct histogram *h)
{
    f->reset |= h->reset == HISTOGRAM_RESET_YES;
    f->no_reset |= h->reset == HISTOGRAM_RESET_NO;
}

static bool add_to(struct histogram_fold *f, struct histogram_work *w, const struct histogram *h)
{
    unsigned flags = 0;
    if (!histogram_work_add(w, h, 1, &flags)) {
        f->incompatible = true;
        return false;
    }
    f->reconciled |= flags & HISTOGRAM_RECONCILED;
    return true;
}

/* mean * (n - 1) / n + h / n */
static bool add_to_mean(struct histogram_fold *f, const struct histogram *h)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    histogram_work_set(&f->trial, h);
    histogram_work_divide(&f->trial, f->count);
    histogram_work_scale(&f->sum, (f->count - 1) / f->count);
    return add_to(f, &f->sum, histogram_work_freeze(&f->trial, &a));
}

static bool add_average(struct histogram_fold *f, const struct histogram *h)
{
    if (!f->mean) {
        histogram_work_copy(&f->trial, &f->sum);
        if (!add_to(f, &f->trial, h))
            return false;
        if (!histogram_work_overflowed(&f->trial)) {
            struct histogram_work kept = f->sum;
            f->sum = f->trial;
            f->trial = kept;
            return true;
        }
        f->mean = true;
        histogram_work_divide(&f->sum, f->count - 1);
    }
    return add_to_mean(f, h);
}

bool histogram_fold_add(struct histogram_fold *f, const struct histogram *h, bool average)
{
    if (f->incompatible)
        return true;
    see_hint(f, h);
    f->count++;
    if (f->count == 1) {
        histogram_work_set(&f->sum, h);
        return true;
    }
    return average ? add_average(f, h) : add_to(f, &f->sum, h);
}

const struct histogram *histogram_fold_finish(struct histogram_fold *f, bool average,
                                              struct arena *a)
{
    if (average && !f->mean)
        histogram_work_divide(&f->sum, f->count);
    return histogram_work_freeze(&f->sum, a);
}

/* ---- notes ---- */

void note_named(struct eval *ev, const struct node *at, bool warning, const char *text, str metric)
{
    const char *open = metric.n ? " for metric name \"" : "", *close = metric.n ? "\"" : "";
    if (warning)
        note_warning(ev, at, "%s%s%.*s%s", text, open, STR_ARG(metric), close);
    else
        note_info(ev, at, "%s%s%.*s%s", text, open, STR_ARG(metric), close);
}

void note_mixed_buckets(struct eval *ev, const struct node *at, str metric)
{
    note_warning(ev, at,
                 "vector contains a mix of histograms with exponential and custom buckets schemas "
                 "for metric name \"%.*s\"",
                 STR_ARG(metric));
}

void note_mixed_floats(struct eval *ev, const struct node *at, str metric)
{
    note_warning(ev, at, "encountered a mix of histograms and floats for metric name \"%.*s\"",
                 STR_ARG(metric));
}

void note_ignored_in_range(struct eval *ev, const struct node *at, str metric)
{
    note_info(ev, at,
              "ignored histograms in a range containing both floats and histograms for metric "
              "name \"%.*s\"",
              STR_ARG(metric));
}

void note_ignored_in_aggregation(struct eval *ev, const struct node *at, const char *name)
{
    note_info(ev, at, "ignored histogram in %s aggregation", name);
}

void note_reconciled(struct eval *ev, const struct node *at, const char *what)
{
    note_info(ev, at, "mismatched custom buckets were reconciled during %s", what);
}

void note_reset_collision(struct eval *ev, const struct node *at, const char *what)
{
    note_warning(ev, at, "conflicting counter resets during histogram %s", what);
}

void note_not_counter(struct eval *ev, const struct node *at, str metric)
{
    note_warning(ev, at, "this native histogram metric is not a counter: \"%.*s\"",
                 STR_ARG(metric));
}

void note_not_gauge(struct eval *ev, const struct node *at, str metric)
{
    note_warning(ev, at, "this native histogram metric is not a gauge: \"%.*s\"", STR_ARG(metric));
}
