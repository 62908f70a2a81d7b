// SPDX-License-Identifier: Apache-2.0
/*
 * Postings of a part: for every label name its values, for every value the ids of the series that
 * have it. In memory they are what they are on disk, and are read without being unpacked:
 *
 *     list    uvar first id, then tokens: gap << 1, one more id that far away,
 *             or times << 1 | 1, so many more at the gap of the one before
 *
 * Series stand in order of labels, so ids of one value mostly lie at equal distances (an instance,
 * a bucket) or side by side (a metric, a job), and a list of thousands takes a few bytes.
 * Everything was checked when it was loaded.
 */
#ifndef TSDB_INDEX_POSTINGS_H
#define TSDB_INDEX_POSTINGS_H

#include "store/enc.h"

struct posting {
    uint32_t value; /* symbol */
    uint32_t n;     /* series, at least one */
    uint32_t at;    /* n == 1: the id; else where its list is, in `lists` */
};

/* The values of a name are postings [first, first of the next), in order of their text. */
struct posting_name {
    uint32_t name, first;
    uint32_t series; /* that have a label of this name */
};

struct postings_dir {
    struct posting_name *names; /* names_n + 1, in order of their text */
    struct posting *at;
    const uint8_t *lists;
    size_t lists_bytes;
    uint32_t names_n, n;
};

/* `times` ids from `first` on, `gap` apart. */
struct posting_span {
    uint32_t first, gap, times;
};

struct posting_cursor {
    struct dec d;
    uint32_t left, last, gap;
};

static inline struct posting_cursor posting_read(const struct postings_dir *d,
                                                 const struct posting *p)
{
    struct posting_cursor c = {.left = p->n, .last = p->at};
    if (p->n > 1)
        c.d = dec_of((bytes){d->lists + p->at, d->lists_bytes - p->at});
    return c;
}

/* False at the end, or when the list is malformed: then d.bad is set. Spans rise, but may go beyond
 * what a u32 holds or the part has: only loading sees such lists. */
static inline bool posting_next(struct posting_cursor *c, uint32_t n, struct posting_span *out)
{
    if (c->left == 0 || c->d.bad)
        return false;
    if (c->left == n) { /* the first */
        uint64_t first = n > 1 ? dec_uvar(&c->d) : c->last;
        c->d.bad |= first > UINT32_MAX / 2;
        c->last = (uint32_t)first;
        *out = (struct posting_span){c->last, 1, 1};
        c->left--;
        return !c->d.bad;
    }
    uint64_t token = c->d.p < c->d.end && *c->d.p < 0x80 ? *c->d.p++ : dec_uvar(&c->d);
    uint64_t times = token & 1 ? token >> 1 : 1, gap = token & 1 ? c->gap : token >> 1;
    if (c->d.bad || gap == 0 || gap > UINT32_MAX / 2 || times == 0 || times > c->left ||
        c->last + gap * times > UINT32_MAX / 2) {
        c->d.bad = true;
        return false;
    }
    *out = (struct posting_span){c->last + (uint32_t)gap, (uint32_t)gap, (uint32_t)times};
    c->gap = (uint32_t)gap;
    c->last += (uint32_t)(gap * times);
    c->left -= (uint32_t)times;
    return true;
}

/* The values that neighbouring series, from `first` on, have of one label: at[0], at[stride], ...,
 * as numbers that `final` turns into symbols. */
struct label_column {
    uint32_t name; /* symbol */
    uint32_t first, n;
    const uint32_t *at;
    size_t stride;
};
/* Makes a section of all labels of all series; `columns` rise by `first`, and are sorted anew. */
void postings_encode(struct label_column *columns, size_t columns_n, const uint32_t *final,
                     uint32_t symbols_n, struct enc *out);

/* Writes p->n ids. */
void posting_ids(const struct postings_dir *d, const struct posting *p, uint32_t *out);
/* Sets, or clears, the bits of the ids. */
void posting_set(const struct postings_dir *d, const struct posting *p, uint64_t *bits);
void posting_clear(const struct postings_dir *d, const struct posting *p, uint64_t *bits);

/* Reads a section, refers to nothing of it. False: it is malformed, or not of a part with so many
 * symbols, series and labels of series. */
struct arena;
bool postings_load(struct postings_dir *d, bytes raw, uint32_t symbols_n, uint32_t series_n,
                   uint64_t labels_n, struct arena *a);
/* NULL when no series has a label of this name. */
const struct posting_name *postings_name(const struct postings_dir *d, uint32_t name);
/* NULL when none of them has this value. */
const struct posting *postings_find(const struct postings_dir *d, const struct posting_name *n,
                                    uint32_t value);

#endif
