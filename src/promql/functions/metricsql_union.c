// SPDX-License-Identifier: Apache-2.0
/* union(a, b), also written (a, b): the series of all; of those with equal labels the first. */
#include "promql/eval_int.h"

struct together {
    struct eval *ev;
    struct label_table seen;
    const struct row_sink *sink;
};

static bool put_row(void *ctx, struct row *r, struct err *err)
{
    struct together *t = ctx;
    if (r->drop_name) { /* now, as it is the names that tell series apart here */
        r->labels = labels_nameless(&t->ev->arena, r->labels);
        r->drop_name = false;
    }
    size_t known = t->seen.n, i = label_table_add(&t->seen, r->labels);
    return i < known || t->sink->put(t->sink->ctx, r, err);
}

static bool call_union(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err)
{
    struct together t = {.ev = ev, .seen = {.quota = eval_quota(ev)}, .sink = sink};
    bool ok = true;
    for (size_t i = 0; ok && i < n->call.args_n; i++)
        ok = eval_rows(ev, n->call.args[i], g, &(struct row_sink){put_row, &t}, err);
    label_table_fini(&t.seen);
    return ok;
}

static const struct function rows[] = {
    {.name = STR_INIT("union"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .variadic = -1,
     .returns = PROMQL_VECTOR,
     .flags = FN_METRICSQL,
     .call = call_union,
     .help = STR_INIT("The series of several vectors; of equal ones the first.")},
};

const struct function_family family_metricsql_union = {rows, sizeof rows / sizeof *rows};
