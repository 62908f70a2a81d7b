// SPDX-License-Identifier: Apache-2.0
/*
 * info(): adds the labels of info series, those with the same job and instance, to the series of a
 * vector. Of several info series with the same name, job and instance the one with the newest
 * sample counts, at each step.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "promql/functions/mixed_int.h"

static const str target_info = STR_INIT("target_info");
static const str identifying[] = {STR_INIT("instance"), STR_INIT("job")};
enum { IDENTIFYING_N = sizeof identifying / sizeof *identifying };

/* A row is put together from one info row, or none, for each info metric. */
#define NO_INFO UINT32_MAX

struct info {
    struct eval *ev;
    const struct node *call;
    const struct grid *grid;
    VEC(struct matcher) names; /* for the name of info series; two may be made here */
    struct matcher made[1];
    size_t made_n;
    const struct matcher *data; /* all that were written; the name's too */
    size_t data_n;
    struct rows base, infos;    /* values of infos are the times of their samples */
    bool *ignored;              /* base rows that are info series themselves */
    struct label_table keys;    /* name, instance, job */
    struct label_table metrics; /* the names of info series, as labels */
    VEC(uint32_t) newest;       /* of key k at step s: [k * steps + s]: an info row */
    struct label_table results;
    VEC(struct row) out;
};

/* ---- which series are info series ---- */

static bool is_name(const struct matcher *m)
{
    return str_eq(m->name, LABEL_NAME);
}

/* Names that are only excluded are looked for among those that end in _info. */
static bool name_matchers(struct info *in, struct err *err)
{
    bool positive = false;
    for (size_t i = 0; i < in->data_n; i++) {
        if (!is_name(&in->data[i]))
            continue;
        vec_push(&in->names, in->data[i]);
        positive |= in->data[i].op == MATCH_EQ || in->data[i].op == MATCH_RE;
    }
    if (positive)
        return true;
    bool any = in->names.n > 0;
    if (!matcher_init(&in->made[0], any ? MATCH_RE : MATCH_EQ, LABEL_NAME,
                      any ? STR(".+_info") : target_info, err))
        return false;
    in->made_n = 1;
    vec_push(&in->names, in->made[0]);
    return true;
}

static void find_ignored(struct info *in)
{
    in->ignored = arena_array(&in->ev->arena, bool, in->base.n);
    for (size_t i = 0; i < in->base.n; i++) {
        bool all = true;
        VEC_EACH (m, &in->names)
            all &= matcher_test(m, labels_metric_name(in->base.at[i].labels));
        in->ignored[i] = all;
    }
}

/* ---- fetching them ---- */

static void quote_regex(str s, struct strbuf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (memchr("\\.+*?()|[]{}^$", s.p[i], 14))
            strbuf_addc(out, '\\');
        strbuf_addc(out, s.p[i]);
    }
}

/* Values of one identifying label as alternatives; false when no series has it. */
static bool identifying_values(struct info *in, str name, struct strbuf *out)
{
    struct label_table seen = {0};
    struct label value = {name, {0}};
    for (size_t i = 0; i < in->base.n; i++) {
        value.value = labels_get(in->base.at[i].labels, name);
        if (in->ignored[i] || !value.value.n)
            continue;
        struct label *copy = arena_new(&in->ev->arena, struct label);
        *copy = value;
        size_t known = seen.n;
        if (label_table_add(&seen, (struct labels){copy, 1}) < known)
            continue;
        if (known)
            strbuf_addc(out, '|');
        quote_regex(value.value, out);
    }
    bool any = seen.n > 0;
    label_table_fini(&seen);
    return any;
}

/* The first selector of the argument, with the @ and the sum of the offsets around it. */
static const struct node *first_selector(const struct node *n)
{
    switch (n->kind) {
    case NODE_SELECTOR:
        return n;
    case NODE_RANGE:
        return n->range.selector;
    case NODE_SUBQUERY:
        return first_selector(n->subquery.expr);
    case NODE_PAREN:
        return first_selector(n->paren);
    case NODE_UNARY:
        return first_selector(n->unary.expr);
    case NODE_AGGREGATE: {
        const struct node *found = first_selector(n->aggregate.expr);
        return found || !n->aggregate.param ? found : first_selector(n->aggregate.param);
    }
    case NODE_BINARY: {
        const struct node *found = first_selector(n->binary.lhs);
        return found ? found : first_selector(n->binary.rhs);
    }
    case NODE_CALL:
        for (size_t i = 0; i < n->call.args_n; i++) {
            const struct node *found = first_selector(n->call.args[i]);
            if (found)
                return found;
        }
        return NULL;
    default:
        return NULL;
    }
}

