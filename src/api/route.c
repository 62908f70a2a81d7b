// SPDX-License-Identifier: Apache-2.0
#include "api/route.h"

/* Matches segment by segment, so that an encoded slash stays inside its segment. */
static bool path_matches(const char *pattern, str path, struct arena *a,
                         str segments[CALL_SEGMENTS_MAX], size_t *segments_n)
{
    str want_rest = str_from_z(pattern), rest = path, want, raw, decoded;
    struct err err;
    bool more = true;
    *segments_n = 0;
    for (;;) {
        bool want_more = http_segment_next(&want_rest, &want);
        more = http_segment_next(&rest, &raw);
        if (want_more != more)
            return false;
        if (!more)
            return true;
        if (!http_decode(raw, a, &decoded, &err))
            return false;
        if (!str_eqz(want, "*")) {
            if (!str_eq(want, decoded))
                return false;
        } else if (!decoded.n) {
            return false;
        } else {
            segments[(*segments_n)++] = decoded;
        }
    }
}

const struct route *route_find(const struct route_table *tables, size_t tables_n,
                               enum http_method method, str path, struct arena *a,
                               str segments[CALL_SEGMENTS_MAX], size_t *segments_n,
                               unsigned *allowed)
{
    *allowed = 0;
    for (size_t t = 0; t < tables_n; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            const struct route *r = &tables[t].at[i];
            if (!path_matches(r->path, path, a, segments, segments_n))
                continue;
            if (r->methods & 1U << method)
                return r;
            *allowed |= r->methods;
        }
    }
    return NULL;
}

/* True when some path fits both patterns. */
static bool patterns_meet(const char *a, const char *b)
{
    str rest_a = str_from_z(a), rest_b = str_from_z(b), seg_a, seg_b;
    for (;;) {
        bool more_a = http_segment_next(&rest_a, &seg_a);
        bool more_b = http_segment_next(&rest_b, &seg_b);
        if (more_a != more_b)
            return false;
        if (!more_a)
            return true;
        if (!str_eq(seg_a, seg_b) && !str_eqz(seg_a, "*") && !str_eqz(seg_b, "*"))
            return false;
    }
}

static const struct route *row_at(const struct route_table *tables, size_t tables_n, size_t i)
{
    for (size_t t = 0; t < tables_n; t++) {
        if (i < tables[t].n)
            return &tables[t].at[i];
        i -= tables[t].n;
    }
    return NULL;
}

bool route_tables_check(const struct route_table *tables, size_t tables_n, struct err *err)
{
    const struct route *a, *b;
    for (size_t i = 0; (a = row_at(tables, tables_n, i)); i++) {
        for (size_t j = 0; j < i && (b = row_at(tables, tables_n, j)); j++) {
            if ((a->methods & b->methods) && patterns_meet(a->path, b->path))
                return err_set(err, ERR_INTERNAL, "routes %s and %s clash", b->path, a->path);
        }
    }
    return true;
}
