// SPDX-License-Identifier: Apache-2.0
/* Deleting, cleaning, snapshots, what is kept: against the naive model and one by one. */
#include "sys/self.h"
#include "tsdb/test_model.h"
#include "tsdb/tombstones.h"

static const ts_ms t0 = 1700000000000;

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
    s->db = tsdb_open(&s->o, &s->report, &err);
    if (!s->db)
        fail_msg("open: %s", err.msg);
}

static void store_init(struct store *s, uint64_t seed)
{
    *s = (struct store){.sim = sim_new(seed)};
    s->env = sim_env(s->sim);
    s->o = (struct tsdb_options){.env = &s->env,
                                 .stepped = true,
                                 .shards = 4,
                                 .segment_bytes = 16 << 10,
                                 .cache_bytes_max = 256 << 10};
    arena_init(&s->arena, 0);
}

static void store_close(struct store *s)
{
    tsdb_close(s->db);
    sim_process_ended(s->sim);
}

static void store_fini(struct store *s)
{
    store_close(s);
    sim_free(s->sim);
    arena_fini(&s->arena);
}

static struct labels named(struct arena *a, int i)
{
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){LABEL_NAME, i % 2 ? STR("odd") : STR("even")};
    at[1] = (struct label){STR("i"), arena_printf(a, "%d", i)};
    return (struct labels){at, 2};
}

/* One sample to each of the series [0, n). */
static void put(struct store *s, int n, ts_ms t, double v)
{
    struct batch *b = batch_new();
    b->series = arena_array(&b->arena, struct batch_series, n);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    b->series_n = b->samples_n = (size_t)n;
    for (int i = 0; i < n; i++) {
        struct labels ls = named(&b->arena, i);
        b->series[i] = (struct batch_series){
            .labels = ls, .hash = labels_hash(ls), .first = (uint32_t)i, .n = 1};
        b->t[i] = t;
        b->v[i] = v;
    }
    struct outcome out = write_batch(s->db, b);
    assert_true(out.ok);
}

static size_t count(struct store *s, int i)
{
    arena_reset(&s->arena);
    return read_series(tsdb_source(s->db), named(&s->arena, i), &s->arena).n;
}

static void delete (struct store *s, const char *name, const char *value, ts_ms from, ts_ms to)
{
    struct err err = {0};
    struct matcher m;
    assert_true(matcher_init(&m, MATCH_RE, str_from_z(name), str_from_z(value), &err));
    if (!tsdb_delete(s->db, &m, 1, from, to, &err))
        fail_msg("delete: %s", err.msg);
    matcher_fini(&m);
}

static void settle(struct store *s)
{
    struct err err = {0};
    while (tsdb_tick(s->db, &err))
        ;
    assert_int_equal(err.kind, ERR_NONE);
}

static void flush(struct store *s)
{
    struct err err = {0};
    assert_true(tsdb_flush(s->db, &err));
}

static uint64_t samples_on_disk(struct store *s)
{
    struct tsdb_part *parts;
    uint64_t n = 0;
    for (size_t i = tsdb_parts(s->db, &s->arena, &parts); i-- > 0;)
        n += parts[i].samples;
    return n;
}

/* ---- one thing each ---- */

static void test_delete_hides_at_once(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 1);
    store_open(&s);
    for (int k = 0; k < 20; k++)
        put(&s, 4, t0 + k * 1000, k);
    flush(&s);
    for (int k = 20; k < 40; k++)
        put(&s, 4, t0 + k * 1000, k);
    delete (&s, "__name__", "odd", t0 + 10000, t0 + 29000); /* half in a part, half in the head */
    assert_int_equal(count(&s, 0), 40);
    assert_int_equal(count(&s, 1), 20);
    delete (&s, "i", "0|2", INT64_MIN, INT64_MAX);
    assert_int_equal(count(&s, 0) + count(&s, 2), 0);
    for (int round = 0; round < 2; round++) {
        put(&s, 4, t0 + 15000, 7); /* what comes later is seen, also at a deleted time */
        assert_int_equal(count(&s, 0), 1);
        assert_int_equal(count(&s, 1), 21);
        store_close(&s);
        store_open(&s);
    }
    assert_int_equal(count(&s, 0), 1);
    assert_true(tsdb_clean_tombstones(s.db, &err));
    assert_int_equal(samples_on_disk(&s), 2 * 20);
    flush(&s);
    assert_int_equal(count(&s, 0), 1);
    assert_int_equal(count(&s, 1), 21);
    store_fini(&s);
}

