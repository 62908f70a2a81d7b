// SPDX-License-Identifier: Apache-2.0
/*
 * Binary operations between two vectors. Both sides are sorted into match groups by the labels they
 * are matched on; a group is then worked on column by column. What upstream checks at each step
 * (duplicates on the "one" side, several results with the same labels) is checked for each step
 * here.
 */
#include <stdlib.h>

#include "base/finite.h"
#include "promql/histogram_int.h"

/* One side's rows by match group: [start[g], start[g + 1]) of `order`. */
struct side {
    struct rows rows;
    uint32_t *group, *order, *start;
    bool *full; /* per row: it has a float at every step, and no histogram */
    bool *any;  /* per step: is there any value on this side; NULL until it is asked for */
};

/* The group that gave the steps of a result: 1 + it for all of them, or one by one. */
struct owner {
    uint32_t all, *at; /* at NULL: all */
};

struct join {
    struct eval *ev;
    const struct node *n;
    const struct matching *match;
    const struct grid *grid;
    struct names on;
    struct names kept;         /* of `on`: with the name, where that stays */
    struct label_table groups; /* the labels that were matched */
    struct side many, one;     /* swapped when the right side is the many */
    bool swapped, arithmetic;
    struct label_table results;
    VEC(struct row) out;
    VEC(struct owner) owners; /* of each result, where that is tracked */
    uint32_t *taken;          /* one-to-one: per step, 1 + group that has its result */
    struct pair_work pair;    /* for histograms */
};

static struct labels match_labels(struct join *j, struct labels ls)
{
    return j->match->on ? labels_keep(&j->ev->arena, ls, &j->on)
                        : labels_without(&j->ev->arena, ls, &j->on, false);
}

static bool is_full(const double *v, size_t n)
{
    if (are_finite(v, n))
        return true;
    for (size_t i = 0; i < n; i++)
        if (is_absent(v[i]))
            return false;
    return true;
}

static bool collect_side(struct join *j, const struct node *n, struct side *s, struct err *err)
{
    struct arena *a = &j->ev->arena;
    if (!eval_collect(j->ev, n, j->grid, &s->rows, err))
        return false;
    s->group = arena_array(a, uint32_t, s->rows.n);
    s->order = arena_array(a, uint32_t, s->rows.n);
    s->full = arena_array(a, bool, s->rows.n);
    for (size_t i = 0; i < s->rows.n; i++) {
        const struct row *r = &s->rows.at[i];
        s->group[i] = (uint32_t)label_table_add(&j->groups, match_labels(j, r->labels));
        s->full[i] = !r->h && is_full(r->v, j->grid->n);
    }
    return eval_memory(j->ev, err);
}

static const bool *any_of(struct join *j, struct side *s)
{
    if (s->any)
        return s->any;
    s->any = arena_array(&j->ev->arena, bool, j->grid->n);
    for (size_t i = 0; i < s->rows.n; i++)
        for (size_t k = 0; k < j->grid->n; k++)
            s->any[k] |= row_has(&s->rows.at[i], k);
    return s->any;
}

/* Counting sort by group, once all groups are known. */
static void order_side(struct join *j, struct side *s)
{
    struct arena *a = &j->ev->arena;
    size_t n = j->groups.n;
    s->start = arena_array(a, uint32_t, n + 2);
    for (size_t i = 0; i < s->rows.n; i++)
        s->start[s->group[i] + 2]++;
    for (size_t i = 0; i < n; i++)
        s->start[i + 2] += s->start[i + 1];
    for (size_t i = 0; i < s->rows.n; i++)
        s->order[s->start[s->group[i] + 1]++] = (uint32_t)i;
}

static bool duplicate_error(struct join *j, size_t group, const struct row *a, const struct row *b,
                            struct err *err)
{
    STRBUF_CLEANUP struct strbuf g = {0}, x = {0}, y = {0};
    label_set_format(j->groups.at[group], &g);
    label_set_format(a->labels, &x);
    label_set_format(b->labels, &y);
    bool swap = str_cmp(strbuf_str(&x), strbuf_str(&y)) > 0;
    return err_set(err, ERR_EXEC,
                   "found duplicate series for the match group %s on the %s hand-side of the "
                   "operation: [%s, %s];many-to-many matching not allowed: matching labels must be "
                   "unique on one side",
                   g.p, j->swapped ? "left" : "right", swap ? y.p : x.p, swap ? x.p : y.p);
}

