// SPDX-License-Identifier: Apache-2.0
/* Reading what the user wrote: sizes, kinds of files, patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "sys/file.h"

static char dir[] = "/tmp/nunchi-file-XXXXXX";

static str path_of(struct arena *a, const char *name)
{
    return arena_printf(a, "%s/%s", dir, name);
}

static void put(struct arena *a, const char *name, const char *text)
{
    FILE *f = fopen(path_of(a, name).p, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_read(void **state)
{
    struct arena a ARENA_CLEANUP = {0};
    struct err e;
    str out = {0};
    put(&a, "x.yml", "hello");
    assert_true(file_read(path_of(&a, "x.yml").p, 5, &a, &out, &e));
    assert_string_equal(out.p, "hello");
    assert_false(file_read(path_of(&a, "x.yml").p, 4, &a, &out, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_false(file_read(path_of(&a, "none").p, 4, &a, &out, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(file_read(dir, 4, &a, &out, &e));
    assert_int_equal(mkfifo(path_of(&a, "pipe").p, 0600), 0);
    assert_false(file_read(path_of(&a, "pipe").p, 4, &a, &out, &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_true(file_exists(dir) && !file_exists(path_of(&a, "none").p));
    unlink(path_of(&a, "pipe").p);
    unlink(path_of(&a, "x.yml").p);
}

static void test_glob(void **state)
{
    struct arena a ARENA_CLEANUP = {0};
    struct err e;
    str *out;
    size_t n;
    put(&a, "b.yml", "");
    put(&a, "a.yml", "");
    assert_true(file_glob(path_of(&a, "*.yml").p, 2, &a, &out, &n, &e));
    assert_int_equal(n, 2);
    assert_true(str_ends(out[0], STR("/a.yml")) && str_ends(out[1], STR("/b.yml")));
    assert_false(file_glob(path_of(&a, "*.yml").p, 1, &a, &out, &n, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_true(file_glob(path_of(&a, "*.json").p, 1, &a, &out, &n, &e));
    assert_int_equal(n, 0);
    unlink(path_of(&a, "a.yml").p);
    unlink(path_of(&a, "b.yml").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_glob)};
    if (!mkdtemp(dir))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return rc;
}
