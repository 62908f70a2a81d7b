// SPDX-License-Identifier: Apache-2.0
/* An answer of Prometheus' API as a table. It comes from a server, so nothing in it is trusted. */
#include "base/vec.h"
#include "cmd/query_int.h"
#include "codec/date.h"
#include "codec/json.h"
#include "model/labels.h"

enum { MEMORY_MAX = 1 << 30 };

/* So that no answer moves the cursor. */
static void add_plain(struct strbuf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", c);
        else
            strbuf_addc(out, (char)c);
    }
}

static bool unexpected(const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "the answer is not one of Prometheus' API: %s", what);
}

static bool add_labels(const struct json_value *v, struct strbuf *out, struct err *err)
{
    VEC(struct label) ls = {0};
    bool ok = v && v->type == JSON_OBJECT;
    for (size_t i = 0; ok && i < v->n; i++) {
        struct label l = {.name = v->members[i].key};
        ok = json_as_str(&v->members[i].value, &l.value);
        vec_push(&ls, l);
    }
    if (ok && ls.n)
        label_sort(ls.at, ls.n);
    if (ok)
        labels_format((struct labels){ls.at, ls.n}, out);
    vec_fini(&ls);
    return ok || unexpected("labels are no object of strings", err);
}

/* [time, "value"], or [time, {"count": .., "sum": ..}] of a native histogram. */
static bool add_point(const struct json_value *v, bool with_time, struct strbuf *out,
                      struct err *err)
{
    char text[DATE_TEXT_MAX];
    double seconds;
    ts_ms t;
    str value, sum;
    if (!v || v->type != JSON_ARRAY || v->n != 2 || !json_as_f64(&v->items[0], &seconds) ||
        !date_from_seconds(seconds, &t))
        return unexpected("a sample is no pair of time and value", err);
    if (with_time) {
        strbuf_add(out, str_of(text, date_format_ms(t, text)));
        strbuf_addz(out, "  ");
    }
    if (json_as_str(&v->items[1], &value)) {
        add_plain(out, value);
        return true;
    }
    if (!json_as_str(json_get(&v->items[1], STR("count")), &value) ||
        !json_as_str(json_get(&v->items[1], STR("sum")), &sum))
        return unexpected("a sample has no value", err);
    strbuf_addz(out, "histogram count=");
    add_plain(out, value);
    strbuf_addz(out, " sum=");
    add_plain(out, sum);
    return true;
}

/* Characters, not bytes. */
static size_t width(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

enum { COLUMN_MAX = 100 };

/* Series and value in two columns. */
static bool put_vector(const struct json_value *rows, struct strbuf *out, struct err *err)
{
    STRBUF_CLEANUP struct strbuf name = {0};
    size_t column = 0;
    for (size_t i = 0; i < rows->n; i++) {
        strbuf_clear(&name);
        if (!add_labels(json_get(&rows->items[i], STR("metric")), &name, err))
            return false;
        size_t n = width(strbuf_str(&name));
        column = n > column && n <= COLUMN_MAX ? n : column;
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct json_value *point = json_get(&rows->items[i], STR("value"));
        strbuf_clear(&name);
        if (!add_labels(json_get(&rows->items[i], STR("metric")), &name, err))
            return false;
        size_t n = width(strbuf_str(&name));
        strbuf_add(out, strbuf_str(&name));
        strbuf_addf(out, "%*s", (int)(n < column ? column - n + 2 : 2), "");
        if (!add_point(point ? point : json_get(&rows->items[i], STR("histogram")), false, out,
                       err))
            return false;
        strbuf_addc(out, '\n');
    }
    return true;
}

static bool put_points(const struct json_value *points, struct strbuf *out, struct err *err)
{
    if (!points)
        return true;
    if (points->type != JSON_ARRAY)
        return unexpected("samples are no list", err);
    for (size_t i = 0; i < points->n; i++) {
        strbuf_addz(out, "  ");
        if (!add_point(&points->items[i], true, out, err))
            return false;
        strbuf_addc(out, '\n');
    }
    return true;
}

/* Each series with its samples below it. */
static bool put_matrix(const struct json_value *rows, struct strbuf *out, struct err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (!add_labels(json_get(&rows->items[i], STR("metric")), out, err))
            return false;
        strbuf_addc(out, '\n');
        if (!put_points(json_get(&rows->items[i], STR("values")), out, err) ||
            !put_points(json_get(&rows->items[i], STR("histograms")), out, err))
            return false;
    }
    return true;
}

static bool put_result(const struct json_value *data, struct strbuf *out, struct err *err)
{
    const struct json_value *result = json_get(data, STR("result"));
    str type;
    if (!json_as_str(json_get(data, STR("resultType")), &type) || !result ||
        result->type != JSON_ARRAY)
        return unexpected("there is no result", err);
    if (str_eqz(type, "vector"))
        return put_vector(result, out, err);
    if (str_eqz(type, "matrix"))
        return put_matrix(result, out, err);
    if (!add_point(result, false, out, err))
        return false;
    strbuf_addc(out, '\n');
    return true;
}

/* Names, values or label sets, one a line. */
static bool put_list(const struct json_value *data, struct strbuf *out, struct err *err)
{
    for (size_t i = 0; i < data->n; i++) {
        str text;
        if (json_as_str(&data->items[i], &text))
            add_plain(out, text);
        else if (!add_labels(&data->items[i], out, err))
            return false;
        strbuf_addc(out, '\n');
    }
    return true;
}

static void put_notes(const struct json_value *list, const char *label, struct strbuf *out)
{
    str text;
    for (size_t i = 0; list && list->type == JSON_ARRAY && i < list->n; i++) {
        if (!json_as_str(&list->items[i], &text))
            continue;
        strbuf_addf(out, "%s: ", label);
        add_plain(out, text);
        strbuf_addc(out, '\n');
    }
}

static bool server_error(const struct json_value *answer, struct err *err)
{
    STRBUF_CLEANUP struct strbuf message = {0};
    str text, kind;
    if (!json_as_str(json_get(answer, STR("error")), &text))
        return unexpected("it has no status", err);
    if (json_as_str(json_get(answer, STR("errorType")), &kind)) {
        add_plain(&message, kind);
        strbuf_addz(&message, ": ");
    }
    add_plain(&message, text);
    return err_set(err, ERR_EXEC, "%s", message.p);
}

bool query_print(str body, struct strbuf *out, struct strbuf *notes, struct err *err)
{
    ARENA_CLEANUP struct arena arena;
    struct json_value *answer;
    str status;
    arena_init(&arena, MEMORY_MAX);
    if (!json_parse(body, &arena, &answer, err))
        return err_wrap(err, "the answer is no JSON");
    if (!json_as_str(json_get(answer, STR("status")), &status) || !str_eqz(status, "success"))
        return server_error(answer, err);
    const struct json_value *data = json_get(answer, STR("data"));
    put_notes(json_get(answer, STR("warnings")), "warning", notes);
    put_notes(json_get(answer, STR("infos")), "info", notes);
    if (data && data->type == JSON_ARRAY)
        return put_list(data, out, err);
    return put_result(data, out, err);
}
