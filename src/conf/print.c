// SPDX-License-Identifier: Apache-2.0
/*
 * A YAML tree back to text, in one plain style, with <secret> for every scalar that a schema calls
 * secret. This is what the API and the UI show of a configuration; the file itself never leaves.
 */
#include "conf/schema_int.h"

static bool is_secret(const struct conf_reader *r, const struct yaml_node *n)
{
    return map_has(&r->secrets, str_of((const char *)&n, sizeof(n)));
}

static bool plain_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_-./+", c);
}

/* Needs no quotes: made of harmless bytes, and written without quotes in the first place, or not to
 * be taken for a number, a bool or null when it loses them. */
static bool stays_plain(const struct yaml_node *n)
{
    str s = n->value;
    if (s.n == 0)
        return yaml_is_plain(n);
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !plain_byte((unsigned char)s.p[i]))
            return false;
    if (s.p[0] == '-' && (s.n == 1 || s.p[1] == '-' || s.p[1] == '.'))
        return false;
    return n->style == YAML_PLAIN;
}

static void print_scalar(const struct yaml_node *n, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf shown = {0};
    if (stays_plain(n)) {
        strbuf_add(out, n->value);
        return;
    }
    conf_mask_url_passwords(n->value, &shown);
    strbuf_addc(out, '"');
    for (size_t i = 0; i < shown.n; i++) {
        unsigned char c = (unsigned char)shown.p[i];
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_addz(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", c);
        else
            strbuf_addc(out, (char)c);
    }
    strbuf_addc(out, '"');
}

static void indent(struct strbuf *out, int level)
{
    for (int i = 0; i < level; i++)
        strbuf_addz(out, "  ");
}

static void print_node(const struct conf_reader *r, const struct yaml_node *n, int level,
                       bool in_item, struct strbuf *out);

/* After "key:" or "-": a scalar or empty collection on the line, others below. */
static void print_value(const struct conf_reader *r, const struct yaml_node *n, int level,
                        bool in_item, struct strbuf *out)
{
    if (n->kind == YAML_SCALAR && n->value.n == 0 && yaml_is_plain(n)) {
        strbuf_addc(out, '\n');
    } else if (n->kind == YAML_SCALAR || n->n == 0) {
        strbuf_addc(out, ' ');
        if (n->kind != YAML_SCALAR)
            strbuf_addz(out, n->kind == YAML_SEQUENCE ? "[]" : "{}");
        else if (is_secret(r, n))
            strbuf_addz(out, "<secret>");
        else
            print_scalar(n, out);
        strbuf_addc(out, '\n');
    } else if (in_item && n->kind == YAML_MAPPING) {
        strbuf_addc(out, ' ');
        print_node(r, n, level, true, out);
    } else {
        strbuf_addc(out, '\n');
        print_node(r, n, level, false, out);
    }
}

static void print_node(const struct conf_reader *r, const struct yaml_node *n, int level,
                       bool in_item, struct strbuf *out)
{
    for (size_t i = 0; n->kind == YAML_SEQUENCE && i < n->n; i++) {
        indent(out, level);
        strbuf_addc(out, '-');
        print_value(r, n->items[i], level + 1, true, out);
    }
    for (size_t i = 0; n->kind == YAML_MAPPING && i < n->n; i++) {
        if (i > 0 || !in_item)
            indent(out, level);
        print_scalar(n->pairs[i].key, out);
        strbuf_addc(out, ':');
        const struct yaml_node *v = n->pairs[i].value;
        print_value(r, v, v->kind == YAML_SEQUENCE && !in_item && level == 0 ? level : level + 1,
                    false, out);
    }
}

str conf_print_yaml(const struct conf_reader *r, const struct yaml_node *root)
{
    struct strbuf out STRBUF_CLEANUP = {0};
    if (root->kind != YAML_SCALAR)
        print_node(r, root, 0, false, &out);
    return arena_dup(r->arena, strbuf_str(&out));
}
