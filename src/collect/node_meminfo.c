// SPDX-License-Identifier: Apache-2.0
/* node_memory_*: every line of /proc/meminfo. */
#include "base/num.h"
#include "collect/collect_int.h"

enum { LINES_MAX = 10000 };

/* "Active(anon):  12 kB" is Active_anon_bytes; lines without a unit keep their plain name. */
static bool parse_line(str line, struct arena *a, struct named_value *out)
{
    ssize_t colon = str_index(line, ':');
    if (colon <= 0)
        return false;
    str name = str_sub(line, 0, (size_t)colon), rest = str_sub(line, (size_t)colon + 1, line.n);
    str unit;
    if (!text_f64(&rest, &out->v))
        return false;
    bool kb = text_field(&rest, &unit);
    if (kb && !str_eqz(unit, "kB"))
        return false;
    ssize_t open = str_index(name, '(');
    if (open >= 0 && str_ends(name, STR(")")))
        name = arena_printf(a, "%.*s_%.*s", (int)open, name.p, (int)(name.n - (size_t)open - 2),
                            name.p + open + 1);
    if (kb) {
        name = arena_printf(a, "%.*s_bytes", STR_ARG(name));
        out->v *= 1024;
    }
    out->name = name;
    return metric_name_is_legacy(name);
}

bool parse_meminfo(str text, struct arena *a, struct named_value **out, size_t *n, struct err *err)
{
    VEC(struct named_value) v = {0};
    str rest = text, line;
    bool ok = true;
    while (ok && str_cut(&rest, '\n', &line)) {
        struct named_value value;
        if (!str_trim(line).n)
            continue;
        ok = v.n < LINES_MAX && parse_line(line, a, &value);
        if (ok)
            vec_push(&v, value);
        else
            err_set(err, ERR_CORRUPT, "meminfo: line %zu makes no sense", v.n + 1);
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

bool node_meminfo_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct named_value *v;
    size_t n;
    if (!collect_read(c, &text, err, c->procfs, "meminfo") ||
        !parse_meminfo(text, &c->arena, &v, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool total = str_ends(v[i].name, STR("_total"));
        put_one(c, arena_printf(&c->arena, "node_memory_%.*s", STR_ARG(v[i].name)).p,
                total ? METRIC_COUNTER : METRIC_GAUGE,
                arena_printf(&c->arena, "Memory information field %.*s.", STR_ARG(v[i].name)).p,
                v[i].v);
    }
    return true;
}
