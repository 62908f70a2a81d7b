// SPDX-License-Identifier: Apache-2.0
/* node_filefd_*: open files of the whole host. */
#include "collect/collect_int.h"

bool node_filefd_update(struct collect_ctx *c, struct err *err)
{
    str text;
    double allocated, unused, maximum;
    if (!collect_read(c, &text, err, c->procfs, "sys/fs/file-nr"))
        return false;
    text = str_trim(text);
    if (!text_f64(&text, &allocated) || !text_f64(&text, &unused) || !text_f64(&text, &maximum))
        return err_set(err, ERR_CORRUPT, "file-nr: no three numbers");
    put_one(c, "node_filefd_allocated", METRIC_GAUGE, "File descriptor statistics: allocated.",
            allocated);
    put_one(c, "node_filefd_maximum", METRIC_GAUGE, "File descriptor statistics: maximum.",
            maximum);
    return true;
}
