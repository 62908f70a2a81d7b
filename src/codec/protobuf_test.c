// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/protobuf.h"

static struct protobuf_field must(bytes *rest)
{
    struct protobuf_field f;
    struct err err = {0};
    if (protobuf_next(rest, &f, &err) != PROTOBUF_FIELD)
        fail_msg("%s", err.msg);
    return f;
}

static void round_trip(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX};
    static const int64_t signed_values[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};
    struct strbuf b STRBUF_CLEANUP = {0};
    size_t n = sizeof values / sizeof *values, sn = sizeof signed_values / sizeof *signed_values;
    for (uint32_t i = 0; i < n; i++)
        protobuf_put_varint(&b, i + 1, values[i]);
    for (uint32_t i = 0; i < sn; i++)
        protobuf_put_sint(&b, (1 << 29) - 1, signed_values[i]);
    protobuf_put_f64(&b, 16, -1.5);
    protobuf_put_fixed32(&b, 2, 0xdeadbeef);
    protobuf_put_bytes(&b, 3, bytes_from_str(STR("text")));
    protobuf_put_bytes(&b, 3, bytes_from_str(STR("")));
    bytes rest = bytes_from_str(strbuf_str(&b));
    struct protobuf_field f;
    for (uint32_t i = 0; i < n; i++) {
        f = must(&rest);
        assert_true(f.number == i + 1 && f.wire == PROTOBUF_VARINT && f.value == values[i]);
    }
    for (uint32_t i = 0; i < sn; i++) {
        f = must(&rest);
        assert_true(protobuf_sint(f.value) == signed_values[i]);
    }
    f = must(&rest);
    assert_true(f.wire == PROTOBUF_FIXED64 && protobuf_f64(&f) == -1.5);
    f = must(&rest);
    assert_true(f.wire == PROTOBUF_FIXED32 && f.value == 0xdeadbeef);
    f = must(&rest);
    assert_true(f.wire == PROTOBUF_BYTES && str_eqz(protobuf_str(&f), "text"));
    f = must(&rest);
    assert_true(f.view.n == 0);
    struct err err = {0};
    assert_int_equal(protobuf_next(&rest, &f, &err), PROTOBUF_END);
}

static void damaged(void **state)
{
    static const struct {
        str in;
        const char *msg;
    } rows[] = {
        {STR_INIT("\x80"), "number is cut short"},
        {STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "too long"},
        {STR_INIT("\x00\x01"), "out of range"},
        {STR_INIT("\x80\x80\x80\x80\x10\x01"), "out of range"},
        {STR_INIT("\x0b"), "group"},
        {STR_INIT("\x0c"), "group"},
        {STR_INIT("\x0e"), "unknown"},
        {STR_INIT("\x08"), "field 1 is cut short"},
        {STR_INIT("\x08\x80"), "field 1 is cut short"},
        {STR_INIT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), "field 1 is cut short"},
        {STR_INIT("\x11\x01\x02\x03\x04\x05\x06\x07"), "field 2 is cut short"},
        {STR_INIT("\x15\x01\x02\x03"), "field 2 is cut short"},
        {STR_INIT("\x12\x02x"), "field 2 is cut short"},
        {STR_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "field 2 is cut short"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes rest = bytes_from_str(rows[i].in);
        struct protobuf_field f;
        struct err err = {0};
        enum protobuf_step step = protobuf_next(&rest, &f, &err);
        if (step != PROTOBUF_ERROR || !strstr(err.msg, rows[i].msg))
            fail_msg("row %zu: %s", i, err.msg);
    }
}

static void packed(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    protobuf_add_varint(&b, 5);
    protobuf_add_varint(&b, 1 << 20);
    bytes rest = bytes_from_str(strbuf_str(&b));
    uint64_t v;
    assert_true(protobuf_cut_varint(&rest, &v) && v == 5);
    assert_true(protobuf_cut_varint(&rest, &v) && v == 1 << 20);
    assert_false(protobuf_cut_varint(&rest, &v));
    rest = bytes_from_str(STR("\1\0\0\0\0\0\0\x80"));
    assert_true(protobuf_cut_fixed64(&rest, &v) && v == 0x8000000000000001u);
    assert_false(protobuf_cut_fixed64(&rest, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damaged),
        cmocka_unit_test(packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
