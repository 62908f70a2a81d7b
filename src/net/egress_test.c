// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <cmocka.h>

#include "net/dns.h"
#include "net/egress.h"

/* c: allowed to addresses from configuration files, f: to foreign ones. */
static const struct {
    const char *address;
    bool c, f;
} cases[] = {
    {"1.1.1.1", true, true},
    {"8.8.8.8", true, true},
    {"93.184.216.34", true, true},
    {"9.255.255.255", true, true},
    {"11.0.0.0", true, true},
    {"100.63.255.255", true, true},
    {"100.128.0.0", true, true},
    {"126.255.255.255", true, true},
    {"128.0.0.0", true, true},
    {"169.253.255.255", true, true},
    {"169.255.0.0", true, true},
    {"172.15.255.255", true, true},
    {"172.32.0.0", true, true},
    {"192.167.255.255", true, true},
    {"192.169.0.0", true, true},
    {"223.255.255.255", true, true},
    {"2606:4700:4700::1111", true, true},
    {"2a00:1450:4001::1", true, true},
    {"2001:db7::1", true, true},
    {"64:ff9b::808:808", true, true},
    {"2002:808:808::1", true, true},
    {"::ffff:8.8.8.8", true, true},
    {"0.0.0.0", true, false},
    {"0.1.2.3", true, false},
    {"10.0.0.1", true, false},
    {"10.255.255.255", true, false},
    {"100.64.0.1", true, false},
    {"100.127.255.255", true, false},
    {"127.0.0.1", true, false},
    {"127.255.255.254", true, false},
    {"169.254.0.1", true, false},
    {"169.254.169.1", true, false},
    {"172.16.0.1", true, false},
    {"172.31.255.255", true, false},
    {"192.0.0.1", true, false},
    {"192.0.2.1", true, false},
    {"192.88.99.1", true, false},
    {"192.168.1.1", true, false},
    {"198.18.0.1", true, false},
    {"198.19.255.255", true, false},
    {"198.51.100.1", true, false},
    {"203.0.113.1", true, false},
    {"224.0.0.1", true, false},
    {"240.0.0.1", true, false},
    {"255.255.255.255", true, false},
    {"::", true, false},
    {"::1", true, false},
    {"::7f00:1", true, false},
    {"::ffff:127.0.0.1", true, false},
    {"::ffff:10.0.0.1", true, false},
    {"::ffff:0:10.0.0.1", true, false},
    {"64:ff9b::a00:1", true, false},
    {"64:ff9b:1::1", true, false},
    {"2002:7f00:1::", true, false},
    {"2002:c0a8:101::1", true, false},
    {"2001:0:1234::f5ff:fffe", true, false}, /* Teredo for 10.0.0.1 */
    {"2001:db8::1", true, false},
    {"3fff::1", true, false},
    {"100::1", true, false},
    {"fc00::1", true, false},
    {"fd12:3456::1", true, false},
    {"fe80::1", true, false},
    {"febf::1", true, false},
    {"fec0::1", true, false},
    {"ff02::1", true, false},
    {"169.254.169.254", false, false},
    {"169.254.169.253", false, false},
    {"169.254.170.2", false, false},
    {"169.254.170.23", false, false},
    {"169.254.42.42", false, false},
    {"100.100.100.200", false, false},
    {"168.63.129.16", false, false},
    {"192.0.0.192", false, false},
    {"fd00:ec2::254", false, false},
    {"fd00:ec2::23", false, false},
    {"fd20:ce::254", false, false},
    {"fe80::a9fe:a9fe", false, false},
    {"::ffff:169.254.169.254", false, false},
    {"::a9fe:a9fe", false, false},
    {"64:ff9b::a9fe:a9fe", false, false},
    {"2002:a9fe:a9fe::1", false, false},
};

static union dns_addr parse(const char *text)
{
    union dns_addr a = {0};
    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
        a.in.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1)
        a.in6.sin6_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return a;
}

static void test_table(void **state)
{
    const struct egress config = {.from = EGRESS_CONFIG}, foreign = egress_foreign(&config),
                        opened = {.from = EGRESS_FOREIGN, .allow_private = true},
                        all = {
                            .from = EGRESS_FOREIGN, .allow_private = true, .allow_metadata = true};
    (void)state;
    assert_int_equal(foreign.from, EGRESS_FOREIGN);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        union dns_addr a = parse(cases[i].address);
        struct err err = {0};
        bool c = egress_check(&config, &a.sa, &err), f = egress_check(&foreign, &a.sa, &err);
        if (c != cases[i].c || f != cases[i].f)
            fail_msg("%s: config %d, foreign %d", cases[i].address, c, f);
        if (!f) {
            assert_int_equal(err.kind, ERR_DENIED);
            assert_non_null(strstr(err.msg, cases[i].address[0] == ':' ? ":" : cases[i].address));
        }
        assert_int_equal(egress_check(&opened, &a.sa, &err), c);
        assert_true(egress_check(&all, &a.sa, &err));
    }
}

static void test_other_families(void **state)
{
    const struct egress all = {
        .from = EGRESS_CONFIG, .allow_private = true, .allow_metadata = true};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct err err = {0};
    (void)state;
    assert_false(egress_check(&all, (struct sockaddr *)(void *)&un, &err));
    assert_int_equal(err.kind, ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_other_families)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
