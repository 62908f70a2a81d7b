// SPDX-License-Identifier: Apache-2.0
#include "store/wal.h"

#include "base/mem.h"
#include "base/test.h"
#include "base/vec.h"
#include "sys/sim/sim.h"

/* What a log gave back. */
struct got {
    VEC(uint64_t) lsn;
    VEC(int) value;
    VEC(uint64_t) segment;
    size_t doubtful;
};

static bool take(void *arg, const struct wal_record *r, struct err *err)
{
    struct got *g = arg;
    int v;
    assert_true(r->payload.n >= sizeof v && r->type == 3);
    memcpy(&v, r->payload.p, sizeof v);
    for (size_t i = sizeof v; i < r->payload.n; i++)
        assert_int_equal(r->payload.p[i], (uint8_t)v);
    vec_push(&g->lsn, r->lsn);
    vec_push(&g->value, v);
    vec_push(&g->segment, r->segment);
    g->doubtful += r->doubtful;
    return true;
}

static void got_fini(struct got *g)
{
    vec_fini(&g->lsn);
    vec_fini(&g->value);
    vec_fini(&g->segment);
    *g = (struct got){0};
}

static struct wal *open_log(struct env *env, uint64_t from, struct got *g, struct wal_recovery *rec)
{
    struct err err = {0};
    struct wal_options o = {.env = env,
                            .dir = STR("wal"),
                            .quarantine = STR("quarantine"),
                            .segment_bytes = 8192,
                            .queue_bytes = 64 << 10,
                            .stepped = true};
    struct wal *w = wal_open(&o, from, take, g, rec, &err);
    if (!w)
        fail_msg("%s", err.msg);
    return w;
}

struct ack {
    int ok, failed;
    enum err_kind kind;
    uint64_t last;
};

static void acked(void *arg, bool ok, uint64_t lsn, const struct err *err)
{
    struct ack *a = arg;
    assert_true(lsn > a->last);
    a->last = lsn;
    a->ok += ok;
    a->failed += !ok;
    if (!ok)
        a->kind = err->kind;
}

static bool append(struct wal *w, int v, size_t n, struct ack *a, struct err *err)
{
    for (;;) {
        uint8_t *p = mem_alloc(n);
        memset(p, v, n);
        memcpy(p, &v, sizeof v);
        struct wal_append x = {wal_segment(w), 3, p, n, acked, a};
        if (wal_append(w, &x, err))
            return true;
        free(p);
        if (err->kind != ERR_CANCELED)
            return false;
    }
}

static void test_comes_back_in_order(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct wal_stats st;
    int v = 0;
    for (int life = 0; life < 4; life++) {
        struct wal *w = open_log(&env, 0, &g, &rec);
        assert_int_equal(g.lsn.n, v);
        for (int i = 0; i < v; i++)
            assert_true(g.value.at[i] == i && g.lsn.at[i] == (uint64_t)i + 1);
        assert_int_equal(rec.damaged_records + rec.damaged_places + rec.torn_tails, 0);
        got_fini(&g);
        for (int i = 0; i < 60; i++) {
            assert_true(append(w, v++, 4 + (size_t)(i * 37) % 900, &a, &err));
            if (i % 7 == 0)
                wal_step(w);
        }
        wal_step(w);
        assert_int_equal(a.ok, v);
        wal_stats(w, &st);
        assert_true(st.segments > 3 && st.group_records_max >= 3 && st.failures == 0);
        wal_close(w);
    }
    sim_free(sim);
}

