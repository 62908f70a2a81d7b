// SPDX-License-Identifier: Apache-2.0
#include "tsdb/doubles.h"

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

/* Decodes an exact copy, so that reading past its end is seen by the sanitizers. */
static bool decode(const struct enc *e, size_t bytes_n, double *v, size_t n, size_t *left)
{
    uint8_t *copy MEM_CLEANUP = mem_dup(e->p, bytes_n);
    struct dec d = dec_of((bytes){copy, bytes_n});
    doubles_decode(&d, v, n);
    *left = dec_left(&d);
    return !d.bad;
}

/* Gives the size. */
static size_t round_trip(const double *v, size_t n)
{
    struct enc e = {0};
    size_t left;
    double *back MEM_CLEANUP = mem_array(n + 1, sizeof *back);
    doubles_encode(&e, v, n);
    assert_true(decode(&e, e.n, back, n, &left));
    assert_int_equal(left, 0);
    assert_memory_equal(v, back, n * sizeof *v);
    for (size_t cut = 0; cut < e.n && n < 40; cut++)
        decode(&e, cut, back, n, &left);
    size_t size = e.n;
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
    static const size_t counts[] = {1, 2, 3, 4, 7, 32, 120, 1000, DOUBLES_MAX};
    static double v[DOUBLES_MAX];
    for (size_t round = 0; round < 60; round++)
        for (int shape = 0; shape < SHAPES; shape++) {
            size_t n = round < TESTS_N(counts) ? counts[round] : 1 + rnd() % 300;
            for (size_t i = 0; i < n; i++)
                v[i] = draw((enum shape)shape, i);
            round_trip(v, n);
        }
}

static void test_sizes(void **s)
{
    double v[480];
    for (size_t i = 0; i < 480; i++)
        v[i] = 7;
    assert_true(round_trip(v, 480) < 16);
    for (size_t i = 0; i < 480; i++)
        v[i] = 1e6 + (double)i * 12;
    assert_true(round_trip(v, 480) < 26);
    v[479] = stale_nan();
    assert_true(round_trip(v, 480) < 46);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit_comes_back),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
