// SPDX-License-Identifier: Apache-2.0
/* From vectors to scalars and back, and what the query itself knows. */
#include <math.h>

#include "promql/eval_int.h"

static double scalar_time(const struct grid *g, size_t step)
{
    return (double)grid_at(g, step) / 1000;
}

static double scalar_pi(const struct grid *g, size_t step)
{
    (void)g;
    (void)step;
    return M_PI;
}

struct only {
    size_t steps;
    double *out;
    uint32_t *seen;
};

static bool only_put(void *ctx, struct row *r, struct err *err)
{
    struct only *o = ctx;
    (void)err;
    for (size_t i = 0; i < o->steps; i++)
        if (!is_absent(r->v[i]))
            o->out[i] = o->seen[i]++ ? NAN : r->v[i];
    return true;
}

/* The value of the only series; NaN when there are none or several. */
static bool scalars_scalar(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                           struct err *err)
{
    uint32_t *seen = (uint32_t *)eval_row_new(ev, g->n, err);
    if (!seen)
        return false;
    memset(seen, 0, g->n * sizeof *seen);
    for (size_t i = 0; i < g->n; i++)
        out[i] = NAN;
    struct only o = {g->n, out, seen};
    return eval_rows(ev, n->call.args[0], g, &(struct row_sink){only_put, &o}, err);
}

static bool call_vector(struct eval *ev, const struct node *n, const struct grid *g,
                        const struct row_sink *sink, struct err *err)
{
    double *v = eval_row_new(ev, g->n, err);
    return v && eval_scalar(ev, n->call.args[0], g, v, err) &&
           sink->put(sink->ctx, &(struct row){.v = v}, err);
}

static bool fill(double *out, size_t n, double v)
{
    for (size_t i = 0; i < n; i++)
        out[i] = v;
    return true;
}

static bool scalars_start(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                          struct err *err)
{
    return fill(out, g->n, (double)ev->grid.start / 1000);
}
static bool scalars_end(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                        struct err *err)
{
    return fill(out, g->n, (double)ev->end / 1000);
}
static bool scalars_range(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                          struct err *err)
{
    return fill(out, g->n, (double)(ev->end - ev->grid.start) / 1000);
}
static bool scalars_step(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                         struct err *err)
{
    return fill(out, g->n, ev->end == ev->grid.start ? 0 : (double)ev->q->step_ms / 1000);
}

static bool two(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                double (*pick)(double, double), struct err *err)
{
    double *b = eval_row_new(ev, g->n, err);
    if (!b || !eval_scalar(ev, n->call.args[0], g, out, err) ||
        !eval_scalar(ev, n->call.args[1], g, b, err))
        return false;
    for (size_t i = 0; i < g->n; i++)
        out[i] = pick(out[i], b[i]);
    return true;
}

static bool scalars_max_of(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                           struct err *err)
{
    return two(ev, n, g, out, go_max, err);
}
static bool scalars_min_of(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                           struct err *err)
{
    return two(ev, n, g, out, go_min, err);
}

static const struct function rows[] = {
    {.name = STR_INIT("time"),
     .returns = PROMQL_SCALAR,
     .flags = FN_STEP_DEPENDENT,
     .scalar = scalar_time,
     .help = STR_INIT("Time of the evaluation, in Unix seconds.")},
    {.name = STR_INIT("pi"),
     .returns = PROMQL_SCALAR,
     .scalar = scalar_pi,
     .help = STR_INIT("The number pi.")},
    {.name = STR_INIT("scalar"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_SCALAR,
     .scalars = scalars_scalar,
     .help = STR_INIT("The value of the only element; NaN when there is not exactly one.")},
    {.name = STR_INIT("vector"),
     .args = {PROMQL_SCALAR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .call = call_vector,
     .help = STR_INIT("The scalar as a vector with one element and no labels.")},
    {.name = STR_INIT("start"),
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_start,
     .help = STR_INIT("Start of the query, in Unix seconds.")},
    {.name = STR_INIT("end"),
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_end,
     .help = STR_INIT("End of the query, in Unix seconds.")},
    {.name = STR_INIT("range"),
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_range,
     .help = STR_INIT("Time between start and end of the query, in seconds.")},
    {.name = STR_INIT("step"),
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_step,
     .help = STR_INIT("Step of the query, in seconds; 0 for an instant query.")},
    {.name = STR_INIT("max_of"),
     .args = {PROMQL_SCALAR, PROMQL_SCALAR},
     .args_n = 2,
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_max_of,
     .help = STR_INIT("The larger of two scalars.")},
    {.name = STR_INIT("min_of"),
     .args = {PROMQL_SCALAR, PROMQL_SCALAR},
     .args_n = 2,
     .returns = PROMQL_SCALAR,
     .flags = FN_EXPERIMENTAL,
     .scalars = scalars_min_of,
     .help = STR_INIT("The smaller of two scalars.")},
};

const struct function_family family_scalar = {rows, sizeof rows / sizeof *rows};
