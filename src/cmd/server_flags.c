// SPDX-License-Identifier: Apache-2.0
/* Flags of `nunchi server`; the names are Prometheus' where they mean the same. */
#include <assert.h>

#include "base/num.h"
#include "cmd/server_int.h"
#include "sys/process.h"

// clang-format off
const struct option_row server_options[SERVER_FLAGS] = {
[FLAG_CONFIG_FILE] = {"config.file", OPTION_TEXT, "FILE", NULL, "A prometheus.yml to run."},
[FLAG_CONFIG] = {"config", OPTION_TEXT, "FILE", NULL, "A nunchi.yml: what Prometheus' files have no place for."},
[FLAG_STORAGE_PATH] = {"storage.path", OPTION_TEXT, "DIR", "data", "Where everything is stored."},
[FLAG_STORAGE_TSDB_PATH] = {"storage.tsdb.path", OPTION_TEXT, "DIR", NULL, "The same, under Prometheus' name."},
[FLAG_RETENTION_TIME] = {"storage.tsdb.retention.time", OPTION_TEXT, "DURATION", "15d", "How long samples are kept; 0 is for ever."},
[FLAG_RETENTION_SIZE] = {"storage.tsdb.retention.size", OPTION_TEXT, "SIZE", "0", "Bytes above which the oldest samples are dropped, like 512MB or 20GB; 0 is no limit."},
[FLAG_DURABILITY] = {"storage.durability", OPTION_TEXT, "durable|fast", "durable", "When a write is acknowledged: once it is on stable storage, or at once with a sync each second."},
[FLAG_MEMORY] = {"storage.memory", OPTION_TEXT, "SIZE", NULL, "Memory for recent samples; near it new series are refused. Default: a quarter of the machine's, or of what its cgroup may have."},
[FLAG_LISTEN] = {"web.listen-address", OPTION_LIST, "HOST:PORT", "127.0.0.1:9090", "Where to listen."},
[FLAG_WEB_CONFIG] = {"web.config.file", OPTION_TEXT, "FILE", NULL, "TLS and client certificates of the listen addresses: a web configuration file as Prometheus takes it."},
[FLAG_EXTERNAL_URL] = {"web.external-url", OPTION_TEXT, "URL", NULL, "The URL under which others reach this server."},
[FLAG_LIFECYCLE_ON] = {"web.enable-lifecycle", OPTION_BOOL, NULL, NULL, "Allow a reload by POST /-/reload and a stop by POST /-/quit."},
[FLAG_ADMIN_API_ON] = {"web.enable-admin-api", OPTION_BOOL, NULL, NULL, "Allow deleting series, cleaning up and snapshots by POST /api/v1/admin/tsdb/..."},
[FLAG_REMOTE_WRITE_RECEIVER] = {"web.enable-remote-write-receiver", OPTION_BOOL, NULL, "true", "Accept remote write. It always is; the flag is taken for Prometheus' sake."},
[FLAG_CORS] = {"web.cors.origin", OPTION_TEXT, "ORIGIN", "*", "Which origin may read the API from a web page."},
[FLAG_MAX_CONNECTIONS] = {"web.max-connections", OPTION_TEXT, "N", "20000", "Connections a listen address takes."},
[FLAG_MAX_NOTIFIED] = {"web.max-notifications-subscribers", OPTION_TEXT, "N", "16", "Pages that are told live what the server has to say."},
[FLAG_QUERY_TIMEOUT] = {"query.timeout", OPTION_TEXT, "DURATION", "2m", "How long a query may take."},
[FLAG_QUERY_CONCURRENCY] = {"query.max-concurrency", OPTION_TEXT, "N", "20", "Queries under way at once; the next ones wait."},
[FLAG_QUERY_SAMPLES] = {"query.max-samples", OPTION_TEXT, "N", "50000000", "Samples a query may load."},
[FLAG_QUERY_MEMORY] = {"query.max-memory", OPTION_TEXT, "SIZE", NULL, "Memory a query may hold. Default: half of --query.total-memory, at most 1GiB."},
[FLAG_QUERY_TOTAL_MEMORY] = {"query.total-memory", OPTION_TEXT, "SIZE", NULL, "Memory all queries together may hold; past it the one that holds the most fails. Default: a quarter of the machine's."},
[FLAG_QUERY_LOOKBACK] = {"query.lookback-delta", OPTION_TEXT, "DURATION", "5m", "How far back an instant selector looks for a sample."},
[FLAG_ENABLE_FEATURE] = {"enable-feature", OPTION_LIST, "NAME,...", NULL, "Features of Prometheus that are off by default, by its names; docs/promql.md has those that are built."},
[FLAG_WATCH_HOST] = {"watch.host", OPTION_BOOL, NULL, NULL, "Watch this host and this process. On when no configuration file is given."},
[FLAG_WATCH_INTERVAL] = {"watch.interval", OPTION_TEXT, "DURATION", "5s", "How often."},
[FLAG_INSECURE] = {"insecure", OPTION_BOOL, NULL, NULL, "Listen on addresses that others can reach although nobody has to log in."},
[FLAG_STRICT] = {"strict", OPTION_BOOL, NULL, NULL, "Refuse valid configuration keys whose behaviour is not built yet, instead of a warning."},
[FLAG_LOG_LEVEL] = {"log.level", OPTION_TEXT, "debug|info|warn|error", "info", "Least severe messages to print."},
[FLAG_LOG_FORMAT] = {"log.format", OPTION_TEXT, "logfmt|json", "logfmt", "Plain lines or JSON."},
};
// clang-format on

