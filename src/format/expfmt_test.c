// SPDX-License-Identifier: Apache-2.0
#include "format/expfmt.h"

#include <math.h>

#include "base/strbuf.h"
#include "base/test.h"

/* All that a body says, one line per event, so that tests compare texts. */
static bool tell(enum expfmt_format f, str body, struct strbuf *out, struct err *err)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct expfmt p;
    expfmt_init(&p, f, body);
    for (;;) {
        struct labels ls;
        switch (expfmt_next(&p, err)) {
        case EXPFMT_ERROR:
            return false;
        case EXPFMT_END:
            return true;
        case EXPFMT_TYPE:
            strbuf_addf(out, "type %.*s %.*s\n", STR_ARG(p.family),
                        STR_ARG(metric_type_name(p.type)));
            break;
        case EXPFMT_HELP:
            strbuf_addf(out, "help %.*s [%.*s]\n", STR_ARG(p.family), STR_ARG(expfmt_help(&p, &a)));
            break;
        case EXPFMT_UNIT:
            strbuf_addf(out, "unit %.*s %.*s\n", STR_ARG(p.family), STR_ARG(p.text));
            break;
        case EXPFMT_SAMPLE:
            if (!expfmt_labels(&p, &a, &ls, err))
                return false;
            labels_format(ls, out);
            strbuf_addf(out, " %.17g", p.value);
            if (p.has_t)
                strbuf_addf(out, " @%lld", (long long)p.t);
            if (p.exemplar.n)
                strbuf_addf(out, " # %.*s", STR_ARG(p.exemplar));
            strbuf_addc(out, '\n');
        }
    }
}

static const enum expfmt_format T = EXPFMT_TEXT_0_0_4, O = EXPFMT_OPENMETRICS_1_0_0;

struct good {
    bool om;
    str body;
    const char *want;
};

static const struct good good[] = {
    {0, STR_INIT(""), ""},
    {0, STR_INIT("\n \t\n"), ""},
    {0, STR_INIT("a 1"), "a 1\n"},
    {0, STR_INIT("  a\t1 \n"), "a 1\n"},
    {0, STR_INIT("a 1 1500\nb 2 -7\n"), "a 1 @1500\nb 2 @-7\n"},
    {0, STR_INIT("a{} 1\n"), "a 1\n"},
    {0, STR_INIT("a { b = \"c\" , d=\"e\", } 1\n"), "a{b=\"c\",d=\"e\"} 1\n"},
    {0, STR_INIT("a{d=\"e\" b=\"c\"}1\n"), "a{b=\"c\",d=\"e\"} 1\n"},
    {0, STR_INIT("a{b=\"\"} 1\n"), "a 1\n"},
    {0, STR_INIT("a{b=\"}\\\"{\\\\\\n\\x\"} 1\n"), "a{b=\"}\\\"{\\\\\\n\\\\x\"} 1\n"},
    {0, STR_INIT("a{b=\"x\ny\"} 1\n"), "a{b=\"x\\ny\"} 1\n"},
    {0, STR_INIT("{\"my.metric\",\"l.x\"=\"v\"} 3\n"), "{\"my.metric\",\"l.x\"=\"v\"} 3\n"},
    {0, STR_INIT("{b=\"c\",\"a\"} 3\n"), "a{b=\"c\"} 3\n"},
    {0, STR_INIT("# a comment\n#HELP a b\n# HELPa\n# HELP\n# EOF\n#"), ""},
    {0, STR_INIT("# HELP a b \\\\ \\n \\\" c\n"), "help a [b \\ \n \\\" c]\n"},
    {0, STR_INIT("#\tHELP \t a\tb\n# HELP a\n# HELP a"), "help a [b]\nhelp a []\nhelp a []\n"},
    {0, STR_INIT("# HELP \"a.b\" c"), "help a.b [c]\n"},
    {0, STR_INIT("# TYPE a untyped\n# TYPE b counter"), "type a unknown\ntype b counter\n"},
    {0,
     STR_INIT("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+inf\"} 3\n"
              "a_bucket{le=\"1e6\"} 2\na_bucket{quantile=\"1\"} 2\n"),
     "type a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 3\n"
     "a_bucket{le=\"1e+06\"} 2\na_bucket{quantile=\"1\"} 2\n"},
    {0, STR_INIT("# TYPE a summary\na{quantile=\"0\"} 2\na{le=\"1\"} 3\n"),
     "type a summary\na{quantile=\"0.0\"} 2\na{le=\"1\"} 3\n"},
    {0, STR_INIT("a{b=\"\0\"} 1\n"), "a{b=\"\\x00\"} 1\n"},
    {1, STR_INIT("# EOF"), ""},
    {1, STR_INIT("# EOF\n"), ""},
    {1, STR_INIT("a 1\n# EOF\n"), "a 1\n"},
    {1, STR_INIT("a{b=\"c\",} 1 1.5\na 2 -1\n# EOF"), "a{b=\"c\"} 1 @1500\na 2 @-1000\n"},
    {1, STR_INIT("# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s x \\\" y\n# EOF"),
     "type a_s counter\nunit a_s s\nhelp a_s [x \" y]\n"},
    {1, STR_INIT("# TYPE a stateset\n# UNIT a \n# HELP a \n# EOF"),
     "type a stateset\nunit a \nhelp a []\n"},
    {1, STR_INIT("a_total 1 # {t=\"}x\"} 0.5\na_total 2 3 # {} 1 1.25\na_created 4\n# EOF\n"),
     "a_total 1 # {t=\"}x\"} 0.5\na_total 2 @3000 # {} 1 1.25\na_created 4\n"},
    {1, STR_INIT("{\"a.b\"} 1\n# EOF"), "{\"a.b\"} 1\n"},
    {1, STR_INIT("a 1 1e300\na 1 -1e300\na 1 1.005\na 1 1.0059\n# EOF"),
     "a 1 @9223372036854775807\na 1 @-9223372036854775808\na 1 @1005\na 1 @1005\n"},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < TESTS_N(good); i++) {
        struct err err = {0};
        STRBUF_CLEANUP struct strbuf out = {0};
        if (!tell(good[i].om ? O : T, good[i].body, &out, &err))
            fail_msg("row %zu: %s", i, err.msg);
        assert_str(strbuf_str(&out), str_from_z(good[i].want));
    }
}

