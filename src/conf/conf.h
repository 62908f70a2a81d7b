// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration files to typed, immutable values.
 *
 * A file is read against schema tables: every key of Prometheus' own files is known with its type,
 * default and limits, whether or not nunchi already does what it asks for. A key nobody knows is an
 * error, a valid key whose behaviour is not built yet is a warning (an error when `strict`), and
 * the first 20 errors are told with file, line, column, source line and a suggestion. A file with
 * one error is refused as a whole. The reference pages in docs/reference/ come from the same
 * tables.
 *
 *     struct conf_diags *diags = conf_diags_new();
 *     struct prom_config *c = conf_load_prometheus(&(struct conf_input){.path = path}, diags);
 *     conf_diags_print(diags, &out);
 *
 * A configuration owns all of its memory and is immutable once loaded: any thread may read it, and
 * conf_free gives it back. Durations are milliseconds, sizes bytes. A null value (`key:`) is the
 * zero value of its type, as in Go; where upstream reads zero as "inherit" or "default", it was
 * already replaced. Files named in a configuration are relative to the file that names them and
 * made absolute or relative to the working directory here.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

enum {
    CONF_BYTES_MAX = 16 << 20, /* of one file */
    CONF_ERRORS_MAX = 20,
    CONF_WARNINGS_MAX = 200,
    CONF_INCLUDES_MAX = 1000, /* files that scrape_config_files may bring in */
};

/* ---- diagnostics ---- */

struct conf_diag {
    bool is_error;  /* else a warning */
    struct err err; /* file, position, message, hint */
    str text;       /* of the whole file, for the source line; empty when the line holds a secret */
};

/* What was found in one load; its text outlives the load. Owned by one thread. */
struct conf_diags;
struct conf_diags *conf_diags_new(void);
void conf_diags_free(struct conf_diags *d);
size_t conf_diags_count(const struct conf_diags *d);
const struct conf_diag *conf_diags_at(const struct conf_diags *d, size_t i);
size_t conf_diags_errors(const struct conf_diags *d);
/* As err_print does, one after the other, and a last line when more were found than are kept. */
void conf_diags_print(const struct conf_diags *d, struct strbuf *out);
/* The topmost error, for callers that can show one only; false when there is none. */
bool conf_diags_first_error(const struct conf_diags *d, struct err *err);

/* ---- pieces ---- */

#define CONF_LIST(T)                                                                               \
    struct {                                                                                       \
        T *at;                                                                                     \
        size_t n;                                                                                  \
    }

/* Not a str, so that no printer takes it by accident. */
struct conf_secret {
    str hidden;
};

/* Named as written; order as written. */
struct conf_pair {
    str name, value;
    struct pos pos;
};
struct conf_named_list {
    str name;
    CONF_LIST(str) values;
};
typedef CONF_LIST(str) conf_strs;
typedef CONF_LIST(struct conf_pair) conf_pairs;

enum conf_tls_version { CONF_TLS_ANY, CONF_TLS10, CONF_TLS11, CONF_TLS12, CONF_TLS13 };

struct conf_basic_auth {
    str username, username_file;
    struct conf_secret password;
    str password_file;
};
struct conf_authorization {
    str type; /* "Bearer" unless written */
    struct conf_secret credentials;
    str credentials_file;
};
struct conf_tls {
    str ca, ca_file, cert, cert_file, key_file, server_name;
    struct conf_secret key;
    bool insecure_skip_verify;
    int min_version, max_version; /* enum conf_tls_version */
};
struct conf_header {
    str name;
    conf_strs values;
    CONF_LIST(struct conf_secret) secrets;
    conf_strs files;
};
/* How to reach an HTTP server. bearer_token(_file) was folded into `authorization`. */
struct conf_http {
    struct conf_basic_auth *basic_auth;       /* NULL: none */
    struct conf_authorization *authorization; /* NULL: none */
    struct conf_tls tls;
    bool follow_redirects;
    str proxy_url; /* empty: none */
    CONF_LIST(struct conf_header) headers;
    struct conf_secret bearer_token;
    str bearer_token_file;
};

enum conf_relabel_action {
    CONF_RELABEL_NONE,
    CONF_RELABEL_REPLACE,
    CONF_RELABEL_KEEP,
    CONF_RELABEL_DROP,
    CONF_RELABEL_HASHMOD,
    CONF_RELABEL_LABELMAP,
    CONF_RELABEL_LABELDROP,
    CONF_RELABEL_LABELKEEP,
    CONF_RELABEL_LOWERCASE,
    CONF_RELABEL_UPPERCASE,
    CONF_RELABEL_KEEPEQUAL,
    CONF_RELABEL_DROPEQUAL,
};
struct conf_relabel {
    struct pos pos;
    int action; /* enum conf_relabel_action, never NONE */
    conf_strs source_labels;
    str separator, regex, target_label, replacement;
    uint64_t modulus;
};
typedef CONF_LIST(struct conf_relabel) conf_relabels;

