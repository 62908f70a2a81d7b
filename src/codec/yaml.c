// SPDX-License-Identifier: Apache-2.0
/*
 * The composer: libyaml's events to a tree.
 *
 * One event is held at a time; each compose_* is entered with the event that begins its node and
 * leaves with the event that ends it still held, so the caller asks for the next. Nesting is
 * bounded by YAML_DEPTH_MAX, which also bounds the recursion. A node under construction has weight
 * 0; that is how an alias to a node that contains it is seen.
 *
 * libyaml counts columns and offsets in characters, `struct pos` counts bytes: marks are turned
 * into positions by a cursor that walks the text once, as marks come in (nearly) rising order.
 */
#include <stdio.h>

#include <yaml.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/yaml.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct cursor {
    size_t chars, bytes, line_start;
    uint32_t line;
};

struct composer {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    str text; /* whole, with the byte order mark when there is one */
    size_t bom;
    struct cursor at;
    struct arena *arena;
    struct map anchors; /* of the current document: name to node */
    uint32_t nodes, aliased, depth;
    struct err *err;
};

static struct yaml_node *compose(struct composer *c);

/* --- positions and errors --- */

static size_t utf8_width(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static struct pos mark_pos(struct composer *c, yaml_mark_t mark)
{
    struct cursor *at = &c->at;
    if (mark.index < at->chars || at->line == 0)
        *at = (struct cursor){.bytes = c->bom, .line = 1};
    while (at->chars < mark.index && at->bytes < c->text.n) {
        unsigned char ch = (unsigned char)c->text.p[at->bytes];
        at->bytes += utf8_width(ch);
        at->chars++;
        if (ch == '\n') {
            at->line++;
            at->line_start = at->bytes;
        }
    }
    return (struct pos){at->line, (uint32_t)(at->bytes - at->line_start) + 1};
}

/* The byte a mark stands at; 0 past the end. */
static char mark_char(struct composer *c, yaml_mark_t mark)
{
    mark_pos(c, mark);
    return c->at.bytes < c->text.n ? c->text.p[c->at.bytes] : 0;
}

static bool syntax_hint(struct composer *c, const char *problem, const char *context, char found)
{
    if (found == '\t')
        return err_hint(c->err, "YAML does not allow tabs for indentation, use spaces");
    if (strstr(problem, "cannot start any token"))
        return err_hint(c->err, "a value that begins with %c must be in quotes", found);
    if (strstr(problem, "mapping values are not allowed"))
        return err_hint(c->err, "a value with \": \" in it must be in quotes; otherwise the "
                                "indentation of this line or the one before is wrong");
    if (strstr(context, "quoted scalar"))
        return err_hint(c->err, "the closing quote is missing");
    if (strstr(context, "flow mapping"))
        return err_hint(c->err, "a value that begins with { and is text must be in quotes");
    if (strstr(context, "flow sequence"))
        return err_hint(c->err, "a value that begins with [ and is text must be in quotes; "
                                "otherwise the closing ] is missing");
    if (strstr(context, "block"))
        return err_hint(c->err, "keys or items of one level must begin in the same column");
    return false;
}

static bool scan_error(struct composer *c)
{
    const yaml_parser_t *p = &c->parser;
    const char *problem = p->problem ? p->problem : "cannot be read as YAML";
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(c->err, ERR_INTERNAL, "out of memory while reading YAML");
    if (p->error == YAML_READER_ERROR)
        return err_at(c->err, ERR_INVALID, pos_of(c->text, c->bom + p->problem_offset),
                      "not UTF-8 text: %s (byte 0x%02x)", problem,
                      (unsigned)p->problem_value & 0xff);
    char found = mark_char(c, p->problem_mark);
    struct pos pos = mark_pos(c, p->problem_mark);
    if (!p->context) {
        err_at(c->err, ERR_INVALID, pos, "%s", problem);
        return syntax_hint(c, problem, "", found);
    }
    struct pos begin = mark_pos(c, p->context_mark);
    /* What was never closed is better shown where it begins than at the end of the file. */
    if (strstr(problem, "end of stream"))
        pos = begin;
    err_at(c->err, ERR_INVALID, pos, "%s, %s that begins at %u:%u", problem, p->context, begin.line,
           begin.col);
    return syntax_hint(c, problem, p->context, found);
}

/* Moves to the next event. */
static bool next(struct composer *c)
{
    if (c->has_event)
        yaml_event_delete(&c->event);
    c->has_event = yaml_parser_parse(&c->parser, &c->event);
    return c->has_event ? true : scan_error(c);
}

/* --- nodes --- */

static str dup_z(struct composer *c, const yaml_char_t *z)
{
    return z ? arena_dup(c->arena, str_from_z((const char *)z)) : STR("");
}

static struct yaml_node *node_new(struct composer *c, enum yaml_kind kind, const yaml_char_t *tag,
                                  const yaml_char_t *anchor)
{
    struct pos pos = mark_pos(c, c->event.start_mark);
    if (++c->nodes > YAML_NODES_MAX) {
        err_at(c->err, ERR_LIMIT, pos, "more than %d values in one file", YAML_NODES_MAX);
        return NULL;
    }
    if (kind != YAML_SCALAR && c->depth >= YAML_DEPTH_MAX) {
        err_at(c->err, ERR_LIMIT, pos, "nested deeper than %d levels", YAML_DEPTH_MAX);
        return NULL;
    }
    struct yaml_node *n = arena_new(c->arena, struct yaml_node);
    n->kind = kind;
    n->pos = pos;
    n->value = STR("");
    n->tag = dup_z(c, tag);
    if (anchor)
        map_put(&c->anchors, dup_z(c, anchor), n);
    return n;
}

static enum yaml_style scalar_style(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return YAML_SINGLE_QUOTED;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return YAML_DOUBLE_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE:
        return YAML_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return YAML_FOLDED;
    default:
        return YAML_PLAIN;
    }
}

