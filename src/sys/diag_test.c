// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/diag.h"

/* stderr goes to a file for the time of a test. */
static int saved_stderr;
static FILE *captured;

static int setup(void **state)
{
    captured = tmpfile();
    saved_stderr = dup(STDERR_FILENO);
    return captured && dup2(fileno(captured), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    fclose(captured);
    diag_setup(DIAG_INFO, false);
    return 0;
}

/* What was written since the last call. */
static const char *output(void)
{
    static char text[64 * 1024];
    rewind(captured);
    size_t n = fread(text, 1, sizeof text - 1, captured);
    text[n] = 0;
    rewind(captured);
    assert_int_equal(ftruncate(fileno(captured), 0), 0);
    assert_int_equal(lseek(STDERR_FILENO, 0, SEEK_SET), 0);
    return text;
}

static void test_escaping(void **state)
{
    static const struct {
        const char *msg, *text, *json;
    } rows[] = {
        {"plain", "plain", "plain"},
        {"a\nb\tc\rd", "a\\nb\\tc\\rd", "a\\nb\\tc\\rd"},
        {"\x1b[31mred", "\\x1b[31mred", "\\u001b[31mred"},
        {"\x7f", "\\x7f", "\\u007f"},
        {"\xc2\x9b"
         "2J",
         "\\x9b2J", "\\u009b2J"},
        {"quote \" and \\", "quote \" and \\", "quote \\\" and \\\\"},
        {"\xeb\x88\x88\xec\xb9\x98", "\xeb\x88\x88\xec\xb9\x98", "\xeb\x88\x88\xec\xb9\x98"},
        {"bad \xff\xc3", "bad \\xff\\xc3", "bad \\ufffd\\ufffd"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[256];
        diag_setup(DIAG_INFO, false);
        diag(DIAG_WARN, "area", "%s", rows[i].msg);
        snprintf(want, sizeof want, "Z WARN  area: %s\n", rows[i].text);
        assert_string_equal(output() + 23, want);
        diag_setup(DIAG_INFO, true);
        diag(DIAG_WARN, "area", "%s", rows[i].msg);
        snprintf(want, sizeof want, "Z\",\"level\":\"warn\",\"area\":\"area\",\"msg\":\"%s\"}\n",
                 rows[i].json);
        assert_string_equal(output() + 9 + 23, want);
    }
}

static void test_levels(void **state)
{
    diag_setup(DIAG_WARN, false);
    diag(DIAG_DEBUG, "a", "x");
    diag(DIAG_INFO, "a", "x");
    assert_string_equal(output(), "");
    diag(DIAG_ERROR, "a", "x");
    assert_non_null(strstr(output(), " ERROR a: x\n"));
}

static void test_limit(void **state)
{
    struct diag_limit l = {0};
    const int64_t long_ms = 3600 * 1000;
    assert_true(diag_allow(&l, long_ms));
    diag(DIAG_INFO, "a", "first");
    assert_null(strstr(output(), "left out"));
    for (int i = 0; i < 5; i++)
        assert_false(diag_allow(&l, long_ms));
    l.next_ms = 0; /* the time has come */
    assert_true(diag_allow(&l, long_ms));
    diag(DIAG_INFO, "a", "second");
    assert_non_null(strstr(output(), "second (5 more like this left out)\n"));
    diag(DIAG_INFO, "a", "third");
    assert_null(strstr(output(), "left out"));
}

static void test_long(void **state)
{
    static char big[40000];
    memset(big, 'x', sizeof big - 1);
    diag(DIAG_INFO, "a", "%s", big);
    const char *text = output();
    assert_in_range(strlen(text), 16 * 1024, 17 * 1024);
    assert_string_equal(text + strlen(text) - 5, "x...\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_escaping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
