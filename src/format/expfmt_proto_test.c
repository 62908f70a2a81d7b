// SPDX-License-Identifier: Apache-2.0
#include "format/expfmt_proto.h"

#include <math.h>

#include "base/test.h"
#include "codec/protobuf.h"

/* ---- a writer of pages ---- */

static void put_message(struct strbuf *out, uint32_t number, const struct strbuf *m)
{
    protobuf_put_bytes(out, number, bytes_from_str(strbuf_str(m)));
}

static void put_z(struct strbuf *out, uint32_t number, const char *z)
{
    protobuf_put_bytes(out, number, bytes_from_str(str_from_z(z)));
}

static void put_pair(struct strbuf *out, const char *name, const char *value)
{
    struct strbuf m STRBUF_CLEANUP = {0};
    put_z(&m, 1, name);
    put_z(&m, 2, value);
    put_message(out, 1, &m);
}

static void put_time(struct strbuf *out, uint32_t number, int64_t s, int64_t ns)
{
    struct strbuf m STRBUF_CLEANUP = {0};
    protobuf_put_varint(&m, 1, (uint64_t)s);
    protobuf_put_varint(&m, 2, (uint64_t)ns);
    put_message(out, number, &m);
}

static void put_exemplar(struct strbuf *out, uint32_t number, const char *trace, double v, bool t)
{
    struct strbuf m STRBUF_CLEANUP = {0};
    put_pair(&m, "trace_id", trace);
    protobuf_put_f64(&m, 2, v);
    if (t)
        put_time(&m, 3, 100, 7000000);
    put_message(out, number, &m);
}

/* A family of one metric whose value message is `value` under `field`. */
static void put_family(struct strbuf *page, const char *name, uint64_t type, uint32_t field,
                       const struct strbuf *value)
{
    struct strbuf family STRBUF_CLEANUP = {0}, metric STRBUF_CLEANUP = {0};
    put_z(&family, 1, name);
    put_z(&family, 2, "some help");
    protobuf_put_varint(&family, 3, type);
    put_pair(&metric, "z", "26");
    put_pair(&metric, "empty", "");
    put_pair(&metric, "a", "1");
    put_message(&metric, field, value);
    if (field == 3)
        protobuf_put_varint(&metric, 6, 1234);
    put_message(&family, 4, &metric);
    put_z(&family, 5, "seconds");
    protobuf_add_varint(page, family.n);
    strbuf_add(page, strbuf_str(&family));
}

static void put_span(struct strbuf *out, uint32_t number, int64_t offset, uint64_t n)
{
    struct strbuf m STRBUF_CLEANUP = {0};
    protobuf_put_sint(&m, 1, offset);
    protobuf_put_varint(&m, 2, n);
    put_message(out, number, &m);
}

static void put_bucket(struct strbuf *out, uint64_t count, double bound, const char *trace)
{
    struct strbuf m STRBUF_CLEANUP = {0};
    protobuf_put_varint(&m, 1, count);
    protobuf_put_f64(&m, 2, bound);
    if (trace)
        put_exemplar(&m, 3, trace, bound, true);
    put_message(out, 3, &m);
}

static void both_kinds(struct strbuf *h)
{
    protobuf_put_varint(h, 1, 6);
    protobuf_put_f64(h, 2, 2.5);
    put_bucket(h, 4, 1, "t1");
    put_bucket(h, 6, 2.5, "t2");
    protobuf_put_sint(h, 5, 3);
    protobuf_put_f64(h, 6, 0x1p-128);
    protobuf_put_varint(h, 7, 1);
    put_span(h, 12, -1, 2);
    protobuf_put_sint(h, 13, 2);
    protobuf_put_sint(h, 13, 1);
    put_time(h, 15, 50, 0);
}

/* ---- all that a page says, a line for each event ---- */

