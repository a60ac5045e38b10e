/* fit.c: see fit.h. */
#include "control/master/fit.h"

#include "base/str.h"
#include "control/master/scheduler.h"
#include "graph/place.h"

void fit_now(const struct workers *w, struct fit_room *ret)
{
    ret->count = w->count;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct worker_entry *entry = w->entries[i];
        uint32_t slots = entry->is_draining ? 0 : entry->info.slots;
        ret->of[i] = (struct fit_slots){.free = slots > entry->used ? slots - entry->used : 0,
                                        .used = entry->used,
                                        .is_out = entry->is_draining};
    }
}

void fit_alone(const struct workers *w, uint32_t app, struct fit_room *ret)
{
    ret->count = w->count;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct worker_entry *entry = w->entries[i];
        ret->of[i] = (struct fit_slots){.free = entry->is_draining ? 0 : entry->info.slots,
                                        .is_out = entry->is_draining};
    }
    for (uint32_t g = 0; g < w->grant_count && app != 0; g++) {
        for (uint32_t i = 0; i < w->count && w->grants[g].app == app; i++) {
            struct fit_slots *of = &ret->of[i];
            if (w->entries[i]->id == w->grants[g].worker) {
                of->used = w->grants[g].slots;
                of->free -= of->used < of->free ? of->used : of->free;
            }
        }
    }
}

uint32_t fit_free(const struct fit_room *room)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < room->count; i++) {
        sum += room->of[i].free;
    }
    return sum;
}

/* So many on workers of that place. */
static int spread(const struct workers *w, struct fit_room *room, const char *place, uint32_t slots,
                  uint32_t executors, struct gp_error *err)
{
    struct scheduler_worker list[WORKERS_MAX];
    uint32_t count = 0;
    int rc;

    for (uint32_t i = 0; i < room->count; i++) {
        const struct msg_worker_register *info = &w->entries[i]->info;
        if (!room->of[i].is_out &&
            place_takes(place, info->name, info->labels, info->labels_count)) {
            list[count++] = (struct scheduler_worker){
                .id = i, .free = room->of[i].free, .used = room->of[i].used};
        }
    }
    if (*place != '\0' && count == 0) {
        return gp_error_set(err, GP_EFULL, "no worker is %s", place);
    }
    if (executors == 0) {
        executors = scheduler_executors_default(list, count, slots);
    } else if (*place != '\0' && executors > count) {
        executors = count; /* the others are elsewhere */
    }
    rc = scheduler_spread(list, count, slots, executors ? executors : 1, err);
    if (rc < 0 && *place != '\0') {
        gp_error_prefix(err, "%s", place);
    }
    for (uint32_t i = 0; i < count && rc >= 0; i++) {
        struct fit_slots *of = &room->of[list[i].id];
        of->granted += list[i].granted;
        of->used += list[i].granted;
        of->free -= list[i].granted;
    }
    return rc;
}

/* Those of places that begin so. */
static int spread_places(const struct workers *w, struct fit_room *room,
                         const struct fit_need *need, gp_str prefix, uint32_t *left,
                         struct gp_error *err)
{
    int rc = 0;

    for (uint32_t i = 0; i < need->place_count && rc >= 0; i++) {
        const struct msg_slots_place *p = &need->places[i];
        uint32_t slots = p->slots < *left ? p->slots : *left;
        if (slots > 0 && str_starts_with(gp_str_of(p->place), prefix)) {
            rc = spread(w, room, p->place, slots, need->executors, err);
            *left -= slots;
        }
    }
    return rc;
}

int fit_take(const struct workers *w, struct fit_room *room, const struct fit_need *need,
             struct gp_error *err)
{
    struct fit_room trial = *room;
    uint32_t left = need->slots;
    int rc;

    for (uint32_t i = 0; i < trial.count; i++) {
        trial.of[i].granted = 0;
    }
    rc = spread_places(w, &trial, need, GP_STR("worker:"), &left, err);
    if (rc >= 0) {
        rc = spread_places(w, &trial, need, GP_STR("label:"), &left, err);
    }
    if (rc >= 0 && left > 0) {
        rc = spread(w, &trial, "", left, need->executors, err);
    }
    if (rc >= 0) {
        *room = trial;
    }
    return rc < 0 ? rc : 0;
}

int fit_take_one(const struct workers *w, struct fit_room *room, uint32_t last)
{
    struct scheduler_worker list[WORKERS_MAX];
    const struct scheduler_worker *pick;
    uint32_t kept = 0; /* slots of the one that comes last */
    uint32_t at = 0;

    for (uint32_t i = 0; i < room->count; i++) {
        bool is_last = w->entries[i]->id == last;
        list[i] = (struct scheduler_worker){
            .id = i, .free = is_last ? 0 : room->of[i].free, .used = room->of[i].used};
        kept = is_last ? room->of[i].free : kept;
        at = is_last ? i : at;
    }
    pick = scheduler_pick(list, room->count);
    if (!pick && kept == 0) {
        return GP_EFULL;
    }
    at = pick ? pick->id : at;
    room->of[at].free--;
    room->of[at].used++;
    return (int)at;
}
