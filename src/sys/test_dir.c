// SPDX-License-Identifier: Apache-2.0
#include "sys/test_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *test_dir_new(void)
{
    const char *base = getenv("TMPDIR");
    if (!base || !base[0])
        base = "/tmp";
    static const char name[] = "/nunchi-test-XXXXXX";
    char *path = mem_zalloc(strlen(base) + sizeof name);
    memcpy(path, base, strlen(base));
    memcpy(path + strlen(base), name, sizeof name);
    if (!mkdtemp(path))
        abort();
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

void test_dir_free(char *path)
{
    if (!path)
        return;
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
    free(path);
}
