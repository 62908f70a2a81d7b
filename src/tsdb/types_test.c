// SPDX-License-Identifier: Apache-2.0
/* What samples are besides time and value, through the whole engine. Random lives with histograms
 * and starts are those of tsdb_test.c. */
#include <math.h>

#include "tsdb/test_model.h"

struct store {
    struct sim *sim;
    struct env env;
    struct tsdb_options o;
    struct tsdb *db;
    struct tsdb_recovery report;
    struct arena arena;
};

static void store_open(struct store *s)
{
    struct err err = {0};
    s->db = tsdb_open(&s->o, &s->report, &err);
    if (!s->db)
        fail_msg("open: %s", err.msg);
}

static void store_init(struct store *s)
{
    *s = (struct store){.sim = sim_new(7)};
    s->env = sim_env(s->sim);
    s->o = (struct tsdb_options){.env = &s->env, .stepped = true, .shards = 2};
    arena_init(&s->arena, 0);
    store_open(s);
}

static void store_again(struct store *s)
{
    tsdb_close(s->db);
    sim_process_ended(s->sim);
    store_open(s);
}

static void store_fini(struct store *s)
{
    tsdb_close(s->db);
    sim_free(s->sim);
    arena_fini(&s->arena);
}

static struct labels named(struct arena *a, int i)
{
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){LABEL_NAME, STR("m")};
    at[1] = (struct label){STR("i"), arena_printf(a, "%d", i)};
    return (struct labels){at, 2};
}

/* One sample of series i. */
static struct batch *one(int i, ts_ms t, double v)
{
    struct batch *b = batch_new();
    b->series = arena_new(&b->arena, struct batch_series);
    b->t = arena_new(&b->arena, ts_ms);
    b->v = arena_new(&b->arena, double);
    b->series[0] = (struct batch_series){.labels = named(&b->arena, i), .n = 1};
    b->series[0].hash = labels_hash(b->series[0].labels);
    b->t[0] = t;
    b->v[0] = v;
    b->series_n = b->samples_n = 1;
    return b;
}

static struct batch *with_histogram(struct batch *b, const struct histogram *h)
{
    b->h = arena_new(&b->arena, const struct histogram *);
    b->h[0] = h;
    return b;
}

static struct batch *with_exemplar(struct batch *b, ts_ms t, str trace)
{
    struct label *l = arena_new(&b->arena, struct label);
    *l = (struct label){STR("trace_id"), arena_dup(&b->arena, trace)};
    b->exemplars = arena_new(&b->arena, struct batch_exemplar);
    b->exemplars[0] = (struct batch_exemplar){0, {l, 1}, t, 0.5};
    b->exemplars_n = 1;
    return b;
}

/* ---- exemplars ---- */

static size_t exemplars_of(struct store *s, const char *series, struct exemplar_series **out)
{
    struct matcher m;
    struct err err;
    size_t n;
    struct source *src = tsdb_source(s->db);
    assert_true(matcher_init(&m, MATCH_RE, STR("i"), str_from_z(series), &err));
    assert_true(src->ops->exemplars(src, &(struct matcher_set){&m, 1}, 1, INT64_MIN, INT64_MAX,
                                    &s->arena, out, &n, &err));
    matcher_fini(&m);
    return n;
}

static void assert_exemplars(struct store *s, size_t of_one)
{
    struct exemplar_series *x;
    assert_int_equal(exemplars_of(s, "1|2", &x), 2);
    assert_int_equal(x[0].n, of_one);
    assert_int_equal(x[1].n, 1);
    assert_str(x[0].labels.at[1].value, STR("1"));
    for (size_t i = 0; i < of_one; i++) {
        assert_int_equal(x[0].at[i].t, 1000 + (ts_ms)i);
        assert_str(x[0].at[i].labels.at[0].value, arena_printf(&s->arena, "t%zu", i));
    }
}

static void test_exemplars_survive(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s);
    for (int i = 0; i < 3; i++)
        write_batch(s.db,
                    with_exemplar(one(1, 1000 + i, i), 1000 + i, arena_printf(&s.arena, "t%d", i)));
    write_batch(s.db, with_exemplar(one(2, 1000, 1), 1000, STR("other")));
    assert_exemplars(&s, 3);
    store_again(&s); /* from the WAL */
    assert_exemplars(&s, 3);
    assert_true(tsdb_flush(s.db, &err));
    store_again(&s); /* from a part */
    assert_exemplars(&s, 3);
    for (int i = 3; i < 12; i++) { /* parts and their merges, with and without new ones */
        struct batch *b = one(1, 1000 + i, i);
        write_batch(s.db, i < 9 ? with_exemplar(b, 1000 + i, arena_printf(&s.arena, "t%d", i)) : b);
        assert_true(tsdb_flush(s.db, &err));
    }
    while (tsdb_tick(s.db, &err))
        ;
    store_again(&s);
    assert_exemplars(&s, 9);
    store_fini(&s);
}

