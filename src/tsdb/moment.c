// SPDX-License-Identifier: Apache-2.0
#include "tsdb/moment.h"

#include "tsdb/head.h"

enum { PAGE_NOTES = 256 };

struct note {
    const struct series *s;
    struct capture was;
};

struct moment_page {
    struct moment_page *next;
    size_t n;
    struct note at[PAGE_NOTES];
};

void moments_init(struct moments *m)
{
    *m = (struct moments){0};
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->ended, NULL);
}

void moments_fini(struct moments *m)
{
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->ended);
}

void moments_close(struct head *h)
{
    struct moments *all = &h->moments;
    pthread_rwlock_wrlock(&h->gate);
    all->closed = true;
    pthread_rwlock_unlock(&h->gate);
    pthread_mutex_lock(&all->lock);
    while (all->first)
        pthread_cond_wait(&all->ended, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

void moments_open(struct head *h)
{
    h->moments.closed = false;
}

void moment_begin(struct head *h, struct moment *m, struct arena *a)
{
    struct moments *all = &h->moments;
    *m = (struct moment){.arena = a};
    pthread_mutex_lock(&all->lock);
    m->began = ++all->clock;
    m->next = all->first;
    if (m->next)
        m->next->prev = m;
    all->first = m;
    pthread_mutex_unlock(&all->lock);
}

void moment_end(struct head *h, struct moment *m)
{
    struct moments *all = &h->moments;
    pthread_mutex_lock(&all->lock);
    if (m->next)
        m->next->prev = m->prev;
    if (m->prev)
        m->prev->next = m->next;
    else
        all->first = m->next;
    pthread_cond_broadcast(&all->ended);
    pthread_mutex_unlock(&all->lock);
}

static void note(const struct head *h, struct moment *m, const struct series *s)
{
    struct moment_page *p = m->last;
    if (!p || p->n == PAGE_NOTES) {
        p = arena_alloc(m->arena, sizeof *p);
        p->next = NULL;
        p->n = 0;
        if (m->last)
            m->last->next = p;
        else
            m->first = p;
        m->last = p;
    }
    p->at[p->n].s = s;
    head_capture(h, s, m->arena, &p->at[p->n++].was);
    m->n++;
}

void moments_note(struct head *h, struct series *s)
{
    if (s->noted == h->moments.clock)
        return;
    for (struct moment *m = h->moments.first; m; m = m->next)
        if ((int32_t)(m->began - s->noted) > 0)
            note(h, m, s);
    s->noted = h->moments.clock;
}

/* ---- afterwards ---- */

/* The note of each series, by open addressing. */
struct table {
    const struct note **at;
    size_t mask;
};

static const struct note **slot_of(const struct table *t, const struct series *s)
{
    size_t i = (size_t)((uint64_t)(uintptr_t)s * 0x9e3779b97f4a7c15ULL >> 20) & t->mask;
    while (t->at[i] && t->at[i]->s != s)
        i = (i + 1) & t->mask;
    return &t->at[i];
}

static struct table make_table(const struct moment *m)
{
    size_t n = 64;
    while (n < m->n * 2)
        n *= 2;
    struct table t = {mem_zalloc(n * sizeof *t.at), n - 1};
    for (const struct moment_page *p = m->first; p; p = p->next)
        for (size_t i = 0; i < p->n; i++)
            *slot_of(&t, p->at[i].s) = &p->at[i];
    return t;
}

void moment_settle(const struct moment *m, const struct series *const *at, struct capture *captures,
                   size_t n)
{
    if (m->n == 0)
        return;
    struct table t = make_table(m);
    for (size_t i = 0; i < n; i++) {
        const struct note *of = *slot_of(&t, at[i]);
        if (of)
            captures[i] = of->was;
    }
    free(t.at);
}