static const struct {
    bool om;
    str body;
    struct pos pos;
    const char *part;
} bad[] = {
    {0, STR_INIT("a"), {1, 2}, "value"},
    {0, STR_INIT("a 1\nb x\n"), {2, 3}, "number"},
    {0, STR_INIT("a 1\nb 1 2 3\n"), {2, 7}, "end of the line"},
    {0, STR_INIT("b 1 2.5"), {1, 6}, "end of the line"},
    {0, STR_INIT("b 1 x"), {1, 5}, "timestamp"},
    {0, STR_INIT("b 1 99999999999999999999"), {1, 5}, "timestamp"},
    {0, STR_INIT("a 0x1p3"), {1, 3}, "number"},
    {0, STR_INIT("a 0x10"), {1, 3}, "number"},
    {0, STR_INIT("a 1_0"), {1, 3}, "number"},
    {0, STR_INIT("a 1e999"), {1, 3}, "number"},
    {0, STR_INIT("9a 1"), {1, 1}, "metric name"},
    {0, STR_INIT("a-b 1"), {1, 2}, "value"},
    {0, STR_INIT("a{b=\"c\"} 1\na{b=\"c\",b=\"d\"} 1"), {2, 1}, "twice"},
    {0, STR_INIT("a{__name__=\"c\"} 1"), {1, 1}, "twice"},
    {0, STR_INIT("{b=\"c\"} 1"), {1, 1}, "no name"},
    {0, STR_INIT("{\"\"} 1"), {1, 1}, "no name"},
    {0, STR_INIT("a{\"\"=\"x\"} 1"), {1, 1}, "empty name"},
    {0, STR_INIT("a{\"b\"} 1"), {1, 6}, "given twice"},
    {0, STR_INIT("a{b='c'} 1"), {1, 5}, "label value"},
    {0, STR_INIT("a{b} 1"), {1, 4}, "="},
    {0, STR_INIT("a{,} 1"), {1, 3}, "label name"},
    {0, STR_INIT("a{b=\"c\",,} 1"), {1, 9}, "label name"},
    {0, STR_INIT("a{b=\"c"), {1, 5}, "label value"},
    {0, STR_INIT("a{b=\"\xff\"} 1"), {1, 5}, "UTF-8"},
    {0, STR_INIT("# HELP a \xff"), {1, 10}, "UTF-8"},
    {0, STR_INIT("# TYPE a thing"), {1, 10}, "type"},
    {0, STR_INIT("# TYPE a unknown"), {1, 10}, "type"},
    {0, STR_INIT("# TYPE a counter "), {1, 10}, "type"},
    {0, STR_INIT("# TYPE 9 counter"), {1, 8}, "metric name"},
    {0, STR_INIT("\0"), {1, 1}, "metric name"},
    {1, STR_INIT(""), {1, 1}, "EOF"},
    {1, STR_INIT("a 1\n"), {2, 1}, "EOF"},
    {1, STR_INIT("a 1"), {1, 4}, "EOF"},
    {1, STR_INIT("\n# EOF"), {1, 1}, "metric name"},
    {1, STR_INIT("# EOF\nx"), {2, 1}, "after # EOF"},
    {1, STR_INIT("# foo\n# EOF"), {1, 3}, "HELP"},
    {1, STR_INIT("#EOF"), {1, 1}, "space"},
    {1, STR_INIT("# TYPE a untyped\n# EOF"), {1, 10}, "type"},
    {1, STR_INIT("# TYPE a\n# EOF"), {1, 9}, "space and text"},
    {1, STR_INIT("# UNIT a_s m\n# EOF"), {1, 12}, "unit"},
    {1, STR_INIT("# UNIT as s\n# EOF"), {1, 11}, "unit"},
    {1, STR_INIT("a  1\n# EOF"), {1, 3}, "number"},
    {1, STR_INIT("a 1 \n# EOF"), {1, 5}, "timestamp"},
    {1, STR_INIT("a 1 2 3\n# EOF"), {1, 6}, "end of the line"},
    {1, STR_INIT("a 1 NaN\n# EOF"), {1, 5}, "timestamp"},
    {1, STR_INIT("a{b=\"c\"d=\"e\"} 1\n# EOF"), {1, 8}, "comma"},
    {1, STR_INIT("a{b=\"x\ny\"} 1\n# EOF"), {1, 5}, "label value"},
    {1, STR_INIT("a{ b=\"x\"} 1\n# EOF"), {1, 3}, "label name"},
    {1, STR_INIT("a {b=\"x\"} 1\n# EOF"), {1, 3}, "number"},
    {1, STR_INIT("a 1 # {\"x\"} 1\n# EOF"), {1, 11}, "="},
    {1, STR_INIT("a 1 # {x=\"y\"}\n# EOF"), {1, 14}, "exemplar"},
    {1, STR_INIT("a 1 # {x=\"y\"} 1 Inf\n# EOF"), {1, 17}, "exemplar"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < TESTS_N(bad); i++) {
        struct err err = {0};
        STRBUF_CLEANUP struct strbuf out = {0};
        if (tell(bad[i].om ? O : T, bad[i].body, &out, &err))
            fail_msg("row %zu was accepted: %s", i, bad[i].body.p);
        if (!strstr(err.msg, bad[i].part) || err.pos.line != bad[i].pos.line ||
            err.pos.col != bad[i].pos.col)
            fail_msg("row %zu: %u:%u %s", i, err.pos.line, err.pos.col, err.msg);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void test_error_shows_line_and_stays(void **state)
{
    struct err err = {0};
    struct expfmt p;
    expfmt_init(&p, T, STR("a 1\nfoo{a=\"b\"} x\nc 1\n"));
    assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(expfmt_next(&p, &err), EXPFMT_ERROR);
        assert_non_null(strstr(err.msg, "in \"foo{a=\"b\"} x\""));
        assert_int_equal(err.pos.line, 2);
    }
    expfmt_init(&p, O, STR("# EOF\n"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(expfmt_next(&p, &err), EXPFMT_END);
}

static void test_series_text(void **state)
{
    struct err err = {0};
    struct expfmt p;
    expfmt_init(&p, T, STR(" a {b=\"}\" } 1\n{\"x\"} 2\nc 3"));
    assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
    assert_str(p.series, STR("a {b=\"}\" }"));
    assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
    assert_str(p.series, STR("{\"x\"}"));
    assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
    assert_str(p.series, STR("c"));
}

/* Both number paths against the C library, bit for bit. */
static void test_numbers(void **state)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "1e3",
                                        "1E-3",
                                        "1e+22",
                                        "1e23",
                                        "1e-22",
                                        "123456789",
                                        "0.1",
                                        "7.6238e-05",
                                        "1.7e308",
                                        "5e-324",
                                        "1e-400",
                                        "9007199254740993",
                                        "9007199254740992",
                                        "44.985611511",
                                        "1.4768398520000001e+09",
                                        "0.000000000000000000000000001",
                                        "123456789012345678901234567890",
                                        "1e0001",
                                        "00012",
                                        "-2.5e-3"};
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        char body[128];
        int n = snprintf(body, sizeof body, "a %s\n", texts[i]);
        struct err err = {0};
        struct expfmt p;
        expfmt_init(&p, T, str_of(body, (size_t)n));
        assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
        double want = strtod(texts[i], NULL);
        if (memcmp(&want, &p.value, sizeof want) != 0)
            fail_msg("%s is %.17g", texts[i], p.value);
    }
}

