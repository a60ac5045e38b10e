/*
 * The header of a frame: encode, decode with every bound, checksum.
 *
 * Invariants: a decoded header has a known version, only known flags, and a length that its type
 * may have; nothing here touches a byte beyond the header but to sum the payload it was given.
 * Failures: GP_EPROTO, GP_ETOOBIG, GP_ECHECKSUM; all mean that the connection cannot go on,
 * because where the next frame begins is not known any more.
 */
#include "wire/frame.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "wire/messages.h"

#define OFFSET_MAGIC       0
#define OFFSET_LENGTH      4
#define OFFSET_TYPE        8
#define OFFSET_VERSION     10
#define OFFSET_FLAGS       11
#define OFFSET_CRC         12
#define OFFSET_CORRELATION 16
#define OFFSET_SEQUENCE    24

_Static_assert(OFFSET_SEQUENCE + 8 == FRAME_HEADER_SIZE, "the header is 32 bytes");
_Static_assert((FRAME_ERROR << FRAME_KIND_SHIFT | FRAME_FLAG_CRC) == FRAME_FLAGS_KNOWN,
               "kind and checksum bit are all the flags");
_Static_assert(FRAME_HEADER_SIZE % 8 == 0, "a payload is as aligned as its frame");

#define TLS_HANDSHAKE 0x16

uint32_t frame_payload_max(uint16_t type)
{
    switch (type) {
    case MSG_BATCH:
    case MSG_CREDIT:
        return FRAME_DATA_MAX;
    default:
        return type < MSG_DATA ? FRAME_GREETING_MAX : FRAME_CONTROL_MAX;
    }
}

void frame_header_encode(const struct frame_header *h, void *ret_bytes)
{
    unsigned char *p = ret_bytes;

    put_u32_le(p + OFFSET_MAGIC, FRAME_MAGIC);
    put_u32_le(p + OFFSET_LENGTH, h->length);
    put_u16_le(p + OFFSET_TYPE, h->type);
    p[OFFSET_VERSION] = FRAME_VERSION;
    p[OFFSET_FLAGS] =
        (unsigned char)((unsigned)h->kind << FRAME_KIND_SHIFT | (h->has_crc ? FRAME_FLAG_CRC : 0));
    put_u32_le(p + OFFSET_CRC, h->has_crc ? h->crc : 0);
    put_u64_le(p + OFFSET_CORRELATION, h->correlation);
    put_u64_le(p + OFFSET_SEQUENCE, h->sequence);
}

/* What a foreign protocol opens with, to tell its user what went wrong. */
static const char *foreign_name(const unsigned char *p)
{
    static const char *const http[] = {"GET ", "POST", "HEAD", "PUT ", "OPTI", "HTTP", "PRI "};

    if (p[0] == TLS_HANDSHAKE && p[1] == 3) {
        return "TLS";
    }
    for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++) {
        if (memcmp(p, http[i], 4) == 0) {
            return "HTTP";
        }
    }
    return NULL;
}

static int refuse_magic(const unsigned char *p, struct gp_error *err)
{
    const char *name = foreign_name(p);

    if (name != NULL) {
        return gp_error_set(err, GP_EPROTO, "this port speaks Gearpump's actor protocol, not %s",
                            name);
    }
    return gp_error_set(err, GP_EPROTO, "not a frame: it begins with %02x %02x %02x %02x", p[0],
                        p[1], p[2], p[3]);
}

int frame_header_decode(const void *bytes, struct frame_header *ret, struct gp_error *err)
{
    const unsigned char *p = bytes;
    const uint32_t length = get_u32_le(p + OFFSET_LENGTH);
    const uint16_t type = get_u16_le(p + OFFSET_TYPE);
    const unsigned char flags = p[OFFSET_FLAGS];
    const uint32_t crc = get_u32_le(p + OFFSET_CRC);

    if (get_u32_le(p + OFFSET_MAGIC) != FRAME_MAGIC) {
        return refuse_magic(p, err);
    }
    if (p[OFFSET_VERSION] != FRAME_VERSION) {
        return gp_error_set(err, GP_EPROTO, "frame of version %u, this is %u", p[OFFSET_VERSION],
                            FRAME_VERSION);
    }
    if ((flags & ~FRAME_FLAGS_KNOWN) != 0 || ((flags & FRAME_FLAG_CRC) == 0 && crc != 0)) {
        return gp_error_set(err, GP_EPROTO, "frame with unknown flags 0x%02x", flags);
    }
    if (length > frame_payload_max(type)) {
        return gp_error_set(err, GP_ETOOBIG, "%s frame of %u bytes, at most %u are allowed",
                            message_type_name(type), length, frame_payload_max(type));
    }
    *ret = (struct frame_header){
        .length = length,
        .type = type,
        .kind = (uint8_t)(flags >> FRAME_KIND_SHIFT),
        .has_crc = (flags & FRAME_FLAG_CRC) != 0,
        .crc = crc,
        .correlation = get_u64_le(p + OFFSET_CORRELATION),
        .sequence = get_u64_le(p + OFFSET_SEQUENCE),
    };
    return 0;
}

/* Of a frame whose header stands at `header` and whose payload is elsewhere. */
static uint32_t frame_crc(const void *header, const void *payload, size_t payload_len)
{
    unsigned char bytes[FRAME_HEADER_SIZE];

    memcpy(bytes, header, sizeof(bytes));
    put_u32_le(bytes + OFFSET_CRC, 0);
    return crc32c(crc32c(0, bytes, sizeof(bytes)), payload, payload_len);
}

void frame_seal(void *frame, size_t payload_len)
{
    unsigned char *p = frame;

    p[OFFSET_FLAGS] |= FRAME_FLAG_CRC;
    put_u32_le(p + OFFSET_CRC, frame_crc(p, p + FRAME_HEADER_SIZE, payload_len));
}

int frame_check(const void *header, const void *payload, size_t payload_len)
{
    const unsigned char *p = header;

    if ((p[OFFSET_FLAGS] & FRAME_FLAG_CRC) == 0) {
        return 0;
    }
    return get_u32_le(p + OFFSET_CRC) == frame_crc(header, payload, payload_len) ? 0 : GP_ECHECKSUM;
}
