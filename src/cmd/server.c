// SPDX-License-Identifier: Apache-2.0
/*
 * `nunchi server`: the composition root. It makes the parts, ties them together, runs until a
 * signal, and takes them apart in the opposite order.
 *
 * Threads: the main loop (signals, schedules, scraping), I/O loops for the HTTP server, the pool
 * for everything that computes or waits for disk, the WAL's committer.
 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/server_int.h"
#include "collect/collect.h"
#include "ingest/ingest.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "promql/promql.h"
#include "queries/log.h"
#include "queries/queries.h"
#include "scrape/scrape.h"
#include "sys/diag.h"
#include "sys/loop.h"
#include "sys/process.h"
#include "sys/self.h"
#include "tsdb/tsdb.h"

enum {
    IO_LOOPS_MAX = 16,
    TICK_MS = 1000,
    STOP_DEADLINE_MS = 10000,
    INGEST_INFLIGHT_MAX = 1000,
    QUERY_NICE = 5, /* a third of the share that ingest has when both want a CPU */
    BACKGROUND_TASKS_MAX = 8,
};

struct io_thread {
    struct loop *loop;
    pthread_t thread;
    bool running;
};

struct server {
    struct server_settings settings;
    bool configured; /* a configuration is in force */
    bool tls;        /* of the listen addresses */
    char hostname[256];
    struct env env;
    struct loop *main_loop;
    struct io_thread io[IO_LOOPS_MAX];
    size_t io_n;
    struct pool *pool;
    struct tsdb *tsdb;
    struct queries *queries;
    struct query_log *query_log;
    struct ingest *ingest;
    struct http_client *client;
    struct scrape_fetch *fetch;
    struct scraper *scraper;
    struct emitter *node, *self;
    struct api api;
    struct http_server *http;
    struct loop_timer *tick;
    _Atomic bool ticking;
    struct server_watch watch; /* of the task that ticks */
    unsigned parts_stopping;   /* of the HTTP server and the scraper */
    bool stopping;
};

/* ---- parts ---- */

static void *io_main(void *arg)
{
    loop_run(arg);
    return NULL;
}

static bool start_loops(struct server *s, struct err *err)
{
    unsigned wanted = process_cpus() / 4;
    s->main_loop = loop_new("main");
    s->io_n = wanted < 1 ? 1 : wanted > IO_LOOPS_MAX ? IO_LOOPS_MAX : wanted;
    for (size_t i = 0; i < s->io_n; i++) {
        s->io[i].loop = loop_new("io");
        if (pthread_create(&s->io[i].thread, NULL, io_main, s->io[i].loop) != 0)
            return err_set(err, ERR_INTERNAL, "cannot start a thread");
        s->io[i].running = true;
    }
    return true;
}

static void say_recovery(const struct tsdb_recovery *r)
{
    if (r->wal_records)
        diag(DIAG_INFO, "tsdb", "replayed %llu records with %llu samples in %lld ms",
             (unsigned long long)r->wal_records, (unsigned long long)r->wal_samples,
             (long long)(r->duration_ns / 1000000));
    if (r->wal_damaged || r->orphan_samples)
        diag(DIAG_ERROR, "tsdb", "%llu damaged records were left out, %llu samples without series",
             (unsigned long long)r->wal_damaged, (unsigned long long)r->orphan_samples);
    if (r->parts_quarantined)
        diag(DIAG_ERROR, "tsdb", "%llu unreadable parts were moved to quarantine/: %s",
             (unsigned long long)r->parts_quarantined, r->first.msg);
}

/* As upstream has it: 0 and below switch exemplars off. */
static int64_t exemplars_max(const struct server_config *c)
{
    return c->metrics->exemplars_max > 0 ? c->metrics->exemplars_max : -1;
}

static bool storage_error(const char *path, struct err *err)
{
    if (err->kind == ERR_EXISTS) /* the message names it */
        return err_hint(err, "two servers cannot share a directory: end the other one, or choose "
                             "another with --storage.path");
    return err_wrap(err, "storage directory %s", path);
}

