// SPDX-License-Identifier: Apache-2.0
/* Bulk import: what comes in, in which order it counts, and that it is all or nothing. */
#include "tsdb/import.h"

#include "tsdb/test_model.h"

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
    struct err err = {0};
    s->env = sim_env(s->sim);
    s->o = (struct tsdb_options){.env = &s->env, .stepped = true, .shards = 2};
    s->db = tsdb_open(&s->o, &s->report, &err);
    if (!s->db)
        fail_msg("open: %s", err.msg);
}

static void store_reopen(struct store *s)
{
    tsdb_close(s->db);
    sim_process_ended(s->sim);
    store_open(s);
}

static void store_init(struct store *s)
{
    *s = (struct store){.sim = sim_new(3)};
    arena_init(&s->arena, 0);
    store_open(s);
}

static void store_fini(struct store *s)
{
    tsdb_close(s->db);
    sim_free(s->sim);
    arena_fini(&s->arena);
}

static struct labels label_set(struct store *s, const char *name, int i)
{
    struct label *at = arena_array(&s->arena, struct label, 2);
    at[0] = (struct label){LABEL_NAME, str_from_z(name)};
    at[1] = (struct label){STR("i"), arena_printf(&s->arena, "%03d", i)};
    return (struct labels){at, 2};
}

enum { SAMPLES = 5000, SERIES = 20 };

/* Sample k of series i, at k seconds. */
static bool put_series(struct store *s, struct tsdb_import *im, int i, double add, struct err *err)
{
    ts_ms *t = arena_array(&s->arena, ts_ms, SAMPLES);
    double *v = arena_array(&s->arena, double, SAMPLES);
    for (int k = 0; k < SAMPLES; k++) {
        t[k] = k * 1000LL;
        v[k] = i + k * 0.5 + add;
    }
    struct columns c = {.n = SAMPLES, .t = t, .v = v};
    return tsdb_import_series(im, label_set(s, "m", i), &c, err);
}

static bool put_part(struct store *s, struct tsdb_import *im, double add, struct err *err)
{
    bool ok = tsdb_import_part(im, err);
    for (int i = 0; ok && i < SERIES; i++)
        ok = put_series(s, im, i, add, err);
    return ok;
}

/* The series as it is in the store has `n` samples, that of second k being i + k / 2 + add. */
static void check_series(struct store *s, int i, size_t n, double add)
{
    struct columns c = read_series(tsdb_source(s->db), label_set(s, "m", i), &s->arena);
    assert_int_equal(c.n, n);
    for (size_t k = 0; k < c.n; k++)
        assert_true(c.t[k] == (ts_ms)k * 1000 && c.v[k] == i + (double)k * 0.5 + add);
}

static void write_one(struct store *s, double v)
{
    struct batch *b = batch_new();
    b->series = arena_array(&b->arena, struct batch_series, 1);
    b->t = arena_array(&b->arena, ts_ms, 1);
    b->v = arena_array(&b->arena, double, 1);
    struct labels ls = labels_dup(&b->arena, label_set(s, "m", 0));
    b->series[0] = (struct batch_series){ls, labels_hash(ls), 0, 1};
    b->v[0] = v;
    b->series_n = b->samples_n = 1;
    assert_true(write_batch(s->db, b).ok);
}

static void test_import(void **state)
{
    struct store s;
    struct err err = {0};
    struct metadata m = {STR("m"), METRIC_GAUGE, STR(""), STR("what it is")}, *found;
    size_t n;
    store_init(&s);
    struct tsdb_import *im = tsdb_import_begin(s.db, &err);
    tsdb_import_metadata(im, &m);
    /* The first part wins where both have a sample. */
    assert_true(put_part(&s, im, 0, &err) && put_part(&s, im, 1000, &err));
    check_series(&s, 0, 0, 0);
    assert_true(tsdb_import_commit(im, &err));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SERIES; i++)
            check_series(&s, i, SAMPLES, 0);
        struct source *src = tsdb_source(s.db);
        assert_true(src->ops->metadata(src, STR("m"), 0, &s.arena, &found, &n, &err));
        assert_int_equal(n, 1);
        assert_str(found->help, STR("what it is"));
        store_reopen(&s);
        assert_int_equal(s.report.parts, 2);
        assert_int_equal(s.report.parts_adopted + s.report.parts_quarantined, 0);
    }
    /* Later writes, flushes and merges go on. */
    write_one(&s, 77);
    assert_true(tsdb_flush(s.db, &err));
    while (tsdb_tick(s.db, &err))
        ;
    assert_int_equal(err.kind, ERR_NONE);
    check_series(&s, 0, SAMPLES, 0);
    store_fini(&s);
}

