// SPDX-License-Identifier: Apache-2.0
#include "format/remote_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ARENA_CLEANUP struct arena a;
    struct remote_read_request r;
    struct err err;
    arena_init(&a, 0);
    if (remote_read_decode((bytes){data, n}, &a, &r, &err))
        remote_read_fini(&r);
    return 0;
}