/* Opens with the rules of storage.retention_by, whose selectors live until then. */
static bool open_tsdb(struct server *s, struct tsdb_options *o, struct tsdb_recovery *recovery,
                      struct err *err)
{
    const struct server_settings *set = &s->settings;
    size_t n = set->retention_by_n, parsed = 0;
    struct promql_expr **selectors MEM_CLEANUP = mem_array(n + 1, sizeof *selectors);
    struct tsdb_retention_rule *rules MEM_CLEANUP = mem_array(n + 1, sizeof *rules);
    bool ok = true;
    for (; parsed < n && ok; parsed += ok) {
        str match = set->retention_by[parsed].match;
        struct tsdb_retention_rule *r = &rules[parsed];
        selectors[parsed] = promql_parse_selector(match, err);
        ok = selectors[parsed] != NULL;
        if (ok)
            r->m = promql_expr_matchers(selectors[parsed], &r->m_n);
        else
            err_wrap(err, "storage.retention_by: match: %.*s", STR_ARG(match));
        r->keep_ms = set->retention_by[parsed].keep_ms;
    }
    o->retention_by = rules;
    o->retention_by_n = n;
    s->tsdb = ok ? tsdb_open(o, recovery, err) : NULL;
    if (ok && !s->tsdb)
        storage_error(set->storage_path, err);
    while (parsed > 0)
        promql_expr_free(selectors[--parsed]);
    return s->tsdb != NULL;
}

static bool start_storage(struct server *s, const struct server_config *c, struct err *err)
{
    const struct server_settings *set = &s->settings;
    struct tsdb_recovery recovery;
    s->env =
        (struct env){clock_system(), disk_system_open(set->storage_path, err), entropy_system()};
    if (!s->env.disk)
        return storage_error(set->storage_path, err);
    struct tsdb_options o = {
        .env = &s->env,
        .durability = set->durable ? TSDB_DURABLE : TSDB_FAST,
        .retention_ms = set->retention_ms,
        .retention_bytes_max = set->retention_bytes,
        .tiers = set->tiers,
        .tiers_n = set->tiers_n,
        .memory_bytes_max = set->memory_bytes,
        .exemplars_max = exemplars_max(c),
        .start_zeros = set->start_zeros,
    };
    if (!open_tsdb(s, &o, &recovery, err))
        return false;
    say_recovery(&recovery);
    unsigned queries = (unsigned)set->query_concurrency;
    struct pool_options pool = {
        .threads_max = process_cpus() + queries + BACKGROUND_TASKS_MAX,
        .tasks_max = {[POOL_QUERY] = queries, [POOL_BACKGROUND] = BACKGROUND_TASKS_MAX},
        .nice = QUERY_NICE,
    };
    s->pool = pool_new(&pool);
    s->query_log = query_log_new(&s->env, s->pool, set->slow_query_ms * 1000000);
    s->queries = queries_new(&(struct queries_options){.env = &s->env, .tasks_max = queries});
    s->ingest = ingest_new(tsdb_sink(s->tsdb), &(struct ingest_options){0});
    return true;
}

static bool start_scraping(struct server *s, struct err *err)
{
    const struct server_settings *set = &s->settings;
    struct http_client_options client = {.egress = {.from = EGRESS_CONFIG}};
    s->client = http_client_new(s->main_loop, &client, err);
    if (!s->client)
        return false;
    s->fetch = scrape_fetch_http_new(s->client, s->main_loop, s->pool);
    struct scrape_options o = {
        .loop = s->main_loop,
        .pool = s->pool,
        .fetch = s->fetch,
        .sink = ingest_sink(s->ingest),
        .env = &s->env,
        .immediate_first = set->watch_host,
        .series_per_target = set->series_per_target,
        .start_timestamps = set->start_timestamps,
    };
    s->scraper = scrape_new(&o);
    s->self = collect_self_new();
    if (!set->watch_host)
        return true;
    s->node = collect_new(&(struct collect_options){0}, err);
    if (!s->node)
        return false;
    str host = str_from_z(s->hostname);
    scrape_add_emitter(s->scraper, STR("node"), host, s->node, set->watch_interval_ms);
    scrape_add_emitter(s->scraper, STR("nunchi"), host, s->self, set->watch_interval_ms);
    return true;
}

