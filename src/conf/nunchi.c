// SPDX-License-Identifier: Apache-2.0
/* nunchi.yml: everything that upstream's files have no place for. All of it is optional. */
#include "conf/schema_int.h"

typedef struct nunchi_config nunchi;

static const char *const durabilities[] = {"durable", "fast", NULL};

static const struct conf_row retention_rows[] = {
    {"match", CONF_STR, offsetof(struct conf_retention, match), .required = true,
     .help = "A selector, like `{job=\"batch\"}`."},
    {"keep", CONF_DURATION, offsetof(struct conf_retention, keep_ms), .required = true,
     .help = "Age at which samples of these series are dropped; 0 is never."},
    {0},
};
static void check_retention(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const struct conf_retention *c = obj;
    struct err e = {0};
    if (c->match.n && r->selector && !r->selector(c->match, &e))
        conf_error_hint(r, conf_pos(map, "match"), e.hint[0] ? e.hint : NULL,
                        "\"match\" is no selector: %s", e.msg);
}
static const struct conf_schema retention_schema = {
    .name = "retention_by",
    .size = sizeof(struct conf_retention),
    .rows = retention_rows,
    .check = check_retention,
    .pos_at = CONF_NOWHERE,
    .help = "Series that are kept for another time.",
};

#define AT(member) offsetof(nunchi, storage.member)
static const struct conf_row storage_rows[] = {
    {"path", CONF_FILE, AT(path), .help = "Folder of the data; `data` unless written."},
    {"retention", CONF_DURATION, AT(retention_ms), "15d",
     .help = "Age at which samples are dropped."},
    {"retention_size", CONF_SIZE, AT(retention_bytes),
     .help = "Bytes above which the oldest samples are dropped."},
    {"retention_by", CONF_LIST_STRUCT, AT(retention_by), .sub = &retention_schema,
     .help = "Series that are kept longer or shorter; the first that matches counts."},
    {"tiers", CONF_STR, AT(tiers_text),
     .help = "What is kept of samples that are dropped, like `raw 15d, 5m 90d, 1h 2y`: for each 5 "
             "minutes one row of count, sum, smallest, largest, first and last value and increase, "
             "until it is 90 days old, then one for each hour until it is 2 years old. `raw` may "
             "be left to `retention`. A step divides a day and is a multiple of the one before; at "
             "most 4."},
    {"durability", CONF_ENUM, AT(durability), "durable", .names = durabilities,
     .help = "`durable`: acknowledged means on disk. `fast`: at most one second may be lost when "
             "the power fails."},
    {"memory", CONF_SIZE, AT(memory_bytes),
     .help = "Memory for the store; chosen by the machine's memory unless written."},
    {0},
};
#undef AT
static const struct conf_schema storage_schema = {
    .name = "storage",
    .size = sizeof(nunchi),
    .rows = storage_rows,
    .check = conf_storage_check,
    .pos_at = CONF_NOWHERE,
    .help = "Where and how data is kept.",
};

#define AT(member) offsetof(nunchi, limits.member)
static const struct conf_row limits_rows[] = {
    {"query_timeout", CONF_DURATION, AT(query_timeout_ms), "2m", .help = "Longest query."},
    {"query_samples", CONF_INT, AT(query_samples), "50000000", .min = 1, .max = 1e15,
     .help = "Samples one query may hold."},
    {"slow_query", CONF_DURATION, AT(slow_query_ms),
     .help = "A query that takes this long is told in a warning of the server, with what it took; "
             "none unless written."},
    {"query_memory", CONF_SIZE, AT(query_memory_bytes),
     .help = "Memory one query may hold; half of `query_total_memory`, at most 1GiB, unless "
             "written."},
    {"query_total_memory", CONF_SIZE, AT(query_total_memory_bytes),
     .help = "Memory all queries together may hold, past which the one that holds the most fails; "
             "chosen by the machine's memory unless written."},
    {"query_concurrency", CONF_INT, AT(query_concurrency), "20", .min = 1, .max = 10000,
     .help = "Queries that run at once."},
    {"query_lookback", CONF_DURATION, AT(query_lookback_ms), "5m",
     .help = "How far back an instant query looks for a sample."},
    {"series_per_target", CONF_INT, AT(series_per_target), "500000", .min = 1, .max = 1e9,
     .help = "Series of one target; more fails its scrape."},
    {0},
};
#undef AT
static const struct conf_schema limits_schema = {
    .name = "limits",
    .size = sizeof(nunchi),
    .rows = limits_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Limits of this server.",
};

