// SPDX-License-Identifier: Apache-2.0
/* From an address to a target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scrape/scrape_int.h"

static const struct {
    const char *conf, *address;
    enum target_fate fate;
    const char *labels, *url; /* or a part of the error */
} cases[] = {
    {"", "a:1", TARGET_KEPT, "{instance=\"a:1\",job=\"j\"}", "http://a:1/metrics"},
    {"    scheme: https\n    metrics_path: /x\n", "a", TARGET_KEPT, "{instance=\"a\",job=\"j\"}",
     "https://a/x"},
    {"    params: {m: [b c, d], k: [v]}\n", "a", TARGET_KEPT, "{instance=\"a\",job=\"j\"}",
     "http://a/metrics?k=v&m=b+c&m=d"},
    {"    relabel_configs:\n"
     "    - {source_labels: [__address__], target_label: __param_target}\n"
     "    - {source_labels: [__param_target], target_label: instance}\n"
     "    - {target_label: __address__, replacement: 'p:9115'}\n",
     "http://x/y", TARGET_KEPT, "{instance=\"http://x/y\",job=\"j\"}",
     "http://p:9115/metrics?target=http%3A%2F%2Fx%2Fy"},
    {"    relabel_configs: [{source_labels: [__address__], regex: a, action: drop}]\n", "a",
     TARGET_DROPPED, "", ""},
    {"    relabel_configs: [{target_label: x, replacement: y}]\n", "a/b", TARGET_WRONG, "",
     "host and port"},
    {"    relabel_configs: [{target_label: __address__, replacement: ''}]\n", "a", TARGET_WRONG, "",
     "no address"},
    {"    relabel_configs: [{target_label: __scrape_interval__, replacement: 1s}]\n", "a",
     TARGET_WRONG, "", "longer"},
    {"    relabel_configs: [{target_label: __scrape_timeout__, replacement: x}]\n", "a",
     TARGET_WRONG, "", "scrape timeout"},
    {"    relabel_configs: [{target_label: __scheme__, replacement: ftp}]\n", "a", TARGET_WRONG, "",
     "http"},
    {"    relabel_configs: [{target_label: __metrics_path__, replacement: 'probe?x=1'}]\n"
     "    params: {m: [v]}\n",
     "a", TARGET_KEPT, "{instance=\"a\",job=\"j\"}", "http://a/probe?x=1&m=v"},
};

static void check(size_t i, struct arena *a)
{
    struct strbuf text STRBUF_CLEANUP = {0}, got STRBUF_CLEANUP = {0};
    struct conf_diags *d = conf_diags_new();
    struct err err = {0};
    struct target_spec spec = {0};
    strbuf_addf(&text, "scrape_configs:\n  - job_name: j\n%s", cases[i].conf);
    struct prom_config *c =
        conf_load_prometheus(&(struct conf_input){.text = strbuf_str(&text)}, d);
    assert_non_null(c);
    struct job *j = job_new(c->scrape.at, false, NULL, &err);
    assert_non_null(j);
    enum target_fate fate =
        target_make(j, (struct labels){0}, str_from_z(cases[i].address), a, &spec, &err);
    if (fate != cases[i].fate)
        fail_msg("case %zu: fate %d, %s", i, fate, err.msg);
    assert_true(str_eqz(labels_get(spec.discovered, STR("__address__")), cases[i].address));
    if (fate == TARGET_WRONG && !strstr(err.msg, cases[i].url))
        fail_msg("case %zu: %s", i, err.msg);
    if (fate == TARGET_KEPT) {
        labels_format(spec.labels, &got);
        assert_string_equal(got.p, cases[i].labels);
        assert_string_equal(spec.url.p, cases[i].url);
    }
    job_unref(j);
    conf_free(c);
    conf_diags_free(d);
}

static void test_cases(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a ARENA_CLEANUP = {0};
        check(i, &a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
