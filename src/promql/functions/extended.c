// SPDX-License-Identifier: Apache-2.0
/*
 * anchored and smoothed windows. An anchored one takes the last sample before it for the value at
 * its start; a smoothed one has at both borders the value between the samples around them.
 */
#include "promql/functions/mixed_int.h"

/* Value at time t on the line from sample i to i + 1; a counter that fell came from zero. */
static double between(const struct window *w, size_t i, ts_ms t, bool counter)
{
    double a = w->v[i], b = w->v[i + 1];
    if (counter && b < a)
        a = 0;
    return a + (b - a) * (double)(t - w->t[i]) / (double)(w->t[i + 1] - w->t[i]);
}

/* The samples that a window is worked out from. */
static bool find_borders(const struct mixed_window *m, size_t *first, size_t *last)
{
    const struct window *w = &m->w;
    size_t end = w->n - 1, i = 0, k = 0;
    while (i < end && w->t[i] <= w->start)
        i++;
    *first = i ? i - 1 : 0;
    *last = end;
    if (m->extended == EXTENDED_SMOOTHED) {
        while (k < end && w->t[k] < w->end)
            k++;
        *last = k;
    }
    if (w->t[*last] <= w->start)
        return false;
    return m->extended != EXTENDED_SMOOTHED || w->t[*first] <= w->end;
}

/* What a counter lost between the borders, at samples strictly inside. */
static double lost(const struct window *w, size_t first, size_t last, double left, double right)
{
    double sum = 0, before = left;
    size_t from = w->t[first] <= w->start ? first + 1 : first;
    size_t to = w->t[last] >= w->end ? last : last + 1;
    for (size_t i = from; i < to; i++) {
        if (w->v[i] < before)
            sum += before;
        before = w->v[i];
    }
    return right < before ? sum + before : sum;
}

static bool rate_of_floats(const struct mixed_window *m, enum rate_kind kind,
                           struct mixed_value *out)
{
    const struct window *w = &m->w;
    bool counter = kind != RATE_DELTA, smoothed = m->extended == EXTENDED_SMOOTHED;
    size_t first, last;
    if (!find_borders(m, &first, &last))
        return false;
    double left =
        smoothed && w->t[first] < w->start ? between(w, first, w->start, counter) : w->v[first];
    double right = smoothed && last > 0 && w->t[last] > w->end
                       ? between(w, last - 1, w->end, counter)
                       : w->v[last];
    out->v = right - left;
    if (counter)
        out->v += lost(w, first, last, left, right);
    if (kind == RATE_PER_SECOND)
        out->v /= (double)(w->end - w->start) / 1000;
    return true;
}

/* ---- native histograms ---- */

bool interpolate_histograms(const struct interpolation *in, struct histogram_work *w)
{
    double share = (double)(in->t - in->t1) / (double)(in->t2 - in->t1);
    unsigned minus = 0, plus = 0;
    if (in->t == in->t1 || in->t == in->t2) {
        histogram_work_set(w, in->t == in->t1 ? in->h1 : in->h2);
        return true;
    }
    histogram_work_set(w, in->h2);
    if (in->counter && histogram_was_reset(in->h2, in->h1)) {
        histogram_work_scale(w, share);
        return true;
    }
    if (!histogram_work_add(w, in->h1, -1, &minus)) {
        note_mixed_buckets(in->ev, in->at, in->metric);
        return false;
    }
    histogram_work_scale(w, share);
    histogram_work_add(w, in->h1, 1, &plus);
    if (minus & HISTOGRAM_RECONCILED)
        note_reconciled(in->ev, in->at, "subtraction");
    if (plus & HISTOGRAM_RECONCILED)
        note_reconciled(in->ev, in->at, "addition");
    return true;
}

struct extended_histograms {
    const struct mixed_window *m;
    size_t first, last;
    bool counter, smoothed;
    const struct histogram *left, *right;
    struct histogram_work w;
};

static str metric_of(const struct mixed_window *m)
{
    return labels_metric_name(m->labels);
}

