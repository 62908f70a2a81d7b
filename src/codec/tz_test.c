// SPDX-License-Identifier: Apache-2.0
/* Zones put together here, and those of the system against what they are known to be. */
#include "base/arena.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "codec/date.h"
#include "codec/tz.h"
#include "sys/file.h"

static void put(struct strbuf *b, uint64_t v, size_t n)
{
    while (n--)
        strbuf_addc(b, (char)(v >> (8 * n)));
}

static void put_header(struct strbuf *b, char version, uint32_t times, uint32_t types)
{
    strbuf_addz(b, "TZif");
    strbuf_addc(b, version);
    for (int i = 0; i < 15; i++)
        strbuf_addc(b, 0);
    for (int i = 0; i < 3; i++)
        put(b, 0, 4);
    put(b, times, 4);
    put(b, types, 4);
    put(b, 4, 4);
}

/* One change, at second 1000, from +1h to +2h, then the rule. */
static void zone(struct strbuf *b, const char *rule)
{
    put_header(b, '2', 0, 1);
    put(b, 0, 6);
    put(b, 0, 4);
    put_header(b, '2', 1, 2);
    put(b, 1000, 8);
    put(b, 1, 1);
    put(b, 3600, 4), put(b, 0, 2);
    put(b, 7200, 4), put(b, 0, 2);
    put(b, 0, 4);
    strbuf_addf(b, "\n%s\n", rule);
}

static ts_ms moment(const char *text)
{
    ts_ms t;
    struct err err;
    assert_true(date_parse(str_from_z(text), &t, &err));
    return t;
}

static const struct {
    const char *rule, *t;
    int32_t offset;
} rules[] = {
    {"", "1970-01-01T00:00:00Z", 3600},
    {"", "1970-01-01T00:16:39Z", 3600},
    {"", "1970-01-01T00:16:40Z", 7200},
    {"", "2400-01-01T00:16:40Z", 7200},
    {"<+03>-3", "2050-07-01T00:00:00Z", 10800},
    {"EST5", "2050-07-01T00:00:00Z", -18000},
    {"<-0330>3:30", "2050-07-01T00:00:00Z", -12600},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-01-01T00:00:00Z", 3600},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-07-01T00:00:00Z", 7200},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T00:59:59Z", 3600},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T01:00:00Z", 7200},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-10-30T00:59:59Z", 7200},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-10-30T01:00:00Z", 3600},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2050-01-01T00:00:00Z", 39600},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2050-07-01T00:00:00Z", 36000},
    {"A0B,J60,J61/0", "2048-03-01T12:00:00Z", 3600},
    {"A0B,J60,J61/0", "2048-02-29T12:00:00Z", 0},
    {"A0B,59/0,60/0", "2048-02-29T12:00:00Z", 3600},
    {"A0B,59/0,60/0", "2049-03-01T12:00:00Z", 3600},
    {"A0B-2,M1.1.1/-1,M2.1.1", "2050-01-15T12:00:00Z", 7200},
};

static void test_rules(void **state)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        STRBUF_CLEANUP struct strbuf b = {0};
        struct err err;
        zone(&b, rules[i].rule);
        struct tz *z = tz_decode(strbuf_str(&b), &err);
        assert_non_null(z);
        if (tz_offset(z, moment(rules[i].t) / 1000) != rules[i].offset)
            print_error("%s at %s\n", rules[i].rule, rules[i].t);
        assert_int_equal(tz_offset(z, moment(rules[i].t) / 1000), rules[i].offset);
        tz_free(z);
    }
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {
        "X",      "CET-1CEST",       "CET-1CEST,M13.1.0,M1.1.1",   "CET-1CEST,M3.6.0,M10.5.0",
        "<CET-1", "CET-1CEST,J0,J1", "CET-1CEST,M3.5.0,M10.5.0/3x"};
    struct err err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        STRBUF_CLEANUP struct strbuf b = {0};
        zone(&b, wrong[i]);
        assert_null(tz_decode(strbuf_str(&b), &err));
    }
    STRBUF_CLEANUP struct strbuf b = {0};
    zone(&b, "CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t n = 0; n < b.n; n++) /* cut anywhere */
        assert_null(tz_decode(str_of(b.p, n), &err));
}

static void test_system(void **state)
{
    static const struct {
        const char *zone, *t;
        int32_t offset;
    } known[] = {
        {"UTC", "2024-07-01T00:00:00Z", 0},
        {"Europe/Berlin", "2024-07-01T00:00:00Z", 7200},
        {"Europe/Berlin", "2024-01-01T00:00:00Z", 3600},
        {"Europe/Berlin", "2090-07-01T00:00:00Z", 7200},
        {"Asia/Seoul", "2024-01-01T00:00:00Z", 32400},
        {"America/New_York", "2024-03-10T06:59:59Z", -18000},
        {"America/New_York", "2024-03-10T07:00:00Z", -14400},
        {"Asia/Kolkata", "2060-01-01T00:00:00Z", 19800},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ARENA_CLEANUP struct arena a;
        char path[128];
        struct err err;
        str file;
        arena_init(&a, 0);
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", known[i].zone);
        if (!file_exists(path))
            skip();
        assert_true(file_read(path, TZ_FILE_BYTES_MAX, &a, &file, &err));
        struct tz *z = tz_decode(file, &err);
        assert_non_null(z);
        assert_int_equal(tz_offset(z, moment(known[i].t) / 1000), known[i].offset);
        tz_free(z);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