static void test_special_numbers(void **state)
{
    struct err err = {0};
    struct expfmt p;
    expfmt_init(&p, T, STR("a NaN\na nan\na +Inf\na -inf\na Infinity\n"));
    for (int i = 0; i < 2; i++) {
        uint64_t bits;
        assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
        memcpy(&bits, &p.value, sizeof bits);
        assert_true(bits == NORMAL_NAN_BITS);
    }
    static const double want[] = {INFINITY, -INFINITY, INFINITY};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(expfmt_next(&p, &err), EXPFMT_SAMPLE);
        assert_true(p.value == want[i]);
    }
}

static void test_too_many_labels(void **state)
{
    struct err err = {0};
    STRBUF_CLEANUP struct strbuf body = {0}, out = {0};
    strbuf_addz(&body, "a{");
    for (int i = 0; i < EXPFMT_LABELS_MAX; i++)
        strbuf_addf(&body, "l%d=\"x\",", i);
    size_t inside = body.n;
    strbuf_addz(&body, "} 1\n");
    assert_true(tell(T, strbuf_str(&body), &out, &err));
    body.n = inside;
    strbuf_addz(&body, "more=\"x\"} 1\n");
    assert_false(tell(T, strbuf_str(&body), &out, &err));
    assert_non_null(strstr(err.msg, "too many labels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_error_shows_line_and_stays),
        cmocka_unit_test(test_series_text),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_special_numbers),
        cmocka_unit_test(test_too_many_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