static bool check_kinds(const struct extended_histograms *e)
{
    const struct mixed_window *m = e->m;
    for (size_t i = e->first; i <= e->last; i++) {
        if (histogram_is_custom(m->h[i]) != histogram_is_custom(m->h[e->first])) {
            note_mixed_buckets(m->ev, m->arg, metric_of(m));
            return false;
        }
        if (e->counter && m->h[i]->reset == HISTOGRAM_GAUGE)
            note_not_counter(m->ev, m->arg, metric_of(m));
    }
    return true;
}

/* The histogram at time t between samples i and i + 1. */
static const struct histogram *at_border(struct extended_histograms *e, size_t i, ts_ms t)
{
    const struct mixed_window *m = e->m;
    struct interpolation in = {m->ev,         m->arg, metric_of(m), m->h[i], m->w.t[i], m->h[i + 1],
                               m->w.t[i + 1], t,      e->counter};
    return interpolate_histograms(&in, &e->w) ? histogram_work_freeze(&e->w, m->arena) : NULL;
}

static bool find_values(struct extended_histograms *e)
{
    const struct window *w = &e->m->w;
    e->left = e->smoothed && w->t[e->first] < w->start ? at_border(e, e->first, w->start)
                                                       : e->m->h[e->first];
    if (!e->left)
        return false;
    e->right = e->smoothed && e->last > 0 && w->t[e->last] > w->end
                   ? at_border(e, e->last - 1, w->end)
                   : e->m->h[e->last];
    return e->right != NULL;
}

/* Adds to the difference what was lost at resets. The left border may have been interpolated over
 * one, and the right border carries the hint of the last sample: neither counts twice. */
static bool add_lost(struct extended_histograms *e)
{
    const struct mixed_window *m = e->m;
    const struct histogram *before = e->left;
    size_t i = e->first + 1, end = e->last;
    if (e->smoothed && m->w.t[e->first] < m->w.start &&
        histogram_was_reset(m->h[e->first + 1], m->h[e->first]))
        before = m->h[i++];
    if (i > end)
        return true;
    for (; i < end; i++) {
        if (histogram_was_reset(m->h[i], before) && !mixed_add(m, &e->w, before, 1))
            return false;
        before = m->h[i];
    }
    return !histogram_was_reset(e->right, before) || mixed_add(m, &e->w, before, 1);
}

static bool work_of_histograms(struct extended_histograms *e)
{
    const struct mixed_window *m = e->m;
    if (!find_borders(m, &e->first, &e->last) || !check_kinds(e) || !find_values(e))
        return false;
    if (!e->counter && (e->left->reset != HISTOGRAM_GAUGE || e->right->reset != HISTOGRAM_GAUGE))
        note_not_gauge(m->ev, m->arg, metric_of(m));
    histogram_work_set(&e->w, e->right);
    return mixed_add(m, &e->w, e->left, -1) && (!e->counter || add_lost(e));
}

bool extended_rate(const struct mixed_window *m, enum rate_kind kind, struct mixed_value *out)
{
    if (!m->histograms_n)
        return rate_of_floats(m, kind, out);
    struct extended_histograms e = {
        .m = m, .counter = kind != RATE_DELTA, .smoothed = m->extended == EXTENDED_SMOOTHED};
    bool ok = work_of_histograms(&e);
    if (ok && kind == RATE_PER_SECOND)
        histogram_work_divide(&e.w, (double)(m->w.end - m->w.start) / 1000);
    e.w.reset = HISTOGRAM_GAUGE;
    if (ok)
        out->h = histogram_work_freeze(&e.w, m->arena);
    histogram_work_fini(&e.w);
    return ok;
}

/* ---- smoothed lookups and ranges ---- */

/* The samples around `at`, no further than the lookback. */
struct around {
    size_t from, to, next; /* [from, to), the first at or after `at` */
    bool floats, histograms;
};

static void smooth_floats(const struct range_series *s, const struct around *a, ts_ms at, double *v)
{
    if (a->next < a->to && s->t[a->next] == at) {
        *v = s->v[a->next];
    } else if (a->next > a->from) {
        struct window w = {.t = s->t, .v = s->v};
        *v = a->next < a->to ? between(&w, a->next - 1, at, false) : s->v[a->next - 1];
    }
}

