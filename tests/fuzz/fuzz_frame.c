/*
 * The header of a frame: what is taken is within its bounds and is written again as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char again[FRAME_HEADER_SIZE];
    struct frame_header header;
    struct gp_error err = {0};

    if (size < FRAME_HEADER_SIZE) {
        return 0;
    }
    if (frame_header_decode(data, &header, &err) < 0) {
        ASSERT(err.code < 0 && err.text[0] != '\0');
        return 0;
    }
    ASSERT(header.length <= frame_payload_max(header.type) && header.kind <= FRAME_ERROR);
    frame_header_encode(&header, again);
    ASSERT(memcmp(data, again, sizeof(again)) == 0);
    (void)frame_check(data, data + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
    return 0;
}
