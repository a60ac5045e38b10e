/* reach.c: see reach.h. */
#include "data/reach.h"

#include <stddef.h>

void reach_add(struct reach_link *links, uint32_t *count, uint32_t executor, enum reach reach)
{
    const struct reach_link *last = *count > 0 ? &links[*count - 1] : NULL;

    if (!last || last->executor != executor || last->reach != (uint32_t)reach) {
        links[(*count)++] = (struct reach_link){executor, reach};
    }
}

static bool is_heard(const struct reach_lane *lanes, uint32_t lane_count, uint32_t executor)
{
    for (uint32_t i = 0; i < lane_count; i++) {
        for (uint32_t k = 0; lanes[i].is_fresh && k < lanes[i].count; k++) {
            if (lanes[i].links[k].executor == executor && lanes[i].links[k].reach == REACH_HEARD) {
                return true;
            }
        }
    }
    return false;
}

static bool is_named(const uint32_t *executors, uint32_t count, uint32_t executor)
{
    for (uint32_t i = 0; i < count; i++) {
        if (executors[i] == executor) {
            return true;
        }
    }
    return false;
}

uint32_t reach_find(const struct reach_lane *lanes, uint32_t lane_count, uint32_t *ret,
                    uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < lane_count; i++) {
        for (uint32_t k = 0; k < lanes[i].count && count < max; k++) {
            const struct reach_link *link = &lanes[i].links[k];
            bool is_silent = link->reach == REACH_SILENT && lanes[i].is_fresh;

            if ((link->reach == REACH_DOWN || is_silent) && !is_named(ret, count, link->executor) &&
                (link->reach == REACH_DOWN || !is_heard(lanes, lane_count, link->executor))) {
                ret[count++] = link->executor;
            }
        }
    }
    return count;
}
