// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sys/snap.h"

static _Atomic int dropped;

static void drop(void *value)
{
    dropped++;
    free(value);
}

static int *number(int n)
{
    int *p = mem_new(int);
    *p = n;
    return p;
}

static void test_one_thread(void **state)
{
    struct snap s;
    snap_init(&s);
    struct snap_ref none = snap_get(&s);
    assert_null(none.value);
    snap_put(&none);

    dropped = 0;
    snap_publish(&s, number(1), drop);
    struct snap_ref a = snap_get(&s);
    snap_publish(&s, number(2), drop);
    struct snap_ref b = snap_get(&s);
    assert_int_equal(*(int *)a.value, 1);
    assert_int_equal(*(int *)b.value, 2);
    assert_int_equal(dropped, 0);
    snap_put(&a);
    assert_int_equal(dropped, 1);
    snap_put(&a); /* nothing any more */
    snap_fini(&s);
    assert_int_equal(dropped, 1);
    assert_int_equal(*(int *)b.value, 2);
    snap_put(&b);
    assert_int_equal(dropped, 2);
}

enum { READERS = 4, ROUNDS = 2000 };

struct pair {
    int a, b;
};

static void *reader(void *arg)
{
    int last = 0;
    while (last < ROUNDS) {
        SNAP_CLEANUP struct snap_ref r = snap_get(arg);
        struct pair *p = r.value;
        if (p->a != p->b || p->a < last)
            return arg;
        last = p->a;
    }
    return NULL;
}

static void publish(struct snap *s, int n)
{
    struct pair *p = mem_new(struct pair);
    p->a = p->b = n;
    snap_publish(s, p, drop);
}

/* Readers see whole values, never an older one after a newer one, and every value is dropped once.
 */
static void test_threads(void **state)
{
    struct snap s;
    pthread_t t[READERS];
    dropped = 0;
    snap_init(&s);
    publish(&s, 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, reader, &s), 0);
    for (int i = 1; i <= ROUNDS; i++)
        publish(&s, i);
    for (int i = 0; i < READERS; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        assert_null(bad);
    }
    snap_fini(&s);
    assert_int_equal(dropped, ROUNDS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
