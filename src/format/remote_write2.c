// SPDX-License-Identifier: Apache-2.0
/*
 * Request{4: symbols, 5: TimeSeries}, TimeSeries{1: labels_refs, 2: Sample, 3: Histogram,
 * 4: Exemplar, 5: Metadata, 6: created_timestamp}, Sample{1: double, 2: int64 ms, 3: start},
 * Exemplar{1: labels_refs, 2: double, 3: int64 ms}, Metadata{1: type, 3: help_ref, 4: unit_ref}.
 * Histogram has the numbers of remote write 1.0, and 17: start. The start of all samples of a
 * series (created_timestamp) is what senders wrote before samples had one of their own.
 */
#include "format/remote_write2.h"

#include <inttypes.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/protobuf.h"
#include "format/remote_write_hist.h"

struct reader {
    const struct remote_write_limits *limits;
    struct batch *b;
    struct remote_write2_counts *counts;
    struct err *err;
    str *symbols;
    size_t symbols_n;
    size_t samples_cap, exemplars_cap, metadata_cap;
    VEC(uint32_t) refs;
    VEC(struct label) scratch;
    struct map families; /* whose metadata was taken */
    uint32_t number;     /* of the series at hand, from 0, for messages */
};

/* One series as it came, before anything of it is taken. */
struct series {
    struct labels labels;
    bytes message;
    size_t samples, histograms, exemplars;
    ts_ms created;
    bytes metadata;
};

static bool malformed(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_INVALID, "remote write: malformed %s at series %" PRIu32, what,
                   r->number);
}

static bool over(struct reader *r, const char *what, size_t limit)
{
    return err_set(r->err, ERR_LIMIT, "remote write: series %" PRIu32 ": more than %zu %s allow",
                   r->number, limit, what);
}

/* ---- the top level ---- */

static bool count_top(struct reader *r, bytes body, size_t *symbols, size_t *series)
{
    struct protobuf_field f;
    enum protobuf_step step;
    *symbols = *series = 0;
    while ((step = protobuf_next(&body, &f, r->err)) == PROTOBUF_FIELD) {
        if ((f.number == 4 || f.number == 5) && f.wire != PROTOBUF_BYTES)
            return err_set(r->err, ERR_INVALID, "remote write: the body is no Request of 2.0");
        *symbols += f.number == 4;
        *series += f.number == 5;
    }
    if (step == PROTOBUF_ERROR)
        return err_wrap(r->err, "remote write: the body is no Request of 2.0");
    if (*series > r->limits->series_max)
        return err_set(r->err, ERR_LIMIT,
                       "remote write: %zu series in one request, series_max allows %zu", *series,
                       r->limits->series_max);
    return true;
}

static bool read_symbols(struct reader *r, bytes body, size_t n)
{
    struct protobuf_field f;
    r->symbols = arena_array(&r->b->arena, str, n + 1);
    while (protobuf_next(&body, &f, r->err) == PROTOBUF_FIELD)
        if (f.number == 4)
            r->symbols[r->symbols_n++] = protobuf_str(&f);
    if (n && r->symbols[0].n)
        return err_set(r->err, ERR_INVALID, "remote write: the first symbol is not empty");
    return true;
}

static bool symbol(struct reader *r, uint64_t ref, str *out)
{
    if (ref >= r->symbols_n)
        return err_set(r->err, ERR_INVALID,
                       "remote write: series %" PRIu32 " refers to symbol %" PRIu64 " of %zu",
                       r->number, ref, r->symbols_n);
    *out = r->symbols[ref];
    return true;
}

/* ---- labels ---- */

/* One element, or many that are packed. */
static bool add_refs(struct reader *r, const struct protobuf_field *f)
{
    bytes rest = f->view;
    uint64_t v = f->value;
    if (f->wire == PROTOBUF_BYTES) {
        while (rest.n) {
            if (!protobuf_cut_varint(&rest, &v) || v > UINT32_MAX)
                return malformed(r, "label references");
            vec_push(&r->refs, (uint32_t)v);
        }
        return true;
    }
    if (f->wire != PROTOBUF_VARINT || v > UINT32_MAX)
        return malformed(r, "label references");
    vec_push(&r->refs, (uint32_t)v);
    return true;
}

