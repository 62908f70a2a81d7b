// SPDX-License-Identifier: Apache-2.0
#ifndef API_ADMIN_ADMIN_INT_H
#define API_ADMIN_ADMIN_INT_H

#include "api/reply.h"

/* health.c */
void admin_healthy(struct call *c);
void admin_ready(struct call *c);
void admin_reload(struct call *c);
void admin_quit(struct call *c);
/* metrics.c */
void admin_metrics(struct call *c);

#endif
