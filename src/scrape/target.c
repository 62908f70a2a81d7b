// SPDX-License-Identifier: Apache-2.0
/*
 * From an address of a group to a target: the labels that configuration gives it, relabelling, and
 * what the __ labels then say about where and how often to scrape. As upstream's PopulateLabels and
 * Target.URL (scrape/target.go).
 */
#include "base/hash.h"
#include "base/num.h"
#include "scrape/scrape_int.h"

#define PARAM STR("__param_")

static void set_missing(struct labels_builder *b, str name, str value)
{
    if (labels_builder_get(b, name).n == 0)
        labels_builder_set(b, name, value);
}

static str duration_text(struct arena *a, int64_t ms)
{
    char buf[64];
    size_t n = duration_format(ms, buf);
    return arena_dup(a, str_of(buf, n));
}

static void add_discovered(const struct conf_scrape *c, str address, struct labels_builder *b,
                           struct arena *a)
{
    labels_builder_set(b, STR("__address__"), address);
    set_missing(b, STR("job"), c->job_name);
    set_missing(b, STR("__scrape_interval__"), duration_text(a, c->interval_ms));
    set_missing(b, STR("__scrape_timeout__"), duration_text(a, c->timeout_ms));
    set_missing(b, STR("__metrics_path__"), c->metrics_path);
    set_missing(b, STR("__scheme__"), c->scheme ? STR("https") : STR("http"));
    for (size_t i = 0; i < c->params.n; i++) {
        const struct conf_named_list *p = &c->params.at[i];
        if (p->values.n)
            set_missing(b, arena_printf(a, "__param_%.*s", STR_ARG(p->name)), p->values.at[0]);
    }
}

static bool times_of(const struct labels_builder *b, struct target_spec *out, struct err *err)
{
    str interval = labels_builder_get(b, STR("__scrape_interval__"));
    str timeout = labels_builder_get(b, STR("__scrape_timeout__"));
    if (!duration_parse(interval, &out->interval_ms, err))
        return err_wrap(err, "scrape interval");
    if (!duration_parse(timeout, &out->timeout_ms, err))
        return err_wrap(err, "scrape timeout");
    if (out->interval_ms <= 0 || out->timeout_ms <= 0)
        return err_set(err, ERR_INVALID, "scrape interval and timeout must not be 0");
    if (out->timeout_ms > out->interval_ms)
        return err_set(err, ERR_INVALID, "scrape timeout %.*s is longer than scrape interval %.*s",
                       STR_ARG(timeout), STR_ARG(interval));
    return true;
}

/* ---- URL ---- */

static bool unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-_.~", c);
}

static void add_encoded(struct strbuf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c && unreserved(c))
            strbuf_addc(out, (char)c);
        else if (c == ' ')
            strbuf_addc(out, '+');
        else
            strbuf_addf(out, "%%%02X", c);
    }
}

static void add_param(struct strbuf *out, char *sep, str name, str value)
{
    strbuf_addc(out, *sep);
    add_encoded(out, name);
    strbuf_addc(out, '=');
    add_encoded(out, value);
    *sep = '&';
}

static const struct conf_named_list *param_of(const struct conf_scrape *c, str name)
{
    for (size_t i = 0; i < c->params.n; i++)
        if (str_eq(c->params.at[i].name, name))
            return &c->params.at[i];
    return NULL;
}

/* The label __param_NAME replaces the first value, or stands alone. */
static str url_of(const struct conf_scrape *c, struct labels ls, struct arena *a)
{
    struct strbuf out STRBUF_CLEANUP = {0};
    str path = labels_get(ls, STR("__metrics_path__"));
    strbuf_addf(&out, "%.*s://%.*s%s%.*s", STR_ARG(labels_get(ls, STR("__scheme__"))),
                STR_ARG(labels_get(ls, STR("__address__"))), path.n && path.p[0] == '/' ? "" : "/",
                STR_ARG(path));
    char sep = str_index(path, '?') >= 0 ? '&' : '?';
    for (size_t i = 0; i < ls.n; i++) {
        if (!str_starts(ls.at[i].name, PARAM))
            continue;
        str name = str_sub(ls.at[i].name, PARAM.n, ls.at[i].name.n);
        const struct conf_named_list *p = param_of(c, name);
        add_param(&out, &sep, name, ls.at[i].value);
        for (size_t j = 1; p && j < p->values.n; j++)
            add_param(&out, &sep, name, p->values.at[j]);
    }
    for (size_t i = 0; i < c->params.n; i++) {
        const struct conf_named_list *p = &c->params.at[i];
        str label = arena_printf(a, "__param_%.*s", STR_ARG(p->name));
        for (size_t j = 0; j < p->values.n && labels_get(ls, label).n == 0; j++)
            add_param(&out, &sep, p->name, p->values.at[j]);
    }
    return arena_dup(a, strbuf_str(&out));
}

/* ---- checks ---- */

static bool address_ok(str address, struct err *err)
{
    if (address.n == 0)
        return err_set(err, ERR_INVALID, "no address");
    for (size_t i = 0; i < address.n; i++) {
        unsigned char c = (unsigned char)address.p[i];
        if (c == '/' || c == '?' || c == '#' || c == '@' || c <= 0x20 || c == 0x7f)
            return err_set(err, ERR_INVALID, "\"%.*s\" is not a host and port", STR_ARG(address));
    }
    return true;
}

static bool labels_ok(struct labels ls, struct err *err)
{
    for (size_t i = 0; i < ls.n; i++)
        if (!str_utf8_valid(ls.at[i].name) || !str_utf8_valid(ls.at[i].value))
            return err_set(err, ERR_INVALID, "label \"%.*s\" is not UTF-8", STR_ARG(ls.at[i].name));
    return true;
}

static struct labels visible(struct labels ls, struct arena *a)
{
    struct label *at = arena_array(a, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (!str_starts(ls.at[i].name, STR("__")))
            at[n++] = ls.at[i];
    return (struct labels){at, n};
}

static bool finish(const struct job *j, struct labels_builder *b, struct arena *a,
                   struct target_spec *out, struct err *err)
{
    str address = labels_builder_get(b, STR("__address__"));
    if (!address_ok(address, err) || !times_of(b, out, err))
        return false;
    set_missing(b, STR("instance"), address);
    struct labels all = labels_dup(a, labels_builder_take(b, a));
    str scheme = labels_get(all, STR("__scheme__"));
    if (!str_eqz(scheme, "http") && !str_eqz(scheme, "https"))
        return err_set(err, ERR_INVALID, "scheme \"%.*s\" is not http or https", STR_ARG(scheme));
    if (!labels_ok(all, err))
        return false;
    out->url = url_of(j->conf, all, a);
    out->labels = visible(all, a);
    out->hash = hash_mix(labels_hash(out->labels), hash_str(out->url));
    return true;
}

enum target_fate target_make(const struct job *j, struct labels group, str address, struct arena *a,
                             struct target_spec *out, struct err *err)
{
    struct labels_builder b;
    labels_builder_init(&b, group);
    add_discovered(j->conf, address, &b, a);
    out->discovered = labels_dup(a, labels_builder_take(&b, a));
    labels_builder_reset(&b, out->discovered);
    enum target_fate fate = TARGET_DROPPED;
    if (rules_apply(j->relabel, &b, a))
        fate = finish(j, &b, a, out, err) ? TARGET_KEPT : TARGET_WRONG;
    labels_builder_fini(&b);
    return fate;
}
