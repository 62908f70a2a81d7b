// SPDX-License-Identifier: Apache-2.0
/* Accepting, refusing, typing, inheriting, hiding secrets; corpus of upstream's own test files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/test.h"
#include "conf/schema_int.h"
#include "sys/file.h"

#define SCRAPE "scrape_configs:\n  - job_name: a\n"

static const struct {
    const char *text, *error; /* NULL: accepted */
} cases[] = {
    {"", NULL},
    {"global:\n", NULL},
    {SCRAPE, NULL},
    {"scrape_configs:\n  -\n", "empty or null scrape_config"},
    {"scrape_configs:\n  - job_name: a\n  - job_name: a\n", "two scrape_configs"},
    {"globl: {}\n", "unknown field \"globl\""},
    {"groups: []\n", "a file of rules"},
    {"receivers: []\n", "an alertmanager.yml"},
    {"- targets: [a]\n", "a list of targets"},
    {"- a\n", "must be a mapping"},
    {"groups: []\nglobal:\n", "unknown field \"groups\""},
    {"global: [1]\n", "global must be a mapping"},
    {"global: {scrape_interval: 5}\n", "scrape_interval"},
    {"global: {scrape_interval: 5s, scrape_timeout: 6s}\n", "longer"},
    {SCRAPE "    scrape_interval: 5s\n    scrape_timeout: 6s\n", "longer"},
    {SCRAPE "    honor_labels: maybe\n", "true or false"},
    {SCRAPE "    honor_labels: \"true\"\n", "true or false"},
    {SCRAPE "    sample_limit: -1\n", "sample_limit"},
    {SCRAPE "    sample_limit: 0x10\n", NULL},
    {SCRAPE "    body_size_limit: 100\n", "no unit"},
    {SCRAPE "    body_size_limit: 100MB\n", NULL},
    {SCRAPE "    scheme: ftp\n", "unknown value \"ftp\""},
    {SCRAPE "    params: {a: b}\n", "sequence"},
    {SCRAPE "    static_configs: [{targets: ['http://a']}]\n", "not a host and port"},
    {SCRAPE "    basic_auth: {username: a, password: b}\n    bearer_token: c\n", "at most one"},
    {SCRAPE "    authorization: {type: Basic}\n", "must not be"},
    {SCRAPE "    tls_config: {cert_file: a}\n", "needs"},
    {SCRAPE "    http_headers: {User-Agent: {values: [a]}}\n", "set by nunchi"},
    {SCRAPE "    relabel_configs: [{action: hashmod, target_label: a}]\n", "modulus"},
    {SCRAPE "    relabel_configs: [{regex: 'a(b'}]\n", "regex"},
    {SCRAPE "    relabel_configs: [{action: labeldrop, target_label: a}]\n", "does not take"},
    {SCRAPE "    metric_name_validation_scheme: legacy\n"
            "    relabel_configs: [{target_label: 'a-b'}]\n",
     "not a valid"},
    {SCRAPE "    metric_name_validation_scheme: legacy\n"
            "    relabel_configs: [{target_label: 'a_${1}_$2'}]\n",
     NULL},
    {SCRAPE "    fallback_scrape_protocol: [a]\n", "single value"},
    {SCRAPE "    scrape_protocols: [PrometheusText0.0.4, PrometheusText0.0.4]\n", "twice"},
    {"rule_files: ['a/*/b.yml']\n", "last part"},
    {"otlp:\n", NULL},
    {"otlp: {promote_all_resource_attributes: true, promote_resource_attributes: [a]}\n",
     "at most one"},
    {"otlp: {ignore_resource_attributes: [a]}\n", "needs"},
    {"otlp: {promote_resource_attributes: [a, ' a ']}\n", "there twice"},
    {"otlp: {translation_strategy: None}\n", "unknown value"},
    {"global: {external_labels: {a: !!binary \"/w==\"}}\n", "binary"},
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf_diags *d = conf_diags_new();
        struct err e = {0};
        struct prom_config *c = conf_load_prometheus(
            &(struct conf_input){.path = "t.yml", .text = str_from_z(cases[i].text)}, d);
        conf_diags_first_error(d, &e);
        if (!cases[i].error != !!c || (cases[i].error && !strstr(e.msg, cases[i].error)))
            fail_msg("case %zu: %s\n  got: %s", i, cases[i].text, c ? "accepted" : e.msg);
        if (!c)
            assert_string_equal(e.file, "t.yml");
        conf_free(c);
        conf_diags_free(d);
    }
}