static void delete_exemplars(struct store *s, const char *series, ts_ms start, ts_ms end)
{
    struct matcher m;
    struct err err = {0};
    assert_true(matcher_init(&m, MATCH_EQ, STR("i"), str_from_z(series), &err));
    if (!tsdb_delete(s->db, &m, 1, start, end, &err))
        fail_msg("%s", err.msg);
    matcher_fini(&m);
}

/* Deleted with the samples of their time, whether the head, a part or nothing else has something
 * of the series; and for good, whatever is merged and cleaned. */
static void test_exemplars_are_deleted(void **state)
{
    struct store s;
    struct err err = {0};
    struct exemplar_series *x;
    store_init(&s);
    for (int i = 0; i < 5; i++)
        write_batch(s.db,
                    with_exemplar(one(1, 1000 + i, i), 1000 + i, arena_printf(&s.arena, "t%d", i)));
    write_batch(s.db, with_exemplar(one(2, 1000, 1), 1000, STR("other")));
    delete_exemplars(&s, "1", 1003, 2000);
    assert_exemplars(&s, 3);
    store_again(&s);
    assert_exemplars(&s, 3);
    assert_true(tsdb_flush(s.db, &err));
    delete_exemplars(&s, "1", 1002, 2000); /* nothing is in the head now */
    assert_exemplars(&s, 2);
    store_again(&s);
    assert_exemplars(&s, 2);
    assert_true(tsdb_clean_tombstones(s.db, &err));
    for (int i = 0; i < 9; i++) {
        write_batch(s.db, one(3, 3000 + i, i));
        assert_true(tsdb_flush(s.db, &err));
    }
    while (tsdb_tick(s.db, &err))
        ;
    store_again(&s);
    assert_exemplars(&s, 2);
    delete_exemplars(&s, "1", 0, 5000);
    delete_exemplars(&s, "2", 0, 5000);
    store_again(&s);
    assert_int_equal(exemplars_of(&s, ".*", &x), 0);
    write_batch(s.db, with_exemplar(one(1, 1000, 1), 1000, STR("t0")));
    assert_int_equal(exemplars_of(&s, "1", &x), 1);
    store_fini(&s);
}

static void test_exemplars_by_rules(void **state)
{
    struct store s;
    struct exemplar_series *x;
    char text[200];
    memset(text, 'x', sizeof text);
    store_init(&s);
    struct outcome o = write_batch(s.db, with_exemplar(one(1, 1, 1), 10, STR("a")));
    assert_true(o.ok && o.result.stored == 1);
    write_batch(s.db, with_exemplar(one(1, 2, 1), 10, STR("a")));
    write_batch(s.db, with_exemplar(one(1, 3, 1), 9, STR("b")));
    o = write_batch(s.db, with_exemplar(one(1, 4, 1), 11, str_of(text, sizeof text)));
    assert_true(o.ok && o.result.stored == 1); /* a bad exemplar takes no sample along */
    assert_int_equal(exemplars_of(&s, "1", &x), 1);
    assert_int_equal(x[0].n, 1);
    tsdb_set_exemplars_max(s.db, -1);
    assert_int_equal(exemplars_of(&s, "1", &x), 0);
    write_batch(s.db, with_exemplar(one(1, 5, 1), 12, STR("c")));
    assert_int_equal(exemplars_of(&s, "1", &x), 0);
    store_fini(&s);
}

/* ---- histograms ---- */

static const struct histogram_span span = {0, 3};
static const double counts[] = {1, 2, 3}, below[] = {1, -2, 3};

static void test_unsound_histograms(void **state)
{
    struct store s;
    const struct histogram good = {.count = 6, .positive = {&span, counts, 1, 3}};
    const struct histogram bad = {.count = 6, .positive = {&span, below, 1, 3}};
    store_init(&s);
    struct outcome o = write_batch(s.db, with_histogram(one(1, 1, 0), &bad));
    assert_true(o.ok);
    assert_int_equal(o.result.invalid, 1);
    assert_non_null(strstr(o.result.first.msg, "positive bucket 1"));
    o = write_batch(s.db, with_histogram(one(1, 1, 0), &good));
    assert_int_equal(o.result.stored, 1);
    o = write_batch(s.db, with_histogram(one(1, 1, 7), &good));
    assert_int_equal(o.result.duplicate, 1);
    struct histogram other = good;
    other.sum = 1;
    o = write_batch(s.db, with_histogram(one(1, 1, 0), &other));
    assert_int_equal(o.result.conflicting, 1);
    o = write_batch(s.db, one(1, 1, 0));
    assert_int_equal(o.result.conflicting, 1);
    store_fini(&s);
}

