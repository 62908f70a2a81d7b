// SPDX-License-Identifier: Apache-2.0
/* Functions of MetricsQL that change labels, or choose series by them; values stay. */
#include <math.h>

#include "base/num.h"
#include "codec/regex.h"
#include "promql/eval_int.h"

enum { GROUPS_MAX = 64, LABEL_BYTES_MAX = 64 * 1024 };

struct relabel {
    struct eval *ev;
    const struct node *n;
    size_t steps;
    struct regex *re; /* of those that have one */
    bool too_long;    /* a value became longer than LABEL_BYTES_MAX */
    struct labels_builder builder;
    struct merger merger;
};

/* Changes the builder, which has the labels of the row. False: the row is not in the result. */
typedef bool relabel_fn(struct relabel *l, const struct row *r);

struct relabel_put {
    struct relabel *l;
    relabel_fn *apply;
};

static str arg(const struct relabel *l, size_t i)
{
    return node_bare(l->n->call.args[i])->string;
}

static size_t args_n(const struct relabel *l)
{
    return l->n->call.args_n;
}

static void set(struct relabel *l, str name, str value)
{
    labels_builder_set(&l->builder, name, value);
}

static str get(const struct relabel *l, str name)
{
    return labels_builder_get(&l->builder, name);
}

static bool put_row(void *ctx, struct row *r, struct err *err)
{
    const struct relabel_put *p = ctx;
    struct relabel *l = p->l;
    labels_builder_reset(&l->builder,
                         r->drop_name ? labels_nameless(&l->ev->arena, r->labels) : r->labels);
    r->drop_name = false;
    bool chosen = p->apply(l, r);
    if (l->too_long)
        return err_set(err, ERR_LIMIT, "%.*s() makes a label longer than %d bytes",
                       STR_ARG(l->n->call.fn->name), LABEL_BYTES_MAX);
    if (!chosen)
        return true;
    r->labels = labels_builder_take(&l->builder, &l->ev->arena);
    return merger_put(&l->merger, r, err) && eval_memory(l->ev, err);
}

/* Label names are not empty, and in pairs none is alone. */
static bool check_labels(const struct relabel *l, size_t first, size_t apart, struct err *err)
{
    for (size_t i = first; i < args_n(l); i += apart)
        if (arg(l, i).n == 0 || !str_utf8_valid(arg(l, i)))
            return err_set(err, ERR_EXEC, "invalid label name in %.*s(): \"%.*s\"",
                           STR_ARG(l->n->call.fn->name), STR_ARG(arg(l, i)));
    return true;
}

static bool check_pairs(const struct relabel *l, size_t first, struct err *err)
{
    return (args_n(l) - first) % 2 == 0 ||
           err_set(err, ERR_EXEC, "%.*s() takes labels and values in pairs",
                   STR_ARG(l->n->call.fn->name));
}

static bool run(struct relabel *l, const struct grid *g, relabel_fn *apply,
                const struct row_sink *sink, struct err *err)
{
    struct relabel_put p = {l, apply};
    l->steps = g->n;
    labels_builder_init(&l->builder, (struct labels){0});
    merger_init(&l->merger, l->ev, g->n);
    bool ok = eval_rows(l->ev, l->n->call.args[0], g, &(struct row_sink){put_row, &p}, err) &&
              merger_flush(&l->merger, sink, err);
    merger_fini(&l->merger);
    labels_builder_fini(&l->builder);
    return ok;
}

#define CALL(fn) call_##fn
#define CALL_OF(fn)                                                                                \
    static bool CALL(fn)(struct eval * ev, const struct node *n, const struct grid *g,             \
                         const struct row_sink *sink, struct err *err)

/* ---- setting and removing ---- */

static bool apply_set(struct relabel *l, const struct row *r)
{
    (void)r;
    for (size_t i = 1; i + 1 < args_n(l); i += 2)
        set(l, arg(l, i), arg(l, i + 1));
    return true;
}

CALL_OF(label_set)
{
    struct relabel l = {.ev = ev, .n = n};
    return check_pairs(&l, 1, err) && check_labels(&l, 1, 2, err) &&
           run(&l, g, apply_set, sink, err);
}

static bool apply_alias(struct relabel *l, const struct row *r)
{
    (void)r;
    set(l, LABEL_NAME, arg(l, 1));
    return true;
}

CALL_OF(alias)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_alias, sink, err);
}

static bool apply_del(struct relabel *l, const struct row *r)
{
    (void)r;
    for (size_t i = 1; i < args_n(l); i++)
        set(l, arg(l, i), STR(""));
    return true;
}

CALL_OF(label_del)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_del, sink, err);
}

static bool apply_keep(struct relabel *l, const struct row *r)
{
    for (size_t i = 0; i < r->labels.n; i++) {
        bool kept = false;
        for (size_t k = 1; k < args_n(l); k++)
            kept |= str_eq(arg(l, k), r->labels.at[i].name);
        if (!kept)
            set(l, r->labels.at[i].name, STR(""));
    }
    return true;
}