/* The labels that `refs` name, as they came. */
static bool gather_labels(struct reader *r)
{
    vec_clear(&r->scratch);
    if (r->refs.n % 2)
        return malformed(r, "label references");
    if (r->refs.n / 2 > r->limits->labels_max)
        return over(r, "labels labels_max", r->limits->labels_max);
    for (size_t i = 0; i < r->refs.n; i += 2) {
        struct label l;
        if (!symbol(r, r->refs.at[i], &l.name) || !symbol(r, r->refs.at[i + 1], &l.value))
            return false;
        if (l.name.n > r->limits->label_name_bytes_max)
            return over(r, "bytes of a label name label_name_bytes_max",
                        r->limits->label_name_bytes_max);
        if (l.value.n > r->limits->label_value_bytes_max)
            return over(r, "bytes of a label value label_value_bytes_max",
                        r->limits->label_value_bytes_max);
        vec_push(&r->scratch, l);
    }
    return true;
}

/* Why the labels at hand are out of specification; NULL: they are fine. Sorts them and drops those
 * without value. */
static const char *settle_labels(struct reader *r, bool want_name)
{
    bool named = false;
    size_t n = 0;
    VEC_EACH (l, &r->scratch) {
        if (!l->name.n)
            return "a label has no name";
        if (!str_utf8_valid(l->name) || !str_utf8_valid(l->value))
            return "a label is not UTF-8";
    }
    if (r->scratch.n)
        label_sort(r->scratch.at, r->scratch.n);
    for (size_t i = 0; i < r->scratch.n; i++) {
        const struct label *l = &r->scratch.at[i];
        if (i > 0 && str_eq(l->name, l[-1].name))
            return "a label is given twice";
        named = named || (l->value.n && str_eq(l->name, LABEL_NAME));
    }
    for (size_t i = 0; i < r->scratch.n; i++)
        if (r->scratch.at[i].value.n)
            r->scratch.at[n++] = r->scratch.at[i];
    r->scratch.n = n;
    return want_name && !named ? "no metric name" : NULL;
}

static struct labels keep_labels(struct reader *r)
{
    struct label *at = arena_array(&r->b->arena, struct label, r->scratch.n + 1);
    if (r->scratch.n)
        memcpy(at, r->scratch.at, r->scratch.n * sizeof *at);
    return (struct labels){at, r->scratch.n};
}

/* ---- samples ---- */

static void *grown(struct reader *r, void *old, size_t n, size_t cap, size_t size)
{
    void *p = arena_alloc(&r->b->arena, cap * size);
    memset(p, 0, cap * size);
    if (n && old)
        memcpy(p, old, n * size);
    return p;
}

static bool add_sample(struct reader *r, ts_ms t, double v, const struct histogram *h, ts_ms start)
{
    struct batch *b = r->b;
    size_t n = b->samples_n;
    if (n >= r->limits->samples_max)
        return over(r, "samples in one request samples_max", r->limits->samples_max);
    if (n == r->samples_cap) {
        size_t cap = n ? 2 * n : 64;
        b->t = grown(r, b->t, n, cap, sizeof *b->t);
        b->v = grown(r, b->v, n, cap, sizeof *b->v);
        b->h = b->h ? grown(r, b->h, n, cap, sizeof *b->h) : NULL;
        b->start = b->start ? grown(r, b->start, n, cap, sizeof *b->start) : NULL;
        r->samples_cap = cap;
    }
    if (h && !b->h)
        b->h = grown(r, NULL, 0, r->samples_cap, sizeof *b->h);
    if (start && !b->start)
        b->start = grown(r, NULL, 0, r->samples_cap, sizeof *b->start);
    b->t[n] = t;
    b->v[n] = v;
    if (h)
        b->h[n] = h;
    if (start)
        b->start[n] = start;
    b->samples_n++;
    return true;
}

static bool read_sample(struct reader *r, bytes in, ts_ms created)
{
    struct protobuf_field f;
    enum protobuf_step step;
    double v = 0;
    ts_ms t = 0, start = 0;
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number > 3)
            continue;
        if (f.wire != (f.number == 1 ? PROTOBUF_FIXED64 : PROTOBUF_VARINT))
            return malformed(r, "sample");
        if (f.number == 1)
            v = protobuf_f64(&f);
        else
            *(f.number == 2 ? &t : &start) = protobuf_i64(&f);
    }
    if (step == PROTOBUF_ERROR)
        return malformed(r, "sample");
    r->counts->samples++;
    return add_sample(r, t, v, NULL, start ? start : created);
}

