// SPDX-License-Identifier: Apache-2.0
/* Scripts of scrapes of one target: what comes in, what is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/num.h"
#include "base/test.h"
#include "scrape/scrape_int.h"
#include "sys/sim/sim.h"

#define STEPS_MAX 6

struct step {
    const char *body; /* NULL: the fetch failed */
    const char *want; /* samples, one a line, then "up scraped added new" */
};

struct script {
    const char *name;
    const char *conf; /* lines of the scrape_config */
    struct step steps[STEPS_MAX];
};

static const struct script scripts[] = {
    {"plain samples keep coming",
     "",
     {{"a 1\nb{x=\"y\"} 2\n", "a{instance=\"i\",job=\"j\"} 1000 "
                              "1\nb{instance=\"i\",job=\"j\",x=\"y\"} 1000 2\nup 1 2 2 2\n"},
      {"a 3\nb{x=\"y\"} 4\n", "a{instance=\"i\",job=\"j\"} 2000 "
                              "3\nb{instance=\"i\",job=\"j\",x=\"y\"} 2000 4\nup 1 2 2 0\n"}}},
    {"a series that vanishes gets one marker",
     "",
     {{"a 1\nb 1\n",
       "a{instance=\"i\",job=\"j\"} 1000 1\nb{instance=\"i\",job=\"j\"} 1000 1\nup 1 2 2 2\n"},
      {"a 1\n",
       "a{instance=\"i\",job=\"j\"} 2000 1\nb{instance=\"i\",job=\"j\"} 2000 stale\nup 1 1 1 0\n"},
      {"a 1\n", "a{instance=\"i\",job=\"j\"} 3000 1\nup 1 1 1 0\n"},
      {"b 2\n", "b{instance=\"i\",job=\"j\"} 4000 2\na{instance=\"i\",job=\"j\"} 4000 stale\nup 1 "
                "1 1 1\n"}}},
    {"a failed fetch ends all series, once",
     "",
     {{"a 1\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 1 1 1\n"},
      {NULL, "a{instance=\"i\",job=\"j\"} 2000 stale\nup 0 0 0 0\n"},
      {NULL, "up 0 0 0 0\n"},
      {"a 2\n", "a{instance=\"i\",job=\"j\"} 4000 2\nup 1 1 1 0\n"}}},
    {"a body with a mistake stores nothing",
     "",
     {{"a 1\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 1 1 1\n"},
      {"a 2\nb{ 1\n", "a{instance=\"i\",job=\"j\"} 2000 stale\nup 0 1 1 0\n"},
      {"a 3\n", "a{instance=\"i\",job=\"j\"} 3000 3\nup 1 1 1 0\n"}}},
    {"labels that clash are renamed",
     "",
     {{"a{job=\"x\",exported_job=\"y\"} 1\n", "a{exported_exported_job=\"x\",exported_job=\"y\","
                                              "instance=\"i\",job=\"j\"} 1000 1\nup 1 1 1 1\n"}}},
    {"honor_labels keeps those that clash",
     "    honor_labels: true\n",
     {{"a{job=\"x\"} 1\n", "a{instance=\"i\",job=\"x\"} 1000 1\nup 1 1 1 1\n"}}},
    {"timestamps of the target are kept and never go stale",
     "",
     {{"a 1 500\nb 1\n",
       "a{instance=\"i\",job=\"j\"} 500 1\nb{instance=\"i\",job=\"j\"} 1000 1\nup 1 2 2 2\n"},
      {"c 1\n", "c{instance=\"i\",job=\"j\"} 2000 1\nb{instance=\"i\",job=\"j\"} 2000 stale\nup 1 "
                "1 1 1\n"}}},
    {"unless they are tracked",
     "    track_timestamps_staleness: true\n",
     {{"a 1 500\n", "a{instance=\"i\",job=\"j\"} 500 1\nup 1 1 1 1\n"},
      {"", "a{instance=\"i\",job=\"j\"} 2000 stale\nup 1 0 0 0\n"}}},
    {"or not honoured",
     "    honor_timestamps: false\n",
     {{"a 1 500\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 1 1 1\n"},
      {"", "a{instance=\"i\",job=\"j\"} 2000 stale\nup 1 0 0 0\n"}}},
    {"a series twice without a time counts once",
     "",
     {{"a 1\na 2\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 2 1 1\n"},
      {"a 1\na 2\n", "a{instance=\"i\",job=\"j\"} 2000 1\nup 1 2 1 0\n"}}},
    {"twice with a time counts twice",
     "",
     {{"a 1 100\na 2 200\n",
       "a{instance=\"i\",job=\"j\"} 100 1\na{instance=\"i\",job=\"j\"} 200 2\nup 1 2 2 1\n"}}},
    {"the same labels in another order are the same series",
     "",
     {{"a{x=\"1\",y=\"2\"} 1\n",
       "a{instance=\"i\",job=\"j\",x=\"1\",y=\"2\"} 1000 1\nup 1 1 1 1\n"},
      {"a{y=\"2\",x=\"1\"} 2\n",
       "a{instance=\"i\",job=\"j\",x=\"1\",y=\"2\"} 2000 2\nup 1 1 1 1\n"}}},
    {"sample_limit fails the scrape",
     "    sample_limit: 1\n",
     {{"a 1\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 1 1 1\n"},
      {"a 1\nb 1\nc 1\n", "a{instance=\"i\",job=\"j\"} 2000 stale\nup 0 3 2 1\n"},
      {"a 1\n", "a{instance=\"i\",job=\"j\"} 3000 1\nup 1 1 1 0\n"}}},
    {"and counts after relabelling",
     "    sample_limit: 1\n"
     "    metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n",
     {{"a 1\nb 1\n", "a{instance=\"i\",job=\"j\"} 1000 1\nup 1 2 1 1\n"}}},
    {"label_limit", "    label_limit: 3\n", {{"a{x=\"y\"} 1\n", "up 0 1 0 0\n"}}},
    {"label_name_length_limit",
     "    label_name_length_limit: 8\n",
     {{"a{xxxxxxxxx=\"y\"} 1\n", "up 0 1 0 0\n"}}},
    {"label_value_length_limit",
     "    label_value_length_limit: 3\n",
     {{"a{x=\"yyyy\"} 1\n", "up 0 1 0 0\n"}}},
    {"metric_relabel_configs",
     "    metric_relabel_configs: [{source_labels: [x], target_label: z}, {regex: x, action: "
     "labeldrop}]\n",
     {{"a{x=\"y\"} 1\n", "a{instance=\"i\",job=\"j\",z=\"y\"} 1000 1\nup 1 1 1 1\n"}}},
    {"legacy names",
     "    metric_name_validation_scheme: legacy\n",
     {{"{\"a.b\"} 1\n", "up 0 1 0 0\n"}}},
    {"new series of failed scrapes do not pile up",
     "    label_limit: 3\n",
     {{"a 1\nb{x=\"y\"} 1\n", "up 0 2 1 1\n"},
      {"c 1\nb{x=\"y\"} 1\n", "up 0 2 1 1\n"},
      {"d 1\n", "d{instance=\"i\",job=\"j\"} 3000 1\nup 1 1 1 1\n"}}},
};

