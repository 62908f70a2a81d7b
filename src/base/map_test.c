// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/arena.h"
#include "base/test.h"

static void keeps_what_was_put(void **state)
{
    MAP_CLEANUP struct map m = {0};
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    assert_null(map_get(&m, STR("x")));
    for (intptr_t i = 0; i < 5000; i++)
        assert_true(map_put(&m, arena_printf(&a, "key-%ld", (long)i), (void *)(i + 1)));
    for (intptr_t i = 0; i < 5000; i++)
        assert_int_equal((intptr_t)map_get(&m, arena_printf(&a, "key-%ld", (long)i)), i + 1);
    assert_false(map_put(&m, STR("key-7"), NULL));
    assert_true(map_has(&m, STR("key-7")));
    assert_null(map_get(&m, STR("key-7")));
    assert_int_equal(m.n, 5000);
    assert_str(m.entries[42].key, STR("key-42"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_was_put)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
