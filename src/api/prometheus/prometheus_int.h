// SPDX-License-Identifier: Apache-2.0
/* The functions behind the routes of Prometheus' API, and what they share. */
#ifndef API_PROMETHEUS_PROMETHEUS_INT_H
#define API_PROMETHEUS_PROMETHEUS_INT_H

#include "api/reply.h"
#include "codec/json_writer.h"
#include "model/labels.h"

/* query.c */
void prometheus_query(struct call *c);
void prometheus_query_range(struct call *c);
/* series.c */
void prometheus_series(struct call *c);
void prometheus_labels(struct call *c);
void prometheus_label_values(struct call *c);
void prometheus_metadata(struct call *c);
/* targets.c */
void prometheus_targets(struct call *c);
void prometheus_scrape_pools(struct call *c);
/* status.c */
void prometheus_buildinfo(struct call *c);
void prometheus_runtimeinfo(struct call *c);
void prometheus_flags(struct call *c);
void prometheus_config(struct call *c);
void prometheus_tsdb(struct call *c);
void prometheus_nunchi(struct call *c);
void prometheus_walreplay(struct call *c);
/* features.c, language.c, rules.c, federate.c, target_metadata.c */
void prometheus_features(struct call *c);
void prometheus_format_query(struct call *c);
void prometheus_parse_query(struct call *c);
void prometheus_query_exemplars(struct call *c);
void prometheus_rules(struct call *c);
void prometheus_alerts(struct call *c);
void prometheus_alertmanagers(struct call *c);
void prometheus_federate(struct call *c);
void prometheus_targets_metadata(struct call *c);
/* notifications.c */
void prometheus_notifications(struct call *c);
void prometheus_notifications_live(struct call *c);
/* active.c */
void prometheus_active_queries(struct call *c);
void prometheus_cancel_query(struct call *c);
/* tsdb_admin.c */
void prometheus_delete_series(struct call *c);
void prometheus_clean_tombstones(struct call *c);
void prometheus_snapshot(struct call *c);
void prometheus_tsdb_blocks(struct call *c);
/* read.c, write.c, otlp.c */
void prometheus_read(struct call *c);
void prometheus_otlp_metrics(struct call *c);
void prometheus_write(struct call *c);

/* {"status":"success","data": is written, `w` stands at the data. */
void success_begin(struct reply *r, struct json_writer *w, struct call *c);
/* Closes it after the data. */
void success_end(struct reply *r, struct json_writer *w);
/* A whole answer: [], or an object of empty lists. */
void success_empty_list(struct call *c);
void success_empty_lists(struct call *c, const char *const *keys, size_t n);

void json_labels(struct json_writer *w, struct labels ls);
/* Unix seconds, three decimals when there is a fraction. */
void json_time(struct json_writer *w, ts_ms t);
/* RFC 3339, UTC */
void json_rfc3339(struct json_writer *w, ts_ms t);
/* name: text */
void json_pair(struct json_writer *w, const char *key, str value);
void json_pair_u64(struct json_writer *w, const char *key, uint64_t value);

#endif
