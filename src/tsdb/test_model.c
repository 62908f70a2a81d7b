// SPDX-License-Identifier: Apache-2.0
#include "tsdb/test_model.h"

#include "base/map.h"

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static const char *const metric_names[] = {"up", "http_requests_total", "load"};

void model_init(struct model *m)
{
    *m = (struct model){0};
    arena_init(&m->arena, 0);
    for (int i = 0; i < MODEL_SERIES; i++) {
        struct labels_builder b;
        labels_builder_init(&b, (struct labels){0});
        labels_builder_set(&b, LABEL_NAME, str_from_z(metric_names[i % 3]));
        labels_builder_set(&b, STR("instance"), arena_printf(&m->arena, "host%d", i / 4));
        if (i % 4)
            labels_builder_set(&b, STR("mode"), arena_printf(&m->arena, "m%d", i % 4));
        if (i % 5 == 0)
            labels_builder_set(&b, STR("zone"), STR("\xc3\xa4 \"z\""));
        m->labels[i] = labels_dup(&m->arena, labels_builder_take(&b, &m->arena));
        m->hash[i] = labels_hash(m->labels[i]);
        labels_builder_fini(&b);
    }
}

void model_fini(struct model *m)
{
    for (int i = 0; i < MODEL_SERIES; i++)
        vec_fini(&m->samples[i]);
    arena_fini(&m->arena);
}

static double random_value(struct rng *r)
{
    static const uint64_t strange[] = {STALE_NAN_BITS, 0x8000000000000000ULL, 0x7ff8000000000000ULL,
                                       0x7ff0000000000000ULL, 0xfff8000000000123ULL};
    uint64_t bits = rng_next(r);
    double v;
    switch (rng_next(r) % 8) {
    case 0:
        bits = strange[bits % TESTS_N(strange)];
        memcpy(&v, &bits, sizeof v);
        return v;
    case 1:
        memcpy(&v, &bits, sizeof v);
        return v;
    case 2:
        return (double)(bits >> 11) / 9007199254740992.0;
    default:
        return (double)(bits % 100000) / 100;
    }
}

/* Gives a batch the labels that it comes without, and counts how often it was asked. */
struct test_labeller {
    struct labeller labeller;
    const struct labels *labels;
    const uint64_t *hash;
    size_t *asked;
};

static enum label_verdict on_label(struct labeller *l, struct batch *b, struct batch_series *s,
                                   struct err *err)
{
    const struct test_labeller *t = (const struct test_labeller *)l;
    s->labels = t->labels[s - b->series];
    s->hash = t->hash[s - b->series];
    ++*t->asked;
    return LABELS_OK;
}

/* Some batches as remote write makes them: with keys, two spellings of each series, and without
 * labels. */
static void hide_labels(struct model *m, struct batch *b, struct rng *r)
{
    struct test_labeller *t = arena_alloc(&b->arena, sizeof *t);
    struct labels *labels = arena_array(&b->arena, struct labels, b->series_n);
    uint64_t *hash = arena_array(&b->arena, uint64_t, b->series_n);
    for (size_t i = 0; i < b->series_n; i++) {
        struct batch_series *s = &b->series[i];
        labels[i] = s->labels;
        hash[i] = s->hash;
        if (rng_next(r) % 8 == 0)
            continue;
        s->key = rng_next(r) % 4
                     ? series_key_labels(s->labels)
                     : series_key_of(SERIES_KEY_REMOTE_WRITE, bytes_of(&s->hash, sizeof s->hash));
    }
    *t = (struct test_labeller){{on_label}, labels, hash, &m->asked};
    for (size_t i = 0; i < b->series_n; i++) {
        b->series[i].labels = (struct labels){0};
        b->series[i].hash = 0;
    }
    b->labeller = &t->labeller;
}

static double random_count(struct rng *r, bool floats)
{
    double n = rng_next(r) % 4 ? (double)(rng_next(r) % 50) : 0;
    return floats ? n / 7 : n;
}

static struct histogram_buckets random_buckets(struct arena *a, struct rng *r, bool floats,
                                               bool low)
{
    uint32_t spans = (uint32_t)(rng_next(r) % 3), n = 0;
    struct histogram_span *s = arena_array(a, struct histogram_span, 3);
    double *counts = arena_array(a, double, 12);
    for (uint32_t i = 0; i < spans; i++) {
        s[i] = (struct histogram_span){(int32_t)(rng_next(r) % 4), 1 + (uint32_t)(rng_next(r) % 4)};
        if (i == 0 && !low)
            s[i].offset -= 5;
        for (uint32_t k = 0; k < s[i].n; k++)
            counts[n++] = random_count(r, floats);
    }
    return (struct histogram_buckets){s, counts, spans, n};
}

