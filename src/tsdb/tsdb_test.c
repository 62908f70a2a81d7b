// SPDX-License-Identifier: Apache-2.0
/* The engine against a naive model: random batches, restarts, flushes, merges, late blobs. */
#include "tsdb/test_model.h"

#include "store/blob.h"

static struct blob *late(void *arg, struct blob *b)
{
    return blob_late(b, 7);
}

static struct tsdb_options options(struct env *env)
{
    return (struct tsdb_options){.env = env,
                                 .stepped = true,
                                 .shards = 4,
                                 .segment_bytes = 16 << 10,
                                 .cache_bytes_max = 256 << 10};
}

static struct tsdb *open_db(const struct tsdb_options *o, struct tsdb_recovery *report)
{
    struct err err = {0};
    struct tsdb *db = tsdb_open(o, report, &err);
    if (!db)
        fail_msg("open: %s", err.msg);
    return db;
}

/* One random life of a store; `flushes` false: results can be compared exactly. */
static void live(uint64_t seed, bool flushes, bool is_late)
{
    struct sim *sim = sim_new(seed);
    struct env env = sim_env(sim);
    struct model m;
    struct rng r = {seed};
    struct tsdb_options o = options(&env);
    struct tsdb_recovery report;
    struct err err = {0};
    if (is_late)
        o.wrap_blob = late;
    model_init(&m);
    struct tsdb *db = open_db(&o, &report);
    ts_ms now = 1700000000000;
    for (int i = 0; i < 250; i++) {
        struct batch_result expected = {0};
        struct batch *b = model_batch(&m, &r, now);
        model_apply(&m, b, (uint64_t)i, &expected);
        struct outcome out = write_batch(db, b);
        assert_true(out.ok);
        if (!flushes) {
            assert_int_equal(out.result.stored, expected.stored);
            assert_int_equal(out.result.duplicate, expected.duplicate);
            assert_int_equal(out.result.conflicting, expected.conflicting);
        }
        now += rng_next(&r) % 3 ? 15000 : 0;
        switch (rng_next(&r) % 24) {
        case 0:
            tsdb_close(db);
            sim_process_ended(sim);
            db = open_db(&o, &report);
            assert_int_equal(report.wal_damaged + report.orphan_samples + report.parts_quarantined +
                                 report.parts_adopted,
                             0);
            break;
        case 1:
        case 2:
            assert_true(!flushes || tsdb_flush(db, &err));
            break;
        case 3:
            tsdb_tick(db, &err);
            assert_int_equal(err.kind, ERR_NONE);
            break;
        case 4:
            model_compare(&m, tsdb_source(db), &r, 2);
            break;
        }
    }
    model_compare(&m, tsdb_source(db), &r, 20);
    while (tsdb_tick(db, &err))
        ;
    assert_int_equal(err.kind, ERR_NONE);
    model_compare(&m, tsdb_source(db), &r, 20);
    tsdb_close(db);
    sim_free(sim);
    model_fini(&m);
}

static void test_against_model(void **s)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        live(seed, true, false);
}

static void test_results_against_model(void **s)
{
    for (uint64_t seed = 100; seed < 106; seed++)
        live(seed, false, false);
}

static void test_late_blobs(void **s)
{
    live(200, true, true);
    live(201, true, true);
}

/* ---- one thing each ---- */

struct store {
    struct sim *sim;
    struct env env;
    struct tsdb_options o;
    struct tsdb *db;
    struct tsdb_recovery report;
    struct arena arena;
};

static void store_open(struct store *s)
{
    s->db = open_db(&s->o, &s->report);
}

static void store_init(struct store *s, uint64_t seed)
{
    *s = (struct store){.sim = sim_new(seed)};
    s->env = sim_env(s->sim);
    s->o = options(&s->env);
    arena_init(&s->arena, 0);
}

static void store_close(struct store *s)
{
    tsdb_close(s->db);
    sim_process_ended(s->sim);
    s->db = NULL;
}

static void store_fini(struct store *s)
{
    if (s->db)
        store_close(s);
    sim_free(s->sim);
    arena_fini(&s->arena);
}

static struct labels named(struct arena *a, int i)
{
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){LABEL_NAME, STR("m")};
    at[1] = (struct label){STR("i"), arena_printf(a, "%d", i)};
    return (struct labels){at, 2};
}

