/*
 * Pieces of files as bytes. Decoders borrow from the payload and check it as a whole: what is
 * returned lies within it and within the limit of a chunk.
 */
#include "wire/artefact.h"

#include "base/reader.h"
#include "wire/frame.h"

static int encode(uint64_t first, uint64_t second, gp_bytes bytes, struct buf *out)
{
    const size_t before = buf_len(out);
    int rc = bytes.len > FRAME_ARTEFACT_MAX ? GP_ETOOBIG : 0;

    rc = rc < 0 ? rc : buf_append_u64(out, first);
    rc = rc < 0 ? rc : buf_append_u64(out, second);
    rc = rc < 0 ? rc : buf_append_bytes(out, bytes);
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}

static int decode(gp_bytes payload, uint64_t *ret_first, uint64_t *ret_second, gp_bytes *ret_bytes)
{
    struct reader r = reader_of(payload);
    const uint64_t first = reader_u64(&r);
    const uint64_t second = reader_u64(&r);
    const gp_bytes bytes = reader_bytes(&r, reader_left(&r));

    if (reader_finish(&r) < 0 || bytes.len > FRAME_ARTEFACT_MAX) {
        return GP_EPROTO;
    }
    *ret_first = first;
    *ret_second = second;
    *ret_bytes = bytes;
    return 0;
}

int artefact_chunk_encode(const struct artefact_chunk *chunk, struct buf *out)
{
    return encode(chunk->upload, chunk->offset, chunk->bytes, out);
}

int artefact_piece_encode(const struct artefact_piece *piece, struct buf *out)
{
    return encode(piece->offset, piece->total, piece->bytes, out);
}

int artefact_chunk_decode(gp_bytes payload, struct artefact_chunk *ret)
{
    struct artefact_chunk chunk = {0};

    if (decode(payload, &chunk.upload, &chunk.offset, &chunk.bytes) < 0 ||
        chunk.offset > UINT64_MAX - chunk.bytes.len) {
        return GP_EPROTO;
    }
    *ret = chunk;
    return 0;
}

int artefact_piece_decode(gp_bytes payload, struct artefact_piece *ret)
{
    struct artefact_piece piece = {0};

    if (decode(payload, &piece.offset, &piece.total, &piece.bytes) < 0 ||
        piece.offset > piece.total || piece.bytes.len > piece.total - piece.offset) {
        return GP_EPROTO;
    }
    *ret = piece;
    return 0;
}
