// SPDX-License-Identifier: Apache-2.0
/* Labels of results: dropping names, grouping, and rows that turn out to be the same series. */
#include "promql/eval_int.h"

static bool is_metadata_label(str name)
{
    return str_eqz(name, "__name__") || str_eqz(name, "__type__") || str_eqz(name, "__unit__");
}

struct labels labels_nameless(struct arena *a, struct labels ls)
{
    size_t first = 0, n = 0;
    if (ls.n == 0)
        return ls;
    while (first < ls.n && is_metadata_label(ls.at[first].name))
        first++;
    for (size_t i = first; i < ls.n; i++)
        n += !is_metadata_label(ls.at[i].name);
    if (n == ls.n - first)
        return (struct labels){ls.at + first, n};
    struct label *at = arena_array(a, struct label, n);
    n = 0;
    for (size_t i = first; i < ls.n; i++)
        if (!is_metadata_label(ls.at[i].name))
            at[n++] = ls.at[i];
    return (struct labels){at, n};
}

void row_drop_name(struct eval *ev, const struct node *n, struct row *r)
{
    if (n->keep_names)
        return;
    if (ev->delayed_names)
        r->drop_name = true;
    else
        r->labels = labels_nameless(&ev->arena, r->labels);
}

static bool selector_names_vary(const struct node *n)
{
    if (n->selector.ors_n && !n->selector.name.n)
        return true;
    for (size_t i = 0; i < n->selector.matchers_n; i++) {
        const struct matcher *m = &n->selector.matchers[i];
        if (m->op == MATCH_EQ && str_eq(m->name, LABEL_NAME))
            return false;
    }
    return true;
}

bool node_names_vary(const struct eval *ev, const struct node *n)
{
    const struct function *f;
    switch (n->kind) {
    case NODE_SELECTOR:
        return selector_names_vary(n);
    case NODE_RANGE:
        return selector_names_vary(n->range.selector);
    case NODE_SUBQUERY:
        return node_names_vary(ev, n->subquery.expr);
    case NODE_PAREN:
        return node_names_vary(ev, n->paren);
    case NODE_UNARY:
        return node_names_vary(ev, n->unary.expr);
    case NODE_AGGREGATE:
        if (n->aggregate.op == TOK_TOPK || n->aggregate.op == TOK_BOTTOMK)
            return node_names_vary(ev, n->aggregate.expr);
        return n->aggregate.grouped;
    case NODE_CALL:
        f = n->call.fn;
        if (f->each || f->window || f->row)
            for (size_t i = 0; i < n->call.args_n; i++)
                if (n->call.args[i]->type == PROMQL_VECTOR ||
                    n->call.args[i]->type == PROMQL_MATRIX)
                    return node_names_vary(ev, n->call.args[i]);
        return true;
    default:
        return true;
    }
}

struct names names_sorted(struct arena *a, const struct names *names)
{
    struct names out = {arena_array(a, str, names->n), 0};
    for (size_t i = 0; i < names->n; i++) {
        size_t k = out.n;
        while (k > 0 && str_cmp(out.at[k - 1], names->at[i]) > 0)
            k--;
        if (k > 0 && str_eq(out.at[k - 1], names->at[i]))
            continue;
        memmove(out.at + k + 1, out.at + k, (out.n - k) * sizeof *out.at);
        out.at[k] = names->at[i];
        out.n++;
    }
    return out;
}

static bool has_name(const struct names *names, str s)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->at[i], s))
            return true;
    return false;
}

