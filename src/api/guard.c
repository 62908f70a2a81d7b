// SPDX-License-Identifier: Apache-2.0
#include "api/guard.h"

#include <arpa/inet.h>

/* "name:9090" and "[::1]:9090" without the port; brackets stay. */
static str host_without_port(str host)
{
    if (host.n && host.p[0] == '[') {
        ssize_t end = str_index(host, ']');
        return end < 0 ? host : str_sub(host, 0, (size_t)end + 1);
    }
    ssize_t colon = str_index(host, ':');
    return colon < 0 ? host : str_sub(host, 0, (size_t)colon);
}

static bool is_address(str host)
{
    char z[64];
    unsigned char raw[16];
    if (host.n >= 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.n - 1);
    if (host.n >= sizeof z)
        return false;
    memcpy(z, host.p, host.n);
    z[host.n] = 0;
    return inet_pton(AF_INET, z, raw) == 1 || inet_pton(AF_INET6, z, raw) == 1;
}

static bool host_is_ours(const struct guard *g, str host)
{
    ssize_t dot = str_index(g->hostname, '.');
    str first = dot < 0 ? g->hostname : str_sub(g->hostname, 0, (size_t)dot);
    return host.n == 0 || is_address(host) || str_eq_nocase(host, STR("localhost")) ||
           (g->hostname.n && str_eq_nocase(host, g->hostname)) ||
           (first.n && str_eq_nocase(host, first)) ||
           (g->external_host.n && str_eq_nocase(host, g->external_host));
}

static bool origin_is_target(str origin, const struct http_request *req)
{
    str scheme = req->tls ? STR("https://") : STR("http://");
    if (!str_starts(origin, scheme))
        return false;
    return str_eq_nocase(str_sub(origin, scheme.n, origin.n), req->host);
}

bool guard_check(const struct guard *g, const struct http_request *req, struct err *err)
{
    str origin = http_header_get(req, STR("Origin"));
    str site = http_header_get(req, STR("Sec-Fetch-Site"));
    str referer = http_header_get(req, STR("Referer"));
    str host = host_without_port(req->host);
    if (site.p && !str_eqz(site, "same-origin") && !str_eqz(site, "none"))
        return err_set(err, ERR_DENIED, "a page of another site may not change anything here");
    if (origin.p && !origin_is_target(origin, req))
        return err_set(err, ERR_DENIED, "origin \"%.*s\" may not change anything here",
                       STR_ARG(origin));
    if (host_is_ours(g, host))
        return true;
    if (g->open && !origin.p && !site.p && !referer.p)
        return true;
    err_set(err, ERR_DENIED, "\"%.*s\" is no name of this server", STR_ARG(host));
    return err_hint(err, "--web.external-url tells the name under which it is reached");
}
