// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of the exposition formats. The lexical rules are those of Prometheus' two lexers
 * (model/textparse): the text format skips blanks between all tokens and empty lines, ignores
 * comments and needs no end; OpenMetrics wants exactly one space, knows no comments and must end in
 * `# EOF`.
 *
 * One deliberate difference: a NUL at the start of a line is an error here, where Prometheus takes
 * it for the end and drops the rest unseen; and a value must be parted from a bare name by a blank
 * or a brace.
 *
 * Speed: a line costs one search for the end of the name, one for each quote in the braces, and a
 * number read by digits. Each step works on a local cursor, so after an error the parser has not
 * moved.
 */
#include "format/expfmt.h"

#include <math.h>

#include "base/num.h"
#include "format/expfmt_int.h"

enum { LINE_SHOWN_BYTES = 200 };

bool expfmt_fail(const struct expfmt *p, const char *at, struct err *err, const char *what)
{
    const char *begin = at, *end = at;
    while (begin > p->body.p && begin[-1] != '\n' && at - begin < LINE_SHOWN_BYTES)
        begin--;
    while (end < p->end && *end != '\n' && end - begin < 2 * LINE_SHOWN_BYTES)
        end++;
    return err_at(err, ERR_INVALID, pos_of(p->body, (size_t)(at - p->body.p)), "%s in \"%.*s\"",
                  what, (int)(end - begin), begin);
}

static enum expfmt_event fail(const struct expfmt *p, const char *at, struct err *err,
                              const char *what)
{
    expfmt_fail(p, at, err, what);
    return EXPFMT_ERROR;
}

void expfmt_init(struct expfmt *p, enum expfmt_format f, str body)
{
    if (!body.p)
        body = STR("");
    *p = (struct expfmt){
        .body = body,
        .openmetrics = expfmt_is_openmetrics(f),
        .at = body.p,
        .end = body.p + body.n,
    };
}

const char *expfmt_skip_quoted(const char *at, const char *end, bool openmetrics)
{
    at++;
    for (;;) {
        at = expfmt_find(at, end, '"', '\\', '"');
        if (at == end)
            return NULL;
        if (*at == '"')
            return at + 1;
        if (*at == '\n') {
            if (openmetrics)
                return NULL;
            at++;
        } else {
            if (end - at < 2 || (at[1] == '\n' && openmetrics))
                return NULL;
            at += 2;
        }
    }
}

/* From the opening brace to behind the closing one that is not in quotes; NULL: there is none. */
static const char *skip_braces(const char *at, const char *end, bool openmetrics)
{
    at++;
    for (;;) {
        at = expfmt_find(at, end, '"', '}', '}');
        if (at == end || *at == '\n')
            return NULL;
        if (*at == '}')
            return at + 1;
        at = expfmt_skip_quoted(at, end, openmetrics);
        if (!at)
            return NULL;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ends_token(const char *at, const char *end, bool openmetrics)
{
    return at == end || *at == ' ' || *at == '\n' || (*at == '\t' && !openmetrics);
}

static const double pow10_exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Exponents over three digits are left to the slow path. NULL: not a plain exponent. */
static const char *read_exponent(const char *at, const char *end, int *scale)
{
    bool negative = at < end && *at == '-';
    if (negative || (at < end && *at == '+'))
        at++;
    const char *begin = at;
    int e = 0;
    for (; at < end && is_digit(*at) && at - begin < 4; at++)
        e = e * 10 + (*at - '0');
    if (at == begin || at - begin > 3)
        return NULL;
    *scale += negative ? -e : e;
    return at;
}

/*
 * A decimal whose digits fit 53 bits and whose power of ten is exact: then one multiplication or
 * division rounds correctly (Clinger). Nearly every metric is one. NULL: ask the slow path.
 */
static const char *number_fast(const char *at, const char *end, double *out)
{
    bool negative = at < end && *at == '-';
    if (negative || (at < end && *at == '+'))
        at++;
    uint64_t m = 0;
    const char *begin = at;
    for (; at < end && is_digit(*at); at++)
        m = m * 10 + (uint64_t)(*at - '0');
    ptrdiff_t digits = at - begin;
    int scale = 0;
    if (at < end && *at == '.') {
        const char *point = ++at;
        for (; at < end && is_digit(*at); at++)
            m = m * 10 + (uint64_t)(*at - '0');
        digits += at - point;
        scale = at - point > 22 ? -23 : -(int)(at - point);
    }
    if (digits == 0 || digits > 19 || m > 1ULL << 53)
        return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, end, &scale);
        if (!at)
            return NULL;
    }
    if (scale < -22 || scale > 22)
        return NULL;
    double v = scale < 0 ? (double)m / pow10_exact[-scale] : (double)m * pow10_exact[scale];
    *out = negative ? -v : v;
    return at;
}