/* ---- configuration ---- */

static void publish_config(struct server *s, struct server_config *c)
{
    c->shown.last_reload_ok = true;
    c->shown.loaded_at = env_now_ms(&s->env);
    self_set(SELF_CONFIG_RELOAD_OK, 1);
    self_set(SELF_CONFIG_RELOAD_SECONDS, c->shown.loaded_at / 1000);
}

/* The status page's hold on a configuration. */
static void drop_shown(void *shown)
{
    server_config_unref((char *)shown - offsetof(struct server_config, shown));
}

static bool web_may_change(const struct server *s, const struct server_config *c, struct err *err)
{
    if (!c->tls != !s->tls) {
        err_set(err, ERR_EXEC, "%s switches TLS %s, which takes a new start", s->settings.web_file,
                c->tls ? "on" : "off");
        return false;
    }
    return server_listen_check(&s->settings, c, err);
}

/* New connections use the new certificates; those that are open go on with theirs. */
static void swap_certificates(struct server *s, const struct server_config *c)
{
    for (size_t i = 0; c->tls && i < s->settings.listen_n; i++)
        http_server_tls_swap(s->http, i, tls_server_share(c->tls));
}

/* Puts a loaded configuration into force; takes the caller's reference when it succeeds. Main loop.
 */
static bool apply_config(struct server *s, struct server_config *c, struct err *err)
{
    str log_path = c->metrics->global.query_log_file;
    struct file_log *log = NULL;
    if (!web_may_change(s, c, err))
        return false;
    if (log_path.n && !(log = file_log_open(log_path.p, err)))
        return err_wrap(err, "query_log_file");
    atomic_fetch_add(&c->refs, 1);
    if (!scrape_apply(s->scraper, c->metrics, server_config_unref, c, err)) {
        server_config_unref(c);
        file_log_close(log);
        return false;
    }
    query_log_swap(s->query_log, log);
    swap_certificates(s, c);
    tsdb_set_exemplars_max(s->tsdb, exemplars_max(c));
    publish_config(s, c);
    snap_publish(&s->api.config, &c->shown, drop_shown);
    s->configured = true;
    return true;
}

/* A reload on its way from a worker to the main loop and back. */
struct reload {
    struct server *server;
    struct server_config *config;
    struct err err;
    bool ok, done;
    pthread_mutex_t lock;
    pthread_cond_t cond;
};

static void reload_apply(void *arg)
{
    struct reload *r = arg;
    pthread_mutex_lock(&r->lock);
    r->ok = r->server->stopping ? err_set(&r->err, ERR_UNAVAILABLE, "the server is stopping")
                                : apply_config(r->server, r->config, &r->err);
    r->done = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static bool apply_from_worker(struct server *s, struct server_config *c, struct err *err)
{
    struct reload r = {.server = s, .config = c};
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.cond, NULL);
    pool_block_begin();
    pthread_mutex_lock(&r.lock);
    r.done = !loop_post(s->main_loop, reload_apply, &r);
    if (r.done)
        err_set(&r.err, ERR_UNAVAILABLE, "the server is stopping");
    while (!r.done)
        pthread_cond_wait(&r.cond, &r.lock);
    pthread_mutex_unlock(&r.lock);
    pool_block_end();
    pthread_cond_destroy(&r.cond);
    pthread_mutex_destroy(&r.lock);
    *err = r.err;
    return r.ok;
}