/* Behind the last sample its value goes on; what it says about the one before it is not known. */
static const struct histogram *carried(struct arena *arena, const struct histogram *h)
{
    struct histogram *copy = arena_new(arena, struct histogram);
    *copy = *h;
    copy->reset = HISTOGRAM_RESET_UNKNOWN;
    return copy;
}

static const struct histogram *smooth_histograms(struct smoother *sm, const struct range_series *s,
                                                 const struct around *a, ts_ms at)
{
    if (a->next < a->to && s->t[a->next] == at)
        return s->h[a->next];
    if (a->next == a->from)
        return NULL;
    size_t i = a->next - 1;
    if (a->next == a->to)
        return carried(sm->arena, s->h[i]);
    const struct histogram *h1 = s->h[i], *h2 = s->h[i + 1];
    if (histogram_is_custom(h1) != histogram_is_custom(h2)) {
        note_mixed_buckets(sm->ev, sm->node, labels_metric_name(s->labels));
        return NULL;
    }
    bool counter = h1->reset != HISTOGRAM_GAUGE || h2->reset != HISTOGRAM_GAUGE;
    struct interpolation in = {
        sm->ev, sm->node, labels_metric_name(s->labels), h1, s->t[i], h2, s->t[i + 1], at, counter};
    return interpolate_histograms(&in, &sm->work) ? histogram_work_freeze(&sm->work, sm->arena)
                                                  : NULL;
}

static struct around find_around(const struct range_series *s, size_t from, ts_ms at, int64_t reach)
{
    struct around a = {.from = from};
    while (a.from < s->n && s->t[a.from] <= at - reach)
        a.from++;
    for (a.next = a.from; a.next < s->n && s->t[a.next] < at;)
        a.next++;
    for (a.to = a.next; a.to < s->n && s->t[a.to] <= at + reach;)
        a.to++;
    for (size_t i = a.from; i < a.to; i++) {
        a.histograms |= s->h && s->h[i];
        a.floats |= !(s->h && s->h[i]);
    }
    return a;
}

bool smooth_lookup(struct smoother *sm, const struct range_series *s, const ts_ms *at, size_t n,
                   struct row *r)
{
    bool any = false;
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        struct around a =
            find_around(s, i && at[i] >= at[i - 1] ? from : 0, at[i], sm->ev->lookback_ms);
        from = a.from;
        r->v[i] = absent();
        if (r->h)
            r->h[i] = NULL;
        if (a.floats && a.histograms)
            note_mixed_floats(sm->ev, sm->node, labels_metric_name(s->labels));
        else if (a.histograms)
            r->h[i] = smooth_histograms(sm, s, &a, at[i]);
        else if (a.floats)
            smooth_floats(s, &a, at[i], &r->v[i]);
        any |= row_has(r, i);
        if (arena_over(sm->arena)) /* the caller gives up */
            break;
    }
    return any;
}

size_t extended_points(const struct range_series *s, enum extended kind, ts_ms start, ts_ms end,
                       ts_ms *t, double *v)
{
    struct mixed_window m = {.w = {.t = s->t, .v = s->v, .n = s->n, .start = start, .end = end},
                             .extended = kind};
    bool smoothed = kind == EXTENDED_SMOOTHED;
    size_t first, last, n = 0;
    if (!s->n || !find_borders(&m, &first, &last))
        return 0;
    t[n] = start;
    v[n++] = smoothed && s->t[first] < start ? between(&m.w, first, start, false) : s->v[first];
    for (size_t i = first; i <= last; i++) {
        if (s->t[i] <= start || s->t[i] >= end)
            continue;
        t[n] = s->t[i];
        v[n++] = s->v[i];
    }
    t[n] = end;
    v[n++] =
        smoothed && last > 0 && s->t[last] > end ? between(&m.w, last - 1, end, false) : s->v[last];
    return n;
}
