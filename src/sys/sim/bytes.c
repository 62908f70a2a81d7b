// SPDX-License-Identifier: Apache-2.0
/* Pages are shared by count and copied by the first who writes: copies of a disk cost a pointer a
 * page. */
#include <assert.h>
#include <stdatomic.h>

#include "sys/sim/sim_int.h"

struct sim_page {
    _Atomic int refs; /* atomic: copies of one disk may be used by several threads */
    uint8_t at[SIM_PAGE];
};

static void page_unref(struct sim_page *p)
{
    if (p && atomic_fetch_sub(&p->refs, 1) == 1)
        free(p);
}

void sim_bytes_fini(struct sim_bytes *b)
{
    for (size_t i = 0; i < b->pages_n; i++)
        page_unref(b->pages[i]);
    free(b->pages);
    *b = (struct sim_bytes){0};
}

struct sim_bytes sim_bytes_copy(const struct sim_bytes *b)
{
    struct sim_bytes c = {.size = b->size, .pages_n = b->pages_n, .pages_cap = b->pages_n};
    c.pages = mem_array(c.pages_n, sizeof *c.pages);
    for (size_t i = 0; i < c.pages_n; i++) {
        c.pages[i] = b->pages[i];
        if (c.pages[i])
            atomic_fetch_add(&c.pages[i]->refs, 1);
    }
    return c;
}

/* The page of its own that a write may change. */
static struct sim_page *page_own(struct sim_bytes *b, size_t i)
{
    struct sim_page *p = b->pages[i];
    if (p && atomic_load(&p->refs) == 1)
        return p;
    struct sim_page *own = mem_new(struct sim_page);
    atomic_init(&own->refs, 1);
    if (p)
        memcpy(own->at, p->at, SIM_PAGE);
    page_unref(p);
    b->pages[i] = own;
    return own;
}

void sim_bytes_resize(struct sim_bytes *b, uint64_t size)
{
    size_t n = (size_t)((size + SIM_PAGE - 1) / SIM_PAGE);
    for (size_t i = n; i < b->pages_n; i++)
        page_unref(b->pages[i]);
    if (n > b->pages_cap) {
        size_t cap = n > 2 * b->pages_cap ? n : 2 * b->pages_cap;
        b->pages = mem_realloc(b->pages, cap * sizeof(*b->pages));
        b->pages_cap = cap;
    }
    if (n > b->pages_n)
        memset(b->pages + b->pages_n, 0, (n - b->pages_n) * sizeof(*b->pages));
    b->pages_n = n;
    if (size < b->size && size % SIM_PAGE && b->pages[n - 1])
        memset(page_own(b, n - 1)->at + size % SIM_PAGE, 0, SIM_PAGE - size % SIM_PAGE);
    b->size = size;
}

void sim_bytes_write(struct sim_bytes *b, uint64_t off, const void *p, size_t n)
{
    assert(off + n <= b->size);
    for (size_t done = 0, piece; done < n; done += piece) {
        size_t in = (size_t)((off + done) % SIM_PAGE);
        piece = n - done < SIM_PAGE - in ? n - done : SIM_PAGE - in;
        struct sim_page *page = page_own(b, (size_t)((off + done) / SIM_PAGE));
        memcpy(page->at + in, (const uint8_t *)p + done, piece);
    }
}

void sim_bytes_read(const struct sim_bytes *b, uint64_t off, void *p, size_t n)
{
    assert(off + n <= b->size);
    for (size_t done = 0, piece; done < n; done += piece) {
        size_t in = (size_t)((off + done) % SIM_PAGE);
        piece = n - done < SIM_PAGE - in ? n - done : SIM_PAGE - in;
        const struct sim_page *page = b->pages[(off + done) / SIM_PAGE];
        if (page)
            memcpy((uint8_t *)p + done, page->at + in, piece);
        else
            memset((uint8_t *)p + done, 0, piece);
    }
}