/* All or nothing: a file with an error leaves what runs as it is. */
static bool reload(void *arg, struct strbuf *report)
{
    struct server *s = arg;
    const struct server_settings *set = &s->settings;
    struct err err;
    struct server_files files = {set->config_file, set->nunchi_file, set->web_file, set->strict};
    struct server_config *c = server_config_load(&files, report);
    if (c && !apply_from_worker(s, c, &err)) {
        err_print(&err, "error", STR(""), report);
        server_config_unref(c);
        c = NULL;
    }
    self_add(SELF_CONFIG_RELOADS, 1);
    if (!c) {
        notifications_set(s->api.notifications, NOTIFY_RELOAD_FAILED,
                          STR("Configuration reload has failed."));
        self_set(SELF_CONFIG_RELOAD_OK, 0);
        diag(DIAG_ERROR, "config", "reload refused, the running configuration stays");
        return false;
    }
    if (set->nunchi_file)
        strbuf_addz(report, "note: listen, storage and limits of nunchi.yml change at the next "
                            "start\n");
    notifications_clear(s->api.notifications, NOTIFY_RELOAD_FAILED);
    diag(DIAG_INFO, "config", "reloaded");
    return true;
}

static void reload_by_signal(void *arg)
{
    STRBUF_CLEANUP struct strbuf report = {0};
    reload(arg, &report);
    fputs(report.p ? report.p : "", stderr);
}

/* ---- signals and schedules ---- */

static void part_stopped(void *arg)
{
    struct server *s = arg;
    if (--s->parts_stopping == 0)
        loop_stop(s->main_loop);
}

/* The HTTP server tells it on one of its own loops. */
static void http_stopped(void *arg)
{
    struct server *s = arg;
    loop_post(s->main_loop, part_stopped, s);
}

static void on_signal(void *arg, int signum)
{
    struct server *s = arg;
    if (signum == SIGHUP) {
        if (!pool_submit(s->pool, POOL_BACKGROUND, reload_by_signal, s))
            diag(DIAG_ERROR, "config", "too much to do for a reload, try again");
        return;
    }
    if (s->stopping)
        return;
    s->stopping = true;
    diag(DIAG_INFO, "server", "stopping");
    atomic_store(&s->api.ready, false);
    loop_timer_stop(s->tick);
    s->parts_stopping = 2;
    notifications_set(s->api.notifications, NOTIFY_STOPPING,
                      STR("nunchi is shutting down and gracefully stopping all operations."));
    notifications_close(s->api.notifications); /* open streams would hold the stop up */
    http_server_stop(s->http, STOP_DEADLINE_MS, http_stopped, s);
    scrape_stop(s->scraper, false, part_stopped, s);
}

static void quit_on_loop(void *arg)
{
    on_signal(arg, SIGTERM);
}

static void quit(void *arg)
{
    struct server *s = arg;
    loop_post(s->main_loop, quit_on_loop, s);
}

static void tick_task(void *arg)
{
    static struct diag_limit limit;
    struct server *s = arg;
    struct err err = {0};
    while (tsdb_tick(s->tsdb, &err))
        pool_yield();
    if (err.kind != ERR_NONE && diag_allow(&limit, 60000))
        diag(DIAG_ERROR, "tsdb", "%s", err.msg);
    server_watch_background(s->api.notifications, &s->watch, &err);
    server_watch_tick(&s->watch, s->api.notifications);
    atomic_store(&s->ticking, false);
}

static void on_tick(void *arg)
{
    struct server *s = arg;
    bool idle = false;
    self_set(SELF_QUERY_MEMORY, (int64_t)quota_used(&s->api.query.pool.memory));
    self_set(SELF_QUERY_MEMORY_PEAK, (int64_t)atomic_load(&s->api.query.pool.memory.peak));
    if (atomic_compare_exchange_strong(&s->ticking, &idle, true) &&
        !pool_submit(s->pool, POOL_BACKGROUND, tick_task, s))
        atomic_store(&s->ticking, false);
    loop_timer_start(s->tick, TICK_MS);
}

/* ---- the HTTP side ---- */