/* What stands for a histogram in a column of floats is a NaN like others when it comes alone. */
static void test_mark_as_float(void **state)
{
    struct store s;
    struct err err = {0};
    const struct histogram h = {.count = 6, .positive = {&span, counts, 1, 3}};
    store_init(&s);
    write_batch(s.db, one(1, 1, histogram_mark()));
    write_batch(s.db, one(2, 1, histogram_mark()));
    write_batch(s.db, with_histogram(one(2, 2, 0), &h));
    for (int round = 0; round < 2; round++) {
        struct columns c = read_series(tsdb_source(s.db), named(&s.arena, 1), &s.arena);
        assert_true(c.n == 1 && !c.h && is_histogram_mark(c.v[0]));
        c = read_series(tsdb_source(s.db), named(&s.arena, 2), &s.arena);
        assert_true(c.n == 2 && !c.h[0] && is_histogram_mark(c.v[0]));
        assert_true(histogram_equal(c.h[1], &h));
        assert_true(tsdb_flush(s.db, &err));
    }
    store_fini(&s);
}

/* ---- what a counter was when it began ---- */

static struct batch *with_start(struct batch *b, ts_ms start)
{
    b->start = arena_new(&b->arena, ts_ms);
    b->start[0] = start;
    return b;
}

enum { HOUR = 3600 * 1000 };
/* Samples of one series as (time, value), in their order. */
static const struct {
    struct {
        ts_ms t, start;
        double v;
    } in[4];
    struct {
        ts_ms t;
        double v;
    } out[6];
} zero_cases[] = {
    {{{HOUR, HOUR - 5, 7}}, {{HOUR - 5, 0}, {HOUR, 7}}},
    {{{HOUR, HOUR - 5, 7}, {HOUR + 9, HOUR - 5, 8}}, {{HOUR - 5, 0}, {HOUR, 7}, {HOUR + 9, 8}}},
    {{{HOUR, HOUR - 5, 7}, {HOUR + 9, HOUR + 4, 1}, {HOUR + 20, HOUR + 4, 2}},
     {{HOUR - 5, 0}, {HOUR, 7}, {HOUR + 4, 0}, {HOUR + 9, 1}, {HOUR + 20, 2}}},
    {{{HOUR, 0, 7}, {HOUR + 9, HOUR - 5, 8}}, {{HOUR, 7}, {HOUR + 9, 8}}}, /* it was known then */
    {{{HOUR, 0, 7}, {HOUR + 9, HOUR, 8}}, {{HOUR, 7}, {HOUR + 9, 8}}},
    {{{HOUR, HOUR, 7}}, {{HOUR, 7}}},
    {{{HOUR, HOUR + 1, 7}}, {{HOUR, 7}}},
    {{{2 * HOUR, HOUR, 7}}, {{HOUR, 0}, {2 * HOUR, 7}}},
    {{{2 * HOUR, HOUR - 1, 7}}, {{2 * HOUR, 7}}}, /* too long ago */
    {{{2 * HOUR, HOUR, 7}, {HOUR + 5, HOUR, 3}}, {{HOUR, 0}, {HOUR + 5, 3}, {2 * HOUR, 7}}},
};

static void test_zeros_at_starts(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s);
    s.o.start_zeros = true;
    store_again(&s);
    for (int i = 0; i < (int)TESTS_N(zero_cases); i++)
        for (size_t k = 0; k < 4 && zero_cases[i].in[k].t; k++) {
            struct batch *b = one(i, zero_cases[i].in[k].t, zero_cases[i].in[k].v);
            assert_int_equal(
                write_batch(s.db, with_start(b, zero_cases[i].in[k].start)).result.stored, 1);
        }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < (int)TESTS_N(zero_cases); i++) {
            struct columns c = read_series(tsdb_source(s.db), named(&s.arena, i), &s.arena);
            size_t n = 0;
            for (; n < 6 && zero_cases[i].out[n].t; n++)
                if (n >= c.n || c.t[n] != zero_cases[i].out[n].t ||
                    c.v[n] != zero_cases[i].out[n].v)
                    fail_msg("round %d, case %d, sample %zu", round, i, n);
            assert_int_equal(c.n, n);
        }
        if (round == 0)
            store_again(&s); /* from the WAL */
        else
            assert_true(tsdb_flush(s.db, &err));
    }
    store_fini(&s);
}

