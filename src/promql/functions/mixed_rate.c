// SPDX-License-Identifier: Apache-2.0
/*
 * Rates of native histograms, and of counters whose start times are known: a start time between two
 * samples is a reset, and one inside the window stands for a sample of zero.
 */
#include <math.h>

#include "promql/functions/mixed_int.h"

static str metric_of(const struct mixed_window *m)
{
    return labels_metric_name(m->labels);
}

static const struct histogram *histogram_at(const struct mixed_window *m, size_t i)
{
    return m->h ? m->h[i] : NULL;
}

/* Whether the counter of sample i started after sample i - 1 was taken. A start time equal to the
 * time of the sample itself, or of one whose own start is unknown, says nothing. */
static bool started_anew(const struct mixed_window *m, size_t i)
{
    if (!m->start_times)
        return false;
    ts_ms before = m->w.t[i - 1], before_start = m->start_times[i - 1];
    ts_ms start = m->start_times[i];
    if (start == 0 || start >= m->w.t[i] || start < before)
        return false;
    if (start > before)
        return true;
    return before_start != 0 && before_start < before;
}

/* A start time before the last sample, other than that one's, contradicts it; said once. */
static void note_overlap(const struct mixed_window *m)
{
    for (size_t i = 1; m->start_times && i < m->w.n; i++) {
        ts_ms start = m->start_times[i];
        if (start == 0 || start >= m->w.t[i - 1] || start == m->start_times[i - 1])
            continue;
        note_overlapping_start(m->ev, m->arg, metric_of(m));
        return;
    }
}

bool mixed_add(const struct mixed_window *m, struct histogram_work *w, const struct histogram *h,
               double factor)
{
    unsigned flags = 0;
    if (!histogram_work_add(w, h, factor, &flags)) {
        note_mixed_buckets(m->ev, m->arg, metric_of(m));
        return false;
    }
    if (flags & HISTOGRAM_RECONCILED)
        note_reconciled(m->ev, m->arg, factor < 0 ? "subtraction" : "addition");
    return true;
}

/* ---- increase over a window ---- */

static bool histogram_reset_at(const struct mixed_window *m, size_t i)
{
    return started_anew(m, i) || m->fell[i];
}

/* All of one kind of buckets; a gauge among counters is noted. The first sample does not count when
 * a reset follows it. */
static bool check_kinds(const struct mixed_window *m, bool counter, bool skip_first, int8_t *schema)
{
    const struct histogram *last = m->h[m->w.n - 1];
    *schema = last->schema;
    for (size_t i = 0; i < m->w.n; i++) {
        const struct histogram *h = m->h[i];
        bool ends = i == 0 || i + 1 == m->w.n;
        if (counter && h->reset == HISTOGRAM_GAUGE)
            note_not_counter(m->ev, m->arg, metric_of(m));
        if ((i == 0 && skip_first) || (!counter && !ends))
            continue;
        if (histogram_is_custom(h) != histogram_is_custom(last)) {
            note_mixed_buckets(m->ev, m->arg, metric_of(m));
            return false;
        }
        *schema = h->schema < *schema ? h->schema : *schema;
    }
    return true;
}

/* Last minus first, plus what was lost at each reset. */
static bool histogram_increase(const struct mixed_window *m, bool counter, struct histogram_work *w)
{
    size_t n = m->w.n;
    bool skip_first = counter && histogram_reset_at(m, 1);
    int8_t schema;
    if (!check_kinds(m, counter, skip_first, &schema))
        return false;
    histogram_work_set(w, m->h[n - 1]);
    histogram_work_reduce(w, schema);
    if (!skip_first && !mixed_add(m, w, m->h[0], -1))
        return false;
    if (counter)
        note_overlap(m);
    for (size_t i = 2; counter && i < n; i++)
        if (histogram_reset_at(m, i) && !mixed_add(m, w, m->h[i - 1], 1))
            return false;
    if (!counter && (m->h[0]->reset != HISTOGRAM_GAUGE || m->h[n - 1]->reset != HISTOGRAM_GAUGE))
        note_not_gauge(m->ev, m->arg, metric_of(m));
    return true;
}

