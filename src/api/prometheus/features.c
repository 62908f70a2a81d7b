// SPDX-License-Identifier: Apache-2.0
/* /api/v1/features: what clients may use, by upstream's categories and names. */
#include "api/prometheus/prometheus_int.h"
#include "promql/promql.h"

struct feature {
    const char *name;
    bool on;
    unsigned promql; /* a bit of enum promql_feature that turns it on */
};

// clang-format off
static const struct feature api_rows[] = {
    {"exclude_alerts", true}, {"label_values_match", true}, {"otlp_write_receiver", true},
    {"query_stats", true}, {"query_warnings", true}, {"remote_write_receiver", true},
    {"time_range_labels", true}, {"time_range_series", true},
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
    {"prometheus", prometheus_rows, sizeof prometheus_rows / sizeof prometheus_rows[0]},
    {"promql", promql_rows, sizeof promql_rows / sizeof promql_rows[0]},
    {"promql_operators", operator_rows, sizeof operator_rows / sizeof operator_rows[0]},
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

void prometheus_features(struct call *c)
{
    unsigned enabled = c->api->query.features;
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
            json_put_bool(&w, f->on || enabled & f->promql);
        }
        if (categories[i].rows == api_rows) {
            json_put_key(&w, STR("admin"));
            json_put_bool(&w, c->api->admin_api);
            json_put_key(&w, STR("lifecycle"));
            json_put_bool(&w, c->api->lifecycle);
        }
        json_close_object(&w);
    }
    put_functions(&w, enabled);
    json_close_object(&w);
    success_end(&r, &w);
}
