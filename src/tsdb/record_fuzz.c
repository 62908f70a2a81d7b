// SPDX-License-Identifier: Apache-2.0
/* Headers of WAL segments and records, and the metrics engine's record, from any bytes. */
#include "store/wal_int.h"
#include "tsdb/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool define(void *arg, uint64_t number, struct labels ls)
{
    for (size_t i = 1; i < ls.n; i++)
        if (str_cmp(ls.at[i - 1].name, ls.at[i].name) >= 0)
            __builtin_trap();
    return true;
}
static bool samples(void *arg, const struct record_samples *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->series_n; i++) {
        if (!s->number[i] || !s->count[i])
            __builtin_trap();
        n += s->count[i];
    }
    for (size_t i = 0; i < s->n; i++)
        n += s->t[i] == INT64_MIN && s->v[i] == 1; /* reads all of them */
    struct err err;
    for (size_t i = 0; i < s->n && s->h; i++)
        if (s->h[i] && !histogram_check(s->h[i], &err))
            __builtin_trap();
    return n >= s->n;
}
static bool metadata(void *arg, const struct metadata *m)
{
    return m->family.n <= *(size_t *)arg;
}

static void exemplar(void *arg, struct labels series, const struct exemplar *x)
{
    if (series.n > *(size_t *)arg || x->labels.n > *(size_t *)arg)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct record_visitor v = {define, samples, metadata, exemplar, &n};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    record_decode((bytes){data, n}, &a, &v);
    if (n >= WAL_HEADER_BYTES) {
        struct wal_header h;
        struct err err;
        wal_header_decode(data, &h, &err);
    }
    if (n >= WAL_FRAME_BYTES) {
        struct wal_frame f;
        wal_frame_decode(data, &f);
    }
    return 0;
}
