// SPDX-License-Identifier: Apache-2.0
#include "format/remote_write.h"

#include "base/test.h"
#include "sys/self.h"

/*
 * Messages are written as text: `1{...}` is field 1 holding a message, `1'text'` bytes, `1d2.5` a
 * double, `1v7` a varint, `1f` a fixed32, `!xx` a raw byte.
 */
static const char *build(const char *p, struct strbuf *out)
{
    while (*p && *p != '}') {
        if (*p == ' ') {
            p++;
            continue;
        }
        if (*p == '!') {
            strbuf_addc(out, (char)strtol((char[]){p[1], p[2], 0}, NULL, 16));
            p += 3;
            continue;
        }
        char *end;
        unsigned long number = strtoul(p, &end, 10);
        static const char kinds[] = "vd{__f";
        char kind = *end == '\'' ? '{' : *end;
        strbuf_addc(out, (char)(number << 3 | (unsigned long)(strchr(kinds, kind) - kinds)));
        p = end + 1;
        STRBUF_CLEANUP struct strbuf inner = {0};
        if (*end == 'v') {
            uint64_t v = (uint64_t)strtoll(p, &end, 10);
            for (; v >= 0x80; v >>= 7)
                strbuf_addc(out, (char)(v | 0x80));
            strbuf_addc(out, (char)v);
            p = end;
        } else if (*end == 'd') {
            double d = strtod(p, &end);
            strbuf_add(out, str_of((const char *)&d, 8));
            p = end;
        } else if (*end == 'f') {
            strbuf_add(out, STR("1234"));
        } else {
            if (*end == '{') {
                p = build(p, &inner) + 1;
            } else {
                const char *quote = strchr(p, '\'');
                strbuf_add(&inner, str_of(p, (size_t)(quote - p)));
                p = quote + 1;
            }
            assert_true(inner.n < 128 * 128);
            if (inner.n >= 128)
                strbuf_addc(out, (char)(inner.n | 0x80));
            strbuf_addc(out, (char)(inner.n >= 128 ? inner.n >> 7 : inner.n));
            strbuf_add(out, strbuf_str(&inner));
        }
    }
    return p;
}

/* With the labels of all series, as a store that knows none of them would do it. */
static bool decode_bytes(str body, const struct remote_write_limits *l, struct batch *b,
                         struct remote_write_skipped *skipped, struct err *err)
{
    body = arena_dup(&b->arena, body);
    if (!remote_write_decode(bytes_from_str(body), l, b, skipped, err))
        return false;
    if (batch_label_all(b, err) == LABELS_OK)
        return true;
    b->series_n = b->samples_n = b->metadata_n = 0;
    return false;
}

static bool decode(const char *text, const struct remote_write_limits *l, struct batch *b,
                   struct remote_write_skipped *skipped, struct err *err)
{
    STRBUF_CLEANUP struct strbuf body = {0};
    build(text, &body);
    return decode_bytes(strbuf_str(&body), l, b, skipped, err);
}

static void tell_exemplars(const struct batch *b, size_t series, struct strbuf *out)
{
    for (size_t i = 0; i < b->exemplars_n; i++) {
        const struct batch_exemplar *x = &b->exemplars[i];
        if (x->series != series)
            continue;
        strbuf_addz(out, "  # ");
        labels_format(x->labels, out);
        strbuf_addf(out, " %g@%lld\n", x->v, (long long)x->t);
    }
}

/* Everything in a batch, as text. */
static void tell(const struct batch *b, struct strbuf *out)
{
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        labels_format(s->labels, out);
        for (size_t k = s->first; k < (size_t)s->first + s->n; k++)
            if (b->h && b->h[k])
                strbuf_addf(out, " h%g@%lld", b->h[k]->count, (long long)b->t[k]);
            else
                strbuf_addf(out, " %g@%lld", b->v[k], (long long)b->t[k]);
        strbuf_addc(out, '\n');
        tell_exemplars(b, i, out);
        assert_true(s->hash == labels_hash(s->labels));
    }
    for (size_t i = 0; i < b->metadata_n; i++) {
        const struct metadata *m = &b->metadata[i];
        strbuf_addf(out, "%.*s %.*s [%.*s] [%.*s]\n", STR_ARG(m->family),
                    STR_ARG(metric_type_name(m->type)), STR_ARG(m->unit), STR_ARG(m->help));
    }
}

