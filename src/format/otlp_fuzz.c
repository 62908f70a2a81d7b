// SPDX-License-Identifier: Apache-2.0
/* The first byte chooses the settings, the rest is the request. */
#include "format/otlp.h"
#include "model/histogram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_histogram(const struct histogram *h)
{
    struct err err;
    if (!histogram_check(h, &err))
        __builtin_trap();
}

/* What comes out is a batch as the store wants it. */
static void check(const struct batch *b, const struct otlp_counts *counts)
{
    if (counts->rejected > counts->points)
        __builtin_trap();
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if ((size_t)s->first + s->n > b->samples_n || !labels_metric_name(s->labels).n ||
            s->hash != labels_hash(s->labels))
            __builtin_trap();
        for (size_t k = 1; k < s->labels.n; k++)
            if (str_cmp(s->labels.at[k - 1].name, s->labels.at[k].name) >= 0)
                __builtin_trap();
        for (size_t k = 0; k < s->labels.n; k++)
            if (!s->labels.at[k].value.n || !str_utf8_valid(s->labels.at[k].value))
                __builtin_trap();
    }
    for (size_t i = 0; i < b->samples_n; i++)
        if (b->h && b->h[i])
            check_histogram(b->h[i]);
    for (size_t i = 0; i < b->exemplars_n; i++)
        if (b->exemplars[i].series >= b->series_n)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct conf_otlp conf = {
        .promote_all = data[0] & 1,
        .strategy = CONF_OTLP_ESCAPE_SUFFIXES + (data[0] >> 1 & 3),
        .histograms_to_nhcb = data[0] & 8,
        .promote_scope = data[0] & 16,
        .keep_identifying = data[0] & 32,
        .label_key_prefix = data[0] & 64,
        .label_keep_underscores = data[0] & 128,
    };
    struct otlp_options o = {.conf = &conf, .deltas = data[0] & 1, .memory_bytes_max = 1 << 24};
    struct otlp_counts counts;
    struct err err;
    struct batch *b = batch_new();
    if (otlp_metrics_decode((bytes){data + 1, n - 1}, &o, b, &counts, &err))
        check(b, &counts);
    batch_free(b);
    return 0;
}
