// SPDX-License-Identifier: Apache-2.0
#include "sys/process.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "sys/test_dir.h"

static void put(const char *root, const char *path, const char *text)
{
    char name[512];
    snprintf(name, sizeof name, "%s/%s", root, path);
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make(const char *root, const char *path)
{
    char name[512];
    snprintf(name, sizeof name, "%s/%s", root, path);
    assert_int_equal(mkdir(name, 0700), 0);
}

static void finds_the_least_limit(void **state)
{
    static const struct {
        const char *list;
        uint64_t want;
    } rows[] = {
        {"", UINT64_MAX},
        {"0::/", UINT64_MAX},
        {"0::/a\n", 5000},
        {"0::/a/b\n", 3000},
        {"0::/a/c\n", 5000},
        {"0::/elsewhere/deep\n", UINT64_MAX},
        {"4:memory:/x/y\n3:cpu:/a\n", 700},
        {"3:cpu,cpuacct:/a\n", UINT64_MAX},
        {"4:memory:/x\n0::/a/b\n", 3000},
        {"nonsense\n::\n0:", UINT64_MAX},
    };
    char *root = test_dir_new();
    make(root, "a");
    make(root, "a/b");
    make(root, "a/c");
    make(root, "memory");
    make(root, "memory/x");
    make(root, "memory/x/y");
    put(root, "a/memory.max", "5000\n");
    put(root, "a/b/memory.max", "3000\n");
    put(root, "a/c/memory.max", "max\n");
    put(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "memory/x/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "memory/x/y/memory.limit_in_bytes", "700\n");
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        uint64_t got = process_cgroup_memory_bytes(str_from_z(rows[i].list), root);
        if (got != rows[i].want && !(got > INT64_MAX / 2 && rows[i].want == UINT64_MAX))
            fail_msg("%s: %llu", rows[i].list, (unsigned long long)got);
    }
    assert_true(process_memory_bytes() > 0);
    test_dir_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_least_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
