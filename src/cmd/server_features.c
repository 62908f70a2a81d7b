// SPDX-License-Identifier: Apache-2.0
/* --enable-feature: upstream's names, and what becomes of each here; and metricsql, which is ours.
 */
#include "cmd/server_int.h"
#include "promql/promql.h"

/* The names are those of upstream's page on feature flags, but for the first. */
static const struct {
    str name;
    unsigned promql;
    bool always;                /* what it asks for is there without it */
    bool starts, zeros, deltas; /* of server_settings. None of all: not built */
} features[] = {
    {STR_INIT("metricsql"), PROMQL_METRICSQL},
    {STR_INIT("promql-experimental-functions"), PROMQL_EXPERIMENTAL_FUNCTIONS},
    {STR_INIT("promql-duration-expr"), PROMQL_DURATION_EXPRESSIONS},
    {STR_INIT("promql-extended-range-selectors"), PROMQL_EXTENDED_RANGE_SELECTORS},
    {STR_INIT("promql-binop-fill-modifiers"), PROMQL_BINOP_FILL_MODIFIERS},
    {STR_INIT("promql-delayed-name-removal"), PROMQL_DELAYED_NAME_REMOVAL},
    {STR_INIT("use-start-timestamps"), PROMQL_START_TIMESTAMPS},
    {STR_INIT("promql-per-step-stats"), .always = true},
    {STR_INIT("auto-reload-config"), 0},
    {STR_INIT("concurrent-rule-eval"), 0},
    {STR_INIT("created-timestamp-zero-ingestion"), .starts = true, .zeros = true},
    {STR_INIT("delayed-compaction"), 0},
    {STR_INIT("exemplar-storage"), .always = true},
    {STR_INIT("extra-scrape-metrics"), 0},
    {STR_INIT("fast-startup"), 0},
    {STR_INIT("histograms-st-encoding"), 0},
    {STR_INIT("memory-snapshot-on-shutdown"), 0},
    {STR_INIT("metadata-wal-records"), 0},
    {STR_INIT("native-histograms"), .always = true},
    {STR_INIT("old-ui"), 0},
    {STR_INIT("ooo-native-histograms"), .always = true},
    {STR_INIT("otlp-deltatocumulative"), 0},
    {STR_INIT("otlp-native-delta-ingestion"), .deltas = true},
    {STR_INIT("search-api"), 0},
    {STR_INIT("st-storage"), .starts = true},
    {STR_INIT("st-synthesis"), 0},
    {STR_INIT("type-and-unit-labels"), 0},
    {STR_INIT("use-uncached-io"), 0},
    {STR_INIT("xor2-encoding"), 0},
};
enum { FEATURES_N = sizeof features / sizeof features[0] };

static bool unknown(str name, struct err *err)
{
    str names[FEATURES_N];
    for (size_t i = 0; i < FEATURES_N; i++)
        names[i] = features[i].name;
    err_set(err, ERR_INVALID, "unknown feature \"%.*s\"", STR_ARG(name));
    str near = str_nearest(name, names, FEATURES_N);
    return near.n ? err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near)) : false;
}

static void add_unbuilt(str name, struct server_settings *out)
{
    if (!out->features_unbuilt)
        out->features_unbuilt = arena_array(&out->arena, str, FEATURES_N);
    for (size_t i = 0; i < out->features_unbuilt_n; i++) {
        if (str_eq(out->features_unbuilt[i], name))
            return;
    }
    out->features_unbuilt[out->features_unbuilt_n++] = name;
}

static bool find(str name, size_t *i, struct err *err)
{
    for (*i = 0; *i < FEATURES_N; (*i)++)
        if (str_eq(features[*i].name, name))
            return true;
    return unknown(name, err);
}

static bool enable(str name, struct server_settings *out, struct err *err)
{
    size_t i;
    if (!find(name, &i, err))
        return false;
    out->promql_features |= features[i].promql;
    out->start_timestamps |= features[i].starts;
    out->start_zeros |= features[i].zeros;
    out->otlp_deltas |= features[i].deltas;
    if (!features[i].promql && !features[i].always && !features[i].starts && !features[i].deltas)
        add_unbuilt(features[i].name, out);
    return true;
}

bool server_features_read(const struct option_value *v, struct server_settings *out,
                          struct err *err)
{
    out->promql_features = PROMQL_DURATION_EXPRESSIONS; /* as upstream since 3.14 */
    for (size_t i = 0; i < v->list_n; i++) {
        str rest = v->list[i], name;
        while (str_cut(&rest, ',', &name)) {
            name = str_trim(name);
            if (name.n && !enable(name, out, err))
                return false;
        }
    }
    return true;
}

bool cmd_promql_features(const struct option_value *v, unsigned *out, struct err *err)
{
    for (size_t i = 0; i < v->list_n; i++) {
        str rest = v->list[i], name;
        while (str_cut(&rest, ',', &name)) {
            size_t at;
            name = str_trim(name);
            if (!name.n)
                continue;
            if (!find(name, &at, err))
                return false;
            if (!features[at].promql)
                return err_set(err, ERR_INVALID, "feature \"%.*s\" is no part of the language",
                               STR_ARG(name));
            *out |= features[at].promql;
        }
    }
    return true;
}
