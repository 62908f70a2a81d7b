// SPDX-License-Identifier: Apache-2.0
/* What the files of `nunchi query` share. */
#ifndef CMD_QUERY_INT_H
#define CMD_QUERY_INT_H

#include "base/err.h"
#include "base/strbuf.h"

/*
 * Lays out an answer of Prometheus' API for a terminal: `out` gets the data, `notes` the warnings
 * and infos, a line each. Control characters of the answer are escaped. False: the answer is an
 * error of the server, or none of this API.
 */
bool query_print(str body, struct strbuf *out, struct strbuf *notes, struct err *err);

#endif
