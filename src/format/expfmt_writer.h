// SPDX-License-Identifier: Apache-2.0
/*
 * Writer of the exposition formats: a `struct emit` that appends to a buffer. HELP and TYPE are
 * written once per family, before its first sample.
 *
 *     struct expfmt_writer w;
 *     expfmt_writer_init(&w, choice, &out);
 *     source->emit(source, &w.emit, &err);
 *     expfmt_writer_finish(&w);
 *
 * The buffer is the caller's. Owned by one thread.
 *
 * OpenMetrics knows a counter by samples named `family_total` and an info by `family_info`: their
 * family lines lose the suffix, and families of these types without it are written as unknown.
 */
#ifndef FORMAT_EXPFMT_WRITER_H
#define FORMAT_EXPFMT_WRITER_H

#include "base/strbuf.h"
#include "format/expfmt_negotiate.h"
#include "model/emit.h"

struct expfmt_writer {
    struct emit emit;
    struct expfmt_choice choice;
    struct strbuf *out;
    struct strbuf family; /* the last one, to write its head only once */
    enum metric_type type;
};

void expfmt_writer_init(struct expfmt_writer *w, struct expfmt_choice choice, struct strbuf *out);
/* Ends the exposition (`# EOF` in OpenMetrics) and frees what the writer holds. */
void expfmt_writer_finish(struct expfmt_writer *w);

/* One sample with a timestamp, for federation. `t` in milliseconds. */
void expfmt_writer_sample_at(struct expfmt_writer *w, str name, const struct label *labels,
                             size_t labels_n, double value, ts_ms t);

#endif
