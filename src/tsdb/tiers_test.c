// SPDX-License-Identifier: Apache-2.0
/* A store whose samples become rows, and those coarser rows, against all that was ever written. */
#include "tsdb/test_model.h"
#include "tsdb/verify.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE, SERIES = 4, CALM = 3 };
#define DAY (24LL * HOUR)

static const struct tsdb_tier two_tiers[] = {{5 * MINUTE, 4 * DAY}, {HOUR, 30 * DAY}};

struct written {
    ts_ms t;
    double v;
    bool late;
};

struct world {
    struct sim *sim;
    struct env env;
    struct tsdb_options o;
    struct tsdb *db;
    struct rng r;
    VEC(struct written) all[SERIES];
    double counter[SERIES];
};

static void options_of(struct world *w)
{
    w->env = sim_env(w->sim);
    w->o = (struct tsdb_options){.env = &w->env,
                                 .stepped = true,
                                 .shards = 2,
                                 .retention_ms = DAY,
                                 .tiers = two_tiers,
                                 .tiers_n = 2,
                                 .merge_bytes_per_s = 1ULL << 40};
}

static void world_open(struct world *w)
{
    struct tsdb_recovery report;
    struct err err = {0};
    w->db = tsdb_open(&w->o, &report, &err);
    if (!w->db)
        fail_msg("open: %s", err.msg);
    assert_int_equal(report.parts_quarantined + report.wal_damaged, 0);
}

static void world_close(struct world *w)
{
    tsdb_close(w->db);
    w->db = NULL;
    sim_process_ended(w->sim);
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.sim = sim_new(seed), .r = {seed}};
    options_of(w);
    world_open(w);
}

static void world_fini(struct world *w)
{
    if (w->db)
        world_close(w);
    for (int i = 0; i < SERIES; i++)
        vec_fini(&w->all[i]);
    sim_free(w->sim);
}

static struct labels named(struct arena *a, int i)
{
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){LABEL_NAME, STR("c_total")};
    at[1] = (struct label){STR("i"), arena_printf(a, "%d", i)};
    return (struct labels){at, 2};
}

/* In order of time; of one time the first stays. */
static void remember(struct world *w, int i, struct written x)
{
    size_t k = w->all[i].n;
    while (k > 0 && w->all[i].at[k - 1].t >= x.t)
        k--;
    if (k < w->all[i].n && w->all[i].at[k].t == x.t)
        return;
    vec_push(&w->all[i], x);
    memmove(w->all[i].at + k + 1, w->all[i].at + k, (w->all[i].n - 1 - k) * sizeof x);
    w->all[i].at[k] = x;
}

static double next_value(struct world *w, int i)
{
    uint64_t r = rng_next(&w->r);
    if (i == CALM && r % 97 == 0)
        return stale_nan();
    w->counter[i] = r % 211 ? w->counter[i] + (double)(r % 50) : 1;
    return w->counter[i];
}

/* n samples of each series from `t` on, a minute apart; late: one of a series that is not calm. */
static void put(struct world *w, ts_ms t, int n, bool late)
{
    struct batch *b = batch_new();
    int from = late ? (int)(rng_next(&w->r) % CALM) : 0, series = late ? 1 : SERIES;
    size_t room = (size_t)series * (size_t)n, k = 0;
    b->series = arena_array(&b->arena, struct batch_series, SERIES);
    b->t = arena_array(&b->arena, ts_ms, room);
    b->v = arena_array(&b->arena, double, room);
    for (int i = 0; i < series; i++) {
        struct labels ls = named(&b->arena, from + i);
        b->series[i] = (struct batch_series){ls, labels_hash(ls), (uint32_t)k, (uint32_t)n};
        for (int s = 0; s < n; s++, k++) {
            b->t[k] = t + s * MINUTE;
            b->v[k] = late ? 1000 : next_value(w, i);
            remember(w, from + i, (struct written){b->t[k], b->v[k], late});
        }
    }
    b->series_n = (size_t)series;
    b->samples_n = k;
    struct outcome out = write_batch(w->db, b);
    assert_true(out.ok);
    assert_int_equal(out.result.out_of_bounds, 0);
}

static void settle(struct world *w)
{
    struct err err = {0};
    while (tsdb_tick(w->db, &err))
        ;
    if (err.kind != ERR_NONE)
        fail_msg("tick: %s", err.msg);
}

