// SPDX-License-Identifier: Apache-2.0
/* /api/v1/targets and /api/v1/scrape_pools. */
#include "api/prometheus/prometheus_int.h"
#include "base/num.h"
#include "scrape/scrape.h"

/* 0001-01-01T00:00:00Z, as upstream writes a scrape that has not been. */
static const ts_ms never = -62135596800000;

static void pair_duration(struct json_writer *w, const char *key, int64_t ms)
{
    char text[64];
    json_pair(w, key, str_of(text, duration_format(ms, text)));
}

static void active_target(struct json_writer *w, const struct scrape_target_info *t)
{
    static const str health[] = {[SCRAPE_UNKNOWN] = STR_INIT("unknown"),
                                 [SCRAPE_UP] = STR_INIT("up"),
                                 [SCRAPE_DOWN] = STR_INIT("down")};
    char text[F64_TEXT_MAX];
    json_open_object(w);
    json_put_key(w, STR("discoveredLabels"));
    json_labels(w, t->discovered);
    json_put_key(w, STR("labels"));
    json_labels(w, t->labels);
    json_pair(w, "scrapePool", t->pool);
    json_pair(w, "scrapeUrl", t->url);
    json_pair(w, "globalUrl", t->url);
    json_pair(w, "lastError", t->last_error);
    json_put_key(w, STR("lastScrape"));
    json_rfc3339(w, t->last_scrape ? t->last_scrape : never);
    json_put_key(w, STR("lastScrapeDuration"));
    json_put_raw(w, str_of(text, f64_format(t->last_duration_s, text)));
    json_pair(w, "health", health[t->health]);
    pair_duration(w, "scrapeInterval", t->interval_ms);
    pair_duration(w, "scrapeTimeout", t->timeout_ms);
    json_close_object(w);
}

static void dropped_target(struct json_writer *w, const struct scrape_dropped_info *t)
{
    json_open_object(w);
    json_put_key(w, STR("discoveredLabels"));
    json_labels(w, t->discovered);
    json_pair(w, "scrapePool", t->pool);
    json_pair(w, "error", t->error);
    json_close_object(w);
}

void prometheus_targets(struct call *c)
{
    str state = http_params_get(&c->params, STR("state"));
    str pool = http_params_get(&c->params, STR("scrapePool"));
    bool all = !state.n || str_eqz(state, "any");
    struct scrape_targets t;
    struct reply r;
    struct json_writer w;
    scrape_targets(c->api->scraper, c->req->arena, &t);
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("activeTargets"));
    json_open_array(&w);
    for (size_t i = 0; i < t.active_n && (all || str_eqz(state, "active")); i++) {
        if (!pool.n || str_eq(pool, t.active[i].pool))
            active_target(&w, &t.active[i]);
    }
    json_close_array(&w);
    json_put_key(&w, STR("droppedTargets"));
    json_open_array(&w);
    for (size_t i = 0; i < t.dropped_n && (all || str_eqz(state, "dropped")); i++) {
        if (!pool.n || str_eq(pool, t.dropped[i].pool))
            dropped_target(&w, &t.dropped[i]);
    }
    json_close_array(&w);
    json_put_key(&w, STR("droppedTargetCounts"));
    json_open_object(&w);
    for (size_t i = 0; i < t.pools_n && !str_eqz(state, "active"); i++)
        if (!pool.n || str_eq(pool, t.pools[i]))
            json_pair_u64(&w, arena_dup(c->req->arena, t.pools[i]).p, t.pools_dropped[i]);
    json_close_object(&w);
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_scrape_pools(struct call *c)
{
    struct scrape_targets t;
    struct reply r;
    struct json_writer w;
    scrape_targets(c->api->scraper, c->req->arena, &t);
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("scrapePools"));
    json_open_array(&w);
    for (size_t i = 0; i < t.pools_n; i++)
        json_put_str(&w, t.pools[i]);
    json_close_array(&w);
    json_close_object(&w);
    success_end(&r, &w);
}
