// SPDX-License-Identifier: Apache-2.0
/*
 * A store of about 1 MiB with one bit turned over, or one file cut, at place after place. Damage is
 * found by verification or does no harm, and no read ever gives a sample that nobody wrote.
 *
 * One bit in 16 bytes and every 64th length; the store is opened and read where verification found
 * nothing, and at one place in OPEN_EVERY. A large run (base/test.h) takes every place and opens
 * each time.
 */
#include "base/hash.h"
#include "base/num.h"
#include "tsdb/test_model.h"
#include "tsdb/verify.h"

enum { SERIES = 64, ROUNDS = 11, ROUND_SAMPLES = 400, OPEN_EVERY = 64, WAL_HEADERS_BYTES = 4096 };

static const ts_ms base_t = 1700000000000;

static struct labels labels_of(struct arena *a, size_t i)
{
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){STR("__name__"), arena_printf(a, "metric_%zu", i / 8)};
    at[1] = (struct label){STR("i"), arena_printf(a, "%zu", i)};
    return (struct labels){at, 2};
}

/* Noise, counters, and what hardly moves. */
static double value_of(size_t i, size_t k)
{
    uint64_t h = hash_mix(i, k);
    if (i % 2 == 0)
        return (double)(h >> 12) / 1e9;
    return i % 4 == 1 ? (double)(k * 100 + h % 50) : (double)(h % 64 == 0);
}

static void write_round(struct tsdb *db, size_t round)
{
    struct batch *b = batch_new();
    size_t n = SERIES * ROUND_SAMPLES;
    b->series = arena_array(&b->arena, struct batch_series, SERIES);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    for (size_t i = 0; i < SERIES; i++) {
        struct labels ls = labels_of(&b->arena, i);
        uint32_t first = (uint32_t)(i * ROUND_SAMPLES);
        b->series[i] = (struct batch_series){ls, labels_hash(ls), first, ROUND_SAMPLES};
        for (size_t k = 0; k < ROUND_SAMPLES; k++) {
            size_t number = round * ROUND_SAMPLES + k;
            b->t[first + k] = base_t + (ts_ms)number * 15000;
            b->v[first + k] = value_of(i, number);
        }
    }
    b->series_n = SERIES;
    b->samples_n = n;
    assert_true(write_batch(db, b).ok);
}

static struct tsdb *open_store(struct sim *sim, struct env *env, struct tsdb_recovery *report)
{
    struct err err = {0};
    *env = sim_env(sim);
    struct tsdb_options o = {.env = env, .stepped = true, .shards = 2, .segment_bytes = 256 << 10};
    struct tsdb *db = tsdb_open(&o, report, &err);
    if (!db)
        fail_msg("a damaged store does not open: %s", err.msg);
    return db;
}

/* Parts of all rounds but the last, which is in the WAL. */
static struct sim *make_store(void)
{
    struct sim *sim = sim_new(3);
    struct env env;
    struct tsdb_recovery report;
    struct err err = {0};
    struct tsdb *db = open_store(sim, &env, &report);
    for (size_t round = 0; round < ROUNDS; round++) {
        write_round(db, round);
        if (round + 1 < ROUNDS)
            assert_true(tsdb_flush(db, &err));
    }
    while (tsdb_tick(db, &err))
        ;
    assert_int_equal(err.kind, ERR_NONE);
    tsdb_close(db);
    sim_process_ended(sim);
    return sim;
}

struct seen {
    size_t samples, errors;
};

static void check_series(struct labels ls, const struct columns *c)
{
    uint64_t i;
    assert_true(u64_parse(labels_get(ls, STR("i")), &i) && i < SERIES);
    for (size_t k = 0; k < c->n; k++) {
        size_t number = (size_t)((c->t[k] - base_t) / 15000);
        double want = value_of(i, number);
        if (c->t[k] < base_t || number >= ROUNDS * ROUND_SAMPLES ||
            c->t[k] != base_t + (ts_ms)number * 15000 || memcmp(&c->v[k], &want, sizeof want) != 0)
            fail_msg("series %llu has a sample that nobody wrote", (unsigned long long)i);
    }
}