/* A sample with the time of the last one before it was deleted is a new one. */
static void test_write_again_what_was_deleted(void **state)
{
    struct store s;
    store_init(&s, 2);
    store_open(&s);
    put(&s, 2, t0, 1);
    delete (&s, "__name__", ".+", INT64_MIN, INT64_MAX);
    put(&s, 2, t0, 1);
    assert_int_equal(count(&s, 0), 1);
    store_fini(&s);
}

static void test_merges_leave_out(void **state)
{
    struct store s;
    store_init(&s, 3);
    store_open(&s);
    for (int k = 0; k < 8; k++) {
        put(&s, 4, t0 + k * 1000, k);
        flush(&s);
        if (k == 3)
            delete (&s, "__name__", "odd", INT64_MIN, INT64_MAX);
    }
    settle(&s);
    assert_int_equal(count(&s, 0), 8);
    assert_int_equal(count(&s, 1), 4);
    assert_int_equal(samples_on_disk(&s), 2 * 8 + 2 * 4);
    struct tsdb_part *parts;
    assert_int_equal(tsdb_parts(s.db, &s.arena, &parts), 2);
    assert_int_equal(parts[0].level, 1);
    assert_int_equal(parts[0].replaces_n, 4);
    struct disk_info info;
    struct err err = {0};
    assert_true(s.env.disk->ops->stat(s.env.disk, STR("metrics/tombstones"), &info, &err));
    store_fini(&s);
}