struct labels labels_keep(struct arena *a, struct labels ls, const struct names *names)
{
    struct label *at = arena_array(a, struct label, names->n < ls.n ? names->n : ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (has_name(names, ls.at[i].name))
            at[n++] = ls.at[i];
    return (struct labels){at, n};
}

struct labels labels_without(struct arena *a, struct labels ls, const struct names *names,
                             bool keep_name)
{
    struct label *at = arena_array(a, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (!has_name(names, ls.at[i].name) && (keep_name || !str_eq(ls.at[i].name, LABEL_NAME)))
            at[n++] = ls.at[i];
    return (struct labels){at, n};
}

void label_set_format(struct labels ls, struct strbuf *out)
{
    strbuf_addc(out, '{');
    for (size_t i = 0; i < ls.n; i++) {
        if (i)
            strbuf_addz(out, ", ");
        label_name_format(ls.at[i].name, out);
        strbuf_addc(out, '=');
        string_quote(ls.at[i].value, out);
    }
    strbuf_addc(out, '}');
}

/* ---- tables ---- */

/* Grows an open-addressing table of 1 + index; returns the slot for `hash`, or of an equal entry.
 */
static void slots_grow(uint32_t **slots, size_t *slots_n, const uint64_t *hash, size_t n)
{
    if (n * 2 < *slots_n)
        return;
    size_t size = *slots_n ? *slots_n * 2 : 64;
    free(*slots);
    *slots = mem_zalloc(size * sizeof **slots);
    *slots_n = size;
    for (size_t i = 0; i < n; i++) {
        size_t s = hash[i] & (size - 1);
        while ((*slots)[s])
            s = (s + 1) & (size - 1);
        (*slots)[s] = (uint32_t)i + 1;
    }
}

static void table_count(struct label_table *t)
{
    quota_hold(t->quota, &t->held,
               t->cap * (sizeof *t->at + sizeof *t->hash) + t->slots_n * sizeof *t->slots);
}

size_t label_table_add(struct label_table *t, struct labels ls)
{
    slots_grow(&t->slots, &t->slots_n, t->hash, t->n);
    uint64_t h = labels_hash(ls);
    size_t s = h & (t->slots_n - 1);
    for (; t->slots[s]; s = (s + 1) & (t->slots_n - 1)) {
        size_t i = t->slots[s] - 1;
        if (t->hash[i] == h && labels_eq(t->at[i], ls))
            return i;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 32;
        t->at = mem_realloc(t->at, t->cap * sizeof *t->at);
        t->hash = mem_realloc(t->hash, t->cap * sizeof *t->hash);
        table_count(t);
    }
    t->at[t->n] = ls;
    t->hash[t->n] = h;
    t->slots[s] = (uint32_t)++t->n;
    return t->n - 1;
}

void label_table_fini(struct label_table *t)
{
    free(t->at);
    free(t->hash);
    free(t->slots);
    quota_hold(t->quota, &t->held, 0);
    *t = (struct label_table){.quota = t->quota};
}

/* ---- merging ---- */

void merger_init(struct merger *m, struct eval *ev, size_t steps)
{
    *m = (struct merger){.ev = ev, .steps = steps, .table = {.quota = eval_quota(ev)}};
}

static bool merge_into(struct merger *m, struct row *to, const struct row *r, struct err *err)
{
    if (r->h && !to->h && !(to->h = eval_histograms_new(m->ev, m->steps, err)))
        return false;
    for (size_t i = 0; i < m->steps; i++) {
        if (!row_has(r, i))
            continue;
        if (row_has(to, i))
            return err_set(err, ERR_EXEC, "vector cannot contain metrics with the same labelset");
        to->v[i] = r->v[i];
        if (r->h && r->h[i])
            to->h[i] = histogram_dup(&m->ev->arena, r->h[i]);
        if (to->h && !eval_memory(m->ev, err))
            return false;
    }
    return true;
}

bool merger_put(void *ctx, struct row *r, struct err *err)
{
    struct merger *m = ctx;
    size_t known = m->table.n, i = label_table_add(&m->table, r->labels);
    if (i < known)
        return merge_into(m, &m->rows.at[i], r, err);
    struct row kept;
    if (!eval_row_keep(m->ev, r, m->steps, &kept, err))
        return false;
    if (m->rows.n == m->rows.cap) {
        m->rows.cap = m->rows.cap ? m->rows.cap * 2 : 32;
        m->rows.at = mem_realloc(m->rows.at, m->rows.cap * sizeof *m->rows.at);
        quota_hold(eval_quota(m->ev), &m->held, m->rows.cap * sizeof *m->rows.at);
    }
    m->rows.at[m->rows.n++] = kept;
    return true;
}

bool merger_flush(struct merger *m, const struct row_sink *sink, struct err *err)
{
    for (size_t i = 0; i < m->rows.n; i++)
        if (!sink->put(sink->ctx, &m->rows.at[i], err))
            return false;
    return true;
}

void merger_fini(struct merger *m)
{
    free(m->rows.at);
    quota_hold(eval_quota(m->ev), &m->held, 0);
    label_table_fini(&m->table);
}
