// SPDX-License-Identifier: Apache-2.0
#include "tsdb/record.h"

#include "tsdb/exemplars.h"
#include "tsdb/head.h"
#include "tsdb/hist_block.h"

/* Layout and sections; a reader refuses what it does not know. */
enum { RECORD_LAYOUT = 1 };
enum section {
    SECTION_DEFINITIONS = 1,
    SECTION_EXTRAS, /* what some samples of the next section are besides */
    SECTION_SAMPLES,
    SECTION_METADATA,
    SECTION_EXEMPLARS,
};

/* Of a sample in SECTION_EXTRAS. */
enum extra_bit { EXTRA_HISTOGRAM = 1, EXTRA_START = 2, EXTRA_BITS = 3 };

/* How a label is written: like that of the definition before at the same place, or in part. */
enum label_code { LABEL_SAME, LABEL_VALUE, LABEL_BOTH };

/* ---- sections: a byte that says which, the length, and what they hold ---- */

static size_t section_begin(struct enc *e, enum section which)
{
    enc_u8(e, (uint8_t)which);
    enc_u32(e, 0);
    return e->n;
}

static void section_end(struct enc *e, size_t from)
{
    uint32_t n = (uint32_t)(e->n - from);
    memcpy(e->p + from - sizeof n, &n, sizeof n);
}

/* ---- columns: a width, the least value, and what each has more in so many bytes ---- */

static unsigned width_of(uint64_t span)
{
    return span == 0            ? 0
           : span <= UINT8_MAX  ? 1
           : span <= UINT16_MAX ? 2
           : span <= UINT32_MAX ? 4
                                : 8;
}

#define PUT(T)                                                                                     \
    for (size_t i = 0; i < n; i++) {                                                               \
        T x = (T)(at[i] - least);                                                                  \
        memcpy(p + i * sizeof x, &x, sizeof x);                                                    \
    }                                                                                              \
    break

/* The values as signed or unsigned numbers; `least` and `span` = most - least are known. */
static void put_column(struct enc *e, const uint64_t *at, size_t n, uint64_t least, uint64_t span)
{
    unsigned width = width_of(span);
    enc_u8(e, (uint8_t)width);
    enc_u64(e, least);
    uint8_t *p = enc_room(e, n * width);
    switch (width) {
    case 1:
        PUT(uint8_t);
    case 2:
        PUT(uint16_t);
    case 4:
        PUT(uint32_t);
    case 8:
        PUT(uint64_t);
    }
    e->n += n * width;
}

static void put_unsigned(struct enc *e, const uint64_t *at, size_t n)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        least = at[i] < least ? at[i] : least;
        most = at[i] > most ? at[i] : most;
    }
    put_column(e, at, n, n ? least : 0, n ? most - least : 0);
}

static void put_times(struct enc *e, const ts_ms *at, size_t n)
{
    ts_ms least = INT64_MAX, most = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        least = at[i] < least ? at[i] : least;
        most = at[i] > most ? at[i] : most;
    }
    put_column(e, (const uint64_t *)at, n, n ? (uint64_t)least : 0,
               n ? (uint64_t)most - (uint64_t)least : 0);
}

#define GET(T)                                                                                     \
    for (size_t i = 0; i < n; i++) {                                                               \
        T x;                                                                                       \
        memcpy(&x, p + i * sizeof x, sizeof x);                                                    \
        to[i] = least + x;                                                                         \
    }                                                                                              \
    return true

/* `n` was checked against the bytes of a column that takes 8 for each. */
static bool get_column(struct dec *d, uint64_t *to, size_t n)
{
    uint8_t width = dec_u8(d);
    uint64_t least = dec_u64(d);
    const uint8_t *p = width <= 8 ? dec_take(d, n * width) : NULL;
    if (!p)
        return false;
    switch (width) {
    case 0:
        for (size_t i = 0; i < n; i++)
            to[i] = least;
        return true;
    case 1:
        GET(uint8_t);
    case 2:
        GET(uint16_t);
    case 4:
        GET(uint32_t);
    case 8:
        GET(uint64_t);
    }
    return false;
}

