// SPDX-License-Identifier: Apache-2.0
/*
 * prometheus.yml: the top of the file, what its sections inherit from `global`, and what must hold
 * between them. Order and wording of the checks follow upstream's config.Load.
 */
#include <stdlib.h>

#include "conf/schema_int.h"
#include "sys/file.h"

enum {
    DEFAULT_INTERVAL_MS = 60 * 1000,
    DEFAULT_TIMEOUT_MS = 10 * 1000,
};

/* ---- tables ---- */

typedef struct prom_config prom;
#define AT(member) offsetof(prom, global.member)
static const struct conf_row global_rows[] = {
    {"scrape_interval", CONF_DURATION, AT(scrape_interval_ms), "1m",
     .help = "How often targets are scraped."},
    {"scrape_timeout", CONF_DURATION, AT(scrape_timeout_ms),
     .help = "How long a scrape may take: 10s, or the interval when that is shorter."},
    {"evaluation_interval", CONF_DURATION, AT(evaluation_interval_ms), "1m",
     .help = "How often rules are evaluated."},
    {"rule_query_offset", CONF_DURATION, AT(rule_query_offset_ms), "0s", .status = CONF_LATER,
     .help = "How far in the past rules are evaluated."},
    {"external_labels", CONF_MAP_LABELS, AT(external_labels),
     .help = "Labels added to what leaves this server. `$VAR` and `${VAR}` are environment "
             "variables, `$$` is a dollar."},
    {"scrape_protocols", CONF_LIST_ENUM, AT(protocols), .names = conf_protocol_names,
     .help = "Formats to ask for, most wanted first."},
    {"extra_scrape_metrics", CONF_TRI, AT(extra_metrics),
     .help = "Also write scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes."},
    {"metric_name_validation_scheme", CONF_ENUM, AT(name_scheme), .names = conf_name_scheme_names,
     .help = "`legacy`: names must be identifiers. utf8 unless written."},
    {"metric_name_escaping_scheme", CONF_ENUM, AT(escaping), .names = conf_escaping_names,
     .help = "How targets are asked to escape names that are no identifiers."},
    {.type = CONF_INLINE, .at = AT(limits), .sub = &conf_schema_limits},
    {.type = CONF_INLINE, .at = AT(native), .sub = &conf_schema_native},
    {"query_log_file", CONF_FILE, AT(query_log_file),
     .help = "File that a line of JSON is added to for each query; opened again at a reload."},
    {0},
};
#undef AT
static void check_global(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const prom *c = obj;
    if (c->global.scrape_interval_ms && c->global.scrape_timeout_ms > c->global.scrape_interval_ms)
        conf_error(r, conf_pos(map, "scrape_timeout"),
                   "\"scrape_timeout\" is longer than the \"scrape_interval\"");
}
static const struct conf_schema global_schema = {
    .name = "global",
    .size = sizeof(prom),
    .rows = global_rows,
    .check = check_global,
    .pos_at = CONF_NOWHERE,
    .help = "What every section inherits.",
};

#define LATER(key, type_, schema, text)                                                            \
    {                                                                                              \
        key, type_, CONF_NOWHERE, .sub = &schema, .status = CONF_LATER, .help = text               \
    }
static const struct conf_row prometheus_rows[] = {
    {"global", CONF_STRUCT, 0, .sub = &global_schema, .help = "What every section inherits."},
    {"runtime", CONF_STRUCT, CONF_NOWHERE, .sub = &conf_schema_runtime, .status = CONF_NO_MEANING,
     .help = "Go's runtime; accepted, without effect."},
    {"rule_files", CONF_LIST_FILE, offsetof(prom, rule_files), .status = CONF_LATER,
     .help = "Files with rules; * in the last part of a path."},
    {"scrape_config_files", CONF_LIST_FILE, offsetof(prom, scrape_config_files),
     .help = "More files with scrape_configs; * in the last part of a path."},
    {"scrape_configs", CONF_LIST_STRUCT, offsetof(prom, scrape), .sub = &conf_schema_scrape,
     .help = "The jobs."},
    LATER("alerting", CONF_STRUCT, conf_schema_alerting, "Where alerts go."),
    LATER("remote_write", CONF_LIST_STRUCT, conf_schema_remote_write,
          "Stores that every sample is also sent to."),
    LATER("remote_read", CONF_LIST_STRUCT, conf_schema_remote_read,
          "Stores that queries also read."),
    {"otlp", CONF_STRUCT, offsetof(prom, otlp), .sub = &conf_schema_otlp,
     .help = "How OTLP metrics become series."},
    {"storage", CONF_STRUCT, 0, .sub = &conf_schema_storage, .help = "The metrics store."},
    LATER("tracing", CONF_STRUCT, conf_schema_tracing, "Traces of the server itself."),
    {0},
};