/* One sample to each of the series [from, from + n). */
static struct outcome put(struct store *s, int from, int n, ts_ms t, double v)
{
    struct batch *b = batch_new();
    b->series = arena_array(&b->arena, struct batch_series, n);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    b->series_n = b->samples_n = (size_t)n;
    for (int i = 0; i < n; i++) {
        struct labels ls = named(&b->arena, from + i);
        b->series[i] = (struct batch_series){ls, labels_hash(ls), (uint32_t)i, 1};
        b->t[i] = t;
        b->v[i] = v;
    }
    return write_batch(s->db, b);
}

static size_t count_samples(struct store *s, int i)
{
    arena_reset(&s->arena);
    return read_series(tsdb_source(s->db), named(&s->arena, i), &s->arena).n;
}

static void test_budget_refuses_new_series_only(void **state)
{
    struct store s;
    store_init(&s, 1);
    s.o.memory_bytes_max = 200 << 10;
    store_open(&s);
    struct outcome out = put(&s, 0, 100, 1000, 1);
    assert_int_equal(out.result.stored, 100);
    out = put(&s, 0, 2000, 2000, 1);
    assert_true(out.ok && out.result.refused > 0);
    assert_int_equal(out.result.first.kind, ERR_LIMIT);
    assert_int_equal(out.result.stored + out.result.refused, 2000);
    out = put(&s, 0, 100, 3000, 1);
    assert_int_equal(out.result.stored, 100);
    assert_int_equal(count_samples(&s, 50), 3);
    assert_int_equal(count_samples(&s, 1999), 0);
    store_fini(&s);
}

/* Replay of more than the budget holds flushes on its way. */
static void test_replay_within_budget(void **state)
{
    struct store s;
    store_init(&s, 1);
    store_open(&s);
    for (int i = 0; i < 200; i++)
        put(&s, 0, 100, 1000 + i * 1000, i * 1.1);
    store_close(&s);
    s.o.memory_bytes_max = 100 << 10;
    store_open(&s);
    assert_int_equal(s.report.wal_samples, 20000);
    struct tsdb_stats st;
    tsdb_stats(s.db, &st);
    assert_true(st.parts > 0);
    for (int i = 0; i < 100; i += 9)
        assert_int_equal(count_samples(&s, i), 200);
    store_fini(&s);
}

static void test_retention(void **state)
{
    enum { HOUR = 3600 * 1000 };
    struct store s;
    struct err err = {0};
    struct tsdb_stats st;
    store_init(&s, 1);
    s.o.retention_ms = 10 * HOUR;
    store_open(&s);
    ts_ms now = 1767225600000; /* the simulation's clock */
    for (int h = 0; h < 40; h++) {
        assert_int_equal(put(&s, 0, 3, now + h * HOUR, h).result.stored, 3);
        sim_advance_ms(s.sim, HOUR);
        if (h % 2)
            assert_true(tsdb_flush(s.db, &err));
        while (tsdb_tick(s.db, &err))
            ;
        assert_int_equal(err.kind, ERR_NONE);
    }
    tsdb_stats(s.db, &st);
    assert_true(st.parts < 10 && st.all_min_t >= now + 20 * HOUR);
    assert_int_equal(count_samples(&s, 1), 11);
    struct outcome out = put(&s, 0, 3, now, 1);
    assert_true(out.ok && out.result.out_of_bounds == 3 && out.result.first.kind == ERR_INVALID);
    /* A clock that jumps ten years must not delete anything. */
    sim_set_wall_ms(s.sim, now + 10LL * 365 * 24 * HOUR);
    while (tsdb_tick(s.db, &err))
        ;
    assert_int_equal(count_samples(&s, 1), 11);
    store_fini(&s);
}

