// SPDX-License-Identifier: Apache-2.0
/*
 * Label sets of OTLP: the attributes of the point; then promoted attributes of the resource where
 * the point has none of that name; then job and instance, then the scope, over everything. Keys
 * that become one label are joined, in order of keys, with semicolons.
 */
#include "base/mem.h"
#include "format/otlp_int.h"

static const str service_namespace = STR_INIT("service.namespace"),
                 service_name = STR_INIT("service.name"),
                 service_instance = STR_INIT("service.instance.id");

static str attribute(const struct otlp_reader *r, str key, bool *given)
{
    VEC_EACH (l, &r->resource)
        if (str_eq(l->name, key)) {
            *given = true;
            return l->value;
        }
    *given = false;
    return STR("");
}

static bool named(const conf_strs *list, str key)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->at[i], key))
            return true;
    return false;
}

static bool is_promoted(const struct conf_otlp *c, str key)
{
    return c->promote_all ? !named(&c->ignore, key) : named(&c->promote, key);
}

static bool promote(struct otlp_reader *r, struct err *why)
{
    labels_builder_reset(&r->builder, (struct labels){0});
    VEC_EACH (l, &r->resource) {
        str name;
        if (!is_promoted(r->conf, l->name))
            continue;
        if (!otlp_label_name(l->name, r->conf, &r->b->arena, &name, why))
            return false;
        labels_builder_set(&r->builder, name, l->value);
    }
    r->promoted = labels_builder_take(&r->builder, &r->b->arena);
    return true;
}

static void set_job(struct otlp_reader *r)
{
    bool has_space, has_name, has_instance;
    str space = attribute(r, service_namespace, &has_space);
    r->job = attribute(r, service_name, &has_name);
    r->instance = attribute(r, service_instance, &has_instance);
    if (has_name && has_space)
        r->job = arena_printf(&r->b->arena, "%.*s/%.*s", STR_ARG(space), STR_ARG(r->job));
}

/* The attributes among the fields of a message; false when it is no message. */
static bool gather(struct otlp_reader *r, bytes message, uint32_t number, struct err *why)
{
    struct protobuf_field f;
    enum protobuf_step step;
    vec_clear(&r->attributes);
    while ((step = protobuf_next(&message, &f, why)) == PROTOBUF_FIELD)
        if (f.number == number && f.wire == PROTOBUF_BYTES)
            vec_push(&r->attributes, f.view);
    return step == PROTOBUF_END && otlp_attributes_read(r, r->attributes.at, r->attributes.n, why);
}

void otlp_resource_set(struct otlp_reader *r, bytes resource)
{
    struct err *why = &r->resource_wrong;
    *why = (struct err){0};
    r->job = r->instance = STR("");
    r->promoted = (struct labels){0};
    r->earliest = INT64_MAX;
    r->latest = INT64_MIN;
    vec_clear(&r->resource);
    if (!gather(r, resource, 1, why)) {
        err_wrap(why, "resource");
        return;
    }
    VEC_EACH (l, &r->scratch)
        vec_push(&r->resource, *l);
    set_job(r);
    if (!promote(r, why))
        err_wrap(why, "resource");
}

static bool scope_labels(struct otlp_reader *r, struct err *why)
{
    VEC_EACH (l, &r->scratch) {
        str name, key = arena_printf(&r->b->arena, "otel_scope_%.*s", STR_ARG(l->name));
        if (!otlp_label_name(key, r->conf, &r->b->arena, &name, why))
            return false;
        labels_builder_set(&r->builder, name, l->value);
    }
    return true;
}

void otlp_scope_set(struct otlp_reader *r, bytes scope, str schema_url)
{
    struct protobuf_field f;
    struct err *why = &r->scope_wrong;
    str name = STR(""), version = STR("");
    bytes rest = scope;
    *why = (struct err){0};
    r->scope = (struct labels){0};
    if (!r->conf->promote_scope)
        return;
    while (protobuf_next(&rest, &f, why) == PROTOBUF_FIELD)
        if (f.number <= 2 && f.wire == PROTOBUF_BYTES)
            *(f.number == 1 ? &name : &version) = protobuf_str(&f);
    labels_builder_reset(&r->builder, (struct labels){0});
    if (!name.n && why->kind == ERR_NONE)
        return;
    if (!gather(r, scope, 3, why) || !scope_labels(r, why)) {
        err_wrap(why, "scope");
        return;
    }
    if (!str_utf8_valid(name) || !str_utf8_valid(version) || !str_utf8_valid(schema_url)) {
        err_set(why, ERR_INVALID, "scope: name, version or schema URL is not UTF-8");
        return;
    }
    labels_builder_set(&r->builder, STR("otel_scope_name"), name);
    labels_builder_set(&r->builder, STR("otel_scope_version"), version);
    labels_builder_set(&r->builder, STR("otel_scope_schema_url"), schema_url);
    r->scope = labels_builder_take(&r->builder, &r->b->arena);
}

