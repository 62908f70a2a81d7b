// SPDX-License-Identifier: Apache-2.0
/* The reference pages, written from the schema tables: what the reader reads is what the page says.
 */
#include "conf/schema_int.h"

enum { PAGE_SCHEMAS_MAX = 128 };

struct page {
    struct strbuf *out;
    const struct conf_schema *todo[PAGE_SCHEMAS_MAX]; /* sections, in the order they are named */
    size_t n;
};

static const char *type_name(const struct conf_row *row)
{
    static const char *const names[] = {
        [CONF_BOOL] = "bool",
        [CONF_TRI] = "bool",
        [CONF_INT] = "integer",
        [CONF_FLOAT] = "number",
        [CONF_DURATION] = "duration",
        [CONF_SIZE] = "size",
        [CONF_STR] = "text",
        [CONF_FILE] = "path",
        [CONF_SECRET] = "secret",
        [CONF_ENUM] = "one of",
        [CONF_REGEX] = "regex",
        [CONF_URL] = "URL",
        [CONF_LABEL] = "label name",
        [CONF_STRUCT] = "",
        [CONF_PTR] = "",
        [CONF_INLINE] = "",
        [CONF_LIST_STRUCT] = "list of",
        [CONF_LIST_STR] = "list of texts",
        [CONF_LIST_FILE] = "list of paths",
        [CONF_LIST_LABEL] = "list of label names",
        [CONF_LIST_SECRET] = "list of secrets",
        [CONF_LIST_ENUM] = "list of",
        [CONF_MAP_STR] = "name: text",
        [CONF_MAP_SECRET] = "name: secret",
        [CONF_MAP_LABELS] = "label name: text",
        [CONF_MAP_LIST] = "name: list of texts",
        [CONF_MAP_STRUCT] = "name:",
        [CONF_ANY] = "any",
    };
    return names[row->type];
}

static void want(struct page *p, const struct conf_schema *s)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->todo[i] == s)
            return;
    if (p->n < PAGE_SCHEMAS_MAX)
        p->todo[p->n++] = s;
}

static void add_type(struct page *p, const struct conf_row *row)
{
    strbuf_addz(p->out, type_name(row));
    if (row->sub) {
        strbuf_addf(p->out, "%s`%s`", type_name(row)[0] ? " " : "", row->sub->name);
        want(p, row->sub);
    }
    bool is_enum = row->type == CONF_ENUM || row->type == CONF_LIST_ENUM;
    const char *sep = " ";
    for (size_t i = 0; is_enum && row->names[i]; i++) {
        if (row->names[i][0]) {
            strbuf_addf(p->out, "%s`%s`", sep, row->names[i]);
            sep = ", ";
        }
    }
    if (row->max > 0 && row->max < 1e6)
        strbuf_addf(p->out, " (%g to %g)", row->min, row->max);
    else if (row->min > 0)
        strbuf_addf(p->out, " (at least %g)", row->min);
}

static void add_row(struct page *p, const struct conf_row *row)
{
    static const char *const status[] = {
        [CONF_BUILT] = "",
        [CONF_LATER] = "not built yet",
        [CONF_NO_MEANING] = "no effect",
        [CONF_REFUSED] = "not built yet, refused",
    };
    strbuf_addf(p->out, "| `%s` | ", row->key);
    add_type(p, row);
    if (row->required)
        strbuf_addz(p->out, " | required | ");
    else if (row->def && row->def[0])
        strbuf_addf(p->out, " | `%s` | ", row->def);
    else
        strbuf_addz(p->out, " | | ");
    strbuf_addf(p->out, "%s | %s |\n", row->help ? row->help : "", status[row->status]);
}

/* Inlined in many places, told once. */
static bool has_own_section(const struct conf_schema *s)
{
    return s == &conf_schema_http || s == &conf_schema_sd;
}

static void add_reference(struct page *p, const struct conf_schema *s)
{
    want(p, s);
    strbuf_addf(p->out, "| | | | and the keys of `%s` | |\n", s->name);
}

static void add_rows(struct page *p, const struct conf_schema *s)
{
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++) {
        if (row->type != CONF_INLINE)
            add_row(p, row);
        else if (has_own_section(row->sub))
            add_reference(p, row->sub);
        else
            add_rows(p, row->sub);
    }
}

static void add_rules(struct page *p, const struct conf_schema *s, const char **before)
{
    static const char *const text[] = {
        [CONF_AT_MOST_ONE] = "at most one of",
        [CONF_AT_LEAST_ONE] = "at least one of",
        [CONF_TOGETHER] = "together or not at all:",
        [CONF_NEEDS] = "the first needs one of the others:",
    };
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++)
        if (row->type == CONF_INLINE && !has_own_section(row->sub))
            add_rules(p, row->sub, before);
    for (const struct conf_rule *rule = s->rules; rule && rule->keys; rule++) {
        strbuf_addf(p->out, "%s- %s", *before, text[rule->kind]);
        str rest = str_from_z(rule->keys), key;
        for (const char *sep = " "; str_cut(&rest, ' ', &key); sep = ", ")
            strbuf_addf(p->out, "%s`%.*s`", sep, STR_ARG(key));
        strbuf_addc(p->out, '\n');
        *before = "";
    }
}

static void add_section(struct page *p, const struct conf_schema *s, size_t i)
{
    const char *before = "\n";
    if (i > 0)
        strbuf_addf(p->out, "\n## %s\n\n", s->name);
    if (i > 0 && s->help[0])
        strbuf_addf(p->out, "%s\n\n", s->help);
    strbuf_addz(p->out, "| key | type | default | meaning | status |\n|---|---|---|---|---|\n");
    add_rows(p, s);
    add_rules(p, s, &before);
}

void conf_reference(enum conf_kind kind, struct strbuf *out)
{
    const struct conf_schema *top[] = {
        [CONF_KIND_PROMETHEUS] = &conf_schema_prometheus,
        [CONF_KIND_NUNCHI] = &conf_schema_nunchi,
        [CONF_KIND_HTTP_CLIENT] = &conf_schema_http,
        [CONF_KIND_TLS] = &conf_schema_tls,
        [CONF_KIND_WEB] = &conf_schema_web,
    };
    struct page p = {.out = out};
    want(&p, top[kind]);
    strbuf_addf(out,
                "# %s\n\nThis page is generated from the tables that read the file. Durations look "
                "like `1m30s`, sizes like\n`512MB` (powers of 1024). A key that is \"not built "
                "yet\" is accepted with a warning, or refused with `--strict`;\nan unknown key is "
                "an error.\n\n",
                top[kind]->name);
    for (size_t i = 0; i < p.n; i++)
        add_section(&p, p.todo[i], i);
}
