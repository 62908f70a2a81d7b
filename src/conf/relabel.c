// SPDX-License-Identifier: Apache-2.0
/*
 * relabel_config: the keys, and the refusals of upstream's relabel.Config.Validate. What a rule
 * does is model/relabel.h.
 */
#include "conf/schema_int.h"

static const char *const actions[] = {
    "",          "replace",   "keep",      "drop",      "hashmod",   "labelmap", "labeldrop",
    "labelkeep", "lowercase", "uppercase", "keepequal", "dropequal", NULL};

#define AT(member) offsetof(struct conf_relabel, member)
static const struct conf_row relabel_rows[] = {
    {"source_labels", CONF_LIST_LABEL, AT(source_labels),
     .help = "Labels whose values are joined and matched."},
    {"separator", CONF_STR, AT(separator), ";", .help = "Between the joined values."},
    {"regex", CONF_REGEX, AT(regex), "(.*)",
     .help = "RE2, anchored at both ends; the dot matches a newline."},
    {"modulus", CONF_INT, AT(modulus), .min = 0, .max = 9e15, .help = "Of hashmod."},
    {"target_label", CONF_STR, AT(target_label), .help = "Label that is written."},
    {"replacement", CONF_STR, AT(replacement), "$1", .help = "What is written; $1, ${name}."},
    {"action", CONF_ENUM, AT(action), "replace", .names = actions, .any_case = true,
     .help = "What to do."},
    {0},
};
#undef AT

static bool in_set(int action, unsigned set)
{
    return set >> action & 1;
}
#define BIT(name) (1u << CONF_RELABEL_##name)

/* The first set key that this action does not take; NULL: all fine. */
static const char *foreign_key(const struct conf_relabel *c, bool source_ok, bool target_ok)
{
    if (!source_ok && c->source_labels.n)
        return "source_labels";
    if (!target_ok && c->target_label.n)
        return "target_label";
    if (target_ok && !str_eq(c->regex, STR("(.*)")))
        return "regex";
    if (c->modulus)
        return "modulus";
    if (!str_eq(c->separator, STR(";")))
        return "separator";
    if (!str_eq(c->replacement, STR("$1")))
        return "replacement";
    return NULL;
}

static void check_combination(struct conf_reader *r, const struct yaml_node *map,
                              const struct conf_relabel *c)
{
    const char *action = actions[c->action], *bad = NULL;
    if (c->action == CONF_RELABEL_HASHMOD && c->modulus == 0)
        conf_error(r, conf_pos(map, "modulus"), "action hashmod needs a \"modulus\" above 0");
    if (in_set(c->action, BIT(REPLACE) | BIT(HASHMOD) | BIT(LOWERCASE) | BIT(UPPERCASE) |
                              BIT(KEEPEQUAL) | BIT(DROPEQUAL)) &&
        c->target_label.n == 0)
        conf_error(r, conf_pos(map, "target_label"), "action %s needs a \"target_label\"", action);
    if (in_set(c->action, BIT(KEEPEQUAL) | BIT(DROPEQUAL)))
        bad = foreign_key(c, true, true);
    else if (in_set(c->action, BIT(LABELDROP) | BIT(LABELKEEP)))
        bad = foreign_key(c, false, false);
    else if (in_set(c->action, BIT(LOWERCASE) | BIT(UPPERCASE)) &&
             !str_eq(c->replacement, STR("$1")))
        bad = "replacement";
    if (bad)
        conf_error(r, conf_pos(map, bad), "action %s does not take \"%s\"", action, bad);
}

static void check_relabel(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct conf_relabel *c = obj;
    if (c->action == CONF_RELABEL_NONE)
        return; /* told when the key was read */
    check_combination(r, map, c);
}

const struct conf_schema conf_schema_relabel = {
    .name = "relabel_config",
    .size = sizeof(struct conf_relabel),
    .rows = relabel_rows,
    .check = check_relabel,
    .pos_at = offsetof(struct conf_relabel, pos),
    .help = "One step that rewrites or drops a label set.",
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Length of "$name" or "${name}" at the start; 0: there is none. */
static size_t reference_len(str s)
{
    if (s.n < 2 || s.p[0] != '$')
        return 0;
    bool braces = s.p[1] == '{';
    size_t from = braces ? 2 : 1, i = from;
    while (i < s.n && is_word(s.p[i]))
        i++;
    if (i == from || (braces && (i == s.n || s.p[i] != '}')))
        return 0;
    return i + braces;
}

/* [a-zA-Z_][a-zA-Z0-9_]*, of which any part may be $1, $name or ${name} when `references` is set.
 */
static bool is_identifier(str s, bool references)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = references ? reference_len(str_sub(s, i, s.n)) : 0;
        bool digit_first = i == 0 && s.p[0] >= '0' && s.p[0] <= '9';
        if (!n && (!is_word(s.p[i]) || digit_first))
            return false;
        i += n ? n : 1;
    }
    return s.n > 0;
}

static bool writes_label(int action)
{
    return in_set(action, BIT(REPLACE) | BIT(HASHMOD) | BIT(LOWERCASE) | BIT(UPPERCASE) |
                              BIT(KEEPEQUAL) | BIT(DROPEQUAL));
}

bool conf_relabels_check(struct conf_reader *r, const conf_relabels *list, bool legacy)
{
    bool ok = true;
    for (size_t i = 0; legacy && i < list->n; i++) {
        const struct conf_relabel *c = &list->at[i];
        bool template_ = c->action == CONF_RELABEL_REPLACE;
        if (writes_label(c->action) && c->target_label.n &&
            !is_identifier(c->target_label, template_))
            ok = conf_error(r, c->pos, "\"%.*s\" is not a valid \"target_label\" for action %s",
                            STR_ARG(c->target_label), actions[c->action]);
        if (c->action == CONF_RELABEL_LABELMAP && !is_identifier(c->replacement, true))
            ok = conf_error(r, c->pos, "\"%.*s\" is not a valid \"replacement\" for labelmap",
                            STR_ARG(c->replacement));
    }
    return ok;
}
