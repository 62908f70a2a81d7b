// SPDX-License-Identifier: Apache-2.0
//
// The web UI, embedded in the executable. The table is written by tools/embed-web during the build;
// it and everything it points at is constant and lives as long as the process.
//
// Files under /assets/ carry a hash of their content in their name, so they are `immutable`: a
// browser may keep them for ever. /index.html keeps its name and must be asked for again each time
// (its ETag answers 304). Every page of the UI is /index.html: answer it for /, /query, /graph,
// /targets and /status. Its references are relative (`./assets/...`), so it works under any path
// prefix, but only for paths of one segment.
#ifndef NUNCHI_API_UI_ASSETS_H
#define NUNCHI_API_UI_ASSETS_H

#include <stddef.h>

// One encoding of a file. `data` is NULL when the encoding would not be smaller than the file
// itself.
struct web_body {
    const unsigned char *data;
    size_t size;
    const char
        *etag; // strong, with its quotes; differs between encodings, as RFC 9110 section 8.8.3 asks
};

struct web_asset {
    const char *path; // absolute below the prefix: "/assets/app-1a2b3c4d.js"
    const char *content_type;
    struct web_body identity; // always there
    struct web_body gzip;
    struct web_body brotli;
    int immutable; // 1: Cache-Control: public, max-age=31536000, immutable; 0: no-cache
};

// Sorted by path, bytewise.
extern const struct web_asset web_assets[];
extern const size_t web_assets_n;

#endif