static struct yaml_node *compose_scalar(struct composer *c)
{
    struct yaml_node *n =
        node_new(c, YAML_SCALAR, c->event.data.scalar.tag, c->event.data.scalar.anchor);
    if (!n)
        return NULL;
    n->style = scalar_style(c->event.data.scalar.style);
    n->value = arena_dup(
        c->arena, str_of((const char *)c->event.data.scalar.value, c->event.data.scalar.length));
    n->weight = 1;
    return n;
}

/* Counts nodes that are reached once more than they are written. */
static bool count_aliased(struct composer *c, struct pos pos, const struct yaml_node *n)
{
    c->aliased += n->weight;
    if (c->aliased > YAML_ALIASED_MAX)
        return err_at(c->err, ERR_LIMIT, pos, "aliases bring in more than %d values",
                      YAML_ALIASED_MAX);
    if (c->depth + n->depth > YAML_DEPTH_MAX)
        return err_at(c->err, ERR_LIMIT, pos, "nested deeper than %d levels", YAML_DEPTH_MAX);
    return true;
}

static struct yaml_node *compose_alias(struct composer *c)
{
    struct pos pos = mark_pos(c, c->event.start_mark);
    str name = str_from_z((const char *)c->event.data.alias.anchor);
    struct yaml_node *n = map_get(&c->anchors, name);
    if (!n) {
        err_at(c->err, ERR_INVALID, pos, "unknown anchor \"%.*s\"", STR_ARG(name));
        return NULL;
    }
    if (n->weight == 0) {
        err_at(c->err, ERR_INVALID, pos, "anchor \"%.*s\" contains itself", STR_ARG(name));
        return NULL;
    }
    return count_aliased(c, pos, n) ? n : NULL;
}

static void grow(struct yaml_node *parent, const struct yaml_node *child)
{
    parent->weight += child->weight;
    if (parent->depth < child->depth + 1)
        parent->depth = child->depth + 1;
}

struct node_list {
    struct yaml_node **at;
    size_t n, cap;
};

