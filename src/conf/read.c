// SPDX-License-Identifier: Apache-2.0
/*
 * From a tree of YAML nodes to structs, driven by schema tables. Every mistake is told and reading
 * goes on, so that one run shows them all; what was wrong keeps its default.
 */
#include "conf/schema_int.h"

#include "base/mem.h"

static const struct conf_row *row_in(const struct conf_schema *s, str key, size_t *at)
{
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++) {
        if (row->type != CONF_INLINE) {
            if (str_eqz(key, row->key))
                return row;
            continue;
        }
        size_t inner =
            *at == CONF_NOWHERE || row->at == CONF_NOWHERE ? CONF_NOWHERE : *at + row->at;
        const struct conf_row *found = row_in(row->sub, key, &inner);
        if (found) {
            *at = inner;
            return found;
        }
    }
    return NULL;
}

const struct conf_row *conf_row_find(const struct conf_schema *s, str key)
{
    size_t at = 0;
    return row_in(s, key, &at);
}

struct pos conf_pos(const struct yaml_node *map, const char *key)
{
    const struct yaml_pair *p = yaml_get_pair(map, str_from_z(key));
    return p ? p->pos : map->pos;
}

bool conf_has(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *v = yaml_get(map, str_from_z(key));
    if (!v || yaml_is_null(v))
        return false;
    return v->kind == YAML_SCALAR ? v->value.n > 0 : v->n > 0;
}

str conf_text(const struct yaml_node *map, const char *key, str def)
{
    const struct yaml_node *v = yaml_get(map, str_from_z(key));
    return v && v->kind == YAML_SCALAR && !yaml_is_null(v) && v->value.n ? v->value : def;
}

void conf_defaults(struct conf_reader *r, const struct conf_schema *s, void *obj)
{
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++) {
        if (row->at == CONF_NOWHERE)
            continue;
        void *dst = (char *)obj + row->at;
        if (row->type == CONF_STRUCT || row->type == CONF_INLINE)
            conf_defaults(r, row->sub, dst);
        else if (row->type == CONF_TRI)
            *(int *)dst = -1;
        if (!row->def || row->type >= CONF_STRUCT)
            continue;
        struct yaml_node def = {.kind = YAML_SCALAR, .value = str_from_z(row->def)};
        conf_scalar(r, row, row->type, &def, (struct pos){0}, dst);
    }
}

/* ---- unknown keys ---- */

static size_t key_names(const struct conf_schema *s, str *out, size_t n, size_t max)
{
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++) {
        if (row->type == CONF_INLINE)
            n = key_names(row->sub, out, n, max);
        else if (n < max)
            out[n++] = str_from_z(row->key);
    }
    return n;
}

/* A password behind a mistyped key is a password; nobody knows what a mistyped block holds. */
static bool may_hold_secret(const struct conf_row *meant, const struct yaml_pair *pair)
{
    return pair->value->kind != YAML_SCALAR || conf_names_secret(pair->key->value) ||
           (meant && (meant->type == CONF_SECRET || meant->type == CONF_MAP_SECRET ||
                      meant->type == CONF_LIST_SECRET));
}

static void unknown_key(struct conf_reader *r, const struct conf_schema *s,
                        const struct yaml_pair *pair)
{
    enum { KEYS_MAX = 160 };
    str keys[KEYS_MAX];
    str near = str_nearest(pair->key->value, keys, key_names(s, keys, 0, KEYS_MAX));
    if (may_hold_secret(near.n ? conf_row_find(s, near) : NULL, pair))
        conf_hide_tree(r, pair->value);
    if (!near.n) {
        conf_error(r, pair->key->pos, "unknown field \"%.*s\" in %s", STR_ARG(pair->key->value),
                   s->name);
        return;
    }
    struct strbuf hint STRBUF_CLEANUP = {0};
    strbuf_addf(&hint, "did you mean \"%.*s\"?", STR_ARG(near));
    conf_error_hint(r, pair->key->pos, hint.p, "unknown field \"%.*s\" in %s",
                    STR_ARG(pair->key->value), s->name);
}

/* ---- lists and maps ---- */

static enum conf_type item_type(enum conf_type list)
{
    switch (list) {
    case CONF_LIST_LABEL:
        return CONF_LABEL;
    case CONF_LIST_FILE:
        return CONF_FILE;
    case CONF_LIST_SECRET:
    case CONF_MAP_SECRET:
        return CONF_SECRET;
    case CONF_LIST_ENUM:
        return CONF_ENUM;
    default:
        return CONF_STR;
    }
}