static bool holds(const struct node *n, const struct node *selector)
{
    return selector->start >= n->start && selector->end <= n->end;
}

/* Adds what a subquery between `n` and the selector shifts, inner ones first. */
static bool add_subqueries(struct info *in, const struct node *n, const struct node *selector,
                           struct when *w, struct err *err)
{
    int64_t offset;
    switch (n->kind) {
    case NODE_SUBQUERY:
        if (!add_subqueries(in, n->subquery.expr, selector, w, err) ||
            !eval_duration(in->ev, n->subquery.when.offset_ms, n->subquery.when.offset_expr, true,
                           &offset, err))
            return false;
        if (w->at == AT_NONE) {
            w->offset_ms += offset;
            w->at = n->subquery.when.at;
            w->at_ms = n->subquery.when.at_ms;
        }
        return true;
    case NODE_PAREN:
        return add_subqueries(in, n->paren, selector, w, err);
    case NODE_UNARY:
        return add_subqueries(in, n->unary.expr, selector, w, err);
    case NODE_AGGREGATE:
        return add_subqueries(in, n->aggregate.expr, selector, w, err);
    case NODE_BINARY:
        return add_subqueries(in, holds(n->binary.lhs, selector) ? n->binary.lhs : n->binary.rhs,
                              selector, w, err);
    case NODE_CALL:
        for (size_t i = 0; i < n->call.args_n; i++)
            if (holds(n->call.args[i], selector))
                return add_subqueries(in, n->call.args[i], selector, w, err);
        return true;
    default:
        return true;
    }
}

static bool info_when(struct info *in, struct when *w, struct err *err)
{
    const struct node *arg = in->call->call.args[0], *s = first_selector(arg);
    *w = (struct when){0};
    if (!s)
        return true;
    if (!eval_duration(in->ev, s->selector.when.offset_ms, s->selector.when.offset_expr, true,
                       &w->offset_ms, err))
        return false;
    w->at = s->selector.when.at;
    w->at_ms = s->selector.when.at_ms;
    return add_subqueries(in, arg, s, w, err);
}

static bool info_put(void *ctx, struct row *r, struct err *err)
{
    struct info *in = ctx;
    struct row kept;
    if (!eval_row_keep(in->ev, r, in->grid->n, &kept, err))
        return false;
    if (in->infos.n == in->infos.cap) {
        in->infos.cap = in->infos.cap ? in->infos.cap * 2 : 16;
        in->infos.at = mem_realloc(in->infos.at, in->infos.cap * sizeof *in->infos.at);
        eval_count_outside(in->ev, in->infos.cap * sizeof *in->infos.at);
    }
    in->infos.at[in->infos.n++] = kept;
    return true;
}

/* Selects by the names, the written matchers and the identifying labels of the base series. */
static bool fetch_matching(struct info *in, struct matcher *ids, size_t ids_n, struct err *err)
{
    VEC(struct matcher) all = {0};
    struct node selector = *in->call;
    selector.kind = NODE_SELECTOR;
    memset(&selector.selector, 0, sizeof selector.selector);
    VEC_EACH (m, &in->names)
        vec_push(&all, *m);
    for (size_t i = 0; i < in->data_n; i++)
        if (!is_name(&in->data[i]))
            vec_push(&all, in->data[i]);
    for (size_t i = 0; i < ids_n; i++)
        vec_push(&all, ids[i]);
    selector.selector.matchers = all.at;
    selector.selector.matchers_n = all.n;
    bool ok = info_when(in, &selector.selector.when, err) &&
              eval_selector(in->ev, &selector, in->grid, LOOKUP_INFO,
                            &(struct row_sink){info_put, in}, err);
    vec_fini(&all);
    return ok;
}

static bool fetch(struct info *in, struct err *err)
{
    struct matcher ids[IDENTIFYING_N];
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < IDENTIFYING_N; i++) {
        STRBUF_CLEANUP struct strbuf values = {0};
        if (identifying_values(in, identifying[i], &values))
            ok = matcher_init(&ids[n], MATCH_RE, identifying[i],
                              arena_dup(&in->ev->arena, strbuf_str(&values)), err);
        n += ok && values.n;
    }
    ok = ok && (n == 0 || fetch_matching(in, ids, n, err));
    for (size_t i = 0; i < n; i++)
        matcher_fini(&ids[i]);
    return ok;
}

