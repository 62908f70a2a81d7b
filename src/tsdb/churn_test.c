// SPDX-License-Identifier: Apache-2.0
/*
 * Series that come and go, for many generations: what the head keeps is of the living. Counts and
 * bytes, no clock.
 */
#include <inttypes.h>

#include "base/test.h"
#include "base/vec.h"
#include "tsdb/head.h"

enum { SHARDS = 2, STABLE = 300, FRESH = 1000, GENERATIONS = 400, SETTLED = 140 };

struct world {
    struct head head;
    struct arena arena;
};

static struct series_key key_of(uint64_t n)
{
    return (struct series_key){n * 0x9e3779b97f4a7c15ULL, n * 0xc2b2ae3d27d4eb4fULL};
}

/* Series `i` of a generation: a metric and a job of all, a pod and an image of its generation. */
static struct series *add(struct world *w, unsigned generation, unsigned i)
{
    struct arena *a = &w->arena;
    struct label at[] = {
        {LABEL_NAME, arena_printf(a, "metric_%u", i % 50)},
        {STR("image"), arena_printf(a, "app:%u", generation)},
        {STR("job"), STR("node")},
        {STR("pod"), arena_printf(a, "pod-%u-%u", generation, i / 10)},
        {arena_printf(a, "since_%u", generation % 3 ? 0 : generation), STR("yes")},
    };
    struct labels ls = {at, TESTS_N(at)};
    uint64_t hash = labels_hash(ls);
    unsigned shard = head_shard_of(&w->head, hash);
    struct series *s = shard_find(&w->head, &w->head.shards[shard], ls, hash);
    if (!s)
        s = shard_add(&w->head, &w->head.shards[shard], ls, hash);
    keys_put(&w->head.keys, &w->head, &(struct key_new){key_of(hash), shard, s->id}, 1);
    return s;
}

/* A sample of it has a start, and was flushed. */
static void give_start(struct world *w, struct series *s)
{
    extras_put(&w->head.extras, head_series_number(&w->head, s), 1000, NULL, 500, INT64_MAX);
    s->has_extra = true;
}

/* All that a head allocates for series, by what could grow. */
struct sizes {
    size_t table, slots, postings, ids, pairs, names, symbols, order, keys, extras, memory;
};

static struct sizes measure(struct world *w)
{
    struct head *h = &w->head;
    struct sizes s = {.symbols = h->symbols.next + h->symbols.slots_n,
                      .order = h->order.at.n,
                      .keys = keys_bytes(&h->keys),
                      .extras = h->extras.at.cap + h->extras.places.cap,
                      .memory = head_memory(h)};
    for (unsigned i = 0; i < SHARDS; i++) {
        const struct shard *sh = &h->shards[i];
        s.table += series_table_bytes(&sh->table);
        s.slots += sh->slots_n;
        s.postings += sh->index.postings.cap + sh->index.unused.cap + sh->index.dirty.cap;
        s.pairs += sh->index.pairs.cap + sh->index.by_name.cap;
        s.names += sh->index.names.n;
        VEC_EACH (p, &sh->index.postings)
            s.ids += p->cap;
        VEC_EACH (n, &sh->index.names)
            s.ids += n->postings.cap;
    }
    return s;
}

/* At most a half more than when things had settled. */
static void check_bound(const char *what, size_t now, size_t then)
{
    if (now > then + then / 2 + 64)
        fail_msg("%s: %zu, after the first generations %zu", what, now, then);
}

static void check_sizes(const struct sizes *now, const struct sizes *then)
{
    check_bound("tables", now->table, then->table);
    check_bound("slots", now->slots, then->slots);
    check_bound("postings", now->postings, then->postings);
    check_bound("ids", now->ids, then->ids);
    check_bound("pairs", now->pairs, then->pairs);
    check_bound("names", now->names, then->names);
    check_bound("symbols", now->symbols, then->symbols);
    check_bound("order", now->order, then->order);
    check_bound("keys", now->keys, then->keys);
    check_bound("extras", now->extras, then->extras);
    check_bound("memory", now->memory, then->memory);
}

