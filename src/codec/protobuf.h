// SPDX-License-Identifier: Apache-2.0
/*
 * The protobuf wire format, field by field, without schema: the caller switches on the number and
 * walks a nested message by handing its bytes to a walk of its own. Nothing is allocated; all
 * lengths are checked against what is there. Unknown fields need no code: they are not asked for.
 *
 *     bytes rest = message;
 *     struct protobuf_field f;
 *     enum protobuf_step step;
 *     while ((step = protobuf_next(&rest, &f, err)) == PROTOBUF_FIELD)
 *         if (f.number == 1 && f.wire == PROTOBUF_BYTES)
 *             ...
 *     return step == PROTOBUF_END;
 *
 * Refused: groups (wire types 3 and 4, gone since proto3), field number 0, varints past 64 bits,
 * and what is cut short.
 */
#ifndef CODEC_PROTOBUF_H
#define CODEC_PROTOBUF_H

#include "base/err.h"
#include "base/strbuf.h"

enum protobuf_wire {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2,
    PROTOBUF_FIXED32 = 5,
};

enum protobuf_step { PROTOBUF_FIELD, PROTOBUF_END, PROTOBUF_ERROR };

struct protobuf_field {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t value; /* of a varint or fixed field; 0 for bytes */
    bytes view;     /* of a bytes field, into the message */
};

/* Reads the field at the start of `*rest` and moves behind it. */
enum protobuf_step protobuf_next(bytes *rest, struct protobuf_field *f, struct err *err);

/* One element of a packed field, whose view is `*rest`; false when it is cut short. */
bool protobuf_cut_varint(bytes *rest, uint64_t *out);
bool protobuf_cut_fixed64(bytes *rest, uint64_t *out);

/* Readings of `value`. */
double protobuf_f64(const struct protobuf_field *f);
static inline int64_t protobuf_i64(const struct protobuf_field *f)
{
    return (int64_t)f->value;
}
/* sint32 and sint64: zigzag. */
static inline int64_t protobuf_sint(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline str protobuf_str(const struct protobuf_field *f)
{
    return str_from_bytes(f->view);
}

/* Appending. A nested message is written to a buffer of its own and put as bytes. */
void protobuf_put_varint(struct strbuf *out, uint32_t number, uint64_t v);
void protobuf_put_sint(struct strbuf *out, uint32_t number, int64_t v);
void protobuf_put_f64(struct strbuf *out, uint32_t number, double v);
void protobuf_put_fixed64(struct strbuf *out, uint32_t number, uint64_t v);
void protobuf_put_fixed32(struct strbuf *out, uint32_t number, uint32_t v);
void protobuf_put_bytes(struct strbuf *out, uint32_t number, bytes b);
/* A bare varint: for packed fields and length-delimited streams. */
void protobuf_add_varint(struct strbuf *out, uint64_t v);

#endif
