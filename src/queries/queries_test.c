// SPDX-License-Identifier: Apache-2.0
#include "queries/queries.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "sys/sim/sim.h"

static const struct query_ask ask = {STR_INIT("sum(up)"), STR_INIT("/api/v1/query"),
                                     STR_INIT("GET"), STR_INIT("127.0.0.1:5")};

static struct query *begin(struct queries *qs, const struct query_ask *what)
{
    return query_begin(qs, what, &(struct budget){0}, NULL);
}

static void lists_and_ends(void **state)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct queries *qs = queries_new(&(struct queries_options){.env = &env});
    ARENA_CLEANUP struct arena a;
    struct query_info *list;
    struct err err;
    arena_init(&a, 0);
    assert_int_equal(queries_list(qs, &a, &list), 0);
    struct query *x = begin(qs, &ask), *y = begin(qs, &ask), *z = begin(qs, &ask);
    query_started(y);
    arena_alloc(&y->arena, 100000);
    assert_true(budget_use(&y->budget, 7, &err));
    assert_int_equal(queries_list(qs, &a, &list), 3);
    assert_false(list[0].started);
    assert_true(list[1].started && !list[1].ended);
    assert_int_equal(list[1].samples, 7);
    assert_true(list[1].memory_bytes >= 100000);
    assert_str(list[1].ask.text, STR("sum(up)"));
    assert_str(list[1].ask.remote, STR("127.0.0.1:5"));
    assert_false(queries_stop(qs, 999));
    assert_true(queries_stop(qs, y->id));
    assert_false(budget_use(&y->budget, 0, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_true(budget_use(&z->budget, 0, &err));
    uint64_t id = y->id;
    query_end(y);
    assert_false(queries_stop(qs, id));
    query_end(x);
    query_end(z);
    assert_int_equal(queries_list(qs, &a, &list), 0);
    queries_free(qs);
    sim_free(sim);
}

static void write_journal(struct env *env, str text)
{
    struct err err;
    struct disk *d = env->disk;
    struct disk_file *f = d->ops->open(d, STR("queries.active"), DISK_WRITE | DISK_CREATE, &err);
    assert_non_null(f);
    assert_true(d->ops->write(f, 0, &(struct disk_iov){text.p, text.n}, 1, &err));
    d->ops->close(f);
}

/* What ran when nobody ended it is known to the next one, and to nobody after that. */
static void tells_what_was_running(void **state)
{
    struct sim *sim = sim_new(1);
    struct env env = sim_env(sim);
    struct queries_options o = {.env = &env, .tasks_max = 3};
    const struct query_unfinished *found;
    STRBUF_CLEANUP struct strbuf long_text = {0};
    struct queries *qs = queries_new(&o);
    struct query *q[4];
    for (int i = 0; i < 4; i++)
        query_started(q[i] = begin(qs, &ask)); /* the fourth finds no slot */
    query_end(q[1]);
    for (int i = 0; i < 3000; i++)
        strbuf_addz(&long_text, i % 2 ? "\"" : "눈");
    struct query_ask l = {.text = strbuf_str(&long_text)};
    query_started(q[1] = begin(qs, &l));
    char *at = mem_zalloc(4 * 1024); /* as a process that dies leaves it */
    struct err err;
    struct disk *d = o.env->disk;
    struct disk_file *f = d->ops->open(d, STR("queries.active"), DISK_READ, &err);
    assert_true(d->ops->read(f, 0, at, 3 * 1024, &err));
    d->ops->close(f);
    for (int i = 0; i < 4; i++)
        query_end(q[i]);
    queries_free(qs);
    qs = queries_new(&o);
    assert_int_equal(queries_unfinished(qs, &found), 0);
    queries_free(qs);

    write_journal(o.env, str_of(at, 3 * 1024));
    qs = queries_new(&o);
    assert_int_equal(queries_unfinished(qs, &found), 3);
    assert_str(found[0].text, STR("sum(up)"));
    assert_true(found[1].text.n > 300 && str_starts(strbuf_str(&long_text), found[1].text));
    queries_free(qs);
    free(at);

    write_journal(o.env,
                  STR("{\"query\":\"a\",\"timestamp_sec\":5}\n{\"query\":1}\n[\n\n{\"query\":"
                      "\"b\",\"timestamp_sec\":-1}\nxyz{\n{\"query\":\"c\","
                      "\"timestamp_sec\":1e300}\n{\"query\":\"d\",\"timestamp_sec\":6}"));
    qs = queries_new(&o);
    assert_int_equal(queries_unfinished(qs, &found), 2);
    assert_str(found[1].text, STR("d"));
    assert_int_equal(found[1].started_at, 6000);
    queries_free(qs);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_ends),
        cmocka_unit_test(tells_what_was_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
