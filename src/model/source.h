// SPDX-License-Identifier: Apache-2.0
/*
 * Where samples come from: the read vtable that query languages use. A selection is a consistent
 * view, taken once: it holds every batch acknowledged before, and all or nothing of each batch.
 *
 * Calls may wait for disk, so they are made on pool threads, never on a loop.
 */
#ifndef MODEL_SOURCE_H
#define MODEL_SOURCE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/budget.h"
#include "model/exemplar.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "model/tier.h"

struct select_hints {
    ts_ms start, end; /* both inclusive */
    int64_t step_ms;  /* 0: instant or unknown */
    int64_t range_ms; /* window of a range selector, 0: none */
    str func;         /* innermost function or aggregation, for tiers and statistics */
    bool series_only; /* labels are wanted, samples are not */
    bool newest_only; /* of each series the newest sample of the range will do */
    size_t limit;     /* 0: none; at most so many series */
};

/* Decoded samples of one series, oldest first, times strictly rising. Stale markers are included,
 * always as floats. */
struct columns {
    size_t n;
    const ts_ms *t;
    const double *v;
    const struct histogram *const *h; /* NULL: all are floats; h[i] NULL: sample i is one */
    const ts_ms *start;               /* NULL: none is known; start[i] 0: that one is not */
};

/* Times start < t <= end of which a selection has no samples but rows of a tier (model/tier.h). */
struct tier_span {
    int64_t step_ms;
    ts_ms start, end;
};
enum { SOURCE_TIERS_MAX = 4 };

struct selection; /* opaque to the reader, with its own memory */

struct source {
    const struct source_ops *ops;
};

struct source_ops {
    /* Series that match all of `m`, sorted by labels_cmp. */
    struct selection *(*select)(struct source *s, const struct matcher *m, size_t m_n,
                                const struct select_hints *h, struct budget *b, struct err *err);
    size_t (*size)(const struct selection *sel);
    /* Made when they are first asked for, so by one thread at a time; they live as long as the
     * selection. */
    struct labels (*labels)(struct selection *sel, size_t i);
    /* Samples with start <= t <= end of the series from `first` on, into out[0], out[1], ..., in
     * the arena, counted against the budget of the selection. Neighbours are cheaper together: they
     * lie together on disk. *n says how many are wanted and gets how many were read, at least one;
     * fewer when they are much. From several threads at once for different series is fine. */
    bool (*read)(struct selection *sel, size_t first, size_t *n, ts_ms start, ts_ms end,
                 struct arena *a, struct columns *out, struct err *err);
    void (*release)(struct selection *sel);
    /* The spans of the selection that are rows, oldest first, neighbours; how many. Nearly always
     * 0. NULL: a source without tiers. */
    size_t (*tiers)(const struct selection *sel, struct tier_span out[SOURCE_TIERS_MAX]);
    /* Appends the rows of series i whose window has any t with start <= t <= end, counted against
     * the budget as a sample each. Threads as read. */
    bool (*read_tier)(struct selection *sel, size_t i, ts_ms start, ts_ms end,
                      struct tier_rows *out, struct err *err);

    /* Sorted names, or values of `name`, of the series that match (m_n 0: all), in the arena. Found
     * in indexes, not in samples: those of series near the range may come too. */
    bool (*label_names)(struct source *s, const struct matcher *m, size_t m_n,
                        const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                        size_t *n, struct err *err);
    bool (*label_values)(struct source *s, str name, const struct matcher *m, size_t m_n,
                         const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                         size_t *n, struct err *err);
    /* Exemplars with start <= t <= end of the series that match one of the sets, sorted by labels,
     * in the arena. NULL: this source keeps none. */
    bool (*exemplars)(struct source *s, const struct matcher_set *sets, size_t sets_n, ts_ms start,
                      ts_ms end, struct arena *a, struct exemplar_series **out, size_t *n,
                      struct err *err);
    /* Metadata of one family (empty: of all), in the arena, sorted by family. */
    bool (*metadata)(struct source *s, str family, size_t limit, struct arena *a,
                     struct metadata **out, size_t *n, struct err *err);
    /* What was ever told of one family, newest first, in the arena; stores forget the oldest. NULL:
     * this source keeps no history. */
    bool (*metadata_history)(struct source *s, str family, struct arena *a, struct metadata **out,
                             size_t *n, struct err *err);
};

/* One series alone. */
static inline bool source_read(const struct source_ops *ops, struct selection *sel, size_t i,
                               ts_ms start, ts_ms end, struct arena *a, struct columns *out,
                               struct err *err)
{
    size_t one = 1;
    return ops->read(sel, i, &one, start, end, a, out, err);
}

#endif