struct fixture {
    const char *content_type; /* NULL: text */
    struct sim *sim;
    struct env env;
    struct prom_config *config;
    struct job *job;
    struct cache cache;
    uint64_t metadata_hash;
    bool created;
};

static void start(struct fixture *f, const char *lines)
{
    struct strbuf text STRBUF_CLEANUP = {0}, report STRBUF_CLEANUP = {0};
    struct conf_diags *d = conf_diags_new();
    struct err err;
    strbuf_addf(&text, "scrape_configs:\n  - job_name: j\n%s", lines);
    f->sim = sim_new(1);
    f->env = sim_env(f->sim);
    f->config = conf_load_prometheus(&(struct conf_input){.text = strbuf_str(&text)}, d);
    conf_diags_print(d, &report);
    if (!f->config)
        fail_msg("%s", report.p);
    f->job = job_new(f->config->scrape.at, false, NULL, &err);
    assert_non_null(f->job);
    conf_diags_free(d);
}

static void stop(struct fixture *f)
{
    cache_fini(&f->cache);
    job_unref(f->job);
    conf_free(f->config);
    sim_free(f->sim);
}

static const struct label target_labels[] = {{STR_INIT("instance"), STR_INIT("i")},
                                             {STR_INIT("job"), STR_INIT("j")}};

static void scrape(struct fixture *f, const char *body, ts_ms t, struct emitter *e,
                   struct report_out *out)
{
    struct report_in in = {
        .conf = f->job->conf,
        .metric_relabel = f->job->metric_relabel,
        .target = {target_labels, 2},
        .series_max = 100,
        .created = f->created,
        .cache = &f->cache,
        .metadata_hash = &f->metadata_hash,
        .t = t,
        .env = &f->env,
        .failure = body || e ? SCRAPE_OK : SCRAPE_FETCH,
        .content_type =
            f->content_type ? str_from_z(f->content_type) : STR("text/plain; version=1.0.0"),
        .body = str_from_z(body ? body : ""),
        .emitter = e,
    };
    report_make(&in, out);
}

