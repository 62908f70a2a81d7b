// SPDX-License-Identifier: Apache-2.0
/* The simulated disk against its own manual: what must survive does in every outcome, and what may
 * be lost is lost in some and kept in others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sys/sim/sim.h"

enum { RW_NEW = DISK_READ | DISK_WRITE | DISK_CREATE, OUTCOMES = 200 };

static struct disk *disk_of(struct sim *s)
{
    return sim_env(s).disk;
}

static struct disk_file *open_new(struct sim *s, const char *path)
{
    struct err err = {0};
    struct disk_file *f = disk_of(s)->ops->open(disk_of(s), str_from_z(path), RW_NEW, &err);
    assert_non_null(f);
    return f;
}

static bool write_at(struct sim *s, struct disk_file *f, uint64_t off, const void *p, size_t n)
{
    struct err err = {0};
    struct disk_iov iov = {p, n};
    return disk_of(s)->ops->write(f, off, &iov, 1, &err);
}

static bool sync_file(struct sim *s, struct disk_file *f)
{
    struct err err = {0};
    return disk_of(s)->ops->sync(f, &err);
}

static bool sync_dir(struct sim *s, const char *path)
{
    struct err err = {0};
    return disk_of(s)->ops->sync_dir(disk_of(s), str_from_z(path), &err);
}

static bool rename_to(struct sim *s, const char *from, const char *to)
{
    struct err err = {0};
    return disk_of(s)->ops->rename(disk_of(s), str_from_z(from), str_from_z(to), &err);
}

/* The file as text of its own, NULL when there is none; valid until the next reset of the arena. */
static const char *text_of(struct sim *s, const char *path, struct arena *a)
{
    bytes b;
    if (!sim_get(s, str_from_z(path), a, &b))
        return NULL;
    return arena_dup(a, str_from_bytes(b)).p;
}

static void close_file(struct sim *s, struct disk_file *f)
{
    disk_of(s)->ops->close(f);
}

static void save(struct sim *s, const char *path, const char *text)
{
    struct disk_file *f = open_new(s, path);
    assert_true(write_at(s, f, 0, text, strlen(text)));
    assert_true(sync_file(s, f));
    close_file(s, f);
}

static void test_safe_survives(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(1);
    struct err err = {0};
    assert_true(disk_of(s)->ops->mkdir(disk_of(s), STR("d"), &err));
    save(s, "d/tmp", "content");
    assert_true(rename_to(s, "d/tmp", "d/final"));
    assert_true(sync_dir(s, "d"));
    assert_true(sync_dir(s, "."));
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        assert_string_equal(text_of(after, "d/final", &a), "content");
        assert_null(text_of(after, "d/tmp", &a));
        assert_int_equal(sim_used(after), 7);
        sim_free(after);
        arena_reset(&a);
    }
    sim_free(s);
}

/* Each set of results that luck can bring does come, over the outcomes. */
static void test_names_may_be_lost(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(2);
    struct err err = {0};
    save(s, "old", "old");
    assert_true(sync_dir(s, "."));
    save(s, "new", "new");
    assert_true(rename_to(s, "new", "old"));
    save(s, "other", "other");
    assert_true(disk_of(s)->ops->link(disk_of(s), STR("other"), STR("alias"), &err));
    int lost = 0, kept = 0, both = 0, other = 0, alias = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        const char *old = text_of(after, "old", &a), *new = text_of(after, "new", &a);
        assert_non_null(old); /* a rename never leaves neither */
        if (strcmp(old, "new") == 0) {
            kept++;
            assert_null(new); /* nor both */
        } else {
            assert_string_equal(old, "old");
            lost += !new;
            both += new != NULL;
        }
        other += text_of(after, "other", &a) != NULL;
        alias += text_of(after, "alias", &a) != NULL;
        /* The link came after the file it is about. */
        assert_true(!text_of(after, "alias", &a) || text_of(after, "other", &a));
        sim_free(after);
        arena_reset(&a);
    }
    assert_true(lost > 0 && kept > 0 && both > 0);
    assert_true(alias > 0 && other > alias && other < OUTCOMES);
    sim_free(s);
}

static void test_directory_may_be_lost(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(3);
    struct err err = {0};
    assert_true(disk_of(s)->ops->mkdir(disk_of(s), STR("d"), &err));
    save(s, "d/f", "x");
    assert_true(sync_dir(s, "d")); /* but not "." */
    int lost = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        lost += text_of(after, "d/f", &a) == NULL;
        sim_free(after);
    }
    assert_in_range(lost, 1, OUTCOMES - 1);
    sim_free(s);
}