/* ---- matching ---- */

/* The labels under which an info series is found: its name, and what identifies the target. */
static size_t key_of(struct info *in, str name, struct labels ls)
{
    struct label *at = arena_array(&in->ev->arena, struct label, IDENTIFYING_N + 1);
    size_t n = 0;
    at[n++] = (struct label){LABEL_NAME, name};
    for (size_t i = 0; i < IDENTIFYING_N; i++) {
        str v = labels_get(ls, identifying[i]);
        if (v.n)
            at[n++] = (struct label){identifying[i], v};
    }
    return label_table_add(&in->keys, (struct labels){at, n});
}

static void add_metric(struct info *in, str name)
{
    struct label *l = arena_new(&in->ev->arena, struct label);
    *l = (struct label){LABEL_NAME, name};
    label_table_add(&in->metrics, (struct labels){l, 1});
}

static bool conflict(const struct row *old, const struct row *new, size_t step, struct err *err)
{
    STRBUF_CLEANUP struct strbuf a = {0}, b = {0};
    label_set_format(old->labels, &a);
    label_set_format(new->labels, &b);
    long long t = (long long)(old->v[step] * 1000);
    return err_set(err, ERR_EXEC,
                   "found duplicate series for info metric: existing %s @ %lld, new %s @ %lld", a.p,
                   t, b.p, t);
}

/* The newest info row of each key at each step. */
static bool find_newest(struct info *in, struct err *err)
{
    size_t steps = in->grid->n;
    for (size_t i = 0; i < in->infos.n; i++) {
        const struct row *r = &in->infos.at[i];
        str name = labels_metric_name(r->labels);
        size_t known = in->keys.n, key = key_of(in, name, r->labels);
        add_metric(in, name);
        for (size_t k = 0; key == known && k < steps; k++)
            vec_push(&in->newest, NO_INFO);
        for (size_t k = 0; k < steps; k++) {
            uint32_t *at = &in->newest.at[key * steps + k];
            if (is_absent(r->v[k]))
                continue;
            const struct row *old = *at == NO_INFO ? NULL : &in->infos.at[*at];
            if (old && old->v[k] == r->v[k])
                return conflict(old, r, k, err);
            if (!old || old->v[k] < r->v[k])
                *at = (uint32_t)i;
        }
        if (!budget_use(in->ev->q->budget, 0, err))
            return false;
    }
    return eval_memory(in->ev, err);
}

/* ---- enriching ---- */

static bool wanted(const struct info *in, str name)
{
    bool any = false;
    for (size_t i = 0; i < in->data_n; i++) {
        if (str_eq(in->data[i].name, name))
            return !is_name(&in->data[i]);
        any |= !is_name(&in->data[i]);
    }
    return !any;
}

/* Labels of the info row that the base lacks; those of two info rows must not contradict. */
static bool add_labels(const struct info *in, struct labels base, struct labels info,
                       struct labels_builder *b, struct err *err)
{
    for (size_t i = 0; i < info.n; i++) {
        str name = info.at[i].name, value = info.at[i].value;
        if (str_eq(name, LABEL_NAME) || !wanted(in, name) || labels_get(base, name).n)
            continue;
        str have = labels_builder_get(b, name);
        if (have.n && !str_eq(have, value))
            return err_set(err, ERR_EXEC, "conflicting label: %.*s", STR_ARG(name));
        labels_builder_set(b, name, value);
    }
    return true;
}

/* Whether a series without info series stays: only when no matcher asks for a label. */
static bool stays_alone(const struct info *in)
{
    for (size_t i = 0; i < in->data_n; i++)
        if (!is_name(&in->data[i]) && !matcher_test_absent(&in->data[i]))
            return false;
    return true;
}

static bool result_of(struct info *in, struct labels ls, bool drop_name, size_t *out,
                      struct err *err)
{
    size_t known = in->results.n;
    *out = label_table_add(&in->results, ls);
    if (*out < known)
        return true;
    double *v = eval_row_new(in->ev, in->grid->n, err);
    for (size_t i = 0; v && i < in->grid->n; i++)
        v[i] = absent();
    if (v)
        vec_push(&in->out, (struct row){ls, drop_name, v, NULL});
    return v != NULL;
}

