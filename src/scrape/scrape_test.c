// SPDX-License-Identifier: Apache-2.0
/* The scraper on a loop with a fetch and a sink of the test: no network, no waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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
    unsigned next_after;                   /* writes until the next step; 0: never */
    void (*const *steps)(struct world *w); /* run on the loop, one after the other */
    char url[256];
};

static void run_step(void *arg)
{
    struct world *w = arg;
    (*w->steps++)(w);
}

static void next_step(struct world *w)
{
    loop_post(w->loop, run_step, w);
}

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
        next_step(w);
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
    if (w->written == w->next_after)
        next_step(w); /* posted, so that it comes after the target's own end of this scrape */
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

struct given {
    struct world *w;
    struct prom_config *config;
};

static void unref(void *arg)
{
    struct given *g = arg;
    g->w->unrefs++;
    conf_free(g->config);
    free(g);
}

static bool apply(struct world *w, const char *text)
{
    struct conf_diags *d = conf_diags_new();
    struct err err;
    struct prom_config *c = conf_load_prometheus(&(struct conf_input){.text = str_from_z(text)}, d);
    assert_non_null(c);
    conf_diags_free(d);
    struct given *g = mem_new(struct given);
    *g = (struct given){w, c};
    return scrape_apply(w->scraper, c, unref, g, &err);
}

static void stopped(void *arg)
{
    loop_stop(((struct world *)arg)->loop);
}

static void stop(struct world *w)
{
    w->next_after = 0;
    scrape_stop(w->scraper, true, stopped, w);
}

static void stop_without_markers(struct world *w)
{
    w->next_after = 0;
    scrape_stop(w->scraper, false, stopped, w);
}

static void world_run(struct world *w, void (*const *steps)(struct world *w))
{
    w->steps = steps;
    next_step(w);
    loop_run(w->loop);
    scrape_free(w->scraper);
    loop_free(w->loop);
    sim_free(w->sim);
}

#define CONF(targets)                                                                              \
    "scrape_configs: [{job_name: j, static_configs: [{targets: [" targets "]}]}]\n"

/* ---- a reload ---- */

static void one_target(struct world *w)
{
    w->next_after = 1;
    assert_true(apply(w, CONF("'a:1'")));
}

/* The same target and a new one: only the new one is scraped at once. */
static void two_targets(struct world *w)
{
    assert_string_equal(w->url, "http://a:1/metrics");
    w->next_after = 2;
    assert_true(apply(w, CONF("'b:1', 'a:1'")));
}

static void first_goes(struct world *w)
{
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    assert_string_equal(w->url, "http://b:1/metrics");
    assert_int_equal(w->fetched, 2);
    assert_int_equal(w->stale, 0);
    scrape_targets(w->scraper, &a, &shown);
    assert_int_equal(shown.active_n, 2);
    assert_int_equal(shown.active[0].health, SCRAPE_UP);
    assert_int_equal(shown.active[1].health, SCRAPE_UP);
    assert_int_equal(shown.active[0].interval_ms, 60000);
    assert_true(str_eqz(shown.pools[0], "j"));
    w->next_after = 3;
    assert_true(apply(w, CONF("'b:1'")));
}

/* Its sample and its five report series ended. */
static void nothing_else_happened(struct world *w)
{
    assert_int_equal(w->stale, 6);
    assert_int_equal(w->fetched, 2);
    stop(w);
}

static void test_reload(void **state)
{
    static void (*const steps[])(struct world *) = {one_target, two_targets, first_goes,
                                                    nothing_else_happened};
    struct world w;
    world_start(&w);
    world_run(&w, steps);
    assert_int_equal(w.stale, 12);
    assert_int_equal(w.unrefs, 3);
}

/* ---- the rest ---- */

static void held_target(struct world *w)
{
    w->hold = true;
    assert_true(apply(w, CONF("'a:1'")));
}

static void test_stop_during_fetch(void **state)
{
    static void (*const steps[])(struct world *) = {held_target, stop};
    struct world w;
    world_start(&w);
    world_run(&w, steps);
    assert_int_equal(w.canceled, 1);
    assert_int_equal(w.written, 0);
    assert_int_equal(w.unrefs, 1);
}

static bool emit_one(struct emitter *e, struct emit *out, struct err *err)
{
    emit_value(out, STR("e"), NULL, 0, 1);
    return true;
}

static void add_emitter(struct world *w)
{
    static struct emitter e = {emit_one};
    w->next_after = 1;
    scrape_add_emitter(w->scraper, STR("node"), STR("host"), &e, 15000);
}

static void apply_nothing(struct world *w)
{
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    assert_true(apply(w, ""));
    assert_int_equal(w->unrefs, 1);
    scrape_targets(w->scraper, &a, &shown);
    assert_int_equal(shown.active_n, 1);
    assert_true(str_eqz(shown.active[0].pool, "node"));
    assert_true(str_eqz(shown.pools[0], "node"));
    stop_without_markers(w);
}

static void test_emitter_stays(void **state)
{
    static void (*const steps[])(struct world *) = {add_emitter, apply_nothing};
    struct world w;
    world_start(&w);
    world_run(&w, steps);
    assert_int_equal(w.written, 1);
    assert_int_equal(w.stale, 0);
}

static void all_dropped(struct world *w)
{
    struct arena a ARENA_CLEANUP = {0};
    struct scrape_targets shown;
    assert_true(apply(w, "scrape_configs: [{job_name: j, static_configs: [{targets: [a, b, c/d]}],"
                         " relabel_configs: [{source_labels: [__address__], regex: a|b,"
                         " action: drop}]}]"));
    scrape_targets(w->scraper, &a, &shown);
    assert_int_equal(shown.active_n, 0);
    assert_int_equal(shown.dropped_n, 3);
    assert_int_equal(shown.dropped[0].error.n, 0);
    assert_true(str_find(shown.dropped[2].error, STR("host and port")) >= 0);
    stop(w);
}

static void test_dropped_are_remembered(void **state)
{
    static void (*const steps[])(struct world *) = {all_dropped};
    struct world w;
    world_start(&w);
    world_run(&w, steps);
}

static void too_many(struct world *w)
{
    w->next_after = 2;
    assert_true(apply(w, "scrape_configs: [{job_name: j, target_limit: 1,"
                         " static_configs: [{targets: [a, b]}]}]"));
}

static void test_target_limit(void **state)
{
    static void (*const steps[])(struct world *) = {too_many, stop_without_markers};
    struct world w;
    world_start(&w);
    world_run(&w, steps);
    assert_int_equal(w.fetched, 0);
    assert_int_equal(w.written, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload),        cmocka_unit_test(test_stop_during_fetch),
        cmocka_unit_test(test_emitter_stays), cmocka_unit_test(test_dropped_are_remembered),
        cmocka_unit_test(test_target_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
