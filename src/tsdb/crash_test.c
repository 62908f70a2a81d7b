// SPDX-License-Identifier: Apache-2.0
/*
 * The engine and the disk: power cuts, errors at the N-th call, full disks, flipped bits, cut
 * files.
 *
 * Every batch has times of its own, so that each sample read back tells which batch it came from:
 * batches that were acknowledged must be there whole, others whole or not at all, and no sample may
 * be there that nobody wrote.
 */
#include "tsdb/test_model.h"

enum { BATCHES_MAX = 400, BATCH_SAMPLES_MAX = 24 };

struct written {
    struct outcome out;
    size_t n;
    struct {
        uint8_t series;
        ts_ms t;
        double v;
    } at[BATCH_SAMPLES_MAX];
};

struct world {
    struct sim *sim;
    struct env env;
    struct model m; /* for its label sets */
    struct rng r;
    struct tsdb *db;
    struct written *w;
    size_t n;
};

static const ts_ms base_t = 1700000000000;

static struct tsdb_options options(struct env *env)
{
    return (struct tsdb_options){.env = env,
                                 .stepped = true,
                                 .shards = 2,
                                 .segment_bytes = 12 << 10,
                                 .wal_bytes_max = 40 << 10,
                                 .cache_bytes_max = 256 << 10};
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.sim = sim_new(seed), .r = {seed}};
    w->env = sim_env(w->sim);
    model_init(&w->m);
    w->w = mem_zalloc(BATCHES_MAX * sizeof *w->w);
}

static void world_fini(struct world *w)
{
    if (w->db)
        tsdb_close(w->db);
    sim_free(w->sim);
    model_fini(&w->m);
    free(w->w);
}

static bool open_world(struct world *w)
{
    struct tsdb_options o = options(&w->env);
    struct tsdb_recovery report;
    struct err err = {0};
    w->db = tsdb_open(&o, &report, &err);
    return w->db != NULL;
}

/* Batch number i has the times of slot i ^ 3: each once, not in order. */
static ts_ms time_of(size_t i, size_t k)
{
    return base_t + (ts_ms)(i ^ 3) * 1000 + (ts_ms)k;
}
static size_t batch_of(ts_ms t)
{
    return (size_t)((t - base_t) / 1000) ^ 3;
}

static void queue_batch(struct world *w)
{
    struct written *x = &w->w[w->n];
    struct batch *b = batch_new();
    x->n = 1 + rng_next(&w->r) % BATCH_SAMPLES_MAX;
    b->series = arena_array(&b->arena, struct batch_series, x->n);
    b->t = arena_array(&b->arena, ts_ms, x->n);
    b->v = arena_array(&b->arena, double, x->n);
    for (size_t k = 0; k < x->n; k++) {
        uint64_t bits = rng_next(&w->r);
        size_t s = rng_next(&w->r) % MODEL_SERIES;
        double v = (double)(bits % 1000) / 10;
        if (bits % 7 == 0)
            memcpy(&v, &bits, sizeof v);
        x->at[k].series = (uint8_t)s;
        x->at[k].t = b->t[k] = time_of(w->n, k);
        x->at[k].v = b->v[k] = v;
        b->series[k] = (struct batch_series){labels_dup(&b->arena, w->m.labels[s]), w->m.hash[s],
                                             (uint32_t)k, 1};
    }
    b->series_n = b->samples_n = x->n;
    w->n++;
    struct sink *sink = tsdb_sink(w->db);
    sink->write(sink, b, outcome_done, &x->out);
}

/* Some batches, a few of them in one group; flushes and merges now and then. */
static void work(struct world *w, size_t batches)
{
    struct err err = {0};
    size_t end = w->n + batches;
    while (w->n < end) {
        for (size_t k = rng_next(&w->r) % 4 + 1; k > 0 && w->n < end; k--)
            queue_batch(w);
        tsdb_step(w->db);
        uint64_t what = rng_next(&w->r) % 12;
        if (what == 0)
            tsdb_flush(w->db, &err);
        else if (what < 4)
            tsdb_tick(w->db, &err);
    }
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(w->w[i].out.calls, 1);
}

