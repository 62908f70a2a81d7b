// SPDX-License-Identifier: Apache-2.0
/* Functions of one number: rounding, logarithms, clamping, trigonometry. */
#include <math.h>

#include "promql/eval_int.h"

#define VECTOR_ONLY .args = {PROMQL_VECTOR}, .args_n = 1, .returns = PROMQL_VECTOR

#define PLAIN(fn, expr)                                                                            \
    static double each_##fn(double v, const double *args)                                          \
    {                                                                                              \
        (void)args;                                                                                \
        return expr;                                                                               \
    }

PLAIN(abs, fabs(v))
PLAIN(ceil, ceil(v))
PLAIN(floor, floor(v))
PLAIN(exp, exp(v))
PLAIN(sqrt, sqrt(v))
PLAIN(ln, log(v))
PLAIN(log2, log2(v))
PLAIN(log10, log10(v))
PLAIN(sgn, v<0 ? -1 : v> 0 ? 1 : v)
PLAIN(sin, sin(v))
PLAIN(cos, cos(v))
PLAIN(tan, tan(v))
PLAIN(asin, asin(v))
PLAIN(acos, acos(v))
PLAIN(atan, atan(v))
PLAIN(sinh, sinh(v))
PLAIN(cosh, cosh(v))
PLAIN(tanh, tanh(v))
PLAIN(asinh, asinh(v))
PLAIN(acosh, acosh(v))
PLAIN(atanh, atanh(v))
PLAIN(rad, v *M_PI / 180)
PLAIN(deg, v * 180 / M_PI)

static double each_clamp_max(double v, const double *args)
{
    return go_max(-INFINITY, go_min(args[0], v));
}

static double each_clamp_min(double v, const double *args)
{
    return go_max(args[0], go_min(INFINITY, v));
}

/* Ties go up. The inverse loses fewer digits than dividing would. */
static double each_round(double v, const double *args)
{
    double inverse = 1 / args[0];
    return floor(v * inverse + 0.5) / inverse;
}

static double each_round_one(double v, const double *args)
{
    (void)args;
    return floor(v + 0.5);
}

/* An argument that may be left out, and clamp's empty interval, are more than a row of the table
 * says. */
struct rounding {
    struct eval *ev;
    const struct node *n;
    size_t steps;
    double *args[2];
    double (*each)(double v, const double *args);
    bool clamp;
    const struct row_sink *sink;
};

static bool rounding_put(void *ctx, struct row *r, struct err *err)
{
    struct rounding *o = ctx;
    for (size_t i = 0; i < o->steps; i++) {
        double args[2] = {o->args[0] ? o->args[0][i] : 0, o->args[1] ? o->args[1][i] : 0};
        if (is_absent(r->v[i]))
            continue;
        if (o->clamp)
            r->v[i] = args[1] < args[0] ? absent() : go_max(args[0], go_min(args[1], r->v[i]));
        else
            r->v[i] = o->each(r->v[i], args);
    }
    r->h = NULL;
    row_drop_name(o->ev, o->n, r);
    return o->sink->put(o->sink->ctx, r, err);
}

static bool eval_rounding(struct eval *ev, const struct node *n, const struct grid *g,
                          struct rounding *o, const struct row_sink *sink, struct err *err)
{
    bool merge = !ev->delayed_names && node_names_vary(ev, n->call.args[0]);
    struct merger m;
    for (size_t i = 1; i < n->call.args_n; i++)
        if (!(o->args[i - 1] = eval_row_new(ev, g->n, err)) ||
            !eval_scalar(ev, n->call.args[i], g, o->args[i - 1], err))
            return false;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    o->ev = ev;
    o->n = n;
    o->steps = g->n;
    o->sink = merge ? &merged : sink;
    bool ok = eval_rows(ev, n->call.args[0], g, &(struct row_sink){rounding_put, o}, err) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    return ok;
}

static bool call_round(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err)
{
    struct rounding o = {.each = n->call.args_n > 1 ? each_round : each_round_one};
    return eval_rounding(ev, n, g, &o, sink, err);
}

static bool call_clamp(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err)
{
    struct rounding o = {.clamp = true};
    return eval_rounding(ev, n, g, &o, sink, err);
}

#define ROW(fn, text)                                                                              \
    {                                                                                              \
        .name = STR_INIT(#fn), VECTOR_ONLY, .each = each_##fn, .help = STR_INIT(text)              \
    }

static const struct function rows[] = {
    ROW(abs, "Absolute value of each element."),
    ROW(ceil, "Each element rounded up to the nearest integer."),
    ROW(floor, "Each element rounded down to the nearest integer."),
    ROW(exp, "Exponential function of each element."),
    ROW(sqrt, "Square root of each element."),
    ROW(ln, "Natural logarithm of each element."),
    ROW(log2, "Binary logarithm of each element."),
    ROW(log10, "Decimal logarithm of each element."),
    ROW(sgn, "Sign of each element: 1, 0 or -1."),
    ROW(sin, "Sine of each element, in radians."),
    ROW(cos, "Cosine of each element, in radians."),
    ROW(tan, "Tangent of each element, in radians."),
    ROW(asin, "Arc sine of each element."),
    ROW(acos, "Arc cosine of each element."),
    ROW(atan, "Arc tangent of each element."),
    ROW(sinh, "Hyperbolic sine of each element."),
    ROW(cosh, "Hyperbolic cosine of each element."),
    ROW(tanh, "Hyperbolic tangent of each element."),
    ROW(asinh, "Inverse hyperbolic sine of each element."),
    ROW(acosh, "Inverse hyperbolic cosine of each element."),
    ROW(atanh, "Inverse hyperbolic tangent of each element."),
    ROW(rad, "Each element converted from degrees to radians."),
    ROW(deg, "Each element converted from radians to degrees."),
    {.name = STR_INIT("clamp"),
     .args = {PROMQL_VECTOR, PROMQL_SCALAR, PROMQL_SCALAR},
     .args_n = 3,
     .returns = PROMQL_VECTOR,
     .call = call_clamp,
     .help = STR_INIT("Each element limited to a smallest and a largest value.")},
    {.name = STR_INIT("clamp_max"),
     .args = {PROMQL_VECTOR, PROMQL_SCALAR},
     .args_n = 2,
     .returns = PROMQL_VECTOR,
     .each = each_clamp_max,
     .help = STR_INIT("Each element, at most the given value.")},
    {.name = STR_INIT("clamp_min"),
     .args = {PROMQL_VECTOR, PROMQL_SCALAR},
     .args_n = 2,
     .returns = PROMQL_VECTOR,
     .each = each_clamp_min,
     .help = STR_INIT("Each element, at least the given value.")},
    {.name = STR_INIT("round"),
     .args = {PROMQL_VECTOR, PROMQL_SCALAR},
     .args_n = 2,
     .variadic = 1,
     .returns = PROMQL_VECTOR,
     .call = call_round,
     .help = STR_INIT("Each element rounded to the nearest multiple, of 1 if none is given.")},
};

const struct function_family family_math = {rows, sizeof rows / sizeof *rows};
