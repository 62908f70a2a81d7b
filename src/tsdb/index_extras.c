// SPDX-License-Identifier: Apache-2.0
/*
 * What few series of a part have: native histograms in blocks (section "histograms", its directory
 * "hist_blocks"), start timestamps as spans of time (section "starts"); and the list of exemplars.
 * A part without them has none of these sections.
 */
#include <inttypes.h>

#include "base/hash.h"
#include "sys/self.h"
#include "tsdb/hist_block.h"
#include "tsdb/index_int.h"

/* Histograms of a block: an hour at 15 s. */
enum { BLOCK_HISTOGRAMS = 240 };

/* ---- writing ---- */

static void out_series(struct few_out *o, uint32_t id, uint64_t n)
{
    enc_uvar(&o->e, id - o->last_id);
    enc_uvar(&o->e, n);
    o->last_id = id;
    o->series_n++;
}

static void out_time(struct few_out *o, ts_ms min_t, ts_ms max_t)
{
    enc_svar(&o->e, (int64_t)((uint64_t)min_t - o->t));
    enc_uvar(&o->e, (uint64_t)max_t - (uint64_t)min_t);
    o->t = (uint64_t)max_t;
}

static size_t out_block(struct extras_out *x, struct enc *dir, const ts_ms *t,
                        const struct histogram *const *h, size_t n)
{
    struct enc e = {0};
    enc_u32(&e, 0);
    size_t taken = hist_block_encode(&e, t, h, n < BLOCK_HISTOGRAMS ? n : BLOCK_HISTOGRAMS);
    uint32_t crc = crc32c(0, e.p + sizeof crc, e.n - sizeof crc);
    memcpy(e.p, &crc, sizeof crc);
    enc_bytes(&x->blocks, e.p, e.n);
    struct few_out o = {.e = *dir, .t = x->hist.t};
    out_time(&o, t[0], t[taken - 1]);
    enc_uvar(&o.e, taken);
    enc_uvar(&o.e, e.n);
    *dir = o.e;
    x->hist.t = o.t;
    enc_fini(&e);
    return taken;
}

static void out_histograms(struct extras_out *x, uint32_t id, const ts_ms *t,
                           const struct histogram *const *h, size_t n)
{
    ts_ms *ht MEM_CLEANUP = mem_array(n + 1, sizeof *ht);
    const struct histogram **hh MEM_CLEANUP = mem_array(n + 1, sizeof *hh);
    struct enc dir = {0};
    size_t k = 0, blocks = 0;
    for (size_t i = 0; i < n; i++)
        if (h[i]) {
            ht[k] = t[i];
            hh[k++] = h[i];
        }
    for (size_t at = 0; at < k; blocks++)
        at += out_block(x, &dir, ht + at, hh + at, k - at);
    if (blocks) {
        out_series(&x->hist, id, blocks);
        enc_bytes(&x->hist.e, dir.p, dir.n);
    }
    enc_fini(&dir);
}

/* The end of the run of equal starts that begins at i. */
static size_t run_end(const ts_ms *start, size_t i, size_t n)
{
    size_t to = i + 1;
    while (to < n && start[to] == start[i])
        to++;
    return to;
}

static void out_starts(struct few_out *o, uint32_t id, const ts_ms *t, const ts_ms *start, size_t n)
{
    size_t spans = 0;
    for (size_t i = 0; i < n; i = run_end(start, i, n))
        spans += start[i] != 0;
    if (!spans)
        return;
    out_series(o, id, spans);
    for (size_t i = 0, to; i < n; i = to) {
        to = run_end(start, i, n);
        if (!start[i])
            continue;
        out_time(o, t[i], t[to - 1]);
        enc_svar(&o->e, (int64_t)((uint64_t)start[i] - o->start));
        o->start = (uint64_t)start[i];
    }
}

void extras_out_series(struct extras_out *x, uint32_t id, const ts_ms *t,
                       const struct histogram *const *h, const ts_ms *start, size_t n)
{
    if (h)
        out_histograms(x, id, t, h, n);
    if (start)
        out_starts(&x->starts, id, t, start, n);
}

