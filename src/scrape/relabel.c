// SPDX-License-Identifier: Apache-2.0
/* The relabelling rules of a configuration as model/relabel.h wants them. */
#include "model/relabel.h"

#include "scrape/scrape_int.h"

struct rules {
    struct relabel_rule *at;
    size_t n;
};

static enum relabel_action action_of(int conf)
{
    static const enum relabel_action actions[] = {
        [CONF_RELABEL_REPLACE] = RELABEL_REPLACE,     [CONF_RELABEL_KEEP] = RELABEL_KEEP,
        [CONF_RELABEL_DROP] = RELABEL_DROP,           [CONF_RELABEL_HASHMOD] = RELABEL_HASHMOD,
        [CONF_RELABEL_LABELMAP] = RELABEL_LABELMAP,   [CONF_RELABEL_LABELDROP] = RELABEL_LABELDROP,
        [CONF_RELABEL_LABELKEEP] = RELABEL_LABELKEEP, [CONF_RELABEL_LOWERCASE] = RELABEL_LOWERCASE,
        [CONF_RELABEL_UPPERCASE] = RELABEL_UPPERCASE, [CONF_RELABEL_KEEPEQUAL] = RELABEL_KEEPEQUAL,
        [CONF_RELABEL_DROPEQUAL] = RELABEL_DROPEQUAL,
    };
    return actions[conf];
}

static void fill(struct relabel_rule *r, const struct conf_relabel *c, bool legacy)
{
    relabel_rule_init(r);
    r->action = action_of(c->action);
    r->source_labels = c->source_labels.at;
    r->source_labels_n = c->source_labels.n;
    r->separator = c->separator;
    r->regex = c->regex;
    r->modulus = c->modulus;
    r->target_label = c->target_label;
    r->replacement = c->replacement;
    r->legacy_names = legacy;
}

struct rules *rules_new(const struct conf_relabel *list, size_t n, bool legacy, struct err *err)
{
    struct rules *r = mem_new(struct rules);
    r->at = mem_zalloc(n * sizeof *r->at + 1);
    for (size_t i = 0; i < n; i++) {
        fill(&r->at[i], &list[i], legacy);
        if (!relabel_rule_compile(&r->at[i], err)) {
            rules_free(r);
            return NULL;
        }
        r->n++;
    }
    return r;
}

void rules_free(struct rules *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        relabel_rule_fini(&r->at[i]);
    if (r)
        free(r->at);
    free(r);
}

bool rules_apply(const struct rules *r, struct labels_builder *b, struct arena *a)
{
    return relabel_apply(r->at, r->n, b, a);
}
