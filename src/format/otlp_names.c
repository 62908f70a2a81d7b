// SPDX-License-Identifier: Apache-2.0
/*
 * Names of OTLP to names of series, by the rules of Prometheus' translator (prometheus/
 * otlptranslator, which follow the OpenTelemetry specification "Prometheus and OpenMetrics
 * compatibility"). Units are those of UCUM.
 */
#include "format/otlp.h"

enum { NAME_BYTES_MAX = 8192 }; /* what the ingest door takes of a label's value */

struct unit_name {
    str unit, name;
};

static const struct unit_name units[] = {
    {STR_INIT("d"), STR_INIT("days")},
    {STR_INIT("h"), STR_INIT("hours")},
    {STR_INIT("min"), STR_INIT("minutes")},
    {STR_INIT("s"), STR_INIT("seconds")},
    {STR_INIT("ms"), STR_INIT("milliseconds")},
    {STR_INIT("us"), STR_INIT("microseconds")},
    {STR_INIT("ns"), STR_INIT("nanoseconds")},
    {STR_INIT("By"), STR_INIT("bytes")},
    {STR_INIT("KiBy"), STR_INIT("kibibytes")},
    {STR_INIT("MiBy"), STR_INIT("mebibytes")},
    {STR_INIT("GiBy"), STR_INIT("gibibytes")},
    {STR_INIT("TiBy"), STR_INIT("tibibytes")},
    {STR_INIT("KBy"), STR_INIT("kilobytes")},
    {STR_INIT("MBy"), STR_INIT("megabytes")},
    {STR_INIT("GBy"), STR_INIT("gigabytes")},
    {STR_INIT("TBy"), STR_INIT("terabytes")},
    {STR_INIT("m"), STR_INIT("meters")},
    {STR_INIT("V"), STR_INIT("volts")},
    {STR_INIT("A"), STR_INIT("amperes")},
    {STR_INIT("J"), STR_INIT("joules")},
    {STR_INIT("W"), STR_INIT("watts")},
    {STR_INIT("g"), STR_INIT("grams")},
    {STR_INIT("Cel"), STR_INIT("celsius")},
    {STR_INIT("Hz"), STR_INIT("hertz")},
    {STR_INIT("1"), STR_INIT("")},
    {STR_INIT("%"), STR_INIT("percent")},
};
static const struct unit_name per_units[] = {
    {STR_INIT("s"), STR_INIT("second")}, {STR_INIT("m"), STR_INIT("minute")},
    {STR_INIT("h"), STR_INIT("hour")},   {STR_INIT("d"), STR_INIT("day")},
    {STR_INIT("w"), STR_INIT("week")},   {STR_INIT("mo"), STR_INIT("month")},
    {STR_INIT("y"), STR_INIT("year")},
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The bytes of the character at `p`: what is no UTF-8 counts byte by byte, as in Go. */
static size_t character(const char *p, size_t n)
{
    size_t len = 1;
    while (len < n && len < 4 && ((uint8_t)p[len] & 0xc0) == 0x80)
        len++;
    return str_utf8_valid(str_of(p, len)) ? len : 1;
}

/* ---- units ---- */

static str unit_lookup(const struct unit_name *table, size_t n, str unit)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(table[i].unit, unit))
            return table[i].name;
    return unit;
}

/* What stands in braces is a remark, such as {request}, and no unit. */
static str unit_of(const struct unit_name *table, size_t n, str unit)
{
    unit = str_trim(unit);
    if (unit.n == 0 || str_index(unit, '{') >= 0 || str_index(unit, '}') >= 0)
        return STR("");
    return unit_lookup(table, n, unit);
}

/* "By/s" to "bytes" and "per_second"; either may be empty. */
static void unit_split(str unit, struct arena *a, str *main, str *per)
{
    ssize_t slash = str_index(unit, '/');
    *main = unit_of(units, sizeof units / sizeof units[0],
                    slash < 0 ? unit : str_sub(unit, 0, (size_t)slash));
    *per = STR("");
    if (slash < 0)
        return;
    *per = unit_of(per_units, sizeof per_units / sizeof per_units[0],
                   str_sub(unit, (size_t)slash + 1, unit.n));
    if (per->n)
        *per = arena_printf(a, "per_%.*s", STR_ARG(*per));
}

/* Characters that names cannot have become underscores, several in a row one; none in front. */
static str unit_clean(str unit, struct arena *a)
{
    char *p = arena_alloc(a, unit.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < unit.n; i += character(unit.p + i, unit.n - i)) {
        bool fits = is_alnum(unit.p[i]) || unit.p[i] == ':';
        if (fits)
            p[n++] = unit.p[i];
        else if (n > 0 && p[n - 1] != '_')
            p[n++] = '_';
    }
    return str_of(p, n);
}