/* Adds the pairs of r->scratch to the builder under the names that labels have. */
static bool add_attributes(struct otlp_reader *r, bool (*ignored)(const struct otlp_reader *, str),
                           struct err *why)
{
    bool keep = !conf_otlp_escapes(r->conf->strategy);
    struct arena *a = &r->b->arena;
    VEC_EACH (l, &r->scratch) {
        str name, before;
        if (ignored(r, l->name))
            continue;
        if (!otlp_label_name(l->name, r->conf, a, &name, why))
            return false;
        before = keep ? STR("") : labels_builder_get(&r->builder, name);
        r->counts->collisions += before.n > 0;
        labels_builder_set(
            &r->builder, name,
            before.n ? arena_printf(a, "%.*s;%.*s", STR_ARG(before), STR_ARG(l->value)) : l->value);
    }
    return true;
}

static void add_job(struct otlp_reader *r)
{
    if (r->job.n)
        labels_builder_set(&r->builder, STR("job"), r->job);
    if (r->instance.n)
        labels_builder_set(&r->builder, STR("instance"), r->instance);
}

static bool is_name(const struct otlp_reader *r, str key)
{
    return str_eq(key, LABEL_NAME);
}

bool otlp_point_labels(struct otlp_reader *r, struct labels *out, struct err *why)
{
    if (r->resource_wrong.kind || r->scope_wrong.kind) {
        *why = r->resource_wrong.kind ? r->resource_wrong : r->scope_wrong;
        return false;
    }
    labels_builder_reset(&r->builder, (struct labels){0});
    if (!otlp_attributes_read(r, r->attributes.at, r->attributes.n, why) ||
        !add_attributes(r, is_name, why))
        return false;
    for (size_t i = 0; i < r->promoted.n; i++)
        if (!labels_builder_get(&r->builder, r->promoted.at[i].name).n)
            labels_builder_set(&r->builder, r->promoted.at[i].name, r->promoted.at[i].value);
    add_job(r);
    for (size_t i = 0; i < r->scope.n; i++)
        labels_builder_set(&r->builder, r->scope.at[i].name, r->scope.at[i].value);
    *out = labels_builder_take(&r->builder, &r->b->arena);
    return true;
}

static bool is_identifying(str key)
{
    return str_eq(key, service_namespace) || str_eq(key, service_name) ||
           str_eq(key, service_instance);
}

static bool is_left_out(const struct otlp_reader *r, str key)
{
    return is_name(r, key) || (!r->conf->keep_identifying && is_identifying(key));
}

bool otlp_target_labels(struct otlp_reader *r, struct labels *out, struct err *why)
{
    size_t others = 0;
    *out = (struct labels){0};
    vec_clear(&r->scratch);
    VEC_EACH (l, &r->resource) {
        others += !is_identifying(l->name);
        vec_push(&r->scratch, *l);
    }
    if (!others)
        return true;
    labels_builder_reset(&r->builder, (struct labels){0});
    if (!add_attributes(r, is_left_out, why))
        return false;
    add_job(r);
    if (!labels_builder_get(&r->builder, STR("job")).n &&
        !labels_builder_get(&r->builder, STR("instance")).n)
        return true;
    labels_builder_set(&r->builder, LABEL_NAME, STR("target_info"));
    *out = labels_builder_take(&r->builder, &r->b->arena);
    return true;
}

struct labels otlp_labels_with(struct arena *a, struct labels base, str name, str extra, str value)
{
    struct label added[] = {{LABEL_NAME, name}, {extra, value}}; /* sorted: "_" is before "l" */
    size_t added_n = extra.n ? 2 : 1, n = 0, k = 0;
    struct label *at = arena_alloc(a, (base.n + added_n) * sizeof *at);
    for (size_t i = 0; i < base.n; i++) {
        int c = 1;
        while (k < added_n && (c = str_cmp(added[k].name, base.at[i].name)) < 0)
            at[n++] = added[k++];
        if (k == added_n || c != 0)
            at[n++] = base.at[i];
    }
    while (k < added_n)
        at[n++] = added[k++];
    return (struct labels){at, n};
}