static const struct histogram *random_histogram(struct arena *a, struct rng *r)
{
    static const double bounds[] = {0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
    struct histogram *h = arena_new(a, struct histogram);
    bool floats = rng_next(r) % 4 == 0, custom = rng_next(r) % 4 == 0;
    h->reset = (uint8_t)(rng_next(r) % 4);
    h->sum = random_value(r);
    h->positive = random_buckets(a, r, floats, custom);
    if (custom) {
        h->schema = HISTOGRAM_CUSTOM;
        h->custom = bounds;
        h->custom_n = TESTS_N(bounds);
    } else {
        h->schema = (int8_t)(rng_next(r) % 3);
        h->zero_threshold = rng_next(r) % 3 ? 0x1p-128 : 0.5;
        h->zero_count = random_count(r, floats);
        h->negative = random_buckets(a, r, floats, false);
    }
    h->count = h->zero_count + random_count(r, floats);
    return h;
}

/* Every fourth series is one of histograms, now and then; most starts of a series are the same. */
static void add_extras(struct batch *b, const size_t *which, struct rng *r)
{
    b->h = arena_array(&b->arena, const struct histogram *, b->samples_n);
    b->start = arena_array(&b->arena, ts_ms, b->samples_n);
    for (size_t i = 0; i < b->series_n; i++)
        for (size_t k = b->series[i].first; k < b->series[i].first + b->series[i].n; k++) {
            if (which[i] % 4 == 3 && rng_next(r) % 8)
                b->h[k] = random_histogram(&b->arena, r);
            if (which[i] % 3 == 0 && rng_next(r) % 8)
                b->start[k] = 1000 + (ts_ms)(rng_next(r) % 16 == 0);
        }
}

struct batch *model_batch(struct model *m, struct rng *r, ts_ms around)
{
    size_t places[12];
    struct batch *b = batch_new();
    size_t series_n = 1 + rng_next(r) % 12;
    b->series = arena_array(&b->arena, struct batch_series, series_n);
    b->t = arena_array(&b->arena, ts_ms, series_n * 8);
    b->v = arena_array(&b->arena, double, series_n * 8);
    for (size_t i = 0; i < series_n; i++) {
        size_t which = rng_next(r) % MODEL_SERIES, n = rng_next(r) % 4 ? 1 : rng_next(r) % 8;
        places[i] = which;
        b->series[i] = (struct batch_series){labels_dup(&b->arena, m->labels[which]),
                                             m->hash[which], (uint32_t)b->samples_n, (uint32_t)n};
        for (size_t k = 0; k < n; k++) {
            ts_ms t = around + (ts_ms)k * 15000;
            if (rng_next(r) % 6 == 0)
                t -= (ts_ms)(rng_next(r) % 200) * 1000;
            b->t[b->samples_n] = t;
            b->v[b->samples_n++] = random_value(r);
        }
    }
    b->series_n = series_n;
    if (rng_next(r) % 2)
        add_extras(b, places, r);
    if (rng_next(r) % 2)
        hide_labels(m, b, r);
    return b;
}

/* Without asking its labeller: the store does that. */
static struct labels labels_of(const struct batch *b, size_t i)
{
    const struct test_labeller *t = (const struct test_labeller *)b->labeller;
    return t ? t->labels[i] : b->series[i].labels;
}

static size_t series_index(const struct model *m, struct labels ls)
{
    for (size_t i = 0; i < MODEL_SERIES; i++)
        if (labels_eq(m->labels[i], ls))
            return i;
    fail_msg("a series that nobody wrote");
    return 0;
}

static bool same_sample(const struct model_sample *a, const struct model_sample *b)
{
    if (a->h && b->h)
        return histogram_same_sample(a->h, b->h);
    return !a->h && !b->h && memcmp(&a->v, &b->v, sizeof a->v) == 0;
}

static void apply_one(model_samples *l, struct model_sample x, struct batch_result *expected)
{
    size_t at = l->n;
    while (at > 0 && l->at[at - 1].t >= x.t)
        at--;
    if (at < l->n && l->at[at].t == x.t) {
        if (same_sample(&l->at[at], &x))
            expected->duplicate++;
        else
            expected->conflicting++;
        return;
    }
    vec_push(l, x);
    memmove(l->at + at + 1, l->at + at, (l->n - 1 - at) * sizeof *l->at);
    l->at[at] = x;
    expected->stored++;
}

/* That there was no reset is not kept. */
static struct model_sample sample_of(struct model *m, const struct batch *b, size_t k,
                                     uint64_t number)
{
    struct model_sample x = {.t = b->t[k], .v = b->v[k], .batch = number};
    if (b->start)
        x.start = b->start[k];
    if (b->h && b->h[k]) {
        struct histogram *h = histogram_dup(&m->arena, b->h[k]);
        if (h->reset == HISTOGRAM_RESET_NO)
            h->reset = HISTOGRAM_RESET_UNKNOWN;
        x.h = h;
    }
    return x;
}

void model_apply(struct model *m, const struct batch *b, uint64_t number,
                 struct batch_result *expected)
{
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        for (uint32_t k = s->first; k < s->first + s->n; k++)
            apply_one(&m->samples[series_index(m, labels_of(b, i))], sample_of(m, b, k, number),
                      expected);
    }
}