static str without_last_underscore(str s)
{
    return s.n && s.p[s.n - 1] == '_' ? str_sub(s, 0, s.n - 1) : s;
}

str otlp_unit(str unit, struct arena *a)
{
    str main, per;
    unit_split(unit, a, &main, &per);
    main = unit_clean(main, a);
    per = unit_clean(per, a);
    str both = main.n && per.n ? arena_printf(a, "%.*s_%.*s", STR_ARG(main), STR_ARG(per))
               : main.n        ? main
                               : per;
    return without_last_underscore(both);
}

/* ---- metric names ---- */

/* A name as the words between the characters it may not have. */
struct words {
    str *at;
    size_t n;
};

static struct words words_of(str name, struct arena *a)
{
    struct words w = {.at = arena_array(a, str, name.n / 2 + 6)}; /* room for what is appended */
    size_t begin = 0, i = 0;
    while (i <= name.n) {
        bool inside = i < name.n && (is_alnum(name.p[i]) || name.p[i] == ':');
        if (!inside && i > begin)
            w.at[w.n++] = str_sub(name, begin, i);
        if (!inside)
            begin = i + 1;
        i++;
    }
    return w;
}

static bool words_have(const struct words *w, str word)
{
    for (size_t i = 0; i < w->n; i++)
        if (str_eq(w->at[i], word))
            return true;
    return false;
}

/* Moves the word to the end, or adds it there. */
static void words_end_with(struct words *w, str word)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (!str_eq(w->at[i], word))
            w->at[n++] = w->at[i];
    w->at[n++] = word;
    w->n = n;
}

static str words_join(const struct words *w, struct arena *a)
{
    size_t size = 1, n = 0;
    for (size_t i = 0; i < w->n; i++)
        size += w->at[i].n + 1;
    char *p = arena_alloc(a, size);
    bool digit = w->n && w->at[0].p[0] >= '0' && w->at[0].p[0] <= '9';
    if (digit)
        p[n++] = '_';
    for (size_t i = 0; i < w->n; i++) {
        if (i > 0)
            p[n++] = '_';
        memcpy(p + n, w->at[i].p, w->at[i].n);
        n += w->at[i].n;
    }
    return str_of(p, n);
}

static str escaped_with_suffixes(str name, str unit, enum otlp_kind kind, struct arena *a)
{
    struct words w = words_of(name, a);
    str main, per;
    unit_split(unit, a, &main, &per);
    main = unit_clean(main, a);
    per = unit_clean(per, a);
    if (words_have(&w, main))
        main = STR("");
    per = str_eqz(per, "per_") ? STR("") : without_last_underscore(per);
    if (words_have(&w, per))
        per = STR("");
    if (per.n)
        main = without_last_underscore(main);
    if (main.n)
        w.at[w.n++] = main;
    if (per.n)
        w.at[w.n++] = per;
    if (kind == OTLP_COUNTER)
        words_end_with(&w, STR("total"));
    if (kind == OTLP_GAUGE && str_eqz(unit, "1"))
        words_end_with(&w, STR("ratio"));
    return words_join(&w, a);
}

/* Runs of characters that names cannot have become one underscore, none at either end. */
static str escaped(str name, struct arena *a)
{
    char *p = arena_alloc(a, name.n + 2);
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!is_alnum(c) && c != ':' && c != '_') {
            gap = true;
            continue;
        }
        if (n == 0 && c >= '0' && c <= '9')
            p[n++] = '_';
        else if (n > 0 && gap)
            p[n++] = '_';
        gap = false;
        p[n++] = c;
    }
    return str_of(p, n);
}

/* Without the suffix and the character in front of it, unless nothing would be left. */
static str cut_suffix(str name, str suffix)
{
    if (!str_ends(name, suffix) || name.n <= suffix.n + 1)
        return name;
    return str_sub(name, 0, name.n - suffix.n - 1);
}

static str kept_with_suffixes(str name, str unit, enum otlp_kind kind, struct arena *a)
{
    bool ratio = kind == OTLP_GAUGE && str_eqz(unit, "1"), total = kind == OTLP_COUNTER;
    str main, per;
    unit_split(unit, a, &main, &per);
    if (ratio)
        name = cut_suffix(name, STR("ratio"));
    if (total)
        name = cut_suffix(name, STR("total"));
    if (per.n)
        name = cut_suffix(name, per);
    if (main.n && !str_ends(name, main))
        name = arena_printf(a, "%.*s_%.*s", STR_ARG(name), STR_ARG(main));
    return arena_printf(a, "%.*s%s%.*s%s%s", STR_ARG(name), per.n ? "_" : "", STR_ARG(per),
                        total ? "_total" : "", ratio ? "_ratio" : "");
}