static void test_delete_is_refused(void **state)
{
    struct store s;
    struct err err = {0};
    struct matcher m;
    store_init(&s, 4);
    store_open(&s);
    put(&s, 2, t0, 1);
    assert_true(matcher_init(&m, MATCH_EQ, STR("i"), STR("0"), &err));
    assert_false(tsdb_delete(s.db, &m, 0, 0, 1, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(tsdb_delete(s.db, &m, 1, 1, 0, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    /* Errors of the disk at every call: refused and nothing hidden, or done. */
    for (uint64_t nth = 1;; nth++) {
        err_clear(&err);
        put(&s, 2, t0 + (ts_ms)nth * 1000, 1);
        sim_fault(s.sim, (struct sim_fault){.kind = SIM_IO_ERROR, .nth = nth, .times = 1});
        bool ok = tsdb_delete(s.db, &m, 1, t0 + (ts_ms)nth * 1000, t0 + (ts_ms)nth * 1000, &err);
        bool fired = sim_fault_fired(s.sim) > 0;
        sim_fault_clear(s.sim);
        assert_int_equal(count(&s, 1), nth + 1);
        if (ok && !fired)
            break;
        assert_true(nth < 200);
    }
    matcher_fini(&m);
    store_fini(&s);
}

static void test_damaged_tombstones_are_told(void **state)
{
    struct store s;
    store_init(&s, 5);
    store_open(&s);
    put(&s, 2, t0, 1);
    delete (&s, "i", "0", INT64_MIN, INT64_MAX);
    store_close(&s);
    assert_true(sim_flip(s.sim, STR("metrics/tombstones"), 30, 3));
    store_open(&s);
    assert_int_equal(s.report.first.kind, ERR_CORRUPT);
    assert_int_equal(count(&s, 0), 1); /* better seen again than the store refused */
    store_close(&s);
    store_open(&s);
    assert_int_equal(s.report.first.kind, ERR_NONE);
    store_fini(&s);
}

/* ---- many deletions ---- */

static int64_t tombstones(void)
{
    return self_get(SELF_TSDB_TOMBSTONES);
}

/* Whoever deletes the same series again and again has few tombstones, not one for each time. */
static void test_deletions_of_one_selection_join(void **state)
{
    struct store s;
    store_init(&s, 41);
    store_open(&s);
    for (int i = 0; i < 20; i++) { /* up to now, each minute */
        put(&s, 2, t0 + i * 60000, i);
        delete (&s, "i", "0", INT64_MIN, t0 + i * 60000);
        assert_int_equal(tombstones(), 1);
        assert_int_equal(count(&s, 0), 0);
        assert_int_equal(count(&s, 1), (size_t)i + 1);
    }
    /* One part, behind which nothing came: ranges that touch become one. */
    delete (&s, "i", "1", t0, t0 + 60000);
    delete (&s, "i", "1", t0 + 60001, t0 + 120000);
    delete (&s, "i", "1", t0 + 600000, t0 + 660000);
    assert_int_equal(tombstones(), 3);
    assert_int_equal(count(&s, 1), 20 - 3 - 2);
    /* What came later at a deleted time must stay, so the number of that range is not raised. */
    put(&s, 2, t0, 7);
    assert_int_equal(count(&s, 1), 16);
    delete (&s, "i", "1", t0 + 120001, t0 + 240000);
    assert_int_equal(tombstones(), 4);
    assert_int_equal(count(&s, 1), 14);
    delete (&s, "i", "1", t0, t0 + 700000);
    assert_int_equal(tombstones(), 2);
    assert_int_equal(count(&s, 1), 8);
    assert_int_equal(count(&s, 0), 1);
    store_close(&s);
    store_open(&s);
    assert_int_equal(count(&s, 1), 8);
    assert_int_equal(count(&s, 0), 1);
    store_fini(&s);
}

/* Many tombstones: parts are written anew in the background, until there is nothing to hide. */
static void test_many_deletions_are_cleaned(void **state)
{
    enum { SERIES = TOMBSTONES_MANY + 50 };
    struct store s;
    bool deleted[SERIES] = {0};
    char value[16];
    store_init(&s, 42);
    store_open(&s);
    put(&s, SERIES, t0, 1);
    flush(&s);
    put(&s, 1, t0 + 3600 * 1000, 1); /* a part that nothing is deleted from */
    for (int i = 1; i <= TOMBSTONES_MANY; i++) {
        snprintf(value, sizeof value, "%d", i);
        delete (&s, "i", value, t0 - i, t0 + i);
        deleted[i] = true;
        if (i == TOMBSTONES_MANY - 1) {
            uint64_t before = samples_on_disk(&s);
            settle(&s);
            assert_int_equal(samples_on_disk(&s), before);
            assert_int_equal(tombstones(), i);
        }
        if (i % 97 == 0)
            assert_int_equal(count(&s, i), 0);
    }
    settle(&s);
    assert_int_equal(tombstones(), 0);
    assert_int_equal(samples_on_disk(&s), SERIES - TOMBSTONES_MANY + 1);
    for (int i = 1; i < SERIES; i++)
        assert_int_equal(count(&s, i), !deleted[i]);
    assert_int_equal(count(&s, 0), 2);
    store_fini(&s);
}

static str part_file(struct store *s)
{
    str *paths, path = {0};
    size_t n;
    sim_files(s->sim, &s->arena, &paths, &n);
    for (size_t i = 0; i < n; i++)
        if (str_ends(paths[i], STR(".part")))
            path = paths[i];
    return path;
}

/* A part that cannot be written anew keeps its tombstones, and cleaning ends nevertheless. */
static void test_cleaning_beside_damage(void **state)
{
    struct store s;
    struct err err = {0};
    char value[16];
    int failures = 0;
    store_init(&s, 44);
    store_open(&s);
    put(&s, TOMBSTONES_MANY + 5, t0, 1);
    flush(&s);
    store_close(&s);
    assert_true(sim_flip(s.sim, part_file(&s), 40, 1)); /* in the first page of values */
    store_open(&s);
    put(&s, TOMBSTONES_MANY + 5, t0 + 1000, 1);
    flush(&s);
    for (int i = 1; i <= TOMBSTONES_MANY; i++) {
        snprintf(value, sizeof value, "%d", i);
        delete (&s, "i", value, t0, t0 + 1000);
    }
    bool more = true;
    for (int ticks = 0; more || err.kind; ticks++) {
        assert_true(ticks < 200);
        err_clear(&err);
        more = tsdb_tick(s.db, &err);
        failures += err.kind != ERR_NONE;
    }
    assert_true(failures <= 1);
    assert_int_equal(tombstones(), TOMBSTONES_MANY);
    struct tsdb_part *parts;
    size_t n = tsdb_parts(s.db, &s.arena, &parts);
    assert_int_equal(n, 2);
    assert_true(parts[0].damaged);
    assert_int_equal(parts[1].samples, 5);
    store_fini(&s);
}

/* As many as there may be, of series of the first part. */
static void fill_list(struct store *s)
{
    struct err err = {0};
    char value[16];
    struct strbuf file STRBUF_CLEANUP = {0};
    struct tombstones *t = tombstones_new();
    struct disk *disk = s->env.disk;
    for (int i = 0; i < TOMBSTONES_MAX; i++) {
        struct matcher m;
        snprintf(value, sizeof value, "%d", i);
        assert_true(matcher_init(&m, MATCH_EQ, STR("i"), str_from_z(value), &err));
        struct tombstones *next = tombstones_with(
            t, &(struct deletion){.id = 1000 + (uint64_t)i, .m = &m, .m_n = 1, .end = INT64_MAX});
        matcher_fini(&m);
        tombstones_unref(t);
        t = next;
    }
    assert_int_equal(t->n, TOMBSTONES_MAX);
    tombstones_encode(t, &file);
    tombstones_unref(t);
    struct disk_file *f =
        disk->ops->open(disk, STR("metrics/tombstones"), DISK_WRITE | DISK_CREATE, &err);
    struct disk_iov all = {file.p, file.n};
    assert_true(f && disk->ops->write(f, 0, &all, 1, &err) && disk->ops->sync(f, &err));
    disk->ops->close(f);
    assert_true(disk->ops->sync_dir(disk, STR("metrics"), &err));
}

static void test_one_more_deletion_than_there_may_be(void **state)
{
    struct store s;
    store_init(&s, 43);
    store_open(&s);
    put(&s, 9, t0, 1);
    flush(&s);
    put(&s, 9, t0 + 1, 1);
    flush(&s);
    store_close(&s);
    fill_list(&s);
    store_open(&s);
    assert_int_equal(s.report.first.kind, ERR_NONE);
    assert_int_equal(count(&s, 8), 0);
    put(&s, 9, t0 + 2, 1);
    delete (&s, "i", "8", t0 + 2, t0 + 2);
    assert_int_equal(tombstones(), 1);
    assert_int_equal(count(&s, 7), 1);
    assert_int_equal(count(&s, 8), 0);
    store_fini(&s);
}

/* ---- snapshots ---- */

static void test_snapshot(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 6);
    store_open(&s);
    for (int k = 0; k < 5; k++) {
        put(&s, 4, t0 + k * 1000, k);
        flush(&s);
    }
    put(&s, 4, t0 + 5000, 5);
    delete (&s, "i", "1", t0, t0);
    put(&s, 4, t0 + 6000, 6);
    assert_true(tsdb_snapshot(s.db, STR("snapshots/one"), &err));
    assert_false(tsdb_snapshot(s.db, STR("snapshots/one"), &err));
    assert_int_equal(err.kind, ERR_EXISTS);
    put(&s, 4, t0 + 7000, 7);
    settle(&s);
    flush(&s);
    store_close(&s);
    s.o.dir = STR("snapshots/one");
    store_open(&s);
    assert_int_equal(s.report.first.kind, ERR_NONE);
    assert_int_equal(count(&s, 0), 7);
    assert_int_equal(count(&s, 1), 6);
    put(&s, 4, t0 + 8000, 8);
    settle(&s);
    store_close(&s);
    s.o.dir = STR("metrics"); /* merges of one do not touch the other's files */
    store_open(&s);
    assert_int_equal(count(&s, 0), 8);
    store_fini(&s);
}

static void test_snapshot_and_a_failing_disk(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 7);
    store_open(&s);
    put(&s, 4, t0, 1);
    flush(&s);
    put(&s, 4, t0 + 1000, 1);
    for (uint64_t nth = 1;; nth++) {
        struct disk_info info;
        char dir[32], catalog[48];
        snprintf(dir, sizeof dir, "snap/%d", (int)nth);
        snprintf(catalog, sizeof catalog, "%s/catalog", dir);
        sim_fault(s.sim, (struct sim_fault){.kind = SIM_NO_SPACE, .nth = nth, .times = 1});
        bool ok = tsdb_snapshot(s.db, str_from_z(dir), &err);
        bool fired = sim_fault_fired(s.sim) > 0;
        sim_fault_clear(s.sim);
        assert_int_equal(count(&s, 0), 2);
        if (!fired)
            break;
        assert_true(ok || !s.env.disk->ops->stat(s.env.disk, str_from_z(catalog), &info, &err));
        assert_true(nth < 200);
        err_clear(&err);
    }
    store_fini(&s);
}

/* ---- what is kept ---- */

static void test_keep_by_matcher(void **state)
{
    struct store s;
    struct err err = {0};
    struct matcher odd, two;
    const int64_t h = 3600000;
    store_init(&s, 8);
    assert_true(matcher_init(&odd, MATCH_EQ, STR("__name__"), STR("odd"), &err));
    assert_true(matcher_init(&two, MATCH_EQ, STR("i"), STR("2"), &err));
    struct tsdb_retention_rule rules[] = {{&odd, 1, 2 * h}, {&two, 1, 1000 * h}};
    s.o.retention_ms = 10 * h;
    s.o.retention_by = rules;
    s.o.retention_by_n = 2;
    store_open(&s);
    sim_advance_ms(s.sim, 100 * h);
    ts_ms now = env_now_ms(&s.env) - 20 * h;
    for (int k = 0; k <= 20; k++) {
        put(&s, 4, now + k * h, k);
        if (k == 10)
            flush(&s);
    }
    /* The last ten hours and the one at the border, the last two, all. */
    for (int round = 0; round < 3; round++) {
        assert_int_equal(count(&s, 0), 11);
        assert_int_equal(count(&s, 1), 3);
        assert_int_equal(count(&s, 2), 21);
        assert_int_equal(count(&s, 3), 3);
        if (round == 0)
            flush(&s);
        if (round == 1)
            settle(&s);
    }
    /* The first part is over for all but series 2 and was written anew without them; series 0 still
     * had a sample at the border. */
    struct tsdb_part *parts;
    assert_int_equal(tsdb_parts(s.db, &s.arena, &parts), 2);
    assert_int_equal(parts[0].samples, 11 + 1);
    matcher_fini(&odd);
    matcher_fini(&two);
    store_fini(&s);
}

static void test_keep_by_size(void **state)
{
    struct store s;
    store_init(&s, 9);
    s.o.retention_bytes_max = 1 << 20;
    store_open(&s);
    for (int k = 0; k < 3; k++) {
        put(&s, 500, t0 + k * 1000, k);
        flush(&s);
    }
    settle(&s);
    assert_int_equal(count(&s, 0), 3);
    store_close(&s);
    s.o.retention_bytes_max = 1;
    store_open(&s);
    settle(&s);
    assert_int_equal(count(&s, 0), 1); /* the newest part stays */
    store_fini(&s);
}

/* ---- power cuts ---- */

enum { SERIES = 4, TIMES = 60 };

struct alive {
    bool at[SERIES][TIMES];
};

static void check_alive(struct store *s, const struct alive *a)
{
    for (int i = 0; i < SERIES; i++) {
        arena_reset(&s->arena);
        struct columns c = read_series(tsdb_source(s->db), named(&s->arena, i), &s->arena);
        size_t k = 0;
        for (int t = 0; t < TIMES; t++)
            if (a->at[i][t]) {
                assert_true(k < c.n);
                assert_int_equal(c.t[k], t0 + t * 1000);
                k++;
            }
        assert_int_equal(k, c.n);
    }
}

static void check_image(const struct store *s, uint64_t outcome, const struct alive *a)
{
    struct store c = *s;
    c.sim = sim_power_cut(s->sim, outcome);
    c.env = sim_env(c.sim);
    c.o.env = &c.env;
    arena_init(&c.arena, 0);
    store_open(&c);
    check_alive(&c, a);
    settle(&c);
    check_alive(&c, a);
    store_fini(&c);
}

static void delete_alive(struct store *s, struct alive *a, struct rng *r)
{
    int i = (int)(rng_next(r) % SERIES), from = (int)(rng_next(r) % TIMES);
    int to = from + (int)(rng_next(r) % 20);
    char value[8];
    snprintf(value, sizeof value, "%d", i);
    delete (s, "i", value, t0 + from * 1000, t0 + to * 1000);
    for (int t = from; t <= to && t < TIMES; t++)
        a->at[i][t] = false;
}

/* What was deleted stays deleted and nothing else goes, whenever the power does. */
static void test_power_cuts(void **state)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct store s;
        struct alive a = {0};
        struct rng r = {seed};
        struct err err = {0};
        store_init(&s, seed);
        store_open(&s);
        for (int t = 0; t < TIMES; t++) {
            put(&s, SERIES, t0 + t * 1000, t);
            for (int i = 0; i < SERIES; i++)
                a.at[i][t] = true;
            switch (rng_next(&r) % 8) {
            case 0:
                delete_alive(&s, &a, &r);
                break;
            case 1:
                flush(&s);
                break;
            case 2:
                tsdb_tick(s.db, &err);
                break;
            case 3:
                if (rng_next(&r) % 3 == 0)
                    assert_true(tsdb_clean_tombstones(s.db, &err));
            }
            if (rng_next(&r) % 4 == 0)
                check_image(&s, rng_next(&r), &a);
        }
        check_alive(&s, &a);
        store_fini(&s);
    }
}