typedef CONF_LIST(char) any_list;

static bool expect(struct conf_reader *r, const struct conf_row *row, const struct yaml_pair *pair,
                   enum yaml_kind kind)
{
    if (pair->value->kind == kind)
        return true;
    return conf_error(r, pair->pos, "\"%s\" must be a %s, not a %s", row->key, yaml_kind_name(kind),
                      yaml_kind_name(pair->value->kind));
}

static bool read_scalars(struct conf_reader *r, const struct conf_row *row,
                         const struct yaml_node *node, enum conf_type type, any_list *out)
{
    size_t size = type == CONF_ENUM ? sizeof(int) : sizeof(str);
    char *at = arena_zalloc(r->arena, node->n * size);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++)
        ok &= conf_scalar(r, row, type, node->items[i], node->items[i]->pos, at + i * size);
    out->at = at;
    out->n = node->n;
    return ok;
}

static bool read_structs(struct conf_reader *r, const struct conf_row *row,
                         const struct yaml_node *node, any_list *out)
{
    size_t size = row->sub->size ? row->sub->size : 1;
    char *at = arena_zalloc(r->arena, node->n * size);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_node *item = node->items[i];
        if (yaml_is_null(item))
            ok = conf_error(r, item->pos, "empty or null %s in \"%s\"", row->sub->name, row->key);
        else
            ok &= conf_read(r, row->sub, item, at + i * size);
    }
    out->at = at;
    out->n = node->n;
    return ok;
}

static bool key_is_text(struct conf_reader *r, const struct yaml_node *key)
{
    if (str_eqz(key->tag, "tag:yaml.org,2002:binary"))
        return conf_error(r, key->pos, "binary values are not text");
    return true;
}

static bool read_pairs(struct conf_reader *r, const struct conf_row *row,
                       const struct yaml_node *node, any_list *out)
{
    struct conf_pair *at = arena_array(r->arena, struct conf_pair, node->n);
    enum conf_type type = item_type(row->type);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_pair *p = &node->pairs[i];
        ok &= key_is_text(r, p->key);
        if (row->type == CONF_MAP_LABELS)
            ok &= conf_label_name(r, p->key);
        at[i].name = arena_dup(r->arena, p->key->value);
        at[i].pos = p->key->pos;
        ok &= conf_scalar(r, row, type, p->value, p->pos, &at[i].value);
    }
    out->at = (char *)at;
    out->n = node->n;
    return ok;
}

static bool read_named_lists(struct conf_reader *r, const struct conf_row *row,
                             const struct yaml_node *node, any_list *out)
{
    struct conf_named_list *at = arena_array(r->arena, struct conf_named_list, node->n);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_pair *p = &node->pairs[i];
        at[i].name = arena_dup(r->arena, p->key->value);
        ok &= key_is_text(r, p->key);
        if (yaml_is_null(p->value))
            continue;
        ok &= expect(r, row, p, YAML_SEQUENCE) &&
              read_scalars(r, row, p->value, CONF_STR, (any_list *)&at[i].values);
    }
    out->at = (char *)at;
    out->n = node->n;
    return ok;
}

static bool read_named_structs(struct conf_reader *r, const struct conf_row *row,
                               const struct yaml_node *node, any_list *out)
{
    char *at = arena_zalloc(r->arena, node->n * row->sub->size);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        void *obj = at + i * row->sub->size;
        ok &= key_is_text(r, node->pairs[i].key);
        ok &= conf_read(r, row->sub, node->pairs[i].value, obj);
        *(str *)obj = arena_dup(r->arena, node->pairs[i].key->value);
    }
    out->at = at;
    out->n = node->n;
    return ok;
}

static bool read_container(struct conf_reader *r, const struct conf_row *row,
                           const struct yaml_pair *pair, any_list *out)
{
    bool is_map = row->type >= CONF_MAP_STR;
    if (!expect(r, row, pair, is_map ? YAML_MAPPING : YAML_SEQUENCE))
        return false;
    switch (row->type) {
    case CONF_LIST_STRUCT:
        return read_structs(r, row, pair->value, out);
    case CONF_MAP_LIST:
        return read_named_lists(r, row, pair->value, out);
    case CONF_MAP_STRUCT:
        return read_named_structs(r, row, pair->value, out);
    case CONF_MAP_STR:
    case CONF_MAP_SECRET:
    case CONF_MAP_LABELS:
        return read_pairs(r, row, pair->value, out);
    default:
        return read_scalars(r, row, pair->value, item_type(row->type), out);
    }
}

