// SPDX-License-Identifier: Apache-2.0
/*
 * The web UI: files that the build put into the executable. A URL is looked up in their table and
 * never becomes a path of the file system.
 */
#include "api/reply.h"
#include "api/tables.h"
#include "api/ui/assets.h"

#define CSP                                                                                        \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "                   \
    "frame-ancestors 'none'"

static const struct web_asset *asset_find(str path)
{
    size_t low = 0, high = web_assets_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = str_cmp(str_from_z(web_assets[middle].path), path);
        if (c == 0)
            return &web_assets[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct web_body *body_choose(const struct http_request *req, const struct web_asset *a,
                                          const char **coding)
{
    *coding = NULL;
    if (a->brotli.data && http_accepts(req, STR("br"))) {
        *coding = "br";
        return &a->brotli;
    }
    if (a->gzip.data && http_accepts(req, STR("gzip"))) {
        *coding = "gzip";
        return &a->gzip;
    }
    return &a->identity;
}

/* If-None-Match: a list of tags, or "*". */
static bool etag_matches(str wanted, const char *etag)
{
    str piece;
    while (str_cut(&wanted, ',', &piece)) {
        piece = str_trim(piece);
        if (str_starts(piece, STR("W/")))
            piece = str_sub(piece, 2, piece.n);
        if (str_eqz(piece, etag) || str_eqz(piece, "*"))
            return true;
    }
    return false;
}

static void asset_respond(struct call *c, const struct web_asset *a)
{
    const char *coding;
    const struct web_body *body = body_choose(c->req, a, &coding);
    bool same = etag_matches(http_header_get(c->req, STR("If-None-Match")), body->etag);
    struct http_header h[9];
    size_t n = 0;
    h[n++] = (struct http_header){STR("Content-Type"), str_from_z(a->content_type)};
    h[n++] = (struct http_header){STR("ETag"), str_from_z(body->etag)};
    h[n++] = (struct http_header){STR("Cache-Control"),
                                  a->immutable ? STR("public, max-age=31536000, immutable")
                                               : STR("no-cache")};
    h[n++] = (struct http_header){STR("Vary"), STR("Accept-Encoding")};
    h[n++] = (struct http_header){STR("Content-Security-Policy"), STR(CSP)};
    h[n++] = (struct http_header){STR("X-Content-Type-Options"), STR("nosniff")};
    h[n++] = (struct http_header){STR("Referrer-Policy"), STR("no-referrer")};
    h[n++] = (struct http_header){STR("Cross-Origin-Opener-Policy"), STR("same-origin")};
    if (coding)
        h[n++] = (struct http_header){STR("Content-Encoding"), str_from_z(coding)};
    struct http_response response = {
        .status = same ? 304 : 200,
        .headers = h,
        .headers_n = n,
        .body = same ? STR("") : str_of((const char *)body->data, body->size),
        .body_owner = HTTP_BODY_KEEP,
    };
    call_leave(c);
    http_respond(c->req, &response);
}

static void ui_page(struct call *c)
{
    const struct web_asset *a = asset_find(STR("/index.html"));
    if (a)
        asset_respond(c, a);
    else
        reply_text(c, 404, "this nunchi was built without its web pages\n");
}

static void ui_asset(struct call *c)
{
    const struct web_asset *a =
        asset_find(arena_printf(c->req->arena, "/assets/%.*s", STR_ARG(c->segments[0])));
    if (a)
        asset_respond(c, a);
    else
        reply_text(c, 404, "no such file\n");
}

// clang-format off
static const struct route rows[] = {
ROUTE(GET, "/",         MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/query",    MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/graph",    MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/explore",  MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/targets",  MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/service-discovery", MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/tsdb-status", MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/config",   MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/flags",    MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/status",   MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_page),
ROUTE(GET, "/assets/*", MAY_ALL,  READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, ui_asset),
};
// clang-format on

const struct route_table ui_routes = {rows, sizeof rows / sizeof rows[0]};