static size_t count(struct world *w, str name, const char *value)
{
    struct matcher m;
    struct err err;
    size_t n = 0;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    assert_true(matcher_init(&m, MATCH_RE, name, str_from_z(value), &err));
    for (unsigned i = 0; i < SHARDS; i++)
        n += shard_match(&w->head, &w->head.shards[i], &m, 1, &a).n;
    matcher_fini(&m);
    return n;
}

static void update_order(struct world *w)
{
    struct reclaim_reader reader;
    reclaim_enter(&w->head.reclaim, &reader);
    order_update(&w->head);
    reclaim_leave(&w->head.reclaim, &reader);
}

static void test_generations(void **state)
{
    struct world w;
    struct sizes then = {0};
    arena_init(&w.arena, 0);
    head_init(&w.head, SHARDS);
    for (unsigned i = 0; i < STABLE; i++)
        add(&w, 0, i);
    for (unsigned g = 1; g <= GENERATIONS; g++, arena_reset(&w.arena)) {
        VEC(struct series *) fresh = {0};
        for (unsigned i = 0; i < FRESH; i++)
            vec_push(&fresh, add(&w, g, i));
        update_order(&w);
        assert_int_equal(w.head.series, STABLE + FRESH);
        assert_int_equal(count(&w, STR("pod"), "pod-.*"), STABLE + FRESH);
        assert_int_equal(count(&w, STR("image"), "app:0|app:9999"), STABLE);
        for (unsigned i = 0; i < FRESH; i += 10)
            give_start(&w, fresh.at[i]);
        assert_int_equal(w.head.extras.at.n, FRESH / 10);
        VEC_EACH (s, &fresh)
            (*s)->idle = 2;
        vec_fini(&fresh);
        head_remove_idle(&w.head, 2);
        assert_int_equal(w.head.series, STABLE);
        assert_int_equal(w.head.extras.at.n, 0);
        assert_int_equal(count(&w, STR("job"), "node"), STABLE);
        assert_int_equal(count(&w, STR("pod"), ".+"), STABLE);
        struct sizes now = measure(&w);
        if (g == SETTLED)
            then = now;
        if (g > SETTLED)
            check_sizes(&now, &then);
    }
    assert_int_equal(w.head.symbols.live, 5 + 50 + 3 + STABLE / 10); /* names and values */
    head_fini(&w.head);
    arena_fini(&w.arena);
}

/* One of a few hundred stays of each generation; then the head shrinks to a hundredth. */
static void test_survivors(void **state)
{
    struct world w;
    arena_init(&w.arena, 0);
    head_init(&w.head, SHARDS);
    size_t peak = 0, stay = 0;
    for (unsigned g = 1; g <= 100; g++, arena_reset(&w.arena)) {
        for (unsigned i = 0; i < FRESH; i++)
            add(&w, g, i)->idle = i % 250 ? 2 : 0;
        stay += FRESH / 250;
        head_remove_idle(&w.head, 2);
        assert_int_equal(w.head.series, stay);
        struct sizes now = measure(&w);
        /* A block of the table each at most, and one to fill. */
        assert_true(now.table <= (stay + 2 * SHARDS) * TABLE_BLOCK * sizeof(struct series_place) +
                                     2 * SHARDS * (sizeof(struct series_span) + 64));
        peak = now.table;
    }
    struct series *s;
    for (unsigned i = 0; i < SHARDS; i++)
        for (uint32_t id = 0; (s = series_table_next(&w.head.shards[i].table, &id)); id++)
            s->idle = 2;
    head_remove_idle(&w.head, 2);
    assert_int_equal(w.head.series, 0);
    struct sizes now = measure(&w);
    assert_true(now.table < peak / 4);
    assert_int_equal(now.ids, 0);
    assert_int_equal(now.names, 0);
    assert_int_equal(w.head.symbols.live, 0);
    assert_int_equal(atomic_load(&w.head.memory), 0);
    head_fini(&w.head);
    arena_fini(&w.arena);
}