static double float_increase(const struct mixed_window *m, bool counter)
{
    const double *v = m->w.v;
    double sum = v[m->w.n - 1] - v[0];
    if (!counter)
        return sum;
    note_overlap(m);
    for (size_t i = 1; i < m->w.n; i++)
        if (v[i] < v[i - 1] || started_anew(m, i))
            sum += v[i - 1];
    return sum;
}

/* The counter started inside the window, before its first sample: that one is all increase. */
static bool starts_inside(const struct mixed_window *m, bool counter)
{
    return counter && m->start_times && m->start_times[0] != 0 && m->start_times[0] > m->w.start &&
           m->start_times[0] < m->w.t[0];
}

static double zero_share(bool counter, double first, double increase)
{
    return counter && increase > 0 && first >= 0 ? first / increase : -1;
}

/* The factor for a window whose first sample counts from its start time on. */
static double extrapolation_from(const struct mixed_window *m)
{
    size_t n = m->w.n;
    double average = n > 1 ? (double)(m->w.t[n - 1] - m->w.t[0]) / 1000 / (double)(n - 1) : 0;
    double sampled = (double)(m->w.t[n - 1] - m->start_times[0]) / 1000;
    double to_end = (double)(m->w.end - m->w.t[n - 1]) / 1000;
    if (to_end >= average * 1.1)
        to_end = average / 2;
    return sampled != 0 ? (sampled + to_end) / sampled : 1;
}

static double seconds(const struct mixed_window *m)
{
    return (double)(m->w.end - m->w.start) / 1000;
}

static bool rate_of_floats(const struct mixed_window *m, enum rate_kind kind,
                           struct mixed_value *out)
{
    bool counter = kind != RATE_DELTA, inside = starts_inside(m, counter);
    size_t n = m->w.n;
    if (n < 2 && !inside)
        return false;
    double sum = float_increase(m, counter), factor;
    if (inside)
        sum += m->w.v[0];
    factor = inside ? extrapolation_from(m)
                    : extrapolation(m->w.t[0], m->w.t[n - 1], n, m->w.start, m->w.end,
                                    zero_share(counter, m->w.v[0], sum));
    out->v = sum * (kind == RATE_PER_SECOND ? factor / seconds(m) : factor);
    return true;
}

static bool work_of_histograms(const struct mixed_window *m, enum rate_kind kind,
                               struct histogram_work *w)
{
    bool counter = kind != RATE_DELTA, inside = starts_inside(m, counter);
    size_t n = m->w.n;
    if (n < 2 && !inside)
        return false;
    if (n < 2)
        histogram_work_set(w, m->h[0]);
    else if (!histogram_increase(m, counter, w) || (inside && !mixed_add(m, w, m->h[0], 1)))
        return false;
    double share = zero_share(counter, m->h[0]->count, w->count + w->count_low);
    double factor = inside
                        ? extrapolation_from(m)
                        : extrapolation(m->w.t[0], m->w.t[n - 1], m->stand_for ? m->stand_for : n,
                                        m->w.start, m->w.end, share);
    histogram_work_scale(w, kind == RATE_PER_SECOND ? factor / seconds(m) : factor);
    if (n > 1)
        w->reset = HISTOGRAM_GAUGE;
    return true;
}

static bool rate_of_histograms(const struct mixed_window *m, enum rate_kind kind,
                               struct mixed_value *out)
{
    struct histogram_work w = {0};
    bool ok = work_of_histograms(m, kind, &w);
    if (ok)
        out->h = histogram_work_freeze(&w, m->arena);
    histogram_work_fini(&w);
    return ok;
}

static bool any_rate(const struct mixed_window *m, enum rate_kind kind, struct mixed_value *out)
{
    if (m->floats_n && m->histograms_n) {
        note_mixed_floats(m->ev, m->arg, metric_of(m));
        return false;
    }
    if (m->extended)
        return extended_rate(m, kind, out);
    return m->floats_n ? rate_of_floats(m, kind, out) : rate_of_histograms(m, kind, out);
}

bool mixed_rate(const struct mixed_window *m, struct mixed_value *out)
{
    return any_rate(m, RATE_PER_SECOND, out);
}
bool mixed_increase(const struct mixed_window *m, struct mixed_value *out)
{
    return any_rate(m, RATE_INCREASE, out);
}
bool mixed_delta(const struct mixed_window *m, struct mixed_value *out)
{
    return any_rate(m, RATE_DELTA, out);
}

