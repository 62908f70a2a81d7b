// SPDX-License-Identifier: Apache-2.0
#include "model/tier.h"

#include <math.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "model/source.h"

enum { SAMPLES_MAX = 3000, MINUTE = 60000, STEP = 5 * MINUTE, HOUR = 60 * MINUTE };

static uint64_t state = 88172645463325252ULL;

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

struct series {
    ts_ms t[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    const struct histogram *h[SAMPLES_MAX];
    size_t n;
};

static struct columns columns_of(const struct series *s)
{
    return (struct columns){.n = s->n, .t = s->t, .v = s->v, .h = s->h};
}

static const struct histogram *make_histogram(struct arena *a, double x, bool custom)
{
    static const struct histogram_span span = {1, 2};
    static const double bounds[] = {1, 2, 5};
    double *counts = arena_array(a, double, 2);
    struct histogram *h = arena_new(a, struct histogram);
    counts[0] = x;
    counts[1] = 2 * x;
    h->count = 3 * x;
    h->sum = 7 * x;
    h->positive = (struct histogram_buckets){&span, counts, 1, 2};
    h->zero_threshold = custom ? 0 : 0x1p-128;
    if (custom) {
        h->schema = HISTOGRAM_CUSTOM;
        h->custom = bounds;
        h->custom_n = 3;
    }
    return h;
}

enum shape { COUNTER, GAUGE, SPECIALS, HISTOGRAM, ALL_KINDS, SHAPES };

static double draw(enum shape shape, double *counter)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 0, 1, 5e-324};
    if (shape == GAUGE)
        return (double)rnd(2000) / 8 - 100;
    if (shape == SPECIALS && rnd(3) == 0)
        return specials[rnd(TESTS_N(specials))];
    return *counter = rnd(40) ? *counter + (double)rnd(9) : 0;
}

/* Jitter, gaps, resets, stale markers alone and in rows, changes of kind. */
static void generate(struct series *s, enum shape shape, struct arena *a)
{
    double counter = 0;
    ts_ms t = -3 * HOUR + (ts_ms)rnd(HOUR);
    int kind = shape == HISTOGRAM;
    s->n = 1 + rnd(SAMPLES_MAX - 1);
    for (size_t i = 0; i < s->n; i++) {
        t += rnd(60) == 0 ? (ts_ms)rnd(3 * HOUR) + 1 : 15000 + (ts_ms)rnd(3) - 1;
        if (rnd(30) == 0) /* at the very border */
            t = tier_window_start(t, STEP) + STEP;
        if (i && t <= s->t[i - 1])
            t = s->t[i - 1] + 1;
        if (shape == ALL_KINDS && rnd(50) == 0)
            kind = (int)rnd(3);
        s->t[i] = t;
        s->v[i] = draw(shape, &counter);
        s->h[i] = kind ? make_histogram(a, s->v[i], kind == 2) : NULL;
        if (rnd(40) == 0) {
            s->v[i] = stale_nan();
            s->h[i] = NULL;
        }
    }
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)) || a == b;
}

static bool same_hist(const struct tier_row *a, const struct tier_row *b)
{
    if (!a->hist || !b->hist)
        return !a->hist && !b->hist;
    const struct tier_hist *x = a->hist, *y = b->hist;
    return histogram_equal(x->first, y->first) && histogram_equal(x->last, y->last) &&
           (x->lost && y->lost ? histogram_equal(x->lost, y->lost) : !x->lost && !y->lost);
}

static bool same_row(const struct tier_row *a, const struct tier_row *b)
{
    return a->start == b->start && a->end == b->end && a->stale == b->stale &&
           a->count == b->count && a->first_t == b->first_t && a->last_t == b->last_t &&
           same(a->first, b->first) && same(a->last, b->last) && same(a->min, b->min) &&
           same(a->max, b->max) && same(a->sum, b->sum) && same(a->lost, b->lost) &&
           same_hist(a, b);
}

static void show(const char *what, const struct tier_row *r)
{
    print_error("%s (%lld, %lld]%s n %llu t %lld..%lld v %g..%g min %g max %g sum %.17g lost %g\n",
                what, (long long)r->start, (long long)r->end, r->stale ? " stale" : "",
                (unsigned long long)r->count, (long long)r->first_t, (long long)r->last_t, r->first,
                r->last, r->min, r->max, r->sum, r->lost);
}