/* Two rows of the "one" side in one group must not have values at the same step. */
static bool check_one_side(struct join *j, size_t group, struct err *err)
{
    const struct side *s = &j->one;
    uint32_t from = s->start[group], to = s->start[group + 1];
    if (to - from < 2)
        return true;
    const bool *any = any_of(j, &j->many);
    for (size_t k = 0; k < j->grid->n; k++) {
        const struct row *seen = NULL;
        if (!budget_use(j->ev->q->budget, 0, err))
            return false;
        for (uint32_t i = from; i < to && any[k]; i++) {
            const struct row *r = &s->rows.at[s->order[i]];
            if (!row_has(r, k))
                continue;
            if (seen)
                return duplicate_error(j, group, r, seen, err);
            seen = r;
        }
    }
    return true;
}

/* The labels of a result: those of the many side, with what is included from the one side. */
static struct labels result_labels(struct join *j, struct labels many, struct labels one)
{
    struct arena *a = &j->ev->arena;
    const struct matching *m = j->match;
    bool keep = j->n->keep_names;
    if (!keep && (j->arithmetic || (j->n->binary.return_bool && !j->ev->delayed_names)))
        many = labels_nameless(a, many);
    if (m->card == CARD_ONE_TO_ONE)
        return m->on ? labels_keep(a, many, keep ? &j->kept : &j->on)
                     : labels_without(a, many, &j->on, true);
    if (m->include.n == 0)
        return many;
    struct labels_builder b;
    labels_builder_init(&b, many);
    for (size_t i = 0; i < m->include.n; i++)
        labels_builder_set(&b, m->include.at[i], labels_get(one, m->include.at[i]));
    struct labels out = labels_builder_take(&b, a);
    labels_builder_fini(&b);
    return out;
}

/* Number of the result row with these labels. */
static bool result_row(struct join *j, struct labels ls, bool track, size_t *out, struct err *err)
{
    size_t known = j->results.n, i = label_table_add(&j->results, ls);
    if (i == known) {
        double *v = eval_row_new(j->ev, j->grid->n, err);
        if (!v)
            return false;
        for (size_t k = 0; k < j->grid->n; k++)
            v[k] = absent();
        vec_push(&j->out, (struct row){ls, j->n->binary.return_bool && !j->n->keep_names, v, NULL});
        vec_push(&j->owners, (struct owner){0});
        eval_count_outside(j->ev, sizeof *j->out.at + sizeof *j->owners.at);
    }
    struct owner *owner = &j->owners.at[i];
    if (track && !owner->at) {
        owner->at = arena_array(&j->ev->arena, uint32_t, j->grid->n);
        for (size_t k = 0; k < j->grid->n; k++)
            owner->at[k] = owner->all;
    }
    *out = i;
    return true;
}

/* Marks a step of a result as given by this group; false with upstream's error when it was. */
static bool claim(struct join *j, uint32_t *owner, size_t k, size_t group, struct err *err)
{
    uint32_t id = (uint32_t)group + 1;
    bool one = j->match->card == CARD_ONE_TO_ONE;
    uint32_t *at = one ? &j->taken[k] : &owner[k];
    if (*at == id)
        return err_set(err, ERR_EXEC,
                       one ? "multiple matches for labels: many-to-one matching must be explicit "
                             "(group_left/group_right)"
                           : "multiple matches for labels: grouping labels must ensure unique "
                             "matches");
    *at = id;
    return true;
}

/* The value of one step; absent when a comparison does not hold. */
static double join_value(const struct join *j, double many, double one)
{
    enum token_kind op = j->n->binary.op;
    double l = j->swapped ? one : many, r = j->swapped ? many : one;
    double v = binary_value(op, l, r);
    if (token_is_comparison(op) && !j->n->binary.return_bool)
        return v != 0 ? l : absent();
    return v;
}