/* An error at every call of a life with deletions: what was acknowledged holds, and a deletion that
 * was refused did nothing to what it was not about. */
static void test_clean_with_errors(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct store s;
        struct alive a = {0};
        struct err err = {0};
        store_init(&s, nth);
        store_open(&s);
        for (int t = 0; t < 12; t++) {
            put(&s, SERIES, t0 + t * 1000, t);
            for (int i = 0; i < SERIES; i++)
                a.at[i][t] = i != 1;
            if (t % 3 == 2)
                flush(&s);
        }
        delete (&s, "i", "1", INT64_MIN, INT64_MAX);
        sim_fault(s.sim, (struct sim_fault){.kind = SIM_IO_ERROR, .nth = nth, .times = 1});
        bool ok = tsdb_clean_tombstones(s.db, &err);
        bool fired = sim_fault_fired(s.sim) > 0;
        sim_fault_clear(s.sim);
        check_alive(&s, &a);
        check_image(&s, nth, &a);
        err_clear(&err);
        assert_true(ok || tsdb_clean_tombstones(s.db, &err));
        assert_int_equal(samples_on_disk(&s), 3 * 12);
        check_alive(&s, &a);
        store_fini(&s);
        if (!fired)
            break;
        assert_true(nth < 300);
    }
}

