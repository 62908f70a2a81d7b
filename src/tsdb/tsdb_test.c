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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_results_against_model),
        cmocka_unit_test(test_late_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
