// SPDX-License-Identifier: Apache-2.0
/*
 * ReadRequest{1: Query, 2: accepted response types}, Query{1: start, 2: end, 3: LabelMatcher},
 * LabelMatcher{1: type, 2: name, 3: value}. ReadResponse{1: QueryResult{1: TimeSeries{1: Label,
 * 2: Sample, 4: Histogram}}}. ChunkedReadResponse{1: ChunkedSeries{1: Label, 2: Chunk{1: min, 2:
 * max, 3: type, 4: data}}, 2: query}; a frame of the stream is varint length, CRC32C (big-endian),
 * message.
 */
#include "format/remote_read.h"

#include "base/hash.h"
#include "codec/protobuf.h"
#include "format/prom_chunk.h"
#include "format/remote_write_hist.h"

static bool malformed(struct err *err)
{
    return err_set(err, ERR_INVALID, "remote read: the body is no ReadRequest");
}

static bool read_matcher(bytes in, struct matcher *out, struct err *err)
{
    static const enum match_op ops[] = {MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE};
    struct protobuf_field f;
    enum protobuf_step step;
    str name = STR(""), value = STR("");
    uint64_t type = 0;
    while ((step = protobuf_next(&in, &f, err)) == PROTOBUF_FIELD) {
        if (f.number > 3)
            continue;
        if (f.wire != (f.number == 1 ? PROTOBUF_VARINT : PROTOBUF_BYTES))
            return malformed(err);
        if (f.number == 1)
            type = f.value;
        else
            *(f.number == 2 ? &name : &value) = protobuf_str(&f);
    }
    if (step == PROTOBUF_ERROR || type >= sizeof ops / sizeof ops[0])
        return malformed(err);
    return matcher_init(out, ops[type], name, value, err) || err_wrap(err, "remote read");
}

static bool count_fields(bytes in, uint32_t number, size_t max, const char *what, size_t *n,
                         struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    *n = 0;
    while ((step = protobuf_next(&in, &f, err)) == PROTOBUF_FIELD) {
        if (f.number == number && f.wire != PROTOBUF_BYTES)
            return malformed(err);
        *n += f.number == number;
    }
    if (step == PROTOBUF_ERROR)
        return malformed(err);
    if (*n > max)
        return err_set(err, ERR_LIMIT, "remote read: more than %zu %s", max, what);
    return true;
}

static bool read_query(bytes in, struct arena *a, struct remote_read_query *q, struct err *err)
{
    struct protobuf_field f;
    size_t n;
    if (!count_fields(in, 3, REMOTE_READ_MATCHERS_MAX, "matchers in a query", &n, err))
        return false;
    q->m = arena_array(a, struct matcher, n + 1);
    while (protobuf_next(&in, &f, err) == PROTOBUF_FIELD) {
        if (f.number == 1)
            q->start = protobuf_i64(&f);
        else if (f.number == 2)
            q->end = protobuf_i64(&f);
        else if (f.number == 3 && !read_matcher(f.view, &q->m[q->m_n], err))
            return false;
        q->m_n += f.number == 3;
    }
    return true;
}

/* Types in the order in which the client wants them; one number a field, or packed. */
static void see_type(uint64_t v, bool *chosen, bool *any, enum remote_read_type *out)
{
    *any = true;
    if (*chosen || v > 1)
        return;
    *chosen = true;
    *out = v ? REMOTE_READ_STREAMED : REMOTE_READ_SAMPLES;
}

static bool read_types(bytes body, enum remote_read_type *out, struct err *err)
{
    struct protobuf_field f;
    bool chosen = false, any = false;
    uint64_t v;
    while (protobuf_next(&body, &f, err) == PROTOBUF_FIELD) {
        if (f.number != 2)
            continue;
        if (f.wire == PROTOBUF_VARINT)
            see_type(f.value, &chosen, &any, out);
        else if (f.wire != PROTOBUF_BYTES)
            return malformed(err);
        for (bytes rest = f.view; f.wire == PROTOBUF_BYTES && rest.n;) {
            if (!protobuf_cut_varint(&rest, &v))
                return malformed(err);
            see_type(v, &chosen, &any, out);
        }
    }
    if (any && !chosen)
        return err_set(err, ERR_INVALID,
                       "remote read: none of the accepted response types is known here: SAMPLES "
                       "and STREAMED_XOR_CHUNKS are");
    return true;
}

