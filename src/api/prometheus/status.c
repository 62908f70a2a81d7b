// SPDX-License-Identifier: Apache-2.0
/* /api/v1/status/...: what this server is, how it was started, what it holds. */
#include <unistd.h>

#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "sys/self.h"
#include "tsdb/tsdb.h"

/* Grafana and others read features off the version: this is the one whose API is spoken here. */
#define PROMETHEUS_VERSION "3.5.0"

void prometheus_buildinfo(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_pair(&w, "version", STR(PROMETHEUS_VERSION));
    json_pair(&w, "revision", STR(""));
    json_pair(&w, "branch", STR(""));
    json_pair(&w, "buildUser", STR(""));
    json_pair(&w, "buildDate", STR(""));
    json_pair(&w, "goVersion", STR(""));
    json_pair(&w, "application", STR("nunchi"));
    json_pair(&w, "nunchiVersion", c->api->version);
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_runtimeinfo(struct call *c)
{
    struct reply r;
    struct json_writer w;
    struct tsdb_stats stats;
    SNAP_CLEANUP struct snap_ref ref = snap_get(&c->api->config);
    const struct api_config *config = ref.value;
    char cwd[4096] = "";
    tsdb_stats(c->api->tsdb, &stats);
    if (!getcwd(cwd, sizeof cwd))
        cwd[0] = 0;
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("startTime"));
    json_rfc3339(&w, c->api->started_at);
    json_pair(&w, "CWD", str_from_z(cwd));
    json_pair(&w, "hostname", c->api->guard.hostname);
    json_put_key(&w, STR("serverTime"));
    json_rfc3339(&w, env_now_ms(c->api->env));
    json_put_key(&w, STR("reloadConfigSuccess"));
    json_put_bool(&w, config && config->last_reload_ok);
    json_put_key(&w, STR("lastConfigTime"));
    json_rfc3339(&w, config ? config->loaded_at : 0);
    json_pair_u64(&w, "corruptionCount",
                  (uint64_t)(self_get(SELF_WAL_DAMAGED) + self_get(SELF_PART_QUARANTINED)));
    json_pair_u64(&w, "timeSeriesCount", stats.series);
    json_pair(&w, "storageRetention", c->api->storage_retention);
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_flags(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_object(&w);
    for (size_t i = 0; i < c->api->flags_n; i++) {
        json_put_key(&w, c->api->flags[i].name);
        json_put_str(&w, c->api->flags[i].value);
    }
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_config(struct call *c)
{
    struct reply r;
    struct json_writer w;
    SNAP_CLEANUP struct snap_ref ref = snap_get(&c->api->config);
    const struct api_config *config = ref.value;
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_pair(&w, "yaml", config ? config->yaml : STR(""));
    json_close_object(&w);
    success_end(&r, &w);
}

static void top_list(struct json_writer *w, const char *key, const struct tsdb_top *rows, size_t n)
{
    json_put_key(w, str_from_z(key));
    json_open_array(w);
    for (size_t i = 0; i < n; i++) {
        json_open_object(w);
        json_pair(w, "name", rows[i].name);
        json_pair_u64(w, "value", rows[i].n);
        json_close_object(w);
    }
    json_close_array(w);
}

static void head_stats(struct json_writer *w, const struct tsdb_stats *s, uint64_t label_pairs)
{
    bool empty = s->min_t > s->max_t;
    json_put_key(w, STR("headStats"));
    json_open_object(w);
    json_pair_u64(w, "numSeries", s->series);
    json_pair_u64(w, "numLabelPairs", label_pairs);
    json_pair_u64(w, "chunkCount", s->chunks);
    json_put_key(w, STR("minTime"));
    json_put_i64(w, empty ? 0 : s->min_t);
    json_put_key(w, STR("maxTime"));
    json_put_i64(w, empty ? 0 : s->max_t);
    json_close_object(w);
}

enum { TOP_DEFAULT = 10, TOP_MAX = 10000 };

void prometheus_tsdb(struct call *c)
{
    struct tsdb_cardinality top;
    struct tsdb_stats stats;
    struct reply r;
    struct json_writer w;
    struct err err;
    uint64_t limit;
    bool ok = param_limit(c, STR("limit"), &limit, &err);
    if (ok && !limit && http_params_get(&c->params, STR("limit")).n)
        ok = err_set(&err, ERR_INVALID, "limit must be a positive number");
    if (ok && limit > TOP_MAX)
        ok = err_set(&err, ERR_INVALID, "invalid parameter \"limit\": must not exceed %d", TOP_MAX);
    if (!ok) {
        reply_error(c, &err);
        return;
    }
    tsdb_stats(c->api->tsdb, &stats);
    tsdb_cardinality(c->api->tsdb, limit ? limit : TOP_DEFAULT, c->arena, &top);
    success_begin(&r, &w, c);
    json_open_object(&w);
    head_stats(&w, &stats, top.label_pairs);
    top_list(&w, "seriesCountByMetricName", top.series_by_metric, top.series_by_metric_n);
    top_list(&w, "labelValueCountByLabelName", top.values_by_label, top.values_by_label_n);
    top_list(&w, "memoryInBytesByLabelName", top.bytes_by_label, top.bytes_by_label_n);
    top_list(&w, "seriesCountByLabelValuePair", top.series_by_pair, top.series_by_pair_n);
    json_close_object(&w);
    success_end(&r, &w);
}

static void warning(struct json_writer *w, const struct conf_diag *d)
{
    json_open_object(w);
    json_pair(w, "file", str_from_z(d->err.file));
    json_pair_u64(w, "line", d->err.pos.line);
    json_pair_u64(w, "column", d->err.pos.col);
    json_pair(w, "message", str_from_z(d->err.msg));
    json_pair(w, "hint", str_from_z(d->err.hint));
    json_close_object(w);
}

/* What upstream's API has no place for: warnings of the configuration, limits, sizes on disk. */
void prometheus_nunchi(struct call *c)
{
    struct reply r;
    struct json_writer w;
    struct tsdb_stats stats;
    SNAP_CLEANUP struct snap_ref ref = snap_get(&c->api->config);
    const struct api_config *config = ref.value;
    tsdb_stats(c->api->tsdb, &stats);
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("warnings"));
    json_open_array(&w);
    for (size_t i = 0; config && i < conf_diags_count(config->diags); i++)
        warning(&w, conf_diags_at(config->diags, i));
    json_close_array(&w);
    json_put_key(&w, STR("limits"));
    json_open_array(&w);
    for (size_t i = 0; i < c->api->limits_n; i++) {
        json_open_object(&w);
        json_pair(&w, "name", c->api->limits[i].name);
        json_pair(&w, "value", c->api->limits[i].value);
        json_pair(&w, "setting", c->api->limits[i].setting);
        if (c->api->limits[i].max) {
            int64_t used = self_get(c->api->limits[i].used);
            json_pair_u64(&w, "used", used > 0 ? (uint64_t)used : 0);
            json_pair_u64(&w, "max", c->api->limits[i].max);
        }
        json_close_object(&w);
    }
    json_close_array(&w);
    json_put_key(&w, STR("storage"));
    json_open_object(&w);
    json_pair_u64(&w, "walBytes", stats.wal_bytes);
    json_pair_u64(&w, "parts", stats.parts);
    json_pair_u64(&w, "partBytes", stats.part_bytes);
    json_pair_u64(&w, "partSamples", stats.part_samples);
    json_pair_u64(&w, "headSamples", stats.head_samples);
    json_pair_u64(&w, "headBytes", stats.memory_bytes);
    json_close_object(&w);
    json_close_object(&w);
    success_end(&r, &w);
}

/* Nobody is answered before the replay has ended, and its segments are not numbered as upstream's.
 */
void prometheus_walreplay(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_pair_u64(&w, "min", 0);
    json_pair_u64(&w, "max", 0);
    json_pair_u64(&w, "current", 0);
    json_close_object(&w);
    success_end(&r, &w);
}
