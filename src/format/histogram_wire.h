// SPDX-License-Identifier: Apache-2.0
/*
 * The protobuf shape of a native histogram. Remote write and the exposition format number its
 * fields differently and mean the same: the caller says what each number is.
 */
#ifndef FORMAT_HISTOGRAM_WIRE_H
#define FORMAT_HISTOGRAM_WIRE_H

#include "model/histogram.h"

enum histogram_field {
    HF_OTHER, /* not read here */
    HF_COUNT_INT,
    HF_COUNT_FLOAT, /* says that this is a float histogram */
    HF_SUM,
    HF_SCHEMA,
    HF_ZERO_THRESHOLD,
    HF_ZERO_INT,
    HF_ZERO_FLOAT,
    HF_NEGATIVE_SPANS, /* spans, deltas, counts of one sign follow each other */
    HF_NEGATIVE_DELTAS,
    HF_NEGATIVE_COUNTS,
    HF_POSITIVE_SPANS,
    HF_POSITIVE_DELTAS,
    HF_POSITIVE_COUNTS,
    HF_RESET,
    HF_CUSTOM,
};

enum { HISTOGRAM_FIELDS_MAX = 20 };

/*
 * Integer histograms write buckets as differences, float histograms as they are; both come out as
 * counts. *out is in the arena, NULL for one whose sum is the stale marker. ERR_INVALID, ERR_LIMIT:
 * as histogram_check says, also when the buckets of an integer histogram do not add up to its
 * count.
 */
bool histogram_wire_read(bytes message, const uint8_t fields[HISTOGRAM_FIELDS_MAX], struct arena *a,
                         struct histogram **out, struct err *err);

#endif