struct found {
    size_t samples;
    size_t errors; /* reads that said that something is corrupt */
    size_t *per_batch;
};

static void check_sample(struct world *w, struct labels ls, ts_ms t, double v, struct found *f)
{
    size_t i = batch_of(t), k = (size_t)((t - base_t) % 1000);
    assert_true(t >= base_t && i < w->n && k < w->w[i].n);
    assert_int_equal(w->w[i].at[k].t, t);
    assert_memory_equal(&w->w[i].at[k].v, &v, sizeof v);
    assert_true(labels_eq(w->m.labels[w->w[i].at[k].series], ls));
    f->per_batch[i]++;
    f->samples++;
}

/* Reads all there is; every sample must be one that was written. */
static void read_all(struct world *w, struct tsdb *db, struct found *f)
{
    struct source *s = tsdb_source(db);
    struct select_hints h = {.start = INT64_MIN, .end = INT64_MAX};
    struct err err = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct selection *sel = s->ops->select(s, NULL, 0, &h, NULL, &err);
    if (!sel) {
        assert_int_equal(err.kind, ERR_CORRUPT);
        f->errors++;
        return;
    }
    for (size_t i = 0; i < s->ops->size(sel); i++) {
        struct columns c;
        if (!source_read(s->ops, sel, i, INT64_MIN, INT64_MAX, &a, &c, &err)) {
            assert_int_equal(err.kind, ERR_CORRUPT);
            f->errors++;
            continue;
        }
        for (size_t k = 0; k < c.n; k++)
            check_sample(w, s->ops->labels(sel, i), c.t[k], c.v[k], f);
    }
    s->ops->release(sel);
}

/* All acknowledged batches are there, the others whole or not at all. */
static void check_whole(struct world *w, struct tsdb *db)
{
    size_t per_batch[BATCHES_MAX] = {0};
    struct found f = {.per_batch = per_batch};
    read_all(w, db, &f);
    assert_int_equal(f.errors, 0);
    for (size_t i = 0; i < w->n; i++) {
        if (w->w[i].out.ok && per_batch[i] != w->w[i].n)
            fail_msg("batch %zu of %zu was acknowledged: %zu of %zu samples are there", i, w->n,
                     per_batch[i], w->w[i].n);
        else
            assert_true(per_batch[i] == 0 || per_batch[i] == w->w[i].n);
    }
}

/* ---- power ---- */

static void check_image(struct world *w, uint64_t outcome)
{
    struct sim *after = sim_power_cut(w->sim, outcome);
    struct env env = sim_env(after);
    struct tsdb_options o = options(&env);
    struct tsdb_recovery report;
    struct err err = {0};
    struct tsdb *db = tsdb_open(&o, &report, &err);
    if (!db)
        fail_msg("after a power cut: %s", err.msg);
    assert_int_equal(report.parts_quarantined, 0);
    check_whole(w, db);
    tsdb_close(db);
    sim_free(after);
}

static void test_power_cuts(void **s)
{
    enum { IMAGES = 20 };
    static const uint64_t lives[] = {[TEST_SMALL] = 60, [TEST_USUAL] = 500, [TEST_LARGE] = 20000};
    for (uint64_t seed = 1; seed <= lives[test_size()]; seed++) {
        struct world w;
        world_init(&w, seed);
        assert_true(open_world(&w));
        work(&w, rng_next(&w.r) % 60);
        sim_fault(w.sim, (struct sim_fault){.kind = SIM_POWER_LOSS,
                                            .calls = SIM_CHANGES,
                                            .nth = 1 + rng_next(&w.r) % 120,
                                            .times = UINT64_MAX});
        work(&w, 60);
        for (uint64_t k = 0; k < IMAGES; k++)
            check_image(&w, k);
        world_fini(&w);
    }
}