static void test_otlp(void **state)
{
    static const struct {
        const char *text;
        int strategy;
        bool escapes, suffixes;
        size_t promoted;
    } rows[] = {
        {"", CONF_OTLP_ESCAPE_SUFFIXES, true, true, 0},
        {"otlp: {promote_resource_attributes: [a, ' b ']}\n", CONF_OTLP_ESCAPE_SUFFIXES, true, true,
         2},
        {"otlp: {translation_strategy: NoTranslation}\n", CONF_OTLP_KEEP, false, false, 0},
        {"otlp: {translation_strategy: NoUTF8EscapingWithSuffixes}\n", CONF_OTLP_KEEP_SUFFIXES,
         false, true, 0},
        {"otlp: {translation_strategy: UnderscoreEscapingWithoutSuffixes}\n", CONF_OTLP_ESCAPE,
         true, false, 0},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct conf_diags *d = conf_diags_new();
        struct prom_config *c = conf_load_prometheus(
            &(struct conf_input){.path = "t.yml", .text = str_from_z(rows[i].text)}, d);
        assert_non_null(c);
        assert_int_equal(conf_diags_count(d), 0);
        assert_int_equal(c->otlp.strategy, rows[i].strategy);
        assert_int_equal(conf_otlp_escapes(c->otlp.strategy), rows[i].escapes);
        assert_int_equal(conf_otlp_suffixes(c->otlp.strategy), rows[i].suffixes);
        assert_true(c->otlp.label_key_prefix && c->otlp.label_keep_underscores);
        assert_int_equal(c->otlp.promote.n, rows[i].promoted);
        if (rows[i].promoted)
            assert_str(c->otlp.promote.at[1], STR("b"));
        conf_free(c);
        conf_diags_free(d);
    }
}

static void test_diagnostic_text(void **state)
{
    struct conf_diags *d = conf_diags_new();
    struct strbuf out STRBUF_CLEANUP = {0};
    assert_null(conf_load_prometheus(
        &(struct conf_input){.path = "p.yml", .text = STR("global:\n  scrape_intervall: 1m\n")},
        d));
    conf_diags_print(d, &out);
    assert_non_null(
        strstr(out.p, "p.yml:2:3: error: unknown field \"scrape_intervall\" in global"));
    assert_non_null(strstr(out.p, "scrape_intervall: 1m"));
    assert_non_null(strstr(out.p, "did you mean \"scrape_interval\"?"));
    conf_diags_free(d);
}

static const char *fake_env(const char *name)
{
    return strcmp(name, "TEST") == 0 ? "T" : NULL;
}

