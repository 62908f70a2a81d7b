// SPDX-License-Identifier: Apache-2.0
#include "tsdb/pages.h"

#include <assert.h>

#include "base/hash.h"
#include "base/vec.h"
#include "codec/zstd.h"
#include "tsdb/values.h"

enum {
    STREAMS = 3,
    LEVEL = 1,
    SMALL = 64,        /* streams below are not worth a frame */
    GAIN_DIVISOR = 16, /* compressed when at least a sixteenth is saved */
};

/* ---- writing ---- */

void page_put_values(struct row_streams *s, const double *v, size_t n)
{
    enc_uvar(&s->ctl, n);
    values_encode(s, v, n);
}

void page_put_times(struct row_streams *s, const ts_ms *t, size_t n)
{
    enc_uvar(&s->ctl, n);
    row_encode(s, t, n);
}

void page_encode(struct row_streams *s, uint32_t entries, struct enc *out)
{
    struct enc *const streams[STREAMS] = {&s->ctl, &s->low, &s->high};
    struct strbuf packed[STREAMS] = {{0}};
    size_t start = out->n;
    uint8_t flags = 0;
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i]->n < SMALL)
            continue;
        zstd_encode(bytes_of(streams[i]->p, streams[i]->n), LEVEL, &packed[i]);
        if (packed[i].n <= streams[i]->n - streams[i]->n / GAIN_DIVISOR)
            flags |= (uint8_t)(1 << i);
    }
    enc_u32(out, 0);
    enc_u8(out, flags);
    enc_uvar(out, entries);
    for (int i = 0; i < STREAMS; i++) {
        enc_uvar(out, streams[i]->n);
        if (flags & 1 << i)
            enc_uvar(out, packed[i].n);
    }
    for (int i = 0; i < STREAMS; i++) {
        if (flags & 1 << i)
            enc_bytes(out, packed[i].p, packed[i].n);
        else
            enc_bytes(out, streams[i]->p, streams[i]->n);
        streams[i]->n = 0;
        strbuf_fini(&packed[i]);
    }
    uint32_t crc = crc32c(0, out->p + start + sizeof crc, out->n - start - sizeof crc);
    memcpy(out->p + start, &crc, sizeof crc);
}

/* ---- reading ---- */

static bool malformed(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a page is malformed");
}

static bool unpack_stream(struct dec *d, bool packed, uint64_t raw, uint64_t stored,
                          struct enc *out, struct err *err)
{
    const uint8_t *p = dec_take(d, stored);
    if (!p)
        return malformed(err);
    out->p = mem_alloc(raw + 1);
    out->n = out->cap = raw;
    if (packed)
        return zstd_decode_exact(bytes_of(p, stored), out->p, raw, err);
    if (raw)
        memcpy(out->p, p, raw);
    return true;
}

static bool unpack_streams(struct page *p, bytes raw, uint32_t entries, struct err *err)
{
    struct enc *const streams[STREAMS] = {&p->streams.ctl, &p->streams.low, &p->streams.high};
    struct dec d = dec_of(raw);
    uint64_t sizes[STREAMS], stored[STREAMS];
    uint32_t crc = dec_u32(&d);
    if (d.bad || crc != crc32c(0, d.p, dec_left(&d)))
        return err_set(err, ERR_CORRUPT, "a page has a wrong checksum");
    uint8_t flags = dec_u8(&d);
    if (dec_uvar(&d) != entries || flags >= 1 << STREAMS)
        return malformed(err);
    for (int i = 0; i < STREAMS; i++) {
        sizes[i] = dec_uvar(&d);
        stored[i] = flags & 1 << i ? dec_uvar(&d) : sizes[i];
        if (sizes[i] > PAGE_RAW_BYTES_MAX)
            return malformed(err);
    }
    for (int i = 0; i < STREAMS; i++) {
        if (!unpack_stream(&d, flags & 1 << i, sizes[i], stored[i], streams[i], err))
            return false;
        p->bytes += sizes[i];
    }
    /* An entry has at least one byte. */
    return (dec_left(&d) == 0 && entries <= sizes[0]) || malformed(err);
}

