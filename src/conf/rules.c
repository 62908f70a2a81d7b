// SPDX-License-Identifier: Apache-2.0
/* Rules between the keys of one mapping: at most one of, at least one of, together, needs. */
#include "conf/schema_int.h"

enum { RULE_KEYS_MAX = 8 };

struct rule_keys {
    str key[RULE_KEYS_MAX];
    bool has[RULE_KEYS_MAX];
    size_t n, present;
    size_t last; /* index of the last one that is there */
};

static struct rule_keys look(const struct conf_rule *rule, const struct yaml_node *map)
{
    struct rule_keys k = {0};
    str rest = str_from_z(rule->keys);
    while (k.n < RULE_KEYS_MAX && str_cut(&rest, ' ', &k.key[k.n])) {
        const struct yaml_node *v = yaml_get(map, k.key[k.n]);
        bool empty = !v || yaml_is_null(v) || (v->kind == YAML_SCALAR && v->value.n == 0) ||
                     (v->kind == YAML_SEQUENCE && v->n == 0) ||
                     (v->kind == YAML_SCALAR && yaml_is_plain(v) && str_eqz(v->value, "false"));
        if (!empty) {
            k.has[k.n] = true;
            k.present++;
            k.last = k.n;
        }
        k.n++;
    }
    return k;
}

/* "a, b and c" */
static void list_keys(const struct rule_keys *k, size_t from, const char *word, struct strbuf *out)
{
    for (size_t i = from; i < k->n; i++) {
        if (i > from)
            strbuf_addf(out, i + 1 == k->n ? " %s " : ", ", word);
        strbuf_addf(out, "\"%.*s\"", STR_ARG(k->key[i]));
    }
}

static struct pos pos_of_key(const struct yaml_node *map, str key)
{
    const struct yaml_pair *p = yaml_get_pair(map, key);
    return p ? p->key->pos : map->pos;
}

static void check_rule(struct conf_reader *r, const struct conf_schema *s,
                       const struct conf_rule *rule, const struct yaml_node *map)
{
    struct rule_keys k = look(rule, map);
    struct strbuf names STRBUF_CLEANUP = {0};
    list_keys(&k, rule->kind == CONF_NEEDS, rule->kind == CONF_NEEDS ? "or" : "and", &names);
    switch (rule->kind) {
    case CONF_AT_MOST_ONE:
        if (k.present > 1)
            conf_error(r, pos_of_key(map, k.key[k.last]), "at most one of %s may be set in %s",
                       names.p, s->name);
        break;
    case CONF_AT_LEAST_ONE:
        if (k.present == 0)
            conf_error(r, map->pos, "%s needs one of %s", s->name, names.p);
        break;
    case CONF_TOGETHER:
        if (k.present > 0 && k.present < k.n)
            conf_error(r, pos_of_key(map, k.key[k.last]), "%s of %s must be set together", names.p,
                       s->name);
        break;
    case CONF_NEEDS:
        if (k.has[0] && k.present == 1)
            conf_error(r, pos_of_key(map, k.key[0]), "\"%.*s\" needs %s", STR_ARG(k.key[0]),
                       names.p);
        break;
    }
}

void conf_rules_check(struct conf_reader *r, const struct conf_schema *s,
                      const struct yaml_node *map)
{
    for (const struct conf_rule *rule = s->rules; rule && rule->keys; rule++)
        check_rule(r, s, rule, map);
}