/* ---- prometheus.yml ---- */

enum conf_scrape_protocol {
    CONF_PROTO_NONE,
    CONF_PROTO_PROTOBUF,
    CONF_PROTO_TEXT_0_0_4,
    CONF_PROTO_TEXT_1_0_0,
    CONF_PROTO_OPENMETRICS_0_0_1,
    CONF_PROTO_OPENMETRICS_1_0_0,
};
enum conf_name_scheme { CONF_NAMES_UNSET, CONF_NAMES_UTF8, CONF_NAMES_LEGACY };
enum conf_escaping {
    CONF_ESCAPE_UNSET,
    CONF_ESCAPE_ALLOW_UTF8,
    CONF_ESCAPE_UNDERSCORES,
    CONF_ESCAPE_DOTS,
    CONF_ESCAPE_VALUES,
};
/* "PrometheusText0.0.4", ... */
const char *conf_scrape_protocol_name(enum conf_scrape_protocol p);

struct conf_static {
    struct pos pos;
    conf_strs targets;
    conf_pairs labels;
};

/* Of one target's scrape; 0: no limit. */
struct conf_limits {
    uint64_t body_bytes;
    int64_t samples, targets, labels, label_name_bytes, label_value_bytes;
    int64_t keep_dropped_targets;
};

/* 0 or 1. */
struct conf_native {
    int scrape; /* native histograms are asked for and stored */
    int classic_too;
};

struct conf_scrape {
    struct pos pos;
    str file; /* that it was written in */
    str job_name;
    int64_t interval_ms, timeout_ms;
    str metrics_path;
    int scheme; /* 0: http, 1: https */
    CONF_LIST(struct conf_named_list) params;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
    int extra_metrics; /* 0 or 1 */
    struct conf_native native;
    struct conf_limits limits;
    bool own_protocols;        /* they are written down, here or in `global` */
    CONF_LIST(int) protocols;  /* enum conf_scrape_protocol, most wanted first */
    int fallback_protocol;     /* of a body without a known Content-Type */
    int name_scheme, escaping; /* enum conf_name_scheme, conf_escaping */
    conf_relabels relabel, metric_relabel;
    CONF_LIST(struct conf_static) static_configs;
    struct conf_http http;
};

/* How names of OTLP become names of series. */
enum conf_otlp_strategy {
    CONF_OTLP_UNSET,           /* as the default */
    CONF_OTLP_ESCAPE_SUFFIXES, /* the default: http.server.duration, s: http_server_duration_seconds
                                */
    CONF_OTLP_KEEP_SUFFIXES,   /* http.server.duration_seconds */
    CONF_OTLP_ESCAPE,          /* http_server_duration */
    CONF_OTLP_KEEP,            /* http.server.duration */
};
static inline bool conf_otlp_escapes(int strategy)
{
    return strategy != CONF_OTLP_KEEP_SUFFIXES && strategy != CONF_OTLP_KEEP;
}
static inline bool conf_otlp_suffixes(int strategy)
{
    return strategy != CONF_OTLP_ESCAPE && strategy != CONF_OTLP_KEEP;
}

/* How OTLP metrics become series. */
struct conf_otlp {
    conf_strs promote, ignore; /* resource attributes; without blanks around them */
    bool promote_all;          /* but for those of `ignore` */
    int strategy;              /* enum conf_otlp_strategy */
    bool keep_identifying, histograms_to_nhcb, promote_scope;
    bool label_key_prefix;       /* of labels that begin with one underscore */
    bool label_keep_underscores; /* several in a row */
};

struct prom_config {
    struct arena arena;
    str path; /* empty: none */
    str yaml; /* what was loaded, as YAML, with <secret> for every secret */
    struct {
        int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, rule_query_offset_ms;
        conf_pairs external_labels; /* $VAR and ${VAR} were replaced; sorted by name */
        struct conf_limits limits;
        int extra_metrics;
        struct conf_native native;
        bool own_protocols; /* they are written down */
        CONF_LIST(int) protocols;
        int name_scheme, escaping;
        str query_log_file; /* empty: none */
    } global;
    CONF_LIST(struct conf_scrape) scrape; /* those of scrape_config_files too */
    conf_strs rule_files, scrape_config_files;
    struct conf_otlp otlp;
    int64_t exemplars_max; /* 0 and below: none are kept */
};

