// SPDX-License-Identifier: Apache-2.0
#include "promql/fuzz_mutate.h"

#include <math.h>

#include "base/strbuf.h"
#include "promql/ast_int.h"
#include "promql/function_int.h"
#include "promql/fuzz_grow.h"

const struct promql_parse_options fuzz_features = {~0u};

enum { ATTEMPTS = 12, GROW_DEPTH = 3, FRESH_DEPTH = 6, INFOS_MAX = 512 };

#define N_OF(a) (sizeof(a) / sizeof *(a))
#define PICK(state, a) ((a)[fuzz_pick(state, N_OF(a))])

/* ---- the nodes of a tree ---- */

typedef VEC(struct node *) node_list;

static void list_nodes(struct node *n, node_list *into);

static void list_below(const struct node *n, node_list *into)
{
    switch (n->kind) {
    case NODE_SUBQUERY:
        list_nodes(n->subquery.expr, into);
        break;
    case NODE_CALL:
        for (size_t i = 0; i < n->call.args_n; i++)
            list_nodes(n->call.args[i], into);
        break;
    case NODE_AGGREGATE:
        list_nodes(n->aggregate.param, into);
        list_nodes(n->aggregate.expr, into);
        break;
    case NODE_BINARY:
        list_nodes(n->binary.lhs, into);
        list_nodes(n->binary.rhs, into);
        break;
    case NODE_UNARY:
        list_nodes(n->unary.expr, into);
        break;
    case NODE_PAREN:
        list_nodes(n->paren, into);
        break;
    default: /* the selector of a window is part of it */
        break;
    }
}

static void list_nodes(struct node *n, node_list *into)
{
    if (!n || n->kind == NODE_DURATION)
        return;
    vec_push(into, n);
    list_below(n, into);
}

static struct node *pick_of_type(uint64_t *state, const node_list *from, enum promql_type type)
{
    size_t n = 0;
    for (size_t i = 0; i < from->n; i++)
        n += from->at[i]->type == type;
    size_t k = n ? fuzz_pick(state, n) : 0;
    for (size_t i = 0; i < from->n; i++)
        if (from->at[i]->type == type && k-- == 0)
            return from->at[i];
    return NULL;
}

/* ---- changes of the text: a node is replaced ---- */

static bool node_slice(const struct node *n, str text, str *out)
{
    if (n->start > n->end || n->end > text.n)
        return false; /* it was not written there */
    *out = str_sub(text, n->start, n->end);
    return true;
}

/* A range takes no parentheses where a function wants it. */
static void add_replaced(str text, const struct node *n, str replacement, struct strbuf *out)
{
    bool wrap = n->type == PROMQL_VECTOR || n->type == PROMQL_SCALAR;
    strbuf_add(out, str_sub(text, 0, n->start));
    strbuf_addz(out, wrap ? "(" : "");
    strbuf_add(out, replacement);
    strbuf_addz(out, wrap ? ")" : "");
    strbuf_add(out, str_sub(text, n->end, text.n));
}

static void wrap(uint64_t *state, str inner, enum promql_type type, struct strbuf *out)
{
    static const char *const scalars[] = {"-(%)", "scalar(vector(%))", "(%) ^ 2", "1 / (%)",
                                          "(%) >= bool 0"};
    static const char *const vectors[] = {"sum by (job) (%)",
                                          "avg(%)",
                                          "-(%)",
                                          "rate((%)[3m:30s])",
                                          "(%) + on (job) group_left () (a)",
                                          "(%) and (%)",
                                          "(b) or (%)",
                                          "topk(1, %)",
                                          "histogram_quantile(0.9, %)",
                                          "abs(%)",
                                          "timestamp(%)",
                                          "vector(scalar(%))",
                                          "label_replace(%, \"job\", \"$1\", \"le\", \"(.*)\")",
                                          "count_values(\"v\", %)",
                                          "last_over_time((%)[2m:15s] offset 30s)",
                                          "(%) > bool (%)",
                                          "absent(%)",
                                          "sort_desc(%)",
                                          "max_over_time((%)[10m:45s] @ 400)",
                                          "info(%)",
                                          "quantile_over_time(scalar(%), a[5m])",
                                          "% == 1"};
    const char *z = type == PROMQL_SCALAR ? PICK(state, scalars) : PICK(state, vectors);
    for (; *z; z++) {
        if (*z == '%')
            strbuf_add(out, inner);
        else
            strbuf_addc(out, *z);
    }
}

