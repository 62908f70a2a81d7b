// SPDX-License-Identifier: Apache-2.0
/* One scrape_config in force: its rules compiled, its Accept header, and a fingerprint of all that
 * a scrape depends on, by which a reload tells what changed. */
#include "base/hash.h"
#include "format/expfmt_negotiate.h"
#include "scrape/scrape_int.h"

static uint64_t mix_str(uint64_t h, str s)
{
    return hash_mix(hash_mix(h, s.n), hash_str(s));
}

static uint64_t mix_strs(uint64_t h, const str *at, size_t n)
{
    h = hash_mix(h, n);
    for (size_t i = 0; i < n; i++)
        h = mix_str(h, at[i]);
    return h;
}

static uint64_t mix_relabels(uint64_t h, const conf_relabels *list)
{
    h = hash_mix(h, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct conf_relabel *r = &list->at[i];
        const str texts[] = {r->separator, r->regex, r->target_label, r->replacement};
        h = hash_mix(hash_mix(h, (uint64_t)r->action), r->modulus);
        h = mix_strs(h, texts, 4);
        h = mix_strs(h, r->source_labels.at, r->source_labels.n);
    }
    return h;
}

static uint64_t mix_http(uint64_t h, const struct conf_http *c)
{
    const struct conf_tls *t = &c->tls;
    const str texts[] = {t->ca,       t->ca_file,     t->cert,       t->cert_file,
                         t->key_file, t->server_name, t->key.hidden, c->proxy_url};
    h = mix_strs(h, texts, sizeof texts / sizeof *texts);
    h = hash_mix(h, (uint64_t)(t->insecure_skip_verify * 2 + c->follow_redirects));
    h = hash_mix(h, (uint64_t)(t->min_version * 8 + t->max_version));
    if (c->basic_auth) {
        const struct conf_basic_auth *b = c->basic_auth;
        const str auth[] = {b->username, b->username_file, b->password.hidden, b->password_file};
        h = mix_strs(hash_mix(h, 1), auth, 4);
    }
    if (c->authorization) {
        const struct conf_authorization *b = c->authorization;
        const str auth[] = {b->type, b->credentials.hidden, b->credentials_file};
        h = mix_strs(hash_mix(h, 2), auth, 3);
    }
    for (size_t i = 0; i < c->headers.n; i++) {
        const struct conf_header *x = &c->headers.at[i];
        h = mix_strs(mix_str(h, x->name), x->values.at, x->values.n);
        h = mix_strs(h, x->files.at, x->files.n);
        for (size_t j = 0; j < x->secrets.n; j++)
            h = mix_str(h, x->secrets.at[j].hidden);
    }
    return h;
}

/* Targets and relabel_configs are left out: they show in the labels of the targets. */
uint64_t conf_scrape_fingerprint(const struct conf_scrape *c)
{
    const struct conf_limits *l = &c->limits;
    const int64_t numbers[] = {c->honor_labels,
                               c->honor_timestamps,
                               c->track_timestamps_staleness,
                               c->enable_compression,
                               c->extra_metrics,
                               c->native.scrape,
                               c->native.classic_too,
                               c->fallback_protocol,
                               c->own_protocols,
                               c->name_scheme,
                               c->escaping,
                               (int64_t)l->body_bytes,
                               l->samples,
                               l->targets,
                               l->labels,
                               l->label_name_bytes,
                               l->label_value_bytes};
    uint64_t h = mix_str(1, c->job_name);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        h = hash_mix(h, (uint64_t)numbers[i]);
    for (size_t i = 0; i < c->protocols.n; i++)
        h = hash_mix(h, (uint64_t)c->protocols.at[i]);
    return mix_http(mix_relabels(h, &c->metric_relabel), &c->http);
}

static str accept_of(const struct conf_scrape *c, bool protobuf_first, struct arena *a)
{
    static const char *const escaping[] = {"allow-utf-8", "allow-utf-8", "underscores", "dots",
                                           "values"};
    enum expfmt_format formats[EXPFMT_FORMATS];
    struct strbuf out STRBUF_CLEANUP = {0};
    size_t n = 0;
    if (protobuf_first && !c->own_protocols && !c->native.scrape)
        formats[n++] = EXPFMT_PROTOBUF;
    for (size_t i = 0; i < c->protocols.n && n < EXPFMT_FORMATS; i++) {
        str name = str_from_z(conf_scrape_protocol_name(c->protocols.at[i]));
        n += expfmt_protocol_parse(name, &formats[n]);
    }
    if (n == 0) {
        n = EXPFMT_DEFAULTS;
        memcpy(formats, expfmt_default_protocols, sizeof expfmt_default_protocols);
    }
    expfmt_accept(formats, n, str_from_z(escaping[c->escaping]), &out);
    return arena_dup(a, strbuf_str(&out));
}

struct job *job_new(const struct conf_scrape *c, bool protobuf_first, struct conf_held *held,
                    struct err *err)
{
    struct job *j = mem_new(struct job);
    j->refs = 1;
    j->conf = c;
    bool legacy = c->name_scheme == CONF_NAMES_LEGACY;
    j->relabel = rules_new(c->relabel.at, c->relabel.n, legacy, err);
    if (j->relabel)
        j->metric_relabel = rules_new(c->metric_relabel.at, c->metric_relabel.n, legacy, err);
    if (!j->metric_relabel) {
        err_wrap(err, "job \"%.*s\"", STR_ARG(c->job_name));
        job_unref(j);
        return NULL;
    }
    j->fingerprint = conf_scrape_fingerprint(c);
    j->accept = accept_of(c, protobuf_first, &j->arena);
    j->held = held;
    if (held)
        held->refs++;
    return j;
}

struct job *job_ref(struct job *j)
{
    j->refs++;
    return j;
}

void job_unref(struct job *j)
{
    if (!j || --j->refs > 0)
        return;
    rules_free(j->relabel);
    rules_free(j->metric_relabel);
    if (j->held && --j->held->refs == 0) {
        j->held->unref(j->held->arg);
        free(j->held);
    }
    arena_fini(&j->arena);
    free(j);
}
