// SPDX-License-Identifier: Apache-2.0
/*
 * WriteRequest{1: TimeSeries, 3: MetricMetadata}, TimeSeries{1: Label, 2: Sample, 3: Exemplar,
 * 4: Histogram}, Label{1: name, 2: value}, Sample{1: double value, 2: int64 ms}, MetricMetadata{1:
 * type, 2: family, 4: help, 5: unit}.
 *
 * One pass over the top level counts the series; the second reads their samples and hashes the
 * bytes of their labels, which senders repeat as they are. Labels are read, checked and sorted when
 * the store asks for them. Unknown fields are skipped, groups are refused.
 */
#include "format/remote_write.h"

#include <assert.h>
#include <inttypes.h>

#include "format/remote_write_hist.h"
#include "sys/self.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed fields are copied as they are");

const struct remote_write_limits remote_write_default_limits = {
    .series_max = 200000,
    .samples_max = 2000000,
    .metadata_max = 100000,
    .labels_max = 64,
    .label_name_bytes_max = 512,
    .label_value_bytes_max = 8192,
};

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
    uint32_t number;
    enum wire wire;
    uint64_t v; /* varint or fixed */
    bytes b;    /* of WIRE_BYTES */
};

static bool read_varint_long(bytes *in, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < in->n && i < 10; i++) {
        v |= (uint64_t)(in->p[i] & 0x7f) << (7 * i);
        if (in->p[i] < 0x80) {
            in->p += i + 1;
            in->n -= i + 1;
            *out = v;
            return true;
        }
    }
    return false;
}

/* Lengths and keys have one or two bytes nearly always. */
static inline bool read_varint(bytes *in, uint64_t *out)
{
    size_t n = 1;
    if (in->n < 2)
        return read_varint_long(in, out);
    if (in->p[0] < 0x80) {
        *out = in->p[0];
    } else if (in->p[1] < 0x80) {
        *out = (uint64_t)(in->p[0] & 0x7f) | (uint64_t)in->p[1] << 7;
        n = 2;
    } else {
        return read_varint_long(in, out);
    }
    in->p += n;
    in->n -= n;
    return true;
}

static inline bool take(bytes *in, size_t n, bytes *out)
{
    if (n > in->n)
        return false;
    *out = bytes_of(in->p, n);
    in->p += n;
    in->n -= n;
    return true;
}

/* The next field; false when the bytes are no field. */
static inline bool next_field(bytes *in, struct field *f)
{
    uint64_t key, len;
    if (!read_varint(in, &key))
        return false;
    f->number = key >> 3 > UINT32_MAX ? UINT32_MAX : (uint32_t)(key >> 3);
    f->wire = (enum wire)(key & 7);
    if (f->number == 0)
        return false;
    switch (f->wire) {
    case WIRE_VARINT:
        return read_varint(in, &f->v);
    case WIRE_FIXED64:
        if (!take(in, 8, &f->b))
            return false;
        memcpy(&f->v, f->b.p, 8);
        return true;
    case WIRE_FIXED32:
        f->v = 0;
        return take(in, 4, &f->b);
    case WIRE_BYTES:
        return read_varint(in, &len) && len <= in->n && take(in, (size_t)len, &f->b);
    }
    return false;
}

/* Where a series stands in the body, for whoever needs its labels. */
struct place {
    const uint8_t *p;
    uint32_t n;
    uint32_t number; /* in the request, for messages */
};

/* Makes the labels of series that the store does not know by their bytes. In the batch's arena. */
struct remote_labels {
    struct labeller labeller; /* first: cast back */
    struct remote_write_limits limits;
    struct place *places; /* one for each series of the batch */
    struct label *scratch;
};

struct reader {
    const struct remote_write_limits *limits;
    struct batch *b;
    struct remote_write_skipped *skipped;
    struct remote_labels *labels;
    size_t samples_cap, exemplars_cap;
    uint32_t series_seen; /* for messages: which one, from 0 */
    struct err *err;
};

static bool broken(uint32_t number, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "remote write: malformed %s at series %" PRIu32, what, number);
}

static bool over(uint32_t number, const char *what, size_t limit, struct err *err)
{
    return err_set(err, ERR_LIMIT, "remote write: series %" PRIu32 ": more than %zu %s allow",
                   number, limit, what);
}