static bool read_histogram(struct reader *r, bytes in, ts_ms created)
{
    struct remote_write_histogram h;
    if (!remote_write_read_histogram(in, &r->b->arena, &h, r->err))
        return err_wrap(r->err, "remote write: series %" PRIu32, r->number);
    r->counts->histograms++;
    return add_sample(r, h.t, h.h ? 0 : stale_nan(), h.h, h.start ? h.start : created);
}

static bool read_exemplar(struct reader *r, bytes in, uint32_t series)
{
    struct batch_exemplar x = {.series = series};
    struct batch *b = r->b;
    struct protobuf_field f;
    enum protobuf_step step;
    vec_clear(&r->refs);
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number == 1 && !add_refs(r, &f))
            return false;
        if ((f.number == 2 && f.wire != PROTOBUF_FIXED64) ||
            (f.number == 3 && f.wire != PROTOBUF_VARINT))
            return malformed(r, "exemplar");
        if (f.number == 2)
            x.v = protobuf_f64(&f);
        else if (f.number == 3)
            x.t = protobuf_i64(&f);
    }
    if (step == PROTOBUF_ERROR)
        return malformed(r, "exemplar");
    if (!gather_labels(r))
        return false;
    const char *why = settle_labels(r, false);
    if (why)
        return err_set(r->err, ERR_INVALID, "remote write: exemplar of series %" PRIu32 ": %s",
                       r->number, why);
    x.labels = keep_labels(r);
    if (b->exemplars_n == r->exemplars_cap) {
        r->exemplars_cap = r->exemplars_cap ? 2 * r->exemplars_cap : 16;
        b->exemplars = grown(r, b->exemplars, b->exemplars_n, r->exemplars_cap, sizeof x);
    }
    b->exemplars[b->exemplars_n++] = x;
    r->counts->exemplars++;
    return true;
}

/* ---- metadata ---- */

static enum metric_type type_of(uint64_t v)
{
    static const uint8_t types[] = {METRIC_UNKNOWN,   METRIC_COUNTER,        METRIC_GAUGE,
                                    METRIC_HISTOGRAM, METRIC_GAUGEHISTOGRAM, METRIC_SUMMARY,
                                    METRIC_INFO,      METRIC_STATESET};
    return v < sizeof types ? (enum metric_type)types[v] : METRIC_UNKNOWN;
}

/* The family that a series of this type belongs to. */
static str family_of(str name, enum metric_type type)
{
    static const str suffixes[] = {STR_INIT("_bucket"), STR_INIT("_count"), STR_INIT("_sum")};
    bool many = type == METRIC_HISTOGRAM || type == METRIC_GAUGEHISTOGRAM || type == METRIC_SUMMARY;
    for (size_t i = type == METRIC_SUMMARY; many && i < 3; i++)
        if (str_ends(name, suffixes[i]) && name.n > suffixes[i].n)
            return str_sub(name, 0, name.n - suffixes[i].n);
    return name;
}

static bool put_metadata(struct reader *r, const struct metadata *m)
{
    struct batch *b = r->b;
    if (!map_put(&r->families, m->family, r))
        return true;
    if (b->metadata_n >= r->limits->metadata_max)
        return over(r, "metadata in one request metadata_max", r->limits->metadata_max);
    if (b->metadata_n == r->metadata_cap) {
        r->metadata_cap = r->metadata_cap ? 2 * r->metadata_cap : 16;
        b->metadata = grown(r, b->metadata, b->metadata_n, r->metadata_cap, sizeof *m);
    }
    b->metadata[b->metadata_n++] = *m;
    return true;
}

