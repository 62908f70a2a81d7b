// SPDX-License-Identifier: Apache-2.0
/*
 * Cache of blob pages. A page is PAGE_BYTES of one blob (the last one shorter), found by blob and
 * number; all pages stand in one list, least recently used last. A read copies out of the pages it
 * finds, reads the missing ones in one batch, and then adds them.
 *
 * Two readers may miss the same page at once; both read it and one copy stays. Everything is under
 * one lock, which is held for table look-ups and copies of pages, never across a read.
 */
#include <pthread.h>

#include "base/hash.h"
#include "base/vec.h"
#include "store/blob.h"

enum { PAGE_BYTES = 64 << 10 };

struct page {
    struct page *next;          /* in its bucket */
    struct page *newer, *older; /* by use */
    uint64_t blob, no;
    size_t n;
    uint8_t data[];
};

struct blob_cache {
    pthread_mutex_t lock;
    uint64_t bytes_max, bytes, hits, misses, next_blob;
    struct page **buckets;
    size_t buckets_n; /* power of two */
    struct page *newest, *oldest;
};

struct cached_blob {
    struct blob blob;
    struct blob_cache *cache;
    struct blob *below;
    uint64_t id;
};

static struct page **bucket(struct blob_cache *c, uint64_t blob, uint64_t no)
{
    return &c->buckets[hash_mix(blob, no) & (c->buckets_n - 1)];
}

static void unlink_use(struct blob_cache *c, struct page *p)
{
    *(p->newer ? &p->newer->older : &c->newest) = p->older;
    *(p->older ? &p->older->newer : &c->oldest) = p->newer;
}

static void link_newest(struct blob_cache *c, struct page *p)
{
    p->newer = NULL;
    p->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = p;
    c->newest = p;
}

static struct page *find(struct blob_cache *c, uint64_t blob, uint64_t no)
{
    struct page *p = *bucket(c, blob, no);
    while (p && (p->blob != blob || p->no != no))
        p = p->next;
    return p;
}

static void drop(struct blob_cache *c, struct page *p)
{
    struct page **at = bucket(c, p->blob, p->no);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    unlink_use(c, p);
    c->bytes -= p->n;
    free(p);
}

static void add(struct blob_cache *c, struct page *p)
{
    if (find(c, p->blob, p->no)) {
        free(p);
        return;
    }
    struct page **at = bucket(c, p->blob, p->no);
    p->next = *at;
    *at = p;
    link_newest(c, p);
    c->bytes += p->n;
    while (c->bytes > c->bytes_max && c->oldest)
        drop(c, c->oldest);
}

struct blob_cache *blob_cache_new(uint64_t bytes_max)
{
    struct blob_cache *c = mem_new(struct blob_cache);
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_max = bytes_max;
    for (c->buckets_n = 64; c->buckets_n < bytes_max / PAGE_BYTES; c->buckets_n *= 2)
        ;
    c->buckets = mem_zalloc(c->buckets_n * sizeof(struct page *));
    return c;
}

