// SPDX-License-Identifier: Apache-2.0
/* Requests and frames. Prometheus itself reads both kinds of answers in tests/flow/read_test.py. */
#include "format/remote_read.h"

#include "base/hash.h"
#include "base/test.h"
#include "codec/protobuf.h"
#include "format/prom_chunk.h"

static void put_inner(struct strbuf *out, uint32_t number, struct strbuf *inner)
{
    protobuf_put_bytes(out, number, bytes_from_str(strbuf_str(inner)));
    strbuf_clear(inner);
}

static void put_query(struct strbuf *out, uint64_t type, const char *value)
{
    STRBUF_CLEANUP struct strbuf query = {0}, matcher = {0};
    protobuf_put_varint(&query, 1, 5);
    protobuf_put_varint(&query, 2, (uint64_t)-7);
    protobuf_put_varint(&matcher, 1, type);
    protobuf_put_bytes(&matcher, 2, bytes_from_str(STR("job")));
    protobuf_put_bytes(&matcher, 3, bytes_from_str(str_from_z(value)));
    put_inner(&query, 3, &matcher);
    put_inner(out, 1, &query);
}

static bool decode(const struct strbuf *body, struct arena *a, struct remote_read_request *r,
                   struct err *err)
{
    return remote_read_decode(bytes_from_str(strbuf_str(body)), a, r, err);
}

static void test_request(void **state)
{
    ARENA_CLEANUP struct arena a;
    STRBUF_CLEANUP struct strbuf body = {0};
    struct remote_read_request r;
    struct err err;
    arena_init(&a, 0);
    put_query(&body, 2, "a.*");
    put_query(&body, 1, "x");
    if (!decode(&body, &a, &r, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(r.n, 2);
    assert_true(r.type == REMOTE_READ_SAMPLES);
    assert_true(r.queries[0].start == 5 && r.queries[0].end == -7 && r.queries[0].m_n == 1);
    assert_true(r.queries[0].m[0].op == MATCH_RE && r.queries[1].m[0].op == MATCH_NE);
    assert_true(matcher_test(&r.queries[0].m[0], STR("abc")));
    remote_read_fini(&r);
    /* The first type that is known counts. */
    protobuf_put_bytes(&body, 2, bytes_from_str(STR("\7\1\0")));
    assert_true(decode(&body, &a, &r, &err));
    assert_true(r.type == REMOTE_READ_STREAMED);
    remote_read_fini(&r);
    for (size_t cut = 1; cut < body.n; cut++) {
        uint8_t *copy = malloc(cut);
        memcpy(copy, body.p, cut);
        if (remote_read_decode((bytes){copy, cut}, &a, &r, &err))
            remote_read_fini(&r);
        free(copy);
    }
}

static void test_refused(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct remote_read_request r;
    struct err err;
    arena_init(&a, 0);
    for (int i = 0; i < 5; i++) {
        STRBUF_CLEANUP struct strbuf body = {0};
        static const char *const why[] = {"no ReadRequest", "regular expression", "no ReadRequest",
                                          "response types", "queries"};
        if (i == 0)
            put_query(&body, 9, "x");
        else if (i == 1)
            put_query(&body, 2, "(");
        else if (i == 2)
            protobuf_put_varint(&body, 1, 1);
        else if (i == 3)
            protobuf_put_varint(&body, 2, 5);
        for (int k = 0; i == 4 && k <= REMOTE_READ_QUERIES_MAX; k++)
            put_query(&body, 0, "x");
        assert_false(decode(&body, &a, &r, &err));
        if (!strstr(err.msg, why[i]) && i != 1)
            fail_msg("%s: %s", why[i], err.msg);
    }
}

/* Reads frames back: how many, and the samples in their chunks. */
static size_t read_frames(bytes in, struct arena *a, size_t query, size_t *samples)
{
    size_t frames = 0;
    ts_ms last = INT64_MIN;
    *samples = 0;
    while (in.n) {
        uint64_t n;
        assert_true(protobuf_cut_varint(&in, &n) && in.n >= 4 + n);
        uint32_t crc =
            (uint32_t)in.p[0] << 24 | (uint32_t)in.p[1] << 16 | (uint32_t)in.p[2] << 8 | in.p[3];
        bytes message = {in.p + 4, n};
        assert_true(crc32c(0, message.p, n) == crc);
        in = (bytes){in.p + 4 + n, in.n - 4 - n};
        frames++;
        struct protobuf_field f, s, c;
        struct err err;
        while (protobuf_next(&message, &f, &err) == PROTOBUF_FIELD) {
            if (f.number == 2)
                assert_int_equal(f.value, query);
            while (f.number == 1 && protobuf_next(&f.view, &s, &err) == PROTOBUF_FIELD) {
                while (s.number == 2 && protobuf_next(&s.view, &c, &err) == PROTOBUF_FIELD) {
                    struct prom_floats floats;
                    if (c.number != 4)
                        continue;
                    assert_true(prom_chunk_floats(c.view, a, &floats, &err));
                    for (size_t i = 0; i < floats.n; i++) {
                        assert_true(floats.t[i] > last);
                        last = floats.t[i];
                    }
                    *samples += floats.n;
                }
            }
        }
    }
    return frames;
}

static void test_frames(void **state)
{
    static const size_t sizes[] = {0, 1, 120, 121, 300000};
    struct label l = {STR("a"), STR("b")};
    for (size_t i = 0; i < TESTS_N(sizes); i++) {
        ARENA_CLEANUP struct arena a;
        STRBUF_CLEANUP struct strbuf out = {0};
        size_t n = sizes[i], samples;
        arena_init(&a, 0);
        ts_ms *t = arena_array(&a, ts_ms, n + 1);
        double *v = arena_array(&a, double, n + 1);
        for (size_t k = 0; k < n; k++) {
            t[k] = (ts_ms)k * 15000;
            v[k] = (double)(k * 7919 % 1009) / 3;
        }
        struct columns c = {.n = n, .t = t, .v = v};
        remote_read_put_frames((struct labels){&l, 1}, &c, 3, &out);
        size_t frames = read_frames(bytes_from_str(strbuf_str(&out)), &a, 3, &samples);
        assert_int_equal(samples, n);
        assert_true(n == 300000 ? frames > 1 : frames == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_request),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