static double row(const struct batch *b, const char *name)
{
    for (size_t i = 0; i < b->series_n; i++)
        if (str_eqz(labels_metric_name(b->series[i].labels), name))
            return b->v[b->series[i].first];
    fail_msg("no %s", name);
    return 0;
}

static bool is_report(str name)
{
    return str_eqz(name, "up") || str_starts(name, STR("scrape_"));
}

static void print(const struct batch *b, struct strbuf *out)
{
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        char v[F64_TEXT_MAX];
        assert_int_equal(s->hash, labels_hash(s->labels));
        if (is_report(labels_metric_name(s->labels)))
            continue;
        labels_format(s->labels, out);
        f64_format(b->v[s->first], v);
        strbuf_addf(out, " %lld %s\n", (long long)b->t[s->first],
                    is_stale_nan(b->v[s->first]) ? "stale" : v);
    }
    strbuf_addf(out, "up %g %g %g %g\n", row(b, "up"), row(b, "scrape_samples_scraped"),
                row(b, "scrape_samples_post_metric_relabeling"), row(b, "scrape_series_added"));
}

static void test_scripts(void **state)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const struct script *s = &scripts[i];
        struct fixture f = {0};
        start(&f, s->conf);
        for (int j = 0; j < STEPS_MAX && s->steps[j].want; j++) {
            struct strbuf got STRBUF_CLEANUP = {0};
            struct report_out out;
            scrape(&f, s->steps[j].body, 1000 * (j + 1), NULL, &out);
            print(out.batch, &got);
            if (strcmp(got.p, s->steps[j].want) != 0)
                fail_msg("%s, step %d:\n%s\nwanted:\n%s\n%s", s->name, j, got.p, s->steps[j].want,
                         out.err.msg);
            batch_free(out.batch);
        }
        assert_true(f.cache.list.n <= 4);
        stop(&f);
    }
}

static void test_failures_are_told(void **state)
{
    struct fixture f = {0};
    struct report_out out;
    start(&f, "    sample_limit: 1\n");
    scrape(&f, "a 1\nb 1\n", 1000, NULL, &out);
    assert_int_equal(out.failure, SCRAPE_SAMPLE_LIMIT);
    assert_non_null(strstr(out.err.msg, "sample_limit"));
    batch_free(out.batch);
    scrape(&f, "a b c d\n", 2000, NULL, &out);
    assert_int_equal(out.failure, SCRAPE_PARSE);
    assert_int_equal(out.err.pos.line, 1);
    batch_free(out.batch);
    stop(&f);
}

static void test_series_limit(void **state)
{
    struct fixture f = {0};
    struct report_out out;
    struct strbuf body STRBUF_CLEANUP = {0};
    start(&f, "");
    for (int round = 0; round < 5; round++) { /* all new each time: the limit is of one scrape */
        strbuf_clear(&body);
        for (int i = 0; i < 100; i++)
            strbuf_addf(&body, "m_%d_%d 1\n", round, i);
        scrape(&f, body.p, 1000 * (round + 1), NULL, &out);
        assert_int_equal(out.failure, SCRAPE_OK);
        batch_free(out.batch);
        assert_true(f.cache.list.n <= 200);
    }
    strbuf_addz(&body, "one_more 1\n");
    scrape(&f, body.p, 9000, NULL, &out);
    assert_int_equal(out.failure, SCRAPE_SERIES_LIMIT);
    batch_free(out.batch);
    stop(&f);
}

static void test_metadata_is_sent_when_it_changes(void **state)
{
    static const struct {
        const char *body;
        size_t n;
    } steps[] = {{"# HELP a one\n# TYPE a counter\na 1\n", 1},
                 {"# HELP a one\n# TYPE a counter\na 2\n", 0},
                 {"# HELP a two\n# TYPE a counter\na 2\n", 1}};
    struct fixture f = {0};
    start(&f, "");
    for (size_t i = 0; i < 3; i++) {
        struct report_out out;
        scrape(&f, steps[i].body, 1000, NULL, &out);
        assert_int_equal(out.batch->metadata_n, steps[i].n);
        if (steps[i].n)
            assert_int_equal(out.batch->metadata[0].type, METRIC_COUNTER);
        batch_free(out.batch);
    }
    stop(&f);
}