CALL_OF(label_keep)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_keep, sink, err);
}

/* ---- copying ---- */

static bool copy_labels(struct relabel *l, bool move)
{
    for (size_t i = 1; i + 1 < args_n(l); i += 2) {
        str from = arg(l, i), to = arg(l, i + 1), value = get(l, from);
        if (value.n == 0)
            continue;
        set(l, to, value);
        if (move && !str_eq(from, to))
            set(l, from, STR(""));
    }
    return true;
}

static bool apply_copy(struct relabel *l, const struct row *r)
{
    (void)r;
    return copy_labels(l, false);
}

static bool apply_move(struct relabel *l, const struct row *r)
{
    (void)r;
    return copy_labels(l, true);
}

static bool copy(struct eval *ev, const struct node *n, const struct grid *g, relabel_fn *apply,
                 const struct row_sink *sink, struct err *err)
{
    struct relabel l = {.ev = ev, .n = n};
    return check_pairs(&l, 1, err) && check_labels(&l, 1, 1, err) && run(&l, g, apply, sink, err);
}

CALL_OF(label_copy)
{
    return copy(ev, n, g, apply_copy, sink, err);
}

CALL_OF(label_move)
{
    return copy(ev, n, g, apply_move, sink, err);
}

/* ---- values ---- */

static bool apply_map(struct relabel *l, const struct row *r)
{
    str value = get(l, arg(l, 1));
    (void)r;
    for (size_t i = 2; i + 1 < args_n(l); i += 2)
        if (str_eq(value, arg(l, i))) {
            set(l, arg(l, 1), arg(l, i + 1));
            break;
        }
    return true;
}

CALL_OF(label_map)
{
    struct relabel l = {.ev = ev, .n = n};
    return check_pairs(&l, 2, err) && run(&l, g, apply_map, sink, err);
}

/* ASCII letters; others stay. */
static str change_case(struct arena *a, str s, char first, char last)
{
    char *to = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        to[i] = s.p[i] >= first && s.p[i] <= last ? (char)(s.p[i] ^ 32) : s.p[i];
    return str_of(to, s.n);
}

static bool case_labels(struct relabel *l, char first, char last)
{
    for (size_t i = 1; i < args_n(l); i++)
        set(l, arg(l, i), change_case(&l->ev->arena, get(l, arg(l, i)), first, last));
    return true;
}

static bool apply_lowercase(struct relabel *l, const struct row *r)
{
    (void)r;
    return case_labels(l, 'A', 'Z');
}

static bool apply_uppercase(struct relabel *l, const struct row *r)
{
    (void)r;
    return case_labels(l, 'a', 'z');
}

CALL_OF(label_lowercase)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_lowercase, sink, err);
}

CALL_OF(label_uppercase)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_uppercase, sink, err);
}

/* ---- regular expressions ---- */

/* Each match replaced; an empty one moves on by a byte. */
static str replace_all(struct relabel *l, str s, str replacement)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    str groups[GROUPS_MAX];
    size_t groups_n = regex_groups(l->re) + 1, at = 0;
    while (at <= s.n && !l->too_long && regex_match_from(l->re, s, at, groups, groups_n)) {
        size_t from = (size_t)(groups[0].p - s.p), to = from + groups[0].n;
        strbuf_add(&out, str_sub(s, at, from));
        regex_expand(l->re, replacement, groups, groups_n, &out);
        if (to == from && to < s.n)
            strbuf_addc(&out, s.p[to]);
        at = to == from ? to + 1 : to;
        l->too_long = out.n > LABEL_BYTES_MAX;
    }
    if (at < s.n)
        strbuf_add(&out, str_sub(s, at, s.n));
    return arena_dup(&l->ev->arena, strbuf_str(&out));
}

static bool apply_transform(struct relabel *l, const struct row *r)
{
    str value = get(l, arg(l, 1));
    (void)r;
    if (!value.p)
        value = STR("");
    if (regex_test(l->re, value))
        set(l, arg(l, 1), replace_all(l, value, arg(l, 3)));
    return true;
}

static bool apply_match(struct relabel *l, const struct row *r)
{
    (void)r;
    return regex_test(l->re, get(l, arg(l, 1)));
}

static bool apply_mismatch(struct relabel *l, const struct row *r)
{
    (void)r;
    return !regex_test(l->re, get(l, arg(l, 1)));
}

static bool with_regex(struct relabel *l, const struct grid *g, int flags, relabel_fn *apply,
                       const struct row_sink *sink, struct err *err)
{
    struct err bad;
    str name = l->n->call.fn->name;
    l->re = regex_compile(arg(l, 2), flags, &bad);
    if (!l->re)
        return err_set(err, ERR_EXEC, "invalid regular expression in %.*s(): %.*s", STR_ARG(name),
                       STR_ARG(arg(l, 2)));
    bool ok = regex_groups(l->re) < GROUPS_MAX
                  ? run(l, g, apply, sink, err)
                  : err_set(err, ERR_LIMIT, "%.*s() takes at most %d groups", STR_ARG(name),
                            GROUPS_MAX - 1);
    regex_free(l->re);
    return ok;
}

