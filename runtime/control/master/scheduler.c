/* scheduler.c: see scheduler.h. */
#include "control/master/scheduler.h"

#include <stdlib.h>

#include "base/assert.h"

/* Least used first; among equals the one with more room, then the older. */
static int compare(const void *a, const void *b)
{
    const struct scheduler_worker *x = a;
    const struct scheduler_worker *y = b;

    if (x->used != y->used) {
        return x->used < y->used ? -1 : 1;
    }
    if (x->free != y->free) {
        return x->free > y->free ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

static uint32_t workers_with_room(const struct scheduler_worker *workers, uint32_t count,
                                  uint64_t *ret_free)
{
    uint32_t with_room = 0;
    uint64_t free_slots = 0;

    for (uint32_t i = 0; i < count; i++) {
        with_room += workers[i].free > 0;
        free_slots += workers[i].free;
    }
    *ret_free = free_slots;
    return with_room;
}

uint32_t scheduler_executors_default(const struct scheduler_worker *workers, uint32_t count,
                                     uint32_t slots)
{
    uint64_t free_slots;
    uint32_t with_room = workers_with_room(workers, count, &free_slots);

    return with_room < slots ? with_room : slots;
}

/* Puts workers that take part in front: with room, least used first. */
static void order(struct scheduler_worker *workers, uint32_t count)
{
    uint32_t front = 0;

    for (uint32_t i = 0; i < count; i++) {
        workers[i].granted = 0;
        if (workers[i].free > 0) {
            struct scheduler_worker swap = workers[front];
            workers[front++] = workers[i];
            workers[i] = swap;
        }
    }
    qsort(workers, front, sizeof *workers, compare);
}

int scheduler_spread(struct scheduler_worker *workers, uint32_t count, uint32_t slots,
                     uint32_t executors, struct gp_error *err)
{
    uint64_t free_slots;
    uint64_t room = 0;
    uint32_t with_room = workers_with_room(workers, count, &free_slots);
    uint32_t used = executors < with_room ? executors : with_room;
    uint32_t left = slots;

    ASSERT(slots > 0 && executors > 0);
    if (free_slots < slots) {
        return gp_error_set(err, GP_EFULL, "not enough slots: %u needed, %llu free on %u worker%s",
                            slots, (unsigned long long)free_slots, count, count == 1 ? "" : "s");
    }
    if (executors > with_room && slots > with_room) {
        return gp_error_set(
            err, GP_EFULL,
            "not enough workers: %u executors need one each, %u of %u have a free slot", executors,
            with_room, count);
    }
    order(workers, count);
    used = used < slots ? used : slots;
    for (uint32_t i = 0; i < used; i++) {
        room += workers[i].free;
    }
    while (room <
           slots) { /* the emptiest are too small: one more executor is better than a refusal */
        ASSERT(used < with_room);
        room += workers[used++].free;
    }
    /* Even shares; what one cannot hold goes to the next. Each round gives every executor with room
     * at least one slot. */
    for (uint32_t open = used; left > 0;) {
        uint32_t share = left / open > 0 ? left / open : 1;
        open = 0;
        for (uint32_t i = 0; i < used; i++) {
            uint32_t room_here = workers[i].free - workers[i].granted;
            uint32_t give = share < room_here ? share : room_here;
            give = give < left ? give : left;
            workers[i].granted += give;
            left -= give;
            open += workers[i].free > workers[i].granted;
        }
        ASSERT(left == 0 || open > 0);
    }
    return 0;
}

struct scheduler_worker *scheduler_pick(struct scheduler_worker *workers, uint32_t count)
{
    struct scheduler_worker *best = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (workers[i].free > 0 && (!best || compare(&workers[i], best) < 0)) {
            best = &workers[i];
        }
    }
    return best;
}
