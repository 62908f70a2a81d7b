// SPDX-License-Identifier: Apache-2.0
/* Waiting for a blob, blobs that are files, and the double that answers late. */
#include <pthread.h>

#include "base/mem.h"
#include "store/blob.h"
#include "sys/pool.h"

/* ---- waiting ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done, ok;
    struct err err;
};

static void waiter_done(void *arg, bool ok, const struct err *err)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->ok = ok;
    if (!ok)
        w->err = *err;
    /* Under the lock: the waiter's frame goes away as soon as it sees `done`. */
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

bool blob_read(struct blob *b, struct blob_range *ranges, size_t n, struct err *err)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    pool_block_begin();
    b->ops->read(b, ranges, n, waiter_done, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pool_block_end();
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.wake);
    if (!w.ok)
        *err = w.err;
    return w.ok;
}

/* ---- files ---- */

struct file_blob {
    struct blob blob;
    struct disk *disk;
    struct disk_file *file;
};

static void file_read(struct blob *b, struct blob_range *ranges, size_t n, blob_done done,
                      void *arg)
{
    struct file_blob *f = (struct file_blob *)b;
    struct err err = {0};
    for (size_t i = 0; i < n; i++)
        if (!f->disk->ops->read(f->file, ranges[i].off, ranges[i].buf, ranges[i].n, &err)) {
            done(arg, false, &err);
            return;
        }
    done(arg, true, NULL);
}

static void file_close(struct blob *b)
{
    struct file_blob *f = (struct file_blob *)b;
    f->disk->ops->close(f->file);
    free(f);
}

static const struct blob_ops file_ops = {file_read, file_close};

struct blob *blob_file_open(struct disk *d, str path, struct err *err)
{
    struct disk_file *file = d->ops->open(d, path, DISK_READ, err);
    uint64_t size;
    if (!file)
        return NULL;
    if (!d->ops->size(file, &size, err)) {
        d->ops->close(file);
        return NULL;
    }
    struct file_blob *f = mem_new(struct file_blob);
    *f = (struct file_blob){{&file_ops, size}, d, file};
    return &f->blob;
}

/* ---- the late double ---- */

struct late_blob {
    struct blob blob;
    struct blob *below;
    pthread_mutex_t lock;
    uint64_t state;
};

struct late_read {
    struct late_blob *l;
    struct blob_range *ranges;
    size_t n;
    blob_done done;
    void *arg;
    uint64_t seed;
};

static uint64_t step(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

/* Reads the ranges one by one in a random order, letting other threads go first each time. */
static void *late_thread(void *arg)
{
    struct late_read *r = arg;
    struct err err = {0};
    bool ok = true;
    size_t *order = mem_array(r->n ? r->n : 1, sizeof *order);
    for (size_t i = 0; i < r->n; i++) {
        size_t k = step(&r->seed) % (i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    for (size_t i = 0; i < r->n && ok; i++) {
        for (uint64_t turns = step(&r->seed) % 8; turns > 0; turns--)
            sched_yield();
        ok = blob_read(r->l->below, &r->ranges[order[i]], 1, &err);
    }
    free(order);
    r->done(r->arg, ok, &err);
    free(r);
    return NULL;
}

static void late_begin(struct blob *b, struct blob_range *ranges, size_t n, blob_done done,
                       void *arg)
{
    struct late_blob *l = (struct late_blob *)b;
    struct late_read *r = mem_new(struct late_read);
    pthread_mutex_lock(&l->lock);
    *r = (struct late_read){l, ranges, n, done, arg, step(&l->state)};
    pthread_mutex_unlock(&l->lock);
    pthread_t thread;
    if (pthread_create(&thread, NULL, late_thread, r) == 0)
        pthread_detach(thread);
    else
        late_thread(r);
}

static void late_close(struct blob *b)
{
    struct late_blob *l = (struct late_blob *)b;
    blob_close(l->below);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static const struct blob_ops late_ops = {late_begin, late_close};

struct blob *blob_late(struct blob *below, uint64_t seed)
{
    struct late_blob *l = mem_new(struct late_blob);
    *l = (struct late_blob){.blob = {&late_ops, below->size}, .below = below, .state = seed};
    pthread_mutex_init(&l->lock, NULL);
    return &l->blob;
}