static bool count_top(struct reader *r, bytes body, size_t *series_n, size_t *metadata_n)
{
    struct field f;
    *series_n = *metadata_n = 0;
    while (body.n) {
        if (!next_field(&body, &f))
            return err_set(r->err, ERR_INVALID, "remote write: the body is no WriteRequest");
        bool ours = f.number == 1 || f.number == 3;
        if (ours && f.wire != WIRE_BYTES)
            return err_set(r->err, ERR_INVALID, "remote write: the body is no WriteRequest");
        *series_n += f.number == 1;
        *metadata_n += f.number == 3;
    }
    if (*series_n > r->limits->series_max)
        return err_set(r->err, ERR_LIMIT,
                       "remote write: %zu series in one request, series_max allows %zu", *series_n,
                       r->limits->series_max);
    if (*metadata_n > r->limits->metadata_max)
        return err_set(r->err, ERR_LIMIT,
                       "remote write: %zu metadata in one request, metadata_max allows %zu",
                       *metadata_n, r->limits->metadata_max);
    return true;
}

/* A label as senders write it: name, then value, both under 128 bytes, nothing else. */
static bool read_label_usual(bytes in, struct label *out)
{
    if (in.n < 4 || in.p[0] != 0x0a || in.p[1] >= 0x80)
        return false;
    size_t name_n = in.p[1];
    if (in.n < 4 + name_n || in.p[2 + name_n] != 0x12 || in.p[3 + name_n] >= 0x80)
        return false;
    size_t value_n = in.p[3 + name_n];
    if (in.n != 4 + name_n + value_n)
        return false;
    out->name = str_of((const char *)in.p + 2, name_n);
    out->value = str_of((const char *)in.p + 4 + name_n, value_n);
    return true;
}

static bool read_label_any(uint32_t number, bytes in, struct label *out, struct err *err)
{
    struct field f;
    *out = (struct label){STR(""), STR("")};
    while (in.n) {
        if (!next_field(&in, &f))
            return broken(number, "label", err);
        if (f.number > 2)
            continue;
        if (f.wire != WIRE_BYTES)
            return broken(number, "label", err);
        *(f.number == 1 ? &out->name : &out->value) = str_from_bytes(f.b);
    }
    return true;
}

static bool is_ascii(bytes in)
{
    uint64_t all = 0, eight;
    for (; in.n >= 8; in.p += 8, in.n -= 8) {
        memcpy(&eight, in.p, 8);
        all |= eight;
    }
    for (; in.n; in.p++, in.n--)
        all |= in.p[0];
    return !(all & 0x8080808080808080ULL);
}

static bool read_label(const struct remote_labels *l, uint32_t number, bytes in, struct label *out,
                       struct err *err)
{
    if (!read_label_usual(in, out) && !read_label_any(number, in, out, err))
        return false;
    if (out->name.n == 0)
        return err_set(err, ERR_INVALID, "remote write: series %" PRIu32 ": a label has no name",
                       number);
    if (!is_ascii(in) && !(str_utf8_valid(out->name) && str_utf8_valid(out->value)))
        return err_set(err, ERR_INVALID, "remote write: series %" PRIu32 ": a label is not UTF-8",
                       number);
    if (out->name.n > l->limits.label_name_bytes_max)
        return over(number, "bytes of a label name label_name_bytes_max",
                    l->limits.label_name_bytes_max, err);
    if (out->value.n > l->limits.label_value_bytes_max)
        return over(number, "bytes of a label value label_value_bytes_max",
                    l->limits.label_value_bytes_max, err);
    return true;
}

static void grow_samples(struct reader *r)
{
    struct batch *b = r->b;
    size_t cap = r->samples_cap ? 2 * r->samples_cap : 64;
    ts_ms *t = arena_alloc(&b->arena, cap * sizeof *t);
    double *v = arena_alloc(&b->arena, cap * sizeof *v);
    if (b->samples_n) {
        memcpy(t, b->t, b->samples_n * sizeof *t);
        memcpy(v, b->v, b->samples_n * sizeof *v);
    }
    if (b->h) {
        const struct histogram **h = arena_zalloc(&b->arena, cap * sizeof *h);
        memcpy(h, b->h, b->samples_n * sizeof *h);
        b->h = h;
    }
    b->t = t;
    b->v = v;
    r->samples_cap = cap;
}

