// SPDX-License-Identifier: Apache-2.0
#include "tsdb/exemplars.h"

#include "base/test.h"
#include "base/vec.h"

enum { SERIES = 20, STEPS = 3000 };

static uint64_t state = 88172645463325252ULL;

static uint64_t rnd(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545f4914f6cdd1dULL >> 20) % below;
}

static struct labels series_of(struct arena *a, size_t i)
{
    struct label *at = arena_array(a, struct label, 3);
    at[0] = (struct label){STR("__name__"), STR("requests_total")};
    at[1] = (struct label){STR("instance"), arena_printf(a, "host-%zu", i)};
    at[2] = (struct label){STR("odd"), i % 2 ? STR("yes") : STR("no")};
    return (struct labels){at, 3};
}

static struct labels trace(struct arena *a, uint64_t id)
{
    struct label *at = arena_new(a, struct label);
    *at = (struct label){STR("trace_id"), arena_printf(a, "%llx", (unsigned long long)id)};
    return (struct labels){at, 1};
}

struct queued {
    size_t series;
    struct exemplar x;
};
typedef VEC(struct queued) queue;

static bool same(const struct exemplar *a, const struct exemplar *b)
{
    return a->t == b->t && a->v == b->v && labels_eq(a->labels, b->labels);
}

/* What the queue says about series `i` in a range, and what the store says. */
static void compare(struct exemplars *x, const queue *q, struct arena *a)
{
    struct matcher m;
    struct err err;
    ts_ms start = (ts_ms)rnd(STEPS), end = start + (ts_ms)rnd(STEPS);
    size_t i = rnd(SERIES), n, k = 0;
    struct labels ls = series_of(a, i);
    struct exemplar_series *found;
    assert_true(matcher_init(&m, MATCH_EQ, STR("instance"), ls.at[1].value, &err));
    exemplars_select(x, &(struct matcher_set){&m, 1}, 1, start, end, a, &found, &n);
    assert_true(n <= 1);
    for (size_t j = 0; j < q->n; j++) {
        const struct queued *e = &q->at[j];
        if (e->series != i || e->x.t < start || e->x.t > end)
            continue;
        assert_int_equal(n, 1);
        assert_true(k < found->n && same(&found->at[k], &e->x));
        k++;
    }
    assert_int_equal(n ? found->n : 0, k);
    if (n)
        assert_true(labels_eq(found->labels, ls));
    matcher_fini(&m);
}

static void reload(void *arg, struct labels series, const struct exemplar *e)
{
    assert_int_equal(exemplars_add(arg, series, e), EXEMPLAR_STORED);
}

static struct exemplars *through_disk(struct exemplars *x, size_t max)
{
    struct exemplars *y = exemplars_new(max);
    struct enc e = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    exemplars_encode(x, &e);
    assert_false(exemplars_dirty(x));
    struct dec d = dec_of((bytes){e.p, e.n});
    assert_true(exemplar_rows_decode(&d, &a, reload, y));
    assert_int_equal(dec_left(&d), 0);
    exemplars_free(x);
    enc_fini(&e);
    return y;
}

static void drop_first(queue *q, size_t n)
{
    memmove(q->at, q->at + n, (q->n - n) * sizeof *q->at);
    q->n -= n;
}

/* Some time of every other series, or of one. */
static void delete_some(struct exemplars *x, queue *q, struct arena *a)
{
    struct matcher m;
    struct err err;
    ts_ms start = (ts_ms)rnd(STEPS), end = start + (ts_ms)rnd(STEPS / 4);
    bool odd = rnd(2);
    size_t i = rnd(SERIES), n = 0;
    str value = odd ? STR("yes") : series_of(a, i).at[1].value;
    assert_true(matcher_init(&m, MATCH_EQ, odd ? STR("odd") : STR("instance"), value, &err));
    for (size_t k = 0; k < q->n; k++) {
        const struct queued *e = &q->at[k];
        bool matches = odd ? e->series % 2 == 1 : e->series == i;
        if (!matches || e->x.t < start || e->x.t > end)
            q->at[n++] = *e;
    }
    size_t left = exemplars_delete(x, &(struct matcher_set){&m, 1}, start, end);
    assert_int_equal(left, q->n - n);
    assert_true(left == 0 || exemplars_dirty(x));
    q->n = n;
    matcher_fini(&m);
}

static void test_like_a_queue(void **s)
{
    enum { MAX = 200 };
    struct arena a ARENA_CLEANUP;
    queue q = {0};
    arena_init(&a, 0);
    struct exemplars *x = exemplars_new(MAX);
    for (int step = 0; step < STEPS; step++) {
        size_t i = rnd(rnd(4) ? 3 : SERIES);
        struct exemplar e = {trace(&a, rnd(1000000)), step, (double)rnd(50)};
        assert_int_equal(exemplars_add(x, series_of(&a, i), &e), EXEMPLAR_STORED);
        vec_push(&q, (struct queued){i, e});
        assert_int_equal(exemplars_add(x, series_of(&a, i), &e), EXEMPLAR_DUPLICATE);
        if (q.n > MAX)
            drop_first(&q, 1);
        compare(x, &q, &a);
        if (rnd(30) == 0)
            delete_some(x, &q, &a);
        if (rnd(200) == 0)
            x = through_disk(x, MAX);
    }
    struct exemplars_stats stats;
    exemplars_resize(x, 10);
    exemplars_stats(x, &stats);
    assert_int_equal(stats.n, 10);
    drop_first(&q, q.n - 10);
    for (int i = 0; i < 50; i++)
        compare(x, &q, &a);
    delete_some(x, &q, &a);
    exemplars_resize(x, 0);
    exemplars_stats(x, &stats);
    assert_int_equal(stats.n + stats.series + stats.bytes, 0);
    exemplars_free(x);
    vec_fini(&q);
}

