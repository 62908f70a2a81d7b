// SPDX-License-Identifier: Apache-2.0
/*
 * Relabelling as in prometheus.yml: a list of rules that rewrite a label set or drop it. Behaviour
 * and defaults of Prometheus 3 (model/relabel).
 *
 * Fill a rule (relabel_rule_init sets the defaults), compile it once, apply it from any thread.
 * Text that a rule refers to must outlive it.
 */
#ifndef MODEL_RELABEL_H
#define MODEL_RELABEL_H

#include "codec/regex.h"
#include "model/labels.h"

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
    RELABEL_ACTIONS,
};

struct relabel_rule {
    enum relabel_action action;
    const str *source_labels;
    size_t source_labels_n;
    str separator; /* ";" */
    str regex;     /* "(.*)", anchored at both ends, the dot matches a newline */
    uint64_t modulus;
    str target_label;
    str replacement;   /* "$1" */
    bool legacy_names; /* metric_name_validation_scheme: legacy */

    struct regex *compiled; /* set by relabel_rule_compile */
};

str relabel_action_name(enum relabel_action a);
/* In any case, as upstream. False: unknown. */
bool relabel_action_parse(str s, enum relabel_action *out);
/* For "did you mean". */
extern const str relabel_action_names[RELABEL_ACTIONS];

void relabel_rule_init(struct relabel_rule *r);
/* Checks what upstream checks and compiles the expression; the error names the field. */
bool relabel_rule_compile(struct relabel_rule *r, struct err *err);
void relabel_rule_fini(struct relabel_rule *r);

/*
 * Applies compiled rules in order; false: the set is to be dropped, and the builder holds whatever
 * it came to. New text is in the arena.
 */
bool relabel_apply(const struct relabel_rule *rules, size_t n, struct labels_builder *b,
                   struct arena *a);

#endif
