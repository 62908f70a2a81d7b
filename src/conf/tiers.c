// SPDX-License-Identifier: Apache-2.0
/*
 * `storage.tiers`: "raw 15d, 5m 90d, 1h 2y": pairs of a step and how long its rows are kept, finest
 * first; `raw` are the samples themselves.
 */
#include "base/num.h"
#include "conf/schema_int.h"

/* As model/tier.h has them. */
enum { STEP_MIN_MS = 1000, STEP_MAX_MS = 24 * 3600 * 1000 };

struct tiers_reader {
    struct conf_reader *r;
    const struct yaml_node *node;
    struct conf_tier at[CONF_TIERS_MAX];
    size_t n;
    bool has_raw;
    int64_t raw_ms;
};

static struct pos pos_at(const struct tiers_reader *t, str piece)
{
    return yaml_value_pos(t->node, t->r->text, (size_t)(piece.p - t->node->value.p));
}

static bool fail(const struct tiers_reader *t, str piece, const char *what)
{
    return conf_error_hint(t->r, pos_at(t, piece), "write it like raw 15d, 5m 90d, 1h 2y",
                           "\"tiers\": %s: \"%.*s\"", what, STR_ARG(piece));
}

/* A duration above zero. */
static bool read_ms(const struct tiers_reader *t, str piece, int64_t *ms)
{
    struct err e;
    if (!duration_parse(piece, ms, &e))
        return conf_error_hint(t->r, pos_at(t, piece), "durations look like 5m, 15d or 2y",
                               "\"tiers\": %s", e.msg);
    return *ms > 0 || fail(t, piece, "a duration of zero");
}

static bool read_tier(struct tiers_reader *t, str step, str keep)
{
    struct conf_tier x;
    if (t->n == CONF_TIERS_MAX)
        return fail(t, step, "too many tiers");
    if (!read_ms(t, step, &x.step_ms) || !read_ms(t, keep, &x.keep_ms))
        return false;
    if (x.step_ms < STEP_MIN_MS || x.step_ms > STEP_MAX_MS)
        return fail(t, step, "a step is from 1s to 1d");
    int64_t finer = t->n ? t->at[t->n - 1].step_ms : 1;
    if (t->n && (x.step_ms <= finer || x.step_ms % finer != 0))
        return fail(t, step, "a step is a multiple of the one before");
    if (STEP_MAX_MS % x.step_ms != 0)
        return fail(t, step, "a step divides a day");
    int64_t before = t->n ? t->at[t->n - 1].keep_ms : t->raw_ms;
    if (x.keep_ms <= before)
        return fail(t, keep, "not kept for longer than what is finer");
    t->at[t->n++] = x;
    return true;
}

static bool read_pair(struct tiers_reader *t, str pair)
{
    str rest = str_trim(pair), step, keep;
    str_cut(&rest, ' ', &step);
    keep = str_trim(rest.p ? rest : str_sub(step, step.n, step.n));
    if (step.n == 0 || keep.n == 0 || str_index(keep, ' ') >= 0)
        return fail(t, step.n ? str_trim(pair) : pair, "not a step and how long it is kept");
    if (!str_eqz(step, "raw"))
        return read_tier(t, step, keep);
    if (t->has_raw || t->n)
        return fail(t, step, "raw stands first and once");
    t->has_raw = true;
    return read_ms(t, keep, &t->raw_ms);
}

void conf_storage_check(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct nunchi_config *c = obj;
    const struct yaml_node *node = yaml_get(map, STR("tiers"));
    if (!node || node->kind != YAML_SCALAR || yaml_is_null(node) || str_trim(node->value).n == 0)
        return;
    struct tiers_reader t = {.r = r, .node = node, .raw_ms = c->storage.retention_ms};
    str rest = node->value, pair;
    while (str_cut(&rest, ',', &pair))
        if (!read_pair(&t, pair))
            return;
    if (t.has_raw && conf_has(map, "retention") && t.raw_ms != c->storage.retention_ms)
        conf_error_hint(r, conf_pos(map, "tiers"), "leave one of them out",
                        "\"retention\" and the raw of \"tiers\" say different things");
    if (!t.has_raw && t.raw_ms == 0 && t.n)
        conf_error(r, conf_pos(map, "tiers"),
                   "\"tiers\" need samples that are dropped one day, and \"retention\" is 0");
    c->storage.retention_ms = t.raw_ms;
    struct conf_tier *at = arena_array(r->arena, struct conf_tier, t.n + 1);
    memcpy(at, t.at, t.n * sizeof *at);
    c->storage.tiers.at = at;
    c->storage.tiers.n = t.n;
}
