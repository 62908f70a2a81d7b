// SPDX-License-Identifier: Apache-2.0
/* jemalloc is asked, where the program is linked with it. */
#include "sys/memory.h"

#include <stddef.h>
#include <sys/types.h>

int mallctl(const char *name, void *old, size_t *old_n, void *new, size_t new_n)
    __attribute__((weak));

void memory_return_at_once(bool at_once)
{
    ssize_t ms = 0;
    unsigned arenas = 0;
    size_t n = sizeof arenas, ms_n = sizeof ms;
    char name[] = "arena.?.dirty_decay_ms";
    if (!mallctl || mallctl("opt.narenas", &arenas, &n, NULL, 0) != 0)
        return;
    if (!at_once && mallctl("opt.dirty_decay_ms", &ms, &ms_n, NULL, 0) != 0)
        return;
    /* Those that threads use: the first ones, one digit. */
    for (unsigned i = 0; i < arenas && i < 10; i++) {
        name[6] = (char)('0' + i);
        (void)mallctl(name, NULL, NULL, &ms, sizeof ms); /* an arena nobody has used yet */
    }
}
