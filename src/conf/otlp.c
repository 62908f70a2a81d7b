// SPDX-License-Identifier: Apache-2.0
/* `otlp` of prometheus.yml: how metrics of OpenTelemetry become series. */
#include "conf/schema_int.h"

#define KEY(key, type, member, ...)                                                                \
    {                                                                                              \
        key, type, offsetof(struct conf_otlp, member), __VA_ARGS__                                 \
    }

static const char *const strategies[] = {"",
                                         "UnderscoreEscapingWithSuffixes",
                                         "NoUTF8EscapingWithSuffixes",
                                         "UnderscoreEscapingWithoutSuffixes",
                                         "NoTranslation",
                                         NULL};

static const struct conf_row rows[] = {
    KEY("promote_resource_attributes", CONF_LIST_STR, promote,
        .help = "Attributes that become labels."),
    KEY("promote_all_resource_attributes", CONF_BOOL, promote_all, "false",
        .help = "All become labels."),
    KEY("ignore_resource_attributes", CONF_LIST_STR, ignore, .help = "But not these."),
    KEY("translation_strategy", CONF_ENUM, strategy, "UnderscoreEscapingWithSuffixes",
        .names = strategies, .help = "How names are made."),
    KEY("keep_identifying_resource_attributes", CONF_BOOL, keep_identifying, "false",
        .help = "Keep service.name and the like in target_info."),
    KEY("convert_histograms_to_nhcb", CONF_BOOL, histograms_to_nhcb, "false",
        .help = "Store as native histograms."),
    KEY("promote_scope_metadata", CONF_BOOL, promote_scope, "false",
        .help = "Scope becomes labels."),
    KEY("label_name_underscore_sanitization", CONF_BOOL, label_key_prefix, "true",
        .help = "Prefix labels that begin with an underscore."),
    KEY("label_name_preserve_multiple_underscores", CONF_BOOL, label_keep_underscores, "true",
        .help = "Keep several underscores in a row."),
    {0},
};
static const struct conf_rule rules[] = {
    {CONF_AT_MOST_ONE, "promote_all_resource_attributes promote_resource_attributes"},
    {CONF_NEEDS, "ignore_resource_attributes promote_all_resource_attributes"},
    {0},
};

/* Attributes are trimmed, then must not be empty or there twice. */
static void check_attributes(struct conf_reader *r, const struct yaml_node *map, const char *key,
                             conf_strs *kept)
{
    const struct yaml_node *list = yaml_get(map, str_from_z(key));
    struct map seen MAP_CLEANUP = {0};
    for (size_t i = 0; i < kept->n; i++)
        kept->at[i] = str_trim(kept->at[i]);
    for (size_t i = 0; list && list->kind == YAML_SEQUENCE && i < list->n; i++) {
        str name = str_trim(list->items[i]->value);
        if (list->items[i]->kind != YAML_SCALAR)
            continue;
        if (name.n == 0)
            conf_error(r, list->items[i]->pos, "\"%s\": an attribute must not be empty", key);
        else if (!map_put(&seen, name, map_get(&seen, name)))
            conf_error(r, list->items[i]->pos, "\"%s\": attribute \"%.*s\" is there twice", key,
                       STR_ARG(name));
    }
}

static void check(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct conf_otlp *c = obj;
    check_attributes(r, map, "promote_resource_attributes", &c->promote);
    check_attributes(r, map, "ignore_resource_attributes", &c->ignore);
}

const struct conf_schema conf_schema_otlp = {
    .name = "otlp",
    .size = sizeof(struct conf_otlp),
    .rows = rows,
    .rules = rules,
    .check = check,
    .pos_at = CONF_NOWHERE,
    .help = "How OTLP metrics become series.",
};
