// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include "base/mem.h"
#include "base/test.h"
#include "sys/self.h"

/* A store that keeps what it was given until the test answers. */
struct store {
    struct sink sink;
    struct batch *b;
    batch_done done;
    void *arg;
    size_t writes;
    enum label_verdict verdict; /* what the labeller said */
    struct err why;
};

static void store_write(struct sink *s, struct batch *b, batch_done done, void *arg)
{
    struct store *st = (struct store *)s;
    assert_null(st->b);
    st->b = b;
    st->done = done;
    st->arg = arg;
    st->writes++;
    st->verdict = batch_label_all(b, &st->why);
}

static void answer(struct store *st, bool ok, const struct batch_result *r, const struct err *err)
{
    batch_free(st->b);
    st->b = NULL;
    st->done(st->arg, ok, r, err);
}

/* What the writer was told. */
struct told {
    size_t times;
    bool ok;
    struct batch_result result;
    struct err err;
};

static void on_done(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct told *t = arg;
    t->times++;
    t->ok = ok;
    t->result = *result;
    if (!ok)
        t->err = *err;
}

/* One sample for each set. */
static struct batch *batch_of(const struct labels *sets, size_t n)
{
    struct batch *b = batch_new();
    b->series = arena_array(&b->arena, struct batch_series, n);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    for (size_t i = 0; i < n; i++)
        b->series[i] = (struct batch_series){sets[i], labels_hash(sets[i]), (uint32_t)i, 1};
    b->series_n = b->samples_n = n;
    return b;
}

static const struct label up[] = {{STR_INIT("__name__"), STR_INIT("up")}};
static const struct label three[] = {{STR_INIT("__name__"), STR_INIT("up")},
                                     {STR_INIT("a"), STR_INIT("1")},
                                     {STR_INIT("b"), STR_INIT("2")}};
static const struct label long_name[] = {{STR_INIT("__name__"), STR_INIT("up")},
                                         {STR_INIT("name_too_long"), STR_INIT("1")}};
static const struct label long_value[] = {{STR_INIT("__name__"), STR_INIT("up")},
                                          {STR_INIT("a"), STR_INIT("a value too long")}};
#define SET(a)                                                                                     \
    {                                                                                              \
        a, TESTS_N(a)                                                                              \
    }

static const struct ingest_options small = {
    .labels_max = 2, .label_name_bytes_max = 8, .label_value_bytes_max = 8};

static void test_passes_on(void **state)
{
    struct store st = {.sink.write = store_write};
    struct told told = {0};
    struct ingest *in = ingest_new(&st.sink, &(struct ingest_options){0});
    const struct labels sets[] = {SET(up), SET(three), SET(long_name), SET(long_value)};
    int64_t stored = self_get(SELF_INGEST_STORED), batches = self_get(SELF_INGEST_BATCHES_OK);
    int64_t in_flight = self_get(SELF_INGEST_IN_FLIGHT_BYTES);

    ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 4), on_done, &told);
    assert_int_equal(told.times, 0);
    assert_int_equal(st.verdict, LABELS_OK);
    assert_true(self_get(SELF_INGEST_IN_FLIGHT_BYTES) > in_flight);
    answer(&st, true, &(struct batch_result){.stored = 3, .duplicate = 1}, NULL);

    assert_int_equal(told.times, 1);
    assert_true(told.ok);
    assert_int_equal(told.result.stored, 3);
    assert_int_equal(told.result.invalid, 0);
    assert_int_equal(told.result.first.kind, ERR_NONE);
    assert_int_equal(self_get(SELF_INGEST_STORED) - stored, 3);
    assert_int_equal(self_get(SELF_INGEST_BATCHES_OK) - batches, 1);
    assert_int_equal(self_get(SELF_INGEST_IN_FLIGHT_BYTES), in_flight);
    ingest_free(in);
}