void extras_out_fini(struct extras_out *x)
{
    enc_fini(&x->blocks);
    enc_fini(&x->exemplars);
    enc_fini(&x->hist.e);
    enc_fini(&x->starts.e);
}

static void give_few(struct few_out *o, const char *name,
                     void (*section)(void *arg, const char *name, struct enc *e), void *arg)
{
    struct enc e = {0};
    enc_uvar(&e, o->series_n);
    enc_bytes(&e, o->e.p, o->e.n);
    section(arg, name, &e);
}

uint64_t extras_out_write(struct extras_out *x, struct part_writer *w,
                          void (*section)(void *arg, const char *name, struct enc *e), void *arg)
{
    uint64_t features = 0;
    if (x->hist.series_n) {
        part_writer_section(w, "histograms");
        part_writer_add(w, x->blocks.p, x->blocks.n);
        give_few(&x->hist, "hist_blocks", section, arg);
        features |= PART_HISTOGRAMS;
    }
    if (x->starts.series_n) {
        give_few(&x->starts, "starts", section, arg);
        features |= PART_STARTS;
    }
    if (x->exemplars.n) {
        section(arg, "exemplars", &x->exemplars);
        features |= PART_EXEMPLARS;
    }
    return features;
}

/* ---- loading ---- */

/* Counts of things that take at least one byte each. */
static bool take_ids(struct index *x, struct dec *d, struct few *f)
{
    uint64_t n = dec_uvar(d);
    if (d->bad || n > dec_left(d) || n > x->series_n)
        return false;
    f->ids_n = (uint32_t)n;
    f->ids = arena_alloc(&x->arena, (n + 1) * sizeof *f->ids);
    f->first = arena_alloc(&x->arena, (n + 1) * sizeof *f->first);
    return true;
}

static bool take_id(struct index *x, struct dec *d, struct few *f, uint32_t i, uint64_t *n)
{
    uint64_t id = dec_uvar(d) + (i ? f->ids[i - 1] : 0);
    *n = dec_uvar(d);
    if (d->bad || id >= x->series_n || (i && id == f->ids[i - 1]) || *n == 0 || *n > dec_left(d))
        return false;
    f->ids[i] = (uint32_t)id;
    return true;
}

/* Times rise within a series. */
static bool take_times(struct dec *d, uint64_t *t, bool first, ts_ms *min_t, ts_ms *max_t)
{
    ts_ms before = (ts_ms)*t;
    *min_t = (ts_ms)(*t + (uint64_t)dec_svar(d));
    *max_t = (ts_ms)((uint64_t)*min_t + dec_uvar(d));
    *t = (uint64_t)*max_t;
    return !d->bad && *max_t >= *min_t && (first || *min_t > before);
}

static bool load_hists(struct index *x, struct dec *d)
{
    VEC(struct hist_at) all = {0};
    uint64_t t = 0, off = 0, n;
    bool ok = take_ids(x, d, &x->hist);
    for (uint32_t i = 0; ok && i < x->hist.ids_n; i++) {
        ok = take_id(x, d, &x->hist, i, &n);
        x->hist.first[i] = (uint32_t)all.n;
        for (uint64_t k = 0; ok && k < n; k++) {
            struct hist_at at = {.off = off};
            ok = take_times(d, &t, k == 0, &at.min_t, &at.max_t);
            uint64_t samples = dec_uvar(d), size = dec_uvar(d);
            ok = ok && samples > 0 && samples <= HIST_BLOCK_SAMPLES_MAX &&
                 size > sizeof(uint32_t) && size <= x->hist_section->n - off;
            at.n = (uint32_t)samples;
            at.size = (uint32_t)size;
            off += size;
            vec_push(&all, at);
        }
    }
    ok = ok && off == x->hist_section->n && all.n < UINT32_MAX;
    if (ok) {
        x->hist.first[x->hist.ids_n] = (uint32_t)all.n;
        x->hists = arena_alloc(&x->arena, (all.n + 1) * sizeof *x->hists);
        memcpy(x->hists, all.at, all.n * sizeof *x->hists);
    }
    vec_fini(&all);
    return ok;
}