/* `one` and `many` at the steps where both have a value; a side that is NULL has its fill value
 * where `gaps` says so. */
struct pair {
    const struct row *many, *one;
    double fill;
    const bool *gaps;
    bool full; /* both have a float at every step */
};

static struct operand operand_at(const struct row *r, size_t k, double fill)
{
    if (!r)
        return (struct operand){fill, NULL};
    return (struct operand){r->v[k], r->h ? r->h[k] : NULL};
}

/* One step of two rows of which any has histograms, or of an operator that is for histograms. */
static bool join_step(struct join *j, size_t group, const struct pair *p, size_t k,
                      struct labels ls, size_t *i, bool track, struct err *err)
{
    struct operand m = operand_at(p->many, k, p->fill), o = operand_at(p->one, k, p->fill), out;
    struct operand l = j->swapped ? o : m, r = j->swapped ? m : o;
    if ((p->gaps && !p->gaps[k]) || (!m.h && is_absent(m.v)) || (!o.h && is_absent(o.v)))
        return true;
    bool holds = true;
    if (l.h || r.h || token_is_trim(j->n->binary.op)) {
        enum pair_result res = pair_apply(&j->pair, l, r, &out);
        if (res == PAIR_NONE)
            return true;
        holds = res == PAIR_TRUE;
        if (j->n->binary.return_bool)
            out = (struct operand){holds, NULL};
        holds |= j->n->binary.return_bool;
    } else {
        out = (struct operand){join_value(j, m.v, o.v), NULL};
        holds = !is_absent(out.v);
    }
    if (*i == SIZE_MAX && !result_row(j, ls, track, i, err))
        return false;
    if (track && !claim(j, j->owners.at[*i].at, k, group, err))
        return false;
    struct row *to = &j->out.at[*i];
    if (!holds)
        return true;
    if (row_has(to, k))
        return err_set(err, ERR_EXEC, "vector cannot contain metrics with the same labelset");
    if (out.h && !to->h && !(to->h = eval_histograms_new(j->ev, j->grid->n, err)))
        return false;
    if (out.h)
        to->h[k] = out.h;
    else
        to->v[k] = out.v;
    return !out.h || eval_memory(j->ev, err);
}

/* All steps of two full rows, for labels that no result has had: nothing can be there before. */
static bool join_full(struct join *j, size_t group, const struct pair *p, struct labels ls,
                      struct err *err)
{
    enum token_kind op = j->n->binary.op;
    const double *l = j->swapped ? p->one->v : p->many->v;
    const double *r = j->swapped ? p->many->v : p->one->v;
    double *v = eval_row_new(j->ev, j->grid->n, err);
    if (!v)
        return false;
    binary_row(op, l, r, j->grid->n, v);
    for (size_t k = 0; token_is_comparison(op) && !j->n->binary.return_bool && k < j->grid->n; k++)
        v[k] = v[k] != 0 ? l[k] : absent();
    vec_push(&j->out, (struct row){ls, j->n->binary.return_bool, v, NULL});
    vec_push(&j->owners, (struct owner){(uint32_t)group + 1, NULL});
    return true;
}

static bool join_pair(struct join *j, size_t group, const struct pair *p, bool track,
                      struct err *err)
{
    struct labels matched = j->groups.at[group];
    struct labels ls =
        result_labels(j, p->many ? p->many->labels : matched, p->one ? p->one->labels : matched);
    size_t i = SIZE_MAX, known = j->results.n;
    bool each = token_is_trim(j->n->binary.op) || (track && j->match->card == CARD_ONE_TO_ONE);
    if (p->full && !each && label_table_add(&j->results, ls) == known)
        return join_full(j, group, p, ls, err);
    bool histograms = (p->many && p->many->h) || (p->one && p->one->h);
    if (histograms || token_is_trim(j->n->binary.op)) {
        for (size_t k = 0; k < j->grid->n; k++)
            if (!join_step(j, group, p, k, ls, &i, track, err))
                return false;
        return eval_memory(j->ev, err);
    }
    for (size_t k = 0; k < j->grid->n; k++) {
        if (p->gaps && !p->gaps[k])
            continue;
        double m = p->many ? p->many->v[k] : p->fill, o = p->one ? p->one->v[k] : p->fill;
        if (is_absent(m) || is_absent(o))
            continue;
        if (i == SIZE_MAX && !result_row(j, ls, track, &i, err))
            return false;
        if (track && !claim(j, j->owners.at[i].at, k, group, err))
            return false;
        double v = join_value(j, m, o);
        if (is_absent(v))
            continue;
        if (!is_absent(j->out.at[i].v[k]))
            return err_set(err, ERR_EXEC, "vector cannot contain metrics with the same labelset");
        j->out.at[i].v[k] = v;
    }
    return true;
}