/* What shall stand in the place of a node. False: nothing was found. */
static bool add_other(uint64_t *state, const struct node *n, str text, const node_list *nodes,
                      str other, const node_list *others, struct strbuf *out)
{
    str slice;
    size_t way = fuzz_pick(state, 4);
    if (way == 0) {
        fuzz_grow(state, n->type, GROW_DEPTH, out);
        return true;
    }
    if (way == 1 && n->type != PROMQL_MATRIX) {
        if (!node_slice(n, text, &slice))
            return false;
        wrap(state, slice, n->type, out);
        return true;
    }
    bool foreign = way == 2 && others->n;
    const struct node *from = pick_of_type(state, foreign ? others : nodes, n->type);
    if (!from || from == n || !node_slice(from, foreign ? other : text, &slice))
        return false;
    strbuf_add(out, slice);
    return true;
}

static bool replace_one(uint64_t *state, str text, const node_list *nodes, str other,
                        const node_list *others, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf replacement = {0};
    const struct node *n = nodes->at[fuzz_pick(state, nodes->n)];
    str slice;
    if (n->type == PROMQL_STRING || !node_slice(n, text, &slice) ||
        !add_other(state, n, text, nodes, other, others, &replacement))
        return false;
    add_replaced(text, n, strbuf_str(&replacement), out);
    return true;
}

/* ---- changes in place ---- */

static const int64_t spans[] = {1,     500,   15000,  30000,  30001,
                                60000, 90000, 300000, 600000, 86400000};

static void change_when(uint64_t *state, struct when *w)
{
    static const int64_t offsets[] = {0, 1, -1, 30000, -45000, 60000, 300000, 86400000, -86400000};
    static const ts_ms times[] = {0, 1, 300000, 330000, 599999, -1};
    static const enum at_kind kinds[] = {AT_NONE, AT_TIME, AT_TIME, AT_START, AT_END};
    w->offset_expr = NULL;
    w->offset_ms = PICK(state, offsets);
    w->offset_set = w->offset_ms != 0;
    w->at = PICK(state, kinds);
    w->at_ms = PICK(state, times);
}

static void change_names(uint64_t *state, struct names *n)
{
    static str all[] = {STR_INIT("job"), STR_INIT("le"), STR_INIT("__name__"), STR_INIT("version"),
                        STR_INIT("nothing")};
    size_t first = fuzz_pick(state, N_OF(all));
    *n = (struct names){all + first, fuzz_pick(state, N_OF(all) - first + 1)};
}

static void change_aggregate(uint64_t *state, struct node *n)
{
    if (fuzz_pick(state, 2)) {
        n->aggregate.op = (enum token_kind)(TOK_AGGR_FIRST +
                                            fuzz_pick(state, TOK_AGGR_LAST - TOK_AGGR_FIRST + 1));
        return;
    }
    change_names(state, &n->aggregate.by);
    n->aggregate.without = fuzz_pick(state, 3) == 0;
    n->aggregate.grouped = true;
}

static void change_binary(uint64_t *state, struct node *n)
{
    static const double fills[] = {0, 2, -1.5, 1e300};
    struct matching *m = &n->binary.match;
    switch (fuzz_pick(state, 5)) {
    case 0:
        n->binary.return_bool = !n->binary.return_bool;
        break;
    case 1:
        m->written = true;
        m->on = fuzz_pick(state, 2);
        change_names(state, &m->labels);
        break;
    case 2:
        m->card = (enum match_card)fuzz_pick(state, CARD_MANY_TO_MANY);
        change_names(state, &m->include);
        m->written = true;
        break;
    case 3:
        m->fill_left_set = fuzz_pick(state, 2);
        m->fill_right_set = fuzz_pick(state, 2);
        m->fill_left = PICK(state, fills);
        m->fill_right = PICK(state, fills);
        break;
    default:
        n->binary.op = (enum token_kind)(TOK_ADD + fuzz_pick(state, TOK_UNLESS - TOK_ADD + 1));
    }
}

static bool same_arguments(const struct function *a, const struct function *b)
{
    if (a->args_n != b->args_n || a->returns != b->returns)
        return false;
    for (size_t i = 0; i < a->args_n; i++)
        if (a->args[i] != b->args[i])
            return false;
    return true;
}