static void assert_rows(const struct tier_rows *got, const struct tier_rows *want)
{
    for (size_t i = 0; i < got->n && i < want->n; i++) {
        if (same_row(&got->at[i], &want->at[i]))
            continue;
        show("got ", &got->at[i]);
        show("want", &want->at[i]);
        fail();
    }
    assert_int_equal(got->n, want->n);
}

/* The values are small multiples of 1/8, so that their sums are exact. */
static void test_coarser_from_finer(void **s)
{
    static struct series x;
    for (int round = 0; round < 200; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows fine = {&a}, coarse = {&a}, direct = {&a};
        generate(&x, (enum shape)(round % SHAPES), &a);
        struct columns c = columns_of(&x);
        tier_of_samples(&fine, STEP, &c);
        tier_of_rows(&coarse, HOUR, fine.at, fine.n);
        tier_of_samples(&direct, HOUR, &c);
        assert_rows(&coarse, &direct);
    }
}

/* What a row must hold, sample by sample, told in another way than tier.c does. */
static void check_row(const struct tier_row *r, const struct series *x)
{
    uint64_t n = 0;
    double min = INFINITY, max = -INFINITY, sum = 0, increase = 0, last = 0;
    for (size_t i = 0; i < x->n; i++) {
        double v = x->v[i];
        if (x->t[i] <= r->start || x->t[i] > r->end || is_stale_nan(v))
            continue;
        assert_true(n > 0 || x->t[i] == r->first_t);
        assert_true(x->t[i] <= r->last_t);
        if (n > 0)
            increase += v < last ? v : v - last;
        min = fmin(min, v);
        max = fmax(max, v);
        sum += v;
        last = v;
        n++;
    }
    assert_int_equal(n, r->count);
    if (n == 0)
        return;
    assert_true(min == r->min && max == r->max && sum == r->sum && last == r->last);
    assert_true(increase == r->last - r->first + r->lost);
}

static void test_rows_of_samples(void **s)
{
    static struct series x;
    for (int round = 0; round < 60; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        uint64_t count = 0, samples = 0;
        generate(&x, round % 2 ? COUNTER : GAUGE, &a);
        struct columns c = columns_of(&x);
        tier_of_samples(&rows, STEP, &c);
        for (size_t i = 0; i < rows.n; i++) {
            const struct tier_row *r = &rows.at[i];
            assert_true(r->start < r->end && (i == 0 || rows.at[i - 1].end <= r->start));
            assert_true(r->stale || r->end % STEP == 0);
            check_row(r, &x);
            count += r->count;
        }
        for (size_t i = 0; i < x.n; i++)
            samples += !is_stale_nan(x.v[i]);
        assert_int_equal(count, samples);
    }
}

static void test_markers(void **s)
{
    static const struct {
        double v[6]; /* at 0:01, 0:02, 0:04, 0:06, 0:07, 0:11; 99: a marker */
        const char *rows;
    } cases[] = {
        {{1, 2, 3, 4, 5, 6}, "0-300:3 300-600:2 600-900:1 "},
        {{1, 99, 3, 4, 5, 6}, "0-120!:1 120-300:1 300-600:2 600-900:1 "},
        {{1, 99, 99, 99, 5, 6}, "0-120!:1 300-600:1 600-900:1 "},
        {{1, 2, 3, 99, 5, 6}, "0-300:3 300-360!:0 360-600:1 600-900:1 "},
        {{99, 2, 3, 99, 99, 99}, "0-60!:0 60-300:2 300-360!:0 "},
        {{1, 2, 3, 4, 5, 99}, "0-300:3 300-600:2 600-660!:0 "},
    };
    static const ts_ms t[] = {60000, 120000, 240000, 360000, 420000, 660000};
    for (size_t k = 0; k < TESTS_N(cases); k++) {
        struct arena a ARENA_CLEANUP;
        struct strbuf text STRBUF_CLEANUP = {0};
        double v[6];
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        for (size_t i = 0; i < 6; i++)
            v[i] = cases[k].v[i] == 99 ? stale_nan() : cases[k].v[i];
        tier_of_samples(&rows, STEP, &(struct columns){.n = 6, .t = t, .v = v});
        for (size_t i = 0; i < rows.n; i++)
            strbuf_addf(&text, "%d-%d%s:%d ", (int)(rows.at[i].start / 1000),
                        (int)(rows.at[i].end / 1000), rows.at[i].stale ? "!" : "",
                        (int)rows.at[i].count);
        assert_str(strbuf_str(&text), str_from_z(cases[k].rows));
    }
}

