// SPDX-License-Identifier: Apache-2.0
/*
 * Name resolution on a loop: /etc/hosts first, then DNS, by c-ares. Answers are kept for their TTL
 * (5 s to 5 min), at most 4,096 names. Everything on the loop's thread.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <netinet/in.h>

#include "base/err.h"
#include "base/str.h"

struct dns;
struct dns_query;
struct loop;

union dns_addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

enum { DNS_ADDRS_MAX = 16 };

/* Called once, never from inside dns_resolve. `err` is NULL when n > 0. Ports are 0. */
typedef void (*dns_fn)(void *arg, const union dns_addr *addrs, size_t n, const struct err *err);

struct dns *dns_new(struct loop *l, struct err *err);
/* Queries under way are dropped without a call. */
void dns_free(struct dns *d);

/* A name, or an IP literal (IPv6 without brackets). Asks for A and AAAA. */
struct dns_query *dns_resolve(struct dns *d, str name, unsigned timeout_ms, dns_fn fn, void *arg);
/* `fn` will not be called. Not after it was. */
void dns_cancel(struct dns_query *q);

/* "192.0.2.1" or "2001:db8::1" without port. */
enum { DNS_ADDR_TEXT_MAX = 64 };
void dns_addr_format(const struct sockaddr *sa, char out[DNS_ADDR_TEXT_MAX]);

#endif