/* A second cut, of the store that the first one left. */
static void test_power_cut_after_recovery(void **s)
{
    for (uint64_t seed = 500; seed < 515; seed++) {
        struct world w;
        world_init(&w, seed);
        assert_true(open_world(&w));
        work(&w, 40);
        check_whole(&w, w.db);
        struct sim *after = sim_power_cut(w.sim, seed);
        tsdb_close(w.db);
        w.db = NULL;
        sim_free(w.sim);
        w.sim = after;
        w.env = sim_env(after);
        assert_true(open_world(&w));
        check_whole(&w, w.db);
        sim_fault(w.sim, (struct sim_fault){.kind = SIM_POWER_LOSS,
                                            .calls = SIM_CHANGES,
                                            .nth = 1 + rng_next(&w.r) % 60,
                                            .times = UINT64_MAX});
        work(&w, 40);
        for (uint64_t k = 0; k < 10; k++)
            check_image(&w, k);
        world_fini(&w);
    }
}

/* ---- errors ---- */

/* A life with one failing call; true when the call was reached. */
static bool live_with_fault(enum sim_fault_kind kind, uint64_t nth, uint64_t times)
{
    struct world w;
    world_init(&w, 42);
    sim_fault(w.sim, (struct sim_fault){.kind = kind, .nth = nth, .times = times});
    if (!open_world(&w)) {
        sim_fault_clear(w.sim);
        sim_process_ended(w.sim);
        assert_true(open_world(&w));
    }
    work(&w, 160);
    bool fired = sim_fault_fired(w.sim) > 0;
    sim_fault_clear(w.sim);
    /* Goes on without a restart. */
    size_t before = w.n;
    work(&w, 3);
    for (size_t i = before; i < w.n; i++)
        assert_true(w.w[i].out.ok);
    check_whole(&w, w.db);
    check_image(&w, nth);
    tsdb_close(w.db);
    sim_process_ended(w.sim);
    assert_true(open_world(&w));
    check_whole(&w, w.db);
    world_fini(&w);
    return fired;
}

static void test_error_at_every_call(void **s)
{
    static const enum sim_fault_kind kinds[] = {SIM_IO_ERROR, SIM_NO_SPACE};
    for (size_t k = 0; k < TESTS_N(kinds); k++) {
        uint64_t n = 1;
        while (live_with_fault(kinds[k], n, 1))
            n++;
        assert_true(n > 100);
        for (uint64_t from = 1; from < n; from += 17)
            live_with_fault(kinds[k], from, 5);
    }
}

/* A batch whose sync failed may be on disk all the same. It must not come back after a restart and
 * take the place of one that was accepted later. */
static void test_failed_batch_stays_away(void **s)
{
    struct world w;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    world_init(&w, 5);
    assert_true(open_world(&w));
    work(&w, 3);
    for (int i = 0; i < 3; i++) {
        struct batch *b = batch_new();
        b->series = arena_array(&b->arena, struct batch_series, 1);
        b->t = arena_array(&b->arena, ts_ms, 1);
        b->v = arena_array(&b->arena, double, 1);
        b->series[0] = (struct batch_series){w.m.labels[0], w.m.hash[0], 0, 1};
        b->series_n = b->samples_n = 1;
        b->t[0] = 1000;
        b->v[0] = i;
        if (i == 0)
            sim_fault(w.sim, (struct sim_fault){.calls = SIM_BIT(SIM_SYNC) | SIM_BIT(SIM_TRUNCATE),
                                                .nth = 1,
                                                .times = 2});
        struct outcome out = write_batch(w.db, b);
        assert_int_equal(out.ok, i > 0);
        assert_int_equal(out.result.stored, i == 1);
    }
    tsdb_close(w.db);
    sim_process_ended(w.sim);
    assert_true(open_world(&w));
    struct columns c = read_series(tsdb_source(w.db), w.m.labels[0], &a);
    assert_true(c.n >= 1 && c.t[0] == 1000 && c.v[0] == 1);
    world_fini(&w);
}

