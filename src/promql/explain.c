// SPDX-License-Identifier: Apache-2.0
/*
 * What each part of a query costs. Rows are pushed, so the time of a part has the time of all who
 * take its rows in it; their sinks are measured too and their time taken off. What remains is the
 * part with those below it.
 */
#include "base/num.h"
#include "codec/json_writer.h"
#include "promql/eval_int.h"

static int64_t now_ns(const struct eval *ev)
{
    return ev->q->budget->mono_ns(ev->q->budget->clock);
}

struct meter {
    struct eval *ev;
    struct promql_cost *cost;
    const struct row_sink *rows;
    const struct range_sink *ranges;
    int64_t begin, taken; /* taken: by the sinks */
    uint64_t samples;     /* read before it began */
};

static struct meter meter_start(struct eval *ev, const struct node *n)
{
    return (struct meter){.ev = ev,
                          .cost = &ev->costs[n->id],
                          .begin = now_ns(ev),
                          .samples = ev->stats.samples_read};
}

static bool meter_stop(const struct meter *m, bool ok)
{
    m->cost->ns += now_ns(m->ev) - m->begin - m->taken;
    m->cost->calls++;
    m->cost->samples += m->ev->stats.samples_read - m->samples;
    return ok;
}

static bool row_put(void *ctx, struct row *r, struct err *err)
{
    struct meter *m = ctx;
    int64_t begin = now_ns(m->ev);
    bool ok = m->rows->put(m->rows->ctx, r, err);
    m->taken += now_ns(m->ev) - begin;
    m->cost->rows++;
    return ok;
}

bool measure_rows(struct eval *ev, const struct node *n, const struct grid *g,
                  const struct row_sink *sink, struct err *err)
{
    struct meter m = meter_start(ev, n);
    m.rows = sink;
    return meter_stop(&m, eval_rows_plain(ev, n, g, &(struct row_sink){row_put, &m}, err));
}

static bool range_put(void *ctx, const struct range_series *s, struct err *err)
{
    struct meter *m = ctx;
    int64_t begin = now_ns(m->ev);
    bool ok = m->ranges->put(m->ranges->ctx, s, err);
    m->taken += now_ns(m->ev) - begin;
    m->cost->rows++;
    return ok;
}

bool measure_range(struct eval *ev, const struct node *n, const struct windows *w,
                   const struct range_sink *sink, struct err *err)
{
    struct meter m = meter_start(ev, n);
    m.ranges = sink;
    return meter_stop(&m, eval_range_plain(ev, n, w, &(struct range_sink){range_put, &m}, err));
}

/* ---- telling ---- */

/* Child i of a node without parentheses; NULL behind the last one. */
static const struct node *part(const struct node *n, size_t i)
{
    const struct node *parts[2] = {0};
    switch (n->kind) {
    case NODE_SUBQUERY:
        parts[0] = n->subquery.expr;
        break;
    case NODE_CALL:
        return i < n->call.args_n ? node_bare(n->call.args[i]) : NULL;
    case NODE_AGGREGATE:
        parts[0] = n->aggregate.expr;
        parts[1] = n->aggregate.param;
        break;
    case NODE_BINARY:
        parts[0] = n->binary.lhs;
        parts[1] = n->binary.rhs;
        break;
    case NODE_UNARY:
        parts[0] = n->unary.expr;
        break;
    default:
        break;
    }
    return i < 2 && parts[i] ? node_bare(parts[i]) : NULL;
}

static void put_seconds(struct json_writer *w, const char *key, int64_t ns)
{
    char text[F64_TEXT_MAX];
    json_put_key(w, str_from_z(key));
    json_put_raw(w, str_of(text, f64_format(ns > 0 ? (double)ns / 1e9 : 0, text)));
}

/* Numbers and strings cost nothing and are left out. */
static bool worth_telling(const struct node *n)
{
    return n->kind != NODE_NUMBER && n->kind != NODE_STRING;
}

/* A writer for each node, as in tree.c: an expression may be nested deeper than one counts. */
static void tell(const struct promql_expr *e, const struct promql_cost *costs, const struct node *n,
                 struct strbuf *out)
{
    struct json_writer writer = json_writer(out), *w = &writer;
    const struct promql_cost *c = &costs[n->id];
    const struct node *p;
    int64_t below = 0;
    json_open_object(w);
    json_put_key(w, STR("expr"));
    json_put_str(w, str_sub(e->text, n->start, n->end));
    json_put_key(w, STR("rows"));
    json_put_u64(w, c->rows);
    json_put_key(w, STR("samples"));
    json_put_u64(w, c->samples);
    json_put_key(w, STR("calls"));
    json_put_u64(w, c->calls);
    json_put_key(w, STR("parts"));
    json_open_array(w);
    for (size_t i = 0; (p = part(n, i)); i++) {
        below += costs[p->id].ns;
        if (!worth_telling(p))
            continue;
        json_put_raw(w, STR(""));
        tell(e, costs, p, out);
    }
    json_close_array(w);
    put_seconds(w, "totalTime", c->ns);
    put_seconds(w, "selfTime", c->ns - below);
    json_close_object(w);
}

void promql_explain(const struct promql_expr *e, const struct promql_cost *costs,
                    struct json_writer *w)
{
    json_put_raw(w, STR(""));
    tell(e, costs, node_bare(e->root), w->out);
}