/* Another function of the same arguments. */
static void change_call(uint64_t *state, struct node *n)
{
    static struct promql_function_info infos[INFOS_MAX];
    static size_t infos_n;
    if (!infos_n)
        infos_n = promql_functions(infos, INFOS_MAX);
    for (size_t i = 0; i < infos_n; i++) {
        str name = infos[fuzz_pick(state, infos_n)].name;
        const struct function *f = function_choose(name, n->call.args_n, fuzz_pick(state, 8) == 0);
        if (f && f != n->call.fn && same_arguments(f, n->call.fn)) {
            n->call.fn = f;
            return;
        }
    }
}

static void change_selector(uint64_t *state, struct node *n)
{
    if (fuzz_pick(state, 3))
        change_when(state, &n->selector.when);
    else
        n->selector.extended = (enum extended)fuzz_pick(state, EXTENDED_SMOOTHED + 1);
}

static void change_range(uint64_t *state, struct node *n)
{
    if (fuzz_pick(state, 2)) {
        change_selector(state, n->range.selector);
        return;
    }
    n->range.range_ms = PICK(state, spans);
    n->range.range_expr = NULL;
}

static void change_subquery(uint64_t *state, struct node *n)
{
    if (fuzz_pick(state, 3) == 0) {
        change_when(state, &n->subquery.when);
        return;
    }
    n->subquery.range_ms = PICK(state, spans);
    n->subquery.step_ms = fuzz_pick(state, 4) ? PICK(state, spans) : 0;
    n->subquery.range_expr = n->subquery.step_expr = NULL;
}

static void change(uint64_t *state, struct node *n)
{
    static const double numbers[] = {
        0, 1, 2, 0.5, 3, 1e300, 1e-300, NAN, INFINITY, 64, 4503599627370497};
    switch (n->kind) {
    case NODE_NUMBER:
        n->number.value = PICK(state, numbers);
        n->number.duration = false;
        break;
    case NODE_SELECTOR:
        change_selector(state, n);
        break;
    case NODE_RANGE:
        change_range(state, n);
        break;
    case NODE_SUBQUERY:
        change_subquery(state, n);
        break;
    case NODE_CALL:
        change_call(state, n);
        break;
    case NODE_AGGREGATE:
        change_aggregate(state, n);
        break;
    case NODE_BINARY:
        change_binary(state, n);
        break;
    case NODE_UNARY:
        n->unary.op = n->unary.op == TOK_SUB ? TOK_ADD : TOK_SUB;
        break;
    default:
        break;
    }
}

/* ---- one mutation ---- */

static bool parses(str text, size_t max)
{
    struct err err;
    struct promql_expr *e = text.n <= max ? promql_parse(text, &fuzz_features, &err) : NULL;
    promql_expr_free(e);
    return e != NULL;
}

static bool attempt(uint64_t *state, str text, str other, struct strbuf *out)
{
    struct err err;
    struct promql_expr *e = promql_parse(text, &fuzz_features, &err), *o = NULL;
    node_list nodes = {0}, others = {0};
    bool done = false;
    if (!e)
        return false;
    list_nodes(e->root, &nodes);
    if (other.n && (o = promql_parse(other, &fuzz_features, &err)))
        list_nodes(o->root, &others);
    strbuf_clear(out);
    if (fuzz_pick(state, 2)) {
        change(state, nodes.at[fuzz_pick(state, nodes.n)]);
        format_node(e->root, out);
        done = true;
    } else {
        done = replace_one(state, text, &nodes, other, &others, out);
    }
    vec_fini(&nodes);
    vec_fini(&others);
    promql_expr_free(e);
    promql_expr_free(o);
    return done;
}

void fuzz_mutate(uint64_t *state, str text, str other, size_t max, struct strbuf *out)
{
    for (int i = 0; i < ATTEMPTS; i++)
        if (attempt(state, text, other, out) && parses(strbuf_str(out), max))
            return;
    strbuf_clear(out);
    fuzz_grow(state, PROMQL_VECTOR, (int)fuzz_pick(state, FRESH_DEPTH), out);
    if (out->n > max) {
        strbuf_clear(out);
        strbuf_addc(out, 'a');
    }
}