static void test_values(void **state)
{
    struct conf_diags *d = conf_diags_new();
    struct prom_config *c = conf_load_prometheus(
        &(struct conf_input){
            .path = "/etc/p/p.yml",
            .text = STR("global:\n"
                        "  scrape_interval: 5s\n"
                        "  external_labels: {b: 'x$${TEST}', a: 'foo${TEST}bar$NONE'}\n"
                        "  sample_limit: 7\n"
                        "scrape_configs:\n"
                        "- job_name: a\n"
                        "  bearer_token: hunter2\n"
                        "  tls_config: {ca_file: ca.pem}\n"
                        "  params: {module: [x, y]}\n"
                        "  static_configs: [{targets: ['a:1', 'b:2'], labels: {k: v}}]\n"
                        "  relabel_configs: [{source_labels: [a], regex: , target_label: z}]\n"
                        "- {job_name: b, scrape_interval: 2s, sample_limit: 9}\n"),
            .getenv = fake_env,
        },
        d);
    assert_non_null(c);
    assert_int_equal(c->global.scrape_timeout_ms, 5000);
    assert_int_equal(c->global.evaluation_interval_ms, 60000);
    assert_true(str_eqz(c->global.external_labels.at[0].value, "fooTbar"));
    assert_true(str_eqz(c->global.external_labels.at[1].value, "x${TEST}"));
    assert_int_equal(c->scrape.n, 2);
    const struct conf_scrape *s = c->scrape.at;
    assert_int_equal(s->limits.samples, 7);
    assert_int_equal(s[1].limits.samples, 9);
    assert_int_equal(s[1].timeout_ms, 2000);
    assert_true(str_eqz(s->metrics_path, "/metrics"));
    assert_true(s->honor_timestamps && s->enable_compression && s->http.follow_redirects);
    assert_true(str_eqz(s->http.authorization->credentials.hidden, "hunter2"));
    assert_true(str_eqz(s->http.tls.ca_file, "/etc/p/ca.pem"));
    assert_true(str_eqz(s->params.at[0].values.at[1], "y"));
    assert_true(str_eqz(s->static_configs.at[0].targets.at[1], "b:2"));
    assert_true(str_eqz(s->relabel.at[0].regex, ""));
    assert_true(str_eqz(s->relabel.at[0].replacement, "$1"));
    assert_int_equal(s->protocols.n, 4);
    assert_int_equal(s->pos.line, 6);
    assert_true(str_find(c->yaml, STR("hunter2")) < 0);
    assert_true(str_find(c->yaml, STR("bearer_token: <secret>")) > 0);
    conf_free(c);
    conf_diags_free(d);
}

static void test_yaml_reloads(void **state)
{
    struct conf_diags *d = conf_diags_new();
    str text = STR("global: {external_labels: {\"a b\": \"1\", c: 'x: \"y\" # z', d: null}}\n"
                   "scrape_configs:\n- job_name: '5'\n  params: {a: [], b: [[]]}\n");
    text = STR("global: {external_labels: {\"a b\": \"1\", c: 'x: \"y\" # z', d: }}\n"
               "scrape_configs:\n- job_name: '5'\n  params: {a: [], b: ['-']}\n"
               "  static_configs:\n  - targets: ['a:1']\n    labels: {x: y}\n");
    struct prom_config *a = conf_load_prometheus(&(struct conf_input){.text = text}, d);
    assert_non_null(a);
    struct prom_config *b = conf_load_prometheus(&(struct conf_input){.text = a->yaml}, d);
    assert_non_null(b);
    assert_true(str_eq(a->yaml, b->yaml));
    assert_true(str_eqz(b->global.external_labels.at[1].value, "x: \"y\" # z"));
    assert_true(str_eqz(b->scrape.at[0].static_configs.at[0].labels.at[0].value, "y"));
    conf_free(a);
    conf_free(b);
    conf_diags_free(d);
}

static void test_secrets_are_not_quoted(void **state)
{
    static const char *const texts[] = {
        SCRAPE "    basic_auth: {username: a, password: hunter2, bad: x}\n",
        SCRAPE "    bearer_tokn: hunter2\n",
        SCRAPE "    authorization:\n      credentials: [hunter2]\n",
        SCRAPE "    authorizaton: {credentials: hunter2}\n",
        SCRAPE "    authorizaton:\n      credentials: hunter2\n",
        SCRAPE "    my_Token: hunter2\n",
        SCRAPE "    my_blocks: [{a: hunter2}]\n",
        SCRAPE "    proxy_url: http://a:hunter2@b\n    bad: x\n",
        SCRAPE "    proxy_url: ://a:hunter2@b\n",
        SCRAPE "    proxy_urll: http://a:hunter2@b\n",
        SCRAPE "    basic_auth: {password: \"hunter2}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct conf_diags *d = conf_diags_new();
        struct strbuf out STRBUF_CLEANUP = {0};
        assert_null(conf_load_prometheus(&(struct conf_input){.text = str_from_z(texts[i])}, d));
        conf_diags_print(d, &out);
        if (strstr(out.p, "hunter2"))
            fail_msg("%s", out.p);
        conf_diags_free(d);
    }
}