static void show_limits(struct server *s)
{
    struct server_settings *set = &s->settings;
    struct arena *a = &set->arena;
    struct api_limit rows[] = {
        {STR("query time"), set->flags[FLAG_QUERY_TIMEOUT].value, STR("--query.timeout"), 0, 0},
        {STR("samples a query loads"),
         arena_printf(a, "%llu", (unsigned long long)set->query_samples),
         STR("--query.max-samples"), 0, 0},
        {STR("memory of a query"),
         arena_printf(a, "%llu MiB", (unsigned long long)(set->query_memory_bytes >> 20)),
         STR("--query.max-memory"), 0, 0},
        {STR("memory of all queries"),
         arena_printf(a, "%llu MiB", (unsigned long long)(set->query_total_memory_bytes >> 20)),
         STR("--query.total-memory"), set->query_total_memory_bytes, SELF_QUERY_MEMORY},
        {STR("queries at once"),
         arena_printf(a, "%llu", (unsigned long long)set->query_concurrency),
         STR("--query.max-concurrency"), set->query_concurrency, SELF_API_QUERIES_RUNNING},
        {STR("memory for recent samples"),
         arena_printf(a, "%llu MiB", (unsigned long long)(set->memory_bytes >> 20)),
         STR("--storage.memory"), set->memory_bytes, SELF_TSDB_MEMORY},
        {STR("connections of a listen address"),
         arena_printf(a, "%llu", (unsigned long long)set->connections_max),
         STR("--web.max-connections"), set->connections_max, SELF_HTTP_CONNECTIONS},
        {STR("series of a target"),
         arena_printf(a, "%lld",
                      (long long)(set->series_per_target ? set->series_per_target : 500000)),
         STR("limits.series_per_target"), 0, 0},
    };
    s->api.limits_n = sizeof rows / sizeof rows[0];
    struct api_limit *kept = arena_array(a, struct api_limit, s->api.limits_n);
    memcpy(kept, rows, sizeof rows);
    s->api.limits = kept;
}

/* "https://metrics.example.org:443/x" without scheme, port and path. */
static str url_host(str url)
{
    ssize_t at = str_find(url, STR("://"));
    str rest = at < 0 ? url : str_sub(url, (size_t)at + 3, url.n);
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '/' || rest.p[i] == ':')
            return str_sub(rest, 0, i);
    }
    return rest;
}

/* Others may reach it, by names it cannot know. */
static bool is_open(const struct server_settings *set)
{
    bool open = set->insecure;
    for (size_t i = 0; i < set->listen_n; i++)
        open |= !server_is_loopback(str_from_z(set->listen[i]));
    return open;
}

static void fill_api(struct server *s)
{
    const struct server_settings *set = &s->settings;
    struct api *api = &s->api;
    api->env = &s->env;
    api->pool = s->pool;
    api->source = tsdb_source(s->tsdb);
    api->sink = ingest_sink(s->ingest);
    api->tsdb = s->tsdb;
    api->queries = s->queries;
    api->query_log = s->query_log;
    api->scraper = s->scraper;
    api->self = s->self;
    api->notifications = notifications_new(s->env.clock, (unsigned)set->notified_max);
    api->reload = reload;
    api->reload_arg = s;
    api->quit = quit;
    api->query.timeout_ms = set->query_timeout_ms;
    api->query.samples_max = set->query_samples;
    api->query.memory_max_bytes = set->query_memory_bytes;
    api->query.lookback_ms = set->query_lookback_ms;
    api->query.features = set->promql_features;
    api->otlp_deltas = set->otlp_deltas;
    api->start_zeros = set->start_zeros;
    api->write_body_bytes_max = 64 << 20;
    api->inflight_max[LIMIT_INGEST] = INGEST_INFLIGHT_MAX;
    api->flags = set->flags;
    api->flags_n = set->flags_n;
    api->version = STR(NUNCHI_VERSION);
    api->external_url = set->external_url;
    api->lifecycle = set->lifecycle;
    api->admin_api = set->admin_api;
    api->cors_origin = set->cors_origin;
    api->guard = (struct guard){url_host(set->external_url), str_from_z(s->hostname), is_open(set)};
    api->started_at = env_now_ms(&s->env);
    api->storage_retention = set->flags[FLAG_RETENTION_TIME].value;
    show_limits(s);
}

