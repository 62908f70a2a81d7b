// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/strbuf.h"

void err_clear(struct err *e)
{
    e->kind = ERR_NONE;
    e->pos = (struct pos){0, 0};
    e->file[0] = e->msg[0] = e->hint[0] = 0;
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    err_clear(e);
    e->kind = kind;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return false;
}

bool err_at(struct err *e, enum err_kind kind, struct pos pos, const char *fmt, ...)
{
    va_list ap;
    err_clear(e);
    e->kind = kind;
    e->pos = pos;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return false;
}

bool err_hint(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
    return false;
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    char what[sizeof e->msg], whole[sizeof e->msg + sizeof what];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    int n = snprintf(whole, sizeof whole, "%s: %s", what, e->msg);
    size_t keep = (size_t)n < sizeof e->msg ? (size_t)n : sizeof e->msg - 1;
    memcpy(e->msg, whole, keep);
    e->msg[keep] = 0;
    return false;
}

struct pos pos_of(str text, size_t offset)
{
    struct pos p = {1, 1};
    if (offset > text.n)
        offset = text.n;
    for (size_t i = 0; i < offset; i++) {
        if (text.p[i] == '\n') {
            p.line++;
            p.col = 1;
        } else {
            p.col++;
        }
    }
    return p;
}

/* Bytes at `i` that a terminal shows as one character and does not obey; 0 for those of a control
 * character (U+0080 to U+009F are such, too) and of what is no UTF-8. */
static size_t harmless(str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n == 1)
        return c >= 0x20 && c != 0x7f;
    if (i + n > s.n || !str_utf8_valid(str_sub(s, i, i + n)))
        return 0;
    return c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0 ? 0 : n;
}

/* Other bytes as \xNN, so that one message stays one line. */
static void add_printable(struct strbuf *out, str s)
{
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        n = harmless(s, i);
        if (n)
            strbuf_add(out, str_sub(s, i, i + n));
        else
            strbuf_addf(out, "\\x%02x", (unsigned char)s.p[i]);
    }
}

static str line_at(str text, uint32_t line)
{
    str rest = text, piece = {"", 0};
    for (uint32_t i = 0; i < line; i++) {
        if (!str_cut(&rest, '\n', &piece))
            return (str){"", 0};
    }
    return piece;
}

enum { EXCERPT_MAX = 160 };

/* The source line and a caret below it; long lines are shown around the column. */
static void print_excerpt(struct pos pos, str text, struct strbuf *out)
{
    str line = line_at(text, pos.line);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    size_t col = pos.col ? pos.col - 1 : 0;
    if (col > line.n)
        col = line.n;
    size_t from = col > EXCERPT_MAX / 2 && line.n > EXCERPT_MAX ? col - EXCERPT_MAX / 2 : 0;
    str shown = str_sub(line, from, from + EXCERPT_MAX);
    strbuf_addf(out, "%6u | ", pos.line);
    for (size_t i = 0, n; i < shown.n; i += n ? n : 1) {
        n = harmless(shown, i);
        strbuf_add(out, n ? str_sub(shown, i, i + n) : STR(" "));
    }
    strbuf_addz(out, "\n       | ");
    for (size_t i = from; i < col; i++) {
        if (((unsigned char)line.p[i] & 0xc0) != 0x80)
            strbuf_addc(out, ' ');
    }
    strbuf_addz(out, "^\n");
}

void err_print(const struct err *e, const char *label, str text, struct strbuf *out)
{
    if (e->file[0])
        strbuf_addf(out, "%s:", e->file);
    if (e->pos.line)
        strbuf_addf(out, "%u:%u:", e->pos.line, e->pos.col);
    if (e->file[0] || e->pos.line)
        strbuf_addc(out, ' ');
    strbuf_addf(out, "%s: ", label);
    add_printable(out, str_from_z(e->msg));
    strbuf_addc(out, '\n');
    if (e->pos.line && text.n)
        print_excerpt(e->pos, text, out);
    if (e->hint[0]) {
        strbuf_addz(out, "hint: ");
        add_printable(out, str_from_z(e->hint));
        strbuf_addc(out, '\n');
    }
}
