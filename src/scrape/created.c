// SPDX-License-Identifier: Apache-2.0
/*
 * Lines like foo_created of OpenMetrics text: since when a counter, histogram or summary counts.
 * Such a line stands somewhere among the samples of its metric, mostly behind them, so starts are
 * gathered while a family is read and told to its samples when it ends. A metric is its family's
 * name and its labels without `le` of a histogram and `quantile` of a summary; series remember it
 * as a hash, so a line of a known series costs no look at its labels.
 */
#include <math.h>

#include "base/hash.h"
#include "scrape/scrape_int.h"

static const struct {
    enum metric_type type;
    const char *suffixes[3]; /* of its samples */
    str apart;               /* label that is not the metric's */
} kinds[] = {
    {METRIC_COUNTER, {"_total", ""}, STR_INIT("")},
    {METRIC_HISTOGRAM, {"_bucket", "_count", "_sum"}, STR_INIT("le")},
    {METRIC_SUMMARY, {"", "_count", "_sum"}, STR_INIT("quantile")},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

bool created_goes_on(const struct created *c, str family, enum metric_type type)
{
    return str_eq(strbuf_str(&c->name), family) &&
           (type == METRIC_UNKNOWN || (c->kind < KINDS && kinds[c->kind].type == type));
}

void created_family(struct created *c, str family, enum metric_type type)
{
    c->kind = 0;
    while (c->kind < KINDS && kinds[c->kind].type != type)
        c->kind++;
    c->family = hash_str(family);
    strbuf_clear(&c->name);
    strbuf_add(&c->name, family);
}

static bool is_suffix(const char *const *list, size_t n, str s)
{
    bool found = false;
    for (size_t i = 0; i < n && list[i]; i++)
        found = found || str_eqz(s, list[i]);
    return found;
}

void created_note(struct created *c, struct series *s, struct labels ls)
{
    str name = labels_metric_name(ls), family = strbuf_str(&c->name);
    if (!c->on || c->kind == KINDS || family.n == 0 || !str_starts(name, family))
        return;
    str suffix = str_sub(name, family.n, name.n);
    s->is_created = str_eqz(suffix, "_created");
    if (!s->is_created && !is_suffix(kinds[c->kind].suffixes, 3, suffix))
        return;
    uint64_t h = c->family;
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.at[i].name, LABEL_NAME) || str_eq(ls.at[i].name, kinds[c->kind].apart))
            continue;
        h = hash_mix(hash_mix(h, hash_str(ls.at[i].name)), hash_str(ls.at[i].value));
    }
    s->family = c->family;
    s->metric = h ? h : 1;
}

static bool is_at_hand(const struct created *c, const struct series *s)
{
    return c->on && c->kind < KINDS && s->metric && s->family == c->family;
}

bool created_take(struct created *c, const struct series *s, double seconds)
{
    if (!is_at_hand(c, s) || !s->is_created)
        return false;
    if (isfinite(seconds) && seconds > 0 && seconds < 0x1p43)
        vec_push(&c->list, (struct created_at){s->metric, (ts_ms)llround(seconds * 1000)});
    return true;
}

/* A table of the list, open addressing; the last of a metric's lines counts. */
static void fill_table(struct created *c)
{
    size_t n = 16;
    while (n < c->list.n * 2)
        n *= 2;
    c->table = mem_realloc(c->table, n * sizeof *c->table);
    memset(c->table, 0, n * sizeof *c->table);
    c->mask = n - 1;
    VEC_EACH (x, &c->list) {
        size_t i = x->metric & c->mask;
        while (c->table[i].metric && c->table[i].metric != x->metric)
            i = (i + 1) & c->mask;
        c->table[i] = *x;
    }
}

size_t created_begin(struct created *c)
{
    size_t n = c->list.n;
    if (n)
        fill_table(c);
    vec_clear(&c->list);
    return n;
}

ts_ms created_of(const struct created *c, const struct series *s)
{
    if (!is_at_hand(c, s))
        return 0;
    size_t i = s->metric & c->mask;
    while (c->table[i].metric && c->table[i].metric != s->metric)
        i = (i + 1) & c->mask;
    return c->table[i].t;
}

void created_fini(struct created *c)
{
    strbuf_fini(&c->name);
    vec_fini(&c->list);
    free(c->table);
}
