// SPDX-License-Identifier: Apache-2.0
/* Blobs, cache, parts and catalog. */
#include "base/mem.h"
#include "base/test.h"
#include "store/catalog.h"
#include "sys/sim/sim.h"

static void test_cache(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct err err = {0};
    enum { SIZE = 300000 };
    uint8_t *content = mem_alloc(SIZE), *buf = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 7 + i / 251);
    sim_put(sim, STR("f"), (bytes){content, SIZE});
    for (int late = 0; late < 2; late++) {
        struct blob_cache *c = blob_cache_new(130 << 10); /* two pages */
        struct blob *b = blob_file_open(env.disk, STR("f"), &err);
        b = blob_cached(c, late ? blob_late(b, 5) : b);
        for (size_t i = 0; i < 200; i++) {
            struct blob_range r[3];
            for (size_t k = 0; k < 3; k++) {
                uint64_t off = (i * 7919 + k * 104729) % SIZE, n = (i * 31 + k * 1000) % 90000;
                n = n < SIZE - off ? n : SIZE - off;
                r[k] = (struct blob_range){off, n, buf + k * 100000};
                r[k].n = n < 100000 ? n : 100000;
            }
            assert_true(blob_read(b, r, 3, &err));
            for (size_t k = 0; k < 3; k++)
                assert_memory_equal(r[k].buf, content + r[k].off, r[k].n);
        }
        struct blob_range past = {SIZE - 1, 2, buf};
        assert_false(blob_read(b, &past, 1, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        struct blob_cache_stats st;
        blob_cache_stats(c, &st);
        assert_true(st.hits > 0 && st.misses > 0 && st.bytes <= 130 << 10);
        blob_close(b);
        blob_cache_stats(c, &st);
        assert_int_equal(st.bytes, 0);
        blob_cache_free(c);
    }
    free(content);
    free(buf);
    sim_free(sim);
}

/* Writes a part that says it replaces `replaces`. */
static void make_part(struct disk *d, struct catalog *c, uint64_t id, uint64_t lsn,
                      const uint64_t *replaces, size_t replaces_n)
{
    struct err err = {0};
    uint64_t size;
    struct part_writer *w = part_writer_open(d, catalog_parts_dir(c), id, &err);
    assert_non_null(w);
    part_writer_section(w, "a");
    part_writer_add(w, "hello", 5);
    part_writer_section(w, "empty");
    struct part_info info = {.id = id,
                             .kind = PART_KIND_METRICS,
                             .wal_from = lsn,
                             .wal_to = lsn + 10,
                             .replaces = replaces,
                             .replaces_n = replaces_n};
    assert_true(part_writer_finish(w, &info, &size, &err));
}

static struct catalog *open_catalog(struct env *env, struct catalog_recovery *rec)
{
    struct err err = {0};
    struct catalog_options o = {.disk = env->disk, .dir = STR("m"), .kind = PART_KIND_METRICS};
    struct catalog *c = catalog_open(&o, rec, &err);
    if (!c)
        fail_msg("%s", err.msg);
    return c;
}

static void assert_parts(struct catalog *c, size_t n, ...)
{
    struct part *const *parts;
    va_list ap;
    assert_int_equal(catalog_parts(c, &parts), n);
    va_start(ap, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(part_info(parts[i])->id, va_arg(ap, int));
    va_end(ap);
}

static void add(struct catalog *c, uint64_t id, uint64_t covered)
{
    struct err err = {0};
    struct catalog_change ch = {.add = &id, .add_n = 1, .wal_covered = covered};
    assert_true(catalog_apply(c, &ch, NULL, &err));
}

static void test_catalog(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct catalog_recovery rec;
    struct err err = {0};
    struct catalog *c = open_catalog(&env, &rec);
    assert_false(rec.rebuilt);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(catalog_next_id(c), id);
        make_part(env.disk, c, id, id * 10, NULL, 0);
        add(c, id, id * 10 + 10);
    }
    struct part *const *parts;
    catalog_parts(c, &parts);
    struct arena a ARENA_CLEANUP;
    bytes out[2];
    arena_init(&a, 0);
    const char *names[] = {"a", "empty"};
    assert_true(part_read_sections(parts[0], &a, names, 2, out, &err));
    assert_str(str_from_bytes(out[0]), STR("hello"));
    assert_int_equal(out[1].n, 0);
    names[0] = "nothing";
    assert_false(part_read_sections(parts[0], &a, names, 1, out, &err));
    /* 4 replaces 1 and 2. */
    uint64_t id = catalog_next_id(c), old[] = {1, 2};
    struct part *removed[2];
    make_part(env.disk, c, id, 10, old, 2);
    struct catalog_change ch = {&id, 1, old, 2, 0};
    assert_true(catalog_apply(c, &ch, removed, &err));
    assert_parts(c, 2, 4, 3);
    catalog_drop(c, removed[0]); /* the other is left as if the process had died */
    part_close(removed[1]);
    catalog_close(c);
    sim_process_ended(sim);
    c = open_catalog(&env, &rec);
    assert_parts(c, 2, 4, 3);
    assert_int_equal(rec.deleted, 1);
    assert_int_equal(catalog_wal_covered(c), 40);
    assert_int_equal(catalog_next_id(c), 5);
    /* A finished part that was never listed is taken in. */
    make_part(env.disk, c, 5, 40, NULL, 0);
    catalog_close(c);
    sim_process_ended(sim);
    c = open_catalog(&env, &rec);
    assert_parts(c, 3, 4, 3, 5);
    assert_int_equal(rec.adopted, 1);
    assert_int_equal(catalog_wal_covered(c), 50);
    /* One process at a time. */
    struct catalog_options o = {.disk = env.disk, .dir = STR("m"), .kind = PART_KIND_METRICS};
    assert_null(catalog_open(&o, &rec, &err));
    assert_int_equal(err.kind, ERR_EXISTS);
    catalog_close(c);
    sim_free(sim);
}

static void test_lost_catalog(void **s)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct catalog_recovery rec;
    struct err err = {0};
    struct catalog *c = open_catalog(&env, &rec);
    uint64_t old[] = {1, 2};
    make_part(env.disk, c, 1, 10, NULL, 0);
    make_part(env.disk, c, 2, 20, NULL, 0);
    make_part(env.disk, c, 3, 10, old, 2);
    catalog_close(c);
    sim_process_ended(sim);
    assert_true(env.disk->ops->unlink(env.disk, STR("m/catalog"), &err));
    c = open_catalog(&env, &rec);
    assert_true(rec.rebuilt);
    assert_parts(c, 1, 3);
    catalog_close(c);
    sim_process_ended(sim);
    /* A part of the wrong name or kind, and one that is none, are put away. */
    sim_put(sim, STR("m/parts/0000000000000009.part"), bytes_from_str(STR("nothing of ours")));
    c = open_catalog(&env, &rec);
    assert_int_equal(rec.quarantined, 1);
    assert_int_equal(catalog_next_id(c), 10);
    catalog_close(c);
    sim_process_ended(sim);
    sim_put(sim, STR("m/format"), bytes_from_str(STR("nunchi storage 2\n")));
    struct catalog_options o = {.disk = env.disk, .dir = STR("m"), .kind = PART_KIND_METRICS};
    assert_null(catalog_open(&o, &rec, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_catalog),
        cmocka_unit_test(test_lost_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
