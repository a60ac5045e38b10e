/*
 * What a task said when it left, which reaches its next session by way of other processes: it is
 * refused, or the task comes with it, and goes on.
 *
 * input: a state (move.c, write_state())
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "lone_lane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    for (int i = 0; i < 4; i++) { /* comes, goes, comes again */
        lone_lane_place(&w, gp_bytes_of(data, size));
        lone_lane_take_mark(&w, w.places);
        lone_lane_go(&w);
    }
    lone_lane_end(&w);
    return 0;
}
