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

enum label_verdict batch_label_all(struct batch *b, struct err *err)
{
    enum label_verdict all = LABELS_OK;
    for (size_t i = 0; i < b->series_n; i++) {
        struct err why = {0};
        if (b->series[i].n == 0)
            continue;
        enum label_verdict v = batch_label(b, &b->series[i], &why);
        if (v == LABELS_DROP)
            b->series[i].n = 0;
        if (v > all) {
            all = v;
            *err = why;
        }
        if (v == LABELS_FAIL)
            break;
    }
    b->labeller = NULL;
    return all;
}
