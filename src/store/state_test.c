// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/state.h"
#include "sys/sim/sim.h"
#include "sys/test_dir.h"

static const char *const steps[] = {
    "CREATE TABLE kv(k INTEGER PRIMARY KEY, v TEXT NOT NULL CHECK(v <> 'bad'))",
    "ALTER TABLE kv ADD COLUMN extra BLOB; CREATE UNIQUE INDEX kv_v ON kv(v)",
};
static const struct state_module module_old = {"test", steps, 1};
static const struct state_module module = {"test", steps, 2};

static struct state *open_with(const struct env *env, const struct state_module *m, bool replace,
                               struct err *err)
{
    struct state_options o = {
        .dir = STR("state"), .modules = m, .modules_n = 1, .replace_damaged = replace};
    return state_open(env, &o, err);
}

static struct state *must_open(const struct env *env)
{
    struct err err = {0};
    struct state *s = open_with(env, &module, false, &err);
    if (!s)
        fail_msg("%s", err.msg);
    return s;
}

static bool put(struct state *s, int64_t k, const char *v, struct err *err)
{
    if (!state_begin(s, err))
        return false;
    struct state_query *q = state_query(s, "INSERT INTO kv(k, v) VALUES(?1, ?2)", err);
    if (!q || !state_bind_i64(q, 1, k) || !state_bind_str(q, 2, str_from_z(v)) ||
        !state_run(q, err))
        return state_rollback(s);
    return state_commit(s, err);
}

static bool put_number(struct state *s, int64_t k, struct err *err)
{
    char v[1500];
    snprintf(v, sizeof v, "%01400lld", (long long)k);
    return put(s, k, v, err);
}

/* Keys 1..n without a hole; -1 when there is one. */
static int64_t count(struct state *s)
{
    struct err err = {0};
    if (!state_begin(s, &err))
        fail_msg("%s", err.msg);
    struct state_query *q = state_query(s, "SELECT count(*), coalesce(max(k), 0) FROM kv", &err);
    if (!q || state_step(q, &err) != STATE_ROW)
        fail_msg("%s", err.msg);
    int64_t n = state_i64(q, 0), max = state_i64(q, 1);
    assert_true(state_commit(s, &err));
    return n == max ? n : -1;
}