/* ---- encoding ---- */

static void encode_labels(struct enc *e, struct labels ls, struct labels before)
{
    enc_uvar(e, ls.n);
    for (size_t i = 0; i < ls.n; i++) {
        const struct label *l = &ls.at[i], *b = i < before.n ? &before.at[i] : NULL;
        bool same_name = b && str_eq(b->name, l->name);
        enum label_code code = !same_name                   ? LABEL_BOTH
                               : str_eq(b->value, l->value) ? LABEL_SAME
                                                            : LABEL_VALUE;
        enc_u8(e, (uint8_t)code);
        if (code == LABEL_BOTH)
            enc_str(e, l->name);
        if (code != LABEL_SAME)
            enc_str(e, l->value);
    }
}

static void encode_definitions(struct enc *e, const struct record_input *in)
{
    struct labels before = {0};
    size_t at = section_begin(e, SECTION_DEFINITIONS);
    enc_uvar(e, in->definitions_n);
    for (size_t i = 0; i < in->definitions_n; i++) {
        enc_uvar(e, in->definitions[i].number);
        encode_labels(e, in->definitions[i].labels, before);
        before = in->definitions[i].labels;
    }
    section_end(e, at);
}

/* What is stored of the batch, without holes. The columns of the batch itself when nothing of it is
 * left out, which is usual. */
struct picked {
    uint64_t *number, *count;
    const ts_ms *t;
    const double *v;
    size_t series_n, n;
    void *copy;
};

static void pick(const struct record_input *in, struct picked *p)
{
    const struct batch *b = in->b;
    bool in_place = true;
    *p = (struct picked){.t = b->t, .v = b->v, .series_n = b->series_n, .n = b->series_n};
    if (in->is_plain)
        return;
    p->series_n = p->n = 0;
    p->number = mem_array(b->series_n + 1, 2 * sizeof *p->number);
    p->count = p->number + b->series_n;
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if (!in->number[i] || !s->n)
            continue;
        in_place = in_place && s->first == p->n;
        p->number[p->series_n] = in->number[i];
        p->count[p->series_n++] = s->n;
        p->n += s->n;
    }
    if (in_place)
        return;
    ts_ms *t = p->copy = mem_array(p->n + 1, sizeof *t + sizeof(double));
    double *v = (double *)(t + p->n);
    for (size_t i = 0, n = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if (!in->number[i] || !s->n)
            continue;
        memcpy(t + n, b->t + s->first, s->n * sizeof *t);
        memcpy(v + n, b->v + s->first, s->n * sizeof *v);
        n += s->n;
    }
    p->t = t;
    p->v = v;
}

static uint8_t extra_bits(const struct batch *b, size_t k)
{
    return (uint8_t)((b->h && b->h[k] ? EXTRA_HISTOGRAM : 0) |
                     (b->start && b->start[k] ? EXTRA_START : 0));
}

/* Places are those of the samples that are written. */
static void encode_extras(struct enc *e, const struct record_input *in)
{
    const struct batch *b = in->b;
    size_t at = section_begin(e, SECTION_EXTRAS);
    uint64_t n = 0, before = 0, start = 0;
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if (!in->number[i])
            continue;
        for (size_t k = s->first; k < (size_t)s->first + s->n; k++, n++) {
            uint8_t bits = extra_bits(b, k);
            if (!bits)
                continue;
            enc_uvar(e, n - before);
            before = n;
            enc_u8(e, bits);
            if (bits & EXTRA_START) {
                enc_svar(e, (int64_t)((uint64_t)b->start[k] - start));
                start = (uint64_t)b->start[k];
            }
            if (bits & EXTRA_HISTOGRAM)
                hist_encode(e, b->h[k]);
        }
    }
    section_end(e, at);
}