static bool only_underscores(str s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] == '_')
        i++;
    return i == s.n;
}

bool otlp_metric_name(str name, str unit, enum otlp_kind kind, int strategy, struct arena *a,
                      str *out, struct err *err)
{
    str shown = str_sub(name, 0, 100), made;
    if (!str_utf8_valid(name) || !str_utf8_valid(unit))
        return err_set(err, ERR_INVALID, "the name or unit of a metric is not UTF-8");
    if (name.n > NAME_BYTES_MAX || unit.n > NAME_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "metric \"%.*s...\": a name or unit of over %d bytes",
                       STR_ARG(shown), NAME_BYTES_MAX);
    bool suffixes = conf_otlp_suffixes(strategy), escape = conf_otlp_escapes(strategy);
    if (escape)
        made = suffixes ? escaped_with_suffixes(name, unit, kind, a) : escaped(name, a);
    else
        made = suffixes && name.n ? kept_with_suffixes(name, unit, kind, a) : name;
    if (made.n == 0)
        return err_set(err, ERR_INVALID, "metric \"%.*s\" has no name that a series can have",
                       STR_ARG(shown));
    if (escape && !str_eq(made, name) && only_underscores(made))
        return err_set(err, ERR_INVALID, "metric \"%.*s\" would be named \"%.*s\"", STR_ARG(shown),
                       STR_ARG(made));
    *out = made;
    return true;
}

/* ---- label names ---- */

static bool is_reserved(str s)
{
    return s.n >= 4 && str_starts(s, STR("__")) && str_ends(s, STR("__"));
}

/* Appends the name with underscores for what labels cannot have; several in a row stay several
 * with `keep`. */
static size_t sanitize(str s, bool keep, char *p)
{
    size_t n = 0;
    bool after = false; /* an underscore was written last */
    for (size_t i = 0; i < s.n; i += character(s.p + i, s.n - i)) {
        bool fits = is_alnum(s.p[i]);
        if (fits || keep || !after)
            p[n++] = fits ? s.p[i] : '_';
        after = !fits;
    }
    return n;
}

static str label_escaped(str key, const struct conf_otlp *conf, struct arena *a)
{
    char *room = arena_alloc(a, key.n + 5), *p = room + 4; /* "key_" may come in front */
    bool inner = !conf->label_keep_underscores && is_reserved(key);
    size_t n;
    if (inner) {
        n = 2 + sanitize(str_sub(key, 2, key.n - 2), false, p + 2);
        p[0] = p[1] = p[n] = p[n + 1] = '_';
        n += 2;
    } else {
        n = sanitize(key, conf->label_keep_underscores, p);
    }
    bool digit = p[0] >= '0' && p[0] <= '9';
    bool one = p[0] == '_' && !(n > 1 && p[1] == '_');
    if (digit) {
        memcpy(p - 4, "key_", 4);
        return str_of(p - 4, n + 4);
    }
    if (conf->label_key_prefix && one) {
        memcpy(p - 3, "key", 3);
        return str_of(p - 3, n + 3);
    }
    return str_of(p, n);
}

/* Most keys are fit as they are, or but for their dots; the first are not copied. */
static bool label_fits(str key)
{
    char before = 0;
    for (size_t i = 0; i < key.n; i++) {
        bool underscore = key.p[i] == '_';
        if (!is_alnum(key.p[i]) && !underscore)
            return false;
        if (underscore && (i == 0 || before == '_'))
            return false;
        before = key.p[i];
    }
    return key.n && !(key.p[0] >= '0' && key.p[0] <= '9');
}

bool otlp_label_name(str key, const struct conf_otlp *conf, struct arena *a, str *out,
                     struct err *err)
{
    str shown = str_sub(key, 0, 100);
    if (key.n == 0)
        return err_set(err, ERR_INVALID, "an attribute has no name");
    if (!str_utf8_valid(key))
        return err_set(err, ERR_INVALID, "the name of an attribute is not UTF-8");
    bool as_it_is = !conf_otlp_escapes(conf->strategy) || label_fits(key);
    str made = as_it_is ? key : label_escaped(key, conf, a);
    if (only_underscores(made))
        return err_set(err, ERR_INVALID, "attribute \"%.*s\" would be the label \"%.*s\"",
                       STR_ARG(shown), STR_ARG(made));
    *out = made;
    return true;
}