static bool is_infinity_word(str s)
{
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_sub(s, 1, s.n);
    return s.n && (s.p[0] == 'i' || s.p[0] == 'I');
}

/* Go's ParseFloat without the forms younger than the format (hexadecimal, `_`). */
static bool number_slow(str s, double *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 'p' || s.p[i] == 'P' || s.p[i] == '_' || s.p[i] == 'x' || s.p[i] == 'X')
            return false;
    }
    double v;
    if (!f64_parse(s, &v) || (isinf(v) && !is_infinity_word(s)))
        return false;
    *out = isnan(v) ? normal_nan() : v;
    return true;
}

/* The number that the token at `at` is; behind it, or NULL. */
const char *expfmt_read_number(const char *at, const char *end, bool openmetrics, double *out)
{
    const char *next = number_fast(at, end, out);
    if (next && ends_token(next, end, openmetrics))
        return next;
    for (next = at; !ends_token(next, end, openmetrics);)
        next++;
    return number_slow(str_of(at, (size_t)(next - at)), out) ? next : NULL;
}

/*
 * Parts of a millisecond are cut off, as upstream does; but 1.005 is 1005 ms, not the 1004 that its
 * nearest double times 1000 comes to.
 */
const char *expfmt_read_seconds(const char *at, const char *end, ts_ms *out)
{
    double seconds;
    at = expfmt_read_number(at, end, true, &seconds);
    if (!at || !isfinite(seconds))
        return NULL;
    double ms = seconds * 1000, whole = nearbyint(ms);
    if (fabs(ms - whole) > fabs(ms) * 0x1p-51)
        whole = trunc(ms);
    if (fabs(whole) < 0x1p63)
        *out = (ts_ms)whole;
    else
        *out = whole < 0 ? INT64_MIN : INT64_MAX; /* a valid line; no store takes such a time */
    return at;
}

static const char *read_millis(const char *at, const char *end, ts_ms *out)
{
    const char *begin = at;
    if (at < end && *at == '-')
        at++;
    while (at < end && is_digit(*at))
        at++;
    return i64_parse(str_of(begin, (size_t)(at - begin)), out) ? at : NULL;
}

/*
 * The end of the series text that begins at `at`; NULL with err. Only its outline is looked at:
 * where the braces close. When they do not, the label reader is asked for the reason.
 */
static const char *series_end(const struct expfmt *p, const char *at, struct err *err)
{
    char blank = p->openmetrics ? ' ' : '\t';
    const char *name_end = expfmt_find(at, p->end, ' ', '{', blank);
    const char *brace = p->openmetrics ? name_end : expfmt_skip_space(name_end, p->end);
    if (brace == p->end || *brace != '{')
        return name_end;
    const char *end = skip_braces(brace, p->end, p->openmetrics);
    if (end)
        return end;
    str metric = {0};
    size_t n = 0;
    if (expfmt_label_list(p, brace + 1, p->end, &metric, NULL, &n, err))
        expfmt_fail(p, brace, err, "expected a closing brace");
    return NULL;
}

static bool may_start_series(char c)
{
    return expfmt_name_start(c, true) || c == '{';
}

static enum expfmt_event text_sample(struct expfmt *p, const char *at, struct err *err)
{
    if (!may_start_series(*at))
        return fail(p, at, err, "expected a metric name");
    const char *end = series_end(p, at, err);
    if (!end)
        return EXPFMT_ERROR;

    const char *c = expfmt_skip_space(end, p->end);
    if (c == p->end || *c == '\n')
        return fail(p, c, err, "expected a value after the metric");
    double value;
    const char *next = expfmt_read_number(c, p->end, false, &value);
    if (!next)
        return fail(p, c, err, "expected a number as the value");

