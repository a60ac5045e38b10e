/*
 * What a neighbour in another process may send to a lane: batches and credit, through the walk over
 * elements, the inboxes and the views that tasks are given. Whatever comes, tasks see only rows
 * that lie within the bytes received, and the lane's books stay balanced.
 *
 * Input: frames, each a byte, a length of two bytes and that many bytes, padded to 8. The byte says
 * what they are: bit 0 credit, else a batch; bit 1 neither, but the state of a task that comes with
 * the next placement. After what ends a connection there is another.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "lone_lane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frames[16];
    uint32_t count = 0;
    struct lone_lane w;

    lone_lane_begin(&w);
    while (size >= 3 && count < 16) {
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        uint8_t kind = data[0] & 3;
        uint8_t *frame;

        data += 3;
        size -= 3;
        len = (len < size ? len : size) & ~(size_t)7;
        frame = aligned_alloc(64, ALIGN_UP(len + 1, (size_t)64)); /* as a read buffer */
        ASSERT(frame != NULL);
        frames[count++] = frame;
        memcpy(frame, data, len);
        data += len;
        size -= len;
        if (kind >= 2) {
            lone_lane_place(&w, gp_bytes_of(frame, len));
        } else if (kind == 1) {
            lone_lane_take_credit(&w, frame, len);
        } else {
            lone_lane_take_batch(&w, frame, len);
        }
        if (w.from->failed) {
            neighbour_lose(w.from);
            w.from->failed = false;
        }
        lone_lane_go(&w);
    }
    lone_lane_end(&w);
    for (uint32_t i = 0; i < count; i++) {
        free(frames[i]);
    }
    return 0;
}
