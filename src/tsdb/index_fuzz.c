// SPDX-License-Identifier: Apache-2.0
/* The sections of a part, checksums right and contents from any bytes: loading, matching, reading.
 */
#include "sys/sim/sim.h"
#include "tsdb/index.h"
#include "tsdb/tier_part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Six sections; lengths are the first twelve bytes. Values and metadata are the blocks of rows and
 * their directory too. */
static void write_part(struct env *env, const uint8_t *data, size_t n)
{
    static const char *const names[] = {"values", "times",  "symbols",
                                        "series", "blocks", "metadata"};
    struct err err;
    struct part_info info = {.id = 1, .kind = PART_KIND_METRICS, .series = 2};
    uint64_t size;
    env->disk->ops->mkdir(env->disk, STR("p"), &err);
    struct part_writer *w = part_writer_open(env->disk, STR("p"), 1, &err);
    size_t at = 12;
    for (int i = 0; i < 6; i++) {
        size_t len = data[2 * i] | (size_t)data[2 * i + 1] << 8;
        len = len < n - at ? len : n - at;
        part_writer_section(w, names[i]);
        part_writer_add(w, data + at, len);
        if (i == 0 || i == 5) {
            part_writer_section(w, i ? "row_blocks" : "rows");
            part_writer_add(w, data + at, len);
        }
        at += len;
    }
    part_writer_finish(w, &info, &size, &err);
}

static void use_rows(struct part *p)
{
    struct arena a ARENA_CLEANUP;
    struct err err;
    arena_init(&a, 0);
    struct tier_rows rows = {.arena = &a};
    struct tier_dir *d = tier_dir_load(p, &err);
    for (uint32_t i = 0; d && i < 3; i++)
        tier_dir_read(d, i, &rows, &err);
    tier_dir_free(d);
}

static void ignore(void *arg, str text)
{
}

static void use(struct index *x)
{
    struct arena a ARENA_CLEANUP;
    struct err err = {0};
    struct matcher m[2];
    struct id_list ids;
    arena_init(&a, 0);
    if (!matcher_init(&m[0], MATCH_NE, STR("a"), STR("b"), &err) ||
        !matcher_init(&m[1], MATCH_EQ, STR("c"), STR("d"), &err))
        return;
    struct page_cache *pages = page_cache_new(1 << 20);
    for (size_t k = 0; k < 3; k++) {
        index_match(x, m, k, &a, &ids);
        index_see(x, k ? STR("a") : STR(""), k == 2 ? NULL : &ids, &a, ignore, NULL);
        for (size_t i = 0; i < ids.n && i < 16; i++) {
            struct gather g = gather_of(&a, INT64_MIN, INT64_MAX);
            index_labels(x, ids.at[i], &a);
            index_overlaps(x, ids.at[i], 0, 1000);
            index_read(x, pages, &ids.at[i], 1, &(struct gather *){&g}, &err);
        }
    }
    page_cache_free(pages);
    matcher_fini(&m[0]);
    matcher_fini(&m[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 12)
        return 0;
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct err err;
    write_part(&env, data, n);
    struct blob *b = blob_file_open(env.disk, STR("p/0000000000000001.part"), &err);
    struct part *p = b ? part_open(b, &err) : NULL;
    struct index *x = p ? index_load(p, &err) : NULL;
    if (x) {
        use(x);
        index_free(x);
    }
    if (p) {
        use_rows(p);
        part_close(p);
    }
    sim_free(sim);
    return 0;
}