static void test_limits(void **state)
{
    static const struct {
        struct labels set;
        const char *part;
    } rows[] = {
        {SET(three), "has 3 labels, labels_max allows 2"},
        {SET(long_name), "label_name_bytes_max allows 8"},
        {SET(long_value), "label_value_bytes_max allows 8"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct store st = {.sink.write = store_write};
        struct told told = {0};
        struct ingest *in = ingest_new(&st.sink, &small);
        const struct labels sets[] = {rows[i].set, SET(up), rows[i].set};
        int64_t invalid = self_get(SELF_INGEST_INVALID);
        int64_t series = self_get(SELF_INGEST_SERIES_INVALID);

        ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 3), on_done, &told);
        assert_int_equal(st.verdict, LABELS_DROP);
        assert_true(st.b->series[0].n == 0 && st.b->series[1].n == 1 && st.b->series[2].n == 0);
        assert_int_equal(st.why.kind, ERR_LIMIT);
        assert_non_null(strstr(st.why.msg, rows[i].part));
        answer(&st, true, &(struct batch_result){.stored = 1, .invalid = 2}, NULL);
        assert_int_equal(told.result.invalid, 2);
        assert_int_equal(told.result.stored, 1);
        assert_int_equal(self_get(SELF_INGEST_INVALID) - invalid, 2);
        assert_int_equal(self_get(SELF_INGEST_SERIES_INVALID) - series, 2);
        ingest_free(in);
    }
}

/* The producer's own labeller is asked first, and its verdict stands. */
static enum label_verdict on_label(struct labeller *l, struct batch *b, struct batch_series *s,
                                   struct err *err)
{
    if (s != b->series) {
        err_set(err, ERR_INVALID, "the second series is none");
        return LABELS_FAIL;
    }
    s->labels = (struct labels){three, TESTS_N(three)};
    return LABELS_OK;
}

static void test_labeller(void **state)
{
    struct store st = {.sink.write = store_write};
    struct told told = {0};
    struct ingest *in = ingest_new(&st.sink, &small);
    struct labeller producer = {on_label};
    const struct labels sets[] = {SET(up), SET(up), SET(up)};
    for (size_t n = 1; n <= 3; n++) {
        struct batch *b = batch_of(sets, n);
        b->labeller = &producer;
        ingest_sink(in)->write(ingest_sink(in), b, on_done, &told);
        assert_int_equal(st.verdict, n == 1 ? LABELS_DROP : LABELS_FAIL);
        assert_int_equal(st.why.kind, n == 1 ? ERR_LIMIT : ERR_INVALID);
        answer(&st, true, &(struct batch_result){0}, NULL);
    }
    ingest_free(in);
}

static void test_overload(void **state)
{
    struct store st = {.sink.write = store_write};
    struct told one = {0}, two = {0}, three_ = {0};
    struct ingest *in = ingest_new(&st.sink, &(struct ingest_options){.in_flight_bytes_max = 100});
    const struct labels sets[] = {SET(up)};
    int64_t refused = self_get(SELF_INGEST_BATCHES_OVERLOAD);

    ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 1), on_done, &one);
    ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 1), on_done, &two);
    assert_int_equal(st.writes, 1); /* alone, a large batch goes */
    assert_int_equal(two.times, 1);
    assert_false(two.ok);
    assert_int_equal(two.err.kind, ERR_UNAVAILABLE);
    assert_int_equal(self_get(SELF_INGEST_BATCHES_OVERLOAD) - refused, 1);

    answer(&st, true, &(struct batch_result){.stored = 1}, NULL);
    ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 1), on_done, &three_);
    assert_int_equal(st.writes, 2);
    answer(&st, true, &(struct batch_result){.stored = 1}, NULL);
    assert_true(one.ok && three_.ok);
    ingest_free(in);
}

static void test_store_fails(void **state)
{
    struct store st = {.sink.write = store_write};
    struct told told = {0};
    struct ingest *in = ingest_new(&st.sink, &small);
    const struct labels sets[] = {SET(up), SET(three)};
    int64_t failed = self_get(SELF_INGEST_BATCHES_FAILED), invalid = self_get(SELF_INGEST_INVALID);
    struct err err = {0};
    err_set(&err, ERR_NO_SPACE, "disk full");

    ingest_sink(in)->write(ingest_sink(in), batch_of(sets, 2), on_done, &told);
    answer(&st, false, NULL, &err);
    assert_int_equal(told.times, 1);
    assert_false(told.ok);
    assert_int_equal(told.err.kind, ERR_NO_SPACE);
    assert_int_equal(told.result.invalid, 0); /* the batch did not go in, nor out in parts */
    assert_int_equal(self_get(SELF_INGEST_BATCHES_FAILED) - failed, 1);
    assert_int_equal(self_get(SELF_INGEST_INVALID), invalid);
    ingest_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_on),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_labeller),    cmocka_unit_test(test_overload),
        cmocka_unit_test(test_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