/* A sample as senders write it: value, then time, nothing else. The time's varint is what is left,
 * at most 8 bytes; they are loaded together with bytes before them, and the groups of 7 bits pushed
 * together. */
static inline bool read_sample_usual(bytes in, uint64_t *value, uint64_t *t)
{
    if (in.n < 11 || in.n > 18 || in.p[0] != 0x09 || in.p[9] != 0x10)
        return false;
    unsigned missing = 8 * (unsigned)(18 - in.n);
    uint64_t x;
    memcpy(value, in.p + 1, 8);
    memcpy(&x, in.p + in.n - 8, 8);
    x >>= missing;
    if ((x & 0x8080808080808080ULL) != 0x0080808080808080ULL >> missing)
        return false;
    x &= 0x7f7f7f7f7f7f7f7fULL;
    x = (x & 0x007f007f007f007fULL) | (x & 0x7f007f007f007f00ULL) >> 1;
    x = (x & 0x00003fff00003fffULL) | (x & 0x3fff00003fff0000ULL) >> 2;
    *t = (x & 0x0fffffffULL) | (x & 0x0fffffff00000000ULL) >> 4;
    return true;
}

static bool read_sample_any(struct reader *r, bytes in, uint64_t *value, uint64_t *t)
{
    struct field f;
    *value = *t = 0;
    while (in.n) {
        if (!next_field(&in, &f))
            return broken(r->series_seen, "sample", r->err);
        if (f.number > 2)
            continue;
        if (f.wire != (f.number == 1 ? WIRE_FIXED64 : WIRE_VARINT))
            return broken(r->series_seen, "sample", r->err);
        *(f.number == 1 ? value : t) = f.v;
    }
    return true;
}

static bool add_sample(struct reader *r, ts_ms t, double v)
{
    struct batch *b = r->b;
    if (b->samples_n >= r->limits->samples_max)
        return over(r->series_seen, "samples in one request samples_max", r->limits->samples_max,
                    r->err);
    if (b->samples_n == r->samples_cap)
        grow_samples(r);
    b->t[b->samples_n] = t;
    b->v[b->samples_n++] = v;
    return true;
}

static inline bool read_sample(struct reader *r, bytes in)
{
    uint64_t value, t;
    if (!read_sample_usual(in, &value, &t) && !read_sample_any(r, in, &value, &t))
        return false;
    return add_sample(r, (ts_ms)t, f64_from_bits(value));
}

static bool read_histogram(struct reader *r, bytes in)
{
    struct remote_write_histogram x;
    struct batch *b = r->b;
    if (!remote_write_read_histogram(in, &b->arena, &x, r->err))
        return err_wrap(r->err, "series %" PRIu32, r->series_seen);
    if (!add_sample(r, x.t, x.h ? histogram_mark() : stale_nan()))
        return false;
    if (!b->h)
        b->h = arena_zalloc(&b->arena, r->samples_cap * sizeof *b->h);
    b->h[b->samples_n - 1] = x.h;
    return true;
}

/* A wrong one takes nothing along, as upstream. */
static bool read_exemplar(struct reader *r, bytes in)
{
    struct batch *b = r->b;
    struct batch_exemplar x = {.series = (uint32_t)b->series_n};
    struct err ignored;
    if (b->exemplars_n >= r->limits->samples_max)
        return over(r->series_seen, "exemplars in one request samples_max", r->limits->samples_max,
                    r->err);
    if (!remote_write_read_exemplar(in, &b->arena, &x, &ignored)) {
        r->skipped->exemplars++;
        return true;
    }
    if (b->exemplars_n == r->exemplars_cap) {
        size_t cap = r->exemplars_cap ? 2 * r->exemplars_cap : 16;
        struct batch_exemplar *at = arena_alloc(&b->arena, cap * sizeof *at);
        if (b->exemplars_n)
            memcpy(at, b->exemplars, b->exemplars_n * sizeof *at);
        b->exemplars = at;
        r->exemplars_cap = cap;
    }
    b->exemplars[b->exemplars_n++] = x;
    return true;
}

/* The first byte decides most comparisons of neighbours. Names are not empty. */
static bool in_order(str a, str b)
{
    unsigned char x = (unsigned char)a.p[0], y = (unsigned char)b.p[0];
    return x != y ? x < y : str_cmp(a, b) < 0;
}

