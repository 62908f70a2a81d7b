// SPDX-License-Identifier: Apache-2.0
/*
 * Text: OpenMetrics with times, and lines of VictoriaMetrics' export. Files may be larger than
 * memory: they are read in pieces that end at the end of a line, samples are kept by series and
 * written as parts when memory for them is used up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "cmd/db_import_int.h"
#include "format/expfmt.h"
#include "format/vm_export.h"

enum { PIECE_BYTES = 4 << 20, LINE_BYTES_MAX = 512 << 20 };

/* ---- pieces of whole lines ---- */

struct pieces {
    FILE *file;
    const char *path;
    char *buf;
    size_t n, cap, used; /* bytes in buf; those of the piece handed out before */
    bool end;
};

static bool pieces_open(struct pieces *p, const char *path, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    *p = (struct pieces){.path = is_stdin ? "standard input" : path};
    p->file = is_stdin ? stdin : fopen(path, "rbe");
    if (!p->file)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    return true;
}

static void pieces_close(struct pieces *p)
{
    if (p->file && p->file != stdin)
        fclose(p->file);
    free(p->buf);
}
#define PIECES_CLEANUP __attribute__((cleanup(pieces_close)))

static bool fill(struct pieces *p, struct err *err)
{
    if (p->cap - p->n < PIECE_BYTES) {
        p->cap = p->n + PIECE_BYTES;
        p->buf = mem_realloc(p->buf, p->cap);
    }
    size_t got = fread(p->buf + p->n, 1, PIECE_BYTES, p->file);
    if (got == 0 && ferror(p->file))
        return err_set(err, ERR_IO, "cannot read %s: %s", p->path, strerror(errno));
    p->n += got;
    p->end = got == 0;
    return true;
}

/* The next lines, with their ends (the last one may have none); an empty piece is the end. Valid
 * until the next call. */
static bool pieces_next(struct pieces *p, str *out, struct err *err)
{
    if (p->used)
        memmove(p->buf, p->buf + p->used, p->n -= p->used);
    p->used = 0;
    for (size_t looked = 0;;) {
        const char *nl = p->n > looked ? memrchr(p->buf + looked, '\n', p->n - looked) : NULL;
        if (nl || p->end) {
            p->used = nl ? (size_t)(nl + 1 - p->buf) : p->n;
            *out = str_of(p->buf ? p->buf : "", p->used);
            return true;
        }
        looked = p->n;
        if (p->n > LINE_BYTES_MAX)
            return err_set(err, ERR_LIMIT, "a line of more than %d bytes", LINE_BYTES_MAX);
        if (!fill(p, err))
            return false;
    }
}

/* ---- OpenMetrics ---- */

struct openmetrics {
    struct importer *i;
    struct import_buffer *buffer;
    struct expfmt p;
    struct arena scratch;
    struct metadata meta; /* of the family at hand; its text is in `text` */
    struct arena text;
    uint32_t lines; /* before the piece at hand */
};

static void put_metadata(struct openmetrics *o)
{
    if (o->meta.family.n)
        tsdb_import_metadata(o->i->im, &o->meta);
    o->meta = (struct metadata){0};
    arena_reset(&o->text);
}

static void on_metadata(struct openmetrics *o, enum expfmt_event e)
{
    str family = expfmt_family(&o->p, &o->scratch);
    if (!str_eq(family, o->meta.family)) {
        put_metadata(o);
        o->meta.family = arena_dup(&o->text, family);
    }
    if (e == EXPFMT_TYPE)
        o->meta.type = o->p.type;
    else if (e == EXPFMT_HELP)
        o->meta.help = arena_dup(&o->text, expfmt_help(&o->p, &o->scratch));
    else
        o->meta.unit = arena_dup(&o->text, o->p.text);
}

static bool on_sample(struct openmetrics *o, struct err *err)
{
    struct labels ls;
    if (!o->p.has_t)
        return err_at(err, ERR_INVALID, pos_of(o->p.body, (size_t)(o->p.series.p - o->p.body.p)),
                      "a sample without a time cannot be imported");
    ssize_t series = import_buffer_find(o->buffer, o->p.series);
    if (series < 0) {
        if (!expfmt_labels(&o->p, &o->scratch, &ls, err))
            return false;
        series = (ssize_t)import_buffer_add(o->buffer, o->p.series, ls);
    }
    import_buffer_push(o->buffer, (size_t)series, o->p.t, o->p.value);
    return !import_buffer_full(o->buffer) || import_buffer_flush(o->buffer, err);
}

