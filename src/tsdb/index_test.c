// SPDX-License-Identifier: Apache-2.0
/*
 * What matchers find in a part and in the head, against asking each series; postings of random and
 * of malformed lists. The whole engine, with deletions and merges, is compared in tsdb_test.c.
 */
#include "base/test.h"
#include "base/vec.h"
#include "sys/sim/sim.h"
#include "tsdb/index_int.h"
#include "tsdb/test_model.h"

enum { NAMES = 7, VALUES = 9, SETS_MAX = 400 };

static const char *const names[NAMES] = {"__name__", "a", "instance", "job", "le", "unit", "zone"};
/* Prefixes of each other, bytes beyond ASCII, a newline. */
static const char *const values[VALUES] = {
    "a", "ab", "abc", "b", "web-1", "web-2", "x\ny", "\xc3\xa9t\xc3\xa9", "\xff"};

struct world {
    struct arena arena;
    struct sim *sim;
    struct env env;
    struct labels sets[SETS_MAX]; /* sorted, each once */
    size_t n;
    struct part *part;
    struct index *index;
    struct head head;
};

static int set_cmp(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static struct labels random_set(struct world *w, struct rng *r, unsigned density)
{
    struct label *at = arena_array(&w->arena, struct label, NAMES);
    size_t n = 0;
    for (size_t i = 0; i < NAMES; i++)
        if (rng_next(r) % 8 < density)
            at[n++] = (struct label){str_from_z(names[i]),
                                     str_from_z(values[rng_next(r) % (1 + rng_next(r) % VALUES)])};
    return (struct labels){at, n};
}

static void write_part(struct world *w, const struct labels *sets, size_t n)
{
    struct err err = {0};
    struct part_info info = {.id = 1};
    uint64_t size;
    ts_ms t = 1700000000000;
    double v = 1;
    assert_true(w->env.disk->ops->mkdir(w->env.disk, STR("p"), &err));
    struct index_writer *x = index_writer_new(part_writer_open(w->env.disk, STR("p"), 1, &err));
    for (size_t i = 0; i < n; i++)
        index_writer_series(x, sets[i], &t, &v, 1);
    assert_true(index_writer_finish(x, &info, &size, &err));
    struct blob *b = blob_file_open(w->env.disk, STR("p/0000000000000001.part"), &err);
    w->part = part_open(b, &err);
    assert_non_null(w->part);
    w->index = index_load(w->part, &err);
    if (!w->index)
        fail_msg("%s", err.msg);
    assert_int_equal(index_series_n(w->index), n);
    assert_true(index_check_postings(w->index, &err));
}

static void world_init(struct world *w, struct rng *r)
{
    *w = (struct world){.sim = sim_new(1)};
    w->env = sim_env(w->sim);
    arena_init(&w->arena, 0);
    head_init(&w->head, 1);
    size_t all = rng_next(r) % SETS_MAX;
    unsigned density = 1 + (unsigned)(rng_next(r) % 8);
    struct labels *sets = arena_array(&w->arena, struct labels, all + 1);
    for (size_t i = 0; i < all; i++)
        sets[i] = random_set(w, r, density);
    for (size_t i = 0; i < all; i++) /* the head has them in the order they came in */
        if (!shard_find(&w->head, w->head.shards, sets[i], labels_hash(sets[i])))
            shard_add(&w->head, w->head.shards, sets[i], labels_hash(sets[i]));
    if (all)
        qsort(sets, all, sizeof *sets, set_cmp);
    for (size_t i = 0; i < all; i++)
        if (w->n == 0 || !labels_eq(w->sets[w->n - 1], sets[i]))
            w->sets[w->n++] = sets[i];
    write_part(w, w->sets, w->n);
}

static void world_fini(struct world *w)
{
    index_free(w->index);
    part_close(w->part);
    head_fini(&w->head);
    sim_free(w->sim);
    arena_fini(&w->arena);
}

static struct matcher random_matcher(struct rng *r)
{
    static const char *const patterns[] = {
        "",    "a",         "a|b",   "a|b|nothing", "ab.*",     "web-[12]",    "web-.*", ".*",
        ".+",  "a?",        "|a",    "b|",          "(a|x\ny)", "[^a]+",       ".*b.*",  "a.*c",
        "x.y", "nothing.*", "\\xff", "a|ab",        "a|a|",     "web-(1|2|3)", "(?i)A",  ".*1|a",
    };
    enum match_op op = (enum match_op)(rng_next(r) % 4);
    uint64_t k = rng_next(r);
    const char *name = k % 12 == 0 ? "missing" : names[k / 12 % NAMES];
    const char *value = rng_next(r) % 8 == 0 ? "" : values[rng_next(r) % VALUES];
    struct matcher m;
    struct err err = {0};
    if (op == MATCH_RE || op == MATCH_NRE)
        value = patterns[rng_next(r) % TESTS_N(patterns)];
    else if (rng_next(r) % 10 == 0)
        value = "nowhere";
    if (!matcher_init(&m, op, str_from_z(name), str_from_z(value), &err))
        fail_msg("%s: %s", value, err.msg);
    return m;
}

static bool matches(struct labels ls, const struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!matcher_test(&m[i], labels_get(ls, m[i].name)))
            return false;
    return true;
}