CALL_OF(label_transform)
{
    struct relabel l = {.ev = ev, .n = n};
    return with_regex(&l, g, REGEX_DOT_NL, apply_transform, sink, err);
}

CALL_OF(label_match)
{
    struct relabel l = {.ev = ev, .n = n};
    return with_regex(&l, g, REGEX_ANCHORED | REGEX_DOT_NL, apply_match, sink, err);
}

CALL_OF(label_mismatch)
{
    struct relabel l = {.ev = ev, .n = n};
    return with_regex(&l, g, REGEX_ANCHORED | REGEX_DOT_NL, apply_mismatch, sink, err);
}

/* ---- choosing, and labels as numbers ---- */

static bool apply_equal(struct relabel *l, const struct row *r)
{
    (void)r;
    for (size_t i = 2; i < args_n(l); i++)
        if (!str_eq(get(l, arg(l, 1)), get(l, arg(l, i))))
            return false;
    return true;
}

CALL_OF(labels_equal)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_equal, sink, err);
}

/* The parts of the name between dots that are asked for, from 0. */
static bool apply_graphite_group(struct relabel *l, const struct row *r)
{
    STRBUF_CLEANUP struct strbuf name = {0};
    (void)r;
    for (size_t i = 1; i < args_n(l); i++) {
        str rest = get(l, LABEL_NAME), part;
        const struct node *number = node_bare(l->n->call.args[i]);
        double at = number->number.value;
        if (i > 1)
            strbuf_addc(&name, '.');
        for (double k = 0; k <= at && str_cut(&rest, '.', &part); k++)
            if (k == at)
                strbuf_add(&name, part);
    }
    set(l, LABEL_NAME, arena_dup(&l->ev->arena, strbuf_str(&name)));
    return true;
}

CALL_OF(label_graphite_group)
{
    struct relabel l = {.ev = ev, .n = n};
    for (size_t i = 1; i < n->call.args_n; i++)
        if (node_bare(n->call.args[i])->kind != NODE_NUMBER)
            return err_set(err, ERR_EXEC, "label_graphite_group() takes numbers of parts");
    return run(&l, g, apply_graphite_group, sink, err);
}

/* What is no number gives no value. */
static bool apply_value(struct relabel *l, const struct row *r)
{
    double v;
    if (!f64_parse(get(l, arg(l, 1)), &v))
        v = absent();
    for (size_t k = 0; k < l->steps; k++) {
        bool has = row_has(r, k);
        if (r->h)
            r->h[k] = NULL;
        r->v[k] = has ? v : absent();
    }
    if (!l->n->keep_names)
        set(l, LABEL_NAME, STR(""));
    return true;
}

CALL_OF(label_value)
{
    return run(&(struct relabel){.ev = ev, .n = n}, g, apply_value, sink, err);
}

#define ROW(fn, count, more, text, ...)                                                            \
    {                                                                                              \
        .name = STR_INIT(#fn), .args = {PROMQL_VECTOR, __VA_ARGS__}, .args_n = count,              \
        .variadic = more, .returns = PROMQL_VECTOR, .flags = FN_METRICSQL, .call = call_##fn,      \
        .help = STR_INIT(text)                                                                     \
    }
#define S PROMQL_STRING

static const struct function rows[] = {
    ROW(label_set, 2, -1, "Sets labels: name, value, name, value, ...", S),
    ROW(label_del, 2, -1, "Removes labels.", S),
    ROW(label_keep, 2, -1, "Removes all labels but these.", S),
    ROW(label_copy, 2, -1, "Copies labels: from, to, from, to, ...", S),
    ROW(label_move, 2, -1, "Renames labels: from, to, from, to, ...", S),
    ROW(label_map, 3, -1, "Maps values of a label: label, value, new value, ...", S, S),
    ROW(label_transform, 4, 0, "Replaces what matches inside the value of a label.", S, S, S),
    ROW(label_lowercase, 3, -1, "Values of labels in lower case.", S, S),
    ROW(label_uppercase, 3, -1, "Values of labels in upper case.", S, S),
    ROW(label_match, 3, 0, "Series of which a label matches an expression.", S, S),
    ROW(label_mismatch, 3, 0, "Series of which a label does not match an expression.", S, S),
    ROW(label_value, 2, 0, "The number that a label holds.", S),
    ROW(labels_equal, 4, -1, "Series of which all these labels are the same.", S, S, S),
    ROW(alias, 2, 0, "Sets the name.", S),
    ROW(label_graphite_group, 2, -1, "The name's parts between dots, by number.", PROMQL_SCALAR),
};

const struct function_family family_metricsql_label = {rows, sizeof rows / sizeof *rows};