/* Reads what is left of the piece; *end: behind # EOF. */
static bool read_piece(struct openmetrics *o, bool last, bool *end, struct err *err)
{
    while (!*end && (o->p.at < o->p.end || last)) {
        enum expfmt_event e = expfmt_next(&o->p, err);
        arena_reset(&o->scratch);
        if (e == EXPFMT_ERROR || (e == EXPFMT_SAMPLE && !on_sample(o, err)))
            return false;
        if (e == EXPFMT_END)
            *end = true;
        else if (e != EXPFMT_SAMPLE)
            on_metadata(o, e);
    }
    return true;
}

static bool read_openmetrics(struct openmetrics *o, struct pieces *in, struct err *err)
{
    char samples[DB_COUNT_MAX];
    uint64_t read = 0;
    bool end = false;
    for (str piece; pieces_next(in, &piece, err);) {
        bool last = piece.n == 0;
        if (last && end)
            return true;
        if (!last && end)
            return err_set(err, ERR_INVALID, "data after # EOF");
        o->p.body = piece;
        o->p.at = piece.p;
        o->p.end = piece.p + piece.n;
        if (!read_piece(o, last, &end, err)) {
            err->pos.line += err->pos.line ? o->lines : 0;
            return false;
        }
        for (const char *p = piece.p; (p = memchr(p, '\n', (size_t)(o->p.end - p))); p++)
            o->lines++;
        read += piece.n;
        db_progress_say(&o->i->progress, "%s bytes read", db_count(read, samples));
    }
    return false;
}

bool import_openmetrics(struct importer *i, const char *path, struct err *err)
{
    struct pieces in PIECES_CLEANUP;
    struct openmetrics o = {.i = i};
    if (!pieces_open(&in, path, err))
        return false;
    expfmt_init(&o.p, EXPFMT_OPENMETRICS_1_0_0, STR(""));
    arena_init(&o.scratch, 0);
    arena_init(&o.text, 0);
    o.buffer = import_buffer_new(i);
    bool ok = read_openmetrics(&o, &in, err);
    put_metadata(&o);
    ok = ok && import_buffer_flush(o.buffer, err);
    import_buffer_free(o.buffer);
    arena_fini(&o.text);
    arena_fini(&o.scratch);
    if (!ok)
        snprintf(err->file, sizeof err->file, "%s", in.path);
    return ok;
}

/* ---- VictoriaMetrics ---- */

static bool put_line(struct importer *i, struct import_buffer *b, str line, struct arena *a,
                     struct err *err)
{
    STRBUF_CLEANUP struct strbuf key = {0};
    struct vm_export x;
    if (!vm_export_read(line, a, &x, err))
        return false;
    labels_format(x.labels, &key);
    ssize_t series = import_buffer_find(b, strbuf_str(&key));
    if (series < 0)
        series = (ssize_t)import_buffer_add(b, strbuf_str(&key), x.labels);
    for (size_t k = 0; k < x.n; k++)
        import_buffer_push(b, (size_t)series, x.t[k], x.v[k]);
    return !import_buffer_full(b) || import_buffer_flush(b, err);
}

static bool read_lines(struct importer *i, struct import_buffer *b, struct pieces *in,
                       struct err *err)
{
    ARENA_CLEANUP struct arena a;
    char count[DB_COUNT_MAX];
    uint32_t number = 0;
    uint64_t read = 0;
    arena_init(&a, 0);
    for (str piece, line; pieces_next(in, &piece, err);) {
        if (piece.n == 0)
            return true;
        read += piece.n;
        while (str_cut(&piece, '\n', &line)) {
            number += 1;
            arena_reset(&a);
            if (str_trim(line).n == 0 || put_line(i, b, line, &a, err))
                continue;
            err->pos.line = err->pos.line ? number : 0;
            return false;
        }
        number--; /* the empty piece behind the last end of a line */
        db_progress_say(&i->progress, "%s bytes read", db_count(read, count));
    }
    return false;
}

bool import_victoriametrics(struct importer *i, const char *path, struct err *err)
{
    struct pieces in PIECES_CLEANUP;
    if (!pieces_open(&in, path, err))
        return false;
    struct import_buffer *b = import_buffer_new(i);
    bool ok = read_lines(i, b, &in, err) && import_buffer_flush(b, err);
    import_buffer_free(b);
    if (!ok)
        snprintf(err->file, sizeof err->file, "%s", in.path);
    return ok;
}