static void test_rules(void **s)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct labels ls = series_of(&a, 1);
    /* 8 characters of "trace_id" and 120 more of two bytes each fit. */
    char text[244];
    for (int i = 0; i < 244; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    struct label fits = {STR("trace_id"), str_of(text, 240)};
    struct label longer = {STR("trace_id"), str_of(text, 242)};
    const struct {
        struct exemplar x;
        enum exemplar_result want;
    } rows[] = {
        {{{&fits, 1}, 100, 1}, EXEMPLAR_STORED},
        {{{&longer, 1}, 200, 1}, EXEMPLAR_TOO_LONG},
        {{{&fits, 1}, 100, 1}, EXEMPLAR_DUPLICATE},
        {{{&fits, 1}, 99, 5}, EXEMPLAR_OUT_OF_ORDER},
        {{{&fits, 1}, 100, 0.5}, EXEMPLAR_OUT_OF_ORDER},
        {{{&fits, 1}, 100, 2}, EXEMPLAR_STORED},
        {{{NULL, 0}, 100, 2}, EXEMPLAR_OUT_OF_ORDER},
        {{{NULL, 0}, 101, 2}, EXEMPLAR_STORED},
        {{{&fits, 1}, 101, 2}, EXEMPLAR_STORED},
    };
    struct exemplars *x = exemplars_new(5), *none = exemplars_new(0);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        assert_int_equal(exemplars_add(x, ls, &rows[i].x), rows[i].want);
        assert_int_equal(exemplars_add(none, ls, &rows[i].x), EXEMPLAR_DISABLED);
    }
    exemplars_free(x);
    exemplars_free(none);
}

static void test_sets_and_order(void **s)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct exemplars *x = exemplars_new(100);
    struct matcher odd, three;
    struct err err;
    struct exemplar_series *found;
    size_t n;
    for (size_t i = 9; i > 0; i--)
        exemplars_add(x, series_of(&a, i), &(struct exemplar){{0}, (ts_ms)i, 1});
    assert_true(matcher_init(&odd, MATCH_EQ, STR("odd"), STR("yes"), &err));
    assert_true(matcher_init(&three, MATCH_RE, STR("instance"), STR("host-[36]"), &err));
    const struct matcher_set sets[] = {{&odd, 1}, {&three, 1}};
    exemplars_select(x, sets, 2, 0, 100, &a, &found, &n);
    assert_int_equal(n, 6); /* 1 3 5 7 9 and 6 */
    for (size_t i = 1; i < n; i++)
        assert_true(labels_cmp(found[i - 1].labels, found[i].labels) < 0);
    exemplars_select(x, sets, 2, 5, 6, &a, &found, &n);
    assert_int_equal(n, 2);
    exemplars_select(x, sets, 0, 0, 100, &a, &found, &n);
    assert_int_equal(n, 0);
    matcher_fini(&odd);
    matcher_fini(&three);
    exemplars_free(x);
}

/* Long labels push others out before there are too many. */
static void test_memory_is_bounded(void **s)
{
    enum { MAX = 50, LONG = 8000 };
    struct arena a ARENA_CLEANUP;
    struct exemplars_stats stats;
    arena_init(&a, 0);
    struct exemplars *x = exemplars_new(MAX);
    char *text = arena_alloc(&a, LONG);
    memset(text, 'x', LONG);
    for (size_t i = 0; i < 40; i++) {
        struct label at[] = {{STR("a"), str_of(text, LONG)},
                             {STR("b"), arena_printf(&a, "%zu", i)}};
        exemplars_add(x, (struct labels){at, 2}, &(struct exemplar){{0}, 1, 1});
        exemplars_stats(x, &stats);
        assert_true(stats.n > 0 && stats.bytes <= MAX * 1024);
    }
    assert_true(stats.n < 7);
    exemplars_free(x);
}

static void test_malformed(void **s)
{
    static const uint8_t rows[][8] = {
        {9},                          /* series missing */
        {1, 1, 0, 0},                 /* labels like those before the first */
        {1, 0, 2, 1, 'b', 0, 1, 'a'}, /* names do not rise */
        {0, 1, 0},                    /* exemplar of no series */
        {1, 0, 0, 1, 0, 0, 1, 2},     /* cut short */
    };
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct exemplars *x = exemplars_new(5);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct dec d = dec_of((bytes){rows[i], sizeof rows[i]});
        assert_false(exemplar_rows_decode(&d, &a, reload, x));
    }
    exemplars_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_queue),   cmocka_unit_test(test_rules),
        cmocka_unit_test(test_sets_and_order), cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