static void assert_metadata(struct store *s, enum metric_type type, str help)
{
    struct metadata *m;
    size_t n;
    struct err err;
    struct source *src = tsdb_source(s->db);
    assert_true(src->ops->metadata(src, STR("m"), 0, &s->arena, &m, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(m[0].type, type);
    assert_str(m[0].help, help);
}

static void put_metadata(struct store *s, enum metric_type type, str help)
{
    struct batch *b = batch_new();
    struct metadata m = {STR("m"), type, STR("u"), help};
    b->metadata = arena_array(&b->arena, struct metadata, 1);
    b->metadata[0] = m;
    b->metadata_n = 1;
    assert_true(write_batch(s->db, b).ok);
}

static void test_metadata_is_durable(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 1);
    store_open(&s);
    put_metadata(&s, METRIC_GAUGE, STR("first"));
    put_metadata(&s, METRIC_COUNTER, STR("second"));
    for (int i = 0; i < 3; i++) {
        assert_metadata(&s, METRIC_COUNTER, STR("second"));
        if (i == 1)
            assert_true(tsdb_flush(s.db, &err));
        store_close(&s);
        store_open(&s);
    }
    struct source *src = tsdb_source(s.db);
    struct metadata *rows;
    size_t n;
    assert_true(src->ops->metadata_history(src, STR("m"), &s.arena, &rows, &n, &err));
    assert_int_equal(n, 2);
    assert_true(rows[0].type == METRIC_COUNTER && rows[1].type == METRIC_GAUGE);
    assert_true(str_eqz(rows[1].help, "first") && rows[1].since > 0);
    assert_true(rows[0].since >= rows[1].since);
    struct tsdb_stats before, after;
    tsdb_stats(s.db, &before);
    put_metadata(&s, METRIC_COUNTER, STR("second")); /* known: writes nothing */
    tsdb_stats(s.db, &after);
    assert_int_equal(before.wal_commits, after.wal_commits);
    store_fini(&s);
}

static void test_flush_by_age_and_silent_series_leave(void **state)
{
    struct store s;
    struct err err = {0};
    struct tsdb_stats st;
    store_init(&s, 1);
    s.o.flush_age_ms = 60000;
    store_open(&s);
    put(&s, 0, 10, 1000, 1);
    assert_false(tsdb_tick(s.db, &err));
    sim_advance_ms(s.sim, 60000);
    assert_true(tsdb_tick(s.db, &err));
    tsdb_stats(s.db, &st);
    assert_true(st.parts == 1 && st.head_samples == 0 && st.series == 10 && st.chunks == 0);
    /* Known although it is in a part only. */
    assert_int_equal(put(&s, 0, 1, 1000, 1).result.duplicate, 1);
    assert_int_equal(put(&s, 0, 1, 1000, 2).result.conflicting, 1);
    for (int i = 0; i < 4; i++) {
        put(&s, 0, 5, 2000 + i, 1);
        assert_true(tsdb_flush(s.db, &err));
    }
    tsdb_stats(s.db, &st);
    assert_int_equal(st.series, 5);
    for (int i = 0; i < 10; i++)
        assert_int_equal(count_samples(&s, i), i < 5 ? 5 : 1);
    /* Of equal times in two parts the first stays. */
    put(&s, 9, 1, 1000, 7);
    assert_true(tsdb_flush(s.db, &err));
    while (tsdb_tick(s.db, &err))
        ;
    arena_reset(&s.arena);
    struct columns c = read_series(tsdb_source(s.db), named(&s.arena, 9), &s.arena);
    assert_true(c.n == 1 && c.v[0] == 1);
    store_fini(&s);
}

static void test_limits_of_a_query(void **state)
{
    struct store s;
    struct err err = {0};
    struct budget b = {.samples_max = 25};
    struct select_hints h = {.start = 0, .end = INT64_MAX, .limit = 4};
    struct columns c;
    store_init(&s, 1);
    store_open(&s);
    for (int i = 0; i < 10; i++)
        put(&s, 0, 6, 1000 + i, i);
    struct source *src = tsdb_source(s.db);
    struct selection *sel = src->ops->select(src, NULL, 0, &h, &b, &err);
    assert_int_equal(src->ops->size(sel), 4);
    assert_true(source_read(src->ops, sel, 0, 0, INT64_MAX, &s.arena, &c, &err));
    assert_true(source_read(src->ops, sel, 1, 0, INT64_MAX, &s.arena, &c, &err));
    assert_false(source_read(src->ops, sel, 2, 0, INT64_MAX, &s.arena, &c, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    src->ops->release(sel);
    budget_end(&b, BUDGET_GONE);
    assert_null(src->ops->select(src, NULL, 0, &h, &b, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    store_fini(&s);
}

static void test_fast_mode(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 1);
    s.o.durability = TSDB_FAST;
    store_open(&s);
    put(&s, 0, 5, 1000, 1);
    uint64_t syncs = sim_stats(s.sim).calls[SIM_SYNC];
    assert_true(put(&s, 0, 5, 2000, 1).ok);
    assert_int_equal(sim_stats(s.sim).calls[SIM_SYNC], syncs);
    tsdb_tick(s.db, &err);
    tsdb_step(s.db);
    assert_int_equal(sim_stats(s.sim).calls[SIM_SYNC], syncs + 1);
    /* A late sync that fails cannot be told to anybody: the head is saved by a part instead. */
    assert_true(put(&s, 0, 5, 3000, 1).ok);
    sim_fault(s.sim, (struct sim_fault){.calls = SIM_BIT(SIM_SYNC), .nth = 1});
    tsdb_tick(s.db, &err);
    tsdb_step(s.db);
    assert_true(tsdb_tick(s.db, &err));
    struct sim *cut = sim_power_cut(s.sim, 1);
    store_close(&s);
    sim_free(s.sim);
    s.sim = cut;
    s.env = sim_env(cut);
    store_open(&s);
    assert_int_equal(count_samples(&s, 3), 3);
    store_fini(&s);
}

static void test_cardinality(void **state)
{
    struct store s;
    struct tsdb_cardinality c;
    store_init(&s, 1);
    store_open(&s);
    put(&s, 0, 30, 1000, 1);
    tsdb_cardinality(s.db, 2, &s.arena, &c);
    assert_int_equal(c.series_by_metric_n, 1);
    assert_str(c.series_by_metric[0].name, STR("m"));
    assert_int_equal(c.series_by_metric[0].n, 30);
    assert_int_equal(c.values_by_label_n, 2);
    assert_str(c.values_by_label[0].name, STR("i"));
    assert_int_equal(c.values_by_label[0].n, 30);
    assert_str(c.series_by_pair[0].name, STR("__name__=m"));
    assert_int_equal(c.series_by_pair[0].n, 30);
    assert_int_equal(c.series_by_pair_n, 2);
    assert_str(c.series_by_pair[1].name, STR("i=0")); /* of equal ones the first */
    assert_int_equal(c.series_by_pair[1].n, 1);
    assert_str(c.bytes_by_label[1].name, STR("__name__"));
    assert_int_equal(c.bytes_by_label[1].n, 30);
    assert_int_equal(c.bytes_by_label[0].n, 10 + 2 * 20);
    assert_int_equal(c.label_pairs, 31);
    tsdb_cardinality(s.db, 1000, &s.arena, &c);
    assert_int_equal(c.series_by_pair_n, 31);
    assert_str(c.series_by_pair[30].name, STR("i=9"));
    store_fini(&s);
}

/* ---- files of format version 1 ---- */

/* A histogram, k observations in, with a start and an exemplar, for series 3. */
static struct outcome put_histogram(struct store *s, ts_ms t, int k)
{
    static const struct histogram_span spans[] = {{-1, 2}, {1, 1}};
    struct batch *b = batch_new();
    struct histogram *h = arena_new(&b->arena, struct histogram);
    double *counts = arena_array(&b->arena, double, 3);
    struct label *trace = arena_new(&b->arena, struct label);
    counts[0] = k;
    counts[1] = counts[2] = 2 * k;
    *h = (struct histogram){.schema = 3,
                            .count = 5.0 * k,
                            .sum = k / 8.0,
                            .zero_threshold = 0x1p-128,
                            .positive = {spans, counts, 2, 3}};
    *trace = (struct label){STR("trace_id"), arena_printf(&b->arena, "t%d", k)};
    b->series = arena_new(&b->arena, struct batch_series);
    b->series[0] = (struct batch_series){.labels = named(&b->arena, 3), .n = 1};
    b->series[0].hash = labels_hash(b->series[0].labels);
    b->t = arena_new(&b->arena, ts_ms);
    b->t[0] = t;
    b->v = arena_new(&b->arena, double);
    b->h = arena_new(&b->arena, const struct histogram *);
    b->h[0] = h;
    b->start = arena_new(&b->arena, ts_ms);
    b->start[0] = 1699999999000;
    b->exemplars = arena_new(&b->arena, struct batch_exemplar);
    b->exemplars[0] = (struct batch_exemplar){0, {trace, 1}, t, k};
    b->series_n = b->samples_n = b->exemplars_n = 1;
    return write_batch(s->db, b);
}

static void assert_histograms(struct store *s)
{
    struct exemplar_series *x;
    struct err err;
    size_t n;
    struct source *src = tsdb_source(s->db);
    arena_reset(&s->arena);
    struct columns c = read_series(src, named(&s->arena, 3), &s->arena);
    assert_int_equal(c.n, 11);
    for (int k = 0; k < 11; k++) {
        assert_int_equal(c.t[k], 1700000000000 + k * 15000);
        assert_int_equal(c.start[k], 1699999999000);
        assert_true(c.h[k]->schema == 3 && c.h[k]->sum == k / 8.0 && c.h[k]->count == 5.0 * k);
    }
    assert_true(src->ops->exemplars(src, &(struct matcher_set){0}, 1, 0, INT64_MAX, &s->arena, &x,
                                    &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(x[0].n, 11);
    assert_str(x[0].at[10].labels.at[0].value, STR("t10"));
}

/* As they were first written: read for ever. */
static void test_golden(void **state)
{
    static const char *const files[] = {"format", "catalog", "parts/0000000000000001.part",
                                        "wal/0000000000000002.wal"};
    const char *root = getenv("NUNCHI_SOURCE");
    struct store s;
    struct err err = {0};
    if (!root)
        skip();
    store_init(&s, 1);
    arena_reset(&s.arena);
    struct disk *d =
        disk_system_open(arena_printf(&s.arena, "%s/tests/formats/metrics-1", root).p, &err);
    assert_non_null(d);
    for (size_t i = 0; i < TESTS_N(files); i++) {
        struct disk_file *f = d->ops->open(d, str_from_z(files[i]), DISK_READ, &err);
        uint64_t n;
        assert_non_null(f);
        assert_true(d->ops->size(f, &n, &err));
        uint8_t *p = arena_alloc(&s.arena, n);
        assert_true(d->ops->read(f, 0, p, n, &err));
        d->ops->close(f);
        sim_put(s.sim, arena_printf(&s.arena, "metrics/%s", files[i]), bytes_of(p, n));
    }
    disk_system_close(d);
    store_open(&s);
    assert_int_equal(s.report.parts, 1);
    assert_int_equal(s.report.wal_samples, 7);
    assert_int_equal(s.report.wal_damaged + s.report.orphan_samples + s.report.parts_adopted, 0);
    assert_metadata(&s, METRIC_COUNTER, STR("help"));
    for (int i = 0; i < 3; i++) {
        arena_reset(&s.arena);
        struct columns c = read_series(tsdb_source(s.db), named(&s.arena, i), &s.arena);
        assert_int_equal(c.n, 102);
        for (int k = 0; k < 100; k++)
            assert_true(c.t[k] == 1700000000000 + k * 15000 && c.v[k] == (double)k / 4);
        assert_true(is_stale_nan(c.v[101]) && c.v[100] == 1.0 / 3);
    }
    assert_histograms(&s);
    store_fini(&s);
}

/* With NUNCHI_GOLDEN_OUT set, writes the files that test_golden reads into that directory. */
static void make_golden(const char *dir)
{
    struct store s;
    struct err err = {0};
    str *paths;
    size_t n;
    store_init(&s, 1);
    store_open(&s);
    put_metadata(&s, METRIC_COUNTER, STR("help"));
    for (int i = 0; i < 100; i++)
        put(&s, 0, 3, 1700000000000 + i * 15000, (double)i / 4);
    for (int i = 0; i < 10; i++)
        put_histogram(&s, 1700000000000 + i * 15000, i);
    assert_true(tsdb_flush(s.db, &err));
    put_histogram(&s, 1700000150000, 10);
    put(&s, 0, 3, 1700001500000, 1.0 / 3);
    put(&s, 0, 3, 1700001515000, stale_nan());
    struct tsdb_stats st;
    tsdb_stats(s.db, &st);
    store_close(&s);
    struct disk *d = disk_system_open(dir, &err);
    assert_non_null(d);
    sim_files(s.sim, &s.arena, &paths, &n);
    d->ops->mkdir(d, STR("parts"), &err);
    d->ops->mkdir(d, STR("wal"), &err);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        sim_get(s.sim, paths[i], &s.arena, &content);
        str name = str_sub(paths[i], strlen("metrics/"), paths[i].n);
        struct disk_file *f = d->ops->open(d, name, DISK_WRITE | DISK_CREATE, &err);
        struct disk_iov iov = {content.p, content.n};
        assert_true(f && d->ops->write(f, 0, &iov, 1, &err));
        d->ops->close(f);
    }
    disk_system_close(d);
    store_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_results_against_model),
        cmocka_unit_test(test_late_blobs),
        cmocka_unit_test(test_budget_refuses_new_series_only),
        cmocka_unit_test(test_replay_within_budget),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_metadata_is_durable),
        cmocka_unit_test(test_flush_by_age_and_silent_series_leave),
        cmocka_unit_test(test_limits_of_a_query),
        cmocka_unit_test(test_fast_mode),
        cmocka_unit_test(test_cardinality),
        cmocka_unit_test(test_golden),
    };
    if (getenv("NUNCHI_GOLDEN_OUT"))
        make_golden(getenv("NUNCHI_GOLDEN_OUT"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