static bool load_starts(struct index *x, struct dec *d)
{
    VEC(struct start_span) all = {0};
    uint64_t t = 0, start = 0, n;
    bool ok = take_ids(x, d, &x->starts);
    for (uint32_t i = 0; ok && i < x->starts.ids_n; i++) {
        ok = take_id(x, d, &x->starts, i, &n);
        x->starts.first[i] = (uint32_t)all.n;
        for (uint64_t k = 0; ok && k < n; k++) {
            struct start_span s;
            ok = take_times(d, &t, k == 0, &s.from, &s.to);
            start += (uint64_t)dec_svar(d);
            s.start = (ts_ms)start;
            ok = ok && start != 0;
            vec_push(&all, s);
        }
    }
    ok = ok && all.n < UINT32_MAX;
    if (ok) {
        x->starts.first[x->starts.ids_n] = (uint32_t)all.n;
        x->start_spans = arena_alloc(&x->arena, (all.n + 1) * sizeof *x->start_spans);
        memcpy(x->start_spans, all.at, all.n * sizeof *x->start_spans);
    }
    vec_fini(&all);
    return ok;
}

/* Empty when there is no such section. */
static bool read_section(const struct index *x, const char *name, struct enc *out, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    bytes raw;
    arena_init(&a, 0);
    out->n = 0;
    if (!part_section(x->part, name))
        return true;
    if (!part_read_sections(x->part, &a, &name, 1, &raw, err))
        return false;
    return index_unpack(raw, out) || index_damaged(x, name, err);
}

static bool load_section(struct index *x, const char *name,
                         bool (*load)(struct index *x, struct dec *d), struct err *err)
{
    struct enc e = {0};
    bool ok = read_section(x, name, &e, err);
    if (ok && e.n) {
        struct dec d = dec_of(bytes_of(e.p, e.n));
        ok = (load(x, &d) && !d.bad && dec_left(&d) == 0) || index_damaged(x, name, err);
    }
    enc_fini(&e);
    return ok;
}

bool index_load_extras(struct index *x, struct err *err)
{
    x->hist_section = part_section(x->part, "histograms");
    if (x->hist_section && !load_section(x, "hist_blocks", load_hists, err))
        return false;
    return load_section(x, "starts", load_starts, err);
}

bool index_exemplars(const struct index *x, struct enc *out, struct err *err)
{
    return read_section(x, "exemplars", out, err);
}

/* ---- reading ---- */

