// SPDX-License-Identifier: Apache-2.0
/*
 * What of a part is not to be seen: what tombstones hide, and what is older than its series is
 * kept. Found once per part and set of tombstones, immutable, counted.
 */
#ifndef TSDB_VEIL_H
#define TSDB_VEIL_H

#include "tsdb/index.h"
#include "tsdb/tombstones.h"

enum { KEEP_RULES_MAX = 64 };

/* How long series are kept: the first rule that matches says. Immutable. */
struct keep {
    struct {
        struct matcher *m;
        size_t m_n;
        int64_t keep_ms; /* 0: for ever */
    } rules[KEEP_RULES_MAX];
    size_t n;
    int64_t keep_ms; /* of all others; 0: for ever */
};

/* Samples before these are not seen; [0] is of series that no rule matches, [1 + i] of rule i. */
struct cutoffs {
    ts_ms at[KEEP_RULES_MAX + 1];
    ts_ms oldest, newest; /* of them */
};
void cutoffs_find(const struct keep *k, ts_ms now, struct cutoffs *out);
/* The place in cutoffs of a series. */
unsigned keep_class(const struct keep *k, struct labels ls);

/* What was found in the index, shared by one veil after the other. */
struct veil_ids {
    _Atomic unsigned refs;
    size_t n;
    uint32_t at[]; /* rising */
};
struct veil_classes {
    _Atomic unsigned refs;
    uint8_t at[]; /* of each series */
};

/* Times, both inclusive. */
struct veil_span {
    ts_ms start, end;
};

/* Series of a part that tombstones of one selection are about, and what times they hide. */
struct veil_group {
    struct scope *of;
    struct veil_ids *ids;
    struct veil_span *spans; /* rising, apart */
    size_t n;
};

struct veil {
    _Atomic unsigned refs;
    uint64_t version; /* of the tombstones */
    struct arena arena;
    struct veil_classes *classes; /* NULL: all are 0 */
    struct veil_group *groups;    /* in order of the numbers of their scopes */
    size_t n;
    /* Which groups series i is of: places[first[i]..first[i + 1]). NULL: few, or too many to say.
     */
    uint32_t *first, *places;
};

/* NULL when nothing of the part can be hidden but by the cutoff of class 0. `old`: the veil of the
 * part by tombstones of before, NULL: none; what both have is not looked for again. */
struct veil *veil_new(const struct index *x, const struct part_info *info,
                      const struct tombstones *t, const struct keep *k, const struct veil *old);
void veil_unref(struct veil *v);
/* The part has series with samples that a tombstone hides. */
bool veil_has_deleted(const struct veil *v, const struct index *x);
/* Nothing of the series is seen in [start, end]. `v` may be NULL in both. */
bool veil_hides(const struct veil *v, const struct cutoffs *c, uint32_t id, ts_ms start, ts_ms end);
/* Anything of the series in [start, end] was deleted. `v` may be NULL. */
bool veil_touches(const struct veil *v, uint32_t id, ts_ms start, ts_ms end);
/* Takes what is hidden out of the samples of series `id` from place `from` on. */
void veil_apply(const struct veil *v, const struct cutoffs *c, uint32_t id, struct gather *g,
                size_t from);

#endif