static const struct row *side_row(const struct side *s, uint32_t i)
{
    return &s->rows.at[s->order[i]];
}

/* Steps at which no row of the group has a value. */
static void gaps_of(const struct join *j, const struct side *s, size_t group, bool *gaps)
{
    for (size_t k = 0; k < j->grid->n; k++) {
        gaps[k] = true;
        for (uint32_t i = s->start[group]; i < s->start[group + 1]; i++)
            gaps[k] &= !row_has(side_row(s, i), k);
    }
}

/* fill: rows without partner meet the fill value of the other side. */
static bool join_fill(struct join *j, size_t group, bool *gaps, struct err *err)
{
    const struct matching *m = j->match;
    if (m->fill_right_set) {
        gaps_of(j, &j->one, group, gaps);
        for (uint32_t i = j->many.start[group]; i < j->many.start[group + 1]; i++) {
            struct pair p = {side_row(&j->many, i), NULL, m->fill_right, gaps, false};
            if (!join_pair(j, group, &p, true, err))
                return false;
        }
    }
    if (m->fill_left_set) {
        gaps_of(j, &j->many, group, gaps);
        for (uint32_t i = j->one.start[group]; i < j->one.start[group + 1]; i++) {
            struct pair p = {NULL, side_row(&j->one, i), m->fill_left, gaps, false};
            if (!join_pair(j, group, &p, true, err))
                return false;
        }
    }
    return true;
}

static bool join_group(struct join *j, size_t group, bool *gaps, struct err *err)
{
    uint32_t many = j->many.start[group], many_end = j->many.start[group + 1];
    if (!check_one_side(j, group, err))
        return false;
    bool fill = j->match->fill_left_set || j->match->fill_right_set;
    bool track = many_end - many > 1 || fill;
    for (; many < many_end; many++) {
        if (!budget_use(j->ev->q->budget, 0, err))
            return false;
        for (uint32_t one = j->one.start[group]; one < j->one.start[group + 1]; one++) {
            bool full = j->many.full[j->many.order[many]] && j->one.full[j->one.order[one]];
            struct pair p = {side_row(&j->many, many), side_row(&j->one, one), 0, NULL, full};
            if (!join_pair(j, group, &p, track, err))
                return false;
        }
    }
    return (!fill || join_fill(j, group, gaps, err)) && budget_use(j->ev->q->budget, 0, err) &&
           eval_memory(j->ev, err);
}

static bool join_all(struct join *j, const struct row_sink *sink, struct err *err)
{
    struct arena *a = &j->ev->arena;
    order_side(j, &j->many);
    order_side(j, &j->one);
    j->taken = arena_array(a, uint32_t, j->grid->n);
    bool *gaps = arena_array(a, bool, j->grid->n);
    for (size_t group = 0; group < j->groups.n; group++)
        if (!join_group(j, group, gaps, err))
            return false;
    for (size_t i = 0; i < j->out.n; i++)
        if (!sink->put(sink->ctx, &j->out.at[i], err))
            return false;
    return true;
}

