/*
 * Messages of masters: what is taken lies within its payload and its bounds, and is written again
 * as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/raft.h"

static void write_entries(const struct raft_frame *frame, struct buf *out)
{
    struct reader r = reader_of(frame->entries);

    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const struct raft_frame_entry entry = raft_frame_entry_next(&r);

        ASSERT(entry.term >= 1 && entry.term <= frame->term);
        ASSERT(entry.bytes.len >= 1 && entry.bytes.len <= RAFT_FRAME_ENTRY_MAX);
        ASSERT(raft_frame_put_entry(&entry, out) == 0);
    }
    ASSERT(reader_finish(&r) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raft_frame frame;
    struct buf out = {0};

    if (raft_frame_decode(gp_bytes_of(data, size), &frame) == 0) {
        ASSERT(frame.term >= 1 && frame.term <= RAFT_FRAME_NUMBER_MAX);
        ASSERT(frame.index + frame.entry_count > frame.index || frame.entry_count == 0);
        ASSERT(raft_frame_encode(&frame, &out) == 0);
        write_entries(&frame, &out);
        ASSERT(buf_len(&out) == size && memcmp(buf_bytes(&out).ptr, data, size) == 0);
    }
    buf_deinit(&out);
    return 0;
}
