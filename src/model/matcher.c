// SPDX-License-Identifier: Apache-2.0
#include "model/matcher.h"

bool matcher_init(struct matcher *m, enum match_op op, str name, str value, struct err *err)
{
    struct regex *re = NULL;
    if (op == MATCH_RE || op == MATCH_NRE) {
        re = regex_compile(value, REGEX_ANCHORED | REGEX_DOT_NL, err);
        if (!re)
            return false;
    }
    *m = (struct matcher){.op = op, .name = name, .value = value, .re = re};
    return true;
}

void matcher_fini(struct matcher *m)
{
    if (m->re)
        regex_free(m->re);
    m->re = NULL;
}

bool matcher_test(const struct matcher *m, str value)
{
    switch (m->op) {
    case MATCH_EQ:
        return str_eq(m->value, value);
    case MATCH_NE:
        return !str_eq(m->value, value);
    case MATCH_RE:
        return regex_test(m->re, value);
    case MATCH_NRE:
        return !regex_test(m->re, value);
    }
    return false;
}

bool matcher_test_absent(const struct matcher *m)
{
    return matcher_test(m, STR(""));
}

void matcher_format(const struct matcher *m, struct strbuf *out)
{
    static const char *const ops[] = {
        [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    label_name_format(m->name, out);
    strbuf_addz(out, ops[m->op]);
    label_value_format(m->value, out);
}