static bool start_http(struct server *s, const struct server_config *config, struct err *err)
{
    const struct server_settings *set = &s->settings;
    struct http_listen listen[64];
    struct loop *loops[IO_LOOPS_MAX];
    if (set->listen_n > sizeof listen / sizeof listen[0])
        return err_set(err, ERR_LIMIT, "more than 64 listen addresses");
    s->tls = config->tls != NULL;
    for (size_t i = 0; i < s->io_n; i++)
        loops[i] = s->io[i].loop;
    /* Behind a proxy on this host every peer has the same address. */
    unsigned address_max = set->insecure ? 0 : (unsigned)set->connections_max;
    fill_api(s);
    if (!api_init(&s->api, err))
        return false;
    struct http_server_options o = {
        .listen = listen,
        .listen_n = set->listen_n,
        .loops = loops,
        .loops_n = s->io_n,
        .limits = {.connections_max = (unsigned)set->connections_max,
                   .address_connections_max = address_max},
        .handler = api_handler(&s->api),
    };
    for (size_t i = 0; i < set->listen_n; i++)
        listen[i] =
            (struct http_listen){set->listen[i], s->tls ? tls_server_share(config->tls) : NULL};
    s->http = http_server_new(&o, err);
    if (!s->http && err->kind == ERR_EXISTS)
        err_hint(err, "another program listens there: end it, or choose another port with "
                      "--web.listen-address");
    for (size_t i = 0; !s->http && i < set->listen_n; i++)
        tls_server_free(listen[i].tls);
    return s->http != NULL;
}

static void say_ready(struct server *s)
{
    const struct server_settings *set = &s->settings;
    str address = str_from_z(set->listen[0]);
    size_t colon = address.n;
    while (colon && address.p[colon - 1] != ':')
        colon--;
    str host = str_sub(address, 0, colon ? colon - 1 : 0);
    if (!host.n || str_eqz(host, "0.0.0.0") || str_eqz(host, "[::]"))
        host = str_from_z(s->hostname);
    printf("nunchi %s is ready: %s://%.*s:%u/\n", NUNCHI_VERSION, s->tls ? "https" : "http",
           STR_ARG(host), http_server_port(s->http, 0));
    if (set->watch_host)
        printf("watching this host every %.*s, samples in %s\n",
               STR_ARG(set->flags[FLAG_WATCH_INTERVAL].value), set->storage_path);
    else
        printf("configuration %s, samples in %s\n",
               set->config_file   ? set->config_file
               : set->nunchi_file ? set->nunchi_file
                                  : "none",
               set->storage_path);
    fflush(stdout);
}

/* ---- start to end ---- */

static bool start(struct server *s, struct server_config *config, struct err *err)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
    snap_init(&s->api.config);
    budget_pool_init(&s->api.query.pool, s->settings.query_total_memory_bytes);
    if (!server_listen_check(&s->settings, config, err) || !start_loops(s, err) ||
        !start_storage(s, config, err) || !start_scraping(s, err) || !start_http(s, config, err))
        return false;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (!loop_signal(s->main_loop, signals[i], on_signal, s, err))
            return false;
    }
    if (!apply_config(s, config, err))
        return false;
    s->tick = loop_timer_new(s->main_loop, on_tick, s);
    loop_timer_start(s->tick, TICK_MS);
    atomic_store(&s->api.ready, true);
    http_server_start(s->http);
    return true;
}

/* A start that failed: targets that wait for their first scrape are taken back on the main loop. */
static void drop_targets(struct server *s)
{
    s->stopping = true;
    s->parts_stopping = 1;
    scrape_stop(s->scraper, false, part_stopped, s);
    loop_run(s->main_loop);
}

