// SPDX-License-Identifier: Apache-2.0
#include "requests.h"

#include <err.h>
#include <fcntl.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROW_BYTES = 16, SERIES_BYTES_MAX = 4096 };

struct batch {
    uint8_t *p;
    size_t n, cap;
    uint32_t samples;
};

struct writer {
    FILE *file;
    uint32_t samples_max;
    struct batch batches[CONNECTIONS];
    char *out;
    size_t out_cap;
};

static size_t put_varint(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

static void flush(struct writer *w, uint32_t connection)
{
    struct batch *b = &w->batches[connection];
    size_t size = snappy_max_compressed_length(b->n);
    if (size > w->out_cap) {
        w->out_cap = size;
        w->out = realloc(w->out, size);
        if (!w->out)
            err(1, "requests");
    }
    snappy_compress((const char *)b->p, b->n, w->out, &size);
    uint32_t row[4] = {connection, b->samples, (uint32_t)size, (uint32_t)b->n};
    if (fwrite(row, ROW_BYTES, 1, w->file) != 1 || fwrite(w->out, size, 1, w->file) != 1)
        err(1, "requests");
    b->n = 0;
    b->samples = 0;
}

/* A TimeSeries of one sample, as field 1 of the WriteRequest. */
static void add(void *arg, const struct stream_sample *s)
{
    struct writer *w = arg;
    uint32_t connection = s->series % CONNECTIONS;
    struct batch *b = &w->batches[connection];
    if (b->cap - b->n < SERIES_BYTES_MAX) {
        b->cap = b->cap * 2 + SERIES_BYTES_MAX;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            err(1, "requests");
    }
    uint8_t sample[24];
    size_t n = 0;
    sample[n++] = 0x09;
    memcpy(sample + n, &s->v, 8);
    n += 8;
    sample[n++] = 0x10;
    n += put_varint(sample + n, (uint64_t)s->t_ms);

    b->p[b->n++] = 0x0a;
    b->n += put_varint(b->p + b->n, s->labels_n + 2 + n);
    memcpy(b->p + b->n, s->labels, s->labels_n);
    b->n += s->labels_n;
    b->p[b->n++] = 0x12;
    b->p[b->n++] = (uint8_t)n;
    memcpy(b->p + b->n, sample, n);
    b->n += n;
    if (++b->samples == w->samples_max)
        flush(w, connection);
}

void requests_write(struct stream *s, const char *path, uint32_t samples_max)
{
    struct writer w = {.samples_max = samples_max};
    w.file = fopen(path, "wb");
    if (!w.file)
        err(1, "%s", path);
    setvbuf(w.file, NULL, _IOFBF, 1 << 20);
    stream_run(s, add, &w);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (w.batches[i].samples > 0)
            flush(&w, i);
        free(w.batches[i].p);
    }
    free(w.out);
    if (fclose(w.file) != 0)
        err(1, "%s", path);
}

void requests_open(struct requests *r, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        err(1, "%s", path);
    *r = (struct requests){.map_n = (size_t)st.st_size};
    r->map = mmap(NULL, r->map_n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (r->map == MAP_FAILED)
        err(1, "%s", path);
    close(fd);
    size_t cap = 0;
    for (size_t at = 0; at + ROW_BYTES <= r->map_n;) {
        uint32_t row[4];
        memcpy(row, (uint8_t *)r->map + at, ROW_BYTES);
        if (r->n == cap) {
            cap = cap * 2 + 1024;
            r->rows = reallocarray(r->rows, cap, sizeof *r->rows);
            if (!r->rows)
                err(1, "requests");
        }
        r->rows[r->n++] =
            (struct request){row[0], row[1], row[2], row[3], (uint8_t *)r->map + at + ROW_BYTES};
        r->samples += row[1];
        r->bytes += row[2];
        r->raw_bytes += row[3];
        at += ROW_BYTES + row[2];
    }
}

void requests_close(struct requests *r)
{
    munmap(r->map, r->map_n);
    free(r->rows);
}