static void encode_samples(struct enc *e, const struct record_input *in)
{
    struct picked p;
    pick(in, &p);
    if (p.n) {
        size_t at = section_begin(e, SECTION_SAMPLES);
        enc_uvar(e, p.series_n);
        enc_uvar(e, p.n);
        put_unsigned(e, in->is_plain ? in->number : p.number, p.series_n);
        if (in->is_plain)
            put_column(e, NULL, p.n, 1, 0);
        else
            put_unsigned(e, p.count, p.series_n);
        put_times(e, p.t, p.n);
        enc_bytes(e, p.v, p.n * sizeof *p.v);
        section_end(e, at);
    }
    free(p.number);
    free(p.copy);
}

static void encode_metadata(struct enc *e, const struct batch *b)
{
    size_t at = section_begin(e, SECTION_METADATA);
    enc_uvar(e, b->metadata_n);
    for (size_t i = 0; i < b->metadata_n; i++) {
        const struct metadata *m = &b->metadata[i];
        enc_str(e, m->family);
        enc_u8(e, (uint8_t)m->type);
        enc_str(e, m->unit);
        enc_str(e, m->help);
        enc_svar(e, m->since);
    }
    section_end(e, at);
}

void record_encode(struct enc *e, const struct record_input *in)
{
    enc_room(e, 128 + in->b->samples_n * 16 + in->definitions_n * 64);
    enc_u8(e, RECORD_LAYOUT);
    if (in->definitions_n)
        encode_definitions(e, in);
    if (in->b->h || in->b->start)
        encode_extras(e, in);
    encode_samples(e, in);
    if (in->b->metadata_n)
        encode_metadata(e, in->b);
    if (in->exemplars.n) {
        size_t at = section_begin(e, SECTION_EXEMPLARS);
        enc_bytes(e, in->exemplars.p, in->exemplars.n);
        section_end(e, at);
    }
}

/* ---- decoding ---- */

static bool decode_labels(struct dec *d, struct arena *a, struct labels before, struct labels *out)
{
    uint64_t n = dec_uvar(d);
    if (n > SERIES_LABELS_MAX || n > dec_left(d))
        return false;
    struct label *at = arena_alloc(a, (n + 1) * sizeof *at);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t code = dec_u8(d);
        if (code > LABEL_BOTH || (code != LABEL_BOTH && i >= before.n))
            return false;
        at[i].name = code == LABEL_BOTH ? dec_str(d) : before.at[i].name;
        at[i].value = code == LABEL_SAME ? before.at[i].value : dec_str(d);
        if (i > 0 && str_cmp(at[i - 1].name, at[i].name) >= 0)
            return false;
    }
    *out = (struct labels){at, n};
    return !d->bad;
}

static bool decode_definitions(struct dec *d, struct arena *a, const struct record_visitor *v)
{
    uint64_t n = dec_uvar(d);
    struct labels ls = {0};
    for (uint64_t i = 0; i < n; i++) {
        uint64_t number = dec_uvar(d);
        if (!decode_labels(d, a, ls, &ls) || number == 0 || !v->define(v->arg, number, ls))
            return false;
    }
    return !d->bad;
}

static bool check_samples(const struct record_samples *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->series_n; i++) {
        if (s->number[i] == 0 || s->count[i] == 0 || s->count[i] > s->n - n)
            return false;
        n += s->count[i];
    }
    return n == s->n;
}

struct sample_extra {
    uint64_t at; /* place among the samples */
    const struct histogram *h;
    ts_ms start;
};
typedef VEC(struct sample_extra) extra_list;

static bool decode_extras(struct dec *d, struct arena *a, extra_list *out)
{
    uint64_t at = 0, start = 0;
    while (dec_left(d) > 0) {
        struct sample_extra x = {0};
        uint64_t step = dec_uvar(d);
        uint8_t bits = dec_u8(d);
        if (d->bad || !bits || bits & ~EXTRA_BITS || (out->n && !step) || step > UINT32_MAX)
            return false;
        x.at = at += step;
        if (bits & EXTRA_START)
            x.start = (ts_ms)(start += (uint64_t)dec_svar(d));
        if (bits & EXTRA_HISTOGRAM) {
            x.h = hist_decode(d, a);
            if (!x.h)
                return false;
        }
        vec_push(out, x);
    }
    return !d->bad;
}

