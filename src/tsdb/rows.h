// SPDX-License-Identifier: Apache-2.0
/*
 * A row of 64-bit integers as few bytes, spread over the three streams of a page (pages.h) so that
 * each stream holds bytes of one kind:
 *
 *     ctl   what a row is: order of its differences, base, first values, exceptions
 *     low   the low `width` bits of its residuals, packed; mostly noise
 *     high  a byte per residual with what is above them; small numbers, alike in all rows whatever
 *           their scale, which is what an entropy coder wants
 *
 * Every row comes back as it was; arithmetic wraps. Format in docs/formats/part.md.
 */
#ifndef TSDB_ROWS_H
#define TSDB_ROWS_H

#include "store/enc.h"

enum { ROW_MAX = 8192 };

struct row_streams {
    struct enc ctl, low, high;
};

/* Where a reader stands; never passes an end. */
struct row_cursor {
    struct dec ctl, low, high;
};

void row_streams_fini(struct row_streams *s);
static inline bool row_cursor_bad(const struct row_cursor *c)
{
    return c->ctl.bad || c->low.bad || c->high.bad;
}

/* n is at most ROW_MAX. */
void row_encode(struct row_streams *s, const int64_t *x, size_t n);
/* When the bytes are no row of n integers the cursor is bad and x undefined. `bits` is the other
 * scratch row, n long. */
void row_decode(struct row_cursor *c, int64_t *x, size_t n);
/* When all values of the row are one, takes it, and moves past the row. */
bool row_take_equal(struct row_cursor *c, int64_t *x);
/* Moves past a row. */
void row_skip(struct row_cursor *c, size_t n);

#endif