static void told(const struct matcher *m, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_addc(out, i ? ',' : '{');
        matcher_format(&m[i], out);
    }
    strbuf_addc(out, '}');
}

static void compare(struct world *w, const struct matcher *m, size_t n, struct arena *a)
{
    struct strbuf text STRBUF_CLEANUP = {0};
    struct id_list part, head = shard_match(&w->head, w->head.shards, m, n, a);
    size_t k = 0;
    told(m, n, &text);
    index_match(w->index, m, n, a, &part);
    for (size_t i = 0; i < w->n; i++) {
        bool wanted = matches(w->sets[i], m, n);
        if (wanted != (k < part.n && part.at[k] == i))
            fail_msg("part, %s: series %zu of %zu", text.p, i, w->n);
        k += wanted;
    }
    assert_int_equal(k, part.n);
    if (head.n != k)
        fail_msg("head, %s: %zu instead of %zu", text.p, head.n, k);
    for (size_t i = 0; i < head.n; i++) {
        assert_true(i == 0 || head.at[i - 1] < head.at[i]);
        const struct series *s = series_table_get(&w->head.shards->table, head.at[i]);
        assert_true(s && matches(series_labels(&w->head, s, a), m, n));
    }
}

/* The head alone: as compare, of those that did not leave. */
static void compare_head(struct world *w, const bool *left, const struct matcher *m, size_t n,
                         struct arena *a)
{
    const struct shard *sh = w->head.shards;
    struct id_list ids = shard_match(&w->head, w->head.shards, m, n, a);
    struct strbuf text STRBUF_CLEANUP = {0};
    size_t k = 0;
    told(m, n, &text);
    for (uint32_t id = 0; id < series_table_end(&sh->table); id++) {
        const struct series *s = series_table_get(&sh->table, id);
        assert_int_equal(s == NULL, left[id]);
        bool wanted = s && matches(series_labels(&w->head, s, a), m, n);
        if (wanted != (k < ids.n && ids.at[k] == id))
            fail_msg("%s: series %u", text.p, id);
        k += wanted;
    }
    assert_int_equal(k, ids.n);
}

static void ask_head(struct world *w, const bool *left, struct rng *r)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (int query = 0; query < 8; query++, arena_reset(&a)) {
        struct matcher m[3];
        size_t n = rng_next(r) % (TESTS_N(m) + 1);
        for (size_t i = 0; i < n; i++)
            m[i] = random_matcher(r);
        compare_head(w, left, m, n, &a);
        for (size_t i = 0; i < n; i++)
            matcher_fini(&m[i]);
    }
}

/* Some series leave; their ids are in lists until these are cleaned, list by list. */
static void test_leaving(void **state)
{
    struct rng r = {.state = 5};
    for (int round = 0; round < 40; round++) {
        struct world w;
        bool left[SETS_MAX] = {0};
        VEC(struct series *) gone = {0};
        world_init(&w, &r);
        struct shard *sh = w.head.shards;
        struct series *s;
        uint64_t some = 1 + rng_next(&r) % 4;
        for (uint32_t id = 0; (s = series_table_next(&sh->table, &id)); id++) {
            if (rng_next(&r) % 4 >= some)
                continue;
            head_index_leave(&sh->index, s);
            series_table_remove(&sh->table, id);
            sh->live--;
            left[id] = true;
            vec_push(&gone, s);
        }
        ask_head(&w, left, &r);
        while (!head_index_clean(&sh->index, &sh->table, 1))
            ask_head(&w, left, &r);
        ask_head(&w, left, &r);
        size_t labels = 0, listed = 0;
        for (uint32_t id = 0; (s = series_table_next(&sh->table, &id)); id++)
            labels += s->labels_n;
        VEC_EACH (p, &sh->index.postings)
            listed += p->n;
        assert_int_equal(labels, listed);
        VEC_EACH (one, &gone)
            free(*one);
        vec_fini(&gone);
        world_fini(&w);
    }
}

struct seen {
    str at[64];
    size_t n;
};

static void see(void *arg, str text)
{
    struct seen *s = arg;
    assert_true(s->n < TESTS_N(s->at) && (s->n == 0 || str_cmp(s->at[s->n - 1], text) < 0));
    s->at[s->n++] = text;
}