static bool tell(str page, struct expfmt_proto_options o, struct strbuf *out, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    struct expfmt_proto p;
    struct exemplar x;
    struct labels ls;
    bool has_t, ok = true;
    arena_init(&a, 0);
    expfmt_proto_init(&p, bytes_from_str(page), o, &a);
    for (enum expfmt_event e; ok && (e = expfmt_proto_next(&p, err)) != EXPFMT_END;) {
        ok = e != EXPFMT_ERROR && (e != EXPFMT_SAMPLE || expfmt_proto_labels(&p, &a, &ls, err));
        if (!ok)
            break;
        if (e == EXPFMT_TYPE)
            strbuf_addf(out, "type %.*s %.*s\n", STR_ARG(p.family),
                        STR_ARG(metric_type_name(p.type)));
        if (e == EXPFMT_HELP || e == EXPFMT_UNIT)
            strbuf_addf(out, "%s [%.*s]\n", e == EXPFMT_HELP ? "help" : "unit", STR_ARG(p.text));
        if (e != EXPFMT_SAMPLE)
            continue;
        labels_format(ls, out);
        if (p.histogram)
            strbuf_addf(out, " h%d %g %g %u+%u", p.histogram->schema, p.histogram->count,
                        p.histogram->sum, p.histogram->positive.counts_n,
                        p.histogram->negative.counts_n);
        else
            strbuf_addf(out, " %.17g", p.value);
        if (p.has_t)
            strbuf_addf(out, " @%lld", (long long)p.t);
        if (p.start)
            strbuf_addf(out, " since %lld", (long long)p.start);
        while (expfmt_proto_exemplar(&p, &a, &x, &has_t)) {
            strbuf_addz(out, " # ");
            labels_format(x.labels, out);
            strbuf_addf(out, " %g %lld", x.v, has_t ? (long long)x.t : -1LL);
        }
        strbuf_addc(out, '\n');
    }
    expfmt_proto_fini(&p);
    return ok;
}

static void expect(str page, struct expfmt_proto_options o, const char *want)
{
    struct strbuf out STRBUF_CLEANUP = {0};
    struct err err = {0};
    if (!tell(page, o, &out, &err))
        fail_msg("%s", err.msg);
    assert_str(strbuf_str(&out), str_from_z(want));
}

static const struct expfmt_proto_options native = {.native = true},
                                         both = {.native = true, .classic = true}, plain = {0};

static void test_simple(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0};
    protobuf_put_f64(&v, 1, 12);
    put_family(&page, "g", 1, 2, &v);
    put_family(&page, "u", 3, 5, &v);
    put_exemplar(&v, 2, "abc", 0.5, false);
    put_time(&v, 3, 1, 500000000);
    put_family(&page, "c_total", 0, 3, &v);
    expect(strbuf_str(&page), plain,
           "type g gauge\nhelp [some help]\nunit [seconds]\ng{a=\"1\",z=\"26\"} 12\n"
           "type u unknown\nhelp [some help]\nunit [seconds]\nu{a=\"1\",z=\"26\"} 12\n"
           "type c_total counter\nhelp [some help]\nunit [seconds]\n"
           "c_total{a=\"1\",z=\"26\"} 12 @1234 since 1500 # {trace_id=\"abc\"} 0.5 -1\n");
}

static void test_summary(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0}, q STRBUF_CLEANUP = {0};
    protobuf_put_varint(&v, 1, 7);
    protobuf_put_f64(&v, 2, 0.25);
    protobuf_put_f64(&q, 1, 1);
    protobuf_put_f64(&q, 2, NAN);
    put_message(&v, 3, &q);
    put_family(&page, "s", 2, 4, &v);
    expect(strbuf_str(&page), native,
           "type s summary\nhelp [some help]\nunit [seconds]\ns_count{a=\"1\",z=\"26\"} 7\n"
           "s_sum{a=\"1\",z=\"26\"} 0.25\ns{a=\"1\",quantile=\"1.0\",z=\"26\"} nan\n");
}

#define HEAD "type h histogram\nhelp [some help]\nunit [seconds]\n"
#define CLASSIC                                                                                    \
    "h_count{a=\"1\",z=\"26\"} 6 since 50000\nh_sum{a=\"1\",z=\"26\"} 2.5 since 50000\n"           \
    "h_bucket{a=\"1\",le=\"1.0\",z=\"26\"} 4 since 50000 # {trace_id=\"t1\"} 1 100007\n"           \
    "h_bucket{a=\"1\",le=\"2.5\",z=\"26\"} 6 since 50000 # {trace_id=\"t2\"} 2.5 100007\n"         \
    "h_bucket{a=\"1\",le=\"+Inf\",z=\"26\"} 6 since 50000\n"
#define NATIVE                                                                                     \
    "h{a=\"1\",z=\"26\"} h3 6 2.5 2+0 since 50000 # {trace_id=\"t1\"} 1 100007 # "                 \
    "{trace_id=\"t2\"} 2.5 100007\n"

