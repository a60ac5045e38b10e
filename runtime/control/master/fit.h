/*
 * fit.h: whether what an application needs fits into what is free. Pure.
 *
 * Some of its slots may have to be on certain workers (graph/place.h); these are spread first,
 * workers by name before those with a label, then the rest over all (scheduler.h).
 */
#ifndef CONTROL_MASTER_FIT_H
#define CONTROL_MASTER_FIT_H

#include "control/master/workers.h"
#include "wire/messages.h"

/* What an application needs for all of its tasks, or for some. Borrowed. */
struct fit_need {
    uint32_t slots;     /* in all */
    uint32_t executors; /* processes; 0: as many as workers have room */
    const struct msg_slots_place *places;
    uint32_t place_count;
};

/* Slots of each worker, by its index in workers.entries. */
struct fit_room {
    uint32_t count;
    struct fit_slots {
        uint32_t free;
        uint32_t used;
        uint32_t granted; /* by the latest fit_take() */
        bool is_out;      /* it takes nothing */
    } of[WORKERS_MAX];
};

/* What is free now. */
void fit_now(const struct workers *w, struct fit_room *ret);

/* What would be free if nobody but this application (0: nobody at all) had anything. */
void fit_alone(const struct workers *w, uint32_t app, struct fit_room *ret);

/* Takes what is needed. GP_EFULL with the numbers: it does not fit, and nothing is taken. */
int fit_take(const struct workers *w, struct fit_room *room, const struct fit_need *need,
             struct gp_error *err);

/* Takes one slot for an appmaster, on the emptiest worker, but on `last` (an id) only if there is
 * no other: its index, or GP_EFULL. */
int fit_take_one(const struct workers *w, struct fit_room *room, uint32_t last);

/* Sum of what is free. */
uint32_t fit_free(const struct fit_room *room);

#endif
