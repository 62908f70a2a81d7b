// SPDX-License-Identifier: Apache-2.0
/* Chunks there and back, and an index and tombstones put together by hand. Blocks that Prometheus
 * itself wrote are read by tests/flow/db_test.py. */
#include "format/prom_block.h"

#include <math.h>

#include "base/hash.h"
#include "base/test.h"
#include "format/prom_chunk.h"
#include "model/sample.h"

/* ---- chunks ---- */

static void check_chunk(const ts_ms *t, const double *v, size_t n)
{
    ARENA_CLEANUP struct arena a;
    STRBUF_CLEANUP struct strbuf out = {0};
    struct prom_floats f;
    struct err err;
    arena_init(&a, 0);
    prom_chunk_put_floats(t, v, n, &out);
    if (!prom_chunk_floats(bytes_from_str(strbuf_str(&out)), &a, &f, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(f.n, n);
    assert_memory_equal(f.t, t, n * sizeof *t);
    assert_memory_equal(f.v, v, n * sizeof *v);
    /* Cut anywhere it is refused or shorter than it says; never read past its end. */
    for (size_t cut = 0; cut < out.n; cut++) {
        uint8_t *part = mem_dup(out.p, cut ? cut : 1);
        assert_false(prom_chunk_floats((bytes){part, cut}, &a, &f, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        free(part);
    }
}

static uint64_t rng(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

static void test_chunks(void **state)
{
    static const int64_t steps[] = {0,    1,     15000,  8191,   8192,
                                    8193, 65535, 524288, 524289, 1LL << 40};
    ts_ms t[300];
    double v[300];
    uint64_t s = 7;
    for (int round = 0; round < 200; round++) {
        size_t n = rng(&s) % 120 + 1;
        t[0] = round % 3 ? 1700000000000 : -5;
        v[0] = 0;
        for (size_t i = 1; i < n; i++) {
            t[i] = t[i - 1] + steps[rng(&s) % (round % 10 + 1)];
            uint64_t bits = rng(&s);
            v[i] = round % 4 == 0   ? f64_from_bits(bits)
                   : round % 4 == 1 ? v[i - 1] + (double)(bits % 100)
                   : round % 4 == 2 ? 5
                                    : (bits % 5 ? (double)(bits % 1000) / 10 : stale_nan());
        }
        check_chunk(t, v, n);
    }
}

/* One sample at 1 ms with value 1: 16 bits of count, a varint, 64 bits. */
static void test_chunk_bytes(void **state)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    ts_ms t[] = {1, 3};
    double v[] = {1, 1};
    prom_chunk_put_floats(t, v, 2, &out);
    assert_int_equal(out.n, 13);
    assert_memory_equal(out.p, "\0\2\2\x3f\xf0\0\0\0\0\0\0\2\0", 13);
}

/* Chunks that Prometheus 2.42 wrote: schema 1, four samples at 15 s, of which sample k has a zero
 * count of k, k in the first negative bucket, 2 + k (and a half: floats) in the second positive one
 * and 1 in the sixth. */
static const uint8_t float_chunk[] = {
    0x00, 0x04, 0x00, 0x74, 0x8c, 0xa3, 0x18, 0xce, 0x31, 0x7f, 0x00, 0x00, 0xd0, 0xfe, 0x94,
    0x83, 0xcc, 0x20, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x02, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x1f, 0xfc, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x7c, 0x1d, 0x4c, 0x6c, 0x0b, 0xc4, 0x57, 0xff, 0x88, 0xbf,
    0xff, 0xb0, 0x1b, 0x11, 0x5f, 0xfb, 0x50, 0x7f, 0x09, 0x7f, 0xff, 0x09, 0x7f, 0xff, 0x58,
    0x9e, 0xc2, 0x5f, 0xff, 0x6c, 0x0f, 0xec, 0x07, 0xac, 0x4d, 0x89, 0xb0, 0x18};
static const uint8_t int_chunk[] = {
    0x00, 0x04, 0x00, 0x74, 0x8c, 0xa3, 0x18, 0xce, 0x31, 0x7f, 0x00, 0x00, 0xd0, 0xfe, 0x94,
    0x83, 0xcc, 0x4c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x2b, 0xbe, 0x0e, 0xa6,
    0x27, 0x1c, 0x45, 0xff, 0xf8, 0xde, 0x23, 0x09, 0x7f, 0xfc, 0x0d, 0x62, 0x68};

static void test_histograms(void **state)
{
    for (int floats = 0; floats < 2; floats++) {
        ARENA_CLEANUP struct arena a;
        struct prom_histograms h;
        struct err err;
        uint8_t encoding = floats ? PROM_CHUNK_FLOAT_HISTOGRAM : PROM_CHUNK_HISTOGRAM;
        bytes b = floats ? bytes_of(float_chunk, sizeof float_chunk)
                         : bytes_of(int_chunk, sizeof int_chunk);
        double half = floats ? 0.5 : 0;
        arena_init(&a, 0);
        if (!prom_chunk_histograms(encoding, b, &a, &h, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(h.n, 4);
        for (size_t k = 0; k < 4; k++) {
            const struct histogram *x = h.h[k];
            double n = (double)k;
            assert_true(h.t[k] == 1795248687000 + (ts_ms)k * 15000);
            assert_true(x->schema == 1 && x->zero_threshold == 0x1p-128 && x->zero_count == n);
            assert_true(x->sum == 1.5 * n && x->count == 3 + 3 * n + 2 * half);
            assert_int_equal(x->positive.counts_n, 2);
            assert_true(x->positive.counts[0] == 2 + n + half);
            assert_true(x->positive.counts[1] == 1 + half);
            assert_true(x->positive.spans[0].offset == 1 && x->positive.spans[1].offset == 3);
            assert_true(x->negative.counts_n == 1 && x->negative.counts[0] == n);
            assert_true(x->reset == (k ? HISTOGRAM_RESET_NO : HISTOGRAM_RESET_UNKNOWN));
        }
        for (size_t cut = 0; cut < b.n; cut++) {
            uint8_t *part = mem_dup(b.p, cut ? cut : 1);
            assert_false(prom_chunk_histograms(encoding, (bytes){part, cut}, &a, &h, &err));
            free(part);
        }
    }
}

/* What upstream wrote comes out byte for byte when what was read is written. */
static void test_histograms_written(void **state)
{
    for (int floats = 0; floats < 2; floats++) {
        ARENA_CLEANUP struct arena a;
        STRBUF_CLEANUP struct strbuf out = {0};
        struct prom_histograms h;
        struct err err;
        uint8_t encoding = floats ? PROM_CHUNK_FLOAT_HISTOGRAM : PROM_CHUNK_HISTOGRAM, got = 0;
        bytes b = floats ? bytes_of(float_chunk, sizeof float_chunk)
                         : bytes_of(int_chunk, sizeof int_chunk);
        arena_init(&a, 0);
        assert_true(prom_chunk_histograms(encoding, b, &a, &h, &err));
        assert_int_equal(prom_chunk_put_histograms(h.t, h.h, h.n, &got, &out), h.n);
        assert_int_equal(got, encoding);
        assert_int_equal(out.n, b.n);
        assert_memory_equal(out.p, b.p, b.n);
    }
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((*state >> 33) % n);
}

/* Buckets at random places; of integers, or of halves too. */
static struct histogram_buckets random_side(struct arena *a, uint64_t *state, bool halves,
                                            double *total)
{
    uint32_t n = random_below(state, 6);
    struct histogram_span *spans = arena_array(a, struct histogram_span, n + 1);
    double *counts = arena_array(a, double, 4 * n + 1);
    struct histogram_buckets b = {.spans = spans, .counts = counts, .spans_n = n};
    for (uint32_t i = 0; i < n; i++) {
        int32_t offset = (int32_t)random_below(state, i ? 5 : 60000);
        spans[i] = (struct histogram_span){i ? offset : offset - 30000, 1 + random_below(state, 4)};
        for (uint32_t k = 0; k < spans[i].n; k++) {
            double count = random_below(state, 1U << random_below(state, 31));
            counts[b.counts_n] = count / (halves ? 2 : 1);
            *total += counts[b.counts_n++];
        }
    }
    return b;
}

static const struct histogram *random_histogram(struct arena *a, uint64_t *state,
                                                const struct histogram *before)
{
    static const double thresholds[] = {0, 0x1p-128, 1e-3, 0x1p11, 5e-324};
    static const double bounds[] = {0.001, 0.25, 1.0 / 3, 33554.43, 1e300};
    struct histogram *h = arena_new(a, struct histogram);
    if (before && random_below(state, 4)) { /* the same counter a little later */
        *h = *before;
        double *counts = arena_array(a, double, h->positive.counts_n + 1);
        for (uint32_t i = 0; i < h->positive.counts_n; i++)
            counts[i] = before->positive.counts[i] + random_below(state, 3);
        h->positive.counts = counts;
        h->count += 2.0 * h->positive.counts_n;
        h->sum += 0.1;
        return h;
    }
    bool halves = random_below(state, 2), custom = random_below(state, 4) == 0;
    h->reset = random_below(state, 3) ? HISTOGRAM_RESET_UNKNOWN : HISTOGRAM_GAUGE;
    h->schema = custom ? HISTOGRAM_CUSTOM : (int8_t)(random_below(state, 13) - 4);
    if (custom) {
        static const struct histogram_span all = {0, 6};
        static const double counts[] = {1, 0, 3, 4, 5, 6};
        h->custom = bounds;
        h->custom_n = 1 + random_below(state, 5);
        static const struct histogram_span one = {1, 1};
        h->positive = h->custom_n == 5 ? (struct histogram_buckets){&all, counts, 1, 6}
                                       : (struct histogram_buckets){&one, counts + 2, 1, 1};
        h->count = 19;
        return h;
    }
    h->zero_threshold = thresholds[random_below(state, 5)];
    h->zero_count = random_below(state, 100);
    h->positive = random_side(a, state, halves, &h->count);
    h->negative = random_side(a, state, halves, &h->count);
    h->count += h->zero_count;
    h->sum = (double)random_below(state, 1000) / 7;
    return h;
}

static void test_histograms_round_trip(void **unused)
{
    enum { N = 4000 };
    ARENA_CLEANUP struct arena a;
    uint64_t state = 7;
    arena_init(&a, 0);
    ts_ms *t = arena_array(&a, ts_ms, N);
    const struct histogram **h = arena_array(&a, const struct histogram *, N);
    for (size_t i = 0; i < N; i++) {
        t[i] = (i ? t[i - 1] : -5) + 1 + random_below(&state, 1U << random_below(&state, 31));
        h[i] = random_histogram(&a, &state, i ? h[i - 1] : NULL);
    }
    size_t chunks = 0;
    for (size_t from = 0, n; from < N; from += n, chunks++) {
        STRBUF_CLEANUP struct strbuf out = {0};
        struct prom_histograms got;
        struct err err;
        uint8_t encoding;
        n = prom_chunk_put_histograms(t + from, h + from, N - from, &encoding, &out);
        assert_true(n > 0);
        if (!prom_chunk_histograms(encoding, bytes_from_str(strbuf_str(&out)), &a, &got, &err))
            fail_msg("samples from %zu on: %s", from, err.msg);
        assert_int_equal(got.n, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(got.t[i] == t[from + i]);
            if (!histogram_same_sample(got.h[i], h[from + i]))
                fail_msg("sample %zu of the chunk from %zu on", i, from);
        }
    }
    assert_true(chunks < N / 2);
}

/* ---- an index ---- */

static void add_u32(struct strbuf *b, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_addc(b, (char)(v >> shift));
}

static void add_u64(struct strbuf *b, uint64_t v)
{
    add_u32(b, (uint32_t)(v >> 32));
    add_u32(b, (uint32_t)v);
}

static void add_crc(struct strbuf *b, size_t from)
{
    add_u32(b, crc32c(0, b->p + from, b->n - from));
}

struct made {
    struct strbuf b;
    size_t symbols, series[2], series_end;
};

/* Symbols "", "a", "b", "up"; series {a="b"} with two chunks and {a="up"} with none. */
static void make_index(struct made *m, int version)
{
    static const uint8_t at[] = {0, 1, 3, 5}; /* of symbols behind their count, version 1 */
    *m = (struct made){0};
    struct strbuf *b = &m->b;
    add_u32(b, 0xBAAAD700);
    strbuf_addc(b, (char)version);
    m->symbols = b->n;
    add_u32(b, 4 + 8);
    add_u32(b, 4);
    strbuf_add(b, STR("\0\1a\1b\2up"));
    add_crc(b, m->symbols + 4);
    for (int i = 0; i < 2; i++) {
        while (version == 2 && b->n % 16)
            strbuf_addc(b, 0);
        m->series[i] = b->n;
        uint8_t base = version == 2 ? 0 : (uint8_t)(m->symbols + 8);
        strbuf_addc(b, (char)(i ? 4 : 13));
        size_t from = b->n;
        strbuf_addc(b, 1);
        strbuf_addc(b, (char)(version == 2 ? 1 : base + at[1]));
        strbuf_addc(b, (char)(version == 2 ? 2 + i : base + at[2 + i]));
        strbuf_addc(b, (char)(i ? 0 : 2));
        if (!i) /* [-1, 4] in file 0 at 8; [6, 6] in file 0 at 24 */
            strbuf_add(b, STR("\1\5\x88\x80\x80\0\2\0\x20"));
        add_crc(b, from);
    }
    m->series_end = b->n;
    for (int i = 0; i < 4; i++)
        add_u32(b, 0);
    size_t toc = b->n;
    uint64_t places[] = {m->symbols,    m->series[0],      0,
                         m->series_end, m->series_end + 4, m->series_end + 8};
    for (int i = 0; i < 6; i++)
        add_u64(b, places[i]);
    add_crc(b, toc);
}

static bool walk(bytes b, struct arena *a, struct strbuf *out, struct err *err)
{
    struct prom_index_toc toc;
    struct prom_symbols symbols;
    struct prom_series s;
    bytes tail = {b.p + b.n - PROM_INDEX_TOC_BYTES, PROM_INDEX_TOC_BYTES};
    if (!prom_index_toc_read(b, tail, b.n, &toc, err))
        return false;
    bytes section = {b.p + toc.symbols, b.n - toc.symbols};
    if (prom_symbols_size(section) > section.n)
        return err_set(err, ERR_CORRUPT, "too long");
    if (!prom_symbols_read(section, &toc, a, &symbols, err))
        return false;
    for (uint64_t off = prom_series_place(&toc, toc.series); off < toc.series_end;
         off = prom_series_place(&toc, off)) {
        bytes entry = {b.p + off, b.n - off};
        if (!prom_series_read(entry, off, &toc, &symbols, a, &s, err))
            return false;
        labels_format(s.labels, out);
        for (size_t i = 0; i < s.chunks_n; i++)
            strbuf_addf(out, " %lld..%lld@%u/%u", (long long)s.chunks[i].min_t,
                        (long long)s.chunks[i].max_t, s.chunks[i].file, s.chunks[i].off);
        strbuf_addc(out, '\n');
        off += prom_series_size(entry);
    }
    return true;
}

static void test_index(void **state)
{
    for (int version = 1; version <= 2; version++) {
        ARENA_CLEANUP struct arena a;
        STRBUF_CLEANUP struct strbuf out = {0};
        struct made m;
        struct err err;
        arena_init(&a, 0);
        make_index(&m, version);
        if (!walk(bytes_from_str(strbuf_str(&m.b)), &a, &out, &err))
            fail_msg("%s", err.msg);
        assert_str(strbuf_str(&out), STR("{a=\"b\"} -1..4@0/8 6..6@0/24\n{a=\"up\"}\n"));
        /* Every bit counts, but for those between the sections. */
        for (size_t i = 0; i < m.b.n; i++) {
            bool free_byte =
                (i >= m.series_end && i < m.series_end + 16) ||
                (version == 2 && m.b.p[i] == 0 && i >= m.symbols + 20 && i < m.series_end);
            m.b.p[i] ^= 4;
            strbuf_clear(&out);
            if (!free_byte && walk(bytes_from_str(strbuf_str(&m.b)), &a, &out, &err))
                fail_msg("version %d: byte %zu does not matter", version, i);
            m.b.p[i] ^= 4;
        }
        strbuf_fini(&m.b);
    }
}

/* ---- the rest ---- */

static void test_tombstones(void **state)
{
    ARENA_CLEANUP struct arena a;
    STRBUF_CLEANUP struct strbuf b = {0};
    struct prom_tombstone *at;
    struct err err;
    size_t n;
    arena_init(&a, 0);
    add_u32(&b, 0x0130BA30);
    strbuf_addc(&b, 1);
    size_t from = b.n;
    strbuf_add(&b, STR("\5\2\4\3\1\xc8\1")); /* 5: 1..2; 3: -1..100 */
    add_crc(&b, from);
    if (!prom_tombstones_read(bytes_from_str(strbuf_str(&b)), &a, &at, &n, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(n, 2);
    assert_true(at[0].ref == 3 && at[0].min_t == -1 && at[0].max_t == 100);
    assert_true(at[1].ref == 5 && at[1].min_t == 1 && at[1].max_t == 2);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        assert_false(prom_tombstones_read(bytes_from_str(strbuf_str(&b)), &a, &at, &n, &err));
        b.p[i] ^= 1;
        assert_false(prom_tombstones_read((bytes){(uint8_t *)b.p, i}, &a, &at, &n, &err));
    }
}

static void test_meta(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct prom_block_meta m;
    struct err err;
    arena_init(&a, 0);
    assert_true(prom_block_meta_read(STR("{\"ulid\":\"01X\",\"minTime\":-5,\"maxTime\":7,"
                                         "\"stats\":{\"numSamples\":9},\"version\":1}"),
                                     &a, &m, &err));
    assert_true(m.min_t == -5 && m.max_t == 7 && m.samples == 9 && m.series == 0);
    assert_false(prom_block_meta_read(STR("{\"ulid\":\"01X\",\"minTime\":1,\"maxTime\":7,"
                                          "\"version\":2}"),
                                      &a, &m, &err));
    assert_false(prom_block_meta_read(STR("{\"version\":1}"), &a, &m, &err));
    assert_false(prom_block_meta_read(STR("[]"), &a, &m, &err));
    assert_false(prom_block_meta_read(STR("{"), &a, &m, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunk_bytes),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_histograms_written),
        cmocka_unit_test(test_histograms_round_trip),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