    c = expfmt_skip_space(next, p->end);
    p->has_t = c < p->end && *c != '\n';
    if (p->has_t) {
        next = read_millis(c, p->end, &p->t);
        if (!next)
            return fail(p, c, err, "expected a timestamp in milliseconds or the end of the line");
        c = expfmt_skip_space(next, p->end);
        if (c < p->end && *c != '\n')
            return fail(p, c, err, "expected the end of the line after the timestamp");
    }
    p->series = str_of(at, (size_t)(end - at));
    p->value = value;
    p->at = c < p->end ? c + 1 : c;
    return EXPFMT_SAMPLE;
}

/* Behind the exemplar whose opening brace is at `at`, checked whole; NULL with err. */
static const char *check_exemplar(const struct expfmt *p, const char *at, struct err *err)
{
    size_t n = 0;
    const char *c = expfmt_label_list(p, at + 1, p->end, NULL, NULL, &n, err);
    if (!c)
        return NULL;
    double value;
    const char *next =
        c < p->end && *c == ' ' ? expfmt_read_number(c + 1, p->end, true, &value) : NULL;
    if (!next) {
        expfmt_fail(p, c, err, "expected a number as the value of the exemplar");
        return NULL;
    }
    c = next;
    if (c < p->end && *c == ' ') {
        ts_ms t;
        next = expfmt_read_seconds(c + 1, p->end, &t);
        if (!next) {
            expfmt_fail(p, c + 1, err, "expected a timestamp in seconds of the exemplar");
            return NULL;
        }
        c = next;
    }
    return c;
}

static bool at_exemplar(const char *at, const char *end)
{
    return end - at >= 4 && memcmp(at, " # {", 4) == 0;
}

/* Timestamp and exemplar, both optional; the end of the line, or NULL with err. */
static const char *om_suffix(struct expfmt *p, const char *c, struct err *err)
{
    p->has_t = c < p->end && *c == ' ' && !at_exemplar(c, p->end);
    if (p->has_t) {
        const char *next = expfmt_read_seconds(c + 1, p->end, &p->t);
        if (!next) {
            expfmt_fail(p, c + 1, err, "expected a timestamp in seconds or the end of the line");
            return NULL;
        }
        c = next;
    }
    p->exemplar = (str){0};
    if (at_exemplar(c, p->end)) {
        const char *next = check_exemplar(p, c + 3, err);
        if (!next)
            return NULL;
        p->exemplar = str_of(c + 3, (size_t)(next - c - 3));
        c = next;
    }
    if (c < p->end && *c == '\n')
        return c;
    expfmt_fail(p, c, err, c < p->end ? "expected the end of the line" : "data ends without # EOF");
    return NULL;
}

static enum expfmt_event om_sample(struct expfmt *p, const char *at, struct err *err)
{
    if (!may_start_series(*at))
        return fail(p, at, err, "expected a metric name or \"# \"");
    const char *end = series_end(p, at, err);
    if (!end)
        return EXPFMT_ERROR;
    if (end == p->end || *end != ' ')
        return fail(p, end, err, "expected a space and a value after the metric");
    double value;
    const char *next = expfmt_read_number(end + 1, p->end, true, &value);
    if (!next)
        return fail(p, end + 1, err, "expected a number as the value");
    next = om_suffix(p, next, err);
    if (!next)
        return EXPFMT_ERROR;
    p->series = str_of(at, (size_t)(end - at));
    p->value = value;
    p->at = next + 1;
    return EXPFMT_SAMPLE;
}

static bool read_type(str s, bool openmetrics, enum metric_type *out)
{
    enum metric_type t = metric_type_parse(s);
    bool classic =
        t == METRIC_COUNTER || t == METRIC_GAUGE || t == METRIC_HISTOGRAM || t == METRIC_SUMMARY;
    bool none = str_eq(s, openmetrics ? STR("unknown") : STR("untyped"));
    if (!classic && !none && !(openmetrics && t != METRIC_UNKNOWN))
        return false;
    *out = t;
    return true;
}

static bool unit_fits(str family, str unit)
{
    return unit.n == 0 ||
           (str_ends(family, unit) && family.n > unit.n && family.p[family.n - unit.n - 1] == '_');
}

static enum expfmt_event meta_event(struct expfmt *p, enum expfmt_event kind, struct err *err)
{
    switch (kind) {
    case EXPFMT_TYPE:
        if (!read_type(p->text, p->openmetrics, &p->type))
            return fail(p, p->text.p, err, "unknown metric type");
        break;
    case EXPFMT_HELP:
        if (!str_utf8_valid(p->text))
            return fail(p, p->text.p, err, "help is not valid UTF-8");
        break;
    default:
        if (!unit_fits(p->family, p->text))
            return fail(p, p->text.p, err, "the unit is not a suffix of the metric's name");
        break;
    }
    return kind;
}

