// SPDX-License-Identifier: Apache-2.0
/* Walks any bytes, nested as deep as they pretend to be, and writes what it found. */
#include <assert.h>

#include "codec/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put(struct strbuf *out, const struct protobuf_field *f)
{
    switch (f->wire) {
    case PROTOBUF_VARINT:
        protobuf_put_varint(out, f->number, f->value);
        return;
    case PROTOBUF_FIXED64:
        protobuf_put_fixed64(out, f->number, f->value);
        return;
    case PROTOBUF_FIXED32:
        protobuf_put_fixed32(out, f->number, (uint32_t)f->value);
        return;
    case PROTOBUF_BYTES:
        protobuf_put_bytes(out, f->number, f->view);
    }
}

static bool walk(bytes in, int depth, struct strbuf *out)
{
    struct protobuf_field f;
    struct err err = {0};
    enum protobuf_step step;
    while ((step = protobuf_next(&in, &f, &err)) == PROTOBUF_FIELD) {
        put(out, &f);
        struct strbuf nested STRBUF_CLEANUP = {0};
        if (f.wire == PROTOBUF_BYTES && depth < 8)
            walk(f.view, depth + 1, &nested);
    }
    assert(step == PROTOBUF_END || err.kind == ERR_INVALID);
    return step == PROTOBUF_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct strbuf once STRBUF_CLEANUP = {0}, twice STRBUF_CLEANUP = {0};
    walk(bytes_of(data, n), 0, &once);
    bool ok = walk(bytes_from_str(strbuf_str(&once)), 0, &twice);
    assert(ok && str_eq(strbuf_str(&once), strbuf_str(&twice)));
    return 0;
}
