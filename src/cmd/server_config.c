// SPDX-License-Identifier: Apache-2.0
/* Loading the configuration files of the server, all or nothing. */
#include "base/mem.h"
#include "cmd/server_int.h"
#include "net/tls.h"

static bool load_nunchi(struct server_config *c, const char *path, bool strict)
{
    struct conf_input in = {.path = path, .strict = strict, .selector = cmd_check_selector};
    c->nunchi = path ? conf_load_nunchi(&in, c->diags) : conf_nunchi_default();
    return c->nunchi != NULL;
}

static bool load_metrics(struct server_config *c, const char *path, bool strict)
{
    struct conf_input in = {.path = path, .strict = strict};
    if (!path && c->nunchi->metrics) {
        c->metrics = c->nunchi->metrics;
        return true;
    }
    c->own = path ? conf_load_prometheus(&in, c->diags) : conf_default();
    c->metrics = c->own;
    return c->own != NULL;
}

/* With the certificates: a reload brings the files' present content. */
static bool load_web(struct server_config *c, const char *path, bool strict)
{
    struct conf_input in = {.path = path, .strict = strict};
    if (!path)
        return true;
    c->web = conf_load_web(&in, c->diags);
    return c->web && conf_web_tls(c->web, c->diags, &c->tls);
}

struct server_config *server_config_load(const struct server_files *files, struct strbuf *report)
{
    struct server_config *c = mem_new(struct server_config);
    atomic_init(&c->refs, 1);
    c->diags = conf_diags_new();
    bool ok = load_nunchi(c, files->nunchi, files->strict);
    bool twice = ok && files->config && c->nunchi->metrics;
    ok = ok && !twice && load_metrics(c, files->config, files->strict);
    ok &= load_web(c, files->web, files->strict);
    conf_diags_print(c->diags, report);
    if (twice)
        strbuf_addf(report,
                    "error: both --config.file and `metrics` in %s say what to scrape\n"
                    "hint: leave one of them out\n",
                    files->nunchi);
    if (!ok) {
        server_config_unref(c);
        return NULL;
    }
    c->shown.yaml = c->metrics->yaml;
    c->shown.diags = c->diags;
    c->shown.external = c->metrics->global.external_labels.at;
    c->shown.external_n = c->metrics->global.external_labels.n;
    c->shown.otlp = &c->metrics->otlp;
    c->shown.scrape_interval_ms = c->metrics->global.scrape_interval_ms;
    return c;
}

void server_config_unref(void *config)
{
    struct server_config *c = config;
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    if (c->nunchi)
        conf_nunchi_free(c->nunchi);
    if (c->own)
        conf_free(c->own);
    conf_web_free(c->web);
    tls_server_free(c->tls);
    conf_diags_free(c->diags);
    free(c);
}
