// SPDX-License-Identifier: Apache-2.0
/*
 * scrape_config and the keys that global shares with it. Values that a scrape_config leaves out are
 * zero here and inherited in prometheus.c, as upstream's ScrapeConfig.Validate does.
 */
#include "conf/schema_int.h"

const char *const conf_protocol_names[] = {"",
                                           "PrometheusProto",
                                           "PrometheusText0.0.4",
                                           "PrometheusText1.0.0",
                                           "OpenMetricsText0.0.1",
                                           "OpenMetricsText1.0.0",
                                           NULL};
const char *const conf_name_scheme_names[] = {"", "utf8", "legacy", NULL};
const char *const conf_escaping_names[] = {"",     "allow-utf-8", "underscores",
                                           "dots", "values",      NULL};

const char *conf_scrape_protocol_name(enum conf_scrape_protocol p)
{
    return conf_protocol_names[p];
}

/* ---- static_configs ---- */

#define AT(member) offsetof(struct conf_static, member)
static const struct conf_row static_rows[] = {
    {"targets", CONF_LIST_STR, AT(targets), .help = "Addresses, host:port."},
    {"labels", CONF_MAP_LABELS, AT(labels), .help = "Labels of all of these targets."},
    {0},
};
#undef AT
const struct conf_schema conf_schema_static = {
    .name = "static_config",
    .size = sizeof(struct conf_static),
    .rows = static_rows,
    .pos_at = offsetof(struct conf_static, pos),
    .help = "Targets written down one by one.",
};

void conf_targets_check(struct conf_reader *r, const struct yaml_node *list)
{
    for (size_t i = 0; list && list->kind == YAML_SEQUENCE && i < list->n; i++) {
        const struct yaml_node *targets = yaml_get(list->items[i], STR("targets"));
        if (!targets || targets->kind != YAML_SEQUENCE)
            continue;
        for (size_t j = 0; j < targets->n; j++) {
            const struct yaml_node *t = targets->items[j];
            if (t->kind == YAML_SCALAR && str_index(t->value, '/') >= 0)
                conf_error_hint(r, t->pos,
                                "write host:port, and the rest as scheme, metrics_path "
                                "and params",
                                "\"%.*s\" is not a host and port", STR_ARG(t->value));
        }
    }
}

/* ---- limits, shared with global ---- */

#define AT(member) offsetof(struct conf_limits, member)
static const struct conf_row limit_rows[] = {
    {"body_size_limit", CONF_SIZE, AT(body_bytes),
     .help = "Bytes of an uncompressed body; more fails the scrape. 0: no limit but the 64MB every "
             "body has."},
    {"sample_limit", CONF_INT, AT(samples), .min = 0, .max = 1e15,
     .help = "Samples of one scrape after relabelling; more fails the scrape. 0: no limit."},
    {"target_limit", CONF_INT, AT(targets), .min = 0, .max = 1e15,
     .help = "Targets of one job; more fails all of its scrapes. 0: no limit."},
    {"label_limit", CONF_INT, AT(labels), .min = 0, .max = 1e15,
     .help = "Labels of one sample; more fails the scrape. 0: no limit."},
    {"label_name_length_limit", CONF_INT, AT(label_name_bytes), .min = 0, .max = 1e15,
     .help = "Bytes of a label name; more fails the scrape. 0: no limit."},
    {"label_value_length_limit", CONF_INT, AT(label_value_bytes), .min = 0, .max = 1e15,
     .help = "Bytes of a label value; more fails the scrape. 0: no limit."},
    {"keep_dropped_targets", CONF_INT, AT(keep_dropped_targets), .min = 0, .max = 1e15,
     .help = "Targets dropped by relabelling that are remembered for display. 0: all."},
    {0},
};
#undef AT
const struct conf_schema conf_schema_limits = {
    .name = "limits",
    .size = sizeof(struct conf_limits),
    .rows = limit_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Limits of a scrape.",
};

#define AT(member) offsetof(struct conf_native, member)
static const struct conf_row native_rows[] = {
    {"scrape_failure_log_file", CONF_FILE, CONF_NOWHERE, .status = CONF_LATER,
     .help = "File that scrape failures are written to."},
    {"scrape_native_histograms", CONF_TRI, AT(scrape),
     .help =
         "Ask for the protobuf format first, where `scrape_protocols` are not written, and store "
         "native histograms."},
    {"convert_classic_histograms_to_nhcb", CONF_BOOL, CONF_NOWHERE, "false", .status = CONF_LATER,
     .help = "Store classic histograms as native ones."},
    {"always_scrape_classic_histograms", CONF_TRI, AT(classic_too),
     .help = "Keep classic histograms beside native ones."},
    {0},
};
#undef AT
const struct conf_schema conf_schema_native = {
    .name = "native histograms",
    .size = sizeof(struct conf_native),
    .rows = native_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Native histograms and logs.",
};

