// SPDX-License-Identifier: Apache-2.0
/* The scraper on a loop with a fetch and a sink of the test: no network, no waiting. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scrape/scrape_int.h"
#include "sys/loop.h"
#include "sys/sim/sim.h"

struct world {
    struct scrape_fetch fetch;
    struct sink sink;
    struct sim *sim;
    struct env env;
    struct loop *loop;
    struct scraper *scraper;
    void (*done)(void *arg, const struct scrape_response *r); /* a fetch under way */
    void *arg;
    bool hold; /* do not answer */
    unsigned fetched, canceled, written, stale, unrefs;
    unsigned stop_after; /* writes */
    char url[256];
};

static struct world *world_of_fetch(struct scrape_fetch *f)
{
    return (struct world *)f;
}

static void answer(void *arg)
{
    struct world *w = arg;
    struct scrape_response r = {
        .ok = true, .status = 200, .content_type = STR("text/plain"), .body = STR("a 1\n")};
    w->done(w->arg, &r);
}

static void fetch_start(struct scrape_fetch *f, const struct scrape_request *r,
                        void (*done)(void *arg, const struct scrape_response *r), void *arg)
{
    struct world *w = world_of_fetch(f);
    w->fetched++;
    w->done = done;
    w->arg = arg;
    memcpy(w->url, r->url.p, r->url.n + 1);
    assert_non_null(strstr(r->accept.p, "openmetrics"));
    if (w->hold)
        loop_stop(w->loop);
    else
        loop_post(w->loop, answer, w);
}

static void fetch_cancel(struct scrape_fetch *f, void *arg)
{
    struct world *w = world_of_fetch(f);
    assert_ptr_equal(arg, w->arg);
    w->canceled++;
}

static void sink_write(struct sink *s, struct batch *b, batch_done done, void *arg)
{
    struct world *w = (struct world *)((char *)s - offsetof(struct world, sink));
    struct batch_result result = {.stored = b->samples_n};
    w->written++;
    for (size_t i = 0; i < b->samples_n; i++)
        w->stale += is_stale_nan(b->v[i]);
    batch_free(b);
    done(arg, true, &result, NULL);
    if (w->written == w->stop_after)
        loop_stop(w->loop);
}

static void world_start(struct world *w)
{
    *w = (struct world){.fetch = {fetch_start, fetch_cancel}, .sink = {sink_write}};
    w->sim = sim_new(1);
    w->env = sim_env(w->sim);
    w->loop = loop_new("test");
    w->scraper = scrape_new(&(struct scrape_options){.loop = w->loop,
                                                     .fetch = &w->fetch,
                                                     .sink = &w->sink,
                                                     .env = &w->env,
                                                     .immediate_first = true});
}

static void unref(void *arg)
{
    struct prom_config *c = arg;
    conf_free(c);
}

static bool apply(struct world *w, const char *text)
{
    struct conf_diags *d = conf_diags_new();
    struct err err;
    struct prom_config *c = conf_load_prometheus(&(struct conf_input){.text = str_from_z(text)}, d);
    assert_non_null(c);
    conf_diags_free(d);
    return scrape_apply(w->scraper, c, unref, c, &err);
}

static void stopped(void *arg)
{
    loop_stop(((struct world *)arg)->loop);
}

static void world_end(struct world *w, bool stale)
{
    w->stop_after = 0;
    scrape_stop(w->scraper, stale, stopped, w);
    loop_run(w->loop);
    scrape_free(w->scraper);
    loop_free(w->loop);
    sim_free(w->sim);
}

#define CONF(targets)                                                                              \
    "scrape_configs: [{job_name: j, static_configs: [{targets: [" targets "]}]}]\n"

static void test_scrape_and_reload(void **state)
{
    struct world w;
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    world_start(&w);
    w.stop_after = 1;
    assert_true(apply(&w, CONF("'a:1'")));
    loop_run(w.loop);
    assert_string_equal(w.url, "http://a:1/metrics");
    assert_int_equal(w.fetched, 1);
    assert_int_equal(w.stale, 0);
    /* The same target and a new one: only the new one is scraped at once. */
    w.stop_after = 2;
    assert_true(apply(&w, CONF("'b:1', 'a:1'")));
    loop_run(w.loop);
    assert_string_equal(w.url, "http://b:1/metrics");
    scrape_targets(w.scraper, &a, &shown);
    assert_int_equal(shown.active_n, 2);
    assert_int_equal(shown.active[0].health, SCRAPE_UP);
    assert_int_equal(shown.active[0].interval_ms, 60000);
    assert_true(str_eqz(shown.pools[0], "j"));
    /* One goes: its sample and its five report series end. */
    w.stop_after = 3;
    assert_true(apply(&w, CONF("'b:1'")));
    loop_run(w.loop);
    assert_int_equal(w.stale, 6);
    assert_int_equal(w.fetched, 2);
    world_end(&w, true);
    assert_int_equal(w.stale, 12);
}

static void test_stop_during_fetch(void **state)
{
    struct world w;
    world_start(&w);
    w.hold = true;
    assert_true(apply(&w, CONF("'a:1'")));
    loop_run(w.loop);
    assert_int_equal(w.fetched, 1);
    world_end(&w, true);
    assert_int_equal(w.canceled, 1);
    assert_int_equal(w.written, 0);
}

static bool emit_one(struct emitter *e, struct emit *out, struct err *err)
{
    emit_value(out, STR("e"), NULL, 0, 1);
    return true;
}

static void test_emitter_stays(void **state)
{
    struct emitter e = {emit_one};
    struct world w;
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    world_start(&w);
    w.stop_after = 1;
    scrape_add_emitter(w.scraper, STR("node"), STR("host"), &e, 15000);
    loop_run(w.loop);
    assert_true(apply(&w, ""));
    scrape_targets(w.scraper, &a, &shown);
    assert_int_equal(shown.active_n, 1);
    assert_true(str_eqz(shown.active[0].pool, "node"));
    world_end(&w, false);
    assert_int_equal(w.written, 1);
    assert_int_equal(w.stale, 0);
}

static void test_dropped_are_remembered(void **state)
{
    struct world w;
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    world_start(&w);
    assert_true(apply(
        &w, "scrape_configs: [{job_name: j, static_configs: [{targets: [a, b, c/d]}],"
            " relabel_configs: [{source_labels: [__address__], regex: a|b, action: drop}]}]"));
    scrape_targets(w.scraper, &a, &shown);
    assert_int_equal(shown.active_n, 0);
    assert_int_equal(shown.dropped_n, 3);
    assert_int_equal(shown.dropped[0].error.n, 0);
    assert_true(str_find(shown.dropped[2].error, STR("host and port")) >= 0);
    scrape_stop(w.scraper, true, stopped, &w);
    scrape_free(w.scraper);
    loop_free(w.loop);
    sim_free(w.sim);
}

static void test_target_limit(void **state)
{
    struct world w;
    world_start(&w);
    w.stop_after = 2;
    assert_true(apply(&w, "scrape_configs: [{job_name: j, target_limit: 1,"
                          " static_configs: [{targets: [a, b]}]}]"));
    loop_run(w.loop);
    assert_int_equal(w.fetched, 0);
    world_end(&w, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrape_and_reload), cmocka_unit_test(test_stop_during_fetch),
        cmocka_unit_test(test_emitter_stays),     cmocka_unit_test(test_dropped_are_remembered),
        cmocka_unit_test(test_target_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