static void join_init(struct join *j, struct eval *ev, const struct node *n, const struct grid *g)
{
    *j = (struct join){.ev = ev,
                       .n = n,
                       .groups = {.quota = eval_quota(ev)},
                       .results = {.quota = eval_quota(ev)},
                       .grid = g,
                       .match = &n->binary.match,
                       .on = names_sorted(&ev->arena, &n->binary.match.labels),
                       .swapped = n->binary.match.card == CARD_ONE_TO_MANY,
                       .arithmetic =
                           !token_is_comparison(n->binary.op) && !token_is_trim(n->binary.op),
                       .pair = {ev, n, &ev->arena, {0}}};
    j->kept.at = arena_array(&ev->arena, str, j->on.n + 1);
    if (j->on.n)
        memcpy(j->kept.at, j->on.at, j->on.n * sizeof *j->on.at);
    j->kept.at[j->on.n] = LABEL_NAME;
    j->kept.n = j->on.n + 1;
}

static void join_fini(struct join *j)
{
    label_table_fini(&j->groups);
    label_table_fini(&j->results);
    vec_fini(&j->out);
    vec_fini(&j->owners);
    histogram_work_fini(&j->pair.w);
}

bool eval_join(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err)
{
    struct join j;
    join_init(&j, ev, n, g);
    bool ok = collect_side(&j, n->binary.lhs, j.swapped ? &j.one : &j.many, err) &&
              collect_side(&j, n->binary.rhs, j.swapped ? &j.many : &j.one, err) &&
              join_all(&j, sink, err);
    join_fini(&j);
    return ok;
}

/* ---- and, or, unless; if, ifnot ---- */

struct set_filter {
    struct join *j;
    bool **present; /* per group of the other side: the steps at which it has a value */
    size_t groups_n;
    bool keep_present;
    bool *everywhere; /* if, ifnot: of an only series without labels, which is for all groups */
    const struct row_sink *sink;
};

static bool set_put(void *ctx, struct row *r, struct err *err)
{
    struct set_filter *f = ctx;
    size_t g = label_table_add(&f->j->groups, match_labels(f->j, r->labels));
    const bool *present = g < f->groups_n ? f->present[g] : f->everywhere;
    for (size_t k = 0; k < f->j->grid->n; k++)
        if ((present && present[k]) != f->keep_present) {
            r->v[k] = absent();
            if (r->h)
                r->h[k] = NULL;
        }
    return f->sink->put(f->sink->ctx, r, err);
}

static bool presence(struct join *j, const struct side *s, struct set_filter *f, struct err *err)
{
    f->groups_n = j->groups.n;
    f->present = arena_array(&j->ev->arena, bool *, f->groups_n);
    for (size_t i = 0; i < s->rows.n; i++) {
        bool **p = &f->present[s->group[i]];
        if (!*p)
            *p = arena_array(&j->ev->arena, bool, j->grid->n);
        for (size_t k = 0; k < j->grid->n; k++)
            (*p)[k] |= row_has(&s->rows.at[i], k);
    }
    return eval_memory(j->ev, err);
}

static bool eval_or(struct join *j, const struct row_sink *sink, struct err *err)
{
    struct merger m;
    merger_init(&m, j->ev, j->grid->n);
    struct set_filter f = {
        .j = j, .keep_present = false, .sink = &(struct row_sink){merger_put, &m}};
    bool ok = collect_side(j, j->n->binary.lhs, &j->many, err) && presence(j, &j->many, &f, err);
    for (size_t i = 0; ok && i < j->many.rows.n; i++)
        ok = merger_put(&m, &j->many.rows.at[i], err);
    ok = ok && eval_rows(j->ev, j->n->binary.rhs, j->grid, &(struct row_sink){set_put, &f}, err) &&
         merger_flush(&m, sink, err);
    merger_fini(&m);
    return ok;
}

/* MetricsQL: a side that is one series without labels matches whatever the other has. */
static const struct row *only_scalar(const struct side *s)
{
    return s->rows.n == 1 && s->rows.at[0].labels.n == 0 ? &s->rows.at[0] : NULL;
}

/* NaN is no value to MetricsQL, which cannot tell it from a gap. */
static bool has_number(const struct row *r, size_t k)
{
    return (r->h && r->h[k]) || (!is_absent(r->v[k]) && r->v[k] == r->v[k]);
}