static bool compose_items(struct composer *c, struct node_list *items)
{
    for (;;) {
        if (!next(c))
            return false;
        if (c->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        struct yaml_node *item = compose(c);
        if (!item)
            return false;
        vec_push(items, item);
    }
}

static struct yaml_node *compose_sequence(struct composer *c)
{
    bool flow = c->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    struct yaml_node *n = node_new(c, YAML_SEQUENCE, c->event.data.sequence_start.tag,
                                   c->event.data.sequence_start.anchor);
    if (!n)
        return NULL;
    n->style = flow ? YAML_FLOW : YAML_BLOCK;
    struct node_list items = {0};
    c->depth++;
    bool ok = compose_items(c, &items);
    c->depth--;
    if (ok) {
        n->n = items.n;
        n->depth = 1;
        n->items = arena_array(c->arena, struct yaml_node *, items.n);
        for (size_t i = 0; i < items.n; i++) {
            n->items[i] = items.at[i];
            grow(n, items.at[i]);
        }
        n->weight++;
    }
    vec_fini(&items);
    return ok ? n : NULL;
}

/* --- mappings --- */

/* Pairs in the order written; past a few, an index by key stands beside them. */
struct pair_list {
    struct yaml_pair *at;
    size_t n, cap;
    struct map index; /* key to 1 + place */
};

enum { PAIRS_INDEXED = 16 };

static const struct yaml_pair *pairs_find(const struct pair_list *l, str key)
{
    if (l->n > PAIRS_INDEXED) {
        uintptr_t place = (uintptr_t)map_get(&l->index, key);
        return place ? &l->at[place - 1] : NULL;
    }
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->at[i].key->value, key))
            return &l->at[i];
    return NULL;
}

static void pairs_add(struct pair_list *l, struct yaml_pair pair)
{
    vec_push(l, pair);
    for (size_t i = l->n == PAIRS_INDEXED + 1 ? 0 : l->n - 1; l->n > PAIRS_INDEXED && i < l->n; i++)
        map_put(&l->index, l->at[i].key->value, (void *)(uintptr_t)(i + 1));
}

static void pairs_fini(struct pair_list *l)
{
    vec_fini(l);
    map_fini(&l->index);
}

static bool is_merge_key(const struct yaml_node *key)
{
    bool tagged = str_eq(key->tag, STR(TAG_PREFIX "merge"));
    return str_eq(key->value, STR("<<")) && (tagged || (key->style == YAML_PLAIN && !key->tag.n));
}

static struct yaml_node *compose_key(struct composer *c, const struct pair_list *pairs)
{
    struct pos pos = mark_pos(c, c->event.start_mark);
    if (c->event.type != YAML_SCALAR_EVENT && c->event.type != YAML_ALIAS_EVENT) {
        err_at(c->err, ERR_INVALID, pos, "a mapping's key must be a scalar");
        if (c->event.type == YAML_MAPPING_START_EVENT)
            err_hint(c->err, "a value that begins with { and is text must be in quotes");
        return NULL;
    }
    struct yaml_node *key = compose(c);
    if (!key)
        return NULL;
    if (key->kind != YAML_SCALAR) {
        err_at(c->err, ERR_INVALID, pos, "a mapping's key must be a scalar");
        return NULL;
    }
    const struct yaml_pair *twin = pairs_find(pairs, key->value);
    if (twin) {
        err_at(c->err, ERR_INVALID, pos, "key \"%.*s\" is already set at %u:%u",
               STR_ARG(key->value), twin->key->pos.line, twin->key->pos.col);
        return NULL;
    }
    return key;
}

static bool compose_pairs(struct composer *c, struct pair_list *pairs)
{
    for (;;) {
        if (!next(c))
            return false;
        if (c->event.type == YAML_MAPPING_END_EVENT)
            return true;
        struct yaml_pair pair = {.key = compose_key(c, pairs)};
        if (!pair.key || !next(c))
            return false;
        pair.pos = mark_pos(c, c->event.start_mark);
        pair.value = compose(c);
        if (!pair.value)
            return false;
        pairs_add(pairs, pair);
    }
}

static bool merge_mapping(struct composer *c, struct pair_list *out, const struct yaml_node *from,
                          struct pos pos)
{
    if (from->kind != YAML_MAPPING)
        return err_at(c->err, ERR_INVALID, pos,
                      "\"<<\" must have a mapping or a sequence of mappings as its value");
    for (size_t i = 0; i < from->n; i++) {
        struct yaml_pair pair = from->pairs[i];
        if (pairs_find(out, pair.key->value))
            continue;
        if (!count_aliased(c, pos, pair.key) || !count_aliased(c, pos, pair.value))
            return false;
        pair.merged = true;
        pairs_add(out, pair);
    }
    return true;
}