static const struct conf_row nunchi_rows[] = {
    {"listen", CONF_STR, offsetof(nunchi, listen), "127.0.0.1:9090",
     .help = "Address of the UI and the API, host:port."},
    {"storage", CONF_STRUCT, 0, .sub = &storage_schema, .help = "Where and how data is kept."},
    {"metrics", CONF_ANY, CONF_NOWHERE,
     .help = "Path of a prometheus.yml, or its content as a mapping."},
    {"limits", CONF_STRUCT, 0, .sub = &limits_schema, .help = "Limits of this server."},
    {"state", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "Where small state is kept."},
    {"alerting", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "An alertmanager.yml."},
    {"alarms", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "M-of-N alarms."},
    {"heartbeats", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "Expected signs of life."},
    {"pipelines", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "Log pipelines."},
    {"checks", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "Synthetic checks."},
    {"include", CONF_ANY, CONF_NOWHERE, .status = CONF_LATER, .help = "More files like this one."},
    {0},
};

static bool port_ok(str s)
{
    uint64_t port = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || i > 4)
            return false;
        port = port * 10 + (uint64_t)(s.p[i] - '0');
    }
    return s.n > 0 && port <= 65535;
}

static void check_nunchi(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    str listen = ((nunchi *)obj)->listen;
    size_t colon = listen.n;
    while (colon > 0 && listen.p[colon - 1] != ':')
        colon--;
    if (colon == 0 || !port_ok(str_sub(listen, colon, listen.n)))
        conf_error_hint(r, conf_pos(map, "listen"), "write host:port, like 127.0.0.1:9090",
                        "\"listen\": \"%.*s\" has no port", STR_ARG(listen));
    const struct yaml_node *m = yaml_get(map, STR("metrics"));
    if (m && m->kind == YAML_SEQUENCE)
        conf_error(r, conf_pos(map, "metrics"), "\"metrics\" must be a path or a mapping");
}

const struct conf_schema conf_schema_nunchi = {
    .name = "nunchi.yml",
    .size = sizeof(nunchi),
    .rows = nunchi_rows,
    .check = check_nunchi,
    .pos_at = CONF_NOWHERE,
    .help = "The whole file.",
};

/* Inline metrics are read in place, so that positions are those of nunchi.yml. */
static bool read_metrics(struct conf_reader *r, const struct conf_input *in,
                         const struct yaml_node *root, nunchi *c)
{
    const struct yaml_node *m = yaml_get(root, STR("metrics"));
    if (!m || yaml_is_null(m))
        return true;
    if (m->kind == YAML_SCALAR) {
        c->metrics_path = conf_join_path(&c->arena, r->dir, m->value);
        struct conf_input inner = *in;
        inner.path = c->metrics_path.p;
        inner.text = (str){0};
        c->metrics = conf_load_prometheus(&inner, r->diags);
        return c->metrics != NULL;
    }
    c->metrics = mem_new(struct prom_config);
    struct arena *outer = r->arena;
    r->arena = &c->metrics->arena;
    bool ok = conf_prometheus_from(r, in, m, c->metrics);
    if (ok) {
        c->metrics->path = arena_dup(r->arena, r->file);
        c->metrics->yaml = conf_print_yaml(r, m);
    }
    r->arena = outer;
    return ok;
}

struct nunchi_config *conf_load_nunchi(const struct conf_input *in, struct conf_diags *d)
{
    nunchi *c = mem_new(nunchi);
    struct conf_reader r = {.arena = &c->arena, .diags = d};
    struct yaml_node *root;
    bool ok = conf_open(&r, in, &root) && conf_read(&r, &conf_schema_nunchi, root, c) &&
              read_metrics(&r, in, root, c);
    if (ok) {
        c->path = arena_dup(&c->arena, in->path ? str_from_z(in->path) : STR(""));
        c->yaml = conf_print_yaml(&r, root);
        if (c->storage.path.n == 0)
            c->storage.path = STR("data");
    }
    conf_reader_fini(&r);
    if (ok)
        return c;
    conf_nunchi_free(c);
    return NULL;
}

struct nunchi_config *conf_nunchi_default(void)
{
    struct conf_diags *d = conf_diags_new();
    nunchi *c = conf_load_nunchi(&(struct conf_input){.text = STR("")}, d);
    conf_diags_free(d);
    return c;
}

void conf_nunchi_free(struct nunchi_config *c)
{
    if (!c)
        return;
    conf_free(c->metrics);
    arena_fini(&c->arena);
    free(c);
}
