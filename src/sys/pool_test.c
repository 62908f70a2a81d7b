// SPDX-License-Identifier: Apache-2.0
/* Order is made visible with gates: a task that holds the only slot waits for the test's word. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "sys/pool.h"
#include "sys/self.h"

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};
#define GATE_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false                          \
    }

static void gate_set(struct gate *g, bool *what)
{
    pthread_mutex_lock(&g->lock);
    *what = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_wait(struct gate *g, const bool *what)
{
    pthread_mutex_lock(&g->lock);
    while (!*what)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void hold(void *arg)
{
    struct gate *g = arg;
    gate_set(g, &g->entered);
    gate_wait(g, &g->open);
}

static char seen[64];
static _Atomic int seen_n;

static void see(char c)
{
    seen[seen_n++] = c;
}
static void see_q(void *arg)
{
    see('q');
}
static void see_b(void *arg)
{
    see('b');
}

static int reset(void **state)
{
    memset(seen, 0, sizeof seen);
    seen_n = 0;
    return 0;
}

static void test_classes(void **state)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = 1});
    struct gate g = GATE_INIT;
    size_t waiting, running;
    assert_true(pool_submit(p, POOL_BACKGROUND, hold, &g));
    gate_wait(&g, &g.entered);
    for (int i = 0; i < 3; i++) {
        assert_true(pool_submit(p, POOL_BACKGROUND, see_b, NULL));
        assert_true(pool_submit(p, POOL_QUERY, see_q, NULL));
    }
    pool_load(p, POOL_QUERY, &waiting, &running);
    assert_int_equal(waiting, 3);
    assert_int_equal(running, 0);
    pool_load(p, POOL_BACKGROUND, &waiting, &running);
    assert_int_equal(waiting, 3);
    assert_int_equal(running, 1);
    gate_set(&g, &g.open);
    pool_free(p);
    assert_string_equal(seen, "qqqbbb");
}

static void test_queue_full(void **state)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = 1, .queue_max = 20});
    struct gate g = GATE_INIT;
    int64_t before = self_get(SELF_POOL_REFUSED_QUERY);
    assert_true(pool_submit(p, POOL_QUERY, hold, &g));
    gate_wait(&g, &g.entered);
    for (int i = 0; i < 20; i++)
        assert_true(pool_submit(p, POOL_QUERY, see_q, NULL));
    assert_false(pool_submit(p, POOL_QUERY, see_q, NULL));
    assert_true(pool_submit(p, POOL_BACKGROUND, see_b, NULL));
    assert_int_equal(self_get(SELF_POOL_REFUSED_QUERY), before + 1);
    gate_set(&g, &g.open);
    pool_free(p);
    assert_int_equal(strlen(seen),
                     21); /* the background task when it was passed over often enough */
    assert_int_equal(strspn(seen, "q"), 7);
}

static void block_then_q(void *arg)
{
    struct gate *g = arg;
    pool_block_begin();
    pool_block_begin(); /* nesting counts once */
    pool_block_end();
    gate_set(g, &g->entered);
    gate_wait(g, &g->open);
    pool_block_end();
    see('Q');
}

static void open_gate(void *arg)
{
    struct gate *g = arg;
    see('o');
    gate_set(g, &g->open);
}

/* With one slot, a blocked task ends only because another task got its slot meanwhile. */
static void test_lending(void **state)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = 1});
    struct gate g = GATE_INIT;
    assert_true(pool_submit(p, POOL_QUERY, block_then_q, &g));
    gate_wait(&g, &g.entered);
    assert_true(pool_submit(p, POOL_BACKGROUND, open_gate, &g));
    pool_free(p);
    assert_string_equal(seen, "oQ");
}

static void yielding(void *arg)
{
    struct gate *g = arg;
    see('1');
    gate_set(g, &g->entered);
    gate_wait(g, &g->open);
    pool_yield(); /* a query waits: it goes first; its own class does not */
    see('2');
    pool_yield();
    see('3');
}

static void test_yield(void **state)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = 1, .slice_ms = 3600000});
    struct gate g = GATE_INIT;
    assert_true(pool_submit(p, POOL_BACKGROUND, yielding, &g));
    gate_wait(&g, &g.entered);
    assert_true(pool_submit(p, POOL_BACKGROUND, see_b, NULL));
    assert_true(pool_submit(p, POOL_QUERY, see_q, NULL));
    gate_set(&g, &g.open);
    pool_free(p);
    assert_string_equal(seen, "1q23b");
}

/* No thread is left for the query, so the yielding one gets its slot back and goes on. */
static void test_yield_without_threads(void **state)
{
    struct pool *p =
        pool_new(&(struct pool_options){.slots = 1, .threads_max = 1, .slice_ms = 3600000});
    struct gate g = GATE_INIT;
    assert_true(pool_submit(p, POOL_BACKGROUND, yielding, &g));
    gate_wait(&g, &g.entered);
    assert_true(pool_submit(p, POOL_QUERY, see_q, NULL));
    gate_set(&g, &g.open);
    pool_free(p);
    assert_string_equal(seen, "123q");
}

