// SPDX-License-Identifier: Apache-2.0
#include "queries/log.h"

#include <stdio.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "sys/self.h"
#include "sys/sim/sim.h"
#include "sys/test_dir.h"

struct fixture {
    struct sim *sim;
    struct env env;
    struct pool *pool;
    struct queries *queries;
    struct query *query;
    char *dir;
    struct arena arena;
};

static void fixture_init(struct fixture *f)
{
    static const struct query_ask ask = {STR_INIT("up{a=\"b\"}"), STR_INIT("/api/v1/query_range"),
                                         STR_INIT("GET"), STR_INIT("[2001:db8::1]:5")};
    f->sim = sim_new(1);
    f->env = sim_env(f->sim);
    f->pool = pool_new(&(struct pool_options){.slots = 1});
    f->queries = queries_new(&(struct queries_options){.env = &f->env});
    f->query = query_begin(f->queries, &ask, &(struct budget){0}, NULL);
    f->dir = test_dir_new();
    arena_init(&f->arena, 0);
}

static void fixture_fini(struct fixture *f)
{
    query_end(f->query);
    queries_free(f->queries);
    sim_free(f->sim);
    test_dir_free(f->dir);
    arena_fini(&f->arena);
}

static struct file_log *open_log(struct fixture *f, const char *name)
{
    struct err err;
    struct file_log *file = file_log_open(arena_printf(&f->arena, "%s/%s", f->dir, name).p, &err);
    assert_non_null(file);
    return file;
}

static str content(struct fixture *f, const char *name)
{
    struct err err;
    str text;
    assert_true(file_read(arena_printf(&f->arena, "%s/%s", f->dir, name).p, 64 << 20, &f->arena,
                          &text, &err));
    return text;
}

static struct query_log_entry entry_of(const struct fixture *f)
{
    return (struct query_log_entry){.query = f->query,
                                    .start = 1000,
                                    .end = 61000,
                                    .step_ms = 15000,
                                    .eval_ns = 250000000,
                                    .prepare_ns = 50000000,
                                    .queue_ns = 500000000,
                                    .samples_total = 7,
                                    .samples_read = 5};
}

static void writes_lines_of_upstreams_shape(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct query_log *l = query_log_new(&f.env, f.pool, 1);
    struct query_log_entry e = entry_of(&f);
    int64_t slow = self_get(SELF_QUERIES_SLOW);
    query_log_put(l, &e); /* nowhere */
    query_log_swap(l, open_log(&f, "one"));
    query_log_put(l, &e);
    e.error = "no \"memory\"";
    query_log_put(l, &e);
    query_log_swap(l, open_log(&f, "two"));
    query_log_put(l, &e);
    pool_free(f.pool);
    query_log_free(l);
    str one = content(&f, "one"), two = content(&f, "two"), line;
    assert_int_equal(self_get(SELF_QUERIES_SLOW) - slow, 4);
    assert_true(str_cut(&one, '\n', &line));
    assert_true(str_find(line, STR("\"level\":\"INFO\",\"msg\":\"promql query logged\","
                                   "\"params\":{\"end\":\"1970-01-01T00:01:01.000Z\","
                                   "\"query\":\"up{a=\\\"b\\\"}\","
                                   "\"start\":\"1970-01-01T00:00:01.000Z\",\"step\":15},"
                                   "\"stats\":{\"timings\":{\"evalTotalTime\":0.25,")) > 0);
    assert_true(str_find(line, STR("\"execQueueTime\":0.5,\"execTotalTime\":0.75}")) > 0);
    assert_true(str_find(line, STR("\"samples\":{\"totalQueryableSamples\":7,\"samplesRead\":5,")) >
                0);
    assert_true(str_find(line, STR("\"httpRequest\":{\"clientIP\":\"2001:db8::1\","
                                   "\"method\":\"GET\",\"path\":\"/api/v1/query_range\"}}")) > 0);
    assert_true(str_find(line, STR("\"error\"")) < 0);
    assert_true(str_cut(&one, '\n', &line));
    assert_true(str_find(line, STR("\"error\":\"no \\\"memory\\\"\"")) > 0);
    assert_int_equal(one.n, 0);
    assert_true(str_cut(&two, '\n', &line));
    assert_int_equal(two.n, 0);
    fixture_fini(&f);
}

struct gate {
    pthread_mutex_t lock;
};

/* Holds the pool's only slot. */
static void hold(void *arg)
{
    struct gate *g = arg;
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
}

/* Nobody writes, and nobody waits for it. */
static void drops_what_does_not_fit(void **state)
{
    struct fixture f;
    struct gate g;
    fixture_init(&f);
    struct query_log *l = query_log_new(&f.env, f.pool, 0);
    struct query_log_entry e = entry_of(&f);
    int64_t kept = self_get(SELF_QUERY_LOG_LINES), dropped = self_get(SELF_QUERY_LOG_DROPPED);
    pthread_mutex_init(&g.lock, NULL);
    pthread_mutex_lock(&g.lock);
    assert_true(pool_submit(f.pool, POOL_BACKGROUND, hold, &g));
    query_log_swap(l, open_log(&f, "log"));
    for (int i = 0; i < 20000; i++)
        query_log_put(l, &e);
    pthread_mutex_unlock(&g.lock);
    pool_free(f.pool);
    query_log_free(l);
    kept = self_get(SELF_QUERY_LOG_LINES) - kept;
    dropped = self_get(SELF_QUERY_LOG_DROPPED) - dropped;
    assert_int_equal(kept + dropped, 20000);
    assert_true(dropped > 0 && kept > 1000);
    str text = content(&f, "log"), line;
    for (int64_t i = 0; i < kept; i++)
        assert_true(str_cut(&text, '\n', &line) && str_starts(line, STR("{\"time\":\"")));
    assert_int_equal(text.n, 0);
    pthread_mutex_destroy(&g.lock);
    fixture_fini(&f);
}

static void refuses_what_is_no_file(void **state)
{
    struct err err;
    assert_null(file_log_open("/dev/null", &err));
    assert_null(file_log_open("/", &err));
    assert_null(file_log_open("/nowhere/at/all", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_lines_of_upstreams_shape),
        cmocka_unit_test(drops_what_does_not_fit),
        cmocka_unit_test(refuses_what_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
