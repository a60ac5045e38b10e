/*
 * reach.h: whom an executor cannot reach, by what its lanes say. Pure.
 *
 * A link that is down says so by itself. One that is up and silent may lead to a lane in a long
 * call of user code. But a path that swallows what is sent swallows it for all lanes: so silence
 * counts when no lane hears anything of that executor, and when it was a lane that says so which
 * runs, now. Two executors that both say it have lanes that run and do not hear each other: that is
 * not user code.
 */
#ifndef DATA_REACH_H
#define DATA_REACH_H

#include <stdbool.h>
#include <stdint.h>

enum reach {
    REACH_UNKNOWN, /* it is being made, for a moment */
    REACH_HEARD,
    REACH_SILENT,
    REACH_DOWN,
};

/* Of one lane to another executor. */
struct reach_link {
    uint32_t executor;
    uint32_t reach;
};

struct reach_lane {
    const struct reach_link *links;
    uint32_t count;
    bool is_fresh; /* it has said so just now */
};

/* One more; the same as the one before is not said again. */
void reach_add(struct reach_link *links, uint32_t *count, uint32_t executor, enum reach reach);

/* Which executors cannot be reached, each once; no more than max. Returns how many. */
uint32_t reach_find(const struct reach_lane *lanes, uint32_t lane_count, uint32_t *ret,
                    uint32_t max);

#endif