/* A class at its bound leaves threads to others, also while its tasks only wait. */
static void test_bound_of_a_class(void **state)
{
    struct pool *p = pool_new(
        &(struct pool_options){.slots = 4, .threads_max = 3, .tasks_max = {[POOL_QUERY] = 2}});
    struct gate held[2] = {GATE_INIT, GATE_INIT}, rest = GATE_INIT;
    size_t waiting, running;
    for (int i = 0; i < 2; i++) {
        assert_true(pool_submit(p, POOL_QUERY, hold, &held[i]));
        gate_wait(&held[i], &held[i].entered);
    }
    assert_true(pool_submit(p, POOL_QUERY, see_q, NULL));
    pool_load(p, POOL_QUERY, &waiting, &running);
    assert_int_equal(waiting, 1);
    assert_int_equal(running, 2);
    assert_true(pool_submit(p, POOL_BACKGROUND, hold, &rest));
    gate_wait(&rest, &rest.entered);
    gate_set(&rest, &rest.open);
    for (int i = 0; i < 2; i++)
        gate_set(&held[i], &held[i].open);
    pool_free(p);
    assert_string_equal(seen, "q");
}

/* Ingest neither waits for the slots of queries nor for their threads, and has the priority that
 * they have not. */
static void priority(void *arg)
{
    int *nice = arg;
    *nice = getpriority(PRIO_PROCESS, 0);
}

static void test_lanes(void **state)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = 1, .threads_max = 1, .nice = 1});
    struct gate query = GATE_INIT, ingest = GATE_INIT;
    int of_ingest = -1, of_query = -1;
    assert_true(pool_submit(p, POOL_QUERY, hold, &query));
    gate_wait(&query, &query.entered);
    assert_true(pool_submit(p, POOL_QUERY, priority, &of_query));
    assert_true(pool_submit(p, POOL_INGEST, priority, &of_ingest));
    assert_true(pool_submit(p, POOL_INGEST, hold, &ingest));
    gate_wait(&ingest, &ingest.entered);
    assert_int_equal(of_ingest, getpriority(PRIO_PROCESS, 0));
    gate_set(&ingest, &ingest.open);
    gate_set(&query, &query.open);
    pool_free(p);
    int lowest = 19;
    assert_int_equal(of_query, of_ingest == lowest ? lowest : of_ingest + 1);
}

static _Atomic int over;

static void endless(void *arg)
{
    while (!over)
        pool_yield();
}

static void step(void *arg)
{
    over += arg != NULL;
}

/* Without turns, none of the others would ever run: the only slot is taken by tasks without end. */
static void test_turns(void **state)
{
    struct pool *p = pool_new(
        &(struct pool_options){.slots = 1, .slice_ms = 1, .tasks_max = {[POOL_QUERY] = 5}});
    struct gate g[2] = {GATE_INIT, GATE_INIT};
    gate_set(&g[0], &g[0].open);
    gate_set(&g[1], &g[1].open);
    over = 0;
    for (int i = 0; i < 3; i++)
        assert_true(pool_submit(p, POOL_QUERY, endless, NULL));
    assert_true(pool_submit(p, POOL_QUERY, hold, &g[0]));
    assert_true(pool_submit(p, POOL_BACKGROUND, hold, &g[1]));
    gate_wait(&g[0], &g[0].entered);
    gate_wait(&g[1], &g[1].entered);
    assert_true(pool_submit(p, POOL_BACKGROUND, step, &over));
    pool_free(p);
    assert_int_equal(over, 1);
}

static void test_outside(void **state)
{
    pool_block_begin();
    pool_yield();
    pool_block_end();
    pool_free(NULL);
}

struct storm {
    struct pool *p;
    _Atomic int computing, most, ran;
    enum pool_class leaves;
};

static void storm_compute(struct storm *s)
{
    int now = ++s->computing;
    int most = s->most;
    while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now))
        ;
    --s->computing;
}

static void storm_leaf(void *arg)
{
    struct storm *s = arg;
    storm_compute(s);
    s->ran++;
}

static void storm_task(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < 3; i++) {
        storm_compute(s);
        pool_yield();
        pool_block_begin();
        pool_block_end();
    }
    if (pool_submit(s->p, s->leaves, storm_leaf, s))
        s->ran++;
}

/* Never more computing at once in a lane than it has slots, whatever is lent, and everything runs.
 */
static void storm_of(enum pool_class tasks, enum pool_class leaves)
{
    enum { TASKS = 3000 };
    struct storm s = {.leaves = leaves};
    s.p = pool_new(&(struct pool_options){.slots = 3, .threads_max = 12});
    for (int i = 0; i < TASKS; i++)
        assert_true(pool_submit(s.p, i % 2 ? tasks : leaves, storm_task, &s));
    /* Leaves are submitted by tasks: wait for them before the pool refuses. */
    size_t waiting = 1, running = 1, sum = 1;
    while (sum) {
        sum = 0;
        for (int c = 0; c < POOL_CLASSES; c++) {
            pool_load(s.p, (enum pool_class)c, &waiting, &running);
            sum += waiting + running;
        }
        sum += s.ran < 2 * TASKS;
    }
    pool_free(s.p);
    assert_int_equal(s.ran, 2 * TASKS);
    assert_in_range(s.most, 1, 3);
}

static void test_storm(void **state)
{
    storm_of(POOL_BACKGROUND, POOL_QUERY);
    storm_of(POOL_INGEST, POOL_INGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_classes, reset),
        cmocka_unit_test_setup(test_queue_full, reset),
        cmocka_unit_test_setup(test_lending, reset),
        cmocka_unit_test_setup(test_yield, reset),
        cmocka_unit_test_setup(test_yield_without_threads, reset),
        cmocka_unit_test_setup(test_bound_of_a_class, reset),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
