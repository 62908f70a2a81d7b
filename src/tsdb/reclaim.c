// SPDX-License-Identifier: Apache-2.0
#include "tsdb/reclaim.h"

void reclaim_init(struct reclaim *r)
{
    *r = (struct reclaim){.moment = 1};
    pthread_mutex_init(&r->lock, NULL);
    r->inside.next = r->inside.prev = &r->inside;
}

/* Under lock: frees what nobody inside can see. */
static void free_unseen(struct reclaim *r)
{
    uint64_t oldest = r->inside.next == &r->inside ? UINT64_MAX : r->inside.next->moment;
    while (r->first < r->items.n && r->items.at[r->first].moment < oldest)
        free(r->items.at[r->first++].p);
    if (r->first * 2 < r->items.n)
        return;
    r->items.n -= r->first;
    if (r->items.n)
        memmove(r->items.at, r->items.at + r->first, r->items.n * sizeof r->items.at[0]);
    r->first = 0;
}

void reclaim_fini(struct reclaim *r)
{
    free_unseen(r);
    vec_fini(&r->items);
    pthread_mutex_destroy(&r->lock);
}

void reclaim_enter(struct reclaim *r, struct reclaim_reader *reader)
{
    pthread_mutex_lock(&r->lock);
    reader->moment = ++r->moment;
    reader->prev = r->inside.prev;
    reader->next = &r->inside;
    reader->prev->next = reader->next->prev = reader;
    pthread_mutex_unlock(&r->lock);
}

void reclaim_leave(struct reclaim *r, struct reclaim_reader *reader)
{
    pthread_mutex_lock(&r->lock);
    reader->prev->next = reader->next;
    reader->next->prev = reader->prev;
    free_unseen(r);
    pthread_mutex_unlock(&r->lock);
}

uint64_t reclaim_moment(struct reclaim *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t moment = r->moment;
    pthread_mutex_unlock(&r->lock);
    return moment;
}

bool reclaim_passed(struct reclaim *r, uint64_t moment)
{
    pthread_mutex_lock(&r->lock);
    bool passed = r->inside.next == &r->inside || r->inside.next->moment > moment;
    pthread_mutex_unlock(&r->lock);
    return passed;
}

void reclaim_retire(struct reclaim *r, void *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&r->lock);
    if (r->inside.next == &r->inside)
        free(p);
    else
        vec_push(&r->items, (struct reclaim_item){r->moment, p});
    pthread_mutex_unlock(&r->lock);
}