static void test_histograms(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0};
    both_kinds(&v);
    put_family(&page, "h", 4, 7, &v);
    expect(strbuf_str(&page), plain, HEAD CLASSIC);
    expect(strbuf_str(&page), native, HEAD NATIVE);
    expect(strbuf_str(&page), both, HEAD CLASSIC NATIVE);
    put_exemplar(&v, 16, "own", 3, true);
    strbuf_clear(&page);
    put_family(&page, "h", 4, 7, &v);
    expect(strbuf_str(&page), native,
           HEAD "h{a=\"1\",z=\"26\"} h3 6 2.5 2+0 since 50000 # {trace_id=\"own\"} 3 100007\n");
}

static void test_float_gauge_histogram(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0};
    struct arena a ARENA_CLEANUP;
    struct expfmt_proto p;
    struct err err;
    arena_init(&a, 0);
    protobuf_put_f64(&v, 4, 2.5);
    protobuf_put_f64(&v, 2, 1);
    put_span(&v, 9, 0, 1);
    protobuf_put_f64(&v, 11, 2.5);
    put_family(&page, "h", 5, 7, &v);
    expfmt_proto_init(&p, bytes_from_str(strbuf_str(&page)), native, &a);
    while (expfmt_proto_next(&p, &err) != EXPFMT_SAMPLE)
        ;
    assert_int_equal(p.histogram->reset, HISTOGRAM_GAUGE);
    assert_true(p.histogram->negative.counts[0] == 2.5 && p.histogram->count == 2.5);
    assert_int_equal(expfmt_proto_next(&p, &err), EXPFMT_END);
    expfmt_proto_fini(&p);
}

static void test_cut_pages(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0};
    both_kinds(&v);
    put_family(&page, "h", 4, 7, &v);
    for (size_t n = 1; n < page.n; n++) {
        struct strbuf out STRBUF_CLEANUP = {0};
        struct err err = {0};
        char *copy = malloc(n);
        memcpy(copy, page.p, n);
        assert_false(tell(str_of(copy, n), both, &out, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        free(copy);
    }
}

static void test_refused(void **state)
{
    struct strbuf page STRBUF_CLEANUP = {0}, v STRBUF_CLEANUP = {0}, out STRBUF_CLEANUP = {0};
    struct err err = {0};
    put_family(&page, "g", 6, 2, &v);
    assert_false(tell(strbuf_str(&page), plain, &out, &err));
    assert_non_null(strstr(err.msg, "family 1: malformed type"));
    strbuf_clear(&page);
    put_family(&page, "\xff", 1, 2, &v);
    assert_false(tell(strbuf_str(&page), plain, &out, &err));
    strbuf_clear(&page);
    put_family(&page, "", 1, 2, &v);
    assert_false(tell(strbuf_str(&page), plain, &out, &err));
    strbuf_clear(&page);
    protobuf_put_varint(&v, 1, 9);
    put_family(&page, "g", 1, 2, &v);
    assert_false(tell(strbuf_str(&page), plain, &out, &err));
    strbuf_clear(&page);
    strbuf_clear(&v);
    both_kinds(&v);
    put_span(&v, 12, -5, 0);
    put_family(&page, "h", 4, 7, &v);
    assert_false(tell(strbuf_str(&page), native, &out, &err));
    assert_non_null(strstr(err.msg, "goes back"));
}

/* A page of a real client library. */
static void test_corpus(void **state)
{
    FILE *f = fopen(corpus_or_skip("metrics/expfmt/common/protobuf"), "rb");
    static char page[1 << 16];
    struct strbuf out STRBUF_CLEANUP = {0};
    struct err err = {0};
    size_t n = fread(page, 1, sizeof page, f);
    fclose(f);
    if (!tell(str_of(page, n), both, &out, &err))
        fail_msg("%s", err.msg);
    assert_non_null(strstr(out.p, "type http_request_duration_microseconds summary\n"));
    assert_non_null(
        strstr(out.p, "http_request_duration_microseconds{handler=\"/\",quantile=\"0.5\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),     cmocka_unit_test(test_summary),
        cmocka_unit_test(test_histograms), cmocka_unit_test(test_float_gauge_histogram),
        cmocka_unit_test(test_cut_pages),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
