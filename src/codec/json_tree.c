// SPDX-License-Identifier: Apache-2.0
/*
 * The tree over the reader. Members of levels that are still open wait on one stack; when a level
 * closes, its own are the top of the stack and move to the arena as one array.
 */
#include <stdio.h>

#include "base/map.h"
#include "base/num.h"
#include "base/vec.h"
#include "codec/json.h"

struct builder {
    struct json_reader r;
    struct arena *arena;
    VEC(struct json_member) stack;
    struct {
        size_t base; /* where the level's members begin */
        str key;     /* of the level itself in its parent */
        size_t key_offset, offset;
    } levels[JSON_DEPTH_MAX];
    size_t nodes;
    str key; /* waits for its value */
    size_t key_offset;
};

static bool push(struct builder *b, struct json_value v)
{
    if (++b->nodes > JSON_NODES_MAX)
        return err_at(b->r.err, ERR_LIMIT, pos_of(b->r.text, v.offset),
                      "more than %d values in one text", JSON_NODES_MAX);
    if (arena_over(b->arena))
        return err_set(b->r.err, ERR_LIMIT, "no memory left in the request's budget");
    vec_push(&b->stack, (struct json_member){b->key, b->key_offset, v});
    return true;
}

static void *copy(struct builder *b, size_t n, size_t size)
{
    void *p = arena_try(b->arena, n ? n : 1, size);
    if (!p)
        err_set(b->r.err, ERR_LIMIT, "no memory left in the request's budget");
    return p;
}

static bool close_level(struct builder *b, bool object)
{
    size_t level = b->r.depth, base = b->levels[level].base, n = b->stack.n - base;
    struct json_value v = {.type = object ? JSON_OBJECT : JSON_ARRAY,
                           .n = (uint32_t)n,
                           .offset = b->levels[level].offset};
    if (object) {
        v.members = copy(b, n, sizeof *v.members);
        if (!v.members)
            return false;
        if (n)
            memcpy(v.members, b->stack.at + base, n * sizeof *v.members);
    } else {
        v.items = copy(b, n, sizeof *v.items);
        if (!v.items)
            return false;
        for (size_t i = 0; i < n; i++)
            v.items[i] = b->stack.at[base + i].value;
    }
    b->stack.n = base;
    b->key = b->levels[level].key;
    b->key_offset = b->levels[level].key_offset;
    return push(b, v);
}

static void open_level(struct builder *b)
{
    size_t level = b->r.depth - 1;
    b->levels[level].base = b->stack.n;
    b->levels[level].key = b->key;
    b->levels[level].key_offset = b->key_offset;
    b->levels[level].offset = b->r.offset;
}

static bool add(struct builder *b, enum json_event event)
{
    struct json_value v = {.type = event, .offset = b->r.offset, .text = STR("")};
    switch (event) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        open_level(b);
        return true;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        return close_level(b, event == JSON_OBJECT_END);
    case JSON_KEY:
        b->key = json_string(&b->r, b->arena);
        b->key_offset = b->r.offset;
        return true;
    case JSON_STRING:
        v.text = json_string(&b->r, b->arena);
        return push(b, v);
    case JSON_NUMBER:
        v.text = b->r.value;
        return push(b, v);
    default:
        return push(b, v);
    }
}

bool json_parse(str text, struct arena *a, struct json_value **out, struct err *err)
{
    struct builder b = {.arena = a, .key = STR("")};
    json_reader_init(&b.r, text, err);
    enum json_event event;
    bool ok = true;
    while (ok && (event = json_next(&b.r)) != JSON_END)
        ok = event != JSON_ERROR && add(&b, event);
    struct json_value *root = ok ? copy(&b, 1, sizeof *root) : NULL;
    if (root) {
        *root = b.stack.at[0].value;
        *out = root;
    }
    vec_fini(&b.stack);
    return root != NULL;
}

const struct json_value *json_get(const struct json_value *object, str key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (size_t i = object->n; i-- > 0;)
        if (str_eq(object->members[i].key, key))
            return &object->members[i].value;
    return NULL;
}

const struct json_member *json_duplicate(const struct json_value *object)
{
    struct map seen MAP_CLEANUP = {0};
    for (size_t i = 0; i < object->n; i++)
        if (!map_put(&seen, object->members[i].key, &object->members[i]))
            return &object->members[i];
    return NULL;
}

bool json_as_str(const struct json_value *v, str *out)
{
    if (!v || v->type != JSON_STRING)
        return false;
    *out = v->text;
    return true;
}

bool json_as_f64(const struct json_value *v, double *out)
{
    return v && v->type == JSON_NUMBER && f64_parse(v->text, out);
}

bool json_as_i64(const struct json_value *v, int64_t *out)
{
    return v && v->type == JSON_NUMBER && i64_parse(v->text, out);
}

bool json_as_bool(const struct json_value *v, bool *out)
{
    if (!v || (v->type != JSON_TRUE && v->type != JSON_FALSE))
        return false;
    *out = v->type == JSON_TRUE;
    return true;
}

const char *json_type_name(enum json_event type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string",
        [JSON_NUMBER] = "number", [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean",
        [JSON_NULL] = "null",
    };
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "nothing";
}
