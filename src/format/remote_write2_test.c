// SPDX-License-Identifier: Apache-2.0
#include "format/remote_write2.h"

#include "base/mem.h"
#include "base/test.h"
#include "codec/protobuf.h"
#include "format/remote_write_hist.h"

/* ---- writing requests ---- */

struct ts {
    const char *refs; /* one byte each, as digits */
    struct {
        double v;
        ts_ms t, start;
    } samples[3];
    size_t samples_n;
    bool histogram, exemplar, unpacked;
    uint64_t type, help, unit;
    ts_ms created;
};

static void put_refs(struct strbuf *out, const char *refs, bool unpacked)
{
    STRBUF_CLEANUP struct strbuf packed = {0};
    for (const char *p = refs; *p; p++) {
        if (unpacked)
            protobuf_put_varint(out, 1, (uint64_t)(*p - '0'));
        else
            protobuf_add_varint(&packed, (uint64_t)(*p - '0'));
    }
    if (!unpacked)
        protobuf_put_bytes(out, 1, bytes_from_str(strbuf_str(&packed)));
}

static void put_inner(struct strbuf *out, uint32_t number, struct strbuf *inner)
{
    protobuf_put_bytes(out, number, bytes_from_str(strbuf_str(inner)));
    strbuf_clear(inner);
}

static void put_series(struct strbuf *out, const struct ts *s)
{
    STRBUF_CLEANUP struct strbuf ts = {0}, inner = {0};
    put_refs(&ts, s->refs, s->unpacked);
    for (size_t i = 0; i < s->samples_n; i++) {
        protobuf_put_f64(&inner, 1, s->samples[i].v);
        protobuf_put_varint(&inner, 2, (uint64_t)s->samples[i].t);
        if (s->samples[i].start)
            protobuf_put_varint(&inner, 3, (uint64_t)s->samples[i].start);
        put_inner(&ts, 2, &inner);
    }
    if (s->histogram) {
        double counts[] = {2, 1};
        struct histogram_span span = {0, 2};
        struct histogram h = {.count = 3, .sum = 5, .schema = 1};
        h.positive = (struct histogram_buckets){&span, counts, 1, 2};
        struct remote_write_histogram w = {.t = 7, .start = 3, .h = &h};
        remote_write_put_histogram(&inner, &w);
        put_inner(&ts, 3, &inner);
    }
    if (s->exemplar) {
        put_refs(&inner, "34", false);
        protobuf_put_f64(&inner, 2, 0.5);
        protobuf_put_varint(&inner, 3, 9);
        put_inner(&ts, 4, &inner);
    }
    if (s->type) {
        protobuf_put_varint(&inner, 1, s->type);
        protobuf_put_varint(&inner, 3, s->help);
        protobuf_put_varint(&inner, 4, s->unit);
        put_inner(&ts, 5, &inner);
    }
    if (s->created)
        protobuf_put_varint(&ts, 6, (uint64_t)s->created);
    protobuf_put_bytes(out, 5, bytes_from_str(strbuf_str(&ts)));
}

static void put_symbols(struct strbuf *out)
{
    static const char *const symbols[] = {"", "__name__", "up_total", "job", "a", "helps", "\xff"};
    for (size_t i = 0; i < TESTS_N(symbols); i++)
        protobuf_put_bytes(out, 4, bytes_from_str(str_from_z(symbols[i])));
}

static struct batch *decode(struct strbuf *body, struct remote_write2_counts *counts,
                            struct err *err)
{
    struct batch *b = batch_new();
    if (remote_write2_decode(bytes_from_str(strbuf_str(body)), &remote_write_default_limits, b,
                             counts, err))
        return b;
    assert_int_equal(b->series_n + b->samples_n + b->exemplars_n + b->metadata_n, 0);
    batch_free(b);
    return NULL;
}

/* ---- tests ---- */

static void test_all(void **state)
{
    STRBUF_CLEANUP struct strbuf body = {0}, text = {0};
    struct remote_write2_counts counts;
    struct err err;
    put_symbols(&body);
    put_series(&body, &(struct ts){.refs = "3412",
                                   .samples = {{1.5, 1000, 0}, {2.5, 2000, 1500}},
                                   .samples_n = 2,
                                   .exemplar = true,
                                   .type = 1,
                                   .help = 5});
    put_series(&body, &(struct ts){.refs = "1234", .histogram = true, .unpacked = true});
    put_series(&body, &(struct ts){.refs = "12",
                                   .samples = {{4, 5, 0}},
                                   .samples_n = 1,
                                   .created = 2,
                                   .type = 1,
                                   .help = 5});
    struct batch *b = decode(&body, &counts, &err);
    if (!b)
        fail_msg("%s", err.msg);
    assert_int_equal(b->series_n, 3);
    labels_format(b->series[0].labels, &text);
    assert_str(strbuf_str(&text), STR("up_total{job=\"a\"}"));
    assert_true(labels_eq(b->series[0].labels, b->series[1].labels));
    assert_true(b->series[0].first == 0 && b->series[0].n == 2 && b->series[2].first == 3);
    assert_true(b->v[0] == 1.5 && b->t[1] == 2000);
    assert_true(b->start[0] == 0 && b->start[1] == 1500 && b->start[2] == 3 && b->start[3] == 2);
    assert_true(!b->h[0] && b->h[2]->count == 3 && b->t[2] == 7 && !b->h[3]);
    assert_int_equal(b->exemplars_n, 1);
    assert_true(b->exemplars[0].series == 0 && b->exemplars[0].t == 9 && b->exemplars[0].v == 0.5);
    assert_str(b->exemplars[0].labels.at[0].value, STR("a"));
    assert_int_equal(b->metadata_n, 1);
    assert_str(b->metadata[0].family, STR("up_total"));
    assert_true(b->metadata[0].type == METRIC_COUNTER);
    assert_str(b->metadata[0].help, STR("helps"));
    assert_true(counts.samples == 3 && counts.histograms == 1 && counts.exemplars == 1 &&
                counts.left_out == 0);
    batch_free(b);
}