/* What a row says against the samples of its window. */
static void check_row(const struct world *w, int i, const struct tier_row *r)
{
    uint64_t n = 0;
    bool late = false;
    double sum = 0, min = 0, max = 0, first = 0, last = 0, rise = 0;
    for (size_t k = 0; k < w->all[i].n; k++) {
        const struct written *x = &w->all[i].at[k];
        if (x->t <= r->start || x->t > r->end || is_stale_nan(x->v))
            continue;
        late |= x->late;
        if (n > 0)
            rise += x->v < last ? x->v : x->v - last;
        first = n ? first : x->v;
        min = n == 0 || x->v < min ? x->v : min;
        max = n == 0 || x->v > max ? x->v : max;
        sum += last = x->v;
        n++;
    }
    assert_int_equal(r->count, n);
    if (n == 0)
        return;
    assert_true(r->sum == sum && r->min == min && r->max == max);
    assert_true(r->first == first && r->last == last);
    assert_true(late || r->last - r->first + r->lost == rise);
}

struct view {
    struct arena arena;
    struct selection *sel;
    struct tier_span spans[SOURCE_TIERS_MAX];
    size_t spans_n;
    struct tier_rows rows;
    struct columns raw;
};

static void look(struct world *w, int i, ts_ms start, ts_ms end, struct view *v)
{
    struct source *s = tsdb_source(w->db);
    struct err err;
    struct matcher m[2];
    char id[2] = {(char)('0' + i), 0};
    *v = (struct view){.rows = {.arena = &v->arena}};
    arena_init(&v->arena, 0);
    assert_true(matcher_init(&m[0], MATCH_EQ, LABEL_NAME, STR("c_total"), &err));
    assert_true(matcher_init(&m[1], MATCH_EQ, STR("i"), str_from_z(id), &err));
    struct select_hints h = {.start = start, .end = end};
    v->sel = s->ops->select(s, m, 2, &h, NULL, &err);
    assert_non_null(v->sel);
    v->spans_n = s->ops->tiers(v->sel, v->spans);
    if (s->ops->size(v->sel) == 1) {
        assert_true(source_read(s->ops, v->sel, 0, start, end, &v->arena, &v->raw, &err));
        if (v->spans_n && !s->ops->read_tier(v->sel, 0, start, end, &v->rows, &err))
            fail_msg("rows: %s", err.msg);
    }
    s->ops->release(v->sel);
    matcher_fini(&m[0]);
    matcher_fini(&m[1]);
}

static ts_ms raw_start(const struct view *v)
{
    return v->spans_n ? v->spans[v->spans_n - 1].end + 1 : INT64_MIN;
}

/* Every sample is there once: alone, or in one row. */
static void check_series(struct world *w, int i)
{
    struct view v;
    size_t raw = 0;
    uint64_t in_rows = 0, counted = 0;
    look(w, i, 0, INT64_MAX / 2, &v);
    for (size_t k = 0; k < w->all[i].n; k++) {
        const struct written *x = &w->all[i].at[k];
        if (x->t < raw_start(&v)) {
            in_rows += !is_stale_nan(x->v);
            continue;
        }
        assert_true(raw < v.raw.n && v.raw.t[raw] == x->t);
        assert_memory_equal(&v.raw.v[raw], &x->v, sizeof x->v);
        raw++;
    }
    assert_int_equal(raw, v.raw.n);
    for (size_t k = 0; k < v.rows.n; k++) {
        check_row(w, i, &v.rows.at[k]);
        assert_true(k == 0 || v.rows.at[k - 1].end <= v.rows.at[k].start);
        counted += v.rows.at[k].count;
    }
    assert_int_equal(counted, in_rows);
    arena_fini(&v.arena);
}

static void check(struct world *w)
{
    for (int i = 0; i < SERIES; i++)
        check_series(w, i);
}

/* Ten minutes at a time. */
static void live(struct world *w, int steps, bool late)
{
    struct err err = {0};
    for (int k = 0; k < steps; k++) {
        put(w, env_now_ms(&w->env), 10, false);
        sim_advance_ms(w->sim, 10 * MINUTE);
        if (late && rng_next(&w->r) % 30 == 0)
            put(w, env_now_ms(&w->env) - (ts_ms)(rng_next(&w->r) % (9 * DAY)) - 7, 1, true);
        if (k % 36 == 35)
            assert_true(tsdb_flush(w->db, &err));
        settle(w);
        if (rng_next(&w->r) % 150 == 0)
            check(w);
    }
}