/* ---- scrubbing ---- */

/* All of it is read, and no more than once in a period. */
static void test_scrub_reads_all(void **state)
{
    struct store s;
    struct err err = {0};
    store_init(&s, 10);
    s.o.scrub_period_ms = 1000000;
    store_open(&s);
    for (int k = 0; k < 3; k++) {
        put(&s, 100, t0 + k * 1000, k);
        flush(&s);
    }
    int64_t before = self_get(SELF_TSDB_SCRUBBED_BYTES);
    struct tsdb_part *parts;
    uint64_t stored = 0;
    for (size_t i = tsdb_parts(s.db, &s.arena, &parts); i-- > 0;)
        stored += parts[i].bytes;
    for (int i = 0; i < 1000; i++) {
        sim_advance_ms(s.sim, 1000);
        tsdb_tick(s.db, &err);
        assert_int_equal(err.kind, ERR_NONE);
    }
    uint64_t read = (uint64_t)(self_get(SELF_TSDB_SCRUBBED_BYTES) - before);
    assert_true(read > stored * 8 / 10 && read < stored * 13 / 10);
    store_fini(&s);
}

/* Each byte of a part is flipped in turn; scrubbing tells, or what is not a section was told when
 * the part was opened. */
static void test_scrub_finds_damage(void **state)
{
    struct store s;
    struct arena a ARENA_CLEANUP;
    str *paths;
    size_t n;
    arena_init(&a, 0);
    store_init(&s, 11);
    store_open(&s);
    put(&s, 20, t0, 1);
    put(&s, 20, t0 + 1000, 2);
    flush(&s);
    store_close(&s);
    sim_files(s.sim, &a, &paths, &n);
    str path = {0};
    for (size_t i = 0; i < n; i++)
        if (str_ends(paths[i], STR(".part")))
            path = paths[i];
    bytes content;
    assert_true(sim_get(s.sim, path, &a, &content));
    size_t damaged = 0, put_away = 0;
    for (uint64_t off = 16; off < content.n; off++) {
        struct store c = s;
        struct err err = {0};
        c.sim = sim_clone(s.sim);
        c.env = sim_env(c.sim);
        c.o.env = &c.env;
        c.o.scrub_period_ms = 1;
        assert_true(sim_flip(c.sim, path, off, (unsigned)(off % 8)));
        store_open(&c);
        struct tsdb_part *parts;
        bool told = c.report.parts_quarantined > 0;
        for (int i = 0; i < 40 && !told; i++) {
            sim_advance_ms(c.sim, 1000);
            tsdb_tick(c.db, &err);
            told = err.kind == ERR_CORRUPT || tsdb_parts(c.db, &a, &parts) == 0;
        }
        if (!told)
            fail_msg("byte %d of a part was damaged and nobody said so", (int)off);
        tsdb_tick(c.db, &err);
        if (tsdb_parts(c.db, &a, &parts) == 0)
            put_away++;
        else
            damaged += parts[0].damaged;
        tsdb_close(c.db);
        sim_free(c.sim);
    }
    assert_int_equal(damaged + put_away, content.n - 16);
    assert_true(damaged > 20 && put_away > 100);
    sim_free(s.sim);
    arena_fini(&s.arena);
}

