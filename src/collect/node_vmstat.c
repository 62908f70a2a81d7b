// SPDX-License-Identifier: Apache-2.0
/* node_vmstat_*: of /proc/vmstat the fields ^(oom_kill|pgpg|pswp|pg.*fault).*, as upstream's
 * default. */
#include "collect/collect_int.h"

static bool wanted(str name)
{
    return str_starts(name, STR("oom_kill")) || str_starts(name, STR("pgpg")) ||
           str_starts(name, STR("pswp")) ||
           (str_starts(name, STR("pg")) && str_find(str_sub(name, 2, name.n), STR("fault")) >= 0);
}

bool parse_vmstat(str text, struct arena *a, struct named_value **out, size_t *n, struct err *err)
{
    VEC(struct named_value) v = {0};
    str rest = text, line, name;
    bool ok = true;
    while (ok && str_cut(&rest, '\n', &line)) {
        double value;
        if (!text_field(&line, &name) || !wanted(name) || !metric_name_is_legacy(name))
            continue;
        ok = text_f64(&line, &value);
        if (ok)
            vec_push(&v, (struct named_value){name, value});
        else
            err_set(err, ERR_CORRUPT, "vmstat: no number after %.*s", STR_ARG(name));
    }
    if (ok) {
        *n = v.n;
        *out = arena_array(a, struct named_value, v.n);
        if (v.n)
            memcpy(*out, v.at, v.n * sizeof *v.at);
    }
    vec_fini(&v);
    return ok;
}

bool node_vmstat_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct named_value *v;
    size_t n;
    if (!collect_read(c, &text, err, c->procfs, "vmstat") ||
        !parse_vmstat(text, &c->arena, &v, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        put_one(
            c, arena_printf(&c->arena, "node_vmstat_%.*s", STR_ARG(v[i].name)).p, METRIC_UNKNOWN,
            arena_printf(&c->arena, "/proc/vmstat information field %.*s.", STR_ARG(v[i].name)).p,
            v[i].v);
    return true;
}