static void check_names(struct conf_reader *r, const struct yaml_node *map, const char *key)
{
    const struct yaml_node *list = yaml_get(map, str_from_z(key));
    struct map seen MAP_CLEANUP = {0};
    for (size_t i = 0; list && list->kind == YAML_SEQUENCE && i < list->n; i++) {
        str name = conf_text(list->items[i], "name", (str){0});
        if (name.n && !map_put(&seen, name, map_get(&seen, name)))
            conf_error(r, conf_pos(list->items[i], "name"), "two \"%s\" are named \"%.*s\"", key,
                       STR_ARG(name));
    }
}

static void check_globs(struct conf_reader *r, const struct yaml_node *map, const char *key)
{
    const struct yaml_node *list = yaml_get(map, str_from_z(key));
    for (size_t i = 0; list && list->kind == YAML_SEQUENCE && i < list->n; i++) {
        str s = list->items[i]->value;
        ssize_t star = list->items[i]->kind == YAML_SCALAR ? str_index(s, '*') : -1;
        if (star >= 0 && str_index(str_sub(s, (size_t)star, s.n), '/') >= 0)
            conf_error(r, list->items[i]->pos, "\"%.*s\": only the last part of a path may have *",
                       STR_ARG(s));
    }
}

/* Names that OTLP leaves as they are need the UTF-8 scheme. */
static void check_otlp_names(struct conf_reader *r, const struct yaml_node *map, const prom *c)
{
    const struct yaml_node *otlp = yaml_get(map, STR("otlp"));
    if (!conf_otlp_escapes(c->otlp.strategy) && c->global.name_scheme == CONF_NAMES_LEGACY)
        conf_error(r, conf_pos(otlp, "translation_strategy"),
                   "\"translation_strategy\" %.*s needs \"metric_name_validation_scheme\" utf8",
                   STR_ARG(conf_text(otlp, "translation_strategy", STR(""))));
}

static void check_prometheus(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    check_globs(r, map, "rule_files");
    check_globs(r, map, "scrape_config_files");
    check_names(r, map, "remote_write");
    check_names(r, map, "remote_read");
    check_otlp_names(r, map, obj);
}

const struct conf_schema conf_schema_prometheus = {
    .name = "prometheus.yml",
    .size = sizeof(prom),
    .rows = prometheus_rows,
    .check = check_prometheus,
    .pos_at = CONF_NOWHERE,
    .help = "The whole file.",
};

/* scrape_config_files hold nothing but scrape_configs. */
struct included {
    CONF_LIST(struct conf_scrape) scrape;
};
static const struct conf_row included_rows[] = {
    {"scrape_configs", CONF_LIST_STRUCT, offsetof(struct included, scrape),
     .sub = &conf_schema_scrape, .help = "The jobs."},
    {0},
};
static const struct conf_schema included_schema = {
    .name = "a file of scrape_config_files",
    .size = sizeof(struct included),
    .rows = included_rows,
    .pos_at = CONF_NOWHERE,
    .help = "More jobs.",
};

/* ---- external labels ---- */

typedef const char *(*getenv_fn)(const char *name);

