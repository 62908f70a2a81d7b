// SPDX-License-Identifier: Apache-2.0
/* What the files of `nunchi server` share: its flags, its settings, its parts. */
#ifndef CMD_SERVER_INT_H
#define CMD_SERVER_INT_H

#include "api/api.h"
#include "api/notifications.h"
#include "cmd/cmd.h"
#include "conf/conf.h"
#include "tsdb/tsdb.h"

/* Rows of the table of flags, in its order. */
enum server_flag {
    FLAG_CONFIG_FILE,
    FLAG_CONFIG,
    FLAG_STORAGE_PATH,
    FLAG_STORAGE_TSDB_PATH,
    FLAG_RETENTION_TIME,
    FLAG_RETENTION_SIZE,
    FLAG_DURABILITY,
    FLAG_MEMORY,
    FLAG_LISTEN,
    FLAG_WEB_CONFIG,
    FLAG_EXTERNAL_URL,
    FLAG_LIFECYCLE_ON,
    FLAG_ADMIN_API_ON,
    FLAG_REMOTE_WRITE_RECEIVER,
    FLAG_CORS,
    FLAG_MAX_CONNECTIONS,
    FLAG_MAX_NOTIFIED,
    FLAG_QUERY_TIMEOUT,
    FLAG_QUERY_CONCURRENCY,
    FLAG_QUERY_SAMPLES,
    FLAG_QUERY_MEMORY,
    FLAG_QUERY_TOTAL_MEMORY,
    FLAG_QUERY_LOOKBACK,
    FLAG_ENABLE_FEATURE,
    FLAG_WATCH_HOST,
    FLAG_WATCH_INTERVAL,
    FLAG_INSECURE,
    FLAG_STRICT,
    FLAG_LOG_LEVEL,
    FLAG_LOG_FORMAT,
    SERVER_FLAGS,
};

extern const struct option_row server_options[SERVER_FLAGS];

/* Flags and nunchi.yml together: a flag that was given wins. Views live as long as `arena`. */
struct server_settings {
    struct arena arena;
    const char *config_file, *nunchi_file, *web_file; /* NULL: none */
    const char *storage_path;
    int64_t retention_ms;
    struct tsdb_tier tiers[SOURCE_TIERS_MAX];
    size_t tiers_n;
    bool durable, lifecycle, admin_api, watch_host, insecure, strict, log_json;
    uint64_t retention_bytes;            /* 0: no limit */
    struct conf_retention *retention_by; /* of nunchi.yml */
    size_t retention_by_n;
    int log_level;
    uint64_t memory_bytes;
    const char **listen;
    size_t listen_n;
    str external_url, cors_origin;
    int64_t query_timeout_ms, query_lookback_ms, watch_interval_ms;
    uint64_t query_samples, query_concurrency, connections_max, notified_max;
    int64_t slow_query_ms;
    uint64_t query_memory_bytes, query_total_memory_bytes;
    int64_t series_per_target;
    unsigned promql_features; /* enum promql_feature, or-ed */
    bool start_timestamps;    /* scrape_options */
    bool start_zeros;         /* tsdb_options */
    bool otlp_deltas;         /* api */
    str *features_unbuilt;    /* asked for, but only upstream has them */
    size_t features_unbuilt_n;
    struct api_setting *flags; /* as the status page shows them */
    size_t flags_n;
};

/* Reads the flags over what `file` says (never NULL). Errors name the flag. */
bool server_settings_read(const struct option_value *values, const struct nunchi_config *file,
                          struct server_settings *out, struct err *err);
void server_settings_fini(struct server_settings *s);
/*
 * The configuration in force. Immutable once loaded; freed when the scraper and the last reader of
 * the status page let go.
 */
struct server_config {
    _Atomic unsigned refs;
    struct nunchi_config *nunchi;
    struct web_config *web;            /* NULL: no --web.config.file */
    struct tls_server *tls;            /* by `web`; NULL: plain HTTP */
    struct prom_config *own;           /* loaded from --config.file, or the default */
    const struct prom_config *metrics; /* what is in force: own, or that of nunchi.yml */
    struct conf_diags *diags;
    struct api_config shown;
};

struct server_files {
    const char *config, *nunchi, *web; /* NULL: not given */
    bool strict;
};

/* NULL when a file was refused; `report` gets everything that is wrong or worth a warning. */
struct server_config *server_config_load(const struct server_files *files, struct strbuf *report);
void server_config_unref(void *config);

/* ---- server_watch.c ---- */

enum { SERVER_WATCHED = 2, SERVER_NOTIFIED_MAX = 10000 };

/* Owned by the task that ticks. All zero to begin with. */
struct server_watch {
    int64_t seen[SERVER_WATCHED];
    unsigned quiet_for[SERVER_WATCHED]; /* ticks until it counts as over; 0: it is */
    unsigned ticks;
    bool background_failed;
};
/* Each second: what the counters tell becomes notifications. */
void server_watch_tick(struct server_watch *w, struct notifications *n);
/* What tsdb_tick said. */
void server_watch_background(struct notifications *n, struct server_watch *w,
                             const struct err *err);

/* The address is one of this host only. */
bool server_is_loopback(str address);
/* Reads the values of --enable-feature, lists of upstream's names. An unknown one and one whose
 * part of the language is missing are errors; others that are not built are gathered for a warning.
 */
bool server_features_read(const struct option_value *v, struct server_settings *out,
                          struct err *err);
/* An address that others can reach needs client certificates, or --insecure. */
bool server_listen_check(const struct server_settings *s, const struct server_config *c,
                         struct err *err);

#endif
