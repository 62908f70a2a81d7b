// SPDX-License-Identifier: Apache-2.0
/* Binary operations with native histograms: sums, products with floats, equality, trimming. */
#include "promql/histogram_int.h"

static enum pair_result incompatible(struct pair_work *p, struct operand l, struct operand r)
{
    static const char *const names[] = {"float", "histogram"};
    str op = token_text(p->n->binary.op);
    note_info(p->ev, p->n,
              "incompatible sample types encountered for binary operator \"%.*s\": %s %.*s %s",
              STR_ARG(op), names[l.h != NULL], STR_ARG(op), names[r.h != NULL]);
    return PAIR_NONE;
}

static enum pair_result scaled(struct pair_work *p, const struct histogram *h, double factor,
                               struct operand *out)
{
    histogram_work_set(&p->w, h);
    if (p->n->binary.op == TOK_DIV)
        histogram_work_divide(&p->w, factor);
    else
        histogram_work_scale(&p->w, factor);
    out->h = histogram_work_freeze(&p->w, p->arena);
    return PAIR_TRUE;
}

static enum pair_result with_float(struct pair_work *p, struct operand l, struct operand r,
                                   struct operand *out)
{
    enum token_kind op = p->n->binary.op;
    if (op == TOK_MUL)
        return scaled(p, l.h ? l.h : r.h, l.h ? r.v : l.v, out);
    if (!l.h)
        return incompatible(p, l, r);
    if (op == TOK_DIV)
        return scaled(p, l.h, r.v, out);
    if (op != TOK_TRIM_LOWER && op != TOK_TRIM_UPPER)
        return incompatible(p, l, r);
    histogram_work_set(&p->w, l.h);
    histogram_work_trim(&p->w, r.v, op == TOK_TRIM_UPPER);
    out->h = histogram_work_freeze(&p->w, p->arena);
    return PAIR_TRUE;
}

/* Upstream gives no result when the hints contradict each other, only the warning. */
static enum pair_result added(struct pair_work *p, struct operand l, struct operand r,
                              struct operand *out)
{
    bool minus = p->n->binary.op == TOK_SUB;
    const char *what = minus ? "subtraction" : "addition";
    unsigned flags = 0;
    histogram_work_set(&p->w, l.h);
    if (!histogram_work_add(&p->w, r.h, minus ? -1 : 1, &flags)) {
        note_warning(p->ev, p->n, "incompatible bucket layout encountered for binary operator %.*s",
                     STR_ARG(token_text(p->n->binary.op)));
        return PAIR_NONE;
    }
    if (flags & HISTOGRAM_COLLISION) {
        note_reset_collision(p->ev, p->n, what);
        return PAIR_NONE;
    }
    if (flags & HISTOGRAM_RECONCILED)
        note_reconciled(p->ev, p->n, what);
    if (minus)
        p->w.reset = HISTOGRAM_GAUGE;
    out->h = histogram_work_freeze(&p->w, p->arena);
    return PAIR_TRUE;
}

static bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    struct histogram x = *a, y = *b;
    x.reset = y.reset = 0;
    return histogram_equal(&x, &y);
}

enum pair_result pair_apply(struct pair_work *p, struct operand l, struct operand r,
                            struct operand *out)
{
    enum token_kind op = p->n->binary.op;
    *out = l;
    if (!l.h && !r.h)
        return incompatible(p, l, r);
    if (!l.h || !r.h)
        return with_float(p, l, r, out);
    switch (op) {
    case TOK_ADD:
    case TOK_SUB:
        return added(p, l, r, out);
    case TOK_EQLC:
    case TOK_NEQ:
        return same_histogram(l.h, r.h) == (op == TOK_EQLC) ? PAIR_TRUE : PAIR_FALSE;
    default:
        return incompatible(p, l, r);
    }
}