/* Sorts labels that came unsorted, refuses a name given twice. */
static bool sort_labels(uint32_t number, struct label *at, size_t n, struct err *err)
{
    size_t i = 1;
    while (i < n && in_order(at[i - 1].name, at[i].name))
        i++;
    if (i >= n)
        return true;
    label_sort(at, n);
    for (i = 1; i < n; i++) {
        if (str_eq(at[i].name, at[i - 1].name))
            return err_set(err, ERR_INVALID,
                           "remote write: series %" PRIu32 ": label \"%.*s\" is given twice",
                           number, STR_ARG(at[i].name));
    }
    return true;
}

/* Sorts the labels, drops empty values, and checks that there is a name. */
static bool settle(uint32_t number, struct label *at, size_t *n, struct err *err)
{
    if (!sort_labels(number, at, *n, err))
        return false;
    bool named = false;
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (at[i].value.n == 0)
            continue;
        named = named || str_eq(at[i].name, LABEL_NAME);
        at[kept++] = at[i];
    }
    *n = kept;
    return named ? true
                 : err_set(err, ERR_INVALID, "remote write: series %" PRIu32 ": no metric name",
                           number);
}

/* All labels of the series, wherever they stand in it, settled, in the batch's arena. */
static bool read_labels(const struct remote_labels *l, const struct place *at, struct arena *a,
                        struct labels *out, struct err *err)
{
    bytes in = bytes_of(at->p, at->n);
    struct field f;
    size_t n = 0;
    while (in.n) {
        if (!next_field(&in, &f))
            return broken(at->number, "series", err);
        if (f.number != 1)
            continue;
        if (n >= l->limits.labels_max)
            return over(at->number, "labels labels_max", l->limits.labels_max, err);
        if (f.wire != WIRE_BYTES || !read_label(l, at->number, f.b, &l->scratch[n++], err))
            return f.wire == WIRE_BYTES ? false : broken(at->number, "series", err);
    }
    if (!settle(at->number, l->scratch, &n, err))
        return false;
    struct label *copy = arena_alloc(a, n * sizeof *copy);
    memcpy(copy, l->scratch, n * sizeof *copy);
    *out = (struct labels){copy, n};
    return true;
}

/* The specification leaves no choice: one wrong series refuses the request. */
static enum label_verdict label_series(struct labeller *labeller, struct batch *b,
                                       struct batch_series *s, struct err *err)
{
    const struct remote_labels *l = (const struct remote_labels *)labeller;
    if (!read_labels(l, &l->places[s - b->series], &b->arena, &s->labels, err))
        return LABELS_FAIL;
    s->hash = labels_hash(s->labels);
    return LABELS_OK;
}

/* The labels that a series begins with, as bytes; nothing of them is looked at. */
static inline bytes labels_in_front(bytes in)
{
    enum { LABEL = 1 << 3 | WIRE_BYTES };
    const uint8_t *p = in.p, *end = in.p + in.n;
    while (end - p >= 2 && p[0] == LABEL) {
        bytes rest = bytes_of(p + 1, (size_t)(end - p) - 1);
        uint64_t n;
        if (!read_varint(&rest, &n) || n > rest.n)
            break;
        p = rest.p + n;
    }
    return bytes_of(in.p, (size_t)(p - in.p));
}

/* Series mostly have one sample and nothing else behind their labels. */
static inline bool is_one_sample(bytes rest)
{
    return rest.n >= 2 && rest.p[0] == (2 << 3 | WIRE_BYTES) && rest.p[1] < 0x80 &&
           rest.p[1] == rest.n - 2;
}

static bool read_series_field(struct reader *r, const struct field *f, bool *scattered)
{
    if (f->number > 4)
        return true;
    if (f->wire != WIRE_BYTES)
        return broken(r->series_seen, "series", r->err);
    switch (f->number) {
    case 1:
        *scattered = true;
        return true;
    case 2:
        return read_sample(r, f->b);
    case 3:
        return read_exemplar(r, f->b);
    default:
        return read_histogram(r, f->b);
    }
}

/*
 * The bytes of the labels are the series' key. Labels behind other fields are legal, and then there
 * is no key. A series without samples is only checked, and kept when it has exemplars.
 */