static void assert_spans(struct world *w)
{
    struct view v;
    look(w, 0, 0, INT64_MAX / 2, &v);
    ts_ms now = env_now_ms(&w->env);
    assert_int_equal(v.spans_n, 2);
    assert_int_equal(v.spans[0].step_ms, HOUR);
    assert_int_equal(v.spans[1].step_ms, 5 * MINUTE);
    assert_int_equal(v.spans[0].end, v.spans[1].start);
    assert_true(v.spans[1].end < now - DAY && v.spans[1].end > now - 4 * DAY);
    assert_true(v.spans[0].end < now - 4 * DAY && v.spans[0].end > now - 7 * DAY);
    arena_fini(&v.arena);
    look(w, 0, now - HOUR, now, &v);
    assert_int_equal(v.spans_n, 0);
    arena_fini(&v.arena);
}

static void on_finding(void *arg, str path, uint64_t off, const char *what)
{
    print_error("%.*s at %llu: %s\n", STR_ARG(path), (unsigned long long)off, what);
}

static void test_life(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world w;
        world_init(&w, seed);
        live(&w, 9 * 144, seed > 1);
        check(&w);
        assert_spans(&w);
        world_close(&w);
        struct verify_report report;
        struct err err = {0};
        assert_true(tsdb_verify(&w.env, STR(""), on_finding, NULL, &report, &err));
        assert_int_equal(report.findings, 0);
        world_open(&w);
        check(&w);
        live(&w, 144, seed > 1);
        check(&w);
        world_fini(&w);
    }
}

/* Old samples that come in bulk are accepted and become rows at once. */
static void test_import_of_old(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w, 9);
    ts_ms now = env_now_ms(&w.env);
    for (int day = 20; day >= 0; day--)
        for (int k = 0; k < 24; k++)
            put(&w, now - day * DAY + k * HOUR - DAY, 60, false);
    check(&w);
    assert_true(tsdb_flush(w.db, &err));
    struct tsdb_stats before, after;
    tsdb_stats(w.db, &before);
    for (int k = 0; k < 2; k++) { /* rows of 5 minutes, then of an hour */
        sim_advance_ms(w.sim, 3 * DAY);
        put(&w, env_now_ms(&w.env), 1, false);
        settle(&w);
        check(&w);
    }
    tsdb_stats(w.db, &after);
    print_message("# %llu samples in %llu bytes, %llu rows in %llu\n",
                  (unsigned long long)before.part_samples, (unsigned long long)before.part_bytes,
                  (unsigned long long)after.part_samples, (unsigned long long)after.part_bytes);
    assert_true(after.part_bytes < before.part_bytes / 2);
    world_fini(&w);
}

/* Windows of any place and length give the rows that touch them, as the whole does. */
static void test_ranges(void **state)
{
    struct world w;
    world_init(&w, 4);
    live(&w, 8 * 144, true);
    ts_ms now = env_now_ms(&w.env);
    struct view all;
    look(&w, 1, 0, INT64_MAX / 2, &all);
    for (int k = 0; k < 200; k++) {
        ts_ms start = now - (ts_ms)(rng_next(&w.r) % (9 * DAY));
        ts_ms end = start + (ts_ms)(rng_next(&w.r) % DAY);
        struct view v;
        size_t n = 0;
        look(&w, 1, start, end, &v);
        for (size_t i = 0; i < all.rows.n; i++) {
            const struct tier_row *r = &all.rows.at[i];
            if (r->start >= end || r->end < start)
                continue;
            assert_true(n < v.rows.n && v.rows.at[n].first_t == r->first_t);
            assert_int_equal(v.rows.at[n].count, r->count);
            n++;
        }
        assert_int_equal(n, v.rows.n);
        arena_fini(&v.arena);
    }
    arena_fini(&all.arena);
    world_fini(&w);
}