static bool merge_value(struct composer *c, struct pair_list *out, const struct yaml_pair *merge)
{
    const struct yaml_node *v = merge->value;
    if (v->kind != YAML_SEQUENCE)
        return merge_mapping(c, out, v, merge->pos);
    for (size_t i = 0; i < v->n; i++)
        if (!merge_mapping(c, out, v->items[i], v->items[i]->pos))
            return false;
    return true;
}

/* Replaces the pair `<<`, when there is one, by the pairs it brings. */
static bool merge_pairs(struct composer *c, struct pair_list *pairs)
{
    struct pair_list out = {0};
    const struct yaml_pair *merge = NULL;
    for (size_t i = 0; i < pairs->n; i++) {
        if (is_merge_key(pairs->at[i].key))
            merge = &pairs->at[i];
        else
            pairs_add(&out, pairs->at[i]);
    }
    bool ok = !merge || merge_value(c, &out, merge);
    pairs_fini(pairs);
    *pairs = out;
    return ok;
}

static struct yaml_node *compose_mapping(struct composer *c)
{
    bool flow = c->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    struct yaml_node *n = node_new(c, YAML_MAPPING, c->event.data.mapping_start.tag,
                                   c->event.data.mapping_start.anchor);
    if (!n)
        return NULL;
    n->style = flow ? YAML_FLOW : YAML_BLOCK;
    struct pair_list pairs = {0};
    c->depth++;
    bool ok =
        compose_pairs(c, &pairs) && (!pairs_find(&pairs, STR("<<")) || merge_pairs(c, &pairs));
    c->depth--;
    if (ok) {
        n->n = pairs.n;
        n->pairs = arena_array(c->arena, struct yaml_pair, pairs.n);
        n->depth = 1;
        for (size_t i = 0; i < pairs.n; i++) {
            n->pairs[i] = pairs.at[i];
            grow(n, pairs.at[i].key);
            grow(n, pairs.at[i].value);
        }
        n->weight++;
    }
    pairs_fini(&pairs);
    return ok ? n : NULL;
}

static struct yaml_node *compose(struct composer *c)
{
    switch (c->event.type) {
    case YAML_ALIAS_EVENT:
        return compose_alias(c);
    case YAML_SEQUENCE_START_EVENT:
        return compose_sequence(c);
    case YAML_MAPPING_START_EVENT:
        return compose_mapping(c);
    default:
        return compose_scalar(c);
    }
}

/* --- documents --- */

/* Moves to the beginning of the next document; *end when there is none. */
static bool next_document(struct composer *c, bool *end)
{
    do {
        if (!next(c))
            return false;
    } while (c->event.type == YAML_STREAM_START_EVENT || c->event.type == YAML_DOCUMENT_END_EVENT);
    *end = c->event.type == YAML_STREAM_END_EVENT;
    return true;
}

static struct yaml_node *compose_document(struct composer *c)
{
    map_fini(&c->anchors);
    c->anchors = (struct map){0};
    return next(c) ? compose(c) : NULL;
}

static bool composer_init(struct composer *c, str text, struct arena *a, struct err *err)
{
    *c = (struct composer){.text = text, .arena = a, .err = err};
    if (text.n > YAML_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "YAML text of %zu bytes is longer than %d", text.n,
                       YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&c->parser))
        return err_set(err, ERR_INTERNAL, "out of memory while reading YAML");
    c->bom = str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0;
    yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c->parser, (const unsigned char *)text.p + c->bom,
                                 text.n - c->bom);
    return true;
}

static void composer_fini(struct composer *c)
{
    if (c->has_event)
        yaml_event_delete(&c->event);
    yaml_parser_delete(&c->parser);
    map_fini(&c->anchors);
}

