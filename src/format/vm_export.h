// SPDX-License-Identifier: Apache-2.0
/*
 * VictoriaMetrics' /api/v1/export: one JSON object a line,
 *
 *     {"metric":{"__name__":"up","job":"a"},"values":[1,null],"timestamps":[1000,2000]}
 *
 * Times are Unix milliseconds. `null` is a NaN, and "Infinity" and the like may stand for what JSON
 * has no number for. Unknown members are skipped. Any thread; no state.
 */
#ifndef FORMAT_VM_EXPORT_H
#define FORMAT_VM_EXPORT_H

#include "model/labels.h"
#include "model/sample.h"

enum { VM_EXPORT_LABELS_MAX = 1024 };

struct vm_export {
    struct labels labels; /* sorted, without empty values; text in the line or the arena */
    ts_ms *t;             /* in the order of the line */
    double *v;
    size_t n;
};

/* One line without its end. ERR_INVALID with the column. */
bool vm_export_read(str line, struct arena *a, struct vm_export *out, struct err *err);

#endif