/* Removing is a step too; it may come back. */
static void test_unlink_may_be_lost(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(4);
    struct err err = {0};
    save(s, "f", "x");
    assert_true(sync_dir(s, "."));
    assert_true(disk_of(s)->ops->unlink(disk_of(s), STR("f"), &err));
    assert_int_equal(sim_used(s), 0);
    int back = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        const char *text = text_of(after, "f", &a);
        assert_true(!text || strcmp(text, "x") == 0);
        back += text != NULL;
        sim_free(after);
    }
    assert_in_range(back, 1, OUTCOMES - 1);
    assert_true(sync_dir(s, "."));
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        assert_null(text_of(after, "f", &a));
        sim_free(after);
    }
    sim_free(s);
}

static char state_of(const uint8_t *sector)
{
    for (int i = 1; i < 512; i++)
        assert_int_equal(sector[i], sector[0]); /* sectors are atomic */
    return (char)sector[0];
}

/* Three sectors, written as 'a' (safe), then 'b', then 'c': each is one of them, mixed in any way.
 */
static void test_sectors_are_torn(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(5);
    struct disk_file *f = open_new(s, "f");
    uint8_t block[3 * 512];
    for (char c = 'a'; c <= 'c'; c++) {
        memset(block, c, sizeof block);
        assert_true(write_at(s, f, 0, block, sizeof block));
        if (c == 'a')
            assert_true(sync_file(s, f) && sync_dir(s, "."));
    }
    bool seen[27] = {0};
    for (uint64_t i = 0; i < 2000; i++) {
        struct sim *after = sim_power_cut(s, i);
        bytes b;
        assert_true(sim_get(after, STR("f"), &a, &b));
        assert_int_equal(b.n, sizeof block);
        int combination = 0;
        for (int k = 0; k < 3; k++)
            combination = combination * 3 + (state_of(b.p + k * 512) - 'a');
        assert_in_range(combination, 0, 26);
        seen[combination] = true;
        sim_free(after);
        arena_reset(&a);
    }
    for (int i = 0; i < 27; i++)
        assert_true(seen[i]);
    close_file(s, f);
    sim_free(s);
}

static void test_sizes_may_be_lost(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(6);
    save(s, "f", "safe");
    assert_true(sync_dir(s, "."));
    struct disk_file *f = open_new(s, "f");
    assert_true(write_at(s, f, 4, "more", 4));
    int size4 = 0, data = 0, zeros = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        bytes b;
        assert_true(sim_get(after, STR("f"), &a, &b));
        assert_true(b.n == 4 || b.n == 8);
        assert_memory_equal(b.p, "safe", 4);
        size4 += b.n == 4;
        data += b.n == 8 && memcmp(b.p + 4, "more", 4) == 0;
        zeros += b.n == 8 && memcmp(b.p + 4, "\0\0\0\0", 4) == 0;
        sim_free(after);
    }
    assert_true(size4 > 0 && data > 0 && zeros > 0);
    assert_int_equal(size4 + data + zeros, OUTCOMES);
    close_file(s, f);
    sim_free(s);
}

static void test_failed_sync_forgets(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    int kept = 0, lost = 0;
    for (uint64_t seed = 0; seed < OUTCOMES; seed++) {
        struct sim *s = sim_new(seed);
        struct disk_file *f = open_new(s, "f");
        assert_true(sync_dir(s, "."));
        assert_true(write_at(s, f, 0, "first", 5));
        sim_fault(s, (struct sim_fault){.calls = SIM_BIT(SIM_SYNC), .nth = 1});
        assert_false(sync_file(s, f));
        assert_string_equal(text_of(s, "f", &a), "first"); /* the page cache */
        assert_true(sync_file(s, f));                      /* saves nothing of it */
        struct sim *x = sim_power_cut(s, 0), *y = sim_power_cut(s, 1);
        bool safe = strcmp(text_of(x, "f", &a), "first") == 0;
        assert_string_equal(text_of(x, "f", &a), text_of(y, "f", &a));
        kept += safe;
        lost += !safe;
        sim_free(x);
        sim_free(y);
        close_file(s, f);
        sim_free(s);
        arena_reset(&a);
    }
    assert_true(kept > 0 && lost > 0);
}

