// SPDX-License-Identifier: Apache-2.0
/* Functions that change labels and leave values alone. */
#include "codec/regex.h"
#include "promql/functions/mixed_int.h"

static str string_arg(const struct node *n, size_t i)
{
    return node_bare(n->call.args[i])->string;
}

static bool valid_label(str s)
{
    return s.n > 0 && str_utf8_valid(s);
}

struct relabel {
    struct eval *ev;
    const struct node *n;
    str dst, src, text; /* text: replacement or separator */
    struct regex *re;
    str groups[64];
    size_t groups_n;
    struct labels_builder builder;
    struct merger merger;
};

static bool put_label(struct relabel *l, struct row *r, str value, struct err *err)
{
    struct arena *a = &l->ev->arena;
    labels_builder_reset(&l->builder, r->labels);
    labels_builder_set(&l->builder, l->dst, arena_dup(a, value));
    r->labels = labels_builder_take(&l->builder, a);
    if (str_eq(l->dst, LABEL_NAME))
        r->drop_name = false;
    return merger_put(&l->merger, r, err);
}

static bool replace_put(void *ctx, struct row *r, struct err *err)
{
    struct relabel *l = ctx;
    STRBUF_CLEANUP struct strbuf b = {0};
    str value = labels_get(r->labels, l->src);
    if (!regex_match(l->re, value, l->groups, l->groups_n))
        return merger_put(&l->merger, r, err);
    regex_expand(l->re, l->text, l->groups, l->groups_n, &b);
    return put_label(l, r, strbuf_str(&b), err);
}

static bool join_put(void *ctx, struct row *r, struct err *err)
{
    struct relabel *l = ctx;
    STRBUF_CLEANUP struct strbuf b = {0};
    for (size_t i = 3; i < l->n->call.args_n; i++) {
        if (i > 3)
            strbuf_add(&b, l->text);
        strbuf_add(&b, labels_get(r->labels, string_arg(l->n, i)));
    }
    return put_label(l, r, strbuf_str(&b), err);
}

static bool relabel_rows(struct relabel *l, const struct grid *g,
                         bool (*put)(void *ctx, struct row *r, struct err *err),
                         const struct row_sink *sink, struct err *err)
{
    labels_builder_init(&l->builder, (struct labels){0});
    merger_init(&l->merger, l->ev, g->n);
    bool ok = eval_rows(l->ev, l->n->call.args[0], g, &(struct row_sink){put, l}, err) &&
              merger_flush(&l->merger, sink, err);
    merger_fini(&l->merger);
    labels_builder_fini(&l->builder);
    return ok;
}

static bool call_label_replace(struct eval *ev, const struct node *n, const struct grid *g,
                               const struct row_sink *sink, struct err *err)
{
    struct relabel l = {.ev = ev,
                        .n = n,
                        .dst = string_arg(n, 1),
                        .text = string_arg(n, 2),
                        .src = string_arg(n, 3)};
    struct err bad;
    str pattern = string_arg(n, 4);
    l.re = regex_compile(pattern, REGEX_ANCHORED | REGEX_DOT_NL, &bad);
    if (!l.re)
        return err_set(err, ERR_EXEC, "invalid regular expression in label_replace(): %.*s",
                       STR_ARG(pattern));
    l.groups_n = regex_groups(l.re) + 1;
    bool ok = false;
    if (l.groups_n > sizeof l.groups / sizeof *l.groups)
        err_set(err, ERR_LIMIT, "label_replace() takes at most %zu groups",
                sizeof l.groups / sizeof *l.groups - 1);
    else if (!valid_label(l.dst))
        err_set(err, ERR_EXEC, "invalid destination label name in label_replace(): %.*s",
                STR_ARG(l.dst));
    else
        ok = relabel_rows(&l, g, replace_put, sink, err);
    regex_free(l.re);
    return ok;
}

static bool call_label_join(struct eval *ev, const struct node *n, const struct grid *g,
                            const struct row_sink *sink, struct err *err)
{
    struct relabel l = {.ev = ev, .n = n, .dst = string_arg(n, 1), .text = string_arg(n, 2)};
    for (size_t i = 3; i < n->call.args_n; i++)
        if (!valid_label(string_arg(n, i)))
            return err_set(err, ERR_EXEC, "invalid source label name in label_join(): %.*s",
                           STR_ARG(string_arg(n, i)));
    if (!valid_label(l.dst))
        return err_set(err, ERR_EXEC, "invalid destination label name in label_join(): %.*s",
                       STR_ARG(l.dst));
    return relabel_rows(&l, g, join_put, sink, err);
}

static const struct function rows[] = {
    {.name = STR_INIT("label_replace"),
     .args = {PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING},
     .args_n = 5,
     .returns = PROMQL_VECTOR,
     .call = call_label_replace,
     .help = STR_INIT("Sets a label from a regular expression over another label.")},
    {.name = STR_INIT("label_join"),
     .args = {PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING},
     .args_n = 4,
     .variadic = -1,
     .returns = PROMQL_VECTOR,
     .call = call_label_join,
     .help = STR_INIT("Sets a label to the values of other labels, joined.")},
    {.name = STR_INIT("info"),
     .args = {PROMQL_VECTOR, PROMQL_VECTOR},
     .args_n = 2,
     .variadic = 1,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL | FN_STEP_DEPENDENT,
     .call = call_info,
     .help = STR_INIT("Adds the labels of info metrics.")},
};

const struct function_family family_label = {rows, sizeof rows / sizeof *rows};