static bool read_metadata(struct reader *r, const struct series *s)
{
    struct metadata m = {.type = METRIC_UNKNOWN, .unit = STR(""), .help = STR("")};
    struct protobuf_field f;
    enum protobuf_step step;
    bytes in = s->metadata;
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number > 4 || f.number == 2)
            continue;
        if (f.wire != PROTOBUF_VARINT)
            return malformed(r, "metadata");
        if (f.number == 1)
            m.type = type_of(f.value);
        else if (!symbol(r, f.value, f.number == 3 ? &m.help : &m.unit))
            return false;
    }
    if (step == PROTOBUF_ERROR)
        return malformed(r, "metadata");
    if (m.type == METRIC_UNKNOWN && !m.help.n && !m.unit.n)
        return true;
    if (!str_utf8_valid(m.help) || !str_utf8_valid(m.unit))
        return malformed(r, "metadata");
    m.family = family_of(labels_metric_name(s->labels), m.type);
    return put_metadata(r, &m);
}

/* ---- a series ---- */

/* Labels, and how much of everything else there is. */
static bool survey(struct reader *r, struct series *s)
{
    struct protobuf_field f;
    enum protobuf_step step;
    bytes in = s->message;
    vec_clear(&r->refs);
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number >= 2 && f.number <= 5 && f.wire != PROTOBUF_BYTES)
            return malformed(r, "series");
        if (f.number == 1 && !add_refs(r, &f))
            return false;
        s->samples += f.number == 2;
        s->histograms += f.number == 3;
        s->exemplars += f.number == 4;
        if (f.number == 5)
            s->metadata = f.view;
        if (f.number == 6 && f.wire == PROTOBUF_VARINT)
            s->created = protobuf_i64(&f);
    }
    if (step == PROTOBUF_ERROR)
        return malformed(r, "series");
    return gather_labels(r);
}

static void leave_out(struct reader *r, const struct series *s, const char *why)
{
    r->counts->left_out += s->samples + s->histograms + s->exemplars;
    if (r->counts->first.kind == ERR_NONE)
        err_set(&r->counts->first, ERR_INVALID, "remote write: series %" PRIu32 ": %s", r->number,
                why);
}

static bool read_points(struct reader *r, const struct series *s, uint32_t series)
{
    struct protobuf_field f;
    bytes in = s->message;
    bool ok = true;
    while (ok && protobuf_next(&in, &f, r->err) == PROTOBUF_FIELD) {
        if (f.number == 2)
            ok = read_sample(r, f.view, s->created);
        else if (f.number == 3)
            ok = read_histogram(r, f.view, s->created);
        else if (f.number == 4)
            ok = read_exemplar(r, f.view, series);
    }
    return ok;
}

static bool read_series(struct reader *r, bytes message)
{
    struct series s = {.message = message, .metadata = {(const uint8_t *)"", 0}};
    struct batch *b = r->b;
    if (!survey(r, &s))
        return false;
    const char *why = settle_labels(r, true);
    if (!why && s.samples && s.histograms)
        why = "samples and histograms in one series";
    if (why) {
        leave_out(r, &s, why);
        return true;
    }
    s.labels = keep_labels(r);
    struct batch_series *bs = &b->series[b->series_n];
    *bs = (struct batch_series){
        .labels = s.labels, .hash = labels_hash(s.labels), .first = (uint32_t)b->samples_n};
    if (!read_points(r, &s, (uint32_t)b->series_n) || !read_metadata(r, &s))
        return false;
    bs->n = (uint32_t)b->samples_n - bs->first;
    b->series_n++;
    return true;
}

static bool read_all(struct reader *r, bytes body)
{
    size_t symbols, series;
    struct protobuf_field f;
    if (!count_top(r, body, &symbols, &series) || !read_symbols(r, body, symbols))
        return false;
    r->b->series = arena_array(&r->b->arena, struct batch_series, series + 1);
    while (protobuf_next(&body, &f, r->err) == PROTOBUF_FIELD) {
        if (f.number != 5)
            continue;
        if (!read_series(r, f.view))
            return false;
        r->number++;
    }
    return true;
}

bool remote_write2_decode(bytes body, const struct remote_write_limits *limits, struct batch *b,
                          struct remote_write2_counts *counts, struct err *err)
{
    struct reader r = {.limits = limits, .b = b, .counts = counts, .err = err};
    *counts = (struct remote_write2_counts){0};
    bool ok = read_all(&r, body);
    if (!ok)
        b->series_n = b->samples_n = b->exemplars_n = b->metadata_n = 0;
    vec_fini(&r.refs);
    vec_fini(&r.scratch);
    map_fini(&r.families);
    return ok;
}