static void test_full_disk(void **s)
{
    struct world w;
    world_init(&w, 77);
    assert_true(open_world(&w));
    work(&w, 30);
    for (int round = 0; round < 4; round++) {
        size_t before = w.n;
        sim_set_capacity(w.sim, sim_used(w.sim));
        work(&w, 80);
        size_t refused = 0;
        for (size_t i = before; i < w.n; i++) {
            refused += !w.w[i].out.ok;
            assert_true(w.w[i].out.ok || w.w[i].out.err.kind == ERR_NO_SPACE);
        }
        assert_true(refused > 0);
        check_whole(&w, w.db);
        sim_set_capacity(w.sim, 1ULL << 34);
        before = w.n;
        work(&w, 3);
        for (size_t i = before; i < w.n; i++)
            assert_true(w.w[i].out.ok);
    }
    world_fini(&w);
}

/* ---- damage at rest ---- */

/* Opens a damaged copy. What is missing must have been told; what is there must be right. */
static void check_damaged(struct world *w, struct sim *damaged, bool is_cut)
{
    struct env env = sim_env(damaged);
    struct tsdb_options o = options(&env);
    struct tsdb_recovery report;
    struct err err = {0};
    size_t per_batch[BATCHES_MAX] = {0}, missing = 0, partial = 0;
    struct found f = {.per_batch = per_batch};
    struct tsdb *db = tsdb_open(&o, &report, &err);
    if (!db)
        fail_msg("a damaged store does not open: %s", err.msg);
    read_all(w, db, &f);
    for (size_t i = 0; i < w->n; i++) {
        missing += per_batch[i] == 0;
        partial += per_batch[i] > 0 && per_batch[i] < w->w[i].n;
    }
    bool told = f.errors || report.wal_damaged || report.orphan_samples ||
                report.parts_quarantined || report.wal_torn || report.first.kind;
    if (missing + partial > 0 && !told && !is_cut)
        fail_msg("%zu batches are missing and %zu in part, and nobody says so", missing, partial);
    /* A tick puts away what cannot be read, and then everything answers. */
    if (f.errors) {
        tsdb_tick(db, &err);
        struct batch *b = model_batch(&w->m, &w->r, base_t + 1000000000);
        assert_true(write_batch(db, b).ok);
    }
    tsdb_close(db);
    sim_free(damaged);
}

static void make_store(struct world *w)
{
    struct err err = {0};
    world_init(w, 7);
    assert_true(open_world(w));
    work(w, 60);
    assert_true(tsdb_flush(w->db, &err));
    work(w, 40);
    tsdb_close(w->db);
    w->db = NULL;
    sim_process_ended(w->sim);
    for (size_t i = 0; i < w->n; i++)
        assert_true(w->w[i].out.ok);
}

static void test_flipped_bits(void **s)
{
    struct world w;
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    arena_init(&a, 0);
    make_store(&w);
    sim_files(w.sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        assert_true(sim_get(w.sim, paths[i], &a, &content));
        uint64_t stride = content.n > 4096 ? 61 : 7;
        for (uint64_t off = 0; off < content.n; off += stride) {
            struct sim *copy = sim_clone(w.sim);
            assert_true(sim_flip(copy, paths[i], off, (unsigned)(off % 8)));
            check_damaged(&w, copy, false);
        }
    }
    world_fini(&w);
}

static void test_cut_files(void **s)
{
    struct world w;
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    arena_init(&a, 0);
    make_store(&w);
    sim_files(w.sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        assert_true(sim_get(w.sim, paths[i], &a, &content));
        for (uint64_t size = 0; size<content.n; size += content.n> 4096 ? 256 : 16) {
            struct sim *copy = sim_clone(w.sim);
            assert_true(sim_cut_file(copy, paths[i], size));
            /* The end of the newest WAL segment, cut, is what a crash leaves: not told. */
            check_damaged(&w, copy, str_ends(paths[i], STR(".wal")));
        }
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_power_cut_after_recovery),
        cmocka_unit_test(test_error_at_every_call),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failed_batch_stays_away),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