static void test_failed_write_leaves_prefix(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    bool seen[11] = {0};
    for (uint64_t seed = 0; seed < OUTCOMES; seed++) {
        struct sim *s = sim_new(seed);
        struct disk_file *f = open_new(s, "f");
        sim_fault(s, (struct sim_fault){.calls = SIM_BIT(SIM_WRITE), .nth = 1});
        assert_false(write_at(s, f, 0, "0123456789", 10));
        const char *text = text_of(s, "f", &a);
        assert_memory_equal(text, "0123456789", strlen(text));
        seen[strlen(text)] = true;
        assert_true(write_at(s, f, 0, "0123456789", 10)); /* one fault, then all is well */
        close_file(s, f);
        sim_free(s);
        arena_reset(&a);
    }
    for (int i = 0; i <= 10; i++)
        assert_true(seen[i]);
}

static void test_capacity(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(7);
    struct disk *d = disk_of(s);
    struct err err = {0};
    uint64_t left;
    sim_set_capacity(s, 10);
    struct disk_file *f = open_new(s, "f");
    assert_true(write_at(s, f, 0, "123456", 6));
    assert_true(d->ops->free_bytes(d, &left, &err));
    assert_int_equal(left, 4);
    struct disk_iov iov = {"abcdefgh", 8};
    assert_false(d->ops->write(f, 6, &iov, 1, &err));
    assert_int_equal(err.kind, ERR_NO_SPACE);
    assert_string_equal(text_of(s, "f", &a), "123456abcd");
    assert_true(write_at(s, f, 0, "overwrite!", 10)); /* needs no space */
    assert_false(d->ops->allocate(f, 11, &err));
    assert_true(d->ops->truncate(f, 3, &err));
    assert_int_equal(sim_used(s), 3);
    assert_true(d->ops->unlink(d, STR("f"), &err));
    assert_int_equal(sim_used(s), 3); /* still open */
    close_file(s, f);
    assert_int_equal(sim_used(s), 0);
    assert_int_equal(sim_stats(s).failed[SIM_WRITE], 1);
    sim_put(s, STR("dir/g"), bytes_of("12345678901234567890", 20));
    assert_int_equal(sim_used(s), 20);
    assert_true(d->ops->free_bytes(d, &left, &err));
    assert_int_equal(left, 0);
    sim_free(s);
}

/* A small work that touches every class of calls; true when all of it passed. */
static bool work(struct sim *s)
{
    struct disk *d = disk_of(s);
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct err err = {0};
    struct disk_info info;
    str *names;
    size_t n;
    uint64_t v;
    char back[2];
    if (!d->ops->lock(d, STR("lock"), &err) || !d->ops->mkdir(d, STR("d"), &err))
        return false;
    struct disk_file *f = d->ops->open(d, STR("d/f"), RW_NEW, &err);
    bool ok = f && d->ops->allocate(f, 100, &err) && write_at(s, f, 0, "data", 4) &&
              d->ops->sync(f, &err) && d->ops->read(f, 0, back, 2, &err) &&
              d->ops->truncate(f, 4, &err) && d->ops->size(f, &v, &err);
    d->ops->close(f);
    return ok && d->ops->rename(d, STR("d/f"), STR("d/g"), &err) &&
           d->ops->link(d, STR("d/g"), STR("d/h"), &err) && d->ops->unlink(d, STR("d/g"), &err) &&
           d->ops->mkdir(d, STR("e"), &err) && d->ops->rmdir(d, STR("e"), &err) &&
           d->ops->sync_dir(d, STR("d"), &err) && d->ops->stat(d, STR("d/h"), &info, &err) &&
           d->ops->list(d, STR("d"), &a, &names, &n, &err) && d->ops->free_bytes(d, &v, &err);
}

static void test_every_call_can_fail(void **state)
{
    static const enum sim_fault_kind kinds[] = {SIM_IO_ERROR, SIM_NO_SPACE, SIM_POWER_LOSS};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint64_t n = 1;
        for (;; n++) {
            struct sim *s = sim_new(n);
            sim_fault(s, (struct sim_fault){.kind = kinds[k], .nth = n});
            bool ok = work(s), fired = sim_fault_fired(s) > 0;
            assert_int_equal(ok, !fired);
            sim_fault_clear(s);
            struct err err = {0};
            uint64_t v;
            bool on = disk_of(s)->ops->free_bytes(disk_of(s), &v, &err);
            assert_int_equal(on, !fired || kinds[k] != SIM_POWER_LOSS);
            struct sim *after = sim_power_cut(s, n);
            assert_true(disk_of(after)->ops->free_bytes(disk_of(after), &v, &err));
            sim_free(after);
            sim_free(s);
            if (!fired)
                break;
        }
        assert_int_equal(n, 19);
    }
}