/* ---- scrape_config ---- */

#define AT(member) offsetof(struct conf_scrape, member)
static const struct conf_row scrape_rows[] = {
    {"job_name", CONF_STR, AT(job_name), .required = true, .help = "Value of the label `job`."},
    {"scrape_interval", CONF_DURATION, AT(interval_ms),
     .help = "How often; of `global` unless written."},
    {"scrape_timeout", CONF_DURATION, AT(timeout_ms),
     .help = "How long one scrape may take; at most the interval; of `global` unless written."},
    {"metrics_path", CONF_STR, AT(metrics_path), "/metrics", .help = "Path to ask for."},
    {"scheme", CONF_ENUM, AT(scheme), "http", .names = conf_url_scheme_names, .help = "Protocol."},
    {"params", CONF_MAP_LIST, AT(params), .help = "URL parameters, each with a list of values."},
    {"honor_labels", CONF_BOOL, AT(honor_labels), "false",
     .help = "Keep scraped labels that clash with those of the target; else they get the prefix "
             "`exported_`."},
    {"honor_timestamps", CONF_BOOL, AT(honor_timestamps), "true",
     .help = "Keep timestamps that the target writes."},
    {"track_timestamps_staleness", CONF_BOOL, AT(track_timestamps_staleness), "false",
     .help = "Write staleness markers also for series with timestamps of their own."},
    {"enable_compression", CONF_BOOL, AT(enable_compression), "true", .help = "Ask for gzip."},
    {"extra_scrape_metrics", CONF_TRI, AT(extra_metrics),
     .help = "Also write scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes."},
    {"scrape_protocols", CONF_LIST_ENUM, AT(protocols), .names = conf_protocol_names,
     .help = "Formats to ask for, most wanted first."},
    {"fallback_scrape_protocol", CONF_ENUM, AT(fallback_protocol), .names = conf_protocol_names,
     .help = "Format of a body whose Content-Type is missing or unknown; without it such a scrape "
             "fails."},
    {"metric_name_validation_scheme", CONF_ENUM, AT(name_scheme), .names = conf_name_scheme_names,
     .help = "`legacy`: names must be identifiers."},
    {"metric_name_escaping_scheme", CONF_ENUM, AT(escaping), .names = conf_escaping_names,
     .help = "How targets are asked to escape names that are no identifiers."},
    {.type = CONF_INLINE, .at = AT(limits), .sub = &conf_schema_limits},
    {.type = CONF_INLINE, .at = AT(native), .sub = &conf_schema_native},
    {"native_histogram_bucket_limit", CONF_INT, CONF_NOWHERE, "0", .status = CONF_LATER,
     .help = "Buckets of a native histogram."},
    {"native_histogram_min_bucket_factor", CONF_FLOAT, CONF_NOWHERE, "0", .status = CONF_LATER,
     .help = "Least growth between buckets."},
    {"relabel_configs", CONF_LIST_STRUCT, AT(relabel), .sub = &conf_schema_relabel,
     .help = "Steps applied to each target before it is scraped."},
    {"metric_relabel_configs", CONF_LIST_STRUCT, AT(metric_relabel), .sub = &conf_schema_relabel,
     .help = "Steps applied to each sample."},
    {"static_configs", CONF_LIST_STRUCT, AT(static_configs), .sub = &conf_schema_static,
     .help = "Targets written down."},
    {.type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_sd},
    {.type = CONF_INLINE, .at = AT(http), .sub = &conf_schema_http},
    {0},
};
#undef AT

static void check_protocols(struct conf_reader *r, const struct yaml_node *map,
                            const struct conf_scrape *s)
{
    for (size_t i = 0; i < s->protocols.n; i++)
        for (size_t j = 0; j < i; j++)
            if (s->protocols.at[i] == s->protocols.at[j] && s->protocols.at[i])
                conf_error(r, yaml_get(map, STR("scrape_protocols"))->items[i]->pos,
                           "scrape protocol \"%s\" is there twice",
                           conf_protocol_names[s->protocols.at[i]]);
}

static void check_scrape(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const struct conf_scrape *s = obj;
    check_protocols(r, map, s);
    if (s->interval_ms && s->timeout_ms > s->interval_ms)
        conf_error(r, conf_pos(map, "scrape_timeout"),
                   "\"scrape_timeout\" is longer than the \"scrape_interval\" of job \"%.*s\"",
                   STR_ARG(s->job_name));
    if (s->relabel.n == 0)
        conf_targets_check(r, yaml_get(map, STR("static_configs")));
}

const struct conf_schema conf_schema_scrape = {
    .name = "scrape_config",
    .size = sizeof(struct conf_scrape),
    .rows = scrape_rows,
    .check = check_scrape,
    .pos_at = offsetof(struct conf_scrape, pos),
    .help = "One job: where its targets are, how to scrape them, and what to do with the samples.",
};