/* A histogram was empty, with the buckets that it has now. */
static void test_empty_at_start(void **state)
{
    struct store s;
    static const double bounds[] = {1, 2};
    const struct histogram some = {.count = 6,
                                   .sum = 9,
                                   .schema = 2,
                                   .zero_threshold = 0.5,
                                   .positive = {&span, counts, 1, 3}};
    const struct histogram custom = {.count = 6,
                                     .sum = 9,
                                     .schema = HISTOGRAM_CUSTOM,
                                     .custom = bounds,
                                     .custom_n = 2,
                                     .positive = {&span, counts, 1, 3}};
    store_init(&s);
    s.o.start_zeros = true;
    store_again(&s);
    write_batch(s.db, with_start(with_histogram(one(1, 100, 0), &some), 40));
    write_batch(s.db, with_start(with_histogram(one(2, 100, 0), &custom), 40));
    struct columns c = read_series(tsdb_source(s.db), named(&s.arena, 1), &s.arena);
    assert_true(c.n == 2 && c.t[0] == 40 && c.h[0]->count == 0 && c.h[0]->schema == 2 &&
                c.h[0]->zero_threshold == 0.5 && histogram_equal(c.h[1], &some));
    c = read_series(tsdb_source(s.db), named(&s.arena, 2), &s.arena);
    assert_true(c.n == 2 && c.h[0]->count == 0 && c.h[0]->custom_n == 2 && c.h[0]->custom[1] == 2 &&
                histogram_equal(c.h[1], &custom));
    store_fini(&s);
}

/* ---- sizes ---- */

enum { SERIES = 200, SCRAPES = 240 };

static uint64_t part_bytes(bool starts, bool histograms)
{
    struct store s;
    struct tsdb_stats st;
    struct err err = {0};
    struct rng r = {1};
    static double buckets[SERIES][20];
    static const struct histogram_span twenty = {-3, 20};
    memset(buckets, 0, sizeof buckets);
    store_init(&s);
    for (int k = 0; k < SCRAPES; k++) {
        struct batch *b = batch_new();
        b->series = arena_array(&b->arena, struct batch_series, SERIES);
        b->t = arena_array(&b->arena, ts_ms, SERIES);
        b->v = arena_array(&b->arena, double, SERIES);
        b->h = arena_array(&b->arena, const struct histogram *, SERIES);
        b->start = arena_array(&b->arena, ts_ms, SERIES);
        for (int i = 0; i < SERIES; i++) {
            struct histogram *h = arena_new(&b->arena, struct histogram);
            double *copy = arena_array(&b->arena, double, 20);
            for (int n = 0; n < 20; n++)
                buckets[i][(rng_next(&r) % 10) + (rng_next(&r) % 11)]++;
            memcpy(copy, buckets[i], sizeof buckets[i]);
            *h = (struct histogram){
                .schema = 3, .sum = k * 12.25, .positive = {&twenty, copy, 1, 20}};
            h->count = 20.0 * (k + 1);
            b->series[i] =
                (struct batch_series){.labels = named(&b->arena, i), .first = (uint32_t)i, .n = 1};
            b->series[i].hash = labels_hash(b->series[i].labels);
            b->t[i] = 1700000000000 + k * 15000;
            b->v[i] = i + k;
            b->h[i] = histograms ? h : NULL;
            b->start[i] = starts ? 1699999000123 : 0;
        }
        b->series_n = b->samples_n = SERIES;
        assert_true(write_batch(s.db, b).ok);
    }
    assert_true(tsdb_flush(s.db, &err));
    tsdb_stats(s.db, &st);
    store_fini(&s);
    return st.part_bytes;
}

static void test_sizes(void **state)
{
    uint64_t floats = part_bytes(false, false), starts = part_bytes(true, false);
    uint64_t histograms = part_bytes(false, true);
    print_message(
        "# %d series x %d: floats %llu bytes, with starts %llu, histograms %llu (%.1f each)\n",
        SERIES, SCRAPES, (unsigned long long)floats, (unsigned long long)starts,
        (unsigned long long)histograms, (double)histograms / (SERIES * SCRAPES));
    assert_true(starts < floats + 250);
    assert_true(histograms < (uint64_t)SERIES * SCRAPES * 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exemplars_survive),  cmocka_unit_test(test_exemplars_are_deleted),
        cmocka_unit_test(test_exemplars_by_rules), cmocka_unit_test(test_unsound_histograms),
        cmocka_unit_test(test_mark_as_float),      cmocka_unit_test(test_zeros_at_starts),
        cmocka_unit_test(test_empty_at_start),     cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