/* Names and values, of all and of those that match. */
static void compare_names(struct world *w, const struct matcher *m, size_t n, struct arena *a)
{
    struct id_list ids;
    index_match(w->index, m, n, a, &ids);
    for (size_t i = 0; i <= NAMES; i++) {
        struct seen all = {0}, some = {0};
        str name = i == NAMES ? STR("") : str_from_z(names[i]);
        index_see(w->index, name, NULL, a, see, &all);
        index_see(w->index, name, &ids, a, see, &some);
        size_t k = 0;
        for (size_t j = 0; j < all.n; j++) {
            bool any = false;
            for (size_t s = 0; s < ids.n && !any; s++) {
                struct labels ls = w->sets[ids.at[s]];
                any = i == NAMES ? labels_get(ls, all.at[j]).n > 0
                                 : str_eq(labels_get(ls, name), all.at[j]);
            }
            assert_int_equal(any, k < some.n && str_eq(some.at[k], all.at[j]));
            k += any;
        }
        assert_int_equal(k, some.n);
    }
}

static void test_matchers(void **state)
{
    struct rng r = {.state = 11};
    for (int round = 0; round < 60; round++) {
        struct world w;
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        world_init(&w, &r);
        for (int query = 0; query < 60; query++, arena_reset(&a)) {
            struct matcher m[4];
            size_t n = rng_next(&r) % (TESTS_N(m) + 1);
            for (size_t i = 0; i < n; i++)
                m[i] = random_matcher(&r);
            compare(&w, m, n, &a);
            compare_names(&w, m, n, &a);
            for (size_t i = 0; i < n; i++)
                matcher_fini(&m[i]);
        }
        world_fini(&w);
    }
}

/* ---- lists ---- */

/* One name with one value. */
static void encode_ids(const uint32_t *ids, size_t n, struct enc *out)
{
    uint32_t *early = mem_zalloc((n + 1) * sizeof *early), final = 1;
    VEC(struct label_column) columns = {0};
    for (size_t i = 0; i < n; i++)
        vec_push(&columns, (struct label_column){.name = 0, .first = ids[i], .n = 1, .at = early});
    postings_encode(columns.at, columns.n, &final, 2, out);
    vec_fini(&columns);
    free(early);
}

static void test_lists(void **state)
{
    struct rng r = {.state = 3};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (int round = 0; round < 500; round++, arena_reset(&a)) {
        uint32_t ids[300], back[300], n = 1 + (uint32_t)(rng_next(&r) % 300), id = 0;
        uint32_t spread = 1 + (uint32_t)(rng_next(&r) % (round % 2 ? 4 : 100000)), gap = 1;
        for (uint32_t i = 0; i < n; i++) {
            if (rng_next(&r) % 8 == 0)
                gap = 1 + (uint32_t)(rng_next(&r) % spread);
            id += i || rng_next(&r) % 2 ? gap : 0;
            ids[i] = id;
        }
        struct enc e = {0};
        struct postings_dir d = {0};
        encode_ids(ids, n, &e);
        assert_true(postings_load(&d, (bytes){e.p, e.n}, 2, id + 1, n, &a));
        assert_int_equal(d.n, 1);
        assert_int_equal(d.names[0].series, n);
        posting_ids(&d, postings_find(&d, postings_name(&d, 0), 1), back);
        assert_memory_equal(ids, back, n * sizeof *ids);
        uint64_t *bits = arena_zalloc(&a, (id / 64 + 1) * sizeof *bits);
        posting_set(&d, d.at, bits);
        for (uint32_t i = 0, k = 0; i <= id && k < n; i++) {
            assert_int_equal(bits[i / 64] >> i % 64 & 1, ids[k] == i);
            k += ids[k] == i;
        }
        posting_clear(&d, d.at, bits);
        for (uint32_t i = 0; i <= id / 64; i++)
            assert_int_equal(bits[i], 0);
        /* One less of anything is refused. */
        assert_false(postings_load(&d, (bytes){e.p, e.n}, 1, id + 1, n, &a));
        assert_false(postings_load(&d, (bytes){e.p, e.n}, 2, id, n, &a));
        assert_false(postings_load(&d, (bytes){e.p, e.n}, 2, id + 1, n + 1, &a));
        assert_false(postings_load(&d, (bytes){e.p, e.n - 1}, 2, id + 1, n, &a));
        enc_fini(&e);
    }
}

