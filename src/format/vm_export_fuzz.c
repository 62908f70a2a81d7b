// SPDX-License-Identifier: Apache-2.0
#include "format/vm_export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ARENA_CLEANUP struct arena a;
    struct vm_export x;
    struct err err;
    arena_init(&a, 0);
    if (!vm_export_read(str_of((const char *)data, n), &a, &x, &err))
        return 0;
    for (size_t i = 0; i < x.labels.n; i++) {
        if (!x.labels.at[i].value.n ||
            (i > 0 && str_cmp(x.labels.at[i - 1].name, x.labels.at[i].name) >= 0))
            __builtin_trap();
    }
    return 0;
}
