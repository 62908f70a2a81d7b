// SPDX-License-Identifier: Apache-2.0
/*
 * Writers, readers and background work at once, on a real committer thread; made for TSan, and true
 * without it: every batch writes one sample of the same time to each of its writer's series, so a
 * selection that saw half of a batch would see series of different lengths, and one begun after
 * `done` that misses it would see too few.
 */
#include <pthread.h>

#include "sys/pool.h"
#include "tsdb/test_model.h"

enum { WRITERS = 3, WIDTH = 12, BATCHES = 300, CHURN = 20 };

struct shared {
    struct sim *sim;
    struct env env;
    struct tsdb *db;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic int acked[WRITERS]; /* batches */
    _Atomic int writers_left;
};

struct writer {
    struct shared *s;
    int id;
    bool done;
};

static void wake_writer(void *arg, bool ok, const struct batch_result *result,
                        const struct err *err)
{
    struct writer *w = arg;
    if (!ok || result->stored != WIDTH + 1)
        abort();
    atomic_fetch_add(&w->s->acked[w->id], 1);
    pthread_mutex_lock(&w->s->lock);
    w->done = true;
    pthread_cond_broadcast(&w->s->wake);
    pthread_mutex_unlock(&w->s->lock);
}

static void set_labels(struct batch *b, size_t i, str name, int writer, int k)
{
    struct label *at = arena_array(&b->arena, struct label, 3);
    at[0] = (struct label){LABEL_NAME, name};
    at[1] = (struct label){STR("k"), arena_printf(&b->arena, "%d", k)};
    at[2] = (struct label){STR("writer"), arena_printf(&b->arena, "%d", writer)};
    b->series[i].labels = (struct labels){at, 3};
    b->series[i].hash = labels_hash(b->series[i].labels);
    b->series[i].first = (uint32_t)i;
    b->series[i].n = 1;
}

static struct batch *make_batch(int writer, int number)
{
    struct batch *b = batch_new();
    b->series_n = b->samples_n = WIDTH + 1;
    b->series = arena_array(&b->arena, struct batch_series, b->series_n);
    b->t = arena_array(&b->arena, ts_ms, b->series_n);
    b->v = arena_array(&b->arena, double, b->series_n);
    for (int i = 0; i < WIDTH; i++)
        set_labels(b, (size_t)i, STR("steady"), writer, i);
    /* A series that comes and goes. */
    set_labels(b, WIDTH, STR("churn"), writer, number / CHURN);
    for (size_t i = 0; i < b->series_n; i++) {
        b->t[i] = 1000000 + number;
        b->v[i] = number;
    }
    return b;
}

static void *write_all(void *arg)
{
    struct writer *w = arg;
    struct sink *sink = tsdb_sink(w->s->db);
    for (int i = 0; i < BATCHES; i++) {
        w->done = false;
        sink->write(sink, make_batch(w->id, i), wake_writer, w);
        pthread_mutex_lock(&w->s->lock);
        while (!w->done)
            pthread_cond_wait(&w->s->wake, &w->s->lock);
        pthread_mutex_unlock(&w->s->lock);
    }
    atomic_fetch_sub(&w->s->writers_left, 1);
    return NULL;
}

/* All series of one writer have the same length, and at least what was acknowledged. */
static void look(struct shared *s, int writer)
{
    struct source *src = tsdb_source(s->db);
    struct select_hints h = {.start = 0, .end = INT64_MAX};
    struct matcher m[2];
    struct err err;
    char value[12];
    snprintf(value, sizeof value, "%d", writer);
    if (!matcher_init(&m[0], MATCH_EQ, STR("writer"), str_from_z(value), &err) ||
        !matcher_init(&m[1], MATCH_EQ, LABEL_NAME, STR("steady"), &err))
        abort();
    int acked = atomic_load(&s->acked[writer]);
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct selection *sel = src->ops->select(src, m, 2, &h, NULL, &err);
    size_t n = sel ? src->ops->size(sel) : 0, length = 0;
    if (!sel || (acked > 0 && n != WIDTH) || (n != 0 && n != WIDTH))
        abort();
    for (size_t i = 0; i < n; i++) {
        struct columns c;
        if (!source_read(src->ops, sel, i, 0, INT64_MAX, &a, &c, &err))
            abort();
        if (i == 0)
            length = c.n;
        if (c.n != length || c.n < (size_t)acked)
            abort();
        for (size_t k = 0; k < c.n; k++)
            if (c.t[k] != 1000000 + (ts_ms)k || c.v[k] != (double)k)
                abort();
    }
    src->ops->release(sel);
    matcher_fini(&m[0]);
    matcher_fini(&m[1]);
}

static void *read_all(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; atomic_load(&s->writers_left) > 0; i++)
        look(s, i % WRITERS);
    return NULL;
}

static void *work_all(void *arg)
{
    struct shared *s = arg;
    struct err err = {0};
    struct tsdb_stats stats;
    struct tsdb_cardinality tables;
    while (atomic_load(&s->writers_left) > 0) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        if (!tsdb_flush(s->db, &err))
            abort();
        tsdb_tick(s->db, &err);
        tsdb_stats(s->db, &stats);
        tsdb_cardinality(s->db, 10, &a, &tables);
    }
    return NULL;
}

/* Deletes what nobody looks at, makes snapshots, asks for parts. */
static void *manage_all(void *arg)
{
    struct shared *s = arg;
    struct err err = {0};
    struct matcher m;
    if (!matcher_init(&m, MATCH_EQ, LABEL_NAME, STR("churn"), &err))
        abort();
    for (int i = 0; atomic_load(&s->writers_left) > 0; i++) {
        struct arena a ARENA_CLEANUP;
        struct tsdb_part *parts;
        arena_init(&a, 0);
        if (!tsdb_delete(s->db, &m, 1, 1000000, 1000000 + i, &err))
            abort();
        tsdb_parts(s->db, &a, &parts);
        if (i % 4 == 1 && !tsdb_snapshot(s->db, arena_printf(&a, "snapshots/%d", i), &err))
            abort();
        if (i % 4 == 3 && !tsdb_clean_tombstones(s->db, &err))
            abort();
    }
    matcher_fini(&m);
    return NULL;
}

static void test_at_once(void **state)
{
    struct shared s = {.sim = sim_new(3), .writers_left = WRITERS};
    struct err err = {0};
    struct tsdb_recovery report;
    pthread_t threads[WRITERS + 4];
    struct writer writers[WRITERS];
    s.env = sim_env(s.sim);
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.wake, NULL);
    struct tsdb_options o = {
        .env = &s.env, .shards = 4, .segment_bytes = 64 << 10, .capture_series = 5};
    s.db = tsdb_open(&o, &report, &err);
    assert_non_null(s.db);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&s, i, false};
        pthread_create(&threads[i], NULL, write_all, &writers[i]);
    }
    pthread_create(&threads[WRITERS], NULL, read_all, &s);
    pthread_create(&threads[WRITERS + 1], NULL, read_all, &s);
    pthread_create(&threads[WRITERS + 2], NULL, work_all, &s);
    pthread_create(&threads[WRITERS + 3], NULL, manage_all, &s);
    for (int i = 0; i < WRITERS + 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS; i++)
        look(&s, i);
    tsdb_close(s.db);
    sim_process_ended(s.sim);
    s.db = tsdb_open(&o, &report, &err);
    assert_non_null(s.db);
    for (int i = 0; i < WRITERS; i++)
        look(&s, i);
    tsdb_close(s.db);
    sim_free(s.sim);
    pthread_mutex_destroy(&s.lock);
    pthread_cond_destroy(&s.wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
