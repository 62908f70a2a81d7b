// SPDX-License-Identifier: Apache-2.0
/*
 * Scalars of a schema row, read as Go's yaml.v2 reads them into the same field: a string takes any
 * scalar, numbers and bools only plain ones, and a null is the zero value. Binary values (!!binary)
 * are refused, because no field holds bytes that are not text.
 */
#include <errno.h>
#include <math.h>

#include "base/num.h"
#include "codec/regex.h"
#include "conf/schema_int.h"

void conf_mark_secret(struct conf_reader *r, const struct yaml_node *node)
{
    /* The key is the node's own address: one node, one entry, and it lives as long as the tree. */
    const struct yaml_node **key = arena_alloc(r->arena, sizeof(*key));
    *key = node;
    map_put(&r->secrets, str_of((const char *)key, sizeof(*key)), key);
    conf_diags_hide(r->diags, r->text, node->pos.line);
}

/* Whatever was written in place of a secret may be one. */
void conf_hide_tree(struct conf_reader *r, const struct yaml_node *node)
{
    conf_diags_hide(r->diags, r->text, node->pos.line);
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->n; i++)
        conf_hide_tree(r, node->items[i]);
    for (size_t i = 0; node->kind == YAML_MAPPING && i < node->n; i++)
        conf_hide_tree(r, node->pairs[i].value);
}

str conf_join_path(struct arena *a, str dir, str path)
{
    if (dir.n == 0 || path.n == 0 || path.p[0] == '/')
        return arena_dup(a, path);
    return arena_printf(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(path));
}

static bool wrong_type(struct conf_reader *r, const struct conf_row *row,
                       const struct yaml_node *node, struct pos pos, const char *wanted)
{
    if (node->kind != YAML_SCALAR)
        return conf_error(r, pos, "\"%s\" must be %s, not a %s", row->key, wanted,
                          yaml_kind_name(node->kind));
    if (row->type == CONF_SECRET)
        return conf_error(r, pos, "\"%s\" must be %s", row->key, wanted);
    return conf_error(r, pos, "\"%s\" must be %s, not \"%.*s\"", row->key, wanted,
                      STR_ARG(node->value));
}

static bool text_in(str s, const char *const *set)
{
    for (; *set; set++)
        if (str_eqz(s, *set))
            return true;
    return false;
}

/* YAML 1.1, as yaml.v2 resolves it. */
static int bool_of(str s)
{
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};
    return text_in(s, yes) ? 1 : text_in(s, no) ? 0 : -1;
}

static bool read_bool(struct conf_reader *r, const struct conf_row *row,
                      const struct yaml_node *node, struct pos pos, void *dst, bool tri)
{
    int v = yaml_is_plain(node) ? bool_of(node->value) : -1;
    if (v < 0)
        return wrong_type(r, row, node, pos, "true or false");
    if (tri)
        *(int *)dst = v;
    else
        *(bool *)dst = v;
    return true;
}

static bool in_range(struct conf_reader *r, const struct conf_row *row, struct pos pos, double v)
{
    if (row->min == 0 && row->max == 0)
        return true;
    if (v >= row->min && (row->max == 0 || v <= row->max))
        return true;
    if (row->max == 0)
        return conf_error(r, pos, "\"%s\" must be at least %g", row->key, row->min);
    return conf_error(r, pos, "\"%s\" must be between %g and %g", row->key, row->min, row->max);
}

/* Decimal, 0x and 0o with underscores between digits, or a float without a fraction. */
static bool int_of(str s, int64_t *out)
{
    char buf[64];
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_')
            continue;
        if (n + 1 >= sizeof buf)
            return false;
        buf[n++] = s.p[i];
    }
    buf[n] = 0;
    double f;
    if (i64_parse(str_of(buf, n), out))
        return true;
    if (n > 2 && buf[0] == '0' && (buf[1] == 'x' || buf[1] == 'o')) {
        char *end;
        errno = 0;
        *out = strtoll(buf + 2, &end, buf[1] == 'x' ? 16 : 8);
        return *end == 0 && errno == 0 && buf[2] != '-' && buf[2] != '+';
    }
    if (!f64_parse(str_of(buf, n), &f) || f != floor(f) || fabs(f) > 9e15)
        return false;
    *out = (int64_t)f;
    return true;
}