enum { QUERY_MEMORY_BYTES = 1 << 30 };

static bool flag_error(struct err *err, enum server_flag f)
{
    return err_wrap(err, "--%s", server_options[f].name);
}

static bool read_duration(const struct option_value *values, enum server_flag f, int64_t file_ms,
                          int64_t *out, struct err *err)
{
    if (!values[f].given && file_ms) {
        *out = file_ms;
        return true;
    }
    return duration_parse(values[f].text, out, err) || flag_error(err, f);
}

static bool read_count(const struct option_value *values, enum server_flag f, int64_t from_file,
                       uint64_t *out, struct err *err)
{
    if (!values[f].given && from_file) {
        *out = (uint64_t)from_file;
        return true;
    }
    if (u64_parse(values[f].text, out) && *out)
        return true;
    err_set(err, ERR_INVALID, "\"%.*s\" is no count above 0", STR_ARG(values[f].text));
    return flag_error(err, f);
}

/* Which of two words, or an error that names both. */
static bool read_choice(const struct option_value *values, enum server_flag f,
                        const char *const *words, size_t n, int *out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eqz(values[f].text, words[i])) {
            *out = (int)i;
            return true;
        }
    }
    err_set(err, ERR_INVALID, "is \"%.*s\", expected %s", STR_ARG(values[f].text),
            server_options[f].arg);
    return flag_error(err, f);
}

static bool read_memory(const struct option_value *values, enum server_flag f, uint64_t from_file,
                        uint64_t fallback, uint64_t *out, struct err *err)
{
    if (values[f].given)
        return size_parse(values[f].text, out, err) || flag_error(err, f);
    *out = from_file ? from_file : fallback;
    return true;
}

/* One query cannot have all of it, so that a large one leaves room for small ones. */
static bool read_query_memory(const struct option_value *values, const struct nunchi_config *file,
                              struct server_settings *out, struct err *err)
{
    uint64_t quarter = process_memory_bytes() / 4, one;
    if (!read_memory(values, FLAG_QUERY_TOTAL_MEMORY, file->limits.query_total_memory_bytes,
                     quarter ? quarter : QUERY_MEMORY_BYTES, &out->query_total_memory_bytes, err))
        return false;
    one = out->query_total_memory_bytes / 2;
    return read_memory(values, FLAG_QUERY_MEMORY, file->limits.query_memory_bytes,
                       one < QUERY_MEMORY_BYTES ? one : QUERY_MEMORY_BYTES,
                       &out->query_memory_bytes, err);
}

static bool read_retention_size(const struct option_value *values, uint64_t from_file,
                                uint64_t *out, struct err *err)
{
    const struct option_value *v = &values[FLAG_RETENTION_SIZE];
    *out = from_file;
    if (!v->given || str_eqz(v->text, "0")) {
        *out = v->given ? 0 : from_file;
        return true;
    }
    return size_parse(v->text, out, err) || flag_error(err, FLAG_RETENTION_SIZE);
}

/* The file goes away; the settings stay. */
static void read_retention_by(const struct nunchi_config *file, struct server_settings *out)
{
    out->retention_by_n = file->storage.retention_by.n;
    out->retention_by = arena_array(&out->arena, struct conf_retention, out->retention_by_n + 1);
    for (size_t i = 0; i < out->retention_by_n; i++) {
        const struct conf_retention *r = &file->storage.retention_by.at[i];
        out->retention_by[i] =
            (struct conf_retention){arena_dup(&out->arena, r->match), r->keep_ms};
    }
}