static void test_older_samples_win(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s);
    write_one(&s, 77);
    struct tsdb_import *im = tsdb_import_begin(s.db, &err);
    assert_true(put_part(&s, im, 0, &err) && tsdb_import_commit(im, &err));
    for (int round = 0; round < 2; round++) {
        struct columns c = read_series(tsdb_source(s.db), label_set(&s, "m", 0), &s.arena);
        assert_int_equal(c.n, SAMPLES);
        assert_true(c.v[0] == 77 && c.v[1] == 0.5);
        store_reopen(&s);
    }
    store_fini(&s);
}

static void test_refused(void **state)
{
    struct store s;
    struct err err = {0};
    ts_ms t[] = {1, 1}, far[] = {INT64_MAX};
    double v[] = {0, 0};
    struct columns twice = {.n = 2, .t = t, .v = v}, insane = {.n = 1, .t = far, .v = v};
    store_init(&s);
    struct tsdb_import *im = tsdb_import_begin(s.db, &err);
    assert_true(tsdb_import_part(im, &err) && put_series(&s, im, 4, 0, &err));
    assert_false(put_series(&s, im, 4, 0, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(put_series(&s, im, 3, 0, &err));
    assert_false(tsdb_import_series(im, label_set(&s, "n", 0), &twice, &err));
    assert_false(tsdb_import_series(im, label_set(&s, "n", 0), &insane, &err));
    tsdb_import_abort(im);
    store_reopen(&s);
    assert_int_equal(s.report.parts, 0);
    store_fini(&s);
}

/* Whatever call fails, and wherever the power goes: all or nothing is there afterwards. */
static void test_all_or_nothing(void **state)
{
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        struct store s;
        struct err err = {0};
        store_init(&s);
        sim_fault(s.sim, (struct sim_fault){.nth = nth});
        struct tsdb_import *im = tsdb_import_begin(s.db, &err);
        bool ok = im && put_part(&s, im, 0, &err) && put_part(&s, im, 1000, &err);
        if (im && !ok)
            tsdb_import_abort(im);
        ok = ok && tsdb_import_commit(im, &err);
        fired = sim_fault_fired(s.sim) > 0;
        sim_fault_clear(s.sim);
        struct sim *after = sim_power_cut(s.sim, nth);
        store_reopen(&s);
        check_series(&s, 7, ok ? SAMPLES : 0, 0);
        tsdb_close(s.db);
        sim_free(s.sim);
        s.sim = after;
        store_open(&s);
        check_series(&s, 7, ok ? SAMPLES : 0, 0);
        store_fini(&s);
        assert_true(ok || fired);
    }
}

static void test_cut_half_way(void **state)
{
    for (uint64_t outcome = 0; outcome < 20; outcome++) {
        struct store s;
        struct err err = {0};
        store_init(&s);
        struct tsdb_import *im = tsdb_import_begin(s.db, &err);
        assert_true(put_part(&s, im, 0, &err) && put_part(&s, im, 1000, &err));
        struct sim *after = sim_power_cut(s.sim, outcome);
        tsdb_import_abort(im);
        tsdb_close(s.db);
        sim_free(s.sim);
        s.sim = after;
        store_open(&s);
        assert_int_equal(s.report.parts, 0);
        check_series(&s, 7, 0, 0);
        store_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import),       cmocka_unit_test(test_older_samples_win),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_cut_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
