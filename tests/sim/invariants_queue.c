/* invariants_queue.c: what must hold of applications that wait for slots. See invariants.h. */
#include "control/master/internal.h"
#include "invariants.h"

static uint32_t rank_of(const struct app *app)
{
    return app->spec.priority == PRIORITY_HIGH ? 0 : app->spec.priority == PRIORITY_LOW ? 2 : 1;
}

static bool waits(const struct app_place *place, const struct app *app)
{
    return place->phase == PLACE_WAITING && place->need_slots > 0 && !place->is_ending &&
           !place->is_proposing && !app->is_stopping && !app_goes_on(app);
}

/* Somebody is about to take slots that others see as free. */
static bool is_busy(const struct master *m, const struct app_place *place)
{
    return place->app != 0 &&
           (place->is_admitted || place->trouble_ns > loop_now_ns(m->port->loop) ||
            (place->phase != PLACE_WAITING && place->turn_ns > loop_now_ns(m->port->loop)));
}

/* Who comes first of those that wait does not wait for what is there. */
void invariants_check_queue(struct invariants *inv, const struct master *m)
{
    const struct app_place *first = NULL;
    const struct app *first_app = NULL;
    uint32_t free = 0;

    for (uint32_t i = 0; i < APPS_LIVE_MAX && m->leads; i++) {
        const struct app_place *place = &m->places[i];
        const struct app *app = place->app ? registry_find(&m->registry, place->app) : NULL;

        if (is_busy(m, place)) {
            return;
        }
        if (app && waits(place, app) &&
            (!first || rank_of(app) < rank_of(first_app) ||
             (rank_of(app) == rank_of(first_app) && app->id < first_app->id))) {
            first = place;
            first_app = app;
        }
    }
    for (uint32_t i = 0; i < m->workers.count; i++) {
        const struct worker_entry *entry = m->workers.entries[i];
        bool has_room = !entry->is_draining && entry->info.slots > entry->used;
        free += has_room ? entry->info.slots - entry->used : 0;
    }
    if (first && first_app->spec.executors == 0 && first->need_places_count == 0 &&
        free > first->need_slots) {
        invariants_broken(inv, "application %u waits for %u slots, and %u are free", first->app,
                          first->need_slots + 1, free);
    }
}
