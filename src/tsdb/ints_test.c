// SPDX-License-Identifier: Apache-2.0
#include "tsdb/ints.h"

#include "base/mem.h"
#include "base/test.h"

static uint64_t state = 1;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dULL;
}

/* Decodes an exact copy, so that reading past its end is seen by the sanitizers. */
static bool decode(const struct enc *e, size_t bytes_n, int64_t *x, size_t n, size_t *left)
{
    uint8_t *copy MEM_CLEANUP = mem_dup(e->p, bytes_n);
    struct dec d = dec_of((bytes){copy, bytes_n});
    ints_decode(&d, x, n);
    *left = dec_left(&d);
    return !d.bad;
}

/* Gives the size. What is cut off is told, or read as other numbers; never past the end. */
static size_t round_trip(const int64_t *x, size_t n)
{
    struct enc e = {0};
    size_t left;
    int64_t *back MEM_CLEANUP = mem_array(n + 1, sizeof *back);
    ints_encode(&e, x, n);
    assert_true(decode(&e, e.n, back, n, &left));
    assert_int_equal(left, 0);
    assert_memory_equal(x, back, n * sizeof *x);
    for (size_t cut = 0; cut < e.n && n < 40; cut++)
        decode(&e, cut, back, n, &left);
    size_t size = e.n;
    enc_fini(&e);
    return size;
}

enum shape { CONSTANT, LINE, CURVE, STEPS, JITTER, SPIKES, NOISE, EDGES, SHAPES };

static int64_t draw(enum shape s, size_t i)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    uint64_t k = i;
    switch (s) {
    case CONSTANT:
        return -7;
    case LINE:
        return (int64_t)(1700000000000 + k * 15000);
    case CURVE:
        return (int64_t)(k * k * 3 - k);
    case STEPS:
        return (int64_t)(k / 17 * 1000);
    case JITTER:
        return (int64_t)(k * 15000 + rnd() % 40);
    case SPIKES:
        return (int64_t)(k * 10 + (rnd() % 25 ? 0 : rnd() >> 3));
    case NOISE:
        return (int64_t)rnd();
    default:
        return edges[rnd() % TESTS_N(edges)];
    }
}

static void test_every_number_comes_back(void **s)
{
    static const size_t counts[] = {0, 1, 2, 3, 4, 7, 8, 63, 64, 65, 300, 4096, INTS_MAX};
    static int64_t x[INTS_MAX];
    for (size_t c = 0; c < TESTS_N(counts) + 40; c++)
        for (int shape = 0; shape < SHAPES; shape++) {
            size_t n = c < TESTS_N(counts) ? counts[c] : 1 + rnd() % 300;
            for (size_t i = 0; i < n; i++)
                x[i] = draw((enum shape)shape, i);
            round_trip(x, n);
        }
}

/* The most bytes that 480 numbers may take. */
static void test_sizes(void **s)
{
    static const struct {
        enum shape shape;
        size_t bytes_max;
    } rows[] = {{CONSTANT, 8}, {LINE, 16},    {CURVE, 260},  {STEPS, 160},
                {JITTER, 480}, {SPIKES, 480}, {NOISE, 3860}, {EDGES, 480 * 8 + 20}};
    static int64_t x[480];
    for (size_t r = 0; r < TESTS_N(rows); r++) {
        for (size_t i = 0; i < TESTS_N(x); i++)
            x[i] = draw(rows[r].shape, i);
        size_t size = round_trip(x, TESTS_N(x));
        print_message("# shape %d: %zu bytes\n", (int)rows[r].shape, size);
        assert_true(size <= rows[r].bytes_max);
    }
}

static void test_malformed(void **s)
{
    static const struct {
        size_t n;
        str bytes;
    } rows[] = {
        {1, STR_INIT("")},
        {2, STR_INIT("\x03\x00\x00\x00\x00")},     /* no such order */
        {2, STR_INIT("\x00\x41\x00\x00")},         /* 65 bits */
        {2, STR_INIT("\x00\x08\x00\x00\x01")},     /* a byte short */
        {2, STR_INIT("\x00\x00\x00\x03\x00\x01")}, /* more exceptions than numbers */
        {2, STR_INIT("\x00\x00\x00\x01\x05\x01")}, /* one behind the last */
    };
    int64_t x[2];
    for (size_t r = 0; r < TESTS_N(rows); r++) {
        struct dec d = dec_of(bytes_from_str(rows[r].bytes));
        ints_decode(&d, x, rows[r].n);
        if (!d.bad)
            fail_msg("row %zu was taken", r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_comes_back),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
