// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of real programs and upstream's own cases, when the corpus is there (NUNCHI_CORPUS), and
 * the search primitive against its plain twin.
 */
#include <dirent.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "codec/json.h"
#include "format/expfmt_int.h"
#include "format/expfmt_writer.h"

static void load_or_skip(const char *dir, const char *name, struct strbuf *out)
{
    char path[512];
    snprintf(path, sizeof path, "metrics/expfmt/%s/%s", dir, name);
    FILE *f = fopen(corpus_or_skip(path), "rb");
    assert_non_null(f);
    for (size_t n = 1; n;) {
        n = fread(strbuf_reserve(out, 65536), 1, 65536, f);
        out->n += n;
    }
    fclose(f);
}

/* Reads all of it, labels too; false with err. Samples also go to `w` when there is one. */
static bool parse_all(enum expfmt_format f, str body, size_t *samples, struct expfmt_writer *w,
                      struct err *err)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct expfmt p;
    struct labels ls;
    expfmt_init(&p, f, body);
    *samples = 0;
    for (;;) {
        enum expfmt_event e = expfmt_next(&p, err);
        if (e == EXPFMT_ERROR || e == EXPFMT_END)
            return e == EXPFMT_END;
        if (e == EXPFMT_TYPE && w)
            emit_family(&w->emit, p.family, p.type, STR(""));
        if (e != EXPFMT_SAMPLE)
            continue;
        if (!expfmt_labels(&p, &a, &ls, err))
            return false;
        ++*samples;
        if (w) {
            struct label rest[EXPFMT_LABELS_MAX];
            size_t n = 0;
            for (size_t i = 0; i < ls.n; i++) {
                if (!str_eq(ls.at[i].name, LABEL_NAME))
                    rest[n++] = ls.at[i];
            }
            emit_value(&w->emit, labels_metric_name(ls), rest, n, p.value);
        }
    }
}

/* Samples as counted by looking only at how lines begin. */
static size_t count_lines(str body)
{
    size_t n = 0;
    str line;
    while (str_cut(&body, '\n', &line)) {
        line = str_trim(line);
        n += line.n && line.p[0] != '#';
    }
    return n;
}