/* Samples dealt to two lists; where the lists take turns only between windows, all is exact. */
static void test_merge(void **s)
{
    static struct series x, part[2];
    for (int round = 0; round < 200; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows[2] = {{&a}, {&a}}, merged = {&a}, direct = {&a};
        bool mixed = round % 2;
        generate(&x, round % 4 < 2 ? COUNTER : HISTOGRAM, &a);
        part[0].n = part[1].n = 0;
        for (size_t i = 0, to = 0; i < x.n; i++) {
            if (is_stale_nan(x.v[i]))
                x.v[i] = 3, x.h[i] = i ? x.h[i - 1] : NULL;
            if (i &&
                (mixed || tier_window_start(x.t[i], STEP) != tier_window_start(x.t[i - 1], STEP)))
                to = rnd(2);
            struct series *p = &part[to];
            p->t[p->n] = x.t[i];
            p->h[p->n] = x.h[i];
            p->v[p->n++] = x.v[i];
        }
        for (int i = 0; i < 2; i++) {
            struct columns c = columns_of(&part[i]);
            tier_of_samples(&rows[i], STEP, &c);
        }
        struct columns c = columns_of(&x);
        tier_of_samples(&direct, STEP, &c);
        tier_merge(&merged, STEP, rows[0].at, rows[0].n, rows[1].at, rows[1].n);
        if (!mixed) {
            assert_rows(&merged, &direct);
            continue;
        }
        assert_int_equal(merged.n, direct.n);
        for (size_t i = 0; i < merged.n; i++) {
            merged.at[i].lost = direct.at[i].lost;
            if (merged.at[i].hist)
                merged.at[i].hist = direct.at[i].hist;
            assert_true(same_row(&merged.at[i], &direct.at[i]));
        }
    }
}

/* Anything goes in, rows in order come out, and no number is lost. */
static void test_merge_with_markers(void **s)
{
    static struct series x[2];
    for (int round = 0; round < 300; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows[2] = {{&a}, {&a}}, merged = {&a};
        uint64_t count = 0, want = 0;
        for (int i = 0; i < 2; i++) {
            generate(&x[i], round % 3 ? COUNTER : ALL_KINDS, &a);
            struct columns c = columns_of(&x[i]);
            tier_of_samples(&rows[i], STEP, &c);
            for (size_t k = 0; k < rows[i].n; k++)
                want += rows[i].at[k].count;
        }
        tier_merge(&merged, STEP, rows[0].at, rows[0].n, rows[1].at, rows[1].n);
        for (size_t i = 0; i < merged.n; i++) {
            const struct tier_row *r = &merged.at[i];
            assert_true(i == 0 || r[-1].end <= r->start);
            assert_true(r->start < r->first_t && r->first_t <= r->last_t && r->last_t <= r->end);
            assert_true(r->count > 0 || r->stale);
            count += r->count;
        }
        assert_true(count <= want);
        assert_true(round % 3 == 0 || count + 20 >= want); /* but for markers at a sample's time */
    }
}

static void test_extreme_times(void **s)
{
    static const ts_ms t[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX};
    static const double v[] = {1, 2, 3, 4, 5, 6};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct tier_rows rows = {&a};
    tier_of_samples(&rows, STEP, &(struct columns){.n = 6, .t = t, .v = v});
    uint64_t count = 0;
    for (size_t i = 0; i < rows.n; i++)
        count += rows.at[i].count;
    assert_int_equal(count, 6);
    assert_int_equal(tier_window_start(0, 10), -10);
    assert_int_equal(tier_window_start(1, 10), 0);
    assert_int_equal(tier_window_start(10, 10), 0);
    assert_int_equal(tier_window_start(-1, 10), -10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coarser_from_finer),
        cmocka_unit_test(test_rows_of_samples),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_extreme_times),
        cmocka_unit_test(test_merge_with_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
