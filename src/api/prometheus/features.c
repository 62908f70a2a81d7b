// SPDX-License-Identifier: Apache-2.0
/* /api/v1/features: what clients may use, by upstream's categories and names. */
#include <stddef.h>

#include "api/prometheus/prometheus_int.h"
#include "promql/promql.h"

struct feature {
    const char *name;
    bool on;
    unsigned promql; /* a bit of enum promql_feature that turns it on */
    size_t setting;  /* or where a bool of struct api is that does; 0: none */
};

// clang-format off
static const struct feature api_rows[] = {
    {"admin", .setting = offsetof(struct api, admin_api)}, {"exclude_alerts", true},
    {"label_values_match", true}, {"lifecycle", .setting = offsetof(struct api, lifecycle)}, {"otlp_write_receiver", true},
    {"query_stats", true}, {"query_warnings", true}, {"remote_write_receiver", true},
    {"time_range_labels", true}, {"time_range_series", true},
};
static const struct feature otlp_rows[] = {
    {"delta_conversion"}, {"native_delta_ingestion", .setting = offsetof(struct api, otlp_deltas)},
};
static const struct feature prometheus_rows[] = {
    {"agent_mode"}, {"auto_reload_config"}, {"server_mode", true},
};
static const struct feature promql_rows[] = {
    {"anchored", .promql = PROMQL_EXTENDED_RANGE_SELECTORS}, {"at_modifier", true}, {"bool", true}, {"by", true},
    {"delayed_name_removal", .promql = PROMQL_DELAYED_NAME_REMOVAL},
    {"duration_expr", .promql = PROMQL_DURATION_EXPRESSIONS},
    {"fill", .promql = PROMQL_BINOP_FILL_MODIFIERS},
    {"fill_left", .promql = PROMQL_BINOP_FILL_MODIFIERS},
    {"fill_right", .promql = PROMQL_BINOP_FILL_MODIFIERS},
    {"group_left", true}, {"group_right", true}, {"ignoring", true},
    {"metricsql", .promql = PROMQL_METRICSQL}, {"negative_offset", true},
    {"offset", true}, {"on", true}, {"per_query_lookback_delta", true}, {"per_step_stats", true},
    {"smoothed", .promql = PROMQL_EXTENDED_RANGE_SELECTORS}, {"subqueries", true}, {"type_and_unit_labels"}, {"without", true},
};
static const struct feature operator_rows[] = {
    {"!=", true}, {"!~", true}, {"%", true}, {"*", true}, {"+", true}, {"-", true}, {"/", true},
    {"<", true}, {"</", true}, {"<=", true}, {"==", true}, {"=~", true}, {">", true}, {">/", true}, {">=", true}, {"@", true},
    {"^", true}, {"and", true}, {"atan2", true}, {"avg", true}, {"bottomk", true}, {"count", true},
    {"count_values", true}, {"group", true},
    {"limit_ratio", .promql = PROMQL_EXPERIMENTAL_FUNCTIONS},
    {"limitk", .promql = PROMQL_EXPERIMENTAL_FUNCTIONS},
    {"max", true}, {"min", true}, {"or", true}, {"quantile", true}, {"stddev", true},
    {"stdvar", true}, {"sum", true}, {"topk", true}, {"unless", true},
};
static const struct feature discovery_rows[] = {{"static", true}};
static const struct feature scrape_rows[] = {
    {"extra_scrape_metrics", true},
    {"start_timestamp_zero_ingestion", .setting = offsetof(struct api, start_zeros)},
    {"type_and_unit_labels"},
};
static const struct feature tsdb_rows[] = {
    {"exemplar_storage", true}, {"isolation", true}, {"native_histograms", true},
};
// clang-format on

static const struct {
    const char *name;
    const struct feature *rows;
    size_t n;
} categories[] = {
    {"api", api_rows, sizeof api_rows / sizeof api_rows[0]},
    {"otlp_receiver", otlp_rows, sizeof otlp_rows / sizeof otlp_rows[0]},
    {"prometheus", prometheus_rows, sizeof prometheus_rows / sizeof prometheus_rows[0]},
    {"promql", promql_rows, sizeof promql_rows / sizeof promql_rows[0]},
    {"promql_operators", operator_rows, sizeof operator_rows / sizeof operator_rows[0]},
    {"scrape", scrape_rows, sizeof scrape_rows / sizeof scrape_rows[0]},
    {"service_discovery_providers", discovery_rows,
     sizeof discovery_rows / sizeof discovery_rows[0]},
    {"tsdb", tsdb_rows, sizeof tsdb_rows / sizeof tsdb_rows[0]},
};

enum { FUNCTIONS_MAX = 128 };

static void put_functions(struct json_writer *w, unsigned enabled)
{
    struct promql_function_info fn[FUNCTIONS_MAX];
    size_t n = promql_functions(fn, FUNCTIONS_MAX);
    json_put_key(w, STR("promql_functions"));
    json_open_object(w);
    for (size_t i = 0; i < n; i++) {
        json_put_key(w, fn[i].name);
        json_put_bool(w, !fn[i].experimental || enabled & PROMQL_EXPERIMENTAL_FUNCTIONS);
    }
    json_close_object(w);
}

static bool is_on(const struct api *api, const struct feature *f)
{
    return f->on || api->query.features & f->promql ||
           (f->setting && *(const bool *)((const char *)api + f->setting));
}

void prometheus_features(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_object(&w);
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
        json_put_key(&w, str_from_z(categories[i].name));
        json_open_object(&w);
        for (size_t k = 0; k < categories[i].n; k++) {
            const struct feature *f = &categories[i].rows[k];
            json_put_key(&w, str_from_z(f->name));
            json_put_bool(&w, is_on(c->api, f));
        }
        json_close_object(&w);
    }
    put_functions(&w, c->api->query.features);
    json_close_object(&w);
    success_end(&r, &w);
}
