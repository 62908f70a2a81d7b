// SPDX-License-Identifier: Apache-2.0
/* JSON that is taken becomes protobuf that is well-formed: the reader of that finds no fault in its
 * framing but for what JSON cannot say wrong. */
#include "format/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct conf_otlp conf = {0};
    struct otlp_options o = {.conf = &conf, .memory_bytes_max = 1 << 24};
    STRBUF_CLEANUP struct strbuf out = {0};
    struct otlp_counts counts;
    struct err err;
    if (!otlp_json_to_protobuf(str_of((const char *)data, n), 1 << 24, &out, &err))
        return 0;
    struct batch *b = batch_new();
    if (!otlp_metrics_decode(bytes_from_str(strbuf_str(&out)), &o, b, &counts, &err) &&
        err.kind != ERR_LIMIT)
        __builtin_trap();
    batch_free(b);
    return 0;
}
