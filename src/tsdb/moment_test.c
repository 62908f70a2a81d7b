// SPDX-License-Identifier: Apache-2.0
/*
 * What a moment tells is what was captured at once when it began, whatever is appended and frozen
 * between the slices.
 */
#include "sys/self.h"
#include "tsdb/head.h"
#include "tsdb/test_model.h"

enum { SERIES = 30, ROUNDS = 150, MOMENTS = 2 };

static const struct histogram_span span = {0, 2};
static const double counts[] = {1, 2};
static const struct histogram hist = {.count = 3, .positive = {&span, counts, 1, 2}};

struct world {
    struct head head;
    struct series *at[SERIES];
    struct rng rng;
    ts_ms now;
};

static void world_init(struct world *w, uint64_t seed)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    *w = (struct world){.rng = {seed}, .now = 1700000000000};
    head_init(&w->head, 2);
    for (int i = 0; i < SERIES; i++) {
        struct label name = {LABEL_NAME, arena_printf(&a, "m%d", i)};
        struct labels ls = {&name, 1};
        uint64_t hash = labels_hash(ls);
        w->at[i] = shard_add(&w->head, &w->head.shards[head_shard_of(&w->head, hash)], ls, hash);
    }
}

static uint64_t rnd(struct world *w, uint64_t below)
{
    return rng_next(&w->rng) % below;
}

/* A sample in order, or late, or of a time that is there; perhaps a histogram or with a start. */
static void append_one(struct world *w)
{
    struct series *s = w->at[rnd(w, SERIES)];
    ts_ms t = rnd(w, 5) ? w->now + (ts_ms)rnd(w, 1000) : w->now - (ts_ms)rnd(w, 20000);
    w->now += 500;
    if (rnd(w, 4))
        head_append(&w->head, s, t, (double)rnd(w, 100) / 4);
    else
        head_append_extra(&w->head, s, t, 1, rnd(w, 2) ? &hist : NULL,
                          rnd(w, 2) ? (ts_ms)rnd(w, 1000) + 1 : 0);
}

/* As a flush begins and goes over the series. Once in a world: chunks are frozen until it ends. */
static void freeze(struct world *w)
{
    if (!w->head.frozen_live) {
        w->head.gen++;
        w->head.frozen_live = true;
    }
    for (int i = 0; i < 5; i++)
        head_freeze(&w->head, w->at[rnd(w, SERIES)]);
}

static void change(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        append_one(w);
    if (rnd(w, 20) == 0 || w->head.frozen_live)
        freeze(w);
}

static struct gather read_capture(const struct capture *c, struct arena *a)
{
    struct gather g = gather_of(a, INT64_MIN, INT64_MAX);
    struct err err = {0};
    assert_true(capture_read(c, &g, &err));
    gather_settle(&g);
    return g;
}

static void assert_same(const struct gather *x, const struct gather *y)
{
    assert_int_equal(x->n, y->n);
    for (size_t i = 0; i < x->n; i++) {
        assert_int_equal(x->t[i], y->t[i]);
        assert_memory_equal(&x->v[i], &y->v[i], sizeof x->v[i]);
        const struct histogram *hx = x->h ? x->h[i] : NULL, *hy = y->h ? y->h[i] : NULL;
        assert_true(!hx == !hy && (!hx || histogram_equal(hx, hy)));
        assert_int_equal(x->since ? x->since[i] : 0, y->since ? y->since[i] : 0);
    }
}

struct selecting {
    struct moment m;
    struct arena arena;
    struct gather wanted[SERIES]; /* read when the moment began */
    struct capture captures[SERIES];
    size_t done;
};

static void begin(struct world *w, struct selecting *s)
{
    arena_init(&s->arena, 0);
    s->done = 0;
    for (int i = 0; i < SERIES; i++) {
        struct capture c;
        head_capture(&w->head, w->at[i], &s->arena, &c);
        s->wanted[i] = read_capture(&c, &s->arena);
    }
    moment_begin(&w->head, &s->m, &s->arena);
}