static void test_exemplars(void **state)
{
    struct fixture f = {.content_type = "application/openmetrics-text; version=1.0.0"};
    struct report_out out;
    start(&f,
          "    metric_relabel_configs: [{source_labels: [__name__], regex: c_.*, action: drop}]\n");
    scrape(&f,
           "# TYPE a counter\na_total 1 # {trace=\"x\\\"y\"} 0.5 3.25\nc_total 1 # {t=\"1\"} 1\n"
           "b_total 7 # {} 2\nd_total 1\n# EOF\n",
           1000, NULL, &out);
    assert_int_equal(out.failure, SCRAPE_OK);
    const struct batch *b = out.batch;
    assert_int_equal(b->exemplars_n, 2);
    const struct batch_exemplar *x = b->exemplars;
    assert_true(x[0].series == 0 && x[0].t == 3250 && x[0].v == 0.5 && x[0].labels.n == 1);
    assert_true(str_eqz(x[0].labels.at[0].value, "x\"y"));
    assert_true(x[1].series == 1 && x[1].t == 1000 && x[1].v == 2 && x[1].labels.n == 0);
    assert_true(str_eqz(labels_metric_name(b->series[1].labels), "b_total"));
    batch_free(out.batch);
    scrape(&f, "a_total 1 # {trace=\"x\"} 0.5\nbroken", 2000, NULL, &out);
    assert_int_equal(out.failure, SCRAPE_PARSE);
    assert_int_equal(out.batch->exemplars_n, 0);
    batch_free(out.batch);
    stop(&f);
}

/* What each sample of the batch says of its start, after the samples. */
static void print_starts(const struct batch *b, struct strbuf *out)
{
    for (size_t i = 0; i < b->samples_n && b->start; i++)
        if (b->start[i])
            strbuf_addf(out, "%zu since %lld\n", i, (long long)b->start[i]);
}

static const struct {
    const char *name, *body, *off, *on; /* stored without and with start timestamps */
} created_cases[] = {
    {"a counter, its line before or behind it",
     "# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 1.5\na_created{x=\"2\"} 2\n"
     "a_total{x=\"2\"} 1\na_total{x=\"3\"} 1\n# EOF\n",
     "up 1 5 5\n", "up 1 3 3\n0 since 1500\n1 since 2000\n"},
    {"a histogram: all of its series, whatever their le",
     "# TYPE h histogram\nh_bucket{le=\"1\",x=\"1\"} 1\nh_bucket{x=\"1\",le=\"+Inf\"} 1\n"
     "h_count{x=\"1\"} 1\nh_sum{x=\"1\"} 1\nh_count{x=\"2\"} 1\nh_created{x=\"1\"} 3\n# EOF\n",
     "up 1 6 6\n", "up 1 5 5\n0 since 3000\n1 since 3000\n2 since 3000\n3 since 3000\n"},
    {"a summary",
     "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_count 1\ns_sum 1\ns_created 4\n# EOF\n",
     "up 1 4 4\n", "up 1 3 3\n0 since 4000\n1 since 4000\n2 since 4000\n"},
    {"metadata between samples ends no family",
     "# TYPE a counter\na_total 1\n# HELP a text\na_created 5\n# EOF\n", "up 1 2 2\n",
     "up 1 1 1\n0 since 5000\n"},
    {"not a gauge, not without a type, not of another family",
     "# TYPE g gauge\ng_created 1\n# TYPE a counter\na_total 1\n# TYPE b counter\nb_total 1\n"
     "a_created 1\n# TYPE u unknown\nu_created 1\n# EOF\n",
     "up 1 5 5\n", "up 1 5 5\n"},
    {"a time that is none",
     "# TYPE a counter\na_total 1\na_created NaN\n# TYPE b counter\nb_total 1\nb_created -3\n"
     "# TYPE c counter\nc_total 1\nc_created 1e300\n# EOF\n",
     "up 1 6 6\n", "up 1 3 3\n"},
    {"a family whose name is in quotes",
     "# TYPE \"a.b\" counter\n{\"a.b_total\"} 1\n{\"a.b_created\"} 6\n# EOF\n", "up 1 2 2\n",
     "up 1 1 1\n0 since 6000\n"},
};

static void check_created(const char *name, const char *body, bool on, const char *want)
{
    struct fixture f = {.content_type = "application/openmetrics-text; version=1.0.0",
                        .created = on};
    start(&f, "");
    for (int round = 0; round < 2; round++) { /* the second time from the cache */
        struct strbuf got STRBUF_CLEANUP = {0};
        struct report_out out;
        scrape(&f, body, 1000 + round, NULL, &out);
        double added = row(out.batch, "scrape_samples_post_metric_relabeling");
        strbuf_addf(&got, "up %g %g %g\n", row(out.batch, "up"),
                    row(out.batch, "scrape_samples_scraped"), added);
        print_starts(out.batch, &got);
        if (strcmp(got.p, want) != 0)
            fail_msg("%s: got\n%s", name, got.p);
        assert_true(row(out.batch, "scrape_series_added") == (round ? 0 : added));
        batch_free(out.batch);
    }
    stop(&f);
}