static void test_fault_selection(void **state)
{
    struct sim *s = sim_new(8);
    struct disk_file *f = open_new(s, "f");
    sim_fault(s, (struct sim_fault){.calls = SIM_BIT(SIM_WRITE), .nth = 2, .times = 2});
    static const bool want[] = {true, false, false, true};
    for (size_t i = 0; i < 4; i++) {
        assert_true(sync_file(s, f));
        assert_int_equal(write_at(s, f, 0, "x", 1), want[i]);
    }
    assert_int_equal(sim_fault_fired(s), 2);
    sim_fault(s, (struct sim_fault){.kind = SIM_NO_SPACE, .nth = 1, .times = UINT64_MAX});
    struct err err = {0};
    for (int i = 0; i < 5; i++)
        assert_false(disk_of(s)->ops->sync(f, &err));
    assert_int_equal(err.kind, ERR_NO_SPACE);
    sim_fault_clear(s);
    assert_true(sync_file(s, f));
    struct sim_stats st = sim_stats(s);
    assert_int_equal(st.calls[SIM_WRITE], 4);
    assert_int_equal(st.failed[SIM_WRITE], 2);
    assert_int_equal(st.failed[SIM_SYNC], 5);
    assert_int_equal(st.files_open, 1);
    for (int i = 0; i < SIM_CALLS; i++)
        assert_non_null(sim_call_name((enum sim_call)i));
    sim_free(s); /* closes f */
}

/* The power goes in the middle of a rename: it may have happened or not. */
static void test_power_loss_in_call(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(9);
    save(s, "a", "x");
    assert_true(sync_dir(s, "."));
    sim_fault(s,
              (struct sim_fault){.kind = SIM_POWER_LOSS, .calls = SIM_BIT(SIM_RENAME), .nth = 1});
    assert_false(rename_to(s, "a", "b"));
    assert_false(sync_dir(s, ".")); /* too late */
    int done = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(s, i);
        bool b = text_of(after, "b", &a) != NULL;
        assert_int_equal(b, text_of(after, "a", &a) == NULL);
        done += b;
        sim_free(after);
    }
    assert_in_range(done, 1, OUTCOMES - 1);
    sim_free(s);
}

static void test_clone_keeps_all(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(10);
    struct err err = {0};
    struct disk_file *f = open_new(s, "f");
    assert_true(write_at(s, f, 0, "written", 7));
    assert_true(disk_of(s)->ops->lock(disk_of(s), STR("lock"), &err));
    struct sim *c = sim_clone(s);
    assert_string_equal(text_of(c, "f", &a), "written");
    assert_true(disk_of(c)->ops->lock(disk_of(c), STR("lock"), &err));
    assert_int_equal(sim_used(c), 7);
    /* Neither sees what happens to the other. */
    assert_true(write_at(s, f, 0, "WRITTEN", 7));
    assert_string_equal(text_of(c, "f", &a), "written");
    close_file(s, f);
    sim_free(s);
    /* What was not safe is still not safe, and luck is the same as on the original. */
    int lost = 0;
    for (uint64_t i = 0; i < OUTCOMES; i++) {
        struct sim *after = sim_power_cut(c, i);
        const char *text = text_of(after, "f", &a);
        lost += !text || strcmp(text, "written") != 0;
        sim_free(after);
    }
    assert_in_range(lost, 1, OUTCOMES - 1);
    sim_free(c);
}

static void test_at_rest(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct sim *s = sim_new(11);
    str *paths;
    size_t n;
    sim_put(s, STR("x/y/f"), bytes_of("abc", 3));
    sim_put(s, STR("a"), bytes_of("1", 1));
    sim_put(s, STR("x/y/f"), bytes_of("ABCD", 4));
    assert_int_equal(sim_used(s), 5);
    assert_true(sim_flip(s, STR("x/y/f"), 1, 5));
    assert_false(sim_flip(s, STR("x/y/f"), 4, 0));
    assert_false(sim_flip(s, STR("none"), 0, 0));
    assert_true(sim_cut_file(s, STR("x/y/f"), 3));
    assert_false(sim_cut_file(s, STR("x/y/f"), 4));
    struct sim *after = sim_power_cut(s, 0);
    assert_string_equal(text_of(after, "x/y/f", &a), "AbC");
    sim_files(after, &a, &paths, &n);
    assert_int_equal(n, 2);
    assert_true(str_eqz(paths[0], "a") && str_eqz(paths[1], "x/y/f"));
    sim_free(after);
    sim_free(s);
}

