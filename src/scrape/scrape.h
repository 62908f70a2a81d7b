// SPDX-License-Identifier: Apache-2.0
/*
 * Scraping: targets from configuration (and from inside this process), each asked for its metrics
 * at its own times, every answer relabelled, checked against its limits and handed to a sink as one
 * batch.
 *
 * A target belongs to the loop; fetching happens there. Reading the body, and everything else that
 * takes time, happens in a task of the pool (class ingest), during which the target is not touched
 * by the loop. A target has at most one scrape under way; a scrape that is due meanwhile is skipped
 * and counted. All calls but scrape_targets are made on the loop's thread or before it runs.
 */
#ifndef SCRAPE_SCRAPE_H
#define SCRAPE_SCRAPE_H

#include "conf/conf.h"
#include "model/emit.h"
#include "model/sink.h"
#include "sys/env.h"

struct loop;
struct pool;
struct http_client;
struct scraper;

/* ---- the fetch seam ---- */

/* Views are valid until fetch returns. */
struct scrape_request {
    str url;
    str accept;
    int64_t timeout_ms;
    uint64_t body_max_bytes;
    const struct conf_scrape *conf; /* credentials, TLS, headers, compression */
};

/* Views are valid during the callback. */
struct scrape_response {
    bool ok; /* a whole answer came, of any status */
    bool too_large, timed_out;
    struct err err; /* when not ok */
    int status;
    str content_type;
    str body;
    uint64_t wire_bytes;
};

/* How a body is got. `done` runs once on the loop, never from inside `start`. */
struct scrape_fetch {
    void (*start)(struct scrape_fetch *f, const struct scrape_request *r,
                  void (*done)(void *arg, const struct scrape_response *r), void *arg);
    /* The call started with this `arg` is dropped: its `done` does not run any more. */
    void (*cancel)(struct scrape_fetch *f, void *arg);
};

/* Over HTTP. `pool` reads the files that credentials come from. All are borrowed. */
struct scrape_fetch *scrape_fetch_http_new(struct http_client *client, struct loop *loop,
                                           struct pool *pool);
/* After the scraper's `done`, with the pool gone and the loop at rest. */
void scrape_fetch_http_free(struct scrape_fetch *f);

/* ---- the scraper ---- */

struct scrape_options {
    struct loop *loop;          /* all borrowed */
    struct pool *pool;          /* NULL: bodies are read on the loop (tests) */
    struct scrape_fetch *fetch; /* NULL: emitters only */
    struct sink *sink;
    struct env *env;
    bool immediate_first;      /* the first scrape at once, not at the target's own offset */
    int64_t series_per_target; /* 0: 500,000 */
    /* Lines like foo_created of OpenMetrics text are start timestamps instead of samples, and the
     * protobuf format, which has them too, is asked for first where scrape_protocols is not
     * written. */
    bool start_timestamps;
};

struct scraper *scrape_new(const struct scrape_options *o);
/* Stops all targets: no timer fires and nothing is fetched any more; `done(arg)` runs on the loop
 * once scrapes under way have ended. Their series get staleness markers when `stale` (a server that
 * restarts does not want them). */
void scrape_stop(struct scraper *s, bool stale, void (*done)(void *arg), void *arg);
/* After `done` of scrape_stop. */
void scrape_free(struct scraper *s);

/*
 * Puts a configuration into force. Targets whose labels and settings are the same keep timer, cache
 * and health; of others only what changed is started or stopped, and removed ones get staleness
 * markers. `c` must live until `unref(arg)` is called, on the loop. Fails, and changes nothing,
 * when a rule does not compile.
 */
bool scrape_apply(struct scraper *s, const struct prom_config *c, void (*unref)(void *arg),
                  void *arg, struct err *err);
/* A target inside this process; the emitter is borrowed and called in a pool task. It has the
 * labels job and instance and stays whatever configuration is applied. */
void scrape_add_emitter(struct scraper *s, str job, str instance, struct emitter *e,
                        int64_t interval_ms);

/* ---- what /api/v1/targets shows ---- */

enum scrape_health { SCRAPE_UNKNOWN, SCRAPE_UP, SCRAPE_DOWN };

struct scrape_target_info {
    struct labels discovered, labels; /* before and after relabelling; __ labels removed */
    str pool;                         /* job_name */
    str url;                          /* empty for a target in this process */
    str last_error;                   /* empty: none */
    ts_ms last_scrape;                /* 0: not yet */
    double last_duration_s;
    enum scrape_health health;
    int64_t interval_ms, timeout_ms;
};
struct scrape_dropped_info {
    struct labels discovered;
    str pool;
    str error; /* empty: a relabelling step dropped it; else why it is no target */
};
struct scrape_targets {
    struct scrape_target_info *active;
    size_t active_n;
    struct scrape_dropped_info *dropped;
    size_t dropped_n;
    str *pools;            /* names of the jobs, sorted */
    size_t *pools_dropped; /* of each pool: how many relabelling dropped, also those not kept */
    size_t pools_n;
};
/* A copy in the arena; any thread. */
void scrape_targets(struct scraper *s, struct arena *a, struct scrape_targets *out);

#endif
