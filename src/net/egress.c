// SPDX-License-Identifier: Apache-2.0
/*
 * The special ranges are those of the IANA registries (RFC 6890 and its updates); the metadata
 * addresses are those that cloud providers document.
 */
#include "net/egress.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/dns.h"

struct range4 {
    uint32_t net;
    uint8_t bits;
    const char *what;
};

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct range4 metadata4[] = {
    {IP4(169, 254, 169, 254), 32, "a cloud metadata service"}, /* most providers */
    {IP4(169, 254, 169, 253), 32, "a cloud metadata service"}, /* AWS: resolver */
    {IP4(169, 254, 169, 123), 32, "a cloud metadata service"}, /* AWS: time */
    {IP4(169, 254, 170, 2), 32, "a cloud metadata service"},   /* AWS: container credentials */
    {IP4(169, 254, 170, 23), 32, "a cloud metadata service"},  /* AWS: pod identity */
    {IP4(169, 254, 42, 42), 32, "a cloud metadata service"},   /* Scaleway */
    {IP4(169, 254, 0, 23), 32, "a cloud metadata service"},    /* Tencent */
    {IP4(100, 100, 100, 200), 32, "a cloud metadata service"}, /* Alibaba */
    {IP4(168, 63, 129, 16), 32, "a cloud metadata service"},   /* Azure: host agent */
    {IP4(192, 0, 0, 192), 32, "a cloud metadata service"},     /* Oracle */
};

static const struct range4 private4[] = {
    {IP4(0, 0, 0, 0), 8, "\"this host\""},
    {IP4(10, 0, 0, 0), 8, "private"},
    {IP4(100, 64, 0, 0), 10, "shared address space"},
    {IP4(127, 0, 0, 0), 8, "loopback"},
    {IP4(169, 254, 0, 0), 16, "link-local"},
    {IP4(172, 16, 0, 0), 12, "private"},
    {IP4(192, 0, 0, 0), 24, "reserved"},
    {IP4(192, 0, 2, 0), 24, "documentation"},
    {IP4(192, 88, 99, 0), 24, "reserved"},
    {IP4(192, 168, 0, 0), 16, "private"},
    {IP4(198, 18, 0, 0), 15, "benchmarking"},
    {IP4(198, 51, 100, 0), 24, "documentation"},
    {IP4(203, 0, 113, 0), 24, "documentation"},
    {IP4(224, 0, 0, 0), 4, "multicast"},
    {IP4(240, 0, 0, 0), 4, "reserved or broadcast"},
};

struct range6 {
    uint8_t net[16];
    uint8_t bits;
    const char *what;
};

static const struct range6 metadata6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, "a cloud metadata service"},                     /* AWS */
    {{0xfd, 0x00, 0x00, 0x42, [15] = 0x42}, 128, "a cloud metadata service"},       /* Scaleway */
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128, "a cloud metadata service"}, /* Google */
    {{0xfe, 0x80, [12] = 0xa9, 0xfe, 0xa9, 0xfe}, 128, "a cloud metadata service"}, /* OpenStack */
};

static const struct range6 private6[] = {
    {{0}, 128, "\"this host\""},
    {{[15] = 1}, 128, "loopback"},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "private translation"},
    {{0x01, 0x00}, 64, "discard"},
    {{0x20, 0x01, 0x00, 0x02, 0, 0}, 48, "benchmarking"},
    {{0x20, 0x01, 0x00, 0x10}, 28, "reserved"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0x3f, 0xff}, 20, "documentation"},
    {{0x5f, 0x00}, 16, "segment routing"},
    {{0xfc}, 7, "private"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfe, 0xc0}, 10, "site-local"},
    {{0xff}, 8, "multicast"},
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *find4(const struct range4 *table, size_t n, uint32_t ip)
{
    for (size_t i = 0; i < n; i++)
        if (((ip ^ table[i].net) >> (32 - table[i].bits)) == 0)
            return table[i].what;
    return NULL;
}

static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static const char *find6(const struct range6 *table, size_t n, const uint8_t *ip)
{
    for (size_t i = 0; i < n; i++)
        if (prefix_eq(ip, table[i].net, table[i].bits))
            return table[i].what;
    return NULL;
}

static const char *denied4(const struct egress *e, uint32_t ip)
{
    const char *what = find4(metadata4, N(metadata4), ip);
    if (what)
        return e->allow_metadata ? NULL : what;
    if (e->from == EGRESS_CONFIG || e->allow_private)
        return NULL;
    return find4(private4, N(private4), ip);
}

static uint32_t be32(const uint8_t *p)
{
    return IP4(p[0], p[1], p[2], p[3]);
}

/* The IPv4 address inside an IPv6 one, by which it is judged as well. */
static bool embedded4(const uint8_t *ip, uint32_t *out)
{
    static const uint8_t zero[12],
        mapped[12] = {[10] = 0xff, 0xff}, translated[12] = {[8] = 0xff, 0xff},
        nat64[12] = {0x00, 0x64, 0xff, 0x9b}, teredo[4] = {0x20, 0x01}, to4[2] = {0x20, 0x02};
    if (memcmp(ip, mapped, 12) == 0 || memcmp(ip, nat64, 12) == 0 ||
        memcmp(ip, translated, 12) == 0)
        *out = be32(ip + 12);
    else if (memcmp(ip, zero, 12) == 0 && be32(ip + 12) > 1) /* :: and ::1 are themselves */
        *out = be32(ip + 12);
    else if (memcmp(ip, to4, 2) == 0)
        *out = be32(ip + 2);
    else if (memcmp(ip, teredo, 4) == 0)
        *out = ~be32(ip + 12);
    else
        return false;
    return true;
}

static const char *denied6(const struct egress *e, const uint8_t *ip)
{
    uint32_t ip4;
    const char *what = find6(metadata6, N(metadata6), ip);
    if (what)
        return e->allow_metadata ? NULL : what;
    if (embedded4(ip, &ip4) && (what = denied4(e, ip4)))
        return what;
    if (e->from == EGRESS_CONFIG || e->allow_private)
        return NULL;
    return find6(private6, N(private6), ip);
}

bool egress_check(const struct egress *e, const struct sockaddr *sa, struct err *err)
{
    const char *what;
    if (sa->sa_family == AF_INET)
        what = denied4(e, ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
    else if (sa->sa_family == AF_INET6)
        what = denied6(e, ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
    else
        return err_set(err, ERR_DENIED, "egress policy: address family %d is not allowed",
                       sa->sa_family);
    if (!what)
        return true;
    char text[DNS_ADDR_TEXT_MAX];
    dns_addr_format(sa, text);
    return err_set(err, ERR_DENIED, "egress policy: address %s is %s", text, what);
}

struct egress egress_foreign(const struct egress *e)
{
    struct egress foreign = *e;
    foreign.from = EGRESS_FOREIGN;
    return foreign;
}