static const char *system_getenv(const char *name)
{
    return getenv(name);
}

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Adds what the reference at s (behind the dollar) stands for; gives its length. */
static size_t expand_one(str s, getenv_fn env, struct strbuf *out)
{
    if (s.n && s.p[0] == '$') {
        strbuf_addc(out, '$');
        return 1;
    }
    bool braces = s.n && s.p[0] == '{';
    size_t from = braces, to = from;
    while (to < s.n && (braces ? s.p[to] != '}' : name_byte(s.p[to])))
        to++;
    if (to == from || (braces && to == s.n)) /* Go eats a lone dollar and a broken ${ */
        return braces ? (to < s.n ? to + 1 : 1) : 0;
    struct strbuf name STRBUF_CLEANUP = {0};
    strbuf_add(&name, str_sub(s, from, to));
    const char *value = env(name.p);
    if (value && str_utf8_valid(str_from_z(value)))
        strbuf_addz(out, value);
    return to + braces;
}

static str expand(struct arena *a, str s, getenv_fn env)
{
    struct strbuf out STRBUF_CLEANUP = {0};
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '$')
            strbuf_addc(&out, s.p[i++]);
        else
            i += 1 + expand_one(str_sub(s, i + 1, s.n), env, &out);
    }
    return arena_dup(a, strbuf_str(&out));
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct conf_pair *)a)->name, ((const struct conf_pair *)b)->name);
}

static void expand_external_labels(struct prom_config *c, getenv_fn env)
{
    conf_pairs *labels = &c->global.external_labels;
    for (size_t i = 0; i < labels->n; i++)
        labels->at[i].value = expand(&c->arena, labels->at[i].value, env);
    if (labels->n)
        qsort(labels->at, labels->n, sizeof *labels->at, by_name);
}

/* ---- inheritance ---- */

static void set_int(int64_t *v, int64_t inherited)
{
    if (*v == 0)
        *v = inherited;
}

static void default_protocols(struct prom_config *c)
{
    static const int protocols[] = {CONF_PROTO_OPENMETRICS_1_0_0, CONF_PROTO_OPENMETRICS_0_0_1,
                                    CONF_PROTO_TEXT_1_0_0, CONF_PROTO_TEXT_0_0_4};
    c->global.own_protocols = c->global.protocols.n > 0;
    if (c->global.own_protocols)
        return;
    c->global.protocols.n = sizeof protocols / sizeof *protocols;
    c->global.protocols.at = arena_array(&c->arena, int, c->global.protocols.n);
    memcpy(c->global.protocols.at, protocols, sizeof protocols);
}

static void global_defaults(struct prom_config *c)
{
    set_int(&c->global.scrape_interval_ms, DEFAULT_INTERVAL_MS);
    int64_t interval = c->global.scrape_interval_ms;
    set_int(&c->global.scrape_timeout_ms,
            interval < DEFAULT_TIMEOUT_MS ? interval : DEFAULT_TIMEOUT_MS);
    set_int(&c->global.evaluation_interval_ms, DEFAULT_INTERVAL_MS);
    c->global.extra_metrics = c->global.extra_metrics == 1;
    c->global.native.scrape = c->global.native.scrape == 1;
    c->global.native.classic_too = c->global.native.classic_too == 1;
    if (!c->global.name_scheme)
        c->global.name_scheme = CONF_NAMES_UTF8;
    default_protocols(c);
}

static void inherit_limits(struct conf_limits *l, const struct conf_limits *g)
{
    if (l->body_bytes == 0)
        l->body_bytes = g->body_bytes;
    set_int(&l->samples, g->samples);
    set_int(&l->targets, g->targets);
    set_int(&l->labels, g->labels);
    set_int(&l->label_name_bytes, g->label_name_bytes);
    set_int(&l->label_value_bytes, g->label_value_bytes);
    set_int(&l->keep_dropped_targets, g->keep_dropped_targets);
}

