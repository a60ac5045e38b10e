/*
 * Pieces of files: what is taken lies within the payload and is written again as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/artefact.h"

static void check_same(struct buf *out, const uint8_t *data, size_t size)
{
    ASSERT(buf_len(out) == size && memcmp(buf_bytes(out).ptr, data, size) == 0);
    buf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct artefact_chunk chunk;
    struct artefact_piece piece;
    struct buf out = {0};

    if (artefact_chunk_decode(gp_bytes_of(data, size), &chunk) == 0) {
        ASSERT(artefact_chunk_encode(&chunk, &out) == 0);
        check_same(&out, data, size);
    }
    if (artefact_piece_decode(gp_bytes_of(data, size), &piece) == 0) {
        ASSERT(piece.offset + piece.bytes.len <= piece.total);
        ASSERT(artefact_piece_encode(&piece, &out) == 0);
        check_same(&out, data, size);
    }
    buf_deinit(&out);
    return 0;
}
