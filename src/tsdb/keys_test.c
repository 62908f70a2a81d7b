// SPDX-License-Identifier: Apache-2.0
/* Keys: what was put is found, what left is not, and there is a bound to spellings. */
#include "tsdb/keys.h"

#include "base/test.h"
#include "sys/self.h"
#include "tsdb/head.h"

enum { SHARDS = 4 };

static struct series *add(struct head *h, int i, unsigned *shard)
{
    char text[16];
    struct label l = {LABEL_NAME, str_of(text, (size_t)snprintf(text, sizeof text, "m%d", i))};
    struct labels ls = {&l, 1};
    uint64_t hash = labels_hash(ls);
    *shard = head_shard_of(h, hash);
    return shard_add(h, &h->shards[*shard], ls, hash);
}

static struct series_key key_of(int i, int spelling)
{
    int both[2] = {i, spelling};
    return series_key_of(SERIES_KEY_REMOTE_WRITE, bytes_of(both, sizeof both));
}

static void put(struct head *h, struct series_key key, unsigned shard, const struct series *s)
{
    keys_put(&h->keys, h, &(struct key_new){key, shard, s->id}, 1);
}

static const struct series *find(struct head *h, struct series_key key)
{
    keys_lock(&h->keys);
    struct keys_walk walk = {0};
    const struct key_entry *e = keys_find(&h->keys, &walk, key);
    const struct series *s = e ? series_table_get(&h->shards[e->shard].table, e->id) : NULL;
    keys_unlock(&h->keys);
    return s;
}

static void test_many(void **state)
{
    enum { SERIES = 20000 };
    static struct series *all[SERIES];
    struct head h;
    head_init(&h, SHARDS);
    assert_null(find(&h, key_of(0, 0)));
    for (int i = 0; i < SERIES; i++) {
        unsigned shard;
        all[i] = add(&h, i, &shard);
        for (int spelling = 0; spelling < 2; spelling++)
            put(&h, key_of(i, spelling), shard, all[i]);
    }
    for (int i = 0; i < SERIES; i++) {
        assert_ptr_equal(find(&h, key_of(i, 0)), all[i]);
        assert_ptr_equal(find(&h, key_of(i, 1)), all[i]);
        assert_null(find(&h, key_of(i, 2)));
    }
    assert_true(keys_bytes(&h.keys) <= SERIES * 2 * 4 * sizeof(struct key_entry));
    head_fini(&h);
}

/* Two producers came at once; then each one's next key is where its walk stands, and a walk that
 * was led away goes on where it is found again. */
static void test_walk(void **state)
{
    enum { KEYS = 2000 };
    static struct key_new one[KEYS], two[KEYS];
    struct head h;
    head_init(&h, SHARDS);
    for (int i = 0; i < KEYS; i++) {
        one[i] = (struct key_new){.key = key_of(i, 1)};
        two[i] = (struct key_new){.key = key_of(i, 2)};
        struct series *s = add(&h, i, &one[i].shard);
        two[i].shard = one[i].shard;
        one[i].id = two[i].id = s->id;
    }
    for (int i = 0; i < KEYS; i += 500) {
        keys_put(&h.keys, &h, one + i, 500);
        keys_put(&h.keys, &h, two + i, 500);
    }
    struct keys_walk walk = {0};
    size_t led_away = 0;
    keys_lock(&h.keys);
    for (int i = 0; i < KEYS; i++) {
        const struct key_entry *e = keys_follow(&h.keys, &walk, two[i].key);
        led_away += e == NULL;
        e = e ? e : keys_find(&h.keys, &walk, two[i].key);
        assert_non_null(e);
        assert_int_equal(e->id, two[i].id);
    }
    assert_int_equal(led_away, KEYS / 500 * KEYS_TABLES);
    assert_null(keys_follow(&h.keys, &walk, key_of(1, 3)));
    keys_unlock(&h.keys);
    head_fini(&h);
}

/* Series that leave make room: the tables do not grow with all that ever was. */
static void test_churn(void **state)
{
    struct head h;
    size_t settled = 0;
    head_init(&h, SHARDS);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 1000; i++) {
            unsigned shard;
            struct series *s = add(&h, round * 1000 + i, &shard);
            put(&h, key_of(round * 1000 + i, 0), shard, s);
            s->idle = 2;
        }
        assert_non_null(find(&h, key_of(round * 1000 + 7, 0)));
        head_remove_idle(&h, 2);
        assert_null(find(&h, key_of(round * 1000 + 7, 0)));
        if (round == 5)
            settled = keys_bytes(&h.keys);
    }
    assert_true(keys_bytes(&h.keys) <= 2 * settled);
    head_fini(&h);
}

static void test_spellings_are_bounded(void **state)
{
    struct head h;
    unsigned shard;
    int64_t dropped = self_get(SELF_TSDB_KEYS_DROPPED);
    head_init(&h, SHARDS);
    struct series *s = add(&h, 1, &shard);
    for (int i = 0; i < 400000; i++) {
        put(&h, key_of(1, i), shard, s);
        if (i % 1000 == 0)
            assert_ptr_equal(find(&h, key_of(1, i)), s);
    }
    assert_true(keys_bytes(&h.keys) <= 8 << 20);
    assert_true(self_get(SELF_TSDB_KEYS_DROPPED) > dropped);
    head_fini(&h);
}

/* What a batch has on its way stays, also when a later batch marks the same series. */
static void test_flights(void **state)
{
    struct flight one, two;
    struct head h;
    unsigned shard;
    head_init(&h, 1);
    struct series *s = add(&h, 1, &shard), *other = add(&h, 2, &shard);
    s->idle = other->idle = 2;
    flights_next_round(&h.flights);
    flight_begin(&h.flights, &one);
    series_table_place(&h.shards[0].table, 0)->mark.touched = one.round;
    flights_next_round(&h.flights);
    flight_begin(&h.flights, &two);
    head_remove_idle(&h, 2);
    assert_ptr_equal(series_table_get(&h.shards[0].table, 0), s);
    assert_null(series_table_get(&h.shards[0].table, 1));
    flight_end(&h.flights, &one);
    series_table_place(&h.shards[0].table, 0)->mark.touched = two.round;
    flights_next_round(&h.flights);
    head_remove_idle(&h, 2);
    assert_ptr_equal(series_table_get(&h.shards[0].table, 0), s);
    flight_end(&h.flights, &two);
    head_remove_idle(&h, 2);
    assert_null(series_table_get(&h.shards[0].table, 0));
    head_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_spellings_are_bounded),
        cmocka_unit_test(test_flights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