#define UP "1{1'__name__' 2'up'}"
#define A1 "1{1'a' 2'1'}"

static const struct {
    const char *body, *want;
    size_t skipped;
} good[] = {
    {"", "", 0},
    {"1{" UP "2{1d1 2v5}}", "up 1@5\n", 0},
    {"1{" UP "2{1d1 2v-5}}", "up 1@-5\n", 0},
    {"1{" A1 UP "2{1d1 2v5} 2{1d2 2v4}}", "up{a=\"1\"} 1@5 2@4\n", 0},   /* nothing sorted */
    {"1{2{1d1 2v5}" UP "2{2v6 1d2}" A1 "}", "up{a=\"1\"} 1@5 2@6\n", 0}, /* mixed fields */
    {"1{" UP "}", "", 0},
    {"1{" UP "2{}}", "up 0@0\n", 0},
    {"1{" UP "1{1'x'} 2{1d1 2v5}}", "up 1@5\n", 0},               /* an empty value */
    {"1{1{2'no' 1'x' 1'__name__' 2'up'} 2{1d1}}", "up 1@0\n", 0}, /* the last one counts */
    {"1{" UP "2{1d1 2v5} 3{1{1'x'}} 3{1'x'}}", "up 1@5\n  # {} 0@0\n",
     1}, /* the second: no label */
    {"1{" UP "3{" A1 "2d7 3v9}} 1{" A1 UP "2{1d1 2v5}}", "up\n  # {a=\"1\"} 7@9\nup{a=\"1\"} 1@5\n",
     0},
    {"1{" UP "2{1d1 2v5} 4{1v3 3d2 11{2v1} 12v6 15v7} 4{2d3 3d2 11{2v1} 13d2.5 15v8}}",
     "up 1@5 h3@7 h3@8\n", 0},
    {"9v7 1{" UP "2{1d1 2v5 9f 7'x'} 9d1 8f} 15'zz'", "up 1@5\n", 0}, /* unknown fields */
    {"1{" UP "2{1d1 2v5}} 1{" UP "2{1d1 2v5}}", "up 1@5\nup 1@5\n", 0},
    {"3{1v1 2'm' 4'hi' 5's'}", "m counter [s] [hi]\n", 0},
    {"3{1v5 2'm'} 3{1v99 2'n'} 3{1v4 2'o'} 3{1v1}",
     "m summary [] []\nn unknown [] []\no gaugehistogram [] []\n", 0},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < TESTS_N(good); i++) {
        struct batch *b = batch_new();
        STRBUF_CLEANUP struct strbuf out = {0};
        struct remote_write_skipped skipped;
        struct err err = {0};
        int64_t before = self_get(SELF_REMOTE_WRITE_SKIPPED_EXEMPLARS);
        if (!decode(good[i].body, &remote_write_default_limits, b, &skipped, &err))
            fail_msg("%s: %s", good[i].body, err.msg);
        tell(b, &out);
        assert_str(strbuf_str(&out), str_from_z(good[i].want));
        assert_int_equal(skipped.exemplars, good[i].skipped);
        assert_int_equal(self_get(SELF_REMOTE_WRITE_SKIPPED_EXEMPLARS) - before, good[i].skipped);
        batch_free(b);
    }
}