/* The family's name at `at`, perhaps in quotes; behind it, or NULL with err. */
static const char *meta_name(struct expfmt *p, const char *at, struct err *err)
{
    bool quoted = at < p->end && *at == '"';
    const char *end = quoted ? expfmt_skip_quoted(at, p->end, p->openmetrics)
                             : expfmt_skip_name(at, p->end, true);
    if (!end || end == at) {
        expfmt_fail(p, at, err, "expected a metric name");
        return NULL;
    }
    p->family = quoted ? str_of(at + 1, (size_t)(end - at - 2)) : str_of(at, (size_t)(end - at));
    return end;
}

static enum expfmt_event meta_line(struct expfmt *p, enum expfmt_event kind, const char *at,
                                   struct err *err)
{
    const char *name_end = meta_name(p, at, err);
    if (!name_end)
        return EXPFMT_ERROR;
    const char *nl = memchr(name_end, '\n', (size_t)(p->end - name_end));
    if (p->openmetrics && (!nl || *name_end != ' '))
        return fail(p, name_end, err, "expected a space and text after the metric name");

    const char *end = nl ? nl : p->end;
    const char *text = name_end < end ? name_end + 1 : end; /* exactly one blank is not text */
    p->text = str_of(text, (size_t)(end - text));
    enum expfmt_event e = meta_event(p, kind, err);
    if (e != EXPFMT_ERROR)
        p->at = nl ? nl + 1 : p->end;
    return e;
}

/* The kind of metadata a line names: EXPFMT_END when it is none. */
static enum expfmt_event meta_kind(const struct expfmt *p, const char *at)
{
    if (p->end - at < 5)
        return EXPFMT_END;
    if (at[4] != ' ' && (at[4] != '\t' || p->openmetrics))
        return EXPFMT_END;
    if (memcmp(at, "HELP", 4) == 0)
        return EXPFMT_HELP;
    if (memcmp(at, "TYPE", 4) == 0)
        return EXPFMT_TYPE;
    if (p->openmetrics && memcmp(at, "UNIT", 4) == 0)
        return EXPFMT_UNIT;
    return EXPFMT_END;
}

static enum expfmt_event text_next(struct expfmt *p, struct err *err)
{
    for (const char *at = p->at;;) {
        at = expfmt_skip_space(at, p->end);
        if (at == p->end)
            return EXPFMT_END;
        if (*at == '\n') {
            at++;
            continue;
        }
        if (*at != '#')
            return text_sample(p, at, err);

        const char *word = expfmt_skip_space(at + 1, p->end);
        enum expfmt_event kind = word > at + 1 ? meta_kind(p, word) : EXPFMT_END;
        if (kind != EXPFMT_END)
            return meta_line(p, kind, expfmt_skip_space(word + 4, p->end), err);
        const char *nl = memchr(at, '\n', (size_t)(p->end - at));
        at = nl ? nl + 1 : p->end;
    }
}

static enum expfmt_event om_hash(struct expfmt *p, struct err *err)
{
    const char *at = p->at;
    if (p->end - at < 2 || at[1] != ' ')
        return fail(p, at, err, "expected a space after #");
    if (p->end - at >= 5 && memcmp(at + 2, "EOF", 3) == 0) {
        at += 5;
        if (at < p->end && *at == '\n')
            at++;
        if (at < p->end)
            return fail(p, at, err, "unexpected data after # EOF");
        return EXPFMT_END; /* without moving: asked again it says so again */
    }
    enum expfmt_event kind = meta_kind(p, at + 2);
    if (kind == EXPFMT_END)
        return fail(p, at + 2, err, "expected HELP, TYPE, UNIT or EOF");
    return meta_line(p, kind, at + 7, err);
}

enum expfmt_event expfmt_next(struct expfmt *p, struct err *err)
{
    if (!p->openmetrics)
        return text_next(p, err);
    if (p->at == p->end)
        return fail(p, p->at, err, "data ends without # EOF");
    return *p->at == '#' ? om_hash(p, err) : om_sample(p, p->at, err);
}
