// SPDX-License-Identifier: Apache-2.0
/*
 * Selectors with several sets of matchers, {a="b" or c="d"} of MetricsQL: a selection for each set,
 * seen as one, in order of labels, each series once. It is a selection like any other, with calls
 * of its own for whoever reads it.
 */
#include "base/mem.h"
#include "model/exemplar.h"
#include "promql/eval_int.h"
#include "sys/pool.h"

/* Series k of the union: series `at` of selection `from`. */
struct member {
    struct labels labels;
    uint32_t from, at;
};

struct selection {
    const struct source_ops *ops; /* of the source that is read */
    struct selection **parts;
    size_t parts_n;
    struct member *members; /* in the query's arena, which lives longer */
    size_t members_n;
};

static size_t union_size(const struct selection *u)
{
    return u->members_n;
}

static struct labels union_labels(struct selection *u, size_t i)
{
    return u->members[i].labels;
}

/* Neighbours that are neighbours in their selection too are read together. */
static bool union_read(struct selection *u, size_t first, size_t *n, ts_ms start, ts_ms end,
                       struct arena *a, struct columns *out, struct err *err)
{
    const struct member *m = &u->members[first];
    size_t together = 1;
    while (together < *n && m[together].from == m->from && m[together].at == m->at + together)
        together++;
    *n = together;
    return u->ops->read(u->parts[m->from], m->at, n, start, end, a, out, err);
}

static void union_release(struct selection *u)
{
    for (size_t i = 0; i < u->parts_n; i++)
        u->ops->release(u->parts[i]);
    free(u->parts);
    free(u);
}

/* Which times are rows depends on the store and the range, so it is the same for all parts. */
static size_t union_tiers(const struct selection *u, struct tier_span out[SOURCE_TIERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; u->ops->tiers && i < u->parts_n && n == 0; i++)
        n = u->ops->tiers(u->parts[i], out);
    return n;
}

static bool union_read_tier(struct selection *u, size_t i, ts_ms start, ts_ms end,
                            struct tier_rows *out, struct err *err)
{
    const struct member *m = &u->members[i];
    return u->ops->read_tier(u->parts[m->from], m->at, start, end, out, err);
}

static const struct source_ops union_ops = {.size = union_size,
                                            .labels = union_labels,
                                            .read = union_read,
                                            .release = union_release,
                                            .tiers = union_tiers,
                                            .read_tier = union_read_tier};

/* The part whose next series comes first; parts_n: there is none. */
static size_t next_part(const struct selection *u, const struct member *heads)
{
    size_t best = u->parts_n;
    for (size_t i = 0; i < u->parts_n; i++) {
        if (heads[i].at == heads[i].from)
            continue;
        if (best == u->parts_n || labels_cmp(heads[i].labels, heads[best].labels) < 0)
            best = i;
    }
    return best;
}

static void advance(const struct selection *u, struct member *heads, size_t i)
{
    if (++heads[i].at < heads[i].from)
        heads[i].labels = u->ops->labels(u->parts[i], heads[i].at);
}

/* Room for all of them, and for the first of each part that is not taken yet. */
static bool make_room(struct eval *ev, struct selection *u, struct member **heads, struct err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < u->parts_n; i++)
        most += u->ops->size(u->parts[i]);
    *heads = arena_try(&ev->arena, u->parts_n, sizeof **heads);
    u->members = arena_try(&ev->arena, most + 1, sizeof *u->members);
    return (*heads && u->members) || eval_over_memory(ev, err);
}

/* Merges the parts, each of which is sorted. A head's `from` is the size of its part. */
static bool merge(struct eval *ev, struct selection *u, struct err *err)
{
    enum { ASK_EACH = 256 };
    struct member *heads;
    if (!make_room(ev, u, &heads, err))
        return false;
    for (size_t i = 0; i < u->parts_n; i++) {
        heads[i] = (struct member){.from = (uint32_t)u->ops->size(u->parts[i])};
        if (heads[i].from)
            heads[i].labels = u->ops->labels(u->parts[i], 0);
    }
    for (size_t i; (i = next_part(u, heads)) < u->parts_n;) {
        const struct member *last = u->members_n ? &u->members[u->members_n - 1] : NULL;
        if (!last || !labels_eq(last->labels, heads[i].labels))
            u->members[u->members_n++] = (struct member){heads[i].labels, (uint32_t)i, heads[i].at};
        advance(u, heads, i);
        if (u->members_n % ASK_EACH == 0) {
            pool_yield();
            if (!budget_use(ev->q->budget, 0, err))
                return false;
        }
    }
    return true;
}

static struct selection *select_set(struct eval *ev, struct matcher_set set,
                                    const struct select_hints *h, struct err *err)
{
    return ev->q->source->ops->select(ev->q->source, set.m, set.n, h, ev->q->budget, err);
}

struct selection_ref selector_select(struct eval *ev, const struct node *n,
                                     const struct select_hints *h, struct err *err)
{
    struct matcher_set first = {n->selector.matchers, n->selector.matchers_n};
    if (!n->selector.ors_n)
        return (struct selection_ref){ev->q->source->ops, select_set(ev, first, h, err)};
    struct selection *u = mem_new(struct selection);
    u->ops = ev->q->source->ops;
    u->parts = mem_zalloc((n->selector.ors_n + 1) * sizeof(struct selection *));
    for (size_t i = 0; i <= n->selector.ors_n; i++) {
        struct selection *part = select_set(ev, i ? n->selector.ors[i - 1] : first, h, err);
        if (!part) {
            union_release(u);
            return (struct selection_ref){&union_ops, NULL};
        }
        u->parts[u->parts_n++] = part;
    }
    if (merge(ev, u, err))
        return (struct selection_ref){&union_ops, u};
    union_release(u);
    return (struct selection_ref){&union_ops, NULL};
}