/* ---- rows ---- */

static bool read_sub(struct conf_reader *r, const struct conf_row *row,
                     const struct yaml_pair *pair, void *dst)
{
    if (yaml_is_null(pair->value))
        return true;
    void *obj = dst;
    if (!obj || row->type == CONF_PTR)
        obj = arena_zalloc(r->arena, row->sub->size + 1);
    if (dst && row->type == CONF_PTR)
        *(void **)dst = obj;
    return conf_read(r, row->sub, pair->value, obj);
}

static bool read_value(struct conf_reader *r, const struct conf_row *row,
                       const struct yaml_pair *pair, void *dst)
{
    union {
        any_list list;
        str text;
        uint64_t number;
    } scratch = {0};
    if (row->type == CONF_ANY)
        return true;
    if (row->type == CONF_STRUCT || row->type == CONF_PTR)
        return read_sub(r, row, pair, dst);
    if (!dst)
        dst = &scratch;
    if (row->type < CONF_STRUCT)
        return conf_scalar(r, row, row->type, pair->value, pair->pos, dst);
    return yaml_is_null(pair->value) || read_container(r, row, pair, dst);
}

/* Written with a value that asks for nothing more than the default? */
static bool asks_nothing(const struct conf_row *row, const struct yaml_node *v)
{
    if (yaml_is_null(v) || (v->kind != YAML_SCALAR && v->n == 0))
        return true;
    return row->def && v->kind == YAML_SCALAR && str_eqz(v->value, row->def);
}

static void say_not_built(struct conf_reader *r, const struct conf_row *row, struct pos pos)
{
    if (row->status == CONF_REFUSED)
        conf_error_hint(r, pos, "remove the key to start without what it asks for",
                        "\"%s\" is valid but not built yet, and to ignore it would not be safe",
                        row->key);
    else
        conf_warn(r, pos, "\"%s\" is valid but not built yet: it has no effect", row->key);
}

static bool read_pair(struct conf_reader *r, const struct conf_schema *s,
                      const struct yaml_pair *pair, void *obj)
{
    size_t at = 0;
    const struct conf_row *row = row_in(s, pair->key->value, &at);
    if (!row) {
        unknown_key(r, s, pair);
        return false;
    }
    bool later = row->status == CONF_LATER || row->status == CONF_REFUSED;
    if (later && r->quiet == 0 && !asks_nothing(row, pair->value))
        say_not_built(r, row, pair->key->pos);
    r->quiet += later;
    bool kept = at != CONF_NOWHERE && row->at != CONF_NOWHERE;
    bool ok = read_value(r, row, pair, kept ? (char *)obj + at + row->at : NULL);
    r->quiet -= later;
    return ok;
}

static bool required_keys(struct conf_reader *r, const struct conf_schema *s,
                          const struct yaml_node *map)
{
    bool ok = true;
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++) {
        if (row->type == CONF_INLINE)
            ok &= required_keys(r, row->sub, map);
        else if (row->required && !conf_has(map, row->key))
            ok = conf_error(r, conf_pos(map, row->key), "\"%s\" of %s is missing or empty",
                            row->key, s->name);
    }
    return ok;
}

static void check(struct conf_reader *r, const struct conf_schema *s, const struct yaml_node *map,
                  void *obj)
{
    for (const struct conf_row *row = s->rows; row->key || row->type == CONF_INLINE; row++)
        if (row->type == CONF_INLINE)
            check(r, row->sub, map, row->at == CONF_NOWHERE ? NULL : (char *)obj + row->at);
    conf_rules_check(r, s, map);
    if (s->check)
        s->check(r, map, obj);
}

bool conf_read(struct conf_reader *r, const struct conf_schema *s, const struct yaml_node *node,
               void *obj)
{
    conf_defaults(r, s, obj);
    if (s->pos_at != CONF_NOWHERE)
        *(struct pos *)(void *)((char *)obj + s->pos_at) = node->pos;
    if (node->kind != YAML_MAPPING && !yaml_is_null(node))
        return conf_error(r, node->pos, "%s must be a mapping, not a %s", s->name,
                          yaml_kind_name(node->kind));
    size_t before = conf_diags_errors(r->diags);
    if (node->kind == YAML_MAPPING)
        for (size_t i = 0; i < node->n && !conf_diags_full(r->diags); i++)
            read_pair(r, s, &node->pairs[i], obj);
    required_keys(r, s, node);
    check(r, s, node, obj);
    return conf_diags_errors(r->diags) == before;
}
