// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP side: routes and adapters without logic of their own. cmd/ fills in the services, then
 * hands `api_handler` to the HTTP server.
 *
 * Everything here is set before the server starts and immutable afterwards, but for what is said to
 * be atomic or published.
 */
#ifndef API_API_H
#define API_API_H

#include <stdatomic.h>

#include "api/guard.h"
#include "api/route.h"
#include "conf/conf.h"
#include "model/emit.h"
#include "model/sink.h"
#include "model/source.h"
#include "sys/env.h"
#include "sys/pool.h"
#include "sys/self.h"
#include "sys/snap.h"

struct notifications;
struct queries;
struct query_log;
struct scraper;
struct tsdb;

/* One flag as the status page shows it; `setting` of a limit is the flag or key that moves it. */
struct api_setting {
    str name, value, setting;
};

/* A bound for the status page: its value as text, and what is used of it now where that is counted.
 */
struct api_limit {
    str name, value, setting;
    uint64_t max; /* 0: what is used is not told */
    enum self_id used;
};

/* The configuration in force, published at each reload. */
struct api_config {
    str yaml;                         /* of prometheus.yml, secrets masked */
    const struct conf_diags *diags;   /* its warnings */
    const struct conf_pair *external; /* external_labels, sorted by name */
    size_t external_n;
    const struct conf_otlp *otlp; /* never NULL */
    int64_t scrape_interval_ms;   /* of `global` */
    bool last_reload_ok;
    ts_ms loaded_at;
};

struct api {
    struct env *env;
    struct pool *pool;
    struct source *source;
    struct sink *sink;
    struct tsdb *tsdb;
    struct queries *queries; /* those under way */
    struct query_log *query_log;
    struct scraper *scraper;
    struct emitter *self; /* for /metrics */
    struct notifications *notifications;
    struct snap config; /* struct api_config */

    /* Reads the configuration again; false with everything that is wrong with it. Pool thread. */
    bool (*reload)(void *arg, struct strbuf *report);
    void *reload_arg;
    void (*quit)(void *reload_arg); /* as SIGTERM. Any thread */

    struct {
        int64_t timeout_ms;
        uint64_t samples_max;
        uint64_t memory_max_bytes; /* of one */
        struct budget_pool pool;   /* memory of all */
        int64_t lookback_ms;
        unsigned features;
    } query;
    bool otlp_deltas;                    /* OTLP may bring delta temporality */
    bool start_zeros;                    /* a zero is stored at a start timestamp */
    uint64_t write_body_bytes_max;       /* of a decompressed remote write or OTLP request */
    unsigned inflight_max[ROUTE_LIMITS]; /* 0: no bound */
    _Atomic unsigned inflight[ROUTE_LIMITS];

    const struct api_setting *flags;
    const struct api_limit *limits;
    size_t flags_n, limits_n;
    str version, external_url;
    bool lifecycle, admin_api; /* the flags that open routes */
    str cors_origin;           /* "*" or one origin */
    struct guard guard;
    ts_ms started_at;
    str storage_retention; /* as given, for runtimeinfo */
    _Atomic bool ready;
};

/* All tables, checked for clashes. */
bool api_init(struct api *api, struct err *err);
struct http_handler api_handler(struct api *api);

#endif
