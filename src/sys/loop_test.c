// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sys/loop.h"

enum { THREADS = 4, POSTS = 2000 };

struct shared {
    struct loop *l;
    int last[THREADS]; /* number of the latest post seen of each thread; loop's thread only */
    int seen;
    bool disorder;
};

struct numbered {
    struct shared *s;
    int thread, n;
};

static void on_post(void *arg)
{
    struct numbered *p = arg;
    struct shared *s = p->s;
    s->disorder |= p->n != s->last[p->thread] + 1;
    s->last[p->thread] = p->n;
    if (++s->seen == THREADS * POSTS)
        loop_stop(s->l);
    free(p);
}

static void *poster(void *arg)
{
    struct numbered *of = arg;
    for (int i = 1; i <= POSTS; i++) {
        struct numbered *p = mem_dup(of, sizeof *of);
        p->n = i;
        if (!loop_post(of->s->l, on_post, p))
            return arg;
    }
    return NULL;
}

static void test_posts_in_order(void **state)
{
    struct shared s = {.l = loop_new("test")};
    struct numbered n[THREADS];
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        n[i] = (struct numbered){&s, i, 0};
        assert_int_equal(pthread_create(&t[i], NULL, poster, &n[i]), 0);
    }
    loop_run(s.l);
    for (int i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(s.seen, THREADS * POSTS);
    assert_false(s.disorder);
    assert_false(loop_post(s.l, on_post, NULL));
    loop_free(s.l);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void test_stop_runs_what_was_posted(void **state)
{
    struct loop *l = loop_new("test");
    int n = 0;
    for (int i = 0; i < 10; i++)
        assert_true(loop_post(l, count, &n));
    loop_stop(l);
    assert_false(loop_post(l, count, &n));
    loop_run(l);
    assert_int_equal(n, 10);
    loop_free(l);
}

struct order {
    struct loop *l;
    struct loop_timer *t[4];
    char text[8];
    int n;
};

static void fire(struct order *o, char c)
{
    o->text[o->n++] = c;
}
static void fire_a(void *arg)
{
    fire(arg, 'a');
}
static void fire_b(void *arg)
{
    struct order *o = arg;
    fire(o, 'b');
    loop_timer_free(o->t[1]); /* from its own callback */
    o->t[1] = NULL;
}
static void fire_c(void *arg)
{
    struct order *o = arg;
    fire(o, 'c');
    loop_stop(o->l);
}
static void fire_d(void *arg)
{
    fire(arg, 'd');
}

static void test_timers(void **state)
{
    struct order o = {.l = loop_new("test")};
    o.t[0] = loop_timer_new(o.l, fire_a, &o);
    o.t[1] = loop_timer_new(o.l, fire_b, &o);
    o.t[2] = loop_timer_new(o.l, fire_c, &o);
    o.t[3] = loop_timer_new(o.l, fire_d, &o);
    loop_timer_start(o.t[0], 1);
    loop_timer_start(o.t[0], 6); /* moved behind b */
    loop_timer_start(o.t[1], 3);
    loop_timer_start(o.t[2], 9);
    loop_timer_start(o.t[3], 4);
    loop_timer_stop(o.t[3]);
    uint64_t before = loop_now_ms(o.l);
    loop_run(o.l);
    assert_string_equal(o.text, "bac");
    assert_true(loop_now_ms(o.l) >= before + 9);
    loop_timer_free(o.t[0]);
    loop_free(o.l); /* frees t[2] and t[3] */
}

static void on_signal(void *arg, int signum)
{
    assert_int_equal(signum, SIGUSR1);
    loop_stop(arg);
}

static void test_signal(void **state)
{
    struct err err = {0};
    struct loop *l = loop_new("test");
    assert_true(loop_signal(l, SIGUSR1, on_signal, l, &err));
    assert_false(loop_signal(l, 0, on_signal, l, &err));
    assert_int_equal(err.kind, ERR_IO);
    raise(SIGUSR1);
    loop_run(l);
    loop_free(l);
}

static void test_free_unused(void **state)
{
    struct loop *l = loop_new("a name that is longer than the kernel keeps");
    assert_non_null(loop_uv(l));
    loop_free(l);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_in_order), cmocka_unit_test(test_stop_runs_what_was_posted),
        cmocka_unit_test(test_timers),         cmocka_unit_test(test_signal),
        cmocka_unit_test(test_free_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