/* ---- against the model ---- */

static void model_delete(struct model *m, const char *instance, ts_ms from, ts_ms to)
{
    m->deleted = true;
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        if (!str_eq(labels_get(m->labels[i], STR("instance")), str_from_z(instance)))
            continue;
        size_t n = 0;
        for (size_t k = 0; k < m->samples[i].n; k++)
            if (m->samples[i].at[k].t < from || m->samples[i].at[k].t > to)
                m->samples[i].at[n++] = m->samples[i].at[k];
        m->samples[i].n = n;
    }
}

static void live(uint64_t seed)
{
    struct store s;
    struct model m;
    struct rng r = {seed};
    struct err err = {0};
    store_init(&s, seed);
    store_open(&s);
    model_init(&m);
    ts_ms now = t0;
    for (int i = 0; i < 200; i++) {
        struct batch_result expected = {0};
        struct batch *b = model_batch(&m, &r, now);
        model_apply(&m, b, (uint64_t)i, &expected);
        assert_true(write_batch(s.db, b).ok);
        now += rng_next(&r) % 3 ? 15000 : 0;
        char instance[32];
        switch (rng_next(&r) % 16) {
        case 0:
        case 1: {
            ts_ms from = now - (ts_ms)(rng_next(&r) % 600000);
            ts_ms to = rng_next(&r) % 3 ? from + (ts_ms)(rng_next(&r) % 300000) : INT64_MAX;
            snprintf(instance, sizeof instance, "host%d", (int)(rng_next(&r) % (MODEL_SERIES / 4)));
            delete (&s, "instance", instance, from, to);
            model_delete(&m, instance, from, to);
            break;
        }
        case 2:
            flush(&s);
            break;
        case 3:
            tsdb_tick(s.db, &err);
            break;
        case 4:
            store_close(&s);
            store_open(&s);
            break;
        case 5:
            if (rng_next(&r) % 4 == 0)
                assert_true(tsdb_clean_tombstones(s.db, &err));
            break;
        case 6:
            model_compare(&m, tsdb_source(s.db), &r, 2);
        }
    }
    model_compare(&m, tsdb_source(s.db), &r, 20);
    settle(&s);
    model_compare(&m, tsdb_source(s.db), &r, 10);
    assert_true(tsdb_clean_tombstones(s.db, &err));
    model_compare(&m, tsdb_source(s.db), &r, 10);
    store_fini(&s);
    model_fini(&m);
}

static void test_against_model(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        live(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete_hides_at_once),
        cmocka_unit_test(test_write_again_what_was_deleted),
        cmocka_unit_test(test_merges_leave_out),
        cmocka_unit_test(test_delete_is_refused),
        cmocka_unit_test(test_damaged_tombstones_are_told),
        cmocka_unit_test(test_deletions_of_one_selection_join),
        cmocka_unit_test(test_many_deletions_are_cleaned),
        cmocka_unit_test(test_cleaning_beside_damage),
        cmocka_unit_test(test_one_more_deletion_than_there_may_be),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_snapshot_and_a_failing_disk),
        cmocka_unit_test(test_keep_by_matcher),
        cmocka_unit_test(test_keep_by_size),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_clean_with_errors),
        cmocka_unit_test(test_scrub_reads_all),
        cmocka_unit_test(test_scrub_finds_damage),
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