static void test_clock_and_entropy(void **state)
{
    struct sim *s = sim_new(12), *t = sim_new(12), *u = sim_new(13);
    struct env e = sim_env(s);
    ts_ms wall = env_now_ms(&e);
    int64_t mono = env_mono_ns(&e);
    sim_advance_ms(s, 1500);
    assert_int_equal(env_now_ms(&e), wall + 1500);
    assert_int_equal(env_mono_ns(&e), mono + 1500 * 1000000LL);
    sim_set_wall_ms(s, 0);
    assert_int_equal(env_now_ms(&e), 0);
    assert_int_equal(env_mono_ns(&e), mono + 1500 * 1000000LL);
    uint8_t a[32], b[32], c[32];
    sim_env(s).entropy->fill(sim_env(s).entropy, a, sizeof a);
    sim_env(t).entropy->fill(sim_env(t).entropy, b, sizeof b);
    sim_env(u).entropy->fill(sim_env(u).entropy, c, sizeof c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_int_equal(sim_random(s), sim_random(t));
    sim_free(s);
    sim_free(t);
    sim_free(u);
}

static void random_step(struct sim *s, uint64_t *r)
{
    static const char *const paths[] = {"a", "b", "d/a", "d/b", "e/a", "e", "d", "d/d"};
    struct disk *d = disk_of(s);
    struct err err = {0};
    str p = str_from_z(paths[(*r >> 8) % 8]), q = str_from_z(paths[(*r >> 16) % 8]);
    *r = sim_random(s);
    if (*r % 11 == 0)
        d->ops->mkdir(d, p, &err);
    else if (*r % 11 == 1)
        d->ops->unlink(d, p, &err);
    else if (*r % 11 == 2)
        d->ops->rmdir(d, p, &err);
    else if (*r % 11 == 3)
        d->ops->sync_dir(d, p, &err);
    else if (*r % 11 == 4)
        d->ops->link(d, p, q, &err);
    else if (*r % 11 < 8)
        d->ops->rename(d, p, q, &err);
    else {
        struct disk_file *f = d->ops->open(d, p, RW_NEW, &err);
        if (f && (*r >> 32) % 3)
            write_at(s, f, (*r >> 24) % 2000, "0123456789", 10);
        if (f && (*r >> 33) % 3 == 0)
            d->ops->truncate(f, (*r >> 40) % 3000, &err);
        if (f && (*r >> 34) % 3 == 0)
            d->ops->sync(f, &err);
        d->ops->close(f);
    }
}

/* Any order of steps, cut or copied at any moment: nothing leaks, space adds up, same seed same
 * disk. */
static void test_random_steps(void **state)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sim *s = sim_new(seed);
        uint64_t r = seed;
        for (int i = 0; i < 60; i++)
            random_step(s, &r);
        for (uint64_t outcome = 0; outcome < 4; outcome++) {
            ARENA_CLEANUP struct arena a;
            arena_init(&a, 0);
            struct sim *c = sim_clone(s);
            struct sim *x = sim_power_cut(s, outcome), *y = sim_power_cut(c, outcome);
            str *xp, *yp;
            size_t xn, yn;
            assert_int_equal(sim_used(c), sim_used(s));
            sim_files(x, &a, &xp, &xn);
            sim_files(y, &a, &yp, &yn);
            assert_int_equal(xn, yn);
            for (size_t i = 0; i < xn; i++) {
                bytes xb = {0}, yb = {0};
                assert_true(str_eq(xp[i], yp[i]));
                assert_true(sim_get(x, xp[i], &a, &xb) && sim_get(y, yp[i], &a, &yb));
                assert_true(str_eq(str_from_bytes(xb), str_from_bytes(yb)));
            }
            sim_free(c);
            sim_free(x);
            sim_free(y);
        }
        sim_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_survives),
        cmocka_unit_test(test_names_may_be_lost),
        cmocka_unit_test(test_directory_may_be_lost),
        cmocka_unit_test(test_unlink_may_be_lost),
        cmocka_unit_test(test_sectors_are_torn),
        cmocka_unit_test(test_sizes_may_be_lost),
        cmocka_unit_test(test_failed_sync_forgets),
        cmocka_unit_test(test_failed_write_leaves_prefix),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_every_call_can_fail),
        cmocka_unit_test(test_fault_selection),
        cmocka_unit_test(test_power_loss_in_call),
        cmocka_unit_test(test_clone_keeps_all),
        cmocka_unit_test(test_at_rest),
        cmocka_unit_test(test_clock_and_entropy),
        cmocka_unit_test(test_random_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
