// SPDX-License-Identifier: Apache-2.0
/* Histograms and exemplars of remote write: what was read comes back when written and read again.
 */
#include "format/remote_write_hist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void histogram(bytes b, struct arena *a)
{
    struct remote_write_histogram one, two;
    struct strbuf out STRBUF_CLEANUP = {0};
    struct err err;
    if (!remote_write_read_histogram(b, a, &one, &err))
        return;
    remote_write_put_histogram(&out, &one);
    if (!remote_write_read_histogram(bytes_from_str(strbuf_str(&out)), a, &two, &err) ||
        one.t != two.t || one.start != two.start || !one.h != !two.h ||
        (one.h && !histogram_equal(one.h, two.h)))
        __builtin_trap();
}

static void exemplar(bytes b, struct arena *a)
{
    struct batch_exemplar one, two;
    struct strbuf out STRBUF_CLEANUP = {0};
    struct err err;
    if (!remote_write_read_exemplar(b, a, &one, &err))
        return;
    remote_write_put_exemplar(&out, &one);
    if (!remote_write_read_exemplar(bytes_from_str(strbuf_str(&out)), a, &two, &err) ||
        one.t != two.t || memcmp(&one.v, &two.v, sizeof one.v) != 0 ||
        !labels_eq(one.labels, two.labels))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    histogram((bytes){data, n}, &a);
    exemplar((bytes){data, n}, &a);
    return 0;
}
