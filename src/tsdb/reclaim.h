// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that readers may still look at after it left its structure. A reader enters before it
 * takes pointers and leaves when it dropped them; what is retired while it is inside is freed after
 * it left. Entering and leaving cost a lock each, looking at memory costs nothing.
 *
 * Why it is right: an item gets the number of the moment it was retired, a reader that of the
 * moment it entered. A reader that entered later cannot have found the item, so the item is freed
 * once every reader inside has a later number.
 */
#ifndef TSDB_RECLAIM_H
#define TSDB_RECLAIM_H

#include <pthread.h>

#include "base/str.h"
#include "base/vec.h"

struct reclaim_reader {
    struct reclaim_reader *prev, *next;
    uint64_t moment;
};

struct reclaim_item {
    uint64_t moment;
    void *p;
};

struct reclaim {
    pthread_mutex_t lock;
    uint64_t moment;
    struct reclaim_reader inside;   /* ring; oldest is next */
    VEC(struct reclaim_item) items; /* rising moments */
    size_t first;                   /* items before this were freed */
};

void reclaim_init(struct reclaim *r);
/* Nobody may be inside. */
void reclaim_fini(struct reclaim *r);
void reclaim_enter(struct reclaim *r, struct reclaim_reader *reader);
void reclaim_leave(struct reclaim *r, struct reclaim_reader *reader);
/* For what is more than memory: whoever enters after reclaim_moment cannot find what was taken away
 * before it, and once reclaim_passed says so everybody inside did. */
uint64_t reclaim_moment(struct reclaim *r);
bool reclaim_passed(struct reclaim *r, uint64_t moment);
/* Gives heap memory that no new reader can find to free(), now or later. */
void reclaim_retire(struct reclaim *r, void *p);

#endif