static void test_malformed(void **state)
{
    /* Two names of two symbols each would be: names, values, counts, places, lists. */
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t n;
    } rows[] = {
        {"a name that is no symbol", {1, 9, 1, 0, 1, 0}, 6},
        {"a name twice", {2, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0}, 11},
        {"a value twice", {1, 0, 2, 1, 0, 1, 1, 0, 2}, 9},
        {"a value that is no symbol", {1, 0, 1, 8, 1, 0}, 6},
        {"a name without values", {1, 0, 0}, 3},
        {"more values than bytes", {1, 0, 200, 1}, 4},
        {"a value without series", {1, 0, 1, 1, 0, 0}, 6},
        {"an id beyond the series", {1, 0, 1, 1, 1, 20}, 6},
        {"an id below zero", {1, 0, 1, 1, 1, 1}, 6},
        {"a gap of nothing", {1, 0, 1, 1, 2, 2, 0, 0}, 8},
        {"no gap to repeat", {1, 0, 1, 1, 2, 2, 0, 3}, 8},
        {"repeated no times", {1, 0, 1, 1, 2, 3, 0, 2, 1}, 9},
        {"repeated too often", {1, 0, 1, 1, 2, 3, 0, 2, 5}, 9},
        {"a gap beyond the series", {1, 0, 1, 1, 2, 2, 0, 20}, 8},
        {"a list too long", {1, 0, 1, 1, 2, 3, 0, 2, 2}, 9},
        {"a list that ends in the next", {1, 0, 1, 1, 2, 1, 0, 2}, 8},
        {"bytes behind", {1, 0, 1, 1, 2, 2, 0, 2, 0}, 9},
        {"nothing", {0}, 0},
    };
    struct arena a ARENA_CLEANUP;
    struct postings_dir d;
    arena_init(&a, 0);
    static const uint8_t good[] = {1, 0, 1, 1, 2, 2, 0, 2};
    assert_true(postings_load(&d, bytes_of(good, sizeof good), 4, 4, 2, &a));
    for (size_t i = 0; i < TESTS_N(rows); i++)
        for (uint64_t labels = 0; labels < 5; labels++) {
            d = (struct postings_dir){0};
            if (postings_load(&d, bytes_of(rows[i].bytes, rows[i].n), 4, 4, labels, &a))
                fail_msg("%s: taken", rows[i].what);
        }
}

/* Sound in themselves, of other series than those that have the labels. */
static void test_of_others(void **state)
{
    struct world w = {.sim = sim_new(1)};
    struct err err = {0};
    w.env = sim_env(w.sim);
    arena_init(&w.arena, 0);
    head_init(&w.head, 1);
    for (size_t i = 0; i < 3; i++) {
        struct label *l = arena_new(&w.arena, struct label);
        *l = (struct label){STR("a"), str_from_z(values[i])};
        w.sets[w.n++] = (struct labels){l, 1};
    }
    write_part(&w, w.sets, w.n);
    struct posting *at = w.index->postings.at;
    assert_int_equal(w.index->postings.n, 3);
    at[0].at = 1;
    at[1].at = 0;
    assert_false(index_check_postings(w.index, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    world_fini(&w);
}

static str number(struct arena *a, char letter, unsigned n)
{
    return arena_printf(a, "%c%05u", letter, n);
}

/* One run whose columns take all widths. */
static void test_widths(void **state)
{
    enum { N = 70000 };
    struct world w = {.sim = sim_new(1)};
    struct matcher m[2];
    struct id_list ids;
    struct err err;
    w.env = sim_env(w.sim);
    arena_init(&w.arena, 0);
    head_init(&w.head, 1);
    struct labels *sets = arena_array(&w.arena, struct labels, N);
    for (unsigned i = 0; i < N; i++) {
        struct label *l = arena_array(&w.arena, struct label, 5);
        l[0] = (struct label){STR("__name__"), STR("m")};
        l[1] = (struct label){STR("a"), number(&w.arena, 'x', i)};
        l[2] = (struct label){STR("b"), number(&w.arena, 'y', i % 3)};
        l[3] = (struct label){STR("c"), number(&w.arena, 'z', i % 300)};
        l[4] = (struct label){STR("d"), i % 2 ? STR("x00000") : STR("z99999")};
        sets[i] = (struct labels){l, 5};
    }
    write_part(&w, sets, N);
    assert_int_equal(w.index->runs_n, 1);
    static const unsigned widths[] = {0, 4, 1, 2, 4};
    for (size_t i = 0; i < TESTS_N(widths); i++)
        assert_int_equal(w.index->runs[0].columns[i].width, widths[i]);
    for (unsigned i = 0; i < N; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        assert_true(labels_eq(index_labels(w.index, i, &a), sets[i]));
    }
    assert_true(matcher_init(&m[0], MATCH_EQ, STR("c"), STR("z00017"), &err) &&
                matcher_init(&m[1], MATCH_RE, STR("d"), STR("x.*"), &err));
    index_match(w.index, m, 2, &w.arena, &ids);
    assert_int_equal(ids.n, N / 300 + (N % 300 > 17));
    assert_int_equal(ids.at[1], 317);
    matcher_fini(&m[0]);
    matcher_fini(&m[1]);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matchers),  cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_lists),     cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_of_others), cmocka_unit_test(test_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
