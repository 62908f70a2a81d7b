// SPDX-License-Identifier: Apache-2.0
/*
 * Exemplars: the newest ones of all series, bounded by number and by memory; a new one pushes the
 * oldest out. Rules of Prometheus' CircularExemplarStorage: at most 128 characters of labels; those
 * of a series rise in (time, value, labels), the same as the newest is a duplicate.
 *
 * They are in the WAL with their batch, and every flush that finds new ones writes all that are
 * held into its part: the newest part with some has all. Replaying what a part has already gives
 * duplicates, which are dropped.
 *
 * Thread-safe: one lock, left now and then while a selection looks at many series.
 */
#ifndef TSDB_EXEMPLARS_H
#define TSDB_EXEMPLARS_H

#include "model/exemplar.h"
#include "model/matcher.h"
#include "store/enc.h"

struct exemplars;

/* At most `max` of them; 0: none is stored. */
struct exemplars *exemplars_new(size_t max);
void exemplars_free(struct exemplars *x);
/* The oldest leave when there are more. */
void exemplars_resize(struct exemplars *x, size_t max);

enum exemplar_result {
    EXEMPLAR_STORED,
    EXEMPLAR_DUPLICATE,
    EXEMPLAR_OUT_OF_ORDER,
    EXEMPLAR_TOO_LONG,
    EXEMPLAR_DISABLED,
    EXEMPLAR_RESULTS,
};
/* Copies. Counted in nunchi_tsdb_exemplars_total. */
enum exemplar_result exemplars_add(struct exemplars *x, struct labels series,
                                   const struct exemplar *e);

/* Those with start <= t <= end of the series that match one of the sets, sorted by labels, in the
 * arena. A series without any is left out. */
void exemplars_select(struct exemplars *x, const struct matcher_set *sets, size_t sets_n,
                      ts_ms start, ts_ms end, struct arena *a, struct exemplar_series **out,
                      size_t *n);

/* Those with start <= t <= end of the series that match all of `m` leave; how many. */
size_t exemplars_delete(struct exemplars *x, const struct matcher_set *m, ts_ms start, ts_ms end);

struct exemplars_stats {
    size_t n, series, max;
    uint64_t bytes;
};
void exemplars_stats(struct exemplars *x, struct exemplars_stats *out);

/* What exemplars_add would say, but for memory. Duplicates are counted, as is what is refused. */
enum exemplar_result exemplars_check(struct exemplars *x, struct labels series,
                                     const struct exemplar *e);

/* True when something was stored or deleted since the last exemplars_encode, or since it was said.
 */
bool exemplars_dirty(struct exemplars *x);
void exemplars_set_dirty(struct exemplars *x, bool dirty);
/* Appends all that are held, oldest first, as a list. */
void exemplars_encode(struct exemplars *x, struct enc *e);

/*
 * A list on disk, docs/formats/part.md "List of exemplars": labels of series, each once, then
 * exemplars in order of arrival with the number of their series.
 */
struct exemplar_row {
    uint32_t series; /* index */
    struct exemplar x;
};
void exemplar_rows_encode(struct enc *e, const struct labels *series, size_t series_n,
                          const struct exemplar_row *rows, size_t n);
/* Calls `fn` for each in order; views live in the input and the arena. False: malformed. */
bool exemplar_rows_decode(struct dec *d, struct arena *a,
                          void (*fn)(void *arg, struct labels series, const struct exemplar *x),
                          void *arg);

#endif