static void test_deleted(void **state)
{
    struct world w;
    struct err err = {0};
    struct matcher m;
    struct view v;
    world_init(&w, 5);
    live(&w, 8 * 144, false);
    ts_ms end = env_now_ms(&w.env) - 2 * DAY, start = end - 4 * DAY;
    assert_true(matcher_init(&m, MATCH_EQ, STR("i"), STR("1"), &err));
    assert_true(tsdb_delete(w.db, &m, 1, start, end, &err));
    for (int round = 0; round < 3; round++) {
        look(&w, 1, start, end, &v);
        for (size_t k = 0; k < v.rows.n; k++)
            assert_true(v.rows.at[k].last_t < start || v.rows.at[k].first_t > end);
        arena_fini(&v.arena);
        check_series(&w, 0);
        if (round == 0)
            assert_true(tsdb_clean_tombstones(w.db, &err));
        if (round == 1) {
            world_close(&w);
            world_open(&w);
        }
    }
    matcher_fini(&m);
    world_fini(&w);
}

/* The power goes while rows are made: each sample is there once, before and after. */
static void test_power_cuts(void **state)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        struct world w;
        struct err err;
        world_init(&w, seed);
        live(&w, 5 * 144 + (int)(rng_next(&w.r) % 144), false);
        assert_true(tsdb_flush(w.db, &err));
        sim_advance_ms(w.sim, DAY);
        put(&w, env_now_ms(&w.env), 1, false);
        sim_fault(w.sim, (struct sim_fault){.kind = SIM_POWER_LOSS,
                                            .calls = SIM_CHANGES,
                                            .nth = 1 + (seed - 20) * 5,
                                            .times = UINT64_MAX});
        for (int k = 0; k < 100; k++)
            tsdb_tick(w.db, &err);
        struct sim *sim = w.sim;
        struct tsdb *db = w.db;
        for (uint64_t outcome = 0; outcome < 12; outcome++) {
            w.sim = sim_power_cut(sim, outcome);
            options_of(&w);
            world_open(&w);
            check(&w);
            settle(&w);
            check(&w);
            world_close(&w);
            sim_free(w.sim);
        }
        w.sim = sim;
        w.db = db;
        options_of(&w);
        world_fini(&w);
    }
}

/* The list is lost: the parts say what replaced what. */
static void test_lost_catalog(void **state)
{
    struct world w;
    world_init(&w, 6);
    live(&w, 7 * 144, true);
    world_close(&w);
    assert_true(sim_cut_file(w.sim, STR("metrics/catalog"), 0));
    world_open(&w);
    check(&w);
    settle(&w);
    check(&w);
    world_fini(&w);
}

/* A page of old samples is damaged: its series lose what it had, the file is put away, the others
 * become rows. */
static void test_damaged_samples(void **state)
{
    struct world w;
    struct err err = {0};
    struct disk_info info;
    struct view v;
    world_init(&w, 7);
    for (int k = 0; k < 144; k++) {
        put(&w, env_now_ms(&w.env), 10, false);
        sim_advance_ms(w.sim, 10 * MINUTE);
    }
    assert_true(tsdb_flush(w.db, &err));
    assert_true(sim_flip(w.sim, STR("metrics/parts/0000000000000001.part"), 200, 3));
    sim_advance_ms(w.sim, 2 * DAY);
    put(&w, env_now_ms(&w.env), 1, false);
    for (int k = 0; k < 50; k++)
        tsdb_tick(w.db, &err);
    assert_int_equal(err.kind, ERR_NONE);
    str path = STR("metrics/quarantine/0000000000000001.part");
    assert_true(w.env.disk->ops->stat(w.env.disk, path, &info, &err));
    look(&w, 0, 0, INT64_MAX / 2, &v);
    assert_int_equal(v.raw.n, 1);
    assert_int_equal(v.spans_n, 1);
    arena_fini(&v.arena);
    world_fini(&w);
}

static void test_options(void **state)
{
    static const struct tsdb_tier wrong[][2] = {
        {{5 * MINUTE, DAY}, {HOUR, 2 * DAY}},     {{7 * MINUTE, 2 * DAY}, {HOUR, 3 * DAY}},
        {{HOUR, 2 * DAY}, {5 * MINUTE, 3 * DAY}}, {{HOUR, 2 * DAY}, {2 * HOUR, 2 * DAY}},
        {{10, 2 * DAY}, {2 * HOUR, 3 * DAY}},
    };
    struct world w;
    world_init(&w, 1);
    world_close(&w);
    for (size_t i = 0; i < TESTS_N(wrong); i++) {
        struct tsdb_recovery report;
        struct err err = {0};
        w.o.tiers = wrong[i];
        assert_null(tsdb_open(&w.o, &report, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        sim_process_ended(w.sim);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_import_of_old),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_lost_catalog),
        cmocka_unit_test(test_damaged_samples),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