static bool read_int(struct conf_reader *r, const struct conf_row *row,
                     const struct yaml_node *node, struct pos pos, void *dst)
{
    int64_t v;
    if (!yaml_is_plain(node) || !int_of(node->value, &v))
        return wrong_type(r, row, node, pos, "an integer");
    if (!in_range(r, row, pos, (double)v))
        return false;
    *(int64_t *)dst = v;
    return true;
}

static bool read_float(struct conf_reader *r, const struct conf_row *row,
                       const struct yaml_node *node, struct pos pos, void *dst)
{
    double v;
    if (!yaml_is_plain(node) || !f64_parse(node->value, &v) || !isfinite(v))
        return wrong_type(r, row, node, pos, "a number");
    if (!in_range(r, row, pos, v))
        return false;
    *(double *)dst = v;
    return true;
}

static bool read_duration(struct conf_reader *r, const struct conf_row *row,
                          const struct yaml_node *node, struct pos pos, void *dst)
{
    struct err e;
    int64_t ms;
    if (!duration_parse(node->value, &ms, &e))
        return conf_error_hint(r, pos, "durations look like 15s, 1m30s or 500ms", "\"%s\": %s",
                               row->key, e.msg);
    if (!in_range(r, row, pos, (double)ms / 1000))
        return false;
    *(int64_t *)dst = ms;
    return true;
}

