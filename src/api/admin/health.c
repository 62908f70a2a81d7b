// SPDX-License-Identifier: Apache-2.0
/* /-/healthy, /-/ready, /-/reload, /-/quit. */
#include "api/admin/admin_int.h"

void admin_healthy(struct call *c)
{
    reply_text(c, 200, "nunchi is healthy.\n");
}

void admin_ready(struct call *c)
{
    if (atomic_load(&c->api->ready))
        reply_text(c, 200, "nunchi is ready.\n");
    else
        reply_text(c, 503, "nunchi is starting or stopping.\n");
}

/* A bad file changes nothing and is answered with the text that `nunchi check config` prints. */
void admin_reload(struct call *c)
{
    struct reply r;
    STRBUF_CLEANUP struct strbuf report = {0};
    bool ok = c->api->reload(c->api->reload_arg, &report);
    reply_begin(&r, c, ok ? 200 : 400, "text/plain; charset=utf-8");
    strbuf_add(&r.buf, strbuf_str(&report));
    reply_end(&r, true);
}

/* The stop begins when the answer is made, and waits for it to go out. */
void admin_quit(struct call *c)
{
    struct api *api = c->api;
    reply_text(c, 200, "Requesting termination... Goodbye!\n");
    api->quit(api->reload_arg);
}