static const struct {
    const char *body;
    enum err_kind kind;
    const char *part;
} bad[] = {
    {"!0a", ERR_INVALID, "no WriteRequest"},
    {"!0a!05!00", ERR_INVALID, "no WriteRequest"},
    {"!0a!ff!ff!ff!ff!ff!ff!ff!ff!ff!ff!01", ERR_INVALID, "no WriteRequest"},
    {"!0b!0c", ERR_INVALID, "no WriteRequest"}, /* a group */
    {"!02!00", ERR_INVALID, "no WriteRequest"}, /* field 0 */
    {"1v1", ERR_INVALID, "no WriteRequest"},
    {"3d1", ERR_INVALID, "no WriteRequest"},
    {"1{1v1}", ERR_INVALID, "malformed series"},
    {"1{!0a}", ERR_INVALID, "malformed series"},
    {"1{1{1v1}}", ERR_INVALID, "malformed label"},
    {"1{1{!0a}}", ERR_INVALID, "malformed label"},
    {"1{" UP "2{1v1}}", ERR_INVALID, "malformed sample"},
    {"1{" UP "2{2d1}}", ERR_INVALID, "malformed sample"},
    {"1{" UP "2{!09!00}}", ERR_INVALID, "malformed sample"},
    {"3{2v1}", ERR_INVALID, "malformed metadata"},
    {"3{2'!'} 3{!12}", ERR_INVALID, "malformed metadata"},
    {"1{" UP "2{}} 1{" A1 "2{}}", ERR_INVALID, "series 1: no metric name"},
    {"1{" UP UP "2{}}", ERR_INVALID, "label \"__name__\" is given twice"},
    {"1{" UP A1 A1 "}", ERR_INVALID, "label \"a\" is given twice"},
    {"1{" UP "1{2'x'}}", ERR_INVALID, "has no name"},
    {"1{" UP "1{1'\xff' 2'x'}}", ERR_INVALID, "not UTF-8"},
    {"1{" UP "1{1'x' 2'\xc3'}}", ERR_INVALID, "not UTF-8"},
    {"3{2'm' 4'\xff'}", ERR_INVALID, "not UTF-8"},
    {"1{" UP "2{}} 1{" UP "2{}} 1{" UP "2{}}", ERR_LIMIT, "series_max"},
    {"1{" UP "2{} 2{} 2{} 2{}}", ERR_LIMIT, "samples_max"},
    {"3{2'm'} 3{2'm'}", ERR_LIMIT, "metadata_max"},
    {"1{" UP A1 "1{1'b' 2'1'}}", ERR_LIMIT, "labels_max"},
    {"1{" UP "1{1'abcdefghi' 2'1'}}", ERR_LIMIT, "label_name_bytes_max"},
    {"1{" UP "1{1'a' 2'0123456789'}}", ERR_LIMIT, "label_value_bytes_max"},
};

static void test_bad(void **state)
{
    static const struct remote_write_limits small = {.series_max = 2,
                                                     .samples_max = 3,
                                                     .metadata_max = 1,
                                                     .labels_max = 2,
                                                     .label_name_bytes_max = 8,
                                                     .label_value_bytes_max = 9};
    for (size_t i = 0; i < TESTS_N(bad); i++) {
        struct batch *b = batch_new();
        struct remote_write_skipped skipped;
        struct err err = {0};
        const struct remote_write_limits *l =
            bad[i].kind == ERR_LIMIT ? &small : &remote_write_default_limits;
        if (decode(bad[i].body, l, b, &skipped, &err))
            fail_msg("row %zu was accepted: %s", i, bad[i].body);
        if (err.kind != bad[i].kind || !strstr(err.msg, bad[i].part))
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(b->series_n + b->samples_n + b->metadata_n, 0);
        batch_free(b);
    }
}

/* Equal bytes of labels have equal keys, whatever follows; labels behind samples have none. */
static void test_keys(void **state)
{
    struct batch *b = batch_new();
    struct remote_write_skipped skipped;
    struct err err = {0};
    assert_true(decode("1{" UP A1 "2{1d1 2v5}} 1{" UP A1 "2{1d2 2v6} 2{1d2 2v7} 3{}}"
                       "1{" A1 UP "2{1d1 2v5}} 1{" UP "2{1d1 2v5}" A1 "} 1{" UP "2{1d1 2v5} 9v1}",
                       &remote_write_default_limits, b, &skipped, &err));
    const struct batch_series *s = b->series;
    assert_int_equal(b->series_n, 5);
    assert_memory_equal(&s[0].key, &s[1].key, sizeof s[0].key);
    assert_false(series_key_is_none(s[0].key) || series_key_is_none(s[4].key));
    assert_memory_not_equal(&s[0].key, &s[2].key, sizeof s[0].key);
    assert_memory_not_equal(&s[0].key, &s[4].key, sizeof s[0].key);
    assert_true(series_key_is_none(s[3].key));
    for (size_t i = 1; i < 4; i++)
        assert_true(labels_eq(s[0].labels, s[i].labels) && s[i].hash == s[0].hash);
    batch_free(b);
}

