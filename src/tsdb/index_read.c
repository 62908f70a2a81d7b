// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the samples of some series: the pages of their blocks and of the times, those that the
 * cache does not have in one batch. Neighbours mostly share pages, so each is looked for once.
 */
#include <inttypes.h>

#include "sys/self.h"
#include "tsdb/index_int.h"

/* A page that is needed. */
struct used {
    struct page_key key;
    struct page *page; /* NULL: not in the cache */
};

/* A block that is wanted, with its pages as places in `used`. */
struct block {
    uint32_t no, values, times;
    struct gather *out;
};

struct fetch {
    const struct index *x;
    struct page_cache *cache;
    VEC(struct used) used;
    VEC(struct block) blocks;
    VEC(struct blob_range) ranges; /* of the pages that the cache did not have, in their order */
    struct quota *quota;           /* of who reads; NULL: nobody counts */
    size_t held;                   /* by ranges and the pages made of them */
};

static void fetch_fini(struct fetch *f)
{
    VEC_EACH (u, &f->used)
        page_unref(u->page);
    VEC_EACH (r, &f->ranges)
        free(r->buf);
    vec_fini(&f->used);
    vec_fini(&f->blocks);
    vec_fini(&f->ranges);
    quota_hold(f->quota, &f->held, 0);
}

/* The page of values that has block `no`. */
static uint32_t page_of(const struct index *x, uint32_t no)
{
    uint32_t lo = 0, hi = x->pages_n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->pages[mid].first <= no)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static struct page_key key_of(const struct index *x, enum page_kind kind, uint32_t no)
{
    return (struct page_key){part_info(x->part)->id, no, kind};
}

static const struct page_at *place_of(const struct index *x, struct page_key k, uint64_t *off)
{
    const struct page_at *at = k.kind == PAGE_TIMES ? &x->time_pages[k.no] : &x->pages[k.no];
    *off = at->off + (k.kind == PAGE_TIMES ? x->times_section : x->values_section)->off;
    return at;
}

/* The place of the page in `used`; what is asked for again was mostly asked for lately. */
static uint32_t use(struct fetch *f, enum page_kind kind, uint32_t no)
{
    for (size_t i = f->used.n; i-- > 0;)
        if (f->used.at[i].key.no == no && f->used.at[i].key.kind == kind)
            return (uint32_t)i;
    struct page_key k = key_of(f->x, kind, no);
    struct used u = {k, page_cache_get(f->cache, k)};
    if (!u.page) {
        uint64_t off;
        const struct page_at *at = place_of(f->x, k, &off);
        vec_push(&f->ranges, (struct blob_range){off, at->size, mem_alloc(at->size)});
        quota_hold(f->quota, &f->held, f->held + at->size);
    }
    vec_push(&f->used, u);
    return (uint32_t)f->used.n - 1;
}

static void want_series(struct fetch *f, uint32_t id, struct gather *out)
{
    const struct index *x = f->x;
    uint32_t page = page_of(x, x->first_block[id]);
    for (uint32_t no = x->first_block[id]; no < x->first_block[id + 1]; no++) {
        const struct time_row *r = &x->rows[x->block_row[no]];
        while (no >= x->pages[page + 1].first)
            page++;
        if (r->min_t > out->end || r->max_t < out->start)
            continue;
        struct block b = {.no = no, .out = out};
        b.times = use(f, PAGE_TIMES, r->page);
        b.values = use(f, PAGE_VALUES, page);
        vec_push(&f->blocks, b);
    }
}

static struct page *decode(const struct index *x, struct page_key k, const struct blob_range *r,
                           struct err *err)
{
    uint64_t off;
    const struct page_at *at = place_of(x, k, &off);
    struct page *p = page_decode((bytes){r->buf, r->n}, k.kind, at->entries, err);
    if (p)
        return p;
    self_add(SELF_PART_CORRUPT_READS, 1);
    err_wrap(err, "part %016" PRIx64 ", byte %" PRIu64, k.part, off);
    return NULL;
}

