// SPDX-License-Identifier: Apache-2.0
/* node_uname_info. */
#include "collect/collect_int.h"
#include "sys/host.h"

bool node_uname_update(struct collect_ctx *c, struct err *err)
{
    struct host_name h;
    host_name(&c->arena, &h);
    struct label l[] = {LABEL("domainname", h.domainname), LABEL("machine", h.machine),
                        LABEL("nodename", h.nodename),     LABEL("release", h.release),
                        LABEL("sysname", h.sysname),       LABEL("version", h.version)};
    put_family(c, "node_uname_info", METRIC_GAUGE,
               "Labeled system information as provided by the uname system call.");
    put_labels(c, "node_uname_info", l, sizeof l / sizeof *l, 1);
    return true;
}
