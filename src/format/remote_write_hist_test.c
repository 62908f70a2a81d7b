// SPDX-License-Identifier: Apache-2.0
#include "format/remote_write_hist.h"

#include <math.h>

#include "base/test.h"
#include "codec/protobuf.h"

static const struct histogram_span spans[] = {{-2, 2}, {3, 1}};
static const double whole[] = {1, 5, 3}, parts[] = {1, 0.25, 3};
static const double bounds[] = {0.1, 0.5, 1};
static const struct histogram_span first_three[] = {{0, 3}};

static const struct remote_write_histogram samples[] = {
    {1700000000000, 0,
     &(struct histogram){.schema = 3,
                         .count = 11,
                         .sum = 12.5,
                         .zero_threshold = 0x1p-128,
                         .zero_count = 2,
                         .positive = {spans, whole, 2, 3}}},
    {-5, 17,
     &(struct histogram){.schema = -4,
                         .count = 9,
                         .sum = NAN,
                         .reset = HISTOGRAM_RESET_YES,
                         .negative = {spans, whole, 2, 3}}},
    {1, 0,
     &(struct histogram){.schema = 0,
                         .count = 4.25,
                         .sum = -1,
                         .reset = HISTOGRAM_GAUGE,
                         .positive = {spans, parts, 2, 3},
                         .negative = {spans, whole, 2, 3}}},
    {2, 1,
     &(struct histogram){.schema = HISTOGRAM_CUSTOM,
                         .count = 9,
                         .sum = 2,
                         .custom = bounds,
                         .custom_n = 3,
                         .positive = {first_three, whole, 1, 3}}},
    {3, 0, &(struct histogram){0}},
    {4, 0, NULL},
};

static void test_round_trip(void **state)
{
    struct arena a ARENA_CLEANUP;
    struct strbuf out STRBUF_CLEANUP = {0};
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(samples); i++) {
        struct remote_write_histogram back;
        struct err err = {0};
        strbuf_clear(&out);
        remote_write_put_histogram(&out, &samples[i]);
        bytes b = bytes_from_str(strbuf_str(&out));
        if (!remote_write_read_histogram(b, &a, &back, &err))
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(back.t, samples[i].t);
        assert_int_equal(back.start, samples[i].start);
        assert_int_equal(!back.h, !samples[i].h);
        if (back.h)
            assert_true(histogram_equal(back.h, samples[i].h));
        for (size_t cut = 0; cut < b.n; cut++) {
            uint8_t *part = arena_alloc(&a, cut + 1);
            memcpy(part, b.p, cut);
            remote_write_read_histogram((bytes){part, cut}, &a, &back, &err);
        }
    }
}

/* As client libraries write them that do not pack. */
static void test_unpacked(void **state)
{
    struct arena a ARENA_CLEANUP;
    struct strbuf out STRBUF_CLEANUP = {0}, span STRBUF_CLEANUP = {0};
    struct remote_write_histogram back;
    struct err err = {0};
    arena_init(&a, 0);
    protobuf_put_sint(&span, 1, -1);
    protobuf_put_varint(&span, 2, 2);
    protobuf_put_varint(&out, 1, 5);
    protobuf_put_bytes(&out, 11, bytes_from_str(strbuf_str(&span)));
    protobuf_put_sint(&out, 12, 3);
    protobuf_put_sint(&out, 12, -1);
    assert_true(remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_int_equal(back.h->positive.counts_n, 2);
    assert_true(back.h->positive.counts[0] == 3 && back.h->positive.counts[1] == 2);
    strbuf_clear(&out);
    protobuf_put_f64(&out, 2, 5);
    protobuf_put_bytes(&out, 11, bytes_from_str(strbuf_str(&span)));
    protobuf_put_f64(&out, 13, 3);
    protobuf_put_f64(&out, 13, 1.5);
    assert_true(remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_true(back.h->positive.counts[1] == 1.5);
}

static void test_refused(void **state)
{
    static const struct {
        struct histogram h;
        const char *why;
    } rows[] = {
        {{.schema = 9}, "unknown schema"},
        {{.count = 3, .schema = 1, .positive = {spans, whole, 1, 3}}, "spans name 2"},
        {{.zero_threshold = -1}, "threshold"},
        {{.schema = HISTOGRAM_CUSTOM, .positive = {spans, whole, 2, 3}}, "begin below 0"},
    };
    struct arena a ARENA_CLEANUP;
    struct strbuf out STRBUF_CLEANUP = {0};
    struct remote_write_histogram back;
    struct err err = {0};
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        strbuf_clear(&out);
        remote_write_put_histogram(&out, &(struct remote_write_histogram){0, 0, &rows[i].h});
        assert_false(
            remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
        if (!strstr(err.msg, rows[i].why))
            fail_msg("row %zu: %s", i, err.msg);
    }
    strbuf_clear(&out);
    protobuf_put_varint(&out, 1, 7);
    assert_false(remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_non_null(strstr(err.msg, "hold 0 observations, its count is 7"));
    strbuf_clear(&out);
    protobuf_put_varint(&out, 3, 7);
    assert_false(remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    strbuf_clear(&out);
    for (int i = 0; i <= HISTOGRAM_BUCKETS_MAX; i++)
        protobuf_put_f64(&out, 13, 1);
    assert_false(remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void test_exemplars(void **state)
{
    static const struct label unsorted[] = {{STR_INIT("trace_id"), STR_INIT("abc")},
                                            {STR_INIT("empty"), STR_INIT("")},
                                            {STR_INIT("span_id"), STR_INIT("7")}};
    static const struct label twice[] = {{STR_INIT("a"), STR_INIT("1")},
                                         {STR_INIT("a"), STR_INIT("2")}};
    static const struct label nameless[] = {{STR_INIT(""), STR_INIT("1")}};
    static const struct label no_text[] = {{STR_INIT("a"), STR_INIT("\xff")}};
    const struct batch_exemplar good = {.labels = {unsorted, 3}, .t = 1700000000123, .v = 0.5};
    const struct labels bad[] = {{twice, 2}, {nameless, 1}, {no_text, 1}};
    struct arena a ARENA_CLEANUP;
    struct strbuf out STRBUF_CLEANUP = {0};
    struct batch_exemplar back = {.series = 9};
    struct err err = {0};
    arena_init(&a, 0);
    remote_write_put_exemplar(&out, &good);
    assert_true(remote_write_read_exemplar(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_int_equal(back.series, 9);
    assert_int_equal(back.t, good.t);
    assert_true(back.v == good.v);
    assert_int_equal(back.labels.n, 2);
    assert_str(back.labels.at[0].name, STR("span_id"));
    assert_str(back.labels.at[1].value, STR("abc"));
    for (size_t i = 0; i < TESTS_N(bad); i++) {
        strbuf_clear(&out);
        remote_write_put_exemplar(&out, &(struct batch_exemplar){.labels = bad[i]});
        assert_false(remote_write_read_exemplar(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    }
    strbuf_clear(&out);
    for (int i = 0; i <= REMOTE_WRITE_EXEMPLAR_LABELS_MAX; i++)
        protobuf_put_bytes(&out, 1, bytes_of("\x0a\x01x", 3));
    assert_false(remote_write_read_exemplar(bytes_from_str(strbuf_str(&out)), &a, &back, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unpacked),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_exemplars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
