// SPDX-License-Identifier: Apache-2.0
#include "format/expfmt_writer.h"

#include <math.h>

#include "base/test.h"

static const struct expfmt_choice text = {EXPFMT_TEXT_0_0_4, false};
static const struct expfmt_choice text1 = {EXPFMT_TEXT_1_0_0, true};
static const struct expfmt_choice om = {EXPFMT_OPENMETRICS_1_0_0, false};

/* A few families that show every rule. */
static void speak(struct expfmt_writer *w)
{
    struct emit *e = &w->emit;
    const struct label ab[] = {{STR("a"), STR("x\\\"\ny")}, {STR("b.c"), STR("")}};
    const struct label le[] = {{STR("le"), STR("1")}}, inf[] = {{STR("le"), STR("+Inf")}};
    const struct label quantile[] = {{STR("quantile"), STR("0.5")}};

    emit_family(e, STR("req_total"), METRIC_COUNTER, STR("One \\ \"two\"\nthree."));
    emit_value(e, STR("req_total"), ab, 2, 1);
    emit_family(e, STR("req_total"), METRIC_COUNTER, STR("Again."));
    emit_value(e, STR("req_total"), NULL, 0, 1e6);
    emit_family(e, STR("odd"), METRIC_COUNTER, STR(""));
    emit_value(e, STR("odd"), NULL, 0, NAN);
    emit_family(e, STR("h"), METRIC_HISTOGRAM, STR("H"));
    emit_value(e, STR("h_bucket"), le, 1, 2);
    emit_value(e, STR("h_bucket"), inf, 1, 2);
    emit_family(e, STR("s"), METRIC_SUMMARY, STR("S"));
    emit_value(e, STR("s"), quantile, 1, 0.25);
    emit_family(e, STR("my.gauge"), METRIC_GAUGE, STR("G"));
    emit_value(e, STR("my.gauge"), NULL, 0, -INFINITY);
    emit_value(e, STR("my.gauge"), le, 1, 1e-7);
    emit_family(e, STR("v_info"), METRIC_INFO, STR("I"));
    emit_family(e, STR("u"), METRIC_UNKNOWN, STR("U"));
    emit_value(e, STR("u"), NULL, 0, 123456789);
    expfmt_writer_sample_at(w, STR("u"), NULL, 0, 1, 1005);
    expfmt_writer_sample_at(w, STR("u"), NULL, 0, 1, -1);
}

static const struct {
    const struct expfmt_choice *choice;
    const char *want;
} rows[] = {
    {&text, "# HELP req_total One \\\\ \"two\"\\nthree.\n# TYPE req_total counter\n"
            "req_total{a=\"x\\\\\\\"\\ny\",b_c=\"\"} 1\nreq_total 1e+06\n"
            "# TYPE odd counter\nodd NaN\n"
            "# HELP h H\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 2\n"
            "# HELP s S\n# TYPE s summary\ns{quantile=\"0.5\"} 0.25\n"
            "# HELP my_gauge G\n# TYPE my_gauge gauge\nmy_gauge -Inf\nmy_gauge{le=\"1\"} 1e-07\n"
            "# HELP v_info I\n# TYPE v_info gauge\n"
            "# HELP u U\n# TYPE u untyped\nu 1.23456789e+08\nu 1 1005\nu 1 -1\n"},
    {&text1, "# HELP req_total One \\\\ \"two\"\\nthree.\n# TYPE req_total counter\n"
             "req_total{a=\"x\\\\\\\"\\ny\",\"b.c\"=\"\"} 1\nreq_total 1e+06\n"
             "# TYPE odd counter\nodd NaN\n"
             "# HELP h H\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 2\n"
             "# HELP s S\n# TYPE s summary\ns{quantile=\"0.5\"} 0.25\n"
             "# HELP \"my.gauge\" G\n# TYPE \"my.gauge\" gauge\n{\"my.gauge\"} -Inf\n"
             "{\"my.gauge\",le=\"1\"} 1e-07\n"
             "# HELP v_info I\n# TYPE v_info gauge\n"
             "# HELP u U\n# TYPE u untyped\nu 1.23456789e+08\nu 1 1005\nu 1 -1\n"},
    {&om, "# HELP req One \\\\ \\\"two\\\"\\nthree.\n# TYPE req counter\n"
          "req_total{a=\"x\\\\\\\"\\ny\",b_c=\"\"} 1.0\nreq_total 1e+06\n"
          "# TYPE odd unknown\nodd NaN\n"
          "# HELP h H\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 2.0\nh_bucket{le=\"+Inf\"} 2.0\n"
          "# HELP s S\n# TYPE s summary\ns{quantile=\"0.5\"} 0.25\n"
          "# HELP my_gauge G\n# TYPE my_gauge gauge\nmy_gauge -Inf\nmy_gauge{le=\"1\"} 1e-07\n"
          "# HELP v I\n# TYPE v info\n"
          "# HELP u U\n# TYPE u unknown\nu 1.23456789e+08\nu 1.0 1.005\nu 1.0 -0.001\n# EOF\n"},
};

static void test_write(void **state)
{
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf out = {0};
        struct expfmt_writer w;
        expfmt_writer_init(&w, *rows[i].choice, &out);
        speak(&w);
        expfmt_writer_finish(&w);
        assert_str(strbuf_str(&out), str_from_z(rows[i].want));
    }
}

