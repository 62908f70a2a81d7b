// SPDX-License-Identifier: Apache-2.0
/* The order of the head against labels_cmp: names in common, labels that others go on behind,
 * series that leave and come again, in rounds of a few and of many. */
#include "tsdb/order.h"

#include "base/test.h"
#include "tsdb/head.h"

enum { SHARDS = 4, ROUNDS = 12, MANY = 3000 };

/* Labels that come again and again: a to d, each of four values or absent. */
static struct labels labels_of(uint32_t n, struct arena *a)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct label *at = arena_array(a, struct label, TESTS_N(names) + 2);
    size_t k = 0;
    at[k++] = (struct label){LABEL_NAME, arena_printf(a, "m%u", n % 7 ? n % 3 : n)};
    for (size_t i = 0; i < TESTS_N(names); i++, n /= 5)
        if (n % 5)
            at[k++] = (struct label){str_from_z(names[i]), arena_printf(a, "v%u", n % 5)};
    if (n % 4)
        at[k++] = (struct label){STR("e"), arena_printf(a, "%u", n)};
    return (struct labels){at, k};
}

static void add(struct head *h, uint32_t n, struct arena *a)
{
    struct labels ls = labels_of(n, a);
    uint64_t hash = labels_hash(ls);
    struct shard *sh = &h->shards[head_shard_of(h, hash)];
    if (!shard_find(h, sh, ls, hash))
        shard_add(h, sh, ls, hash)->idle = n % 3;
}

static void check(struct head *h, struct arena *a)
{
    struct reclaim_reader reader;
    reclaim_enter(&h->reclaim, &reader);
    order_update(h);
    reclaim_leave(&h->reclaim, &reader);
    assert_int_equal(h->order.at.n, atomic_load(&h->series));
    for (size_t i = 1; i < h->order.at.n; i++) {
        const struct series *x = h->order.at.at[i - 1], *y = h->order.at.at[i];
        assert_true(labels_cmp(series_labels(h, x, a), series_labels(h, y, a)) < 0);
        assert_true(x->rank < y->rank);
    }
}

static void test_rounds(void **state)
{
    struct head h;
    struct arena a ARENA_CLEANUP;
    uint32_t n = 1;
    arena_init(&a, 0);
    head_init(&h, SHARDS);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < (round % 3 ? MANY : 10); i++, n = n * 1664525 + 1013904223)
            add(&h, n >> (round % 2 ? 4 : 18), &a);
        check(&h, &a);
        head_remove_idle(&h, 2);
        check(&h, &a);
        arena_reset(&a);
    }
    head_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
