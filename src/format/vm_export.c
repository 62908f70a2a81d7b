// SPDX-License-Identifier: Apache-2.0
#include "format/vm_export.h"

#include <math.h>

#include "base/num.h"
#include "base/vec.h"
#include "codec/json.h"

struct line {
    struct json_reader r;
    struct arena *a;
    struct labels_builder labels;
    VEC(ts_ms) t;
    VEC(double) v;
    bool has_metric, has_values, has_times;
};

static bool read_metric(struct line *l)
{
    enum json_event e = json_next(&l->r);
    if (e != JSON_OBJECT)
        return e == JSON_ERROR ? false : json_fail(&l->r, "\"metric\" is no object");
    while ((e = json_next(&l->r)) == JSON_KEY) {
        str name = json_string(&l->r, l->a);
        e = json_next(&l->r);
        if (e != JSON_STRING)
            return e == JSON_ERROR ? false : json_fail(&l->r, "the value of a label is no string");
        if (!name.n)
            return json_fail(&l->r, "a label has no name");
        if (l->labels.n >= VM_EXPORT_LABELS_MAX)
            return json_fail(&l->r, "more than %d labels", VM_EXPORT_LABELS_MAX);
        if (labels_builder_get(&l->labels, name).n)
            return json_fail(&l->r, "label \"%.*s\" is there twice", STR_ARG(name));
        labels_builder_set(&l->labels, name, json_string(&l->r, l->a));
    }
    return e == JSON_OBJECT_END;
}

static bool read_value(struct line *l, enum json_event e, double *out)
{
    switch (e) {
    case JSON_NUMBER:
        *out = json_number(&l->r);
        return true;
    case JSON_NULL:
        *out = normal_nan();
        return true;
    case JSON_STRING:
        if (!f64_parse(json_string(&l->r, l->a), out))
            return json_fail(&l->r, "a value is text that is no number");
        *out = isnan(*out) ? normal_nan() : *out;
        return true;
    default:
        return e == JSON_ERROR ? false : json_fail(&l->r, "a value is no number");
    }
}

static bool read_values(struct line *l)
{
    enum json_event e = json_next(&l->r);
    double v;
    if (e != JSON_ARRAY)
        return e == JSON_ERROR ? false : json_fail(&l->r, "\"values\" is no array");
    while ((e = json_next(&l->r)) != JSON_ARRAY_END) {
        if (!read_value(l, e, &v))
            return false;
        vec_push(&l->v, v);
    }
    return true;
}

static bool read_times(struct line *l)
{
    enum json_event e = json_next(&l->r);
    ts_ms t;
    if (e != JSON_ARRAY)
        return e == JSON_ERROR ? false : json_fail(&l->r, "\"timestamps\" is no array");
    while ((e = json_next(&l->r)) != JSON_ARRAY_END) {
        if (e == JSON_ERROR)
            return false;
        if (e != JSON_NUMBER || !i64_parse(l->r.value, &t))
            return json_fail(&l->r, "a timestamp is no whole number of milliseconds");
        vec_push(&l->t, t);
    }
    return true;
}

static bool read_member(struct line *l)
{
    str key = json_string(&l->r, l->a);
    if (str_eqz(key, "metric"))
        return !l->has_metric ? (l->has_metric = true) && read_metric(l)
                              : json_fail(&l->r, "\"metric\" is there twice");
    if (str_eqz(key, "values"))
        return !l->has_values ? (l->has_values = true) && read_values(l)
                              : json_fail(&l->r, "\"values\" is there twice");
    if (str_eqz(key, "timestamps"))
        return !l->has_times ? (l->has_times = true) && read_times(l)
                             : json_fail(&l->r, "\"timestamps\" is there twice");
    return json_skip(&l->r, NULL);
}

static bool read_line(struct line *l)
{
    enum json_event e = json_next(&l->r);
    if (e != JSON_OBJECT)
        return e == JSON_ERROR ? false : json_fail(&l->r, "expected an object");
    while ((e = json_next(&l->r)) == JSON_KEY)
        if (!read_member(l))
            return false;
    if (e == JSON_ERROR)
        return false;
    if (!l->has_metric || !l->has_values || !l->has_times)
        return json_fail(&l->r, "expected \"metric\", \"values\" and \"timestamps\"");
    if (l->t.n != l->v.n)
        return json_fail(&l->r, "%zu values and %zu timestamps", l->v.n, l->t.n);
    if (l->labels.n == 0)
        return json_fail(&l->r, "a series without labels");
    return json_next(&l->r) == JSON_END;
}

bool vm_export_read(str line, struct arena *a, struct vm_export *out, struct err *err)
{
    struct line l = {.a = a};
    json_reader_init(&l.r, line, err);
    labels_builder_init(&l.labels, (struct labels){0});
    bool ok = read_line(&l);
    if (ok) {
        *out = (struct vm_export){.n = l.t.n};
        out->labels = labels_builder_take(&l.labels, a);
        out->t = arena_alloc(a, l.t.n * sizeof *out->t);
        out->v = arena_alloc(a, l.v.n * sizeof *out->v);
        if (l.t.n) {
            memcpy(out->t, l.t.at, l.t.n * sizeof *out->t);
            memcpy(out->v, l.v.at, l.v.n * sizeof *out->v);
        }
    }
    labels_builder_fini(&l.labels);
    vec_fini(&l.t);
    vec_fini(&l.v);
    return ok;
}
