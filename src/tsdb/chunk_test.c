// SPDX-License-Identifier: Apache-2.0
/* Every bit pattern of time and value comes back, from any prefix, and usual rows are small. */
#include "tsdb/chunk.h"

#include <math.h>

#include "base/mem.h"
#include "base/test.h"
#include "model/sample.h"

struct rng {
    uint64_t state;
};
static uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Appends until the chunk or the row is full; checks every prefix on the way. Memory of just that
 * size, so that sanitizers see what is read or written behind it. Gives how many went in. */
static size_t fill(const ts_ms *t, const double *v, size_t n, unsigned size, uint16_t *len)
{
    struct chunk *c = mem_alloc(chunk_bytes(chunk_caps[size]));
    struct chunk_end e;
    ts_ms got_t[CHUNK_SAMPLES_MAX];
    double got_v[CHUNK_SAMPLES_MAX];
    size_t k = 0;
    chunk_init(c, &e, size, t[0]);
    for (; k < n; k++) {
        struct chunk_end before = e;
        if (!chunk_append(c, &e, t[k], v[k])) {
            assert_memory_equal(&before, &e, sizeof e);
            break;
        }
        assert_true(e.t == t[k] && memcmp(&e.v, &v[k], sizeof e.v) == 0 && e.n == k + 1);
        assert_true(e.len <= chunk_caps[size]);
        struct chunk *copy = mem_dup(c, chunk_bytes(e.len)); /* nothing behind is read */
        chunk_read(copy, e.len, e.n, got_t, got_v);
        assert_memory_equal(got_t, t, e.n * sizeof *t);
        assert_memory_equal(got_v, v, e.n * sizeof *v);
        free(copy);
    }
    *len = e.len;
    free(c);
    return k;
}

static ts_ms next_time(struct rng *r, ts_ms t)
{
    static const uint64_t steps[] = {15000, 15000, 15000, 1, 127, 40000, 1ULL << 31, 1ULL << 40};
    return t + (ts_ms)(steps[rng_next(r) % TESTS_N(steps)] + rng_next(r) % 3);
}

static double next_value(struct rng *r, double v)
{
    static const uint64_t strange[] = {
        STALE_NAN_BITS,       NORMAL_NAN_BITS, 0x8000000000000000ULL, 0x7ff0000000000000ULL, 1,
        0x7fefffffffffffffULL};
    switch (rng_next(r) % 10) {
    case 0:
        return f64_from_bits(strange[rng_next(r) % TESTS_N(strange)]);
    case 1:
        return f64_from_bits(rng_next(r));
    case 2:
        return (double)(int64_t)(rng_next(r) >> (rng_next(r) % 63)) / 1000;
    case 3:
        return round(v * 1e3) / 1e3 + 0.001;
    case 4:
        return v;
    case 5:
        return -v;
    default:
        return v + (double)(rng_next(r) % 1000);
    }
}

static void test_random(void **state)
{
    struct rng r = {11};
    for (int i = 0; i < 3000; i++) {
        ts_ms t[CHUNK_SAMPLES_MAX + 5] = {(ts_ms)(rng_next(&r) >> 12) * (i % 2 ? 1 : -1)};
        double v[CHUNK_SAMPLES_MAX + 5] = {next_value(&r, 0)};
        size_t n = 1 + rng_next(&r) % (CHUNK_SAMPLES_MAX + 4);
        bool plain = rng_next(&r) % 2;
        for (size_t k = 1; k < n; k++) {
            t[k] = plain ? t[k - 1] + 15000 : next_time(&r, t[k - 1]);
            v[k] = plain ? v[k - 1] + (double)(k % 7) : next_value(&r, v[k - 1]);
        }
        uint16_t len;
        unsigned size = (unsigned)(rng_next(&r) % (CHUNK_SIZES + 1));
        size_t k = fill(t, v, n, size, &len);
        assert_true(k >= 1 && k <= CHUNK_SAMPLES_MAX);
        assert_true(k == n || size != CHUNK_SIZE_LARGE || k >= CHUNK_LARGE_SAMPLES);
    }
}

static void test_sizes(void **state)
{
    enum { N = 50 };
    static const struct {
        const char *what;
        double from, step, decimals;
        size_t bytes_max;
    } rows[] = {
        {"constant", 5, 0, 0, N + 8},        {"a counter", 1e9, 100, 0, 2 * N + 20},
        {"bytes", 1e9, 3000, 0, 3 * N + 20}, {"seconds", 100, 0.25, 2, 2 * N + 20},
        {"noise", 1, M_PI, 0, 9 * N + 20},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        ts_ms t[N];
        double v[N];
        uint16_t len;
        for (size_t k = 0; k < N; k++) {
            t[k] = 1700000000000 + (ts_ms)k * 15000;
            v[k] = rows[i].from + rows[i].step * (double)k;
            if (rows[i].decimals > 0)
                v[k] = round(v[k] * 100) / 100;
        }
        assert_int_equal(fill(t, v, N, CHUNK_SIZE_LARGE, &len), N);
        if (len > rows[i].bytes_max)
            fail_msg("%s: %u bytes", rows[i].what, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
