// SPDX-License-Identifier: Apache-2.0
/*
 * The columnar answer of range queries, docs/formats/columns.md: a grid of times, a dictionary of
 * label texts, and for each series the steps it has a value at and the values as doubles. A reader
 * in a browser looks at the values where they are, instead of parsing a text for each.
 *
 *     columns_dictionary_add(&d, labels);            for each series
 *     columns_put_head(&d, &grid, envelope, n, out);
 *     columns_put_series(&d, &grid, &series, out);   for each again, in the same order
 *
 * Every put appends a multiple of 8 bytes, so the buffer may be emptied in between. One thread.
 */
#ifndef FORMAT_COLUMNS_H
#define FORMAT_COLUMNS_H

#include "base/map.h"
#include "base/strbuf.h"
#include "model/labels.h"

#define COLUMNS_MEDIA_TYPE "application/vnd.nunchi.columns"

struct columns_grid {
    ts_ms start;
    int64_t step_ms; /* above 0 */
    uint32_t steps;
};

/* All zero is empty. Texts are not copied. */
struct columns_dictionary {
    struct map ids;
};
void columns_dictionary_fini(struct columns_dictionary *d);
void columns_dictionary_add(struct columns_dictionary *d, struct labels ls);

/* `envelope`: JSON, what the answer says beside the series. */
void columns_put_head(const struct columns_dictionary *d, const struct columns_grid *g,
                      str envelope, size_t series_n, struct strbuf *out);

struct columns_series {
    struct labels labels; /* were added to the dictionary */
    size_t n;
    const ts_ms *t; /* rising, on the grid */
    const double *v;
};
void columns_put_series(const struct columns_dictionary *d, const struct columns_grid *g,
                        const struct columns_series *s, struct strbuf *out);

#endif