/* The place of the series; ids_n: it has none. */
static uint32_t few_find(const struct few *f, uint32_t id)
{
    uint32_t lo = 0, hi = f->ids_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (f->ids[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->ids_n && f->ids[lo] == id ? lo : f->ids_n;
}

static bool damaged_block(const struct index *x, const struct hist_at *at, struct err *err)
{
    self_add(SELF_PART_CORRUPT_READS, 1);
    return err_set(err, ERR_CORRUPT,
                   "part %016" PRIx64 ", byte %" PRIu64 ": a block of histograms is damaged",
                   part_info(x->part)->id, x->hist_section->off + at->off);
}

static bool decode_block(const struct index *x, const struct hist_at *at, const uint8_t *p,
                         struct arena *a, ts_ms *t, const struct histogram **h, struct err *err)
{
    uint32_t crc;
    bytes b = bytes_of(p + sizeof crc, at->size - sizeof crc);
    memcpy(&crc, p, sizeof crc);
    if (crc != crc32c(0, b.p, b.n) || hist_block_count(b) != at->n ||
        !hist_block_decode(b, a, t, h, err) || t[0] != at->min_t || t[at->n - 1] != at->max_t)
        return damaged_block(x, at, err);
    for (uint32_t i = 1; i < at->n; i++)
        if (t[i - 1] >= t[i])
            return damaged_block(x, at, err);
    return true;
}

/* A block that is wanted, and whose. */
struct wanted {
    const struct hist_at *at;
    size_t series;
};

struct telling {
    const struct index *x;
    VEC(struct wanted) blocks;
    VEC(struct blob_range) ranges; /* of each block */
};

static void telling_fini(struct telling *k)
{
    VEC_EACH (r, &k->ranges)
        free(r->buf);
    vec_fini(&k->ranges);
    vec_fini(&k->blocks);
}

static void want(struct telling *k, size_t series, uint32_t id, const struct gather *g)
{
    const struct index *x = k->x;
    uint32_t place = few_find(&x->hist, id);
    if (place == x->hist.ids_n)
        return;
    for (uint32_t b = x->hist.first[place]; b < x->hist.first[place + 1]; b++) {
        const struct hist_at *at = &x->hists[b];
        if (at->min_t > g->end || at->max_t < g->start)
            continue;
        vec_push(&k->blocks, (struct wanted){at, series});
        vec_push(&k->ranges, (struct blob_range){x->hist_section->off + at->off, at->size,
                                                 mem_alloc(at->size)});
    }
}

/* Blocks [*next, ...) of this series. */
static bool tell_series(const struct telling *k, size_t series, uint32_t id, struct gather *g,
                        size_t from, size_t *next, struct err *err)
{
    const struct index *x = k->x;
    struct extra_view v = {0};
    size_t n = 0, to = *next;
    for (; to < k->blocks.n && k->blocks.at[to].series == series; to++)
        n += k->blocks.at[to].at->n;
    ts_ms *t MEM_CLEANUP = mem_array(n + 1, sizeof *t);
    const struct histogram **h MEM_CLEANUP = mem_array(n + 1, sizeof *h);
    for (; *next < to; ++*next) {
        const struct hist_at *at = k->blocks.at[*next].at;
        if (!decode_block(x, at, k->ranges.at[*next].buf, g->arena, t + v.h_n, h + v.h_n, err))
            return false;
        v.h_n += at->n;
    }
    v.t = t;
    v.h = h;
    uint32_t place = few_find(&x->starts, id);
    if (place < x->starts.ids_n) {
        v.starts = &x->start_spans[x->starts.first[place]];
        v.starts_n = x->starts.first[place + 1] - x->starts.first[place];
    }
    gather_tell(g, from, &v);
    return true;
}

bool index_tell(const struct index *x, const uint32_t *ids, size_t n, struct gather *const *out,
                const size_t *from, struct err *err)
{
    struct telling k = {.x = x};
    size_t next = 0;
    if (!x->hist.ids_n && !x->starts.ids_n)
        return true;
    for (size_t i = 0; i < n; i++)
        if (out[i]->n > from[i])
            want(&k, i, ids[i], out[i]);
    bool ok = k.ranges.n == 0 || blob_read(part_blob(x->part), k.ranges.at, k.ranges.n, err);
    for (size_t i = 0; i < n && ok; i++)
        ok = tell_series(&k, i, ids[i], out[i], from[i], &next, err);
    telling_fini(&k);
    return ok;
}

/* ---- scrubbing ---- */

size_t index_hist_blocks_n(const struct index *x)
{
    return x->hist.ids_n ? x->hist.first[x->hist.ids_n] : 0;
}

bool index_check_hist_block(const struct index *x, size_t no, uint64_t *size, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    const struct hist_at *at = &x->hists[no];
    struct blob_range r = {x->hist_section->off + at->off, at->size, mem_alloc(at->size)};
    arena_init(&a, 0);
    ts_ms *t = arena_alloc(&a, at->n * sizeof *t);
    const struct histogram **h = arena_alloc(&a, at->n * sizeof *h);
    *size = at->size;
    bool ok =
        blob_read(part_blob(x->part), &r, 1, err) && decode_block(x, at, r.buf, &a, t, h, err);
    free(r.buf);
    return ok;
}