static bool read_series(struct reader *r, bytes in)
{
    struct batch *b = r->b;
    size_t first = b->samples_n, exemplars = b->exemplars_n;
    struct batch_series *s = &b->series[b->series_n];
    struct field f;
    bool scattered = false;
    bytes front = labels_in_front(in), rest = bytes_of(front.p + front.n, in.n - front.n);
    r->labels->places[b->series_n] = (struct place){in.p, (uint32_t)in.n, r->series_seen};
    if (is_one_sample(rest)) {
        if (!read_sample(r, bytes_of(rest.p + 2, rest.n - 2)))
            return false;
        rest.n = 0;
    }
    while (rest.n) {
        if (!next_field(&rest, &f))
            return broken(r->series_seen, "series", r->err);
        if (!read_series_field(r, &f, &scattered))
            return false;
    }
    r->series_seen++;
    *s = (struct batch_series){.first = (uint32_t)first, .n = (uint32_t)(b->samples_n - first)};
    if (s->n == 0) {
        b->series_n += b->exemplars_n > exemplars;
        return label_series(&r->labels->labeller, b, s, r->err) == LABELS_OK;
    }
    if (!scattered && front.n)
        s->key = series_key_of(SERIES_KEY_REMOTE_WRITE, front);
    b->series_n++;
    return true;
}

static const enum metric_type types[] = {
    METRIC_UNKNOWN,        METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM,
    METRIC_GAUGEHISTOGRAM, METRIC_SUMMARY, METRIC_INFO,  METRIC_STATESET,
};

static bool read_metadata(struct reader *r, bytes in)
{
    struct metadata m = {.family = STR(""), .unit = STR(""), .help = STR("")};
    struct field f;
    while (in.n) {
        if (!next_field(&in, &f))
            return broken(r->series_seen, "metadata", r->err);
        str *text = f.number == 2   ? &m.family
                    : f.number == 4 ? &m.help
                    : f.number == 5 ? &m.unit
                                    : NULL;
        if ((text && f.wire != WIRE_BYTES) || (f.number == 1 && f.wire != WIRE_VARINT))
            return broken(r->series_seen, "metadata", r->err);
        if (text)
            *text = str_from_bytes(f.b);
        else if (f.number == 1)
            m.type = f.v < sizeof types / sizeof *types ? types[f.v] : METRIC_UNKNOWN;
    }
    if (!str_utf8_valid(m.family) || !str_utf8_valid(m.help) || !str_utf8_valid(m.unit))
        return err_set(r->err, ERR_INVALID, "remote write: metadata is not UTF-8");
    if (m.family.n)
        r->b->metadata[r->b->metadata_n++] = m;
    return true;
}

static bool read_top(struct reader *r, bytes body)
{
    struct field f;
    while (body.n) {
        next_field(&body, &f); /* was read before, by count_top */
        if (f.number == 1 && !read_series(r, f.b))
            return false;
        if (f.number == 3 && !read_metadata(r, f.b))
            return false;
    }
    return true;
}

bool remote_write_decode(bytes body, const struct remote_write_limits *limits, struct batch *b,
                         struct remote_write_skipped *skipped, struct err *err)
{
    *skipped = (struct remote_write_skipped){0};
    struct reader r = {.limits = limits, .b = b, .skipped = skipped, .err = err};
    size_t series_n, metadata_n;
    if (!count_top(&r, body, &series_n, &metadata_n))
        return false;

    b->series = arena_alloc(&b->arena, (series_n + 1) * sizeof *b->series);
    b->metadata = arena_alloc(&b->arena, metadata_n * sizeof *b->metadata);
    r.labels = arena_alloc(&b->arena, sizeof *r.labels);
    *r.labels = (struct remote_labels){
        .labeller.label = label_series,
        .limits = *limits,
        .places = arena_alloc(&b->arena, (series_n + 1) * sizeof *r.labels->places),
        .scratch = arena_alloc(&b->arena, limits->labels_max * sizeof *r.labels->scratch),
    };
    b->labeller = &r.labels->labeller;
    r.samples_cap = series_n / 2; /* the usual request has one sample per series */
    grow_samples(&r);
    bool ok = read_top(&r, body);
    if (!ok)
        b->series_n = b->samples_n = b->exemplars_n = b->metadata_n = 0;
    self_add(SELF_REMOTE_WRITE_SKIPPED_EXEMPLARS, (int64_t)skipped->exemplars);
    return ok;
}