static const char *text_or_null(const struct option_value *v)
{
    return v->given && v->text.n ? v->text.p : NULL;
}

static void read_listen(const struct option_value *v, const struct nunchi_config *file,
                        struct server_settings *out)
{
    size_t n = v->given ? v->list_n : 1;
    out->listen = arena_array(&out->arena, const char *, n);
    out->listen_n = n;
    if (!v->given)
        out->listen[0] = arena_dup(&out->arena, file->listen.n ? file->listen : v->text).p;
    for (size_t i = 0; v->given && i < n; i++)
        out->listen[i] = v->list[i].p;
}

static void show_flags(const struct option_value *values, struct server_settings *out)
{
    out->flags = arena_array(&out->arena, struct api_setting, SERVER_FLAGS);
    out->flags_n = SERVER_FLAGS;
    for (size_t i = 0; i < SERVER_FLAGS; i++) {
        str value = values[i].text;
        if (server_options[i].kind == OPTION_BOOL)
            value = values[i].on ? STR("true") : STR("false");
        out->flags[i] = (struct api_setting){str_from_z(server_options[i].name), value, STR("")};
    }
    STRBUF_CLEANUP struct strbuf listen = {0}, features = {0};
    const struct option_value *asked = &values[FLAG_ENABLE_FEATURE];
    for (size_t i = 0; i < asked->list_n; i++)
        strbuf_addf(&features, "%s%.*s", i ? "," : "", STR_ARG(asked->list[i]));
    out->flags[FLAG_ENABLE_FEATURE].value = arena_dup(&out->arena, strbuf_str(&features));
    for (size_t i = 0; i < out->listen_n; i++)
        strbuf_addf(&listen, "%s%s", i ? "," : "", out->listen[i]);
    out->flags[FLAG_LISTEN].value = arena_dup(&out->arena, strbuf_str(&listen));
    out->flags[FLAG_STORAGE_PATH].value = str_from_z(out->storage_path);
    out->flags[FLAG_WATCH_HOST].value = out->watch_host ? STR("true") : STR("false");
}

static void read_paths(const struct option_value *values, const struct nunchi_config *file,
                       struct server_settings *out)
{
    out->config_file = text_or_null(&values[FLAG_CONFIG_FILE]);
    out->nunchi_file = text_or_null(&values[FLAG_CONFIG]);
    out->web_file = text_or_null(&values[FLAG_WEB_CONFIG]);
    out->storage_path = text_or_null(&values[FLAG_STORAGE_PATH]);
    if (!out->storage_path)
        out->storage_path = text_or_null(&values[FLAG_STORAGE_TSDB_PATH]);
    if (!out->storage_path)
        out->storage_path =
            file->storage.path.n ? arena_dup(&out->arena, file->storage.path).p : "data";
}

static_assert((int)CONF_TIERS_MAX <= (int)SOURCE_TIERS_MAX, "the engine takes what files may say");

/* The flag for the retention of samples overrides the file's, but not the tiers'. */
static bool read_tiers(const struct nunchi_config *file, struct server_settings *out,
                       struct err *err)
{
    out->tiers_n = file->storage.tiers.n;
    for (size_t i = 0; i < out->tiers_n; i++)
        out->tiers[i] = (struct tsdb_tier){file->storage.tiers.at[i].step_ms,
                                           file->storage.tiers.at[i].keep_ms};
    if (out->tiers_n && (out->retention_ms == 0 || out->retention_ms >= out->tiers[0].keep_ms)) {
        err_set(err, ERR_INVALID, "must be above 0 and below what storage.tiers keeps rows for");
        return flag_error(err, FLAG_RETENTION_TIME);
    }
    return true;
}

static bool read_storage(const struct option_value *values, const struct nunchi_config *file,
                         struct server_settings *out, struct err *err)
{
    static const char *const kinds[] = {"durable", "fast"};
    int kind;
    if (!read_duration(values, FLAG_RETENTION_TIME, file->storage.retention_ms, &out->retention_ms,
                       err) ||
        !read_retention_size(values, file->storage.retention_bytes, &out->retention_bytes, err) ||
        !read_tiers(file, out, err) ||
        !read_memory(values, FLAG_MEMORY, file->storage.memory_bytes, process_memory_bytes() / 4,
                     &out->memory_bytes, err) ||
        !read_choice(values, FLAG_DURABILITY, kinds, 2, &kind, err))
        return false;
    if (!values[FLAG_DURABILITY].given)
        kind = file->storage.durability == CONF_FAST;
    out->durable = kind == 0;
    read_retention_by(file, out);
    return true;
}