static bool parse_one(struct composer *c, struct yaml_node **root)
{
    bool end;
    if (!next_document(c, &end))
        return false;
    if (end) {
        struct yaml_node *empty = arena_new(c->arena, struct yaml_node);
        *empty = (struct yaml_node){.pos = {1, 1}, .value = STR(""), .tag = STR(""), .weight = 1};
        *root = empty;
        return true;
    }
    struct yaml_node *n = compose_document(c);
    if (!n || !next_document(c, &end))
        return false;
    if (!end)
        return err_at(c->err, ERR_INVALID, mark_pos(c, c->event.start_mark),
                      "a second document begins here, only one is expected");
    *root = n;
    return true;
}

static bool parse_all(struct composer *c, struct node_list *docs)
{
    for (;;) {
        bool end;
        if (!next_document(c, &end))
            return false;
        if (end)
            return true;
        struct yaml_node *n = compose_document(c);
        if (!n)
            return false;
        vec_push(docs, n);
    }
}

bool yaml_parse(str text, struct arena *a, struct yaml_node **root, struct err *err)
{
    struct composer c;
    if (!composer_init(&c, text, a, err))
        return false;
    bool ok = parse_one(&c, root);
    composer_fini(&c);
    return ok;
}

bool yaml_parse_all(str text, struct arena *a, struct yaml_node ***docs, size_t *n, struct err *err)
{
    struct composer c;
    if (!composer_init(&c, text, a, err))
        return false;
    struct node_list list = {0};
    bool ok = parse_all(&c, &list);
    if (ok) {
        *n = list.n;
        *docs = arena_array(a, struct yaml_node *, list.n);
        for (size_t i = 0; i < list.n; i++)
            (*docs)[i] = list.at[i];
    }
    vec_fini(&list);
    composer_fini(&c);
    return ok;
}

/* --- reading the tree --- */

const struct yaml_pair *yaml_get_pair(const struct yaml_node *map, str key)
{
    if (!map || map->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (str_eq(map->pairs[i].key->value, key))
            return &map->pairs[i];
    return NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, str key)
{
    const struct yaml_pair *pair = yaml_get_pair(map, key);
    return pair ? pair->value : NULL;
}

bool yaml_is_plain(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->style == YAML_PLAIN &&
           !str_eq(node->tag, STR(TAG_PREFIX "str")) && !str_eq(node->tag, STR("!"));
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const str words[] = {STR_INIT(""), STR_INIT("~"), STR_INIT("null"), STR_INIT("Null"),
                                STR_INIT("NULL")};
    if (!node)
        return true;
    if (node->kind == YAML_SCALAR && str_eq(node->tag, STR(TAG_PREFIX "null")))
        return true;
    if (!yaml_is_plain(node))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(node->value, words[i]))
            return true;
    return false;
}

const char *yaml_kind_name(enum yaml_kind kind)
{
    static const char *const names[] = {"scalar", "sequence", "mapping"};
    return names[kind];
}

/* Line `line` (from 1) of a text, without its end. */
static str text_line(str text, uint32_t line)
{
    str rest = text, piece = {0};
    for (uint32_t i = 0; i < line; i++)
        if (!str_cut(&rest, '\n', &piece))
            return STR("");
    return str_ends(piece, STR("\r")) ? str_sub(piece, 0, piece.n - 1) : piece;
}

static struct pos literal_pos(const struct yaml_node *n, str text, size_t offset)
{
    str rest = n->value, line = {0};
    uint32_t k = 0;
    for (; str_cut(&rest, '\n', &line); k++) {
        if (offset <= line.n)
            break;
        offset -= line.n + 1;
    }
    str written = text_line(text, n->pos.line + 1 + k);
    if (!str_ends(written, line))
        return n->pos;
    return (struct pos){n->pos.line + 1 + k, (uint32_t)(written.n - line.n + offset) + 1};
}

struct pos yaml_value_pos(const struct yaml_node *scalar, str text, size_t offset)
{
    if (offset > scalar->value.n)
        offset = scalar->value.n;
    if (scalar->style == YAML_LITERAL)
        return literal_pos(scalar, text, offset);
    str line = text_line(text, scalar->pos.line);
    ssize_t at = str_find(str_sub(line, scalar->pos.col - 1, line.n), scalar->value);
    if (at < 0)
        return scalar->pos;
    return (struct pos){scalar->pos.line, scalar->pos.col + (uint32_t)((size_t)at + offset)};
}
