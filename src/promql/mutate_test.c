// SPDX-License-Identifier: Apache-2.0
/* The mutator of the fuzz target gives expressions that parse, most of them other ones, and the
 * target holds for a few thousand of them also where there is no fuzzer. */
#include "base/test.h"

#include "base/strbuf.h"
#include "promql/fuzz_grow.h"
#include "promql/fuzz_mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 300 };

static bool parses(str text)
{
    struct err err;
    struct promql_expr *e = promql_parse(text, &fuzz_features, &err);
    promql_expr_free(e);
    return e != NULL;
}

static void mutations_parse(void **state)
{
    static const char *const texts[] = {
        "", "a", "sum by (job) (rate(a[5m] offset 1m))", "not (a query",
        "histogram_quantile(0.9, nh) or b ^ on (job) group_left () 2"};
    (void)state;
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        size_t same = 0;
        for (uint64_t seed = 0; seed < 300; seed++) {
            STRBUF_CLEANUP struct strbuf once = {0}, again = {0};
            uint64_t s = seed, s2 = seed;
            str text = str_from_z(texts[i]), other = str_from_z(texts[2]);
            fuzz_mutate(&s, text, other, TEXT_MAX, &once);
            fuzz_mutate(&s2, text, other, TEXT_MAX, &again);
            assert_str(strbuf_str(&once), strbuf_str(&again));
            assert_true(once.n <= TEXT_MAX && parses(strbuf_str(&once)));
            same += str_eq(strbuf_str(&once), text);
        }
        assert_true(same < 60);
    }
}

static void chains_of_mutations_evaluate(void **state)
{
    size_t n = test_size() == TEST_SMALL ? 1000 : 5000;
    uint64_t seed = 1;
    STRBUF_CLEANUP struct strbuf text = {0}, next = {0};
    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (i % 20 == 0) {
            strbuf_clear(&text);
            fuzz_grow(&seed, PROMQL_VECTOR, 4, &text);
        }
        fuzz_mutate(&seed, strbuf_str(&text), (str){0}, TEXT_MAX, &next);
        LLVMFuzzerTestOneInput((const uint8_t *)next.p, next.n);
        struct strbuf swap = text;
        text = next;
        next = swap;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutations_parse),
        cmocka_unit_test(chains_of_mutations_evaluate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