/* A selection that began before can still tell the labels; nobody gets their symbols meanwhile. */
static void test_labels_of_leavers(void **state)
{
    struct world w;
    struct reclaim_reader reader;
    arena_init(&w.arena, 0);
    head_init(&w.head, SHARDS);
    struct series *s = add(&w, 1, 7);
    struct labels told = labels_dup(&w.arena, series_labels(&w.head, s, &w.arena));
    reclaim_enter(&w.head.reclaim, &reader);
    s->idle = 2;
    head_remove_idle(&w.head, 2);
    assert_int_equal(w.head.series, 0);
    for (unsigned g = 2; g < 5; g++) {
        struct series *other = add(&w, g, 8);
        assert_true(labels_eq(series_labels(&w.head, s, &w.arena), told));
        other->idle = 2;
        head_remove_idle(&w.head, 2);
    }
    assert_int_equal(count(&w, STR("job"), "node"), 0);
    assert_true(w.head.symbols.live > 0);
    reclaim_leave(&w.head.reclaim, &reader);
    head_remove_idle(&w.head, 2);
    assert_int_equal(w.head.symbols.live, 0);
    assert_int_equal(w.head.leaving.n, 0);
    head_fini(&w.head);
    arena_fini(&w.arena);
}

/* Random additions and removals against an array. */
static void test_table(void **state)
{
    enum { N = 300000 };
    static uint64_t room[8]; /* addresses: nobody looks inside */
    static struct series *model[N];
    struct series_table t = {0};
    uint64_t x = 88172645463325252ULL;
    uint32_t end = 0;
    for (int step = 0; step < N; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint32_t id = end ? (uint32_t)(x >> 20) % end : 0;
        if (x % 16 < 9 && end < N) {
            model[end] = (struct series *)&room[x % 8];
            assert_int_equal(series_table_end(&t), end);
            series_table_add(&t, model[end++]);
        } else if (x % 64 == 15) { /* a stretch goes */
            for (uint32_t i = id; i < id + 3000 && i < end; i++)
                if (model[i]) {
                    series_table_remove(&t, i);
                    model[i] = NULL;
                }
        } else if (end && model[id]) {
            series_table_remove(&t, id);
            model[id] = NULL;
        }
    }
    uint32_t at = 0;
    for (uint32_t id = 0; id < end; id++) {
        assert_ptr_equal(series_table_get(&t, id), model[id]);
        if (!model[id])
            continue;
        assert_ptr_equal(series_table_next(&t, &at), model[id]);
        assert_int_equal(at++, id);
    }
    assert_null(series_table_next(&t, &at));
    assert_null(series_table_get(&t, end));
    series_table_fini(&t);
}

static void test_numbers(void **state)
{
    struct numbers m = {0};
    uint32_t model[512] = {0}, n = 0;
    uint64_t x = 1;
    for (int step = 0; step < 200000; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint32_t key = 1 + (uint32_t)(x >> 30) % 511;
        bool fill = step / 20000 % 2 == 0;
        if (x % 8 < (fill ? 6 : 2)) {
            n += model[key] == 0;
            model[key] = 1 + (uint32_t)(x >> 50);
            numbers_put(&m, key, model[key]);
        } else {
            n -= model[key] != 0;
            model[key] = 0;
            numbers_remove(&m, key);
        }
        assert_int_equal(m.n, n);
        assert_true(m.cap <= 1024);
        key = 1 + (uint32_t)(x >> 40) % 511;
        const uint32_t *there = numbers_get(&m, key);
        assert_int_equal(there ? *there : 0, model[key]);
    }
    for (uint32_t key = 1; key < 512; key++)
        numbers_remove(&m, key);
    assert_int_equal(m.n, 0);
    assert_int_equal(m.cap, 16);
    numbers_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generations),       cmocka_unit_test(test_survivors),
        cmocka_unit_test(test_labels_of_leavers), cmocka_unit_test(test_table),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
