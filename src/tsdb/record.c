// SPDX-License-Identifier: Apache-2.0
#include "tsdb/record.h"

#include "tsdb/head.h"

/* How a label is written: like that of the definition before at the same place, or in part. */
enum label_code { LABEL_SAME, LABEL_VALUE, LABEL_BOTH };

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
    size_t n = 0;
    struct labels before = {0};
    for (size_t i = 0; i < in->b->series_n; i++)
        n += in->number[i] && in->define[i];
    enc_uvar(e, n);
    for (size_t i = 0; i < in->b->series_n; i++) {
        if (!in->number[i] || !in->define[i])
            continue;
        enc_uvar(e, in->number[i]);
        encode_labels(e, in->b->series[i].labels, before);
        before = in->b->series[i].labels;
    }
}

static void encode_samples(struct enc *e, const struct record_input *in)
{
    const struct batch *b = in->b;
    size_t n = 0;
    uint64_t number = 0;
    uint64_t t = 0;
    for (size_t i = 0; i < b->series_n; i++)
        n += in->number[i] != 0;
    enc_uvar(e, n);
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if (!in->number[i])
            continue;
        enc_svar(e, (int64_t)(in->number[i] - number));
        number = in->number[i];
        enc_uvar(e, s->n);
        uint8_t *p = enc_room(e, (size_t)s->n * (UVAR_BYTES_MAX + sizeof(double)));
        uint8_t *start = p;
        for (uint32_t k = s->first; k < s->first + s->n; k++) {
            p += uvar_put(p, zigzag((int64_t)((uint64_t)b->t[k] - t)));
            t = (uint64_t)b->t[k];
            memcpy(p, &b->v[k], sizeof b->v[k]);
            p += sizeof b->v[k];
        }
        e->n += (size_t)(p - start);
    }
}

void record_encode(struct enc *e, const struct record_input *in)
{
    enc_room(e, 64 + in->b->samples_n * 12);
    encode_definitions(e, in);
    encode_samples(e, in);
    enc_uvar(e, in->b->metadata_n);
    for (size_t i = 0; i < in->b->metadata_n; i++) {
        const struct metadata *m = &in->b->metadata[i];
        enc_str(e, m->family);
        enc_u8(e, (uint8_t)m->type);
        enc_str(e, m->unit);
        enc_str(e, m->help);
    }
}

static bool decode_labels(struct dec *d, struct arena *a, struct labels before, struct labels *out)
{
    uint64_t n = dec_uvar(d);
    if (d->bad || n > SERIES_LABELS_MAX || n > dec_left(d))
        return false;
    struct label *at = arena_array(a, struct label, n + 1);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t code = dec_u8(d);
        if (d->bad || code > LABEL_BOTH || (code != LABEL_BOTH && i >= before.n))
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

static bool decode_samples(struct dec *d, const struct record_visitor *v)
{
    uint64_t n = dec_uvar(d), number = 0, t = 0;
    for (uint64_t i = 0; i < n && !d->bad; i++) {
        number += (uint64_t)dec_svar(d);
        uint64_t count = dec_uvar(d);
        for (uint64_t k = 0; k < count; k++) {
            t += (uint64_t)dec_svar(d);
            uint64_t bits = dec_u64(d);
            double value;
            memcpy(&value, &bits, sizeof value);
            if (d->bad || number == 0 || !v->sample(v->arg, number, (ts_ms)t, value))
                return false;
        }
    }
    return !d->bad;
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
        if (d->bad || !v->metadata(v->arg, &m))
            return false;
    }
    return !d->bad;
}

bool record_decode(bytes b, struct arena *a, const struct record_visitor *v)
{
    struct dec d = dec_of(b);
    return decode_definitions(&d, a, v) && decode_samples(&d, v) && decode_metadata(&d, v) &&
           dec_left(&d) == 0;
}
