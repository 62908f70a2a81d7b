// SPDX-License-Identifier: Apache-2.0
#include "queries/journal_int.h"

#include <assert.h>

#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "sys/self.h"

struct journal {
    struct disk *disk;
    struct disk_file *file;
    bool failed; /* the disk refused once: nothing is written any more */
    unsigned slots;
    bool taken[];
};

static const str name = STR_INIT("queries.active");

/* One line: whoever wrote it, only what makes sense is taken. */
static bool read_line(str line, struct arena *a, struct query_unfinished *out)
{
    struct json_value *v;
    struct err err;
    int64_t seconds;
    line = str_trim(line);
    if (!line.n || !json_parse(line, a, &v, &err) ||
        !json_as_str(json_get(v, STR("query")), &out->text) ||
        !json_as_i64(json_get(v, STR("timestamp_sec")), &seconds) || seconds < 0 ||
        seconds > INT64_MAX / 1000)
        return false;
    out->started_at = seconds * 1000;
    return true;
}

static bool read_all(struct disk *d, struct arena *a, str *text, struct err *err)
{
    struct disk_file *f = d->ops->open(d, name, DISK_READ, err);
    uint64_t size;
    if (!f)
        return false;
    bool ok = d->ops->size(f, &size, err);
    if (ok && size > (uint64_t)JOURNAL_SLOTS_MAX * JOURNAL_SLOT_BYTES)
        size = (uint64_t)JOURNAL_SLOTS_MAX * JOURNAL_SLOT_BYTES;
    char *p = ok ? arena_alloc(a, size + 1) : NULL;
    ok = ok && d->ops->read(f, 0, p, size, err);
    d->ops->close(f);
    if (ok)
        *text = str_of(p, size);
    return ok;
}

static void find(struct disk *d, struct arena *a, struct query_unfinished **found, size_t *n)
{
    struct err err;
    str text, line;
    *n = 0;
    *found = arena_array(a, struct query_unfinished, JOURNAL_SLOTS_MAX);
    if (!read_all(d, a, &text, &err))
        return; /* mostly because it is not there */
    while (*n < JOURNAL_SLOTS_MAX && str_cut(&text, '\n', &line))
        *n += read_line(line, a, &(*found)[*n]);
}

static bool write_slot(struct journal *j, unsigned slot, const struct strbuf *line)
{
    char bytes_of_slot[JOURNAL_SLOT_BYTES];
    struct disk_iov iov = {bytes_of_slot, sizeof bytes_of_slot};
    struct err err;
    assert(!line || line->n < sizeof bytes_of_slot);
    memset(bytes_of_slot, ' ', sizeof bytes_of_slot);
    bytes_of_slot[sizeof bytes_of_slot - 1] = '\n';
    if (line)
        memcpy(bytes_of_slot, line->p, line->n);
    if (j->disk->ops->write(j->file, (uint64_t)slot * JOURNAL_SLOT_BYTES, &iov, 1, &err))
        return true;
    self_add(SELF_QUERY_JOURNAL_FAILED, 1);
    j->failed = true;
    return false;
}

struct journal *journal_open(struct disk *d, unsigned slots, struct arena *a,
                             struct query_unfinished **found, size_t *n, struct err *err)
{
    slots = slots < JOURNAL_SLOTS_MAX ? slots : JOURNAL_SLOTS_MAX;
    find(d, a, found, n);
    struct journal *j = mem_zalloc(sizeof *j + slots * sizeof j->taken[0]);
    j->disk = d;
    j->slots = slots;
    j->file = d->ops->open(d, name, DISK_READ | DISK_WRITE | DISK_CREATE, err);
    bool ok = j->file && d->ops->truncate(j->file, 0, err);
    for (unsigned i = 0; ok && i < slots; i++)
        ok = write_slot(j, i, NULL) || err_set(err, ERR_IO, "cannot write queries.active");
    if (ok)
        return j;
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (j && j->file)
        j->disk->ops->close(j->file);
    free(j);
}

/* Cut where a character ends, so that with its escapes it fits. */
static void put_line(struct strbuf *line, str text, ts_ms t)
{
    size_t keep = text.n < JOURNAL_SLOT_BYTES ? text.n : JOURNAL_SLOT_BYTES;
    for (;; keep -= keep / 4 + 1) {
        while (keep && keep < text.n && ((unsigned char)text.p[keep] & 0xc0) == 0x80)
            keep--;
        struct json_writer w = json_writer(line);
        strbuf_clear(line);
        json_open_object(&w);
        json_put_pair(&w, STR("query"), str_sub(text, 0, keep));
        json_put_key(&w, STR("timestamp_sec"));
        json_put_i64(&w, t / 1000);
        json_close_object(&w);
        if (line->n < JOURNAL_SLOT_BYTES)
            return;
    }
}

int journal_put(struct journal *j, str text, ts_ms t)
{
    STRBUF_CLEANUP struct strbuf line = {0};
    for (unsigned i = 0; i < j->slots && !j->failed; i++) {
        if (j->taken[i])
            continue;
        put_line(&line, text, t);
        if (!write_slot(j, i, &line))
            return -1;
        j->taken[i] = true;
        return (int)i;
    }
    return -1;
}

void journal_clear(struct journal *j, int slot)
{
    if (slot < 0)
        return;
    j->taken[slot] = false;
    if (!j->failed)
        write_slot(j, (unsigned)slot, NULL);
}