static bool read_missing(struct fetch *f, struct err *err)
{
    if (!f->ranges.n)
        return true;
    if (!blob_read(part_blob(f->x->part), f->ranges.at, f->ranges.n, err))
        return false;
    size_t i = 0;
    VEC_EACH (u, &f->used) {
        if (u->page)
            continue;
        u->page = decode(f->x, u->key, &f->ranges.at[i++], err);
        if (!u->page)
            return false;
        quota_hold(f->quota, &f->held, f->held + u->page->bytes);
        page_cache_add(f->cache, u->key, u->page);
    }
    return true;
}

/* Places [*from, *to) of the rising times are in the range. */
static void clip(const ts_ms *t, uint32_t n, ts_ms start, ts_ms end, uint32_t *from, uint32_t *to)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (t[mid] < start)
            lo = mid + 1;
        else
            hi = mid;
    }
    *from = lo;
    for (hi = n; lo < hi;) {
        uint32_t mid = (lo + hi) / 2;
        if (t[mid] <= end)
            lo = mid + 1;
        else
            hi = mid;
    }
    *to = lo;
}

/* Decodes the whole block behind what was gathered and keeps what is wanted of it. */
static bool add_block(const struct fetch *f, const struct block *b, struct err *err)
{
    const struct index *x = f->x;
    const struct time_row *r = &x->rows[x->block_row[b->no]];
    const struct page *values = f->used.at[b->values].page, *times = f->used.at[b->times].page;
    const uint32_t *first = &times->first[r->at];
    const ts_ms *t = &times->t[first[0]];
    struct gather *g = b->out;
    uint32_t from, to, entry = b->no - x->pages[f->used.at[b->values].key.no].first;
    if (first[1] - first[0] != r->n || t[0] != r->min_t || t[r->n - 1] != r->max_t)
        return index_damaged(x, "a row of times", err);
    clip(t, r->n, g->start, g->end, &from, &to);
    if (from == to)
        return true;
    gather_room(g, r->n);
    if (!page_values(values, entry, g->v + g->n, r->n, err)) {
        self_add(SELF_PART_CORRUPT_READS, 1);
        return err_wrap(err, "part %016" PRIx64, part_info(x->part)->id);
    }
    if (from)
        memmove(g->v + g->n, g->v + g->n + from, (to - from) * sizeof *g->v);
    memcpy(g->t + g->n, t + from, (to - from) * sizeof *t);
    gather_count(g, to - from);
    return gather_fits(g, err);
}

bool index_read(const struct index *x, struct page_cache *c, const uint32_t *ids, size_t n,
                struct gather *const *out, struct err *err)
{
    struct fetch f = {.x = x, .cache = c, .quota = n ? out[0]->arena->quota : NULL};
    size_t *from MEM_CLEANUP = mem_array(n + 1, sizeof *from);
    for (size_t i = 0; i < n; i++) {
        want_series(&f, ids[i], out[i]);
        from[i] = out[i]->n;
    }
    bool ok = read_missing(&f, err);
    for (size_t i = 0; i < f.blocks.n && ok; i++)
        ok = add_block(&f, &f.blocks.at[i], err);
    fetch_fini(&f);
    return ok && index_tell(x, ids, n, out, from, err);
}

/* ---- scrubbing ---- */

size_t index_pages_n(const struct index *x)
{
    return (size_t)x->pages_n + x->time_pages_n + index_hist_blocks_n(x);
}

bool index_check_page(const struct index *x, size_t no, uint64_t *size, struct err *err)
{
    size_t pages = (size_t)x->pages_n + x->time_pages_n;
    bool is_times = no >= x->pages_n;
    if (no >= pages)
        return index_check_hist_block(x, no - pages, size, err);
    struct page_key k =
        key_of(x, is_times ? PAGE_TIMES : PAGE_VALUES, (uint32_t)(is_times ? no - x->pages_n : no));
    uint64_t off;
    const struct page_at *at = place_of(x, k, &off);
    struct blob_range r = {off, at->size, mem_alloc(at->size)};
    struct page *p = NULL;
    if (blob_read(part_blob(x->part), &r, 1, err))
        p = decode(x, k, &r, err);
    *size = at->size;
    free(r.buf);
    bool ok = p != NULL;
    page_unref(p);
    return ok;
}
