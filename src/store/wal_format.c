// SPDX-License-Identifier: Apache-2.0
/* Headers of WAL segments and records as bytes; layout in docs/formats/wal.md. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/enc.h"
#include "store/wal_int.h"

void wal_header_encode(const struct wal_header *h, uint8_t out[WAL_HEADER_BYTES])
{
    struct enc e = {.p = out, .cap = WAL_HEADER_BYTES};
    enc_bytes(&e, WAL_MAGIC, 8);
    enc_u32(&e, WAL_VERSION);
    enc_u32(&e, h->space);
    enc_u64(&e, h->features);
    enc_u64(&e, h->seq);
    enc_u64(&e, h->epoch);
    enc_u64(&e, h->first_lsn);
    enc_u64(&e, h->prev_seq);
    enc_u64(&e, h->prev_end);
    enc_u64(&e, h->prev_lsn);
    enc_u32(&e, h->salt);
    memset(out + e.n, 0, WAL_HEADER_BYTES - e.n);
    e.n = WAL_HEADER_BYTES - 4;
    enc_u32(&e, crc32c(0, out, WAL_HEADER_BYTES - 4));
    assert(e.p == out);
}

bool wal_header_decode(const uint8_t in[WAL_HEADER_BYTES], struct wal_header *h, struct err *err)
{
    struct dec d = dec_of((bytes){in, WAL_HEADER_BYTES});
    uint32_t crc;
    memcpy(&crc, in + WAL_HEADER_BYTES - 4, sizeof crc);
    const uint8_t *magic = dec_take(&d, 8);
    uint32_t version = dec_u32(&d);
    if (memcmp(magic, WAL_MAGIC, 8) != 0 || crc != crc32c(0, in, WAL_HEADER_BYTES - 4))
        return err_set(err, ERR_CORRUPT, "no segment header");
    h->space = dec_u32(&d);
    h->features = dec_u64(&d);
    if (version != WAL_VERSION || h->features != 0)
        return err_set(err, ERR_INVALID,
                       "segment of format version %" PRIu32 ", features 0x%" PRIx64
                       "; this program reads version %d without features",
                       version, h->features, WAL_VERSION);
    h->seq = dec_u64(&d);
    h->epoch = dec_u64(&d);
    h->first_lsn = dec_u64(&d);
    h->prev_seq = dec_u64(&d);
    h->prev_end = dec_u64(&d);
    h->prev_lsn = dec_u64(&d);
    h->salt = dec_u32(&d);
    return true;
}

void wal_frame_encode(const struct wal_frame *f, uint8_t out[WAL_FRAME_BYTES])
{
    struct enc e = {.p = out, .cap = WAL_FRAME_BYTES};
    enc_u32(&e, WAL_MARK);
    enc_u32(&e, f->n);
    enc_u64(&e, f->lsn);
    enc_u32(&e, f->type);
    enc_u32(&e, f->salt);
    enc_u32(&e, f->payload_crc);
    enc_u32(&e, crc32c(0, out, WAL_FRAME_BYTES - 4));
    assert(e.p == out && e.n == WAL_FRAME_BYTES);
}

bool wal_frame_decode(const uint8_t in[WAL_FRAME_BYTES], struct wal_frame *f)
{
    struct dec d = dec_of((bytes){in, WAL_FRAME_BYTES});
    if (dec_u32(&d) != WAL_MARK)
        return false;
    f->n = dec_u32(&d);
    f->lsn = dec_u64(&d);
    uint32_t type = dec_u32(&d);
    f->type = (uint8_t)type;
    f->salt = dec_u32(&d);
    f->payload_crc = dec_u32(&d);
    return dec_u32(&d) == crc32c(0, in, WAL_FRAME_BYTES - 4) && type <= UINT8_MAX &&
           f->n <= WAL_RECORD_BYTES_MAX;
}

str wal_path(char buf[WAL_PATH_MAX], str dir, uint64_t seq)
{
    int n = snprintf(buf, WAL_PATH_MAX, "%.*s/%016" PRIx64 ".wal", STR_ARG(dir), seq);
    assert(n > 0 && n < WAL_PATH_MAX);
    return str_of(buf, (size_t)n);
}