void blob_cache_free(struct blob_cache *c)
{
    while (c->oldest)
        drop(c, c->oldest);
    free(c->buckets);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void blob_cache_stats(struct blob_cache *c, struct blob_cache_stats *out)
{
    pthread_mutex_lock(&c->lock);
    *out = (struct blob_cache_stats){c->bytes, c->hits, c->misses};
    pthread_mutex_unlock(&c->lock);
}

/* Copies what range and page have in common. */
static void copy_common(const struct blob_range *r, const struct page *p)
{
    uint64_t page_off = p->no * PAGE_BYTES;
    uint64_t from = r->off > page_off ? r->off : page_off;
    uint64_t to = r->off + r->n < page_off + p->n ? r->off + r->n : page_off + p->n;
    if (from < to)
        memcpy((uint8_t *)r->buf + (from - r->off), p->data + (from - page_off), to - from);
}

struct cached_read {
    struct cached_blob *b;
    struct blob_range *ranges;
    size_t n;
    blob_done done;
    void *arg;
    VEC(struct page *) pages; /* those that were missing, rising */
    struct blob_range *below; /* one for each */
};

static void read_free(struct cached_read *r)
{
    vec_fini(&r->pages);
    free(r->below);
    free(r);
}

static int page_cmp(const void *a, const void *b)
{
    const struct page *x = *(struct page *const *)a, *y = *(struct page *const *)b;
    return (x->no > y->no) - (x->no < y->no);
}

/* The missing page with number `no`; NULL when it was not missing. */
static struct page *missing(const struct cached_read *r, uint64_t no)
{
    size_t lo = 0, hi = r->pages.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (r->pages.at[mid]->no < no)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->pages.n && r->pages.at[lo]->no == no ? r->pages.at[lo] : NULL;
}

static void below_done(void *arg, bool ok, const struct err *err)
{
    struct cached_read *r = arg;
    for (size_t i = 0; ok && i < r->n; i++) {
        const struct blob_range *g = &r->ranges[i];
        for (uint64_t no = g->off / PAGE_BYTES; g->n && no <= (g->off + g->n - 1) / PAGE_BYTES;
             no++) {
            const struct page *p = missing(r, no);
            if (p)
                copy_common(g, p);
        }
    }
    struct blob_cache *c = r->b->cache;
    pthread_mutex_lock(&c->lock);
    VEC_EACH (p, &r->pages)
        if (ok)
            add(c, *p);
        else
            free(*p);
    pthread_mutex_unlock(&c->lock);
    blob_done done = r->done;
    void *done_arg = r->arg;
    read_free(r);
    done(done_arg, ok, err);
}

/* Under the cache's lock: copies what is there, notes what is not. */
static void take_present(struct cached_read *r)
{
    struct blob_cache *c = r->b->cache;
    for (size_t i = 0; i < r->n; i++) {
        const struct blob_range *g = &r->ranges[i];
        for (uint64_t no = g->off / PAGE_BYTES; g->n && no <= (g->off + g->n - 1) / PAGE_BYTES;
             no++) {
            struct page *p = find(c, r->b->id, no);
            if (p) {
                c->hits++;
                unlink_use(c, p);
                link_newest(c, p);
                copy_common(g, p);
                continue;
            }
            c->misses++;
            uint64_t left = r->b->blob.size - no * PAGE_BYTES;
            size_t n = left < PAGE_BYTES ? (size_t)left : PAGE_BYTES;
            p = mem_alloc(sizeof *p + n);
            *p = (struct page){.blob = r->b->id, .no = no, .n = n};
            vec_push(&r->pages, p);
        }
    }
}

/* One page once, and the ranges to read from below. */
static void settle_missing(struct cached_read *r)
{
    if (r->pages.n)
        qsort(r->pages.at, r->pages.n, sizeof(struct page *), page_cmp);
    size_t n = 0;
    for (size_t i = 0; i < r->pages.n; i++) {
        if (n && r->pages.at[n - 1]->no == r->pages.at[i]->no)
            free(r->pages.at[i]);
        else
            r->pages.at[n++] = r->pages.at[i];
    }
    r->pages.n = n;
    r->below = mem_array(n ? n : 1, sizeof *r->below);
    for (size_t i = 0; i < n; i++) {
        struct page *p = r->pages.at[i];
        r->below[i] = (struct blob_range){p->no * PAGE_BYTES, p->n, p->data};
    }
}

static bool ranges_fit(const struct blob *b, const struct blob_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ranges[i].off > b->size || ranges[i].n > b->size - ranges[i].off)
            return false;
    return true;
}

static void cached_begin(struct blob *b, struct blob_range *ranges, size_t n, blob_done done,
                         void *arg)
{
    struct cached_blob *cb = (struct cached_blob *)b;
    if (!ranges_fit(b, ranges, n)) {
        struct err err = {0};
        err_set(&err, ERR_CORRUPT, "a read past the end of the file");
        done(arg, false, &err);
        return;
    }
    struct cached_read *r = mem_new(struct cached_read);
    *r = (struct cached_read){.b = cb, .ranges = ranges, .n = n, .done = done, .arg = arg};
    pthread_mutex_lock(&cb->cache->lock);
    take_present(r);
    pthread_mutex_unlock(&cb->cache->lock);
    settle_missing(r);
    if (r->pages.n == 0) {
        read_free(r);
        done(arg, true, NULL);
        return;
    }
    cb->below->ops->read(cb->below, r->below, r->pages.n, below_done, r);
}

static void cached_close(struct blob *b)
{
    struct cached_blob *cb = (struct cached_blob *)b;
    struct blob_cache *c = cb->cache;
    pthread_mutex_lock(&c->lock);
    for (struct page *p = c->newest, *older; p; p = older) {
        older = p->older;
        if (p->blob == cb->id)
            drop(c, p);
    }
    pthread_mutex_unlock(&c->lock);
    blob_close(cb->below);
    free(cb);
}

static const struct blob_ops cached_ops = {cached_begin, cached_close};

struct blob *blob_cached(struct blob_cache *c, struct blob *below)
{
    struct cached_blob *cb = mem_new(struct cached_blob);
    pthread_mutex_lock(&c->lock);
    *cb = (struct cached_blob){{&cached_ops, below->size}, c, below, ++c->next_blob};
    pthread_mutex_unlock(&c->lock);
    return &cb->blob;
}