static void test_names_that_cannot_be_quoted(void **state)
{
    static const struct {
        const char *name, *want;
    } names[] = {{"9a", "_9a"}, {"a b", "a_b"}, {"\xec\x88\x98", "_"}, {"", "_"}, {"a:b-", "a:b_"}};
    for (size_t i = 0; i < TESTS_N(names); i++) {
        STRBUF_CLEANUP struct strbuf out = {0}, want = {0};
        struct expfmt_writer w;
        expfmt_writer_init(&w, text, &out);
        emit_value(&w.emit, str_from_z(names[i].name), NULL, 0, 1);
        expfmt_writer_finish(&w);
        strbuf_addf(&want, "%s 1\n", names[i].want);
        assert_str(strbuf_str(&out), strbuf_str(&want));
    }
}

static void test_accept(void **state)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    expfmt_accept(expfmt_default_protocols, EXPFMT_DEFAULTS, STR("allow-utf-8"), &out);
    assert_str(strbuf_str(&out),
               STR("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                   "application/openmetrics-text;version=0.0.1;q=0.5,"
                   "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                   "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
    strbuf_clear(&out);
    enum expfmt_format one = EXPFMT_TEXT_0_0_4;
    expfmt_accept(&one, 1, STR("underscores"), &out);
    assert_str(strbuf_str(&out), STR("text/plain;version=0.0.4;q=0.6,*/*;q=0.5"));
}

static void test_content_type(void **state)
{
    static const struct {
        const char *type;
        int want; /* -1: none */
    } types[] = {
        {"text/plain", EXPFMT_TEXT_0_0_4},
        {"text/plain; version=0.0.4; charset=utf-8", EXPFMT_TEXT_0_0_4},
        {"Text/Plain;Version=\"1.0.0\"; charset=utf-8", EXPFMT_TEXT_1_0_0},
        {" application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
         EXPFMT_OPENMETRICS_1_0_0},
        {"application/openmetrics-text; version=0.0.1", EXPFMT_OPENMETRICS_0_0_1},
        {"application/openmetrics-text", EXPFMT_OPENMETRICS_0_0_1},
        {"", -1},
        {"text/html", -1},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", -1},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
         -1},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
         "encoding=delimited",
         EXPFMT_PROTOBUF},
        {";", -1},
    };
    for (size_t i = 0; i < TESTS_N(types); i++) {
        struct err err = {0};
        enum expfmt_format f, fallback = EXPFMT_TEXT_1_0_0;
        str type = str_from_z(types[i].type);
        bool ok = expfmt_from_content_type(type, NULL, &f, &err);
        assert_int_equal(ok, types[i].want >= 0);
        if (ok)
            assert_int_equal(f, types[i].want);
        else
            assert_non_null(strstr(err.hint, "fallback_scrape_protocol"));
        assert_true(expfmt_from_content_type(type, &fallback, &f, &err));
        assert_int_equal(f, ok ? types[i].want : (int)fallback);
    }
}

static void test_choose(void **state)
{
    static const struct {
        const char *accept;
        struct expfmt_choice want;
    } accepts[] = {
        {"", {EXPFMT_TEXT_0_0_4, false}},
        {"*/*", {EXPFMT_TEXT_0_0_4, false}},
        {"text/html,application/xhtml+xml,*/*;q=0.8", {EXPFMT_TEXT_0_0_4, false}},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3",
         {EXPFMT_OPENMETRICS_1_0_0, true}},
        {"application/openmetrics-text; version=1.0.0; q=0.75, text/plain;version=0.0.4;q=0.5",
         {EXPFMT_OPENMETRICS_1_0_0, false}},
        {"text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4",
         {EXPFMT_TEXT_0_0_4, false}},
        {"application/openmetrics-text;version=9.9.9,text/plain;version=1.0.0;q=0.1;"
         "escaping=allow-utf-8",
         {EXPFMT_TEXT_1_0_0, true}},
        {"application/openmetrics-text;q=0", {EXPFMT_TEXT_0_0_4, false}},
        {"application/openmetrics-text;q=x", {EXPFMT_TEXT_0_0_4, false}},
        {"text/plain;version=0.0.4;escaping=allow-utf-8", {EXPFMT_TEXT_0_0_4, false}},
    };
    for (size_t i = 0; i < TESTS_N(accepts); i++) {
        struct expfmt_choice c = expfmt_choose(str_from_z(accepts[i].accept));
        assert_int_equal(c.format, accepts[i].want.format);
        assert_int_equal(c.utf8_names, accepts[i].want.utf8_names);

        enum expfmt_format f;
        struct err err = {0};
        assert_true(expfmt_from_content_type(expfmt_content_type(c), NULL, &f, &err));
        assert_int_equal(f, c.format);
    }
}

static void test_protocol_names(void **state)
{
    enum expfmt_format f;
    for (int i = 0; i < EXPFMT_FORMATS; i++) {
        assert_true(expfmt_protocol_parse(expfmt_protocol_name((enum expfmt_format)i), &f));
        assert_int_equal(f, i);
    }
    assert_false(expfmt_protocol_parse(STR("PrometheusProto1.0.0"), &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),  cmocka_unit_test(test_names_that_cannot_be_quoted),
        cmocka_unit_test(test_accept), cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_choose), cmocka_unit_test(test_protocol_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