/* Labels are read only when they are asked for. */
static void test_labels_wait(void **state)
{
    struct batch *b = batch_new();
    STRBUF_CLEANUP struct strbuf body = {0};
    struct remote_write_skipped skipped;
    struct err err = {0};
    build("1{" UP "2{1d1 2v5}} 1{" UP UP "2{1d1 2v5}}", &body);
    assert_true(remote_write_decode(bytes_from_str(strbuf_str(&body)), &remote_write_default_limits,
                                    b, &skipped, &err));
    assert_int_equal(b->series_n, 2);
    assert_int_equal(b->series[0].labels.n, 0);
    assert_int_equal(batch_label(b, &b->series[0], &err), LABELS_OK);
    assert_int_equal(b->series[0].labels.n, 1);
    assert_int_equal(batch_label(b, &b->series[1], &err), LABELS_FAIL);
    assert_int_equal(err.kind, ERR_INVALID);
    batch_free(b);
}

static void test_stale_marker_stays(void **state)
{
    struct batch *b = batch_new();
    struct remote_write_skipped skipped;
    struct err err = {0};
    assert_true(decode("1{" UP "2{!09!02!00!00!00!00!00!f0!7f}}", &remote_write_default_limits, b,
                       &skipped, &err));
    assert_true(is_stale_nan(b->v[0]));
    batch_free(b);
}

/* What is encoded is read back the same, and any cut of it is refused or shorter. */
static void test_round_trip_and_cuts(void **state)
{
    enum { SERIES = 50 };
    struct batch *b = batch_new(), *back = batch_new();
    STRBUF_CLEANUP struct strbuf body = {0}, want = {0}, got = {0};
    struct remote_write_skipped skipped;
    struct err err = {0};
    b->series = arena_array(&b->arena, struct batch_series, SERIES);
    b->t = arena_array(&b->arena, ts_ms, SERIES * 3);
    b->v = arena_array(&b->arena, double, SERIES * 3);
    for (uint32_t i = 0; i < SERIES; i++) {
        struct label *at = arena_array(&b->arena, struct label, 2);
        at[0] = (struct label){LABEL_NAME, STR("m")};
        at[1] = (struct label){STR("i"), arena_printf(&b->arena, "%*u", (int)i * 3 + 1, i)};
        b->series[i] =
            (struct batch_series){{at, 2}, labels_hash((struct labels){at, 2}), i * 3, 3};
        for (uint32_t k = i * 3; k < i * 3 + 3; k++) {
            b->t[k] = (ts_ms)k * 1700000000 - 5;
            b->v[k] = k / 7.0;
        }
    }
    struct metadata meta[] = {{STR("m"), METRIC_STATESET, STR("u"), STR("help")},
                              {STR("n"), METRIC_HISTOGRAM, STR(""), STR("")}};
    b->metadata = meta;
    b->series_n = SERIES;
    b->samples_n = SERIES * 3;
    b->metadata_n = TESTS_N(meta);
    remote_write_encode(b, &body);
    assert_true(
        decode_bytes(strbuf_str(&body), &remote_write_default_limits, back, &skipped, &err));
    tell(b, &want);
    tell(back, &got);
    assert_str(strbuf_str(&got), strbuf_str(&want));
    batch_free(back);

    for (size_t n = 0; n < body.n; n++) {
        back = batch_new();
        if (decode_bytes(str_of(body.p, n), &remote_write_default_limits, back, &skipped, &err))
            assert_true(back->series_n + back->metadata_n < SERIES + TESTS_N(meta));
        batch_free(back);
    }
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_labels_wait),
        cmocka_unit_test(test_stale_marker_stays),
        cmocka_unit_test(test_round_trip_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