void outcome_done(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct outcome *o = arg;
    o->calls++;
    o->ok = ok;
    o->result = *result;
    if (!ok)
        o->err = *err;
}

struct outcome write_batch(struct tsdb *db, struct batch *b)
{
    struct outcome o = {0};
    struct sink *s = tsdb_sink(db);
    s->write(s, b, outcome_done, &o);
    while (tsdb_step(db))
        ;
    assert_int_equal(o.calls, 1);
    return o;
}

/* ---- comparing ---- */

static void random_matcher(struct matcher *m, struct rng *r)
{
    static const struct {
        enum match_op op;
        const char *name, *value;
    } some[] = {
        {MATCH_EQ, "__name__", "up"},
        {MATCH_NE, "__name__", "load"},
        {MATCH_RE, "__name__", "up|load"},
        {MATCH_RE, "instance", "host[0-4]"},
        {MATCH_NRE, "instance", "host(1|3).*"},
        {MATCH_RE, "instance", "host1|host3|nowhere"},
        {MATCH_RE, "instance", "host1.*"},
        {MATCH_NRE, "zone", ".+"},
        {MATCH_RE, "mode", "m.*"},
        {MATCH_EQ, "mode", ""},
        {MATCH_NE, "mode", ""},
        {MATCH_RE, "mode", "m1|"},
        {MATCH_NRE, "mode", "m1|"},
        {MATCH_NE, "zone", "nowhere"},
        {MATCH_EQ, "nothing", ""},
        {MATCH_NE, "nothing", ""},
        {MATCH_RE, "zone", ".+"},
        {MATCH_EQ, "instance", "host7"},
        {MATCH_RE, "nothing", ".*"},
        {MATCH_NRE, "mode", "m2"},
    };
    size_t i = rng_next(r) % TESTS_N(some);
    struct err err;
    assert_true(
        matcher_init(m, some[i].op, str_from_z(some[i].name), str_from_z(some[i].value), &err));
}

static bool has_in_range(const model_samples *l, ts_ms start, ts_ms end)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].t >= start && l->at[i].t <= end)
            return true;
    return false;
}

static void compare_samples(const model_samples *l, ts_ms start, ts_ms end, struct columns c)
{
    size_t k = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i].t < start || l->at[i].t > end)
            continue;
        assert_true(k < c.n);
        assert_int_equal(c.t[k], l->at[i].t);
        if (l->at[i].h)
            assert_true(c.h && c.h[k] && histogram_equal(c.h[k], l->at[i].h));
        else
            assert_true(!(c.h && c.h[k]) && memcmp(&c.v[k], &l->at[i].v, sizeof(double)) == 0);
        assert_int_equal(c.start ? c.start[k] : 0, l->at[i].start);
        k++;
    }
    assert_int_equal(k, c.n);
}

static int labels_order(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static void check_names(const struct model *m, const struct map *want, const str *got, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        found += map_has(want, got[i]);
        assert_true(i == 0 || str_cmp(got[i - 1], got[i]) < 0);
    }
    assert_int_equal(found, want->n);
    assert_true(m->deleted || n == want->n);
}

/* Names and values over all of the time. */
/* What is told of a series without reading it, where it can be. */
static void compare_extent(struct source *s, struct selection *sel, size_t i, struct arena *a)
{
    struct err err = {0};
    struct columns all;
    struct tsdb_extent x;
    if (!tsdb_extent(sel, i, &x, &err) ||
        !source_read(s->ops, sel, i, INT64_MIN, INT64_MAX, a, &all, &err))
        fail_msg("extent: %s", err.msg);
    assert_int_equal(x.samples, all.n);
    if (all.n)
        assert_true(x.first == all.t[0] && x.last == all.t[all.n - 1]);
}