static void test_passwords_in_urls(void **state)
{
    static const char *const rows[][2] = {
        {"http://u:p@h/", "http://u:<secret>@h/"},
        {"http://u:p@q@h", "http://u:<secret>@h"},
        {"a http://u:p@h b https://v:q@i", "a http://u:<secret>@h b https://v:<secret>@i"},
        {"http://u@h:80/a:b@c", NULL},
        {"http://h:80/a@b", NULL},
        {"http://u:@h", NULL},
        {"u:p@h", NULL},
        {"://", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf out STRBUF_CLEANUP = {0};
        conf_mask_url_passwords(str_from_z(rows[i][0]), &out);
        assert_str(strbuf_str(&out), str_from_z(rows[i][1] ? rows[i][1] : rows[i][0]));
    }
    str text = STR("remote_write: [{url: 'http://u:hunter2@h'}]\n");
    struct conf_diags *d = conf_diags_new();
    struct prom_config *c = conf_load_prometheus(&(struct conf_input){.text = text}, d);
    assert_non_null(c);
    assert_str(c->yaml, STR("remote_write:\n- url: \"http://u:<secret>@h\"\n"));
    assert_int_equal(conf_diags_at(d, 0)->text.n, 0);
    conf_free(c);
    conf_diags_free(d);
}

static void test_told_from_top_to_bottom(void **state)
{
    str text = STR("scrape_configs:\n- job_name: a\n  scrape_interval: 1s\n  scrape_timeout: x\n"
                   "  relabel_configs:\n  - regex: '('\n    action: x\nglobl: {}\n");
    struct conf_diags *d = conf_diags_new();
    assert_null(conf_load_prometheus(&(struct conf_input){.text = text}, d));
    assert_true(conf_diags_count(d) > 3);
    for (size_t i = 1; i < conf_diags_count(d); i++)
        assert_true(conf_diags_at(d, i - 1)->err.pos.line <= conf_diags_at(d, i)->err.pos.line);
    conf_diags_free(d);
}

static void test_not_built(void **state)
{
    str text = STR("remote_write: [{url: 'http://a', queue_config: {capacity: 5}}]\n"
                   "storage: {tsdb: {out_of_order_time_window: 30m}}\n");
    struct conf_diags *d = conf_diags_new();
    struct prom_config *c = conf_load_prometheus(&(struct conf_input){.text = text}, d);
    assert_non_null(c);
    assert_int_equal(conf_diags_count(d), 1);
    assert_false(conf_diags_at(d, 0)->is_error);
    assert_int_equal(conf_diags_at(d, 0)->err.pos.line, 1);
    conf_free(c);
    assert_null(conf_load_prometheus(&(struct conf_input){.text = text, .strict = true}, d));
    conf_diags_free(d);
}

static void test_error_limit(void **state)
{
    struct strbuf text STRBUF_CLEANUP = {0};
    for (int i = 0; i < 50; i++)
        strbuf_addf(&text, "unknown_%d: 1\n", i);
    struct conf_diags *d = conf_diags_new();
    assert_null(conf_load_prometheus(&(struct conf_input){.text = strbuf_str(&text)}, d));
    assert_int_equal(conf_diags_count(d), CONF_ERRORS_MAX);
    conf_diags_free(d);
}

static void test_nunchi(void **state)
{
    struct conf_diags *d = conf_diags_new();
    struct nunchi_config *n = conf_nunchi_default();
    assert_true(str_eqz(n->listen, "127.0.0.1:9090"));
    assert_int_equal(n->storage.retention_ms, 15LL * 86400000);
    assert_int_equal(n->limits.query_samples, 50000000);
    conf_nunchi_free(n);
    n = conf_load_nunchi(
        &(struct conf_input){.text = STR("listen: ':80'\nstorage: {durability: fast, memory: 1GB}\n"
                                         "metrics:\n  global: {scrape_interval: 3s}\n")},
        d);
    assert_non_null(n);
    assert_int_equal(n->storage.durability, CONF_FAST);
    assert_int_equal(n->storage.memory_bytes, 1 << 30);
    assert_int_equal(n->metrics->global.scrape_interval_ms, 3000);
    conf_nunchi_free(n);
    n = conf_load_nunchi(
        &(struct conf_input){.text = STR("storage:\n  retention_size: 20GB\n  retention_by:\n"
                                         "  - {match: '{job=\"a\"}', keep: 30d}\n"
                                         "  - {match: up, keep: 0}\n")},
        d);
    assert_non_null(n);
    assert_int_equal(n->storage.retention_bytes, 20ULL << 30);
    assert_int_equal(n->storage.retention_by.n, 2);
    assert_true(str_eqz(n->storage.retention_by.at[0].match, "{job=\"a\"}"));
    assert_int_equal(n->storage.retention_by.at[0].keep_ms, 30LL * 86400000);
    conf_nunchi_free(n);
    assert_null(conf_load_nunchi(
        &(struct conf_input){.text = STR("storage: {retention_by: [{match: up}]}\n")}, d));
    assert_null(conf_load_nunchi(&(struct conf_input){.text = STR("listen: localhost\n")}, d));
    assert_null(conf_load_nunchi(&(struct conf_input){.text = STR("metrics: [a]\n")}, d));
    assert_null(conf_load_nunchi(&(struct conf_input){.text = STR("metrics: {globl: 1}\n")}, d));
    conf_diags_free(d);
}

static const struct {
    const char *text, *error; /* of nunchi.yml; NULL: accepted */
    uint32_t line, col;       /* of the error */
} tier_cases[] = {
    {"storage: {tiers: ''}\n", NULL, 0, 0},
    {"storage:\n  tiers:\n", NULL, 0, 0},
    {"storage:\n  tiers: raw 15d, 5m 90d, 1h 2y\n", NULL, 0, 0},
    {"storage:\n  tiers: 5m  90d,1h 2y\n", NULL, 0, 0},
    {"storage:\n  retention: 15d\n  tiers: raw 15d, 5m 90d\n", NULL, 0, 0},
    {"storage:\n  tiers: raw 20d\n", NULL, 0, 0},
    {"storage:\n  tiers: raw 15d, 5m\n", "not a step and how long", 3, 0},
    {"storage:\n  tiers: 5x 90d\n", "not a valid duration", 2, 10},
    {"storage:\n  tiers: raw 15d, 5m 90\n", "not a valid duration", 2, 22},
    {"storage:\n  tiers: raw 15d, 5m 0\n", "a duration of zero", 2, 22},
    {"storage:\n  tiers: raw 15d, 5m 10d\n", "not kept for longer", 2, 22},
    {"storage:\n  tiers: raw 15d, 5m 90d, 1h 90d\n", "not kept for longer", 2, 30},
    {"storage:\n  tiers: 5m 90d, 7m 2y\n", "a multiple of the one before", 2, 18},
    {"storage:\n  tiers: 5m 90d, 5m 2y\n", "a multiple of the one before", 2, 18},
    {"storage:\n  tiers: 7m 90d\n", "divides a day", 2, 10},
    {"storage:\n  tiers: 1w 90d\n", "from 1s to 1d", 2, 10},
    {"storage:\n  tiers: 500ms 90d\n", "from 1s to 1d", 2, 10},
    {"storage:\n  tiers: 5m 90d, raw 15d\n", "raw stands first", 2, 18},
    {"storage:\n  tiers: 1m 20d, 5m 30d, 1h 1y, 6h 2y, 1d 3y\n", "too many tiers", 2, 40},
    {"storage:\n  retention: 10d\n  tiers: raw 15d, 5m 90d\n", "different things", 3, 10},
    {"storage:\n  retention: 0\n  tiers: 5m 90d\n", "dropped one day", 3, 10},
};

static void test_tiers(void **state)
{
    for (size_t i = 0; i < TESTS_N(tier_cases); i++) {
        struct conf_diags *d = conf_diags_new();
        struct err e;
        struct nunchi_config *n =
            conf_load_nunchi(&(struct conf_input){.text = str_from_z(tier_cases[i].text)}, d);
        bool failed = conf_diags_first_error(d, &e);
        if (failed != (tier_cases[i].error != NULL) ||
            (failed && !strstr(e.msg, tier_cases[i].error)))
            fail_msg("case %zu: %s", i, failed ? e.msg : "accepted");
        if (failed && tier_cases[i].col) {
            assert_int_equal(e.pos.line, tier_cases[i].line);
            assert_int_equal(e.pos.col, tier_cases[i].col);
        }
        conf_nunchi_free(n);
        conf_diags_free(d);
    }
    struct conf_diags *d = conf_diags_new();
    struct nunchi_config *n =
        conf_load_nunchi(&(struct conf_input){.text = str_from_z(tier_cases[2].text)}, d);
    assert_int_equal(n->storage.retention_ms, 15LL * 86400000);
    assert_int_equal(n->storage.tiers.n, 2);
    assert_int_equal(n->storage.tiers.at[0].step_ms, 300000);
    assert_int_equal(n->storage.tiers.at[1].keep_ms, 2LL * 365 * 86400000);
    conf_nunchi_free(n);
    conf_diags_free(d);
}

/* ---- web.yml ---- */

#define WEB_TLS "tls_server_config: {cert_file: c.pem, key_file: k.pem"
#define WEB_UNSAFE "not be safe"

static const struct {
    const char *text, *error; /* NULL: accepted */
    uint32_t line, col;       /* of the error */
    size_t warnings;
} web_cases[] = {
    {"", NULL, 0, 0, 0},
    {"tls_server_config:\n", NULL, 0, 0, 0},
    {"tls_server_config: {}\n", NULL, 0, 0, 0},
    {WEB_TLS "}\n", NULL, 0, 0, 0},
    {WEB_TLS ", min_version: TLS13}\n", NULL, 0, 0, 0},
    {WEB_TLS ", min_version: TLS10}\n", NULL, 0, 0, 1},
    {WEB_TLS ", max_version: TLS12}\n", NULL, 0, 0, 1},
    {WEB_TLS ", prefer_server_cipher_suites: false}\n", NULL, 0, 0, 0},
    {WEB_TLS ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: a}\n", NULL, 0, 0, 0},
    {WEB_TLS ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: a}\n", NULL, 0, 0, 0},
    {"rate_limit: {burst: 5, interval: 1s}\nhttp_server_config: {http2: false}\n", NULL, 0, 0, 1},
    {"basic_auth_users: {}\n", NULL, 0, 0, 0},
    {"\nbasic_auth_users: {alice: hunter2}\n", WEB_UNSAFE, 2, 1, 0},
    {"basic_auth_users:\n  alice: hunter2\n", WEB_UNSAFE, 1, 1, 0},
    {"http_server_config:\n  headers: {X-Frame-Options: deny}\n", WEB_UNSAFE, 2, 3, 0},
    {"tls_server_config:\n  cert: x\n  key: hunter2\n", WEB_UNSAFE, 2, 3, 0},
    {WEB_TLS ",\n  cipher_suites: [TLS_AES_128_GCM_SHA256]}\n", WEB_UNSAFE, 2, 3, 0},
    {WEB_TLS ",\n  curve_preferences: [X25519]}\n", WEB_UNSAFE, 2, 3, 0},
    {WEB_TLS ",\n  client_allowed_sans: [a]}\n", WEB_UNSAFE, 2, 3, 0},
    {WEB_TLS ",\n  client_auth_type: RequestClientCert}\n", "without checking", 2, 21, 0},
    {WEB_TLS ",\n  client_auth_type: RequireAnyClientCert}\n", "without checking", 2, 21, 0},
    {WEB_TLS ",\n  client_auth_type: RequireAndVerifyClientCert}\n", "nothing to check", 2, 21, 0},
    {WEB_TLS ",\n  client_auth_type: RequireAndVerify}\n", "unknown value", 2, 21, 0},
    {WEB_TLS ",\n  client_ca_file: a}\n", "has no effect without", 2, 19, 0},
    {"tls_server_config: {cert_file: c.pem}\n", "cert_file", 1, 21, 0},
    {"tls_server_config: {min_version: TLS13}\n", "no TLS", 1, 20, 0},
    {"tls_server_config: {certfile: a}\n", "unknown field", 1, 21, 0},
    {"basic_auth_user: {alice: hunter2}\n", "unknown field", 1, 1, 0},
};

static void test_web(void **state)
{
    for (size_t i = 0; i < sizeof web_cases / sizeof *web_cases; i++) {
        struct conf_diags *d = conf_diags_new();
        struct strbuf out STRBUF_CLEANUP = {0};
        struct err e = {0};
        const char *want = web_cases[i].error;
        struct web_config *c = conf_load_web(
            &(struct conf_input){.path = "web.yml", .text = str_from_z(web_cases[i].text)}, d);
        conf_diags_first_error(d, &e);
        conf_diags_print(d, &out);
        if (!want != !!c || (want && !strstr(e.msg, want)) || e.pos.line != web_cases[i].line ||
            e.pos.col != web_cases[i].col ||
            conf_diags_count(d) - conf_diags_errors(d) != web_cases[i].warnings ||
            (out.p && strstr(out.p, "hunter2")))
            fail_msg("case %zu: %s\n  got: %s", i, web_cases[i].text, out.p ? out.p : "accepted");
        conf_web_free(c);
        conf_diags_free(d);
    }
}

static void test_web_values(void **state)
{
    str text = STR("tls_server_config:\n  cert_file: c.pem\n  key_file: /k.pem\n"
                   "  client_ca_file: a.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
                   "  min_version: TLS13\n");
    struct conf_diags *d = conf_diags_new();
    struct web_config *c =
        conf_load_web(&(struct conf_input){.path = "/no/such/web.yml", .text = text}, d);
    assert_non_null(c);
    assert_true(str_eqz(c->tls.cert_file, "/no/such/c.pem"));
    assert_true(str_eqz(c->tls.key_file, "/k.pem"));
    assert_true(str_eqz(c->tls.client_ca_file, "/no/such/a.pem"));
    assert_int_equal(c->tls.client_auth, CONF_CLIENT_REQUIRED);
    assert_int_equal(c->tls.min_version, CONF_TLS13);
    struct tls_server *tls = NULL;
    struct err e;
    assert_false(conf_web_tls(c, d, &tls));
    assert_null(tls);
    assert_true(conf_diags_first_error(d, &e));
    assert_string_equal(e.file, "/no/such/web.yml");
    assert_int_equal(e.pos.line, 2);
    assert_non_null(strstr(e.msg, "/no/such/c.pem: No such file"));
    conf_web_free(c);
    conf_diags_free(d);
}

/* ---- the reference pages ---- */

static void test_reference_is_current(void **state)
{
    static const struct {
        enum conf_kind kind;
        const char *page;
    } pages[] = {{CONF_KIND_PROMETHEUS, "prometheus.yml.md"},
                 {CONF_KIND_NUNCHI, "nunchi.yml.md"},
                 {CONF_KIND_WEB, "web.yml.md"}};
    const char *root = getenv("NUNCHI_SOURCE");
    if (!root)
        skip();
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct strbuf want STRBUF_CLEANUP = {0}, path STRBUF_CLEANUP = {0};
        struct arena a ARENA_CLEANUP = {0};
        struct err e;
        str have = {0};
        strbuf_addf(&path, "%s/docs/reference/%s", root, pages[i].page);
        conf_reference(pages[i].kind, &want);
        if (getenv("NUNCHI_WRITE_REFERENCE")) {
            FILE *f = fopen(path.p, "w");
            assert_non_null(f);
            fwrite(want.p, 1, want.n, f);
            fclose(f);
        }
        if (!file_read(path.p, 1 << 20, &a, &have, &e) || !str_eq(have, strbuf_str(&want)))
            fail_msg("%s is not what the tables say; write it with NUNCHI_WRITE_REFERENCE=1",
                     path.p);
    }
}

