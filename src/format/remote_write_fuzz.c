// SPDX-License-Identifier: Apache-2.0
/* Any bytes are refused or read; what was read is written and read back the same. */
#include <stdlib.h>

#include "format/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool rewrite(bytes body, struct strbuf *out)
{
    struct batch *b = batch_new();
    struct remote_write_skipped skipped;
    struct err err = {0};
    bool ok = remote_write_decode(body, &remote_write_default_limits, b, &skipped, &err);
    if (!ok && b->series_n + b->samples_n + b->metadata_n)
        abort();
    ok = ok && batch_label_all(b, &err) == LABELS_OK;
    if (!ok && (err.kind != ERR_INVALID && err.kind != ERR_LIMIT))
        abort();
    if (ok)
        remote_write_encode(b, out);
    batch_free(b);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    STRBUF_CLEANUP struct strbuf once = {0}, twice = {0};
    if (!rewrite(bytes_of(data, size), &once))
        return 0;
    if (!rewrite(bytes_from_str(strbuf_str(&once)), &twice))
        abort();
    if (!str_eq(strbuf_str(&once), strbuf_str(&twice)))
        abort();
    return 0;
}