static const struct {
    const char *dir, *name;
    enum expfmt_format format;
    size_t samples; /* known from elsewhere; 0: only by counting lines */
} pages[] = {
    {"textparse", "alltypes.237mfs.prom.txt", EXPFMT_TEXT_0_0_4, 0},
    {"textparse", "alltypes.237mfs.nometa.prom.txt", EXPFMT_TEXT_0_0_4, 0},
    {"textparse", "alltypes.5mfs.om.txt", EXPFMT_OPENMETRICS_1_0_0, 0},
    {"textparse", "1histogram.om.txt", EXPFMT_OPENMETRICS_1_0_0, 0},
    {"common", "text", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-darwin.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-dragonfly.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-freebsd.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-netbsd.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-openbsd.txt", EXPFMT_TEXT_0_0_4, 0},
    {"node_exporter", "e2e-output-solaris.txt", EXPFMT_TEXT_0_0_4, 0},
    {"cadvisor", "prometheus_metrics", EXPFMT_TEXT_0_0_4, 287},
    {"cadvisor", "prometheus_machine_metrics", EXPFMT_TEXT_0_0_4, 0},
    {"cadvisor", "prometheus_metrics_perf_aggregated", EXPFMT_TEXT_0_0_4, 0},
};

static void test_pages(void **state)
{
    for (size_t i = 0; i < TESTS_N(pages); i++) {
        STRBUF_CLEANUP struct strbuf body = {0};
        load_or_skip(pages[i].dir, pages[i].name, &body);
        struct err err = {0};
        size_t samples;
        if (!parse_all(pages[i].format, strbuf_str(&body), &samples, NULL, &err))
            fail_msg("%s: %s", pages[i].name, err.msg);
        assert_int_equal(samples, count_lines(strbuf_str(&body)));
        if (pages[i].samples)
            assert_int_equal(samples, pages[i].samples);
    }
}

/* Every page, written in each format and read again, says the same. */
static void test_round_trip(void **state)
{
    static const struct expfmt_choice choices[] = {
        {EXPFMT_TEXT_0_0_4, false}, {EXPFMT_TEXT_1_0_0, true}, {EXPFMT_OPENMETRICS_1_0_0, true}};
    for (size_t i = 0; i < TESTS_N(pages) * TESTS_N(choices); i++) {
        STRBUF_CLEANUP struct strbuf body = {0}, once = {0}, twice = {0};
        struct expfmt_choice c = choices[i % TESTS_N(choices)];
        const char *name = pages[i / TESTS_N(choices)].name;
        load_or_skip(pages[i / TESTS_N(choices)].dir, name, &body);
        struct expfmt_writer w;
        struct err err = {0};
        size_t samples, again;
        if (expfmt_is_openmetrics(pages[i / TESTS_N(choices)].format))
            continue; /* their families lack the suffix that the writer goes by */
        expfmt_writer_init(&w, c, &once);
        assert_true(parse_all(EXPFMT_TEXT_1_0_0, strbuf_str(&body), &samples, &w, &err));
        expfmt_writer_finish(&w);
        if (!parse_all(c.format, strbuf_str(&once), &again, NULL, &err))
            fail_msg("%s: %s", name, err.msg);
        assert_int_equal(samples, again);
        if (c.format == EXPFMT_TEXT_1_0_0) {
            expfmt_writer_init(&w, c, &twice);
            assert_true(parse_all(c.format, strbuf_str(&once), &again, &w, &err));
            expfmt_writer_finish(&w);
            assert_str(strbuf_str(&twice), strbuf_str(&once));
        }
    }
}

/*
 * Cases of the OpenMetrics suite that must be refused by it, and that Prometheus' lexer and parser
 * take nevertheless: they look at one line at a time, and at no meaning of values and families. A
 * name that ends in _ stands for its whole group.
 */
static const char *const accepted_bad[] = {
    "bad_clashing_names_",
    "bad_counter_values_",
    "bad_exemplar_complex_chars",
    "bad_exemplars_6",
    "bad_exemplars_on_unallowed_metric_types_",
    "bad_exemplars_on_unallowed_samples_",
    "bad_grouping_or_ordering_0",
    "bad_grouping_or_ordering_10",
    "bad_grouping_or_ordering_2",
    "bad_grouping_or_ordering_3",
    "bad_grouping_or_ordering_4",
    "bad_grouping_or_ordering_5",
    "bad_grouping_or_ordering_6",
    "bad_grouping_or_ordering_7",
    "bad_grouping_or_ordering_8",
    "bad_grouping_or_ordering_9",
    "bad_histograms_0",
    "bad_histograms_1",
    "bad_histograms_10",
    "bad_histograms_11",
    "bad_histograms_12",
    "bad_histograms_13",
    "bad_histograms_14",
    "bad_histograms_2",
    "bad_histograms_3",
    "bad_histograms_6",
    "bad_histograms_7",
    "bad_histograms_8",
    "bad_histograms_9",
    "bad_info_and_stateset_values_",
    "bad_metadata_in_wrong_place_",
    "bad_missing_or_extra_commas_2",
    "bad_missing_or_invalid_labels_for_a_type_",
    "bad_repeated_metadata_0",
    "bad_repeated_metadata_1",
    "bad_repeated_metadata_3",
    "bad_stateset_info_values_",
    "bad_unit_6",
    "bad_unit_7",
};

static bool is_accepted_bad(str name)
{
    for (size_t i = 0; i < TESTS_N(accepted_bad); i++) {
        str row = str_from_z(accepted_bad[i]);
        if (str_eq(name, row) || (str_ends(row, STR("_")) && str_starts(name, row)))
            return true;
    }
    return false;
}

static void test_openmetrics_suite(void **state)
{
    STRBUF_CLEANUP struct strbuf manifest = {0};
    load_or_skip("openmetrics-parsers", "manifest.tsv", &manifest);
    str rest = strbuf_str(&manifest), line, name;
    size_t good = 0, bad = 0, wrong = 0;
    str_cut(&rest, '\n', &line);
    while (str_cut(&rest, '\n', &line)) {
        if (!str_cut(&line, '\t', &name) || name.n == 0)
            continue;
        STRBUF_CLEANUP struct strbuf file = {0}, body = {0};
        strbuf_addf(&file, "%.*s.txt", STR_ARG(name));
        load_or_skip("openmetrics-parsers", file.p, &body);
        struct err err = {0};
        size_t samples;
        bool ok = parse_all(EXPFMT_OPENMETRICS_1_0_0, strbuf_str(&body), &samples, NULL, &err);
        bool should = str_eqz(line, "yes");
        if (ok != (should || is_accepted_bad(name))) {
            print_error("%s: %s\n", file.p, ok ? "accepted" : err.msg);
            wrong++;
        }
        if (!ok)
            assert_true(err.pos.line > 0);
        good += should;
        bad += !should;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(good, 44);
    assert_int_equal(bad, 167);
}

/* The input of a case; `latin1_bytes` has a character for each byte, because it is no UTF-8. */
static str input_of(const struct json_value *row, struct arena *a)
{
    const struct json_value *input = json_get(row, STR("input"));
    str text;
    if (json_as_str(input, &text))
        return text;
    assert_true(json_as_str(json_get(input, STR("latin1_bytes")), &text));
    char *out = arena_alloc(a, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x80)
            c = (unsigned char)((c & 3) << 6 | ((unsigned char)text.p[++i] & 0x3f));
        out[n++] = (char)c;
    }
    return str_of(out, n);
}

static void test_parse_errors(void **state)
{
    STRBUF_CLEANUP struct strbuf file = {0};
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    load_or_skip("", "parse_errors.jsonl", &file);
    str rest = strbuf_str(&file), line;
    size_t cases = 0, taken = 0, wrong = 0;
    while (str_cut(&rest, '\n', &line) && line.n) {
        struct err err = {0};
        struct json_value *row;
        str want, format;
        assert_true(json_parse(line, &a, &row, &err));
        assert_true(json_as_str(json_get(row, STR("error")), &want));
        assert_true(json_as_str(json_get(row, STR("format")), &format));
        bool om = str_eqz(format, "openmetrics");
        size_t samples;
        bool ok = parse_all(om ? EXPFMT_OPENMETRICS_1_0_0 : EXPFMT_TEXT_1_0_0, input_of(row, &a),
                            &samples, NULL, &err);
        /* No message, or the end of the data, is upstream's way to say that there is no error. */
        bool good = want.n == 0 || str_eqz(want, "EOF");
        if (ok != good) {
            print_error("%.*s: %s\n", STR_ARG(line), ok ? "accepted" : err.msg);
            wrong++;
        }
        if (!ok)
            assert_true(err.pos.line > 0 && err.pos.col > 0);
        cases++;
        taken += ok;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(cases, 109);
    assert_int_equal(taken, 10);
}

/*
 * Seeds of the fuzzer of prometheus/common, whose names say which are errors. That parser is not
 * the one that scrapes: these it refuses and the scraper takes (and one the other way round).
 */
static const char *const scraper_differs[] = {
    "from_test_parse_3",        /* HELP without a name */
    "from_test_parse_error_0",  /* no newline at the end */
    "from_test_parse_error_1",  /* an escape that is none */
    "from_test_parse_error_2",  /* a newline in a label value */
    "from_test_parse_error_7",  /* a quantile that is no number */
    "from_test_parse_error_12", /* HELP twice */
    "from_test_parse_error_13", /* TYPE twice */
    "from_test_parse_error_14", /* TYPE after samples */
    "from_test_parse_error_19", /* an le that is no number */
};

static void check_seed(const char *name)
{
    STRBUF_CLEANUP struct strbuf body = {0};
    load_or_skip("common/fuzz-corpus", name, &body);
    struct err err = {0};
    size_t samples;
    bool ok = parse_all(EXPFMT_TEXT_0_0_4, strbuf_str(&body), &samples, NULL, &err);
    bool want = !strstr(name, "error");
    for (size_t i = 0; i < TESTS_N(scraper_differs); i++) {
        if (strcmp(scraper_differs[i], name) == 0)
            want = !want;
    }
    if (ok != want)
        fail_msg("%s: %s", name, ok ? "accepted" : err.msg);
}

static void test_fuzz_seeds(void **state)
{
    DIR *d = opendir(corpus_or_skip("metrics/expfmt/common/fuzz-corpus"));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] != '.')
            check_seed(e->d_name);
    }
    closedir(d);
}

static void test_find_twins(void **state)
{
    char text[80];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('A' + i % 26);
    for (size_t from = 0; from < 20; from++) {
        for (size_t at = from; at < sizeof text; at++) {
            char was = text[at];
            text[at] = "{}\"\n"[at % 4];
            const char *b = text + from, *e = text + sizeof text;
            assert_ptr_equal(expfmt_find(b, e, '{', '}', '"'), text + at);
            assert_ptr_equal(expfmt_find_plain(b, e, '{', '}', '"'), text + at);
            assert_ptr_equal(expfmt_find(b, text + at, '{', '}', '"'), text + at);
            text[at] = was;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_openmetrics_suite),
        cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_fuzz_seeds),
        cmocka_unit_test(test_find_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
