// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/map.h"
#include "sys/self.h"

static void test_rows(void **state)
{
    MAP_CLEANUP struct map seen = {0};
    for (int i = 0; i < SELF_N; i++) {
        const struct self_row *r = &self_rows[i];
        str name = str_from_z(r->name);
        assert_true(str_starts(name, STR("nunchi_")));
        assert_int_equal(str_ends(name, STR("_total")), r->type != SELF_TYPE_GAUGE);
        assert_int_equal(str_ends(name, STR("_seconds_total")), r->type == SELF_TYPE_SECONDS);
        assert_true(str_ends(str_from_z(r->help), STR(".")));
        assert_int_equal(r->label[0] == 0, r->value[0] == 0);
        /* Rows of one name stand together and agree. */
        if (i && strcmp(r[-1].name, r->name) == 0) {
            assert_string_equal(r[-1].help, r->help);
            assert_string_equal(r[-1].label, r->label);
            assert_int_equal(r[-1].type, r->type);
            assert_string_not_equal(r[-1].value, r->value);
        } else {
            assert_true(map_put(&seen, name, &seen));
        }
    }
}

static void test_values(void **state)
{
    int64_t before = self_get(SELF_HTTP_2XX);
    self_add(SELF_HTTP_2XX, 3);
    assert_int_equal(self_get(SELF_HTTP_2XX), before + 3);
    self_set(SELF_HTTP_2XX, 1);
    assert_int_equal(self_get(SELF_HTTP_2XX), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