static void verbs(const struct env *env)
{
    struct err err = {0};
    struct state *s = must_open(env);
    assert_false(state_replaced(s, NULL));
    assert_true(put(s, 1, "one", &err));
    assert_false(put(s, 1, "again", &err));
    assert_int_equal(err.kind, ERR_EXISTS);
    assert_false(put(s, 2, "one", &err));
    assert_int_equal(err.kind, ERR_EXISTS);
    assert_false(put(s, 2, "bad", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(state_begin(s, &err));
    struct state_query *q =
        state_query(s, "UPDATE kv SET extra = ?1 WHERE k = 1 RETURNING k, v, extra, 0.5", &err);
    assert_non_null(q);
    state_bind_blob(q, 1, bytes_of("a\0b", 3));
    assert_int_equal(state_step(q, &err), STATE_ROW);
    assert_int_equal(state_i64(q, 0), 1);
    assert_true(str_eqz(state_str(q, 1), "one"));
    assert_int_equal(state_blob(q, 2).n, 3);
    assert_true(state_f64(q, 3) == 0.5);
    assert_int_equal(state_step(q, &err), STATE_DONE);
    assert_int_equal(state_changes(s), 1);
    assert_true(state_commit(s, &err));
    assert_true(state_begin(s, &err));
    assert_true(state_exec(s, "DELETE FROM kv", &err));
    assert_false(state_rollback(s));
    assert_true(state_begin(s, &err));
    assert_null(state_query(s, "SELECT nothing FROM kv", &err));
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_false(state_rollback(s));
    state_close(s);
    s = must_open(env);
    assert_int_equal(count(s), 1);
    state_close(s);
}

static void on_disk(void **state)
{
    char *dir = test_dir_new();
    struct err err = {0};
    struct disk *d = disk_system_open(dir, &err);
    assert_non_null(d);
    struct env env = {clock_system(), d, entropy_system()};
    verbs(&env);
    disk_system_close(d);
    test_dir_free(dir);
}

static void simulated(void **state)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    verbs(&env);
    sim_free(sim);
}

static void migrations(void **state)
{
    struct sim *sim = sim_new(2);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = open_with(&env, &module_old, false, &err);
    assert_non_null(s);
    assert_true(put(s, 1, "kept", &err));
    state_close(s);
    s = must_open(&env);
    assert_int_equal(count(s), 1);
    state_close(s);
    assert_null(open_with(&env, &module_old, false, &err));
    assert_non_null(strstr(err.msg, "written by a newer one"));
    const char *const broken[] = {steps[0], steps[1], "CREATE TABLE broken("};
    const struct state_module bad = {"test", broken, 3};
    assert_null(open_with(&env, &bad, false, &err));
    assert_non_null(strstr(err.msg, "migration 3 of \"test\""));
    s = must_open(&env);
    assert_int_equal(count(s), 1);
    state_close(s);
    sim_free(sim);
}

/* Cut the power after any number of commits: all of them are there, and nothing else. */
static void power_cut(void **state)
{
    struct sim *sim = sim_new(3);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = must_open(&env);
    for (int64_t k = 1; k <= 40; k++) {
        assert_true(put_number(s, k, &err));
        for (uint64_t outcome = 0; outcome < 12; outcome++) {
            struct sim *after = sim_power_cut(sim, outcome);
            struct env again = sim_env(after);
            struct state *found = must_open(&again);
            assert_int_equal(count(found), k);
            state_close(found);
            sim_free(after);
        }
    }
    state_close(s);
    sim_free(sim);
}

/* Opens and commits `want` times; returns how many commits were acknowledged. */
static int64_t work(const struct env *env, int64_t want, enum err_kind *kind)
{
    struct err err = {0};
    struct state *s = open_with(env, &module, false, &err);
    int64_t done = 0;
    while (s && done < want && put_number(s, done + 1, &err))
        done++;
    *kind = err.kind;
    state_close(s);
    return done;
}

/* The N-th call fails or loses the power, for every N until nothing fails any more. */
static void every_call(enum sim_fault_kind fault, uint64_t times)
{
    enum { WANT = 12 };
    for (uint64_t n = 1;; n++) {
        struct sim *sim = sim_new(n);
        struct env env = sim_env(sim);
        sim_fault(sim, (struct sim_fault){.kind = fault, .nth = n, .times = times});
        enum err_kind kind;
        int64_t done = work(&env, WANT, &kind);
        bool fired = sim_fault_fired(sim) > 0;
        if (done < WANT && kind != ERR_IO && kind != ERR_NO_SPACE)
            fail_msg("call %llu: kind %d", (unsigned long long)n, kind);
        sim_fault_clear(sim);
        for (uint64_t outcome = 0; outcome < 6; outcome++) {
            struct sim *after = sim_power_cut(sim, outcome);
            struct env again = sim_env(after);
            struct state *s = must_open(&again);
            int64_t found = count(s);
            /* One that was not acknowledged may be there as a whole. */
            if (found != done && found != done + 1)
                fail_msg("call %llu, outcome %llu: %lld of %lld", (unsigned long long)n,
                         (unsigned long long)outcome, (long long)found, (long long)done);
            state_close(s);
            sim_free(after);
        }
        sim_free(sim);
        if (!fired) {
            assert_true(n > 50); /* the work makes that many calls */
            return;
        }
    }
}

static void io_errors(void **state)
{
    every_call(SIM_IO_ERROR, 1);
    every_call(SIM_IO_ERROR, UINT64_MAX);
}

static void no_space(void **state)
{
    every_call(SIM_NO_SPACE, 1);
    every_call(SIM_NO_SPACE, UINT64_MAX);
}

static void power_loss(void **state)
{
    every_call(SIM_POWER_LOSS, 1);
}

/* A full disk: commits fail, reads go on, and with room again commits succeed without reopening. */
static void full_disk(void **state)
{
    struct sim *sim = sim_new(5);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = must_open(&env);
    assert_true(put_number(s, 1, &err));
    sim_set_capacity(sim, sim_used(sim) + 2000);
    assert_false(put_number(s, 2, &err));
    assert_int_equal(err.kind, ERR_NO_SPACE);
    assert_int_equal(count(s), 1);
    sim_set_capacity(sim, 1 << 30);
    err = (struct err){0};
    if (!put_number(s, 2, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(count(s), 2);
    state_close(s);
    sim_free(sim);
}

static void sync_failed(void **state)
{
    struct sim *sim = sim_new(6);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = must_open(&env);
    assert_true(put_number(s, 1, &err));
    sim_fault(sim, (struct sim_fault){.kind = SIM_IO_ERROR, .calls = SIM_BIT(SIM_SYNC), .nth = 1});
    assert_false(put_number(s, 2, &err));
    assert_int_equal(sim_fault_fired(sim), 1);
    assert_false(put_number(s, 2, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_int_equal(count(s), 1);
    state_close(s);
    s = must_open(&env);
    int64_t n = count(s);
    assert_true(n == 1 || n == 2);
    assert_true(put_number(s, n + 1, &err));
    for (uint64_t outcome = 0; outcome < 200; outcome++) {
        struct sim *after = sim_power_cut(sim, outcome);
        struct env again = sim_env(after);
        struct state *found = must_open(&again);
        assert_int_equal(count(found), n + 1);
        state_close(found);
        sim_free(after);
    }
    state_close(s);
    sim_free(sim);
}

static void damaged(void **state)
{
    struct sim *sim = sim_new(7);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = must_open(&env);
    for (int64_t k = 1; k <= 20; k++)
        assert_true(put_number(s, k, &err));
    state_close(s);
    assert_true(sim_cut_file(sim, STR("state/state.db"), 9000));
    assert_null(open_with(&env, &module, false, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    bytes content;
    assert_true(sim_get(sim, STR("state/state.db"), &a, &content));
    s = open_with(&env, &module, true, &err);
    assert_non_null(s);
    struct err why = {0};
    assert_true(state_replaced(s, &why));
    assert_int_equal(why.kind, ERR_CORRUPT);
    assert_int_equal(count(s), 0);
    assert_true(put_number(s, 1, &err));
    state_close(s);
    assert_true(sim_get(sim, STR("state/quarantine/state.db"), &a, &content));
    assert_int_equal(content.n, 9000);
    assert_true(sim_get(sim, STR("state/quarantine/state.db.reason"), &a, &content));
    s = open_with(&env, &module, true, &err);
    assert_false(state_replaced(s, NULL));
    assert_int_equal(count(s), 1);
    state_close(s);
    sim_put(sim, STR("state/state.db"), bytes_from_str(STR("this is not a database at all......")));
    assert_null(open_with(&env, &module, false, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    sim_free(sim);
}

static void long_values(void **state)
{
    struct sim *sim = sim_new(8);
    struct env env = sim_env(sim);
    struct err err = {0};
    struct state *s = must_open(&env);
    size_t n = (16 << 20) + 1;
    char *big = calloc(n, 1);
    assert_true(state_begin(s, &err));
    struct state_query *q = state_query(s, "INSERT INTO kv(k, v) VALUES(1, ?1)", &err);
    assert_non_null(q);
    state_bind_str(q, 1, str_of(big, n));
    assert_false(state_run(q, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_false(state_rollback(s));
    free(big);
    assert_true(put(s, 1, "short", &err));
    state_close(s);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_disk),    cmocka_unit_test(simulated),   cmocka_unit_test(migrations),
        cmocka_unit_test(power_cut),  cmocka_unit_test(io_errors),   cmocka_unit_test(no_space),
        cmocka_unit_test(power_loss), cmocka_unit_test(full_disk),   cmocka_unit_test(sync_failed),
        cmocka_unit_test(damaged),    cmocka_unit_test(long_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