static void compare_names(struct model *m, struct source *s, const struct matcher *at, size_t n,
                          const struct select_hints *h)
{
    struct arena a ARENA_CLEANUP;
    struct err err;
    str *got;
    size_t got_n;
    struct map values MAP_CLEANUP = {0}, names MAP_CLEANUP = {0};
    arena_init(&a, 0);
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        bool ok = m->samples[i].n > 0;
        for (size_t k = 0; k < n && ok; k++)
            ok = matcher_test(&at[k], labels_get(m->labels[i], at[k].name));
        for (size_t k = 0; k < m->labels[i].n && ok; k++) {
            map_put(&names, m->labels[i].at[k].name, m);
            if (str_eqz(m->labels[i].at[k].name, "instance"))
                map_put(&values, m->labels[i].at[k].value, m);
        }
    }
    assert_true(s->ops->label_values(s, STR("instance"), at, n, h, NULL, &a, &got, &got_n, &err));
    check_names(m, &values, got, got_n);
    assert_true(s->ops->label_names(s, at, n, h, NULL, &a, &got, &got_n, &err));
    check_names(m, &names, got, got_n);
}

static void compare_query(struct model *m, struct source *s, struct rng *r, ts_ms from, ts_ms to)
{
    struct matcher at[3];
    struct labels want[MODEL_SERIES];
    size_t n = rng_next(r) % 4, want_n = 0;
    ts_ms span = to - from + 1;
    struct select_hints h = {.start = from - 1, .end = to + 1};
    if (rng_next(r) % 3 == 0) {
        h.start = from + (ts_ms)(rng_next(r) % (uint64_t)span);
        h.end = h.start + (ts_ms)(rng_next(r) % 100000);
    }
    for (size_t i = 0; i < n; i++)
        random_matcher(&at[i], r);
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        bool ok = has_in_range(&m->samples[i], h.start, h.end);
        for (size_t k = 0; k < n && ok; k++)
            ok = matcher_test(&at[k], labels_get(m->labels[i], at[k].name));
        if (ok)
            want[want_n++] = m->labels[i];
    }
    qsort(want, want_n, sizeof *want, labels_order);
    struct err err = {0};
    struct selection *sel = s->ops->select(s, at, n, &h, NULL, &err);
    if (!sel)
        fail_msg("select: %s", err.msg);
    /* A series whose blocks span the range without a sample in it may come too, empty. */
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    size_t found = 0;
    for (size_t i = 0; i < s->ops->size(sel); i++) {
        struct columns c;
        struct labels ls = s->ops->labels(sel, i);
        if (i > 0)
            assert_true(labels_cmp(s->ops->labels(sel, i - 1), ls) < 0);
        if (!source_read(s->ops, sel, i, h.start, h.end, &a, &c, &err))
            fail_msg("read: %s", err.msg);
        compare_samples(&m->samples[series_index(m, ls)], h.start, h.end, c);
        compare_extent(s, sel, i, &a);
        for (size_t k = 0; k < n; k++)
            assert_true(matcher_test(&at[k], labels_get(ls, at[k].name)));
        if (found < want_n && labels_eq(ls, want[found]))
            found++;
        else
            assert_int_equal(c.n, 0);
    }
    assert_int_equal(found, want_n);
    s->ops->release(sel);
    h.start = from - 1;
    h.end = to + 1;
    compare_names(m, s, at, n, &h);
    for (size_t i = 0; i < n; i++)
        matcher_fini(&at[i]);
}

void model_compare(struct model *m, struct source *s, struct rng *r, int queries)
{
    ts_ms from = INT64_MAX, to = INT64_MIN;
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        const model_samples *l = &m->samples[i];
        if (!l->n)
            continue;
        from = l->at[0].t < from ? l->at[0].t : from;
        to = l->at[l->n - 1].t > to ? l->at[l->n - 1].t : to;
    }
    if (from > to)
        from = to = 0;
    for (int q = 0; q < queries; q++)
        compare_query(m, s, r, from, to);
}

struct columns read_series(struct source *s, struct labels ls, struct arena *a)
{
    struct select_hints h = {.start = INT64_MIN, .end = INT64_MAX};
    struct matcher m[8];
    struct columns c = {0};
    struct err err = {0};
    assert_true(ls.n <= 8);
    for (size_t i = 0; i < ls.n; i++)
        assert_true(matcher_init(&m[i], MATCH_EQ, ls.at[i].name, ls.at[i].value, &err));
    struct selection *sel = s->ops->select(s, m, ls.n, &h, NULL, &err);
    if (!sel)
        fail_msg("select: %s", err.msg);
    for (size_t i = 0; i < s->ops->size(sel); i++)
        if (labels_eq(s->ops->labels(sel, i), ls) &&
            !source_read(s->ops, sel, i, INT64_MIN, INT64_MAX, a, &c, &err))
            fail_msg("read: %s", err.msg);
    s->ops->release(sel);
    for (size_t i = 0; i < ls.n; i++)
        matcher_fini(&m[i]);
    return c;
}
