// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sys/host.h"

static void test_read(void **state)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    struct err err = {0};
    assert_true(host_read(&b, "/proc/self/status", 1 << 20, &err));
    assert_true(str_starts(strbuf_str(&b), STR("Name:")));
    assert_true(host_read(&b, "/proc/self/comm", 1 << 20, &err));
    assert_true(b.n < 20);
    assert_false(host_read(&b, "/proc/self/none", 1 << 20, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(host_read(&b, "/proc/self", 1 << 20, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_false(host_read(&b, "/proc/self/status", 10, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void test_others(void **state)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct err err = {0};
    str *names, zone;
    size_t n;
    int64_t offset;
    struct host_fs fs;
    struct host_name name;
    assert_true(host_list("/proc/self/task", &a, &names, &n, &err));
    assert_true(n >= 1);
    assert_false(host_list("/proc/self/none", &a, &names, &n, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(host_statfs("/", &fs), 0);
    assert_true(fs.block_bytes > 0);
    assert_int_equal(host_statfs("/proc/self/none", &fs), ENOENT);
    host_name(&a, &name);
    assert_true(str_eqz(name.sysname, "Linux"));
    setenv("TZ", "XYZ-2", 1);
    host_zone(0, &a, &offset, &zone);
    assert_int_equal(offset, 7200);
    assert_true(str_eqz(zone, "XYZ"));
    assert_true(host_limit_files() > 3);
    assert_true(host_limit_memory_bytes() > 1 << 20);
    assert_true(host_units().page_bytes >= 4096 && host_units().ticks_per_s > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