/* ---- between the last two samples ---- */

static bool last_two_histograms(const struct mixed_window *m, bool rate, struct histogram_work *w)
{
    size_t i = m->w.n - 1;
    const struct histogram *now = m->h[i], *before = m->h[i - 1];
    bool gauges = now->reset == HISTOGRAM_GAUGE && before->reset == HISTOGRAM_GAUGE;
    bool any_gauge = now->reset == HISTOGRAM_GAUGE || before->reset == HISTOGRAM_GAUGE;
    if (rate && any_gauge)
        note_not_counter(m->ev, m->arg, metric_of(m));
    if (!rate && !gauges)
        note_not_gauge(m->ev, m->arg, metric_of(m));
    histogram_work_set(w, now);
    if ((!rate || !histogram_reset_at(m, i)) && !mixed_add(m, w, before, -1))
        return false;
    if (rate)
        histogram_work_divide(w, (double)(m->w.t[i] - m->w.t[i - 1]) / 1000);
    w->reset = HISTOGRAM_GAUGE;
    return true;
}

static bool last_two(const struct mixed_window *m, bool rate, struct mixed_value *out)
{
    if (m->w.n < 2)
        return false;
    size_t i = m->w.n - 1;
    const struct histogram *now = histogram_at(m, i), *before = histogram_at(m, i - 1);
    if (!now != !before) {
        note_mixed_floats(m->ev, m->arg, metric_of(m));
        return false;
    }
    if (now) {
        struct histogram_work w = {0};
        bool ok = last_two_histograms(m, rate, &w);
        if (ok)
            out->h = histogram_work_freeze(&w, m->arena);
        histogram_work_fini(&w);
        return ok;
    }
    bool reset = rate && (m->w.v[i] < m->w.v[i - 1] || started_anew(m, i));
    out->v = reset ? m->w.v[i] : m->w.v[i] - m->w.v[i - 1];
    if (rate)
        out->v /= (double)(m->w.t[i] - m->w.t[i - 1]) / 1000;
    return true;
}

bool mixed_irate(const struct mixed_window *m, struct mixed_value *out)
{
    return last_two(m, true, out);
}
bool mixed_idelta(const struct mixed_window *m, struct mixed_value *out)
{
    return last_two(m, false, out);
}

/* ---- counting ---- */

/* The first sample that counts: of an anchored window the last at or before its start. False: no
 * sample is inside. */
static bool first_sample(const struct mixed_window *m, size_t *first)
{
    size_t i = 0;
    *first = 0;
    if (m->extended != EXTENDED_ANCHORED)
        return true;
    while (i < m->w.n && m->w.t[i] <= m->w.start)
        i++;
    *first = i ? i - 1 : 0;
    return i < m->w.n;
}

bool mixed_resets(const struct mixed_window *m, struct mixed_value *out)
{
    size_t first, n = 0;
    if (!first_sample(m, &first))
        return false;
    for (size_t i = first + 1; i < m->w.n; i++) {
        const struct histogram *now = histogram_at(m, i), *before = histogram_at(m, i - 1);
        if (!now != !before)
            n++;
        else if (now)
            n += histogram_reset_at(m, i);
        else
            n += m->w.v[i] < m->w.v[i - 1] || started_anew(m, i);
    }
    out->v = (double)n;
    return true;
}

static bool same_distribution(const struct histogram *a, const struct histogram *b)
{
    struct histogram x = *a, y = *b;
    x.reset = y.reset = 0;
    return histogram_equal(&x, &y);
}

bool mixed_changes(const struct mixed_window *m, struct mixed_value *out)
{
    size_t first, n = 0;
    const double *v = m->w.v;
    if (!first_sample(m, &first))
        return false;
    for (size_t i = first + 1; i < m->w.n; i++) {
        const struct histogram *now = histogram_at(m, i), *before = histogram_at(m, i - 1);
        if (!now != !before)
            n++;
        else if (now)
            n += !same_distribution(now, before);
        else
            n += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
    }
    out->v = (double)n;
    return true;
}
