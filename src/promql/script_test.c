// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the scripts of tests/promql, which must pass as a whole, and the corpus, of which each file
 * has a number of evaluations that pass today: it may only rise.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/test.h"
#include "promql/promql.h"
#include "promql/script.h"

static bool read_file(const char *path, struct strbuf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        strbuf_add(out, str_of(block, n));
    fclose(f);
    return true;
}

static const char *const own[] = {
    "selectors",  "windows", "operators", "joins",      "aggregations", "functions",
    "histograms", "native",  "extended",  "subqueries", "errors",
};

static size_t run_own(const char *root, const char *name, unsigned features)
{
    char path[512];
    STRBUF_CLEANUP struct strbuf text = {0};
    struct promql_script_report r = {0};
    snprintf(path, sizeof path, "%s/tests/promql/%s.test", root, name);
    assert_true(read_file(path, &text));
    promql_script_run(str_from_z(name), strbuf_str(&text), features, &r);
    if (r.failed)
        fputs(r.failures.p, stderr);
    assert_true(r.passed > 0);
    size_t failed = r.failed;
    promql_script_report_fini(&r);
    return failed;
}

static void test_own_scripts(void **state)
{
    const char *root = getenv("NUNCHI_SOURCE");
    size_t failed = 0;
    if (!root)
        skip();
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        failed += run_own(root, own[i], 0);
    assert_int_equal(failed, 0);
    assert_int_equal(run_own(root, "metricsql", PROMQL_METRICSQL), 0);
}

/* A script that is wrong must be told so: a runner that passes everything tests nothing. */
static void test_failures_are_seen(void **state)
{
    static const char *const wrong[] = {
        "eval instant at 0 1\n  2",
        "load 1m\n  x 1\n\neval instant at 0 x\n  x 2",
        "load 1m\n  x 1\n\neval instant at 0 x\n  y 1",
        "load 1m\n  x 1\n\neval instant at 0 x",
        "eval instant at 0 x\n  x 1",
        "eval instant at 0 vector(1)\n  expect warn\n  {} 1",
        "eval instant at 0 vector(1)\n  expect fail",
        "eval instant at 0 sum(",
        "load 1m\n  x 1 2\n\neval range from 0 to 1m step 1m x\n  x 1 3",
        "frobnicate",
        "load 1m\n  x 1y",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct promql_script_report r = {0};
        promql_script_run(STR("wrong"), str_from_z(wrong[i]), 0, &r);
        if (r.failed != 1)
            print_error("not noticed: %s\n", wrong[i]);
        assert_int_equal(r.failed, 1);
        promql_script_report_fini(&r);
    }
}

static const struct {
    const char *name;
    size_t floor;
} corpus[] = {
    {"aggregators", 160},
    {"at_modifier", 78},
    {"collision", 2},
    {"duration_expression", 59},
    {"extended_vectors", 169},
    {"fill-modifier", 46},
    {"functions", 431},
    {"histograms", 185},
    {"info", 53},
    {"limit", 37},
    {"literals", 25},
    {"name_label_dropping", 30},
    {"native_histograms", 522},
    {"operators", 214},
    {"range_queries", 18},
    {"selectors", 31},
    {"staleness", 17},
    {"start_timestamps", 26},
    {"subquery", 34},
    {"trig_functions", 19},
    {"type_and_unit", 58},
};

static bool run_corpus(unsigned features)
{
    const char *root = getenv("NUNCHI_CORPUS");
    for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
        char path[512];
        STRBUF_CLEANUP struct strbuf text = {0};
        struct promql_script_report r = {0};
        snprintf(path, sizeof path, "%s/metrics/promql/%s.test", root ? root : "", corpus[i].name);
        if (!root || !read_file(path, &text))
            return false;
        promql_script_run(str_from_z(corpus[i].name), strbuf_str(&text), features, &r);
        print_message("# %-20s %4zu passed, %4zu failed\n", corpus[i].name, r.passed, r.failed);
        if (getenv("NUNCHI_SCRIPT_FAILURES") && r.failed)
            fputs(r.failures.p, stderr);
        if (r.passed < corpus[i].floor) {
            print_error("%s: %zu passed, %zu did before\n", corpus[i].name, r.passed,
                        corpus[i].floor);
            fail();
        }
        promql_script_report_fini(&r);
    }
    return true;
}

static void test_corpus(void **state)
{
    if (!run_corpus(0))
        skip();
}

/* What is PromQL means the same with MetricsQL. */
static void test_corpus_with_metricsql(void **state)
{
    if (!run_corpus(PROMQL_METRICSQL))
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_are_seen),
        cmocka_unit_test(test_own_scripts),
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_corpus_with_metricsql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
