// SPDX-License-Identifier: Apache-2.0
/* Protobuf expositions: any bytes are refused or read; histograms that come out are sound. */
#include "format/expfmt_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sample(struct expfmt_proto *p, struct arena *a)
{
    struct exemplar x;
    struct labels ls;
    struct err err;
    bool has_t;
    if (p->histogram && !histogram_check(p->histogram, &err))
        __builtin_trap();
    if (expfmt_proto_labels(p, a, &ls, &err))
        for (size_t i = 1; i < ls.n; i++)
            if (str_cmp(ls.at[i - 1].name, ls.at[i].name) >= 0)
                __builtin_trap();
    while (expfmt_proto_exemplar(p, a, &x, &has_t))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a ARENA_CLEANUP;
    struct expfmt_proto p;
    struct err err;
    arena_init(&a, 0);
    if (size == 0)
        return 0;
    struct expfmt_proto_options o = {.native = data[0] & 1, .classic = data[0] & 2};
    expfmt_proto_init(&p, bytes_of(data + 1, size - 1), o, &a);
    for (;;) {
        enum expfmt_event e = expfmt_proto_next(&p, &err);
        if (e == EXPFMT_SAMPLE)
            sample(&p, &a);
        if (e == EXPFMT_ERROR && err.kind == ERR_NONE)
            __builtin_trap();
        if (e == EXPFMT_ERROR || e == EXPFMT_END)
            break;
    }
    expfmt_proto_fini(&p);
    return 0;
}
