// SPDX-License-Identifier: Apache-2.0
/*
 * Egress policy: which addresses this process may connect to. Pure: it judges addresses that are
 * resolved already. Callers pin what was judged (http_client does both).
 *
 * Two classes. Addresses written in configuration files may be anything but the metadata services
 * of cloud providers. Addresses that come from the API, the UI, discovery data, redirects or
 * templates are denied loopback, link-local, private and special ranges too, unless allowed. IPv6
 * forms that carry an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo) are judged by both.
 */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "base/err.h"
#include "base/str.h"

struct sockaddr;

enum egress_class {
    EGRESS_CONFIG, /* the address was written in a configuration file */
    EGRESS_FOREIGN /* it came from anywhere else */
};

struct egress {
    enum egress_class from;
    bool allow_metadata; /* cloud metadata services, both classes */
    bool allow_private;  /* FOREIGN: loopback, link-local and private ranges */
};

/* Refuses with ERR_DENIED: "address 10.0.0.1 is private: ...". Only AF_INET and AF_INET6 pass. */
bool egress_check(const struct egress *e, const struct sockaddr *sa, struct err *err);

/* Policy for a redirect or anything else that an allowed peer named: the foreign class. */
struct egress egress_foreign(const struct egress *e);

#endif
