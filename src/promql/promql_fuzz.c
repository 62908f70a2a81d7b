// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as an expression: parsed, printed, parsed again to the same text, and evaluated over a
 * few series with small budgets, as an instant and as a range query, with and without delayed
 * names. All of it with MetricsQL; what is PromQL must read the same with and without.
 */
#include <stdio.h>
#include <stdlib.h>

#include "codec/json_writer.h"
#include "promql/fuzz_source.h"
#include "promql/promql.h"

static void evaluate(const struct promql_expr *e, int64_t step, unsigned features)
{
    struct budget b = promql_fuzz_budget(20000, 1 << 20);
    struct promql_query q = {.source = mem_source_source(promql_fuzz_source()),
                             .expr = e,
                             .start = 240000,
                             .end = 480000,
                             .step_ms = step,
                             .budget = &b,
                             .features = features | PROMQL_START_TIMESTAMPS};
    struct arena a;
    struct promql_result r;
    struct err err;
    arena_init(&a, 0);
    if (promql_exec(&q, &a, &r, &err)) {
        for (size_t i = 0; i < r.series_n; i++)
            for (size_t k = 0; k < r.series[i].n; k++)
                if (is_stale_nan(r.series[i].v[k]) && !(r.series[i].h && r.series[i].h[k]))
                    abort();
    }
    arena_fini(&a);
}

static void print_again(const struct promql_expr *e, const struct promql_parse_options *o)
{
    STRBUF_CLEANUP struct strbuf once = {0}, twice = {0};
    struct err err;
    promql_format(e, &once);
    if (str_find(strbuf_str(&once), STR("Inf")) >= 0)
        return; /* written "+Inf" as upstream does, which reads as a sign in front of a power */
    struct promql_expr *again = promql_parse(strbuf_str(&once), o, &err);
    if (!again)
        return; /* the printed text may be longer than the limit, or name a keyword */
    promql_format(again, &twice);
    if (!str_eq(strbuf_str(&once), strbuf_str(&twice))) {
        fprintf(stderr, "%s\n%s\n", once.p, twice.p);
        abort();
    }
    promql_expr_free(again);
}

/* What is broken into lines reads as the same expression; the tree of anything is one JSON value.
 */
static void show(const struct promql_expr *e, const struct promql_parse_options *o)
{
    STRBUF_CLEANUP struct strbuf pretty = {0}, once = {0}, twice = {0}, tree = {0};
    struct json_writer w = json_writer(&tree);
    struct err err;
    promql_tree(e, &w);
    promql_format(e, &once);
    promql_pretty(e, 20, &pretty);
    struct promql_expr *again = promql_parse(strbuf_str(&pretty), o, &err);
    if (!again || str_find(strbuf_str(&once), STR("Inf")) >= 0) {
        promql_expr_free(again);
        return;
    }
    promql_format(again, &twice);
    if (!str_eq(strbuf_str(&once), strbuf_str(&twice))) {
        fprintf(stderr, "%s\n%s\n%s\n", once.p, pretty.p, twice.p);
        abort();
    }
    promql_expr_free(again);
}

static void read_as_promql(str text, const struct promql_expr *with)
{
    struct promql_parse_options plain = {PROMQL_UPSTREAM_FEATURES};
    STRBUF_CLEANUP struct strbuf a = {0}, b = {0};
    struct err err;
    struct promql_expr *e = promql_parse(text, &plain, &err);
    if (!e)
        return;
    promql_format(e, &a);
    if (with)
        promql_format(with, &b);
    if (!with || !str_eq(strbuf_str(&a), strbuf_str(&b)) ||
        promql_expr_type(e) != promql_expr_type(with)) {
        fprintf(stderr, "%s\n%s\n", a.p, b.p ? b.p : "");
        abort();
    }
    promql_expr_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct promql_parse_options o = {~0u};
    struct err err;
    if (size > 4096)
        return 0;
    str text = str_of((const char *)data, size);
    struct promql_expr *e = promql_parse(text, &o, &err);
    read_as_promql(text, e);
    if (!e)
        return 0;
    print_again(e, &o);
    show(e, &o);
    evaluate(e, 0, 0);
    evaluate(e, 30000, 0);
    evaluate(e, 60000, PROMQL_DELAYED_NAME_REMOVAL);
    promql_expr_free(e);
    return 0;
}