static bool read_query(const struct option_value *values, const struct nunchi_config *file,
                       struct server_settings *out, struct err *err)
{
    return read_duration(values, FLAG_QUERY_TIMEOUT, file->limits.query_timeout_ms,
                         &out->query_timeout_ms, err) &&
           read_duration(values, FLAG_QUERY_LOOKBACK, file->limits.query_lookback_ms,
                         &out->query_lookback_ms, err) &&
           read_count(values, FLAG_QUERY_SAMPLES, file->limits.query_samples, &out->query_samples,
                      err) &&
           read_query_memory(values, file, out, err) &&
           read_count(values, FLAG_QUERY_CONCURRENCY, file->limits.query_concurrency,
                      &out->query_concurrency, err);
}

bool server_settings_read(const struct option_value *values, const struct nunchi_config *file,
                          struct server_settings *out, struct err *err)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    static const char *const formats[] = {"logfmt", "json"};
    int format;
    *out = (struct server_settings){0};
    arena_init(&out->arena, 0);
    read_paths(values, file, out);
    if (!read_storage(values, file, out, err) || !read_query(values, file, out, err) ||
        !read_duration(values, FLAG_WATCH_INTERVAL, 0, &out->watch_interval_ms, err) ||
        !read_count(values, FLAG_MAX_CONNECTIONS, 0, &out->connections_max, err) ||
        !read_count(values, FLAG_MAX_NOTIFIED, 0, &out->notified_max, err) ||
        !read_choice(values, FLAG_LOG_LEVEL, levels, 4, &out->log_level, err) ||
        !read_choice(values, FLAG_LOG_FORMAT, formats, 2, &format, err))
        return false;
    if (!server_features_read(&values[FLAG_ENABLE_FEATURE], out, err))
        return flag_error(err, FLAG_ENABLE_FEATURE);
    if (out->notified_max > SERVER_NOTIFIED_MAX) {
        err_set(err, ERR_INVALID, "must be %d at most", SERVER_NOTIFIED_MAX);
        return flag_error(err, FLAG_MAX_NOTIFIED);
    }
    if (out->watch_interval_ms < 100) {
        err_set(err, ERR_INVALID, "must be 100ms at least");
        return flag_error(err, FLAG_WATCH_INTERVAL);
    }
    out->log_json = format == 1;
    out->lifecycle = values[FLAG_LIFECYCLE_ON].on;
    out->admin_api = values[FLAG_ADMIN_API_ON].on;
    out->insecure = values[FLAG_INSECURE].on;
    out->strict = values[FLAG_STRICT].on;
    out->external_url = values[FLAG_EXTERNAL_URL].text;
    out->cors_origin = values[FLAG_CORS].text;
    out->series_per_target = file->limits.series_per_target;
    out->slow_query_ms = file->limits.slow_query_ms;
    out->watch_host = values[FLAG_WATCH_HOST].given ? values[FLAG_WATCH_HOST].on
                                                    : !out->config_file && !file->metrics;
    read_listen(&values[FLAG_LISTEN], file, out);
    show_flags(values, out);
    return true;
}

void server_settings_fini(struct server_settings *s)
{
    arena_fini(&s->arena);
}

bool server_is_loopback(str address)
{
    return str_starts(address, STR("127.")) || str_starts(address, STR("localhost:")) ||
           str_starts(address, STR("[::1]:"));
}

bool server_listen_check(const struct server_settings *s, const struct server_config *c,
                         struct err *err)
{
    bool closed = c->tls && c->web->tls.client_auth == CONF_CLIENT_REQUIRED;
    for (size_t i = 0; i < s->listen_n && !s->insecure && !closed; i++) {
        str address = str_from_z(s->listen[i]);
        /* One that is no HOST:PORT is refused by name when it is taken. */
        if (server_is_loopback(address) || str_index(address, ':') < 0)
            continue;
        err_set(
            err, ERR_DENIED,
            "listening on %s would let anybody who reaches it read and write without logging in",
            s->listen[i]);
        return err_hint(err, "listen on 127.0.0.1 behind a proxy that authenticates, demand client "
                             "certificates with --web.config.file, or say --insecure");
    }
    return true;
}
