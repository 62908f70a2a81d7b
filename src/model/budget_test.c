// SPDX-License-Identifier: Apache-2.0
#include "model/budget.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/test.h"

static int64_t fake_now(void *clock)
{
    return *(int64_t *)clock;
}

static void ends_at_its_limits(void **state)
{
    int64_t now = 10;
    struct budget b = {
        .deadline_mono_ns = 20, .mono_ns = fake_now, .clock = &now, .samples_max = 100};
    struct err err = {0};
    assert_true(budget_use(&b, 100, &err));
    assert_false(budget_use(&b, 1, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.msg, "--query.max-samples"));
    assert_false(budget_use(&b, UINT64_MAX, &err));

    now = 20;
    assert_false(budget_use(&b, 0, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_non_null(strstr(err.msg, "--query.timeout"));

    budget_end(&b, BUDGET_GONE);
    budget_end(&b, BUDGET_STOPPED);
    assert_false(budget_use(&b, 0, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_string_equal(err.msg, "query was canceled");

    struct budget none = {0};
    assert_true(budget_use(&none, UINT64_MAX, &err));
}

static void counts_what_arenas_have(void **state)
{
    struct budget b = {.memory = {.max_bytes = 2 << 20}};
    struct arena a;
    struct err err = {0};
    size_t held = 0;
    arena_init_quota(&a, &b.memory);
    arena_alloc(&a, 10);
    assert_int_equal(quota_used(&b.memory), 4096);
    assert_non_null(arena_try(&a, 1, 700000));
    assert_true(budget_hold(&b, &held, 200000, &err));
    assert_null(arena_try(&a, 1, 1300000));
    assert_false(arena_over(&a));
    assert_false(budget_hold(&b, &held, 1500000, &err));
    assert_int_equal(held, 200000);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.msg, "--query.max-memory"));
    arena_alloc(&a, 1300000);
    assert_true(arena_over(&a));
    assert_false(budget_use(&b, 0, &err));
    arena_reset(&a);
    assert_true(budget_use(&b, 0, &err));
    arena_fini(&a);
    assert_true(budget_hold(&b, &held, 0, &err));
    assert_int_equal(quota_used(&b.memory), 0);
    assert_true(atomic_load(&b.memory.peak) > 2100000);
    assert_true(budget_hold(NULL, &held, 10, &err));
}

static void refuses_for_all(void **state)
{
    struct budget_pool pool;
    struct budget b = {.memory = {.max_bytes = 1000}};
    struct err err = {0};
    size_t held = 0;
    budget_pool_init(&pool, 800);
    budget_join(&b, &pool);
    assert_true(budget_hold(&b, &held, 500, &err));
    assert_false(budget_hold(&b, &held, 900, &err)); /* nobody has more */
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.msg, "--query.total-memory"));
    assert_int_equal(atomic_load(&b.ended), BUDGET_EVICTED);
    assert_true(budget_hold(&b, &held, 0, &err));
    budget_leave(&b);
    budget_pool_fini(&pool);
}

struct large {
    struct budget b;
    size_t held;
    struct err err;
    _Atomic bool stopped;
};

static void on_stop(void *arg)
{
    struct large *l = arg;
    atomic_store(&l->stopped, true);
}

/* Works until it is told to end, and gives back what it has. */
static void *work(void *arg)
{
    struct large *l = arg;
    while (budget_use(&l->b, 0, &l->err))
        ;
    quota_hold(&l->b.memory, &l->held, 0);
    return NULL;
}

static void the_largest_goes_and_the_others_wait(void **state)
{
    struct budget_pool pool;
    struct large large = {.held = 0};
    struct budget small = {0}, other = {0};
    struct err err = {0};
    size_t held = 0, other_held = 0;
    pthread_t thread;
    budget_pool_init(&pool, 1000);
    budget_join(&large.b, &pool);
    budget_join(&small, &pool);
    budget_join(&other, &pool);
    assert_true(budget_hold(&large.b, &large.held, 700, &err));
    assert_true(budget_hold(&other, &other_held, 200, &err));
    budget_on_stop(&large.b, on_stop, &large);
    assert_int_equal(pthread_create(&thread, NULL, work, &large), 0);
    assert_true(budget_hold(&small, &held, 200, &err));
    pthread_join(thread, NULL);
    assert_int_equal(large.err.kind, ERR_LIMIT);
    assert_non_null(strstr(large.err.msg, "--query.total-memory"));
    assert_true(atomic_load(&large.stopped));
    assert_int_equal(atomic_load(&other.ended), BUDGET_GOES_ON);
    assert_int_equal(quota_used(&pool.memory), 400);
    quota_hold(&small.memory, &held, 0);
    quota_hold(&other.memory, &other_held, 0);
    budget_leave(&small);
    budget_leave(&large.b);
    budget_leave(&other);
    budget_pool_fini(&pool);
}

/* Who waits for memory still has its own time. */
static void waiting_has_an_end(void **state)
{
    int64_t now = 100;
    struct budget_pool pool;
    struct budget large = {0}, small = {.deadline_mono_ns = 50, .mono_ns = fake_now, .clock = &now};
    struct err err = {0};
    size_t large_held = 0, held = 0;
    budget_pool_init(&pool, 1000);
    budget_join(&large, &pool);
    budget_join(&small, &pool);
    quota_hold(&large.memory, &large_held, 1200);
    assert_false(budget_hold(&small, &held, 1, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_int_equal(atomic_load(&large.ended), BUDGET_EVICTED);
    budget_on_stop(&large, NULL, NULL);
    quota_hold(&large.memory, &large_held, 0);
    budget_leave(&large);
    budget_leave(&small);
    budget_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_its_limits),
        cmocka_unit_test(counts_what_arenas_have),
        cmocka_unit_test(refuses_for_all),
        cmocka_unit_test(the_largest_goes_and_the_others_wait),
        cmocka_unit_test(waiting_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