static bool inherit_names(struct conf_reader *r, const struct prom_config *c, struct conf_scrape *s)
{
    if (!s->name_scheme)
        s->name_scheme = c->global.name_scheme;
    if (!s->escaping)
        s->escaping = c->global.escaping;
    if (!s->escaping)
        s->escaping =
            s->name_scheme == CONF_NAMES_LEGACY ? CONF_ESCAPE_UNDERSCORES : CONF_ESCAPE_ALLOW_UTF8;
    if (s->name_scheme == CONF_NAMES_LEGACY && s->escaping == CONF_ESCAPE_ALLOW_UTF8)
        return conf_error(r, s->pos,
                          "\"metric_name_escaping_scheme\" allow-utf-8 needs "
                          "\"metric_name_validation_scheme\" utf8");
    return true;
}

/* Only the protobuf format has native histograms. */
static void inherit_protocols(const struct prom_config *c, struct conf_scrape *s)
{
    static int protobuf_first[] = {CONF_PROTO_PROTOBUF, CONF_PROTO_OPENMETRICS_1_0_0,
                                   CONF_PROTO_OPENMETRICS_0_0_1, CONF_PROTO_TEXT_1_0_0,
                                   CONF_PROTO_TEXT_0_0_4};
    bool first = s->native.scrape && !c->global.own_protocols;
    s->own_protocols = s->protocols.n > 0 || c->global.own_protocols;
    if (s->protocols.n)
        return;
    s->protocols.at = first ? protobuf_first : c->global.protocols.at;
    s->protocols.n = first ? sizeof protobuf_first / sizeof *protobuf_first : c->global.protocols.n;
}

static bool inherit(struct conf_reader *r, const struct prom_config *c, struct conf_scrape *s)
{
    set_int(&s->interval_ms, c->global.scrape_interval_ms);
    if (s->timeout_ms > s->interval_ms)
        return conf_error(r, s->pos,
                          "\"scrape_timeout\" of job \"%.*s\" is longer than its "
                          "\"scrape_interval\"",
                          STR_ARG(s->job_name));
    set_int(&s->timeout_ms, c->global.scrape_timeout_ms < s->interval_ms
                                ? c->global.scrape_timeout_ms
                                : s->interval_ms);
    inherit_limits(&s->limits, &c->global.limits);
    if (s->extra_metrics < 0)
        s->extra_metrics = c->global.extra_metrics;
    if (s->native.scrape < 0)
        s->native.scrape = c->global.native.scrape;
    if (s->native.classic_too < 0)
        s->native.classic_too = c->global.native.classic_too;
    inherit_protocols(c, s);
    bool ok = inherit_names(r, c, s);
    bool legacy = s->name_scheme == CONF_NAMES_LEGACY;
    ok &= conf_relabels_check(r, &s->relabel, legacy);
    ok &= conf_relabels_check(r, &s->metric_relabel, legacy);
    return ok;
}

static bool finish_jobs(struct conf_reader *r, struct prom_config *c, struct map *jobs,
                        struct conf_scrape *list, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        list[i].file = arena_dup(&c->arena, r->file);
        ok &= inherit(r, c, &list[i]);
        if (list[i].job_name.n && !map_put(jobs, list[i].job_name, &list[i]))
            ok = conf_error(r, list[i].pos, "two scrape_configs have the job_name \"%.*s\"",
                            STR_ARG(list[i].job_name));
    }
    return ok;
}

/* ---- scrape_config_files ---- */

static void append_jobs(struct prom_config *c, const struct conf_scrape *more, size_t n)
{
    struct conf_scrape *all = arena_array(&c->arena, struct conf_scrape, c->scrape.n + n);
    if (c->scrape.n)
        memcpy(all, c->scrape.at, c->scrape.n * sizeof *all);
    if (n)
        memcpy(all + c->scrape.n, more, n * sizeof *all);
    c->scrape.at = all;
    c->scrape.n += n;
}

static bool include(struct conf_reader *outer, const char *path, struct prom_config *c,
                    struct map *jobs)
{
    struct conf_reader r = {.arena = &c->arena, .diags = outer->diags};
    struct conf_input in = {.path = path, .strict = outer->strict};
    struct yaml_node *root;
    struct included more = {0};
    bool ok = conf_open(&r, &in, &root) && conf_read(&r, &included_schema, root, &more) &&
              finish_jobs(&r, c, jobs, more.scrape.at, more.scrape.n);
    if (ok)
        append_jobs(c, more.scrape.at, more.scrape.n);
    conf_reader_fini(&r);
    return ok;
}