static bool read_request(bytes body, struct arena *a, struct remote_read_request *r,
                         struct err *err)
{
    struct protobuf_field f;
    size_t n;
    if (!count_fields(body, 1, REMOTE_READ_QUERIES_MAX, "queries", &n, err) ||
        !read_types(body, &r->type, err))
        return false;
    r->queries = arena_array(a, struct remote_read_query, n + 1);
    while (protobuf_next(&body, &f, err) == PROTOBUF_FIELD)
        if (f.number == 1 && !read_query(f.view, a, &r->queries[r->n++], err))
            return false;
    return true;
}

bool remote_read_decode(bytes body, struct arena *a, struct remote_read_request *out,
                        struct err *err)
{
    struct remote_read_request r = {0};
    if (!read_request(body, a, &r, err)) {
        remote_read_fini(&r);
        return false;
    }
    *out = r;
    return true;
}

void remote_read_fini(struct remote_read_request *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->queries[i].m_n; k++)
            matcher_fini(&r->queries[i].m[k]);
    r->n = 0;
}

/* ---- samples ---- */

static void put_strbuf(struct strbuf *out, uint32_t number, const struct strbuf *inner)
{
    protobuf_put_bytes(out, number, bytes_from_str(strbuf_str(inner)));
}

static void put_labels(struct labels ls, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf label = {0};
    for (size_t i = 0; i < ls.n; i++) {
        strbuf_clear(&label);
        protobuf_put_bytes(&label, 1, bytes_from_str(ls.at[i].name));
        protobuf_put_bytes(&label, 2, bytes_from_str(ls.at[i].value));
        put_strbuf(out, 1, &label);
    }
}

void remote_read_put_series(struct labels ls, const struct columns *c, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf series = {0}, one = {0};
    put_labels(ls, &series);
    for (size_t i = 0; i < c->n; i++) {
        strbuf_clear(&one);
        if (c->h && c->h[i]) {
            struct remote_write_histogram h = {.t = c->t[i], .h = c->h[i]};
            remote_write_put_histogram(&one, &h);
            put_strbuf(&series, 4, &one);
            continue;
        }
        protobuf_put_f64(&one, 1, c->v[i]);
        protobuf_put_varint(&one, 2, (uint64_t)c->t[i]);
        put_strbuf(&series, 2, &one);
    }
    put_strbuf(out, 1, &series);
}

void remote_read_put_result(const struct strbuf *result, struct strbuf *out)
{
    put_strbuf(out, 1, result);
}

/* ---- frames ---- */

/* The next samples as far as they are of one kind; how many. */
static size_t put_data(const struct columns *c, size_t from, uint8_t *encoding, struct strbuf *data)
{
    size_t n = c->n - from, k = 0;
    n = n < REMOTE_READ_CHUNK_SAMPLES ? n : REMOTE_READ_CHUNK_SAMPLES;
    bool floats = !c->h || !c->h[from];
    while (k < n && (!c->h || !c->h[from + k]) == floats)
        k++;
    if (!floats)
        return prom_chunk_put_histograms(c->t + from, c->h + from, k, encoding, data);
    *encoding = PROM_CHUNK_XOR;
    prom_chunk_put_floats(c->t + from, c->v + from, k, data);
    return k;
}

static size_t put_chunk(const struct columns *c, size_t from, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf data = {0}, chunk = {0};
    uint8_t encoding;
    size_t n = put_data(c, from, &encoding, &data);
    protobuf_put_varint(&chunk, 1, (uint64_t)c->t[from]);
    protobuf_put_varint(&chunk, 2, (uint64_t)c->t[from + n - 1]);
    protobuf_put_varint(&chunk, 3, encoding);
    put_strbuf(&chunk, 4, &data);
    put_strbuf(out, 2, &chunk);
    return n;
}

static void put_frame(const struct strbuf *series, size_t query, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf message = {0};
    put_strbuf(&message, 1, series);
    protobuf_put_varint(&message, 2, query);
    uint32_t crc = crc32c(0, message.p, message.n);
    protobuf_add_varint(out, message.n);
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_addc(out, (char)(crc >> shift));
    strbuf_add(out, strbuf_str(&message));
}

void remote_read_put_frames(struct labels ls, const struct columns *c, size_t query,
                            struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf series = {0};
    for (size_t from = 0; from < c->n || from == 0;) {
        strbuf_clear(&series);
        put_labels(ls, &series);
        while (from < c->n && series.n < REMOTE_READ_FRAME_BYTES)
            from += put_chunk(c, from, &series);
        put_frame(&series, query, out);
        if (c->n == 0)
            break;
    }
}
