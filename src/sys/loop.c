// SPDX-License-Identifier: Apache-2.0
/*
 * The loop over libuv. Posts wait in an array behind a mutex and one uv_async wakes the loop:
 * several posts may share one wake, which takes the whole array and runs it in order. What was
 * posted before loop_stop still runs; what comes after is refused, so a post that returned true
 * always runs.
 */
#include "sys/loop.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/vec.h"
#include "sys/thread.h"

struct post {
    void (*fn)(void *arg);
    void *arg;
};

typedef VEC(struct post) post_vec;

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    struct loop_timer *prev, *next;
};

struct loop_sig {
    uv_signal_t uv;
    void (*fn)(void *arg, int signum);
    void *arg;
    struct loop_sig *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    char name[16];
    struct loop_timer
        *timers; /* open ones; owned by the loop's thread, as all but the next three */
    struct loop_sig *signals;

    pthread_mutex_t lock;
    post_vec posts; /* guarded by lock */
    bool stopped;   /* guarded by lock */

    post_vec running; /* the array being run; swapped with `posts` so that both are reused */
};

static void on_wake(uv_async_t *a)
{
    struct loop *l = a->data;
    pthread_mutex_lock(&l->lock);
    post_vec take = l->posts;
    l->posts = l->running;
    l->running = (post_vec){0};
    bool stopped = l->stopped;
    pthread_mutex_unlock(&l->lock);

    for (size_t i = 0; i < take.n; i++)
        take.at[i].fn(take.at[i].arg);
    take.n = 0;
    l->running = take;
    /* A stop seen above came after every post that was taken with it, so nothing is left behind. */
    if (stopped)
        uv_stop(&l->uv);
}

struct loop *loop_new(const char *name)
{
    struct loop *l = mem_new(struct loop);
    for (size_t i = 0; i + 1 < sizeof l->name && name[i]; i++)
        l->name[i] = name[i];
    pthread_mutex_init(&l->lock, NULL);
    /* Only a process out of descriptors fails here, and it cannot serve anyone. */
    if (uv_loop_init(&l->uv) != 0 || uv_async_init(&l->uv, &l->wake, on_wake) != 0)
        abort();
    l->wake.data = l;
    return l;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->timers)
        loop_timer_free(l->timers);
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    while (l->signals) {
        struct loop_sig *s = l->signals;
        l->signals = s->next;
        free(s);
    }
    vec_fini(&l->posts);
    vec_fini(&l->running);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void loop_run(struct loop *l)
{
    /* The main thread's name is the process' name in `ps`; it stays. */
    if (gettid() != getpid())
        thread_name(l->name);
    thread_prompt();
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopped = true;
    uv_async_send(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

/* The wake is sent under the lock: no call can touch the handle after the stop was seen. */
bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&l->lock);
    bool ok = !l->stopped;
    if (ok) {
        vec_push(&l->posts, (struct post){fn, arg});
        if (l->posts.n == 1)
            uv_async_send(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

static void on_timer(uv_timer_t *u)
{
    struct loop_timer *t = u->data;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *t = mem_new(struct loop_timer);
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    t->next = l->timers;
    if (t->next)
        t->next->prev = t;
    l->timers = t;
    return t;
}

/* libuv counts from the time cached when the round began; what the round took so far is added, so
 * that a timer never fires early. */
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
    uint64_t cached = uv_now(&t->loop->uv), now = uv_hrtime() / 1000000;
    uv_timer_start(&t->uv, on_timer, delay_ms + (now > cached ? now - cached : 0), 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    uv_timer_stop(&t->uv);
}

static void timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    if (t->prev)
        t->prev->next = t->next;
    else
        t->loop->timers = t->next;
    if (t->next)
        t->next->prev = t->prev;
    uv_close((uv_handle_t *)&t->uv, timer_closed);
}

static void on_signal(uv_signal_t *u, int signum)
{
    struct loop_sig *s = u->data;
    s->fn(s->arg, signum);
}

bool loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg,
                 struct err *err)
{
    struct loop_sig *s = mem_new(struct loop_sig);
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc != 0) {
        free(s);
        return err_set(err, ERR_IO, "cannot watch signal %d: %s", signum, uv_strerror(rc));
    }
    s->uv.data = s;
    s->fn = fn;
    s->arg = arg;
    s->next = l->signals;
    l->signals = s;
    rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc != 0)
        return err_set(err, ERR_IO, "cannot watch signal %d: %s", signum, uv_strerror(rc));
    return true;
}

uint64_t loop_now_ms(struct loop *l)
{
    return uv_now(&l->uv);
}

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}
