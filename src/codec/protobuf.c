// SPDX-License-Identifier: Apache-2.0
#include "codec/protobuf.h"

#include <assert.h>

enum { VARINT_BYTES_MAX = 10, NUMBER_MAX = (1 << 29) - 1 };

static void skip(bytes *rest, size_t n)
{
    rest->p += n;
    rest->n -= n;
}

bool protobuf_cut_varint(bytes *rest, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < rest->n && i < VARINT_BYTES_MAX; i++) {
        uint8_t c = rest->p[i];
        if (i == VARINT_BYTES_MAX - 1 && c > 1)
            return false; /* bits past the 64th */
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80) {
            skip(rest, i + 1);
            *out = v;
            return true;
        }
    }
    return false;
}

/* `n` bytes, little-endian, on any machine. */
static bool cut_fixed(bytes *rest, size_t n, uint64_t *out)
{
    if (rest->n < n)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)rest->p[i] << (8 * i);
    skip(rest, n);
    *out = v;
    return true;
}

bool protobuf_cut_fixed64(bytes *rest, uint64_t *out)
{
    return cut_fixed(rest, 8, out);
}

static bool cut_view(bytes *rest, bytes *out)
{
    uint64_t n;
    if (!protobuf_cut_varint(rest, &n) || n > rest->n)
        return false;
    *out = bytes_of(rest->p, (size_t)n);
    skip(rest, (size_t)n);
    return true;
}

static bool cut_payload(bytes *rest, struct protobuf_field *f)
{
    switch (f->wire) {
    case PROTOBUF_VARINT:
        return protobuf_cut_varint(rest, &f->value);
    case PROTOBUF_FIXED64:
        return cut_fixed(rest, 8, &f->value);
    case PROTOBUF_FIXED32:
        return cut_fixed(rest, 4, &f->value);
    default:
        return cut_view(rest, &f->view);
    }
}

static enum protobuf_step fail(struct err *err, const char *what)
{
    err_set(err, ERR_INVALID, "protobuf message is damaged: %s", what);
    return PROTOBUF_ERROR;
}

enum protobuf_step protobuf_next(bytes *rest, struct protobuf_field *f, struct err *err)
{
    if (rest->n == 0)
        return PROTOBUF_END;
    uint64_t tag;
    if (!protobuf_cut_varint(rest, &tag))
        return fail(err, "a field's number is cut short or too long");
    unsigned int wire = tag & 7;
    tag >>= 3;
    if (tag == 0 || tag > NUMBER_MAX)
        return fail(err, "a field's number is out of range");
    if (wire == 3 || wire == 4 || wire > 5)
        return fail(err, "a field's wire type is a group or unknown");
    *f = (struct protobuf_field){.number = (uint32_t)tag, .wire = (enum protobuf_wire)wire};
    if (cut_payload(rest, f))
        return PROTOBUF_FIELD;
    err_set(err, ERR_INVALID, "protobuf message is damaged: field %u is cut short", f->number);
    return PROTOBUF_ERROR;
}

double protobuf_f64(const struct protobuf_field *f)
{
    double v;
    static_assert(sizeof v == sizeof f->value, "IEEE 754 binary64");
    memcpy(&v, &f->value, sizeof v);
    return v;
}

void protobuf_add_varint(struct strbuf *out, uint64_t v)
{
    char *to = strbuf_reserve(out, VARINT_BYTES_MAX + 1);
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        to[n++] = (char)(v | 0x80);
    to[n++] = (char)v;
    to[n] = 0;
    out->n += n;
}

static void add_tag(struct strbuf *out, uint32_t number, enum protobuf_wire wire)
{
    assert(number > 0 && number <= NUMBER_MAX);
    protobuf_add_varint(out, (uint64_t)number << 3 | wire);
}

static void add_fixed(struct strbuf *out, uint64_t v, size_t n)
{
    char buf[8];
    for (size_t i = 0; i < n; i++, v >>= 8)
        buf[i] = (char)v;
    strbuf_add(out, str_of(buf, n));
}

void protobuf_put_varint(struct strbuf *out, uint32_t number, uint64_t v)
{
    add_tag(out, number, PROTOBUF_VARINT);
    protobuf_add_varint(out, v);
}

void protobuf_put_sint(struct strbuf *out, uint32_t number, int64_t v)
{
    protobuf_put_varint(out, number, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void protobuf_put_fixed64(struct strbuf *out, uint32_t number, uint64_t v)
{
    add_tag(out, number, PROTOBUF_FIXED64);
    add_fixed(out, v, 8);
}

void protobuf_put_f64(struct strbuf *out, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    protobuf_put_fixed64(out, number, bits);
}

void protobuf_put_fixed32(struct strbuf *out, uint32_t number, uint32_t v)
{
    add_tag(out, number, PROTOBUF_FIXED32);
    add_fixed(out, v, 4);
}

void protobuf_put_bytes(struct strbuf *out, uint32_t number, bytes b)
{
    add_tag(out, number, PROTOBUF_BYTES);
    protobuf_add_varint(out, b.n);
    strbuf_add(out, str_from_bytes(b));
}