static bool read_size(struct conf_reader *r, const struct conf_row *row,
                      const struct yaml_node *node, struct pos pos, void *dst)
{
    struct err e;
    uint64_t v;
    str s = node->value;
    if (!size_parse(s, &v, &e))
        return conf_error_hint(r, pos, "sizes look like 512MB or 1GB", "\"%s\": %s", row->key,
                               e.msg);
    if (v && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9')
        return conf_error_hint(r, pos, "sizes look like 512MB or 1GB",
                               "\"%s\": size \"%.*s\" has no unit", row->key, STR_ARG(s));
    *(uint64_t *)dst = v;
    return true;
}

static bool read_enum(struct conf_reader *r, const struct conf_row *row,
                      const struct yaml_node *node, struct pos pos, void *dst)
{
    str names[32] = {0};
    size_t n = 0;
    for (int i = 0; row->names[i]; i++) {
        str name = str_from_z(row->names[i]);
        if (name.n &&
            (str_eq(node->value, name) || (row->any_case && str_eq_nocase(node->value, name)))) {
            *(int *)dst = i;
            return true;
        }
        if (row->names[i][0] && n < 32)
            names[n++] = str_from_z(row->names[i]);
    }
    str near = str_nearest(node->value, names, n);
    struct strbuf hint STRBUF_CLEANUP = {0};
    if (near.n) {
        strbuf_addf(&hint, "did you mean \"%.*s\"?", STR_ARG(near));
    } else {
        strbuf_addz(&hint, "one of");
        for (size_t i = 0; i < n; i++)
            strbuf_addf(&hint, "%s %.*s", i ? "," : "", STR_ARG(names[i]));
    }
    return conf_error_hint(r, pos, hint.p, "\"%s\": unknown value \"%.*s\"", row->key,
                           STR_ARG(node->value));
}

static bool read_regex(struct conf_reader *r, const struct conf_row *row,
                       const struct yaml_node *node, struct pos pos, void *dst)
{
    struct err e;
    struct regex *re = regex_compile(node->value, REGEX_ANCHORED | REGEX_DOT_NL, &e);
    if (!re)
        return conf_error(r, pos, "\"%s\": %s", row->key, e.msg);
    regex_free(re);
    *(str *)dst = arena_dup(r->arena, node->value);
    return true;
}

static bool read_url(struct conf_reader *r, const struct conf_row *row,
                     const struct yaml_node *node, struct pos pos, void *dst)
{
    str s = node->value;
    ssize_t i = str_find(s, STR("://"));
    if (s.n && i == 0)
        return conf_error(r, pos, "\"%s\": URL \"%.*s\" has no scheme", row->key, STR_ARG(s));
    if (row->names) { /* the schemes it may have, and a host */
        str scheme = i < 0 ? (str){0} : str_sub(s, 0, (size_t)i);
        if (!text_in(scheme, row->names))
            return conf_error(r, pos, "\"%s\": the scheme of \"%.*s\" must be http or https",
                              row->key, STR_ARG(s));
        str rest = str_sub(s, (size_t)i + 3, s.n);
        if (rest.n == 0 || rest.p[0] == '/' || rest.p[0] == '?' || rest.p[0] == '#')
            return conf_error(r, pos, "\"%s\": URL \"%.*s\" has no host", row->key, STR_ARG(s));
    }
    *(str *)dst = arena_dup(r->arena, s);
    return true;
}

/* Any UTF-8 is a label name in Prometheus 3; metric_name_validation_scheme narrows it later. */
bool conf_label_name(struct conf_reader *r, const struct yaml_node *node)
{
    if (node->value.n == 0)
        return conf_error(r, node->pos, "a label name must not be empty");
    return true;
}

static bool read_text(struct conf_reader *r, enum conf_type type, const struct yaml_node *node,
                      void *dst)
{
    if (type == CONF_SECRET) {
        conf_mark_secret(r, node);
        ((struct conf_secret *)dst)->hidden = arena_dup(r->arena, node->value);
        return true;
    }
    if (type == CONF_LABEL && !conf_label_name(r, node))
        return false;
    *(str *)dst = type == CONF_FILE ? conf_join_path(r->arena, r->dir, node->value)
                                    : arena_dup(r->arena, node->value);
    return true;
}

static void zero(enum conf_type type, void *dst)
{
    switch (type) {
    case CONF_BOOL:
        *(bool *)dst = false;
        break;
    case CONF_TRI:
    case CONF_ENUM:
        *(int *)dst = 0;
        break;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SIZE:
        *(int64_t *)dst = 0;
        break;
    case CONF_FLOAT:
        *(double *)dst = 0;
        break;
    default:
        *(str *)dst = STR("");
        break;
    }
}

static bool read_null(struct conf_reader *r, const struct conf_row *row, enum conf_type type,
                      struct pos pos, void *dst)
{
    zero(type, dst);
    if (type == CONF_ENUM && row->names[0][0] == 0 && row->def)
        return conf_error(r, pos, "\"%s\" must not be empty", row->key);
    return type != CONF_INT || in_range(r, row, pos, 0);
}

bool conf_scalar(struct conf_reader *r, const struct conf_row *row, enum conf_type type,
                 const struct yaml_node *node, struct pos pos, void *dst)
{
    if (type == CONF_SECRET && node->kind != YAML_SCALAR)
        conf_hide_tree(r, node);
    if (node->kind != YAML_SCALAR)
        return wrong_type(r, row, node, pos, "a single value");
    if (str_eqz(node->tag, "tag:yaml.org,2002:binary"))
        return conf_error(r, pos, "\"%s\": binary values are not text", row->key);
    if (yaml_is_null(node))
        return read_null(r, row, type, pos, dst);
    switch (type) {
    case CONF_BOOL:
    case CONF_TRI:
        return read_bool(r, row, node, pos, dst, type == CONF_TRI);
    case CONF_INT:
        return read_int(r, row, node, pos, dst);
    case CONF_FLOAT:
        return read_float(r, row, node, pos, dst);
    case CONF_DURATION:
        return read_duration(r, row, node, pos, dst);
    case CONF_SIZE:
        return read_size(r, row, node, pos, dst);
    case CONF_ENUM:
        return read_enum(r, row, node, pos, dst);
    case CONF_REGEX:
        return read_regex(r, row, node, pos, dst);
    case CONF_URL:
        return read_url(r, row, node, pos, dst);
    default:
        return read_text(r, type, node, dst);
    }
}
