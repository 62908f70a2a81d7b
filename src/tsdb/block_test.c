// SPDX-License-Identifier: Apache-2.0
#include "tsdb/block.h"

#include <math.h>

#include "base/mem.h"
#include "base/test.h"
#include "model/sample.h"

static uint64_t state = 1;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dULL;
}

static double from_bits(uint64_t b)
{
    double v;
    memcpy(&v, &b, sizeof v);
    return v;
}

/* Encodes, decodes, compares every bit; gives the size. */
static size_t round_trip(const ts_ms *t, const double *v, size_t n)
{
    struct enc e = {0};
    struct err err = {0};
    block_encode(&e, t, v, n);
    /* An exact copy, so that reading past its end is seen by the sanitizers. */
    uint8_t *copy = mem_dup(e.p, e.n);
    bytes b = {copy, e.n};
    assert_int_equal(block_count(b), n);
    ts_ms *t2 = mem_array(n, sizeof *t2);
    double *v2 = mem_array(n, sizeof *v2);
    assert_true(block_decode(b, t2, v2, &err));
    assert_memory_equal(t, t2, n * sizeof *t);
    assert_memory_equal(v, v2, n * sizeof *v);
    size_t size = e.n;
    for (size_t cut = 0; cut < e.n && n < 40; cut++) { /* truncations fail or decode in bounds */
        uint8_t *part = mem_dup(e.p, cut);
        if (block_count((bytes){part, cut}) == n)
            block_decode((bytes){part, cut}, t2, v2, &err);
        free(part);
    }
    free(copy);
    free(t2);
    free(v2);
    enc_fini(&e);
    return size;
}

enum shape { CONSTANT, COUNTER, DECIMALS, NOISE, RANDOM_BITS, SPECIALS, MIXED, SHAPES };

static double draw(enum shape s, size_t i)
{
    static const uint64_t specials[] = {0x8000000000000000ULL,
                                        STALE_NAN_BITS,
                                        0x7ff8000000000001ULL,
                                        0xfff8dead0000beefULL,
                                        0x7ff0000000000000ULL,
                                        0xfff0000000000000ULL,
                                        1ULL,
                                        0x7fefffffffffffffULL};
    static double counter;
    switch (s) {
    case CONSTANT:
        return 42.5;
    case COUNTER:
        return counter = i && rnd() % 50 ? counter + (double)(rnd() % 1000) : 0;
    case DECIMALS:
        return (double)(rnd() % 100000) / 1000;
    case NOISE:
        return (double)(rnd() >> 11) / 9007199254740992.0 * 100;
    case RANDOM_BITS:
        return from_bits(rnd());
    case SPECIALS:
        return from_bits(specials[rnd() % TESTS_N(specials)]);
    default:
        return rnd() % 20 ? draw(DECIMALS, i) : draw(SPECIALS, i);
    }
}

static void test_every_bit_comes_back(void **s)
{
    static const size_t counts[] = {1, 2, 3, 4, 7, 32, 120, 1000, BLOCK_SAMPLES_MAX};
    static ts_ms t[BLOCK_SAMPLES_MAX];
    static double v[BLOCK_SAMPLES_MAX];
    for (int round = 0; round < 60; round++)
        for (int shape = 0; shape < SHAPES; shape++) {
            size_t n = round < 9 ? counts[round] : 1 + rnd() % 300;
            ts_ms at = round % 5 == 4 ? INT64_MIN / 2 : (ts_ms)(rnd() % 2000000000000);
            for (size_t i = 0; i < n; i++) {
                t[i] = at;
                at += round % 3 == 0 ? 15000 : 1 + (ts_ms)(rnd() % (round % 3 == 1 ? 40 : 1 << 30));
                v[i] = draw((enum shape)shape, i);
            }
            round_trip(t, v, n);
        }
}

static void test_extreme_times(void **s)
{
    ts_ms t[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    double v[] = {0, -0.0, 1e308, 5e-324, -1};
    round_trip(t, v, 5);
}

static void test_sizes(void **s)
{
    ts_ms t[480];
    double v[480];
    for (size_t i = 0; i < 480; i++) {
        t[i] = 1700000000000 + (ts_ms)i * 15000;
        v[i] = 7;
    }
    assert_true(round_trip(t, v, 480) < 30);
    for (size_t i = 0; i < 480; i++)
        v[i] = 1e6 + (double)i * 12;
    assert_true(round_trip(t, v, 480) < 40);
    v[479] = stale_nan();
    assert_true(round_trip(t, v, 480) < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit_comes_back),
        cmocka_unit_test(test_extreme_times),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