static bool include_all(struct conf_reader *r, const struct yaml_node *root, struct prom_config *c,
                        struct map *jobs)
{
    bool ok = true;
    size_t left = CONF_INCLUDES_MAX;
    for (size_t i = 0; i < c->scrape_config_files.n; i++) {
        str pattern = c->scrape_config_files.at[i], *paths;
        struct pos pos = conf_pos(root, "scrape_config_files");
        struct err e;
        size_t n;
        if (!file_glob(pattern.p, left, &c->arena, &paths, &n, &e))
            return conf_error(r, pos, "\"scrape_config_files\": %s", e.msg);
        if (n == 0 && str_index(pattern, '*') < 0)
            ok = conf_error(r, pos, "\"scrape_config_files\": there is no file %.*s",
                            STR_ARG(pattern));
        for (size_t j = 0; j < n; j++)
            ok &= include(r, paths[j].p, c, jobs);
        left -= n;
    }
    return ok;
}

/* ---- the whole ---- */

/* Files that lie beside a prometheus.yml, by a key that only they have at the top or in a first
 * item. */
static bool is_another_file(struct conf_reader *r, const struct yaml_node *root)
{
    static const struct {
        enum yaml_kind kind;
        const char *key, *what, *hint;
    } others[] = {
        {YAML_MAPPING, "groups", "a file of rules", "a prometheus.yml names it under rule_files"},
        {YAML_MAPPING, "receivers", "an alertmanager.yml", "it is not read yet"},
        {YAML_MAPPING, "tls_server_config", "a web configuration file",
         "--kind web checks it; a server takes it by --web.config.file"},
        {YAML_SEQUENCE, "targets", "a list of targets",
         "a prometheus.yml names it under file_sd_configs"},
    };
    const struct yaml_node *map = root;
    if (root->kind == YAML_SEQUENCE && root->n)
        map = root->items[0];
    for (size_t i = 0; map->kind == YAML_MAPPING && i < sizeof others / sizeof others[0]; i++) {
        if (root->kind == others[i].kind && yaml_get(map, str_from_z(others[i].key)) &&
            !yaml_get(map, STR("scrape_configs")) && !yaml_get(map, STR("global")))
            return !conf_error_hint(r, root->pos, others[i].hint,
                                    "this is %s, not a prometheus.yml", others[i].what);
    }
    return false;
}

bool conf_prometheus_from(struct conf_reader *r, const struct conf_input *in,
                          const struct yaml_node *root, struct prom_config *c)
{
    struct map jobs MAP_CLEANUP = {0};
    if (is_another_file(r, root) || !conf_read(r, &conf_schema_prometheus, root, c))
        return false;
    global_defaults(c);
    expand_external_labels(c, in->getenv ? in->getenv : system_getenv);
    bool ok = finish_jobs(r, c, &jobs, c->scrape.at, c->scrape.n);
    return include_all(r, root, c, &jobs) && ok; /* both, to tell all that is wrong */
}

struct prom_config *conf_load_prometheus(const struct conf_input *in, struct conf_diags *d)
{
    struct prom_config *c = mem_new(struct prom_config);
    struct conf_reader r = {.arena = &c->arena, .diags = d};
    struct yaml_node *root;
    bool ok = conf_open(&r, in, &root) && conf_prometheus_from(&r, in, root, c);
    if (ok) {
        c->path = arena_dup(&c->arena, in->path ? str_from_z(in->path) : STR(""));
        c->yaml = conf_print_yaml(&r, root);
    }
    conf_reader_fini(&r);
    if (ok)
        return c;
    conf_free(c);
    return NULL;
}

struct prom_config *conf_default(void)
{
    struct conf_diags *d = conf_diags_new();
    struct prom_config *c = conf_load_prometheus(&(struct conf_input){.text = STR("")}, d);
    conf_diags_free(d);
    return c;
}

void conf_free(struct prom_config *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c);
}