/* ---- corpus ---- */

static const struct {
    const char *name;
    bool accepted; /* what we answer where the name of the file says otherwise or nothing */
    const char *why;
} exceptions[] = {
    {"prometheus/agent_mode.with_alert_manager.yml", true, "refused upstream in agent mode only"},
    {"prometheus/agent_mode.with_alert_relabels.yml", true, "refused upstream in agent mode only"},
    {"prometheus/agent_mode.with_remote_reads.yml", true, "refused upstream in agent mode only"},
    {"prometheus/agent_mode.with_rule_files.yml", true, "refused upstream in agent mode only"},
    {"prometheus/agent_mode.without_remote_writes.yml", true, "refused in agent mode only"},
    {"prometheus/config_with_deprecated_am_api_config.yml", false, "api_version v1 is gone"},
    {"prometheus/otlp_allow_utf8.incompatible.yml", false, "utf8 strategy, legacy names"},
    {"prometheus/otlp_no_translation.incompatible.yml", false, "utf8 strategy, legacy names"},
    {"promtool/prometheus-config.bad.yml", false, "unknown key"},
    {"promtool/prometheus-config.rules.good.yml", false, "a rule file"},
    {"promtool/prometheus-rules.lint.yml", false, "a rule file"},
    {"promtool/features.yml", false, "a rule file"},
    {"promtool/good-sd-file.yml", false, "a file_sd file"},
    {"promtool/good-sd-file.yaml", false, "a file_sd file"},
    {"promtool/bad-sd-file-format.yml", false, "a file_sd file"},
    {"promtool/authorization_credentials_file.bad.yml", true, "missing file: conf_check tells"},
    {"promtool/url_in_alert_targetgroup_with_relabel_config.bad.yml", true,
     "needs relabelling, which is above this folder"},
    {"promtool/url_in_scrape_targetgroup_with_relabel_config.bad.yml", true,
     "needs relabelling, which is above this folder: the target is dropped with an error"},
    {"http_config/http.conf.basic-auth.bad-username.yaml", false, "two user names"},
    {"http_config/http.conf.invalid-bearer-token-file.bad.yml", true, "missing file"},
    {"examples/rbac-setup.yml", false, "a Kubernetes file"},
    {"examples/web-config.yml", false, "logins are not built"},
    {"examples/promtool-http-config-file.yml", false, "an HTTP client file"},
    {"prometheus/first.rules", false, "a rule file"},
};

