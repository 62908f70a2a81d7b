// SPDX-License-Identifier: Apache-2.0
/* What unit tests include: cmocka, and the few things tests of several folders need. */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"

#define TESTS_N(a) (sizeof(a) / sizeof((a)[0]))

static inline void assert_str_(str got, str want, const char *file, int line)
{
    if (!str_eq(got, want)) {
        print_error("got:  \"%.*s\"\nwant: \"%.*s\"\n", STR_ARG(got), STR_ARG(want));
        _fail(file, line);
    }
}
#define assert_str(got, want) assert_str_((got), (want), __FILE__, __LINE__)

/* How much a test with many rounds does: little by itself, more in `make test`, most in `make
 * soak-disk`. */
enum test_size { TEST_SMALL, TEST_USUAL, TEST_LARGE };
static inline enum test_size test_size(void)
{
    const char *size = getenv("NUNCHI_TEST_SIZE");
    if (size && strcmp(size, "usual") == 0)
        return TEST_USUAL;
    return size && strcmp(size, "large") == 0 ? TEST_LARGE : TEST_SMALL;
}

/* The path of a corpus file or folder, valid until the next call; skips the test where there is no
 * corpus. A skip jumps out of the test: whoever calls this owns nothing yet. */
static inline const char *corpus_or_skip(const char *name)
{
    static char path[4096];
    const char *root = getenv("NUNCHI_CORPUS");
    snprintf(path, sizeof path, "%s/%s", root ? root : "", name);
    if (!root || access(path, R_OK) != 0)
        skip();
    return path;
}

#endif