static void drop_nan(struct side *s, size_t steps)
{
    for (size_t i = 0; i < s->rows.n; i++)
        for (size_t k = 0; k < steps; k++)
            if (!has_number(&s->rows.at[i], k))
                s->rows.at[i].v[k] = absent();
}

static bool eval_if(struct join *j, const struct row_sink *sink, struct err *err)
{
    struct set_filter f = {.j = j, .keep_present = j->n->binary.op == TOK_IF, .sink = sink};
    if (!collect_side(j, j->n->binary.rhs, &j->one, err))
        return false;
    drop_nan(&j->one, j->grid->n);
    if (!presence(j, &j->one, &f, err))
        return false;
    if (only_scalar(&j->one))
        f.everywhere = f.present[0];
    return eval_rows(j->ev, j->n->binary.lhs, j->grid, &(struct row_sink){set_put, &f}, err);
}

/* Takes the values of `from` at the steps where `to` has none. */
static bool fill_from(struct join *j, struct row *to, const struct row *from, struct err *err)
{
    for (size_t k = 0; k < j->grid->n; k++) {
        if (has_number(to, k) || !has_number(from, k))
            continue;
        if (from->h && from->h[k]) {
            if (!to->h && !(to->h = eval_histograms_new(j->ev, j->grid->n, err)))
                return false;
            to->h[k] = from->h[k];
            to->v[k] = absent();
        } else {
            to->v[k] = from->v[k];
        }
    }
    return true;
}

struct filler {
    struct join *j;
    size_t groups_n; /* of the right side */
    bool any;
    const struct row *everywhere;
    const struct row_sink *sink;
};

static bool fill_put(void *ctx, struct row *r, struct err *err)
{
    struct filler *f = ctx;
    struct join *j = f->j;
    size_t g = label_table_add(&j->groups, match_labels(j, r->labels));
    f->any = true;
    if (g < f->groups_n) {
        for (uint32_t i = j->one.start[g]; i < j->one.start[g + 1]; i++)
            if (!fill_from(j, r, side_row(&j->one, i), err))
                return false;
    } else if (f->everywhere && !fill_from(j, r, f->everywhere, err)) {
        return false;
    }
    return f->sink->put(f->sink->ctx, r, err);
}

/* The left side with its gaps filled from the right; the right side when there is no left one. */
static bool eval_default(struct join *j, const struct row_sink *sink, struct err *err)
{
    struct filler f = {.j = j, .sink = sink};
    if (!collect_side(j, j->n->binary.rhs, &j->one, err))
        return false;
    order_side(j, &j->one);
    f.groups_n = j->groups.n;
    f.everywhere = only_scalar(&j->one);
    if (!eval_rows(j->ev, j->n->binary.lhs, j->grid, &(struct row_sink){fill_put, &f}, err))
        return false;
    for (size_t i = 0; !f.any && i < j->one.rows.n; i++)
        if (!sink->put(sink->ctx, &j->one.rows.at[i], err))
            return false;
    return true;
}

static bool eval_and(struct join *j, const struct row_sink *sink, struct err *err)
{
    struct set_filter f = {.j = j, .keep_present = j->n->binary.op == TOK_AND, .sink = sink};
    return collect_side(j, j->n->binary.rhs, &j->one, err) && presence(j, &j->one, &f, err) &&
           eval_rows(j->ev, j->n->binary.lhs, j->grid, &(struct row_sink){set_put, &f}, err);
}

bool eval_set(struct eval *ev, const struct node *n, const struct grid *g,
              const struct row_sink *sink, struct err *err)
{
    static bool (*const how[])(struct join *, const struct row_sink *, struct err *) = {
        [TOK_AND] = eval_and,         [TOK_OR] = eval_or, [TOK_UNLESS] = eval_and,
        [TOK_DEFAULT] = eval_default, [TOK_IF] = eval_if, [TOK_IFNOT] = eval_if};
    struct join j;
    join_init(&j, ev, n, g);
    bool ok = how[n->binary.op](&j, sink, err);
    join_fini(&j);
    return ok;
}