static void read_all(struct tsdb *db, struct seen *out)
{
    struct source *s = tsdb_source(db);
    struct select_hints h = {.start = INT64_MIN, .end = INT64_MAX};
    struct err err = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct selection *sel = s->ops->select(s, NULL, 0, &h, NULL, &err);
    if (!sel) {
        out->errors++;
        return;
    }
    for (size_t i = 0; i < s->ops->size(sel); i++) {
        struct columns c;
        if (!source_read(s->ops, sel, i, INT64_MIN, INT64_MAX, &a, &c, &err)) {
            assert_int_equal(err.kind, ERR_CORRUPT);
            out->errors++;
            continue;
        }
        check_series(s->ops->labels(sel, i), &c);
        out->samples += c.n;
        arena_reset(&a);
    }
    s->ops->release(sel);
}

static void ignore(void *arg, str path, uint64_t off, const char *what)
{
}

static bool is_found(struct sim *sim)
{
    struct env env = sim_env(sim);
    struct verify_report r;
    struct err err = {0};
    return !tsdb_verify(&env, STR(""), ignore, NULL, &r, &err) || r.findings || r.wal_torn;
}

struct tally {
    size_t places, found, opened;
};

/* Takes the damaged copy. */
static void check(struct sim *damaged, str path, uint64_t off, struct tally *t, bool every,
                  bool cut)
{
    /* A log without a record is what a crash leaves that came before its first use. */
    bool unused = cut && off <= WAL_HEADERS_BYTES && str_ends(path, STR(".wal"));
    bool found = is_found(damaged);
    t->found += found;
    if (every || !found || t->places % OPEN_EVERY == 0) {
        struct env env;
        struct tsdb_recovery r;
        struct seen seen = {0};
        struct tsdb *db = open_store(damaged, &env, &r);
        read_all(db, &seen);
        bool told =
            unused || found || seen.errors || r.wal_damaged || r.wal_torn || r.parts_quarantined;
        if (seen.samples != SERIES * ROUNDS * ROUND_SAMPLES && !told)
            fail_msg("%.*s, byte %llu: samples are missing and nobody says so", STR_ARG(path),
                     (unsigned long long)off);
        tsdb_close(db);
        t->opened++;
    }
    t->places++;
    sim_free(damaged);
}

/* The written part of a file: segments of the WAL end in zeros. */
static uint64_t used_bytes(bytes content)
{
    uint64_t n = content.n;
    while (n > 0 && content.p[n - 1] == 0)
        n--;
    return n + 64 < content.n ? n + 64 : content.n;
}

static void damage(bool cut)
{
    static const uint64_t strides[][2] = {
        [TEST_SMALL] = {512, 2048}, [TEST_USUAL] = {16, 64}, [TEST_LARGE] = {1, 1}};
    bool every = test_size() == TEST_LARGE;
    uint64_t stride = strides[test_size()][cut], total = 0;
    struct sim *sim = make_store();
    struct tally t = {0};
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    arena_init(&a, 0);
    assert_false(is_found(sim));
    sim_files(sim, &a, &paths, &n);
    for (size_t i = 0; i < n; i++) {
        bytes content;
        assert_true(sim_get(sim, paths[i], &a, &content));
        uint64_t end = used_bytes(content);
        total += end;
        for (uint64_t off = 0; off < end; off += stride) {
            struct sim *copy = sim_clone(sim);
            assert_true(cut ? sim_cut_file(copy, paths[i], off)
                            : sim_flip(copy, paths[i], off + off / stride % stride % (end - off),
                                       (unsigned)(off / stride % 8)));
            check(copy, paths[i], off, &t, every, cut);
        }
    }
    print_message("# %llu bytes, %zu places, %zu found by verification, %zu opened\n",
                  (unsigned long long)total, t.places, t.found, t.opened);
    sim_free(sim);
}

static void test_flipped_bits(void **state)
{
    damage(false);
}

static void test_cut_files(void **state)
{
    damage(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