/* Makes columns of the list. */
static bool spread_extras(const extra_list *l, struct arena *a, struct record_samples *s)
{
    if (l->n == 0)
        return true;
    if (vec_last(l).at >= s->n)
        return false;
    const struct histogram **h = arena_zalloc(a, s->n * sizeof *h);
    ts_ms *start = arena_zalloc(a, s->n * sizeof *start);
    for (size_t i = 0; i < l->n; i++) {
        h[l->at[i].at] = l->at[i].h;
        start[l->at[i].at] = l->at[i].start;
    }
    s->h = h;
    s->start = start;
    return true;
}

static bool decode_samples(struct dec *d, struct arena *a, const extra_list *extras,
                           const struct record_visitor *v)
{
    uint64_t series_n = dec_uvar(d), n = dec_uvar(d);
    if (d->bad || n > dec_left(d) / sizeof(double) || series_n > n)
        return false;
    uint64_t *number = arena_alloc(a, series_n * sizeof *number);
    uint64_t *count = arena_alloc(a, series_n * sizeof *count);
    uint64_t *t = arena_alloc(a, n * sizeof *t);
    double *values = arena_alloc(a, n * sizeof *values);
    if (!get_column(d, number, series_n) || !get_column(d, count, series_n) || !get_column(d, t, n))
        return false;
    const uint8_t *p = dec_take(d, n * sizeof *values);
    if (!p)
        return false;
    memcpy(values, p, n * sizeof *values);
    struct record_samples s = {series_n, n, number, count, (const ts_ms *)t, values, NULL, NULL};
    return check_samples(&s) && spread_extras(extras, a, &s) && v->samples(v->arg, &s);
}

static bool decode_metadata(struct dec *d, const struct record_visitor *v)
{
    uint64_t n = dec_uvar(d);
    for (uint64_t i = 0; i < n; i++) {
        struct metadata m = {.family = dec_str(d)};
        uint8_t type = dec_u8(d);
        m.type = type <= METRIC_GAUGEHISTOGRAM ? (enum metric_type)type : METRIC_UNKNOWN;
        m.unit = dec_str(d);
        m.help = dec_str(d);
        m.since = dec_svar(d);
        if (d->bad || !v->metadata(v->arg, &m))
            return false;
    }
    return !d->bad;
}

static bool decode_section(enum section which, struct dec *d, struct arena *a, extra_list *extras,
                           const struct record_visitor *v)
{
    switch (which) {
    case SECTION_DEFINITIONS:
        return decode_definitions(d, a, v);
    case SECTION_EXTRAS:
        return decode_extras(d, a, extras);
    case SECTION_SAMPLES:
        return decode_samples(d, a, extras, v);
    case SECTION_METADATA:
        return decode_metadata(d, v);
    case SECTION_EXEMPLARS:
        return exemplar_rows_decode(d, a, v->exemplar, v->arg);
    }
    return false;
}

static bool decode_sections(struct dec d, struct arena *a, extra_list *extras,
                            const struct record_visitor *v)
{
    uint8_t before = 0;
    while (dec_left(&d) > 0) {
        uint8_t which = dec_u8(&d);
        uint32_t n = dec_u32(&d);
        const uint8_t *p = dec_take(&d, n);
        if (!p || which <= before)
            return false;
        struct dec in = dec_of(bytes_of(p, n));
        if (!decode_section((enum section)which, &in, a, extras, v) || dec_left(&in) > 0)
            return false;
        before = which;
    }
    return !d.bad;
}

bool record_decode(bytes b, struct arena *a, const struct record_visitor *v)
{
    struct dec d = dec_of(b);
    extra_list extras = {0};
    bool ok = dec_u8(&d) == RECORD_LAYOUT && decode_sections(d, a, &extras, v);
    vec_fini(&extras);
    return ok;
}
