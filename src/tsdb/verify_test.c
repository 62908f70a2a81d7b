// SPDX-License-Identifier: Apache-2.0
/* Looking at a store without touching it: verification, and opening it only to read. */
#include "tsdb/verify.h"

#include "base/hash.h"
#include "tsdb/test_model.h"

struct store {
    struct sim *sim;
    struct env env;
    struct tsdb_options o;
    struct tsdb *db;
    struct model m;
    struct rng r;
};

static void work(struct store *s, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct batch_result ignored = {0};
        struct batch *b = model_batch(&s->m, &s->r, 1700000000000 + i * 15000);
        model_apply(&s->m, b, (uint64_t)i, &ignored);
        assert_true(write_batch(s->db, b).ok);
    }
}

/* Two parts and a WAL behind them; still open. */
static void store_init(struct store *s)
{
    struct tsdb_recovery report;
    struct err err = {0};
    *s = (struct store){.sim = sim_new(5), .r = {5}};
    s->env = sim_env(s->sim);
    s->o = (struct tsdb_options){
        .env = &s->env, .stepped = true, .shards = 2, .segment_bytes = 16 << 10};
    model_init(&s->m);
    s->db = tsdb_open(&s->o, &report, &err);
    assert_non_null(s->db);
    for (int i = 0; i < 2; i++) {
        work(s, 30);
        assert_true(tsdb_flush(s->db, &err));
    }
    work(s, 30);
}

static void store_fini(struct store *s)
{
    if (s->db)
        tsdb_close(s->db);
    model_fini(&s->m);
    sim_free(s->sim);
}

/* Names and bytes of everything on the disk, as one number. */
static uint64_t disk_state(struct sim *sim)
{
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    uint64_t h = 0;
    arena_init(&a, 0);
    sim_files(sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        assert_true(sim_get(sim, paths[i], &a, &content));
        h = hash_mix(hash_mix(h, hash_str(paths[i])), hash_bytes(content.p, content.n));
    }
    return h;
}

struct told {
    size_t n;
    char path[256], what[1024];
};

static void note(void *arg, str path, uint64_t off, const char *what)
{
    struct told *t = arg;
    if (t->n++ == 0) {
        snprintf(t->path, sizeof t->path, "%.*s", STR_ARG(path));
        snprintf(t->what, sizeof t->what, "%s", what);
    }
}

static struct verify_report verify(struct sim *sim, struct told *t)
{
    struct env env = sim_env(sim);
    struct verify_report r;
    struct err err = {0};
    uint64_t before = disk_state(sim);
    *t = (struct told){0};
    if (!tsdb_verify(&env, STR(""), note, t, &r, &err)) {
        t->n++;
        snprintf(t->what, sizeof t->what, "%s", err.msg);
    }
    assert_true(disk_state(sim) == before);
    return r;
}

static void test_whole(void **state)
{
    struct store s;
    struct told t;
    store_init(&s);
    struct tsdb_stats stats;
    tsdb_stats(s.db, &stats);
    /* Beside the engine that has it, and after. */
    for (int closed = 0; closed < 2; closed++) {
        struct verify_report r = verify(s.sim, &t);
        assert_string_equal(t.what, "");
        assert_int_equal(r.findings + r.quarantined, 0);
        assert_int_equal(r.parts, 2);
        assert_int_equal(r.samples, stats.part_samples);
        assert_int_equal(r.part_bytes, stats.part_bytes);
        assert_int_equal(r.wal_records, 30);
        if (!closed)
            tsdb_close(s.db);
        s.db = NULL;
    }
    store_fini(&s);
}

static void test_nothing_there(void **state)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct tsdb_options o = {.env = &env, .read_only = true};
    struct tsdb_recovery report;
    struct verify_report r;
    struct err err = {0};
    assert_false(tsdb_verify(&env, STR(""), note, NULL, &r, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_null(tsdb_open(&o, &report, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    sim_free(sim);
}

/* Bytes that no checksum covers and that mean nothing: padding of WAL records, and its zeros. */
static bool is_free(struct sim *sim, str path, uint64_t off)
{
    struct arena a ARENA_CLEANUP;
    bytes content;
    arena_init(&a, 0);
    assert_true(sim_get(sim, path, &a, &content));
    return content.p[off] == 0;
}

static void delete_one(struct store *s)
{
    struct matcher m;
    struct err err = {0};
    const struct label *l = &s->m.labels[0].at[0];
    assert_true(matcher_init(&m, MATCH_EQ, l->name, l->value, &err));
    assert_true(tsdb_delete(s->db, &m, 1, INT64_MIN, INT64_MAX, &err));
    matcher_fini(&m);
}

static void test_damage_is_found(void **state)
{
    struct store s;
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    arena_init(&a, 0);
    store_init(&s);
    delete_one(&s); /* so that there are tombstones */
    work(&s, 20);
    tsdb_close(s.db);
    s.db = NULL;
    sim_files(s.sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        if (str_ends(paths[i], STR("/lock")))
            continue;
        bool is_wal = str_ends(paths[i], STR(".wal"));
        /* The flushes left one segment that parts cover: nobody reads it again. */
        if (is_wal && !str_ends(paths[i - 1], STR(".wal")))
            continue;
        assert_true(sim_get(s.sim, paths[i], &a, &content));
        for (uint64_t off = 0; off<content.n; off += content.n> 4096 ? 61 : 7) {
            struct sim *copy = sim_clone(s.sim);
            struct told t;
            assert_true(sim_flip(copy, paths[i], off, (unsigned)(off % 8)));
            struct verify_report r = verify(copy, &t);
            if (!t.n && !r.wal_torn && !(is_wal && is_free(s.sim, paths[i], off)))
                fail_msg("%.*s, byte %llu: not found", STR_ARG(paths[i]), (unsigned long long)off);
            sim_free(copy);
        }
    }
    store_fini(&s);
}

static void test_missing_files(void **state)
{
    struct store s;
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    struct err err = {0};
    arena_init(&a, 0);
    store_init(&s);
    tsdb_close(s.db);
    s.db = NULL;
    sim_files(s.sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        struct told t;
        if (!str_ends(paths[i], STR(".part")))
            continue;
        struct sim *copy = sim_clone(s.sim);
        struct env env = sim_env(copy);
        assert_true(env.disk->ops->unlink(env.disk, paths[i], &err));
        verify(copy, &t);
        assert_int_equal(t.n, 1);
        assert_str(str_from_z(t.path), paths[i]);
        sim_free(copy);
    }
    store_fini(&s);
}

static void test_read_only(void **state)
{
    struct store s;
    struct tsdb_recovery report;
    struct err err = {0};
    store_init(&s);
    struct tsdb_options o = s.o;
    o.read_only = true;
    for (int closed = 0; closed < 2; closed++) {
        uint64_t before = disk_state(s.sim);
        struct tsdb *db = tsdb_open(&o, &report, &err);
        if (!db)
            fail_msg("%s", err.msg);
        model_compare(&s.m, tsdb_source(db), &s.r, 20);
        struct outcome out = write_batch(db, model_batch(&s.m, &s.r, 1700000000000));
        assert_false(out.ok);
        assert_int_equal(out.err.kind, ERR_DENIED);
        struct tsdb_stats stats;
        tsdb_stats(db, &stats);
        assert_int_equal(stats.parts, 2);
        tsdb_close(db);
        assert_true(disk_state(s.sim) == before);
        if (!closed)
            tsdb_close(s.db);
        s.db = NULL;
    }
    store_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),           cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_damage_is_found), cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