static size_t varint_size(uint64_t v)
{
    return (size_t)(70 - __builtin_clzll(v | 1)) / 7;
}

static void put_varint(struct strbuf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        strbuf_addc(out, (char)(v | 0x80));
    strbuf_addc(out, (char)v);
}

static void put_head(struct strbuf *out, unsigned number, enum wire wire, uint64_t v)
{
    strbuf_addc(out, (char)(number << 3 | (unsigned)wire));
    put_varint(out, v);
}

static void put_text(struct strbuf *out, unsigned number, str s)
{
    put_head(out, number, WIRE_BYTES, s.n);
    strbuf_add(out, s);
}

/* With the field's key and length. */
static size_t text_size(size_t n)
{
    return 1 + varint_size(n) + n;
}

static size_t label_size(const struct label *l)
{
    return text_size(l->name.n) + text_size(l->value.n);
}

static size_t sample_size(ts_ms t)
{
    return 9 + 1 + varint_size((uint64_t)t);
}

/* Histograms, stale markers of such too, and exemplars of series i. */
static void encode_others(const struct batch *b, size_t i, struct strbuf *out)
{
    const struct batch_series *s = &b->series[i];
    struct strbuf one STRBUF_CLEANUP = {0};
    for (size_t k = 0; k < b->exemplars_n; k++) {
        if (b->exemplars[k].series != i)
            continue;
        strbuf_clear(&one);
        remote_write_put_exemplar(&one, &b->exemplars[k]);
        put_text(out, 3, strbuf_str(&one));
    }
    for (size_t k = s->first; b->h && k < (size_t)s->first + s->n; k++) {
        if (!b->h[k])
            continue;
        strbuf_clear(&one);
        remote_write_put_histogram(
            &one, &(struct remote_write_histogram){b->t[k], b->start ? b->start[k] : 0, b->h[k]});
        put_text(out, 4, strbuf_str(&one));
    }
}

static bool is_float(const struct batch *b, size_t k)
{
    return !b->h || !b->h[k];
}

static void encode_series(const struct batch *b, size_t which, struct strbuf *out)
{
    const struct batch_series *s = &b->series[which];
    struct strbuf others STRBUF_CLEANUP = {0};
    encode_others(b, which, &others);
    size_t size = others.n;
    for (size_t i = 0; i < s->labels.n; i++)
        size += text_size(label_size(&s->labels.at[i]));
    for (size_t i = s->first; i < (size_t)s->first + s->n; i++)
        size += is_float(b, i) ? text_size(sample_size(b->t[i])) : 0;

    put_head(out, 1, WIRE_BYTES, size);
    for (size_t i = 0; i < s->labels.n; i++) {
        put_head(out, 1, WIRE_BYTES, label_size(&s->labels.at[i]));
        put_text(out, 1, s->labels.at[i].name);
        put_text(out, 2, s->labels.at[i].value);
    }
    for (size_t i = s->first; i < (size_t)s->first + s->n; i++) {
        if (!is_float(b, i))
            continue;
        put_head(out, 2, WIRE_BYTES, sample_size(b->t[i]));
        strbuf_addc(out, 1 << 3 | WIRE_FIXED64);
        strbuf_add(out, str_of((const char *)&b->v[i], 8));
        put_head(out, 2, WIRE_VARINT, (uint64_t)b->t[i]);
    }
    strbuf_add(out, strbuf_str(&others));
}

static void encode_metadata(const struct metadata *m, struct strbuf *out)
{
    uint64_t type = 0;
    while (type + 1 < sizeof types / sizeof *types && types[type] != m->type)
        type++;
    put_head(out, 3, WIRE_BYTES,
             2 + text_size(m->family.n) + text_size(m->help.n) + text_size(m->unit.n));
    put_head(out, 1, WIRE_VARINT, type);
    put_text(out, 2, m->family);
    put_text(out, 4, m->help);
    put_text(out, 5, m->unit);
}

void remote_write_encode(const struct batch *b, struct strbuf *out)
{
    for (size_t i = 0; i < b->series_n; i++)
        encode_series(b, i, out);
    for (size_t i = 0; i < b->metadata_n; i++)
        encode_metadata(&b->metadata[i], out);
}