static bool put_step(struct info *in, struct row *to, const struct row *from, size_t step,
                     struct err *err)
{
    if (row_has(to, step))
        return err_set(err, ERR_EXEC, "vector cannot contain metrics with the same labelset");
    to->v[step] = from->v[step];
    if (!from->h || !from->h[step])
        return true;
    if (!to->h && !(to->h = eval_histograms_new(in->ev, in->grid->n, err)))
        return false;
    to->h[step] = from->h[step];
    return true;
}

/* The info rows of a base row at one step, one per metric, into `at`; whether there is any. */
static bool rows_at(const struct info *in, const size_t *keys, size_t step, uint32_t *at)
{
    bool any = false;
    for (size_t i = 0; i < in->metrics.n; i++) {
        size_t place = keys[i] * in->grid->n + step;
        at[i] = place < in->newest.n ? in->newest.at[place] : NO_INFO;
        any |= at[i] != NO_INFO;
    }
    return any;
}

static bool enriched(struct info *in, const struct row *r, const uint32_t *at, size_t *out,
                     struct err *err)
{
    struct labels_builder b;
    bool ok = true;
    labels_builder_init(&b, r->labels);
    for (size_t i = 0; ok && i < in->metrics.n; i++)
        if (at[i] != NO_INFO)
            ok = add_labels(in, r->labels, in->infos.at[at[i]].labels, &b, err);
    struct labels ls = labels_builder_take(&b, &in->ev->arena);
    labels_builder_fini(&b);
    return ok && result_of(in, ls, r->drop_name, out, err);
}

static bool enrich(struct info *in, const struct row *r, bool ignored, struct err *err)
{
    size_t n = in->metrics.n, result = SIZE_MAX;
    size_t *keys = arena_array(&in->ev->arena, size_t, n + 1);
    uint32_t *now = arena_array(&in->ev->arena, uint32_t, n + 1);
    uint32_t *last = arena_array(&in->ev->arena, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        keys[i] = key_of(in, labels_metric_name(in->metrics.at[i]), r->labels);
    for (size_t step = 0; step < in->grid->n; step++) {
        if (!row_has(r, step))
            continue;
        bool any = !ignored && rows_at(in, keys, step, now);
        if (!any && !ignored && !stays_alone(in))
            continue;
        for (size_t i = 0; i < n && !any; i++)
            now[i] = NO_INFO;
        bool same = result != SIZE_MAX && (n == 0 || memcmp(now, last, n * sizeof *now) == 0);
        if (!same && !enriched(in, r, now, &result, err))
            return false;
        memcpy(last, now, n * sizeof *now);
        if (!put_step(in, &in->out.at[result], r, step, err))
            return false;
    }
    return budget_use(in->ev->q->budget, 0, err) && eval_memory(in->ev, err);
}

static bool run(struct info *in, const struct row_sink *sink, struct err *err)
{
    if (!eval_collect(in->ev, in->call->call.args[0], in->grid, &in->base, err) ||
        !name_matchers(in, err))
        return false;
    find_ignored(in);
    if (!fetch(in, err) || !find_newest(in, err))
        return false;
    for (size_t i = 0; i < in->base.n; i++)
        if (!enrich(in, &in->base.at[i], in->ignored[i], err))
            return false;
    VEC_EACH (r, &in->out)
        if (!sink->put(sink->ctx, r, err))
            return false;
    return true;
}

bool call_info(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err)
{
    struct info in = {.ev = ev,
                      .call = n,
                      .grid = g,
                      .keys = {.quota = eval_quota(ev)},
                      .metrics = {.quota = eval_quota(ev)},
                      .results = {.quota = eval_quota(ev)}};
    if (n->call.args_n > 1) {
        const struct node *labels = n->call.args[1];
        in.data = labels->selector.matchers;
        in.data_n = labels->selector.matchers_n;
    }
    bool ok = run(&in, sink, err);
    for (size_t i = 0; i < in.made_n; i++)
        matcher_fini(&in.made[i]);
    vec_fini(&in.names);
    free(in.infos.at);
    label_table_fini(&in.keys);
    label_table_fini(&in.metrics);
    label_table_fini(&in.results);
    vec_fini(&in.newest);
    vec_fini(&in.out);
    return ok;
}
