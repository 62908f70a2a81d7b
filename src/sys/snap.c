// SPDX-License-Identifier: Apache-2.0
/*
 * A published value is a small counted box around a pointer. The lock makes "read the pointer and
 * count it" one step, so that a box is never counted up from zero; counting down needs no lock.
 */
#include "sys/snap.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"

struct snap_value {
    _Atomic size_t refs;
    void *value;
    void (*drop)(void *value);
};

void snap_init(struct snap *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->current = NULL;
}

/* acq_rel: what every reader did with the value happens before the one that drops it. */
static void value_unref(struct snap_value *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (v->drop)
        v->drop(v->value);
    free(v);
}

static struct snap_value *snap_swap(struct snap *s, struct snap_value *next)
{
    pthread_mutex_lock(&s->lock);
    struct snap_value *old = s->current;
    s->current = next;
    pthread_mutex_unlock(&s->lock);
    return old;
}

void snap_fini(struct snap *s)
{
    value_unref(snap_swap(s, NULL));
    pthread_mutex_destroy(&s->lock);
}

void snap_publish(struct snap *s, void *value, void (*drop)(void *value))
{
    struct snap_value *v = mem_new(struct snap_value);
    atomic_init(&v->refs, 1);
    v->value = value;
    v->drop = drop;
    value_unref(snap_swap(s, v));
}

struct snap_ref snap_get(struct snap *s)
{
    pthread_mutex_lock(&s->lock);
    struct snap_value *v = s->current;
    if (v) {
        size_t before = atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
        assert(before > 0);
    }
    pthread_mutex_unlock(&s->lock);
    return (struct snap_ref){.v = v, .value = v ? v->value : NULL};
}

void snap_put(struct snap_ref *r)
{
    value_unref(r->v);
    *r = (struct snap_ref){0};
}