static struct row_cursor cursor_of(const struct page *p)
{
    const struct row_streams *s = &p->streams;
    return (struct row_cursor){dec_of((bytes){s->ctl.p, s->ctl.n}),
                               dec_of((bytes){s->low.p, s->low.n}),
                               dec_of((bytes){s->high.p, s->high.n})};
}

static bool is_at_end(const struct row_cursor *c)
{
    return !row_cursor_bad(c) && !dec_left(&c->ctl) && !dec_left(&c->low) && !dec_left(&c->high);
}

/* Finds the entries. */
static bool place_values(struct page *p, struct err *err)
{
    struct row_cursor c = cursor_of(p), start = c;
    p->places = mem_array(p->n + 1, sizeof *p->places);
    p->bytes += p->n * sizeof *p->places;
    for (uint32_t i = 0; i < p->n && !row_cursor_bad(&c); i++) {
        p->places[i] = (struct page_place){(uint32_t)(c.ctl.p - start.ctl.p),
                                           (uint32_t)(c.low.p - start.low.p),
                                           (uint32_t)(c.high.p - start.high.p)};
        uint64_t n = dec_uvar(&c.ctl);
        if (n == 0 || n > ROW_MAX)
            return malformed(err);
        values_skip(&c, n);
    }
    return is_at_end(&c) || malformed(err);
}

static bool do_rise(const ts_ms *t, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (t[i - 1] >= t[i])
            return false;
    return true;
}

/* Decodes all rows; the streams are not needed any more. */
static bool decode_times(struct page *p, struct err *err)
{
    struct row_cursor c = cursor_of(p);
    VEC(ts_ms) t = {0};
    p->first = mem_array((size_t)p->n + 1, sizeof *p->first);
    p->first[0] = 0;
    for (uint32_t i = 0; i < p->n && !row_cursor_bad(&c); i++) {
        uint64_t n = dec_uvar(&c.ctl);
        if (n == 0 || n > ROW_MAX || t.n > PAGE_TIMES_MAX)
            c.ctl.bad = true;
        if (c.ctl.bad)
            break;
        vec_reserve(&t, n);
        row_decode(&c, t.at + t.n, n);
        if (!row_cursor_bad(&c) && !do_rise(t.at + t.n, n))
            c.ctl.bad = true;
        t.n += n;
        p->first[i + 1] = (uint32_t)t.n;
    }
    p->t = t.at;
    row_streams_fini(&p->streams);
    p->bytes = sizeof *p + t.cap * sizeof *t.at + p->n * sizeof *p->first;
    return is_at_end(&c) || malformed(err);
}

struct page *page_decode(bytes raw, enum page_kind kind, uint32_t entries, struct err *err)
{
    struct page *p = mem_new(struct page);
    *p = (struct page){.refs = 1, .kind = kind, .n = entries, .bytes = sizeof *p};
    if (unpack_streams(p, raw, entries, err) &&
        (kind == PAGE_TIMES ? decode_times(p, err) : place_values(p, err)))
        return p;
    page_unref(p);
    return NULL;
}

void page_unref(struct page *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    row_streams_fini(&p->streams);
    free(p->places);
    free(p->t);
    free(p->first);
    free(p);
}

bool page_values(const struct page *p, uint32_t i, double *v, size_t n, struct err *err)
{
    struct row_cursor c = cursor_of(p);
    const struct page_place *at = &p->places[i];
    assert(i < p->n);
    c.ctl.p += at->ctl;
    c.low.p += at->low;
    c.high.p += at->high;
    if (dec_uvar(&c.ctl) != n)
        return malformed(err);
    values_decode(&c, v, n);
    return !row_cursor_bad(&c) || malformed(err);
}