static void test_left_out(void **state)
{
    static const struct {
        const char *refs, *why;
        bool both;
    } cases[] = {
        {"34", "no metric name", false},        {"1200", "no name", false},
        {"123434", "given twice", false},       {"1236", "not UTF-8", false},
        {"10", "no metric name", false},        {"", "no metric name", false},
        {"12", "samples and histograms", true},
    };
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        STRBUF_CLEANUP struct strbuf body = {0};
        struct remote_write2_counts counts;
        struct err err;
        put_symbols(&body);
        put_series(&body, &(struct ts){.refs = cases[i].refs,
                                       .samples = {{1, 1, 0}, {2, 2, 0}},
                                       .samples_n = 2,
                                       .histogram = cases[i].both});
        put_series(&body, &(struct ts){.refs = "12", .samples = {{3, 3, 0}}, .samples_n = 1});
        struct batch *b = decode(&body, &counts, &err);
        if (!b)
            fail_msg("%s: %s", cases[i].why, err.msg);
        assert_true(b->series_n == 1 && b->samples_n == 1 && b->v[0] == 3);
        assert_int_equal(counts.left_out, cases[i].both ? 3 : 2);
        assert_int_equal(counts.samples, 1);
        if (!strstr(counts.first.msg, cases[i].why))
            fail_msg("%s: %s", cases[i].why, counts.first.msg);
        batch_free(b);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *refs, *why;
    } cases[] = {{"123", "label references"}, {"19", "refers to symbol 9 of 7"}};
    struct remote_write2_counts counts;
    struct err err;
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        STRBUF_CLEANUP struct strbuf body = {0};
        put_symbols(&body);
        put_series(&body,
                   &(struct ts){.refs = cases[i].refs, .samples = {{1, 1, 0}}, .samples_n = 1});
        assert_null(decode(&body, &counts, &err));
        if (!strstr(err.msg, cases[i].why))
            fail_msg("%s: %s", cases[i].why, err.msg);
    }
    STRBUF_CLEANUP struct strbuf body = {0};
    protobuf_put_bytes(&body, 4, bytes_from_str(STR("x")));
    assert_null(decode(&body, &counts, &err));
    assert_non_null(strstr(err.msg, "first symbol"));
    /* Nothing at all is a request; a request of 1.0 is one without series. */
    strbuf_clear(&body);
    struct batch *b = decode(&body, &counts, &err);
    assert_non_null(b);
    batch_free(b);
}

/* However it is cut, it is refused or shorter, and nothing is read past the end. */
static void test_cut(void **state)
{
    STRBUF_CLEANUP struct strbuf body = {0};
    put_symbols(&body);
    put_series(&body, &(struct ts){.refs = "1234",
                                   .samples = {{1.5, 1000, 900}},
                                   .samples_n = 1,
                                   .exemplar = true,
                                   .type = 3,
                                   .help = 5});
    for (size_t n = 0; n < body.n; n++) {
        struct remote_write2_counts counts;
        struct err err;
        struct batch *b = batch_new();
        uint8_t *copy = mem_dup(body.p, n ? n : 1);
        bool ok =
            remote_write2_decode((bytes){copy, n}, &remote_write_default_limits, b, &counts, &err);
        assert_true(!ok || b->series_n == 0);
        batch_free(b);
        free(copy);
    }
}

static void test_limits(void **state)
{
    static const struct {
        struct remote_write_limits l;
        const char *name;
    } cases[] = {
        {{0, 9, 9, 9, 99, 99}, "series_max"},          {{9, 1, 9, 9, 99, 99}, "samples_max"},
        {{9, 9, 0, 9, 99, 99}, "metadata_max"},        {{9, 9, 9, 1, 99, 99}, "labels_max"},
        {{9, 9, 9, 9, 4, 99}, "label_name_bytes_max"}, {{9, 9, 9, 9, 99, 4}, "value_bytes_max"},
    };
    STRBUF_CLEANUP struct strbuf body = {0};
    put_symbols(&body);
    put_series(&body, &(struct ts){.refs = "1234",
                                   .samples = {{1, 1, 0}, {2, 2, 0}},
                                   .samples_n = 2,
                                   .type = 1,
                                   .help = 5});
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        struct remote_write2_counts counts;
        struct err err;
        struct batch *b = batch_new();
        assert_false(
            remote_write2_decode(bytes_from_str(strbuf_str(&body)), &cases[i].l, b, &counts, &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        if (!strstr(err.msg, cases[i].name))
            fail_msg("%s: %s", cases[i].name, err.msg);
        batch_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all), cmocka_unit_test(test_left_out), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
