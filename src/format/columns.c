// SPDX-License-Identifier: Apache-2.0
#include "format/columns.h"

#include <assert.h>

enum { COLUMN_VALUES = 0, COLUMN_CONSTANT = 1, ALIGN = 8 };

void columns_dictionary_fini(struct columns_dictionary *d)
{
    map_fini(&d->ids);
}

static void add_text(struct columns_dictionary *d, str text)
{
    if (!map_has(&d->ids, text))
        map_put(&d->ids, text, (void *)(uintptr_t)(d->ids.n + 1));
}

void columns_dictionary_add(struct columns_dictionary *d, struct labels ls)
{
    for (size_t i = 0; i < ls.n; i++) {
        add_text(d, ls.at[i].name);
        add_text(d, ls.at[i].value);
    }
}

static uint32_t id_of(const struct columns_dictionary *d, str text)
{
    uintptr_t id = (uintptr_t)map_get(&d->ids, text);
    assert(id);
    return (uint32_t)(id - 1);
}

/* ---- little-endian, as all of this program's formats ---- */

static void put(struct strbuf *out, const void *p, size_t n)
{
    strbuf_add(out, str_of(p, n));
}

static void put_u32(struct strbuf *out, uint32_t v)
{
    put(out, &v, sizeof v);
}

static void put_i64(struct strbuf *out, int64_t v)
{
    put(out, &v, sizeof v);
}

static void pad(struct strbuf *out, size_t begin)
{
    static const char zeros[ALIGN];
    size_t over = (out->n - begin) % ALIGN;
    if (over)
        put(out, zeros, ALIGN - over);
}

void columns_put_head(const struct columns_dictionary *d, const struct columns_grid *g,
                      str envelope, size_t series_n, struct strbuf *out)
{
    size_t begin = out->n;
    put(out, "NNCOLS01", 8);
    put_i64(out, g->start);
    put_i64(out, g->step_ms);
    put_u32(out, g->steps);
    put_u32(out, (uint32_t)series_n);
    put_u32(out, (uint32_t)d->ids.n);
    put_u32(out, (uint32_t)envelope.n);
    strbuf_add(out, envelope);
    for (size_t i = 0; i < d->ids.n; i++) {
        put_u32(out, (uint32_t)d->ids.entries[i].key.n);
        strbuf_add(out, d->ids.entries[i].key);
    }
    pad(out, begin);
}

/* A bit for each step with a value, the first step lowest. */
static void put_presence(const struct columns_grid *g, const struct columns_series *s,
                         struct strbuf *out)
{
    size_t size = (g->steps + 7) / 8;
    uint8_t *bits = (uint8_t *)strbuf_reserve(out, size);
    memset(bits, 0, size);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t at = (uint64_t)(s->t[i] - g->start) / (uint64_t)g->step_ms;
        assert(at < g->steps);
        bits[at / 8] |= (uint8_t)(1U << at % 8);
    }
    out->n += size;
}

/* By bits: one zero is not the other, and a NaN equals itself. */
static bool is_constant(const struct columns_series *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (memcmp(&s->v[i], &s->v[0], sizeof s->v[0]) != 0)
            return false;
    return s->n > 1;
}

void columns_put_series(const struct columns_dictionary *d, const struct columns_grid *g,
                        const struct columns_series *s, struct strbuf *out)
{
    size_t begin = out->n;
    bool constant = is_constant(s);
    put_u32(out, (uint32_t)s->labels.n);
    put_u32(out, constant ? COLUMN_CONSTANT : COLUMN_VALUES);
    put_u32(out, (uint32_t)s->n);
    put_u32(out, 0); /* keeps what follows aligned */
    for (size_t i = 0; i < s->labels.n; i++) {
        put_u32(out, id_of(d, s->labels.at[i].name));
        put_u32(out, id_of(d, s->labels.at[i].value));
    }
    if (s->n < g->steps)
        put_presence(g, s, out);
    pad(out, begin);
    if (s->n)
        put(out, s->v, (constant ? 1 : s->n) * sizeof *s->v);
}
