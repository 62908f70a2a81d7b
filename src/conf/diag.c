// SPDX-License-Identifier: Apache-2.0
/*
 * Diagnostics of a load: the first found are kept, and told in the order of files and lines.
 * Lines that hold a secret are remembered, so that no diagnostic quotes them.
 */
#include <stdarg.h>
#include <stdio.h>

#include "conf/schema_int.h"

struct hidden_line {
    const char *text;
    uint32_t line;
};

struct conf_diags {
    struct arena arena;
    VEC(struct conf_diag) list;
    VEC(struct hidden_line) hidden;
    size_t errors, warnings; /* found, also those that were not kept */
};

struct conf_diags *conf_diags_new(void)
{
    return mem_new(struct conf_diags);
}

void conf_diags_free(struct conf_diags *d)
{
    if (!d)
        return;
    vec_fini(&d->list);
    vec_fini(&d->hidden);
    arena_fini(&d->arena);
    free(d);
}

str conf_diags_keep(struct conf_diags *d, str text)
{
    return arena_dup(&d->arena, text);
}

bool conf_diags_full(const struct conf_diags *d)
{
    return d->errors >= CONF_ERRORS_MAX;
}

static bool is_hidden(const struct conf_diags *d, const char *text, uint32_t line)
{
    for (size_t i = 0; i < d->hidden.n; i++)
        if (d->hidden.at[i].text == text && d->hidden.at[i].line == line)
            return true;
    return false;
}

void conf_diags_hide(struct conf_diags *d, str text, uint32_t line)
{
    vec_push(&d->hidden, (struct hidden_line){text.p, line});
    for (size_t i = 0; i < d->list.n; i++) {
        struct conf_diag *g = &d->list.at[i];
        if (g->text.p == text.p && g->err.pos.line == line)
            g->text = (str){0};
    }
}

/* Within a line the order found stays: what follows from a mistake is found after it. */
static bool is_above(const struct conf_diag *a, const struct conf_diag *b)
{
    return strcmp(a->err.file, b->err.file) == 0 && a->err.pos.line < b->err.pos.line;
}

void conf_diags_add(struct conf_diags *d, bool is_error, const struct err *e, str text)
{
    size_t *found = is_error ? &d->errors : &d->warnings;
    size_t max = is_error ? CONF_ERRORS_MAX : CONF_WARNINGS_MAX;
    if ((*found)++ >= max)
        return;
    if (is_hidden(d, text.p, e->pos.line))
        text = (str){0};
    vec_push(&d->list, (struct conf_diag){.is_error = is_error, .err = *e, .text = text});
    for (size_t i = d->list.n - 1; i > 0 && is_above(&d->list.at[i], &d->list.at[i - 1]); i--) {
        struct conf_diag later = d->list.at[i - 1];
        d->list.at[i - 1] = d->list.at[i];
        d->list.at[i] = later;
    }
}

size_t conf_diags_count(const struct conf_diags *d)
{
    return d->list.n;
}

const struct conf_diag *conf_diags_at(const struct conf_diags *d, size_t i)
{
    return &d->list.at[i];
}

size_t conf_diags_errors(const struct conf_diags *d)
{
    return d->errors;
}

bool conf_diags_first_error(const struct conf_diags *d, struct err *err)
{
    for (size_t i = 0; i < d->list.n; i++)
        if (d->list.at[i].is_error) {
            *err = d->list.at[i].err;
            return true;
        }
    return false;
}

void conf_diags_print(const struct conf_diags *d, struct strbuf *out)
{
    for (size_t i = 0; i < d->list.n; i++) {
        const struct conf_diag *g = &d->list.at[i];
        err_print(&g->err, g->is_error ? "error" : "warning", g->text, out);
    }
    size_t left_out = d->errors + d->warnings - d->list.n;
    if (left_out)
        strbuf_addf(out, "%zu more were found\n", left_out);
}

__attribute__((format(printf, 5, 0))) static void add(struct conf_reader *r, bool is_error,
                                                      struct pos pos, const char *hint,
                                                      const char *fmt, va_list ap)
{
    struct err e = {.kind = ERR_INVALID, .pos = pos};
    vsnprintf(e.msg, sizeof e.msg, fmt, ap);
    STRBUF_CLEANUP struct strbuf shown = {0};
    conf_mask_url_passwords(str_from_z(e.msg), &shown);
    snprintf(e.msg, sizeof e.msg, "%s", shown.p ? shown.p : "");
    snprintf(e.file, sizeof e.file, "%.*s", STR_ARG(r->file));
    if (hint)
        snprintf(e.hint, sizeof e.hint, "%s", hint);
    conf_diags_add(r->diags, is_error, &e, r->text);
}

bool conf_error(struct conf_reader *r, struct pos pos, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, true, pos, NULL, fmt, ap);
    va_end(ap);
    return false;
}

bool conf_error_hint(struct conf_reader *r, struct pos pos, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, true, pos, hint, fmt, ap);
    va_end(ap);
    return false;
}

void conf_warn(struct conf_reader *r, struct pos pos, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, r->strict, pos, NULL, fmt, ap);
    va_end(ap);
}