struct conf_input {
    const char *path; /* file to read, or the name to show when `text` is given */
    str text;         /* p not NULL: read this instead of the file */
    bool strict;      /* what is not built is an error */
    /* NULL: the environment of the process. Gives NULL for a variable that is not set. */
    const char *(*getenv)(const char *name);
    /* Knows the language of selectors (series to keep); NULL: they are taken as they are. */
    bool (*selector)(str text, struct err *err);
};

/* NULL when there was an error; `d` says all. An empty file is a valid configuration. */
struct prom_config *conf_load_prometheus(const struct conf_input *in, struct conf_diags *d);
/* What runs when there is no file at all: global defaults, no scrape_configs. */
struct prom_config *conf_default(void);
void conf_free(struct prom_config *c);

/* ---- nunchi.yml ---- */

enum { CONF_TIERS_MAX = 4 };

/* Rows of one step are kept so long after samples of their time. */
struct conf_tier {
    int64_t step_ms, keep_ms;
};

/* How long samples of some series are kept. */
struct conf_retention {
    str match; /* a selector, checked by conf_input.selector */
    int64_t keep_ms;
};

enum conf_durability { CONF_DURABLE, CONF_FAST };

struct nunchi_config {
    struct arena arena;
    str path;
    str yaml;
    str listen; /* "127.0.0.1:9090" */
    struct {
        str path;
        int64_t retention_ms;     /* of samples; 0: for ever */
        uint64_t retention_bytes; /* 0: no limit */
        CONF_LIST(struct conf_retention) retention_by;
        str tiers_text;                    /* as written */
        CONF_LIST(struct conf_tier) tiers; /* finest first; each is kept longer than those before */
        int durability;                    /* enum conf_durability */
        uint64_t memory_bytes;             /* 0: chosen by the machine's memory */
    } storage;
    struct {
        int64_t query_timeout_ms, query_samples, query_concurrency, query_lookback_ms;
        int64_t series_per_target;
        int64_t slow_query_ms; /* 0: none is */
        uint64_t query_memory_bytes, query_total_memory_bytes; /* 0: chosen by the machine's */
    } limits;
    str metrics_path;            /* of a prometheus.yml; empty: inline or none */
    struct prom_config *metrics; /* loaded from either; NULL: the file has no `metrics` */
};

struct nunchi_config *conf_load_nunchi(const struct conf_input *in, struct conf_diags *d);
struct nunchi_config *conf_nunchi_default(void);
void conf_nunchi_free(struct nunchi_config *c);

/* ---- web.yml ---- */

enum conf_client_auth { CONF_CLIENT_NONE, CONF_CLIENT_IF_GIVEN, CONF_CLIENT_REQUIRED };

/* TLS of our listen addresses; without a certificate there is none. */
struct conf_tls_server {
    str cert_file, key_file, client_ca_file;
    struct pos cert_pos, key_pos, client_ca_pos;
    int client_auth; /* enum conf_client_auth; what is not NONE is verified by client_ca_file */
    int min_version; /* enum conf_tls_version */
};

struct web_config {
    struct arena arena;
    str path, text;
    struct conf_tls_server tls;
};

struct web_config *conf_load_web(const struct conf_input *in, struct conf_diags *d);
void conf_web_free(struct web_config *c);
/*
 * Reads the certificate files (blocking) and gives what listeners use, owned by the caller (see
 * net/tls.h); `*out` is NULL when the file asks for no TLS. A file that cannot be used is told at
 * the key that names it.
 */
struct tls_server;
bool conf_web_tls(const struct web_config *c, struct conf_diags *d, struct tls_server **out);

/* ---- tools ---- */

enum conf_kind {
    CONF_KIND_PROMETHEUS,
    CONF_KIND_NUNCHI,
    CONF_KIND_HTTP_CLIENT, /* promtool's --http.config.file */
    CONF_KIND_TLS,         /* a tls_config block alone */
    CONF_KIND_WEB,         /* --web.config.file */
};

/* Body of `nunchi check config`: loads the file, also asks whether the files it names are there,
 * and appends the diagnostics and a closing line. True when it may be used. */
bool conf_check(const struct conf_input *in, enum conf_kind kind, struct strbuf *report);
/* The same for a text, without looking for files. */
bool conf_check_text(str text, const char *name, enum conf_kind kind, bool strict,
                     struct conf_diags *d);

/* The reference page of a kind, Markdown. */
void conf_reference(enum conf_kind kind, struct strbuf *out);

#endif
