// SPDX-License-Identifier: Apache-2.0
/* Which series an expression reads. */
#include "promql/ast_int.h"

struct walk {
    VEC(struct matcher_set) found;
};

static void visit(struct walk *w, const struct node *n)
{
    if (!n)
        return;
    switch (n->kind) {
    case NODE_SELECTOR:
        vec_push(&w->found, (struct matcher_set){n->selector.matchers, n->selector.matchers_n});
        for (size_t i = 0; i < n->selector.ors_n; i++)
            vec_push(&w->found, n->selector.ors[i]);
        break;
    case NODE_RANGE:
        visit(w, n->range.selector);
        break;
    case NODE_SUBQUERY:
        visit(w, n->subquery.expr);
        break;
    case NODE_CALL:
        for (size_t i = 0; i < n->call.args_n; i++)
            visit(w, n->call.args[i]);
        break;
    case NODE_AGGREGATE:
        visit(w, n->aggregate.param);
        visit(w, n->aggregate.expr);
        break;
    case NODE_BINARY:
        visit(w, n->binary.lhs);
        visit(w, n->binary.rhs);
        break;
    case NODE_UNARY:
        visit(w, n->unary.expr);
        break;
    case NODE_PAREN:
        visit(w, n->paren);
        break;
    default:
        break;
    }
}

size_t promql_expr_selectors(const struct promql_expr *e, struct arena *a, struct matcher_set **out)
{
    struct walk w = {0};
    visit(&w, e->root);
    size_t n = w.found.n;
    *out = arena_array(a, struct matcher_set, n + 1);
    if (n)
        memcpy(*out, w.found.at, n * sizeof **out);
    vec_fini(&w.found);
    return n;
}
