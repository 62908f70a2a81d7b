// SPDX-License-Identifier: Apache-2.0
/* Cache of decoded pages: a hash table and a list by use, under one lock held for a look-up. */
#include "base/hash.h"
#include "tsdb/pages.h"

enum { BYTES_PER_BUCKET = 32 << 10, BUCKETS_MIN = 64 };

struct cached {
    struct cached *next;          /* in its bucket */
    struct cached *newer, *older; /* by use */
    struct page_key key;
    struct page *page;
};

struct page_cache {
    pthread_mutex_t lock;
    uint64_t bytes_max, bytes;
    struct cached **buckets;
    size_t buckets_n; /* power of two */
    struct cached *newest, *oldest;
};

struct page_cache *page_cache_new(uint64_t bytes_max)
{
    struct page_cache *c = mem_new(struct page_cache);
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_max = bytes_max;
    for (c->buckets_n = BUCKETS_MIN; c->buckets_n < bytes_max / BYTES_PER_BUCKET; c->buckets_n *= 2)
        ;
    c->buckets = mem_zalloc(c->buckets_n * sizeof(struct cached *));
    return c;
}

/* The link that leads to the entry, or to the end of its bucket. */
static struct cached **find(struct page_cache *c, struct page_key k)
{
    uint64_t h = hash_mix(hash_mix(k.part, k.no), k.kind);
    struct cached **at = &c->buckets[h & (c->buckets_n - 1)];
    while (*at && ((*at)->key.part != k.part || (*at)->key.no != k.no || (*at)->key.kind != k.kind))
        at = &(*at)->next;
    return at;
}

static void unlink_use(struct page_cache *c, struct cached *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct page_cache *c, struct cached *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop_oldest(struct page_cache *c)
{
    struct cached *e = c->oldest, **at = find(c, e->key);
    *at = e->next;
    unlink_use(c, e);
    c->bytes -= e->page->bytes;
    page_unref(e->page);
    free(e);
}

void page_cache_free(struct page_cache *c)
{
    while (c->oldest)
        drop_oldest(c);
    free(c->buckets);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct page *page_cache_get(struct page_cache *c, struct page_key k)
{
    struct page *p = NULL;
    pthread_mutex_lock(&c->lock);
    struct cached *e = *find(c, k);
    if (e) {
        p = e->page;
        atomic_fetch_add(&p->refs, 1);
        if (c->newest != e) {
            unlink_use(c, e);
            link_newest(c, e);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return p;
}

void page_cache_add(struct page_cache *c, struct page_key k, struct page *p)
{
    pthread_mutex_lock(&c->lock);
    struct cached **at = find(c, k);
    if (!*at) { /* else another reader was faster */
        struct cached *e = *at = mem_new(struct cached);
        *e = (struct cached){.key = k, .page = p};
        atomic_fetch_add(&p->refs, 1);
        link_newest(c, e);
        c->bytes += p->bytes;
        while (c->bytes > c->bytes_max && c->oldest)
            drop_oldest(c);
    }
    pthread_mutex_unlock(&c->lock);
}
