// SPDX-License-Identifier: Apache-2.0
/*
 * Label matchers: name = != =~ !~ value. Regular expressions are RE2, anchored at both ends, and
 * the dot matches a newline, as in Prometheus. A label that is not there has the empty value.
 */
#ifndef MODEL_MATCHER_H
#define MODEL_MATCHER_H

#include "codec/regex.h"
#include "model/labels.h"

enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
    enum match_op op;
    str name, value;
    struct regex *re; /* owned by the matcher; NULL for EQ and NE */
};

/* Text is referred to. Fails with the regular expression's error. */
bool matcher_init(struct matcher *m, enum match_op op, str name, str value, struct err *err);
void matcher_fini(struct matcher *m);
bool matcher_test(const struct matcher *m, str value);
/* True when a series without this label matches. */
bool matcher_test_absent(const struct matcher *m);
void matcher_format(const struct matcher *m, struct strbuf *out);

#endif
