/*
 * artefact.h: the binary payloads that carry pieces of a file.
 *
 *     artefact.chunk, ask     | u64 upload | u64 offset | bytes ... |
 *     artefact.get, reply     | u64 offset | u64 total  | bytes ... |
 *
 * Little-endian, at most FRAME_ARTEFACT_MAX bytes of file each. Decoded bytes are borrowed. Pure.
 */
#ifndef WIRE_ARTEFACT_H
#define WIRE_ARTEFACT_H

#include "base/buf.h"
#include "base/error.h"

#define ARTEFACT_HEADER_SIZE 16u

struct artefact_chunk {
    uint64_t upload;
    uint64_t offset;
    gp_bytes bytes;
};

struct artefact_piece {
    uint64_t offset;
    uint64_t total; /* size of the file */
    gp_bytes bytes; /* empty only at the end of the file */
};

/* Append to out. GP_ETOOBIG, GP_ENOMEM. */
int artefact_chunk_encode(const struct artefact_chunk *chunk, struct buf *out);
int artefact_piece_encode(const struct artefact_piece *piece, struct buf *out);

/* GP_EPROTO: too short, too long, or (piece) beyond its total. */
int artefact_chunk_decode(gp_bytes payload, struct artefact_chunk *ret);
int artefact_piece_decode(gp_bytes payload, struct artefact_piece *ret);

#endif
