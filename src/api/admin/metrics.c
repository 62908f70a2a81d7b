// SPDX-License-Identifier: Apache-2.0
/* /metrics: what this process says of itself, in the format that the scraper prefers. */
#include "api/admin/admin_int.h"
#include "format/expfmt_negotiate.h"
#include "format/expfmt_writer.h"

void admin_metrics(struct call *c)
{
    struct reply r;
    struct expfmt_writer w;
    struct err err;
    struct expfmt_choice choice = expfmt_choose(http_header_get(c->req, STR("Accept")));
    reply_begin(&r, c, 200, expfmt_content_type(choice).p);
    expfmt_writer_init(&w, choice, &r.buf);
    /* What could not be told is missing from the page, as with any exporter. */
    (void)c->api->self->emit(c->api->self, &w.emit, &err);
    expfmt_writer_finish(&w);
    reply_end(&r, true);
}
