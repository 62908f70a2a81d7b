// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "base/test.h"

/* Check values of RFC 3720, appendix B.4, and the customary "123456789". */
static void computes_crc32c(void **state)
{
    uint8_t zeros[32] = {0}, ones[32];
    memset(ones, 0xff, sizeof ones);
    assert_true(hash_xxh64("", 0) == 0xef46db3751d8e999ULL);
    assert_true(hash_xxh64("abc", 3) == 0x44bc2cf5ad770999ULL);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void agrees_with_its_table_twin(void **state)
{
    uint8_t data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n < sizeof data; n++) {
        size_t half = n / 2;
        uint32_t parts = crc32c(crc32c(0, data, half), data + half, n - half);
        assert_int_equal(crc32c(0, data, n), crc32c_table(0, data, n));
        assert_int_equal(parts, crc32c_table(0, data, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_crc32c),
        cmocka_unit_test(agrees_with_its_table_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
