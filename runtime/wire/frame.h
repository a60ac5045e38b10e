/*
 * frame.h: the 32 bytes in front of everything that travels on a connection, control and data
 * alike.
 *
 * | offset | type | meaning                                                                       |
 * |      0 | u32  | magic: the bytes 'G' 'P' 'F' '1'; the first is not 0x16, where TLS would begin |
 * |      4 | u32  | length: bytes of payload behind the header                                    |
 * |      8 | u16  | type: what the payload is (wire/messages.h)                                   |
 * |     10 | u8   | version of this layout, 1                                                     |
 * |     11 | u8   | flags: bit 0 checksum present, bits 1-2 kind, the others 0                     |
 * |     12 | u32  | CRC32C over header (this field as 0) and payload; 0 when bit 0 is clear       |
 * |     16 | u64  | correlation: ties a reply or error to its ask; 0 in a tell                    |
 * |     24 | u64  | sequence: number of a batch on its link, else 0                               |
 *
 * All numbers are little-endian. Pure functions over bytes, any thread. A header that was decoded
 * well says nothing of the payload: check the checksum when it is complete, then decode it.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"

#define FRAME_HEADER_SIZE 32u
#define FRAME_MAGIC       0x31465047u /* "GPF1", read as little-endian */
#define FRAME_VERSION     1u

#define FRAME_FLAG_CRC    1u
#define FRAME_KIND_SHIFT  1u
#define FRAME_FLAGS_KNOWN 7u

/* Payload bytes, the header not counted. frame_payload_max() tells which one holds for a type. */
#define FRAME_CONTROL_MAX  (1u << 20)
#define FRAME_DATA_MAX     ((256u << 10) - FRAME_HEADER_SIZE) /* the whole frame: 256 KiB */
#define FRAME_ARTEFACT_MAX (256u << 10)                       /* bytes of a file in one chunk */
#define FRAME_GREETING_MAX 4096u /* of all frames before the handshake is over, headers included */

enum frame_kind {
    FRAME_TELL,
    FRAME_ASK,
    FRAME_REPLY,
    FRAME_ERROR, /* a reply that failed, or (correlation 0) why this connection ends */
};

struct frame_header {
    uint32_t length; /* of the payload */
    uint16_t type;
    uint8_t kind; /* enum frame_kind */
    bool has_crc;
    uint32_t crc;
    uint64_t correlation;
    uint64_t sequence;
};

/* Writes the header as it is, h->crc included when has_crc. */
void frame_header_encode(const struct frame_header *h, void *ret_bytes);

/*
 * Reads FRAME_HEADER_SIZE bytes from a peer. GP_EPROTO: not our magic, unknown version or flags;
 * GP_ETOOBIG: length is more than its type may have. The text names what stands there instead, if
 * it is known (TLS, HTTP).
 */
int frame_header_decode(const void *bytes, struct frame_header *ret, struct gp_error *err);

/* The longest payload of this type. */
uint32_t frame_payload_max(uint16_t type);

/* Sets checksum and flag of a whole frame, header and payload in one piece. */
void frame_seal(void *frame, size_t payload_len);

/* 0, or GP_ECHECKSUM. Without the flag there is nothing to check and the answer is 0. */
int frame_check(const void *header, const void *payload, size_t payload_len);

#endif
