// SPDX-License-Identifier: Apache-2.0
/*
 * Protection of state-changing routes against pages of other sites in the user's browser, and
 * against names that were made to point here (DNS rebinding).
 *
 * Refused: an Origin that is not the address the request was sent to, a Sec-Fetch-Site other than
 * same-origin or none, and a Host that is not this server's. The last is told by: IP addresses and
 * "localhost" always, this host's own names, the host of --web.external-url. Other names are let
 * through only on a listener that is open to the network and only for a request that bears no mark
 * of a browser (Origin, Sec-Fetch-Site, Referer), because shippers reach a server by names it
 * cannot know.
 */
#ifndef API_GUARD_H
#define API_GUARD_H

#include "net/http_server.h"

struct guard {
    str external_host; /* of --web.external-url, without port; empty: none */
    str hostname;      /* this host's; its first label counts too */
    bool open;         /* some listener is not on loopback */
};

/* ERR_DENIED with what was wrong. */
bool guard_check(const struct guard *g, const struct http_request *req, struct err *err);

#endif
