// SPDX-License-Identifier: Apache-2.0
#include "model/sink.h"

#include "base/mem.h"

struct batch *batch_new(void)
{
    struct batch *b = mem_new(struct batch);
    arena_init(&b->arena, 0);
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    arena_fini(&b->arena);
    free(b);
}