static void test_created(void **state)
{
    for (size_t i = 0; i < TESTS_N(created_cases); i++) {
        check_created(created_cases[i].name, created_cases[i].body, false, created_cases[i].off);
        check_created(created_cases[i].name, created_cases[i].body, true, created_cases[i].on);
    }
}

static bool emit_two(struct emitter *e, struct emit *out, struct err *err)
{
    struct label l = {STR("x"), STR("y")};
    emit_family(out, STR("a"), METRIC_GAUGE, STR("help"));
    emit_value(out, STR("a"), NULL, 0, 1);
    emit_value(out, STR("a"), &l, 1, 2);
    return true;
}

static void test_emitter(void **state)
{
    struct emitter e = {emit_two};
    struct fixture f = {0};
    start(&f, "");
    for (int i = 0; i < 2; i++) {
        struct report_out out;
        struct strbuf got STRBUF_CLEANUP = {0};
        scrape(&f, NULL, 1000, &e, &out);
        print(out.batch, &got);
        assert_string_equal(got.p,
                            i == 0 ? "a{instance=\"i\",job=\"j\"} 1000 1\n"
                                     "a{instance=\"i\",job=\"j\",x=\"y\"} 1000 2\nup 1 2 2 2\n"
                                   : "a{instance=\"i\",job=\"j\"} 1000 1\n"
                                     "a{instance=\"i\",job=\"j\",x=\"y\"} 1000 2\nup 1 2 2 0\n");
        batch_free(out.batch);
    }
    stop(&f);
}

static void test_end(void **state)
{
    struct fixture f = {0};
    struct report_out out;
    start(&f, "");
    scrape(&f, "a 1\nb 1 5\n", 1000, NULL, &out);
    batch_free(out.batch);
    struct batch *b = report_end(&f.cache, (struct labels){target_labels, 2}, false, 2000);
    assert_int_equal(b->series_n, 1 + 5); /* not b, which has a timestamp of its own */
    for (size_t i = 0; i < b->samples_n; i++)
        assert_true(is_stale_nan(b->v[i]) && b->t[i] == 2000);
    batch_free(b);
    stop(&f);
}

static void test_changed_settings(void **state)
{
    struct fixture f = {0};
    struct report_out out;
    struct strbuf got STRBUF_CLEANUP = {0};
    start(&f, "");
    scrape(&f, "a 1\nb{x=\"y\"} 1\n", 1000, NULL, &out);
    batch_free(out.batch);
    struct fixture g = {0};
    start(&g, "    metric_relabel_configs: [{regex: x, action: labeldrop}]\n");
    cache_forget(&f.cache);
    g.cache = f.cache;
    f.cache = (struct cache){0};
    scrape(&g, "a 2\nb{x=\"y\"} 2\n", 2000, NULL, &out);
    print(out.batch, &got);
    assert_string_equal(got.p,
                        "a{instance=\"i\",job=\"j\"} 2000 2\nb{instance=\"i\",job=\"j\"} 2000 2\n"
                        "b{instance=\"i\",job=\"j\",x=\"y\"} 2000 stale\nup 1 2 2 2\n");
    batch_free(out.batch);
    stop(&f);
    stop(&g);
}

static void test_schedule(void **state)
{
    uint64_t skipped = 0;
    for (uint64_t hash = 0; hash < 30000; hash += 777) {
        ts_ms at = schedule_first(1000123, 15000, hash);
        assert_true(at >= 1000123 && at < 1000123 + 15000);
        assert_int_equal(at % 15000, hash % 15000);
    }
    assert_int_equal(schedule_next(1000, 1000, 100, &skipped), 1100);
    assert_int_equal(skipped, 0);
    assert_int_equal(schedule_next(1350, 1000, 100, &skipped), 1400);
    assert_int_equal(skipped, 3);
    assert_int_equal(schedule_next(500, 1000, 100, &skipped), 600); /* the clock went back */
    assert_int_equal(schedule_align(1001, 1000, 10000), 1000);
    assert_int_equal(schedule_align(1003, 1000, 10000), 1003);
    assert_int_equal(schedule_align(1001, 1000, 50), 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_series_limit),
        cmocka_unit_test(test_metadata_is_sent_when_it_changes),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_created),
        cmocka_unit_test(test_emitter),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_changed_settings),
        cmocka_unit_test(test_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