/* False: it was the last slice. */
static bool capture_some(struct world *w, struct selecting *s)
{
    for (size_t i = 0; i < 4 && s->done < SERIES; i++, s->done++)
        head_capture(&w->head, w->at[s->done], &s->arena, &s->captures[s->done]);
    if (s->done < SERIES)
        return true;
    moment_end(&w->head, &s->m);
    return false;
}

static void end(struct world *w, struct selecting *s)
{
    assert_true(s->m.n <= SERIES);
    moment_settle(&s->m, (const struct series *const *)w->at, s->captures, SERIES);
    for (int i = 0; i < SERIES; i++) {
        struct gather got = read_capture(&s->captures[i], &s->arena);
        assert_same(&got, &s->wanted[i]);
    }
    arena_fini(&s->arena);
}

/* Two moments that overlap, again and again. */
static void live(uint64_t seed)
{
    struct world w;
    struct selecting s[MOMENTS];
    bool lasts[MOMENTS] = {0};
    struct reclaim_reader reader;
    world_init(&w, seed);
    change(&w, 300);
    for (int round = 0; round < ROUNDS; round++) {
        size_t k = rnd(&w, MOMENTS);
        if (!lasts[0] && !lasts[1])
            reclaim_enter(&w.head.reclaim, &reader);
        if (!lasts[k])
            begin(&w, &s[k]);
        lasts[k] = capture_some(&w, &s[k]);
        change(&w, (int)rnd(&w, 30));
        if (!lasts[k])
            end(&w, &s[k]);
        if (!lasts[0] && !lasts[1])
            reclaim_leave(&w.head.reclaim, &reader);
    }
    for (size_t k = 0; k < MOMENTS; k++)
        if (lasts[k]) {
            while (capture_some(&w, &s[k]))
                change(&w, 7);
            end(&w, &s[k]);
        }
    if (lasts[0] || lasts[1])
        reclaim_leave(&w.head.reclaim, &reader);
    assert_null(w.head.moments.first);
    head_fini(&w.head);
}

static void test_as_if_captured_at_once(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        live(seed);
}

/* ---- through the engine ---- */

static struct batch *one_each(int n)
{
    struct batch *b = batch_new();
    b->series = arena_array(&b->arena, struct batch_series, n);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    for (int i = 0; i < n; i++) {
        struct label *l = arena_new(&b->arena, struct label);
        *l = (struct label){LABEL_NAME, arena_printf(&b->arena, "m%d", i)};
        b->series[i] = (struct batch_series){.labels = {l, 1}, .first = (uint32_t)i, .n = 1};
        b->series[i].hash = labels_hash(b->series[i].labels);
        b->t[i] = 1000 + i;
        b->v[i] = i;
    }
    b->series_n = b->samples_n = (size_t)n;
    return b;
}

static void test_batches_wait_for_a_slice(void **state)
{
    enum { SLICE = 7 };
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct tsdb_recovery report;
    struct err err = {0};
    struct matcher m;
    struct tsdb_options o = {.env = &env, .stepped = true, .shards = 2, .capture_series = SLICE};
    struct tsdb *db = tsdb_open(&o, &report, &err);
    assert_non_null(db);
    assert_true(write_batch(db, one_each(3 * SLICE + 1)).ok);
    self_set(SELF_TSDB_CAPTURED_MAX, 0);
    const struct source_ops *ops = tsdb_source(db)->ops;
    struct select_hints h = {.start = 0, .end = INT64_MAX};
    assert_true(matcher_init(&m, MATCH_RE, LABEL_NAME, STR("m.*"), &err));
    struct selection *sel = ops->select(tsdb_source(db), &m, 1, &h, NULL, &err);
    assert_non_null(sel);
    assert_int_equal(ops->size(sel), 3 * SLICE + 1);
    assert_int_equal(self_get(SELF_TSDB_CAPTURED_MAX), SLICE);
    ops->release(sel);
    matcher_fini(&m);
    tsdb_close(db);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_if_captured_at_once),
        cmocka_unit_test(test_batches_wait_for_a_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
