// SPDX-License-Identifier: Apache-2.0
/* The sections of a part, checksums right and contents from any bytes: loading, matching, reading.
 */
#include <stdlib.h>

#include "sys/sim/sim.h"
#include "tsdb/index.h"
#include "tsdb/tier_part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { SECTIONS = 7 };

/* Lengths are the first bytes, two of each section. Values and metadata are the blocks of rows and
 * their directory too. */
static void write_part(struct env *env, const uint8_t *data, size_t n)
{
    static const char *const names[SECTIONS] = {"values",   "times",  "symbols", "series",
                                                "postings", "blocks", "metadata"};
    struct err err;
    struct part_info info = {.id = 1, .kind = PART_KIND_METRICS, .series = 2};
    uint64_t size;
    env->disk->ops->mkdir(env->disk, STR("p"), &err);
    struct part_writer *w = part_writer_open(env->disk, STR("p"), 1, &err);
    size_t at = 2 * SECTIONS;
    for (int i = 0; i < SECTIONS; i++) {
        size_t len = data[2 * i] | (size_t)data[2 * i + 1] << 8;
        len = len < n - at ? len : n - at;
        part_writer_section(w, names[i]);
        part_writer_add(w, data + at, len);
        if (i == 0 || i == SECTIONS - 1) {
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

enum { MATCHERS = 6 };

/* Of names and values that the seed has. */
static void make_matchers(struct matcher *m)
{
    static const struct {
        enum match_op op;
        str name, value;
    } rows[MATCHERS] = {
        {MATCH_NE, STR_INIT("i"), STR_INIT("0")},
        {MATCH_EQ, STR_INIT("__name__"), STR_INIT("m")},
        {MATCH_RE, STR_INIT("i"), STR_INIT("1|x")},
        {MATCH_NRE, STR_INIT("i"), STR_INIT("[12]")},
        {MATCH_EQ, STR_INIT("i"), STR_INIT("")},
        {MATCH_RE, STR_INIT("__name__"), STR_INIT("m.*")},
    };
    struct err err;
    for (size_t i = 0; i < MATCHERS; i++)
        if (!matcher_init(&m[i], rows[i].op, rows[i].name, rows[i].value, &err))
            abort();
}

static void use(struct index *x)
{
    struct arena a ARENA_CLEANUP;
    struct err err = {0};
    struct matcher m[MATCHERS];
    struct id_list ids;
    arena_init(&a, 0);
    make_matchers(m);
    index_check_postings(x, &err);
    struct page_cache *pages = page_cache_new(1 << 20);
    for (size_t k = 0; k < MATCHERS; k++) {
        index_match(x, m + k, k % 3 < MATCHERS - k ? k % 3 : MATCHERS - k, &a, &ids);
        index_see(x, k ? STR("i") : STR(""), k == 2 ? NULL : &ids, &a, ignore, NULL);
        for (size_t i = 0; i < ids.n && i < 16; i++) {
            struct gather g = gather_of(&a, INT64_MIN, INT64_MAX);
            index_labels(x, ids.at[i], &a);
            index_overlaps(x, ids.at[i], 0, 1000);
            index_read(x, pages, &ids.at[i], 1, &(struct gather *){&g}, &err);
        }
    }
    page_cache_free(pages);
    for (size_t k = 0; k < MATCHERS; k++)
        matcher_fini(&m[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2 * SECTIONS)
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