static bool expected(const char *name)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strcmp(exceptions[i].name, name) == 0)
            return exceptions[i].accepted;
    return !strstr(name, ".bad.");
}

static enum conf_kind kind_of(const char *name)
{
    if (strncmp(name, "http_config/tls_config", 22) == 0)
        return CONF_KIND_TLS;
    if (strcmp(name, "examples/web-config.yml") == 0)
        return CONF_KIND_WEB;
    return strncmp(name, "http_config/", 12) == 0 ? CONF_KIND_HTTP_CLIENT : CONF_KIND_PROMETHEUS;
}

static size_t check_folder(const char *corpus, const char *pattern, size_t *wrong)
{
    struct arena a ARENA_CLEANUP = {0};
    struct err e;
    str *paths;
    size_t n = 0, skip = strlen(corpus) + 1;
    str glob = arena_printf(&a, "%s/%s", corpus, pattern);
    assert_true(file_glob(glob.p, 1000, &a, &paths, &n, &e));
    for (size_t i = 0; i < n; i++) {
        const char *name = paths[i].p + skip;
        struct strbuf report STRBUF_CLEANUP = {0};
        struct conf_diags *d = conf_diags_new();
        str text = {0};
        assert_true(file_read(paths[i].p, 1 << 20, &a, &text, &e));
        bool ok = conf_check_text(text, paths[i].p, kind_of(name), false, d);
        if (ok != expected(name)) {
            conf_diags_print(d, &report);
            print_message("# %s: %s\n%s", name, ok ? "accepted" : "refused",
                          report.p ? report.p : "");
            ++*wrong;
        }
        conf_diags_free(d);
    }
    return n;
}

static void test_corpus(void **state)
{
    static const char *const patterns[] = {"prometheus/*.yml",   "prometheus/scrape_configs/*.yml",
                                           "promtool/*.y*ml",    "http_config/*.y*ml",
                                           "http_config/*.json", "examples/*.yml"};
    const char *folder = corpus_or_skip("metrics/config");
    size_t n = 0, wrong = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        n += check_folder(folder, patterns[i], &wrong);
    print_message("# %zu of %zu files as expected\n", n - wrong, n);
    assert_true(n > 200);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_diagnostic_text),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_yaml_reloads),
        cmocka_unit_test(test_secrets_are_not_quoted),
        cmocka_unit_test(test_passwords_in_urls),
        cmocka_unit_test(test_told_from_top_to_bottom),
        cmocka_unit_test(test_not_built),
        cmocka_unit_test(test_error_limit),
        cmocka_unit_test(test_nunchi),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_web),
        cmocka_unit_test(test_web_values),
        cmocka_unit_test(test_reference_is_current),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