/* A record may be larger than a segment, but not than the limit. */
static void test_sizes(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct wal *w = open_log(&env, 0, &g, &rec);
    struct wal_append x = {wal_segment(w), 3, &x, WAL_RECORD_BYTES_MAX + 1, acked, &a};
    assert_false(wal_append(w, &x, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(append(w, 1, 20000, &a, &err));
    assert_true(append(w, 2, 5, &a, &err));
    wal_close(w);
    assert_int_equal(a.ok, 2);
    w = open_log(&env, 0, &g, &rec);
    assert_int_equal(g.value.n, 2);
    wal_close(w);
    got_fini(&g);
    sim_free(sim);
}

static void test_full_queue(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct wal *w = open_log(&env, 0, &g, &rec);
    int n = 0;
    while (append(w, n, 4000, &a, &err))
        n++;
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_in_range(n, 10, 20);
    wal_step(w);
    assert_true(append(w, n, 4000, &a, &err));
    wal_close(w);
    assert_int_equal(a.ok, n + 1);
    sim_free(sim);
}

/* One flipped bit loses one record and says so; everything else comes, also from its segment. */
static void test_one_bad_record(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct wal *w = open_log(&env, 0, &g, &rec);
    for (int i = 0; i < 12; i++)
        assert_true(append(w, i, 500, &a, &err));
    wal_close(w);
    for (uint64_t off = 4096; off < 4096 + 6 * 536; off += 11) {
        struct sim *copy = sim_clone(sim);
        struct env env2 = sim_env(copy);
        assert_true(sim_flip(copy, STR("wal/0000000000000001.wal"), off, off % 8));
        w = open_log(&env2, 0, &g, &rec);
        /* Padding is not covered: a flip there is no damage. */
        assert_true(g.value.n == 11 ? rec.damaged_records == 1 && rec.damaged_places == 1
                                    : g.value.n == 12 && rec.damaged_records == 0);
        wal_close(w);
        sim_free(copy);
        got_fini(&g);
    }
    /* Both copies of the header: records tell their own segment. */
    for (int both = 0; both < 2; both++) {
        struct sim *copy = sim_clone(sim);
        struct env env2 = sim_env(copy);
        for (int k = 0; k <= both; k++)
            sim_flip(copy, STR("wal/0000000000000001.wal"), k ? 2048 + 30 : 30, 1);
        w = open_log(&env2, 0, &g, &rec);
        assert_int_equal(g.value.n, 12);
        wal_close(w);
        sim_free(copy);
        got_fini(&g);
    }
    sim_free(sim);
}

static void test_strange_files(void **s)
{
    static uint8_t zeros[9000], noise[9000];
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct disk_info info;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 31 + i / 7);
    sim_put(sim, STR("wal/0000000000000001.wal"), (bytes){zeros, 0});
    sim_put(sim, STR("wal/0000000000000002.wal"), (bytes){zeros, sizeof zeros});
    sim_put(sim, STR("wal/0000000000000003.wal"), (bytes){noise, sizeof noise});
    sim_put(sim, STR("wal/0000000000000004.wal"), (bytes){noise, 10});
    sim_put(sim, STR("wal/notes.txt"), (bytes){noise, 10});
    struct wal *w = open_log(&env, 0, &g, &rec);
    assert_int_equal(g.value.n, 0);
    assert_int_equal(rec.quarantined, 2);
    assert_true(append(w, 1, 10, &a, &err));
    wal_close(w);
    assert_true(env.disk->ops->stat(env.disk, STR("wal/notes.txt"), &info, &err));
    assert_true(
        env.disk->ops->stat(env.disk, STR("quarantine/0000000000000003.wal.reason"), &info, &err));
    assert_true(env.disk->ops->stat(env.disk, STR("wal/0000000000000005.wal"), &info, &err));
    sim_free(sim);
}

static void test_trim(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct wal_recovery rec;
    struct got g = {0};
    struct ack a = {0};
    struct err err = {0};
    struct wal_stats before, after;
    struct wal *w = open_log(&env, 0, &g, &rec);
    for (int i = 0; i < 40; i++)
        assert_true(append(w, i, 500, &a, &err));
    wal_step(w);
    wal_stats(w, &before);
    assert_true(wal_trim(w, 21, &err));
    wal_stats(w, &after);
    assert_true(after.segments < before.segments);
    wal_roll(w);
    assert_true(append(w, 40, 500, &a, &err));
    wal_step(w);
    assert_true(wal_trim(w, 41, &err));
    wal_stats(w, &after);
    assert_int_equal(after.segments, 1);
    wal_close(w);
    w = open_log(&env, 41, &g, &rec);
    assert_int_equal(g.value.n, 1);
    assert_int_equal(g.lsn.at[0], 41);
    assert_int_equal(rec.damaged_records, 0);
    /* What is covered when the log is closed goes, the newest file too, and lsn go on. */
    assert_true(wal_trim(w, 42, &err));
    wal_close(w);
    g.value.n = g.lsn.n = 0;
    w = open_log(&env, 42, &g, &rec);
    assert_int_equal(rec.segments + rec.records + rec.damaged_records, 0);
    assert_true(append(w, 41, 500, &a, &err));
    wal_step(w);
    wal_stats(w, &after);
    assert_int_equal(after.next_lsn, 43);
    wal_close(w);
    w = open_log(&env, 42, &g, &rec);
    assert_int_equal(g.value.n, 1);
    assert_int_equal(g.lsn.at[0], 42);
    wal_close(w);
    got_fini(&g);
    sim_free(sim);
}

/* An error takes what was not acknowledged of its segment, with the reason, and nothing else. */
static void test_errors(void **s)
{
    static const struct {
        unsigned calls;
        enum sim_fault_kind kind;
        enum err_kind expected;
    } rows[] = {
        {SIM_BIT(SIM_SYNC), SIM_IO_ERROR, ERR_IO},
        {SIM_BIT(SIM_WRITE), SIM_NO_SPACE, ERR_NO_SPACE},
        {SIM_BIT(SIM_ALLOCATE), SIM_NO_SPACE, ERR_NO_SPACE},
        {SIM_BIT(SIM_SYNC_DIR), SIM_IO_ERROR, ERR_IO},
        {SIM_BIT(SIM_OPEN), SIM_IO_ERROR, ERR_IO},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct sim *sim = sim_new(1);
        struct env env = sim_env(sim);
        struct wal_recovery rec;
        struct got g = {0};
        struct ack a = {0};
        struct err err = {0};
        struct wal *w = open_log(&env, 0, &g, &rec);
        assert_true(append(w, 0, 50, &a, &err));
        wal_step(w);
        wal_roll(w);
        sim_fault(sim, (struct sim_fault){.kind = rows[i].kind, .calls = rows[i].calls, .nth = 1});
        for (int v = 1; v < 4; v++)
            assert_true(append(w, v, 50, &a, &err));
        wal_step(w);
        assert_int_equal(a.ok, 1);
        assert_int_equal(a.failed, 3);
        assert_int_equal(a.kind, rows[i].expected);
        assert_true(append(w, 4, 50, &a, &err));
        wal_step(w);
        assert_int_equal(a.ok, 2);
        wal_close(w);
        w = open_log(&env, 0, &g, &rec);
        assert_int_equal(g.value.n, 2);
        assert_true(g.value.at[0] == 0 && g.value.at[1] == 4);
        assert_int_equal(rec.damaged_records, 0);
        wal_close(w);
        got_fini(&g);
        sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_in_order),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_one_bad_record),
        cmocka_unit_test(test_strange_files),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