/* In the opposite order of start; any part may be missing when start failed. The pool goes first:
 * its tasks use everything. Then the engine, whose last answers still go out over the I/O loops. */
static void finish(struct server *s)
{
    notifications_close(s->api.notifications);
    if (s->pool)
        pool_free(s->pool);
    if (s->tsdb)
        tsdb_close(s->tsdb);
    for (size_t i = 0; i < s->io_n; i++) {
        if (s->io[i].running) {
            loop_stop(s->io[i].loop);
            pthread_join(s->io[i].thread, NULL);
        }
    }
    if (s->http)
        http_server_free(s->http);
    notifications_free(s->api.notifications);
    if (s->scraper)
        scrape_free(s->scraper);
    if (s->fetch)
        scrape_fetch_http_free(s->fetch);
    if (s->client)
        http_client_free(s->client);
    query_log_free(s->query_log);
    queries_free(s->queries);
    budget_pool_fini(&s->api.query.pool);
    snap_fini(&s->api.config);
    collect_free(s->node);
    collect_self_free(s->self);
    if (s->ingest)
        ingest_free(s->ingest);
    if (s->tick)
        loop_timer_free(s->tick);
    for (size_t i = 0; i < s->io_n; i++)
        loop_free(s->io[i].loop);
    if (s->main_loop)
        loop_free(s->main_loop);
    if (s->env.disk)
        disk_system_close(s->env.disk);
}

static int serve(struct server *s, struct server_config *config)
{
    struct err err;
    bool ok = start(s, config, &err);
    if (ok) {
        say_ready(s);
        loop_run(s->main_loop);
        diag(DIAG_INFO, "server", "stopped");
    } else if (s->scraper) {
        drop_targets(s);
    }
    if (!s->configured)
        server_config_unref(config);
    finish(s);
    return ok ? 0 : cmd_fail(&err);
}

static void say_unbuilt(const struct server_settings *set)
{
    for (size_t i = 0; i < set->features_unbuilt_n; i++)
        diag(DIAG_WARN, "server", "--enable-feature: %.*s is not built yet and has no effect",
             STR_ARG(set->features_unbuilt[i]));
}

static const char *path_of(const struct option_value *v)
{
    return v->given && v->text.n ? v->text.p : NULL;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    STRBUF_CLEANUP struct strbuf report = {0};
    struct err err;
    if (args_n) {
        err_set(&err, ERR_INVALID, "unexpected argument \"%s\"", args[0]);
        err_hint(&err, "everything is said by flags: \"nunchi help server\" lists them");
        return cmd_fail(&err);
    }
    process_prepare();
    struct server_files files = {path_of(&values[FLAG_CONFIG_FILE]), path_of(&values[FLAG_CONFIG]),
                                 path_of(&values[FLAG_WEB_CONFIG]), values[FLAG_STRICT].on};
    struct server_config *config = server_config_load(&files, &report);
    fputs(report.p ? report.p : "", stderr);
    if (!config)
        return 1;
    struct server *s = mem_new(struct server);
    int code;
    if (server_settings_read(values, config->nunchi, &s->settings, &err)) {
        diag_setup((enum diag_level)s->settings.log_level, s->settings.log_json);
        process_hostname(s->hostname, sizeof s->hostname);
        say_unbuilt(&s->settings);
        code = serve(s, config);
    } else {
        server_config_unref(config);
        code = cmd_fail(&err);
    }
    server_settings_fini(&s->settings);
    free(s);
    return code;
}

const struct command cmd_server = {
    .name = "server",
    .args = "",
    .summary = "watch, store, answer: everything in one process",
    .text =
        "Without flags it watches this host and itself, stores what it sees in data/, and shows "
        "it on\nhttp://127.0.0.1:9090/. With --config.file it runs a prometheus.yml. SIGHUP reads "
        "the\nconfiguration again; SIGTERM ends in order.",
    .options = server_options,
    .options_n = SERVER_FLAGS,
    .run = run,
};
