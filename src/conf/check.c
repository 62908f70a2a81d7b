// SPDX-License-Identifier: Apache-2.0
/* `nunchi check config`: load a file of a kind, look for the files it names, report. */
#include "conf/schema_int.h"
#include "net/tls.h"
#include "sys/file.h"

static bool read_block(const struct conf_schema *s, const struct conf_input *in,
                       struct conf_diags *d)
{
    struct arena a ARENA_CLEANUP = {0};
    struct conf_reader r = {.arena = &a, .diags = d};
    struct yaml_node *root;
    bool ok = conf_open(&r, in, &root) && conf_read(&r, s, root, arena_zalloc(&a, s->size));
    conf_reader_fini(&r);
    return ok;
}

static void want_file(struct conf_diags *d, const struct conf_scrape *s, str path)
{
    if (!path.n || file_exists(path.p))
        return;
    struct err e = {.pos = s->pos};
    err_set(&e, ERR_NOT_FOUND, "job \"%.*s\": there is no file %.*s", STR_ARG(s->job_name),
            STR_ARG(path));
    e.pos = s->pos;
    size_t n = s->file.n < sizeof e.file - 1 ? s->file.n : sizeof e.file - 1;
    memcpy(e.file, s->file.p, n);
    e.file[n] = 0;
    conf_diags_add(d, true, &e, (str){0});
}

static void want_files(const struct prom_config *c, struct conf_diags *d)
{
    for (size_t i = 0; i < c->scrape.n; i++) {
        const struct conf_scrape *s = &c->scrape.at[i];
        const struct conf_http *h = &s->http;
        str paths[] = {
            h->tls.ca_file,
            h->tls.cert_file,
            h->tls.key_file,
            h->basic_auth ? h->basic_auth->username_file : (str){0},
            h->basic_auth ? h->basic_auth->password_file : (str){0},
            h->authorization ? h->authorization->credentials_file : (str){0},
        };
        for (size_t j = 0; j < sizeof paths / sizeof *paths; j++)
            want_file(d, s, paths[j]);
    }
}

static bool check_web(const struct conf_input *in, bool files, struct conf_diags *d)
{
    struct web_config *c = conf_load_web(in, d);
    struct tls_server *tls = NULL;
    bool ok = c && (!files || conf_web_tls(c, d, &tls));
    tls_server_free(tls);
    conf_web_free(c);
    return ok;
}

static bool check(const struct conf_input *in, enum conf_kind kind, bool files,
                  struct conf_diags *d)
{
    if (kind == CONF_KIND_HTTP_CLIENT)
        return read_block(&conf_schema_http, in, d);
    if (kind == CONF_KIND_TLS)
        return read_block(&conf_schema_tls, in, d);
    if (kind == CONF_KIND_WEB)
        return check_web(in, files, d);
    if (kind == CONF_KIND_NUNCHI) {
        struct nunchi_config *c = conf_load_nunchi(in, d);
        if (c && c->metrics && files)
            want_files(c->metrics, d);
        conf_nunchi_free(c);
    } else {
        struct prom_config *c = conf_load_prometheus(in, d);
        if (c && files)
            want_files(c, d);
        conf_free(c);
    }
    return conf_diags_errors(d) == 0;
}

bool conf_check_text(str text, const char *name, enum conf_kind kind, bool strict,
                     struct conf_diags *d)
{
    return check(&(struct conf_input){.path = name, .text = text, .strict = strict}, kind, false,
                 d);
}

bool conf_check(const struct conf_input *in, enum conf_kind kind, struct strbuf *report)
{
    struct conf_diags *d = conf_diags_new();
    bool ok = check(in, kind, true, d);
    conf_diags_print(d, report);
    size_t errors = conf_diags_errors(d), warnings = 0;
    for (size_t i = 0; i < conf_diags_count(d); i++)
        warnings += !conf_diags_at(d, i)->is_error;
    if (ok)
        strbuf_addf(report, "%s: valid, %zu warning%s\n", in->path, warnings,
                    warnings == 1 ? "" : "s");
    else
        strbuf_addf(report, "%s: refused, %zu error%s\n", in->path, errors, errors == 1 ? "" : "s");
    conf_diags_free(d);
    return ok;
}
