// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "base/test.h"

static void hands_out_aligned_memory(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    for (size_t size = 0; size < 5000; size += 37) {
        char *p = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xaa, size);
    }
    assert_false(arena_over(&a));
}

static void remembers_its_limit(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 1000);
    assert_non_null(arena_try(&a, 10, 90));
    assert_null(arena_try(&a, 10, 20));
    assert_null(arena_try(&a, SIZE_MAX / 2, 3));
    assert_false(arena_over(&a));
    arena_alloc(&a, 200);
    assert_true(arena_over(&a));
    arena_reset(&a);
    assert_false(arena_over(&a));
    assert_int_equal(a.used, 0);
}

static void reuses_memory_after_reset(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10000; i++)
            arena_dup(&a, STR("some text"));
        arena_reset(&a);
    }
    assert_str(arena_printf(&a, "%s-%d", "x", 7), STR("x-7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_aligned_memory),
        cmocka_unit_test(remembers_its_limit),
        cmocka_unit_test(reuses_memory_after_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
