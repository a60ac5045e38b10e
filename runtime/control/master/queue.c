/*
 * queue.c: applications that wait for slots, and who gets them first.
 *
 *     WAITING ─ fits, nobody is before it ─▶ its appmaster starts, its room is kept ─▶ it asks: granted
 *        ▲                                                  │
 *        └──────── sent away: it does not fit (any more) ◀──┘
 *
 *   - Who had tasks before (it recovers) comes before those that begin, and is never sent away: they
 *     begin when it has what it lost, or cannot have it, or has not asked for a while.
 *   - Those that begin come by priority, then by age. One that does not fit holds up those behind it, or
 *     many small ones would starve it; unless it would not even fit into the workers of now if they were
 *     empty, as that may last for ever.
 *   - Who was told to begin keeps its turn until it asks, as its appmaster may be slower than that of one
 *     behind it: so long the others get nothing. But not for ever: its build may take its time.
 *   - How much an application needs is known from its plan on. An appmaster begins without it, in any
 *     slot that is free; if the plan does not fit, it is sent away and begins again (with the plan)
 *     when it does. So who waits holds nothing, and waiting for each other cannot end in a deadlock.
 *   - That it waits is replicated, as its state; why, and behind whom, is worked out anew whenever
 *     something was given back or came, and shown by the leader alone.
 *
 * The queue needs no memory of its own: it is the places that wait (places.c), at most
 * APPS_LIVE_MAX. It is gone through when there may be room: no polling, but for a timer while
 * somebody recovers.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/fit.h"
#include "control/master/internal.h"
#include "graph/plan.h"

/* ---- what it needs ---- */

void queue_forget(struct app_place *place)
{
    for (uint32_t i = 0; i < place->need_places_count; i++) {
        free(place->need_places[i].place);
    }
    free(place->need_places);
    place->need_places = NULL;
    place->need_places_count = 0;
    place->need_slots = 0;
}

static int add_place(struct app_place *place, const struct plan_processor *p)
{
    struct msg_slots_place *grown;

    for (uint32_t i = 0; i < place->need_places_count; i++) {
        if (strcmp(place->need_places[i].place, p->place) == 0) {
            place->need_places[i].slots += p->parallelism;
            return 0;
        }
    }
    grown = realloc(place->need_places, (place->need_places_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    place->need_places = grown;
    grown[place->need_places_count].place = str_dup(gp_str_of(p->place));
    grown[place->need_places_count].slots = p->parallelism;
    return grown[place->need_places_count++].place ? 0 : GP_ENOMEM;
}

/* From its plan, if it has one; need_slots 0: it is not known. */
static void learn(struct app_place *place, const struct app *app)
{
    struct plan *plan = NULL;
    int rc = 0;

    if (place->need_slots > 0 || !app->plan || plan_decode(app->plan, &plan, NULL) < 0) {
        return; /* one that cannot be read its appmaster complains of */
    }
    for (uint32_t i = 0; i < plan->processor_count && rc >= 0; i++) {
        rc = *plan_place(&plan->processors[i]) ? add_place(place, &plan->processors[i]) : 0;
    }
    if (rc < 0) {
        queue_forget(place);
    } else {
        place->need_slots = plan_task_count(plan);
    }
    plan_free(plan);
}

static struct fit_need need_of(const struct app_place *place, const struct app *app)
{
    return (struct fit_need){.slots = place->need_slots,
                             .executors = app->spec.executors,
                             .places = place->need_places,
                             .place_count = place->need_places_count};
}

/* ---- who is before whom ---- */

static uint32_t rank(const struct app *app)
{
    static const uint32_t ranks[] = {
        [PRIORITY_HIGH] = 0, [PRIORITY_NORMAL] = 1, [PRIORITY_LOW] = 2};

    return ranks[app->spec.priority];
}

static bool is_before(const struct app *a, const struct app *b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : a->id < b->id;
}

static int compare(const void *x, const void *y)
{
    const struct app *a = registry_find(&(*(struct app_place *const *)x)->master->registry,
                                        (*(struct app_place *const *)x)->app);
    const struct app *b = registry_find(&(*(struct app_place *const *)y)->master->registry,
                                        (*(struct app_place *const *)y)->app);

    return is_before(a, b) ? -1 : a != b;
}

/* Those that wait to begin (or to go on), in order. */
static uint32_t gather(struct master *m, bool going_on, struct app_place **list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];
        const struct app *app = place->app ? registry_find(&m->registry, place->app) : NULL;
        if (app && place->phase == PLACE_WAITING && !place->is_ending && !place->is_proposing &&
            !app->is_stopping && app_goes_on(app) == going_on) {
            list[count++] = place;
        }
    }
    qsort(list, count, sizeof(struct app_place *), compare);
    return count;
}

/* ---- those that recover ---- */

void queue_trouble(struct app_place *place, int64_t for_ns)
{
    int64_t until_ns = loop_now_ns(place->master->port->loop) + for_ns;

    if (for_ns == 0) {
        if (place->trouble_ns != 0) {
            place->trouble_ns = 0;
            place->want = 0;
            places_seek(place->master);
        }
    } else if (until_ns > place->trouble_ns) {
        place->trouble_ns = until_ns;
    }
}

void queue_wants(struct app_place *place, uint32_t slots)
{
    place->want = slots;
    if (slots > 0) {
        queue_trouble(place, QUEUE_WANT_NS);
    }
}

/* An application that recovers, and gets what is free before anybody begins; 0: none. */
static uint32_t recovering(struct master *m, int64_t *ret_until_ns)
{
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        const struct app_place *place = &m->places[i];
        if (place->app != 0 && place->trouble_ns > now_ns && !place->is_ending) {
            *ret_until_ns = place->trouble_ns;
            return place->app;
        }
    }
    return 0;
}

uint32_t queue_before(const struct app_place *place, const struct app *app)
{
    struct master *m = place->master;
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        const struct app_place *other = &m->places[i];
        const struct app *of = other->app ? registry_find(&m->registry, other->app) : NULL;
        if (of && other->want > 0 && other->trouble_ns > now_ns && rank(of) < rank(app)) {
            return of->id;
        }
    }
    return 0;
}

/* ---- those that have begun ---- */

/* Whoever comes before this one, and has not come to ask for slots, nor are they kept for it; 0:
 * none. */
static uint32_t turn_of(struct master *m, const struct app *app, int64_t *ret_until_ns)
{
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = 0; i < APPS_LIVE_MAX && !app->spec.no_wait; i++) {
        const struct app_place *place = &m->places[i];
        const struct app *of = place->app ? registry_find(&m->registry, place->app) : NULL;
        if (of && of != app && place->turn_ns > now_ns && place->phase != PLACE_WAITING &&
            !place->is_admitted && !place->is_ending && !of->is_stopping && is_before(of, app)) {
            *ret_until_ns = place->turn_ns;
            return of->id;
        }
    }
    return 0;
}

/* ---- saying that it waits ---- */

static void on_noted(struct master *m, void *user, const struct outcome *outcome)
{
    (void)m; /* only for people */
    (void)user;
    (void)outcome;
}

static void note(struct app_place *place, const struct app *app)
{
    struct master *m = place->master;
    struct command command = {.op = COMMAND_STATE,
                              .app = app->id,
                              .epoch = app->epoch,
                              .state = app_goes_on(app) ? app->state : APP_WAITING,
                              .error = place->why,
                              .tasks = place->need_slots};

    if (!place->is_noted && app->state != APP_WAITING) {
        LOG_INFO(master_log(m), "app.waiting", KV_U64("app", app->id), KV_STR("why", place->why));
        (void)master_propose(m, &command, on_noted, NULL, NULL); /* only for people */
    }
    place->is_noted = true;
}

/* The numbers, and who goes before; 0: nobody. */
static void say(struct app_place *place, const struct app *app, const char *numbers,
                const char *relation, uint32_t other)
{
    if (other != 0) {
        (void)str_format(place->why, sizeof place->why, "%s; %s application %u", numbers, relation,
                         other);
    } else {
        (void)str_format(place->why, sizeof place->why, "%s", numbers);
    }
    if (app->spec.no_wait && !app_goes_on(app)) {
        place_end(place, APP_FAILED, place->why);
    } else {
        note(place, app);
    }
}

/* What it needs, what there is, and why that will not do even if nobody else had anything ("": it
 * will). */
static void describe(const struct app_place *place, const struct fit_room *room, const char *never,
                     char *text, size_t cap)
{
    uint32_t workers = 0;
    char drained[32] = "";
    char needs[64] = "its appmaster needs a slot";

    for (uint32_t i = 0; i < room->count; i++) {
        workers += !room->of[i].is_out;
    }
    if (workers < room->count) {
        (void)str_format(drained, sizeof drained, " (%u drained)", room->count - workers);
    }
    if (place->need_slots > 0) {
        (void)str_format(needs, sizeof needs, "%u slots needed", place->need_slots + 1);
    }
    (void)str_format(text, cap, "%s, %u free on %u worker%s%s%s%s", needs, fit_free(room), workers,
                     workers == 1 ? "" : "s", drained, *never ? ", " : "", never);
}

/* ---- going through it ---- */

struct turn {
    struct master *m;
    struct fit_room room; /* that is free, and kept for nobody */
    uint32_t recovers;    /* an application, 0: none */
    uint32_t blocked_by;  /* the same */
    int64_t until_ns;     /* the end of a turn that somebody waits for; 0: nobody does */
};

/* Room for all that it needs, its appmaster included: the index of the worker for that, or GP_EFULL
 * and why. */
static int take(const struct master *m, struct fit_room *room, const struct app_place *place,
                const struct app *app, struct gp_error *err)
{
    struct fit_room trial = *room;
    const struct fit_need need = need_of(place, app);
    int rc = fit_take(&m->workers, &trial, &need, err);
    int at = rc < 0 ? rc : fit_take_one(&m->workers, &trial, place->refused_by);

    if (rc >= 0 && at < 0) {
        return gp_error_set(err, GP_EFULL,
                            "not enough slots: %u needed, with one for the appmaster, %u free",
                            need.slots + 1, fit_free(room));
    }
    if (at >= 0) {
        *room = trial;
    }
    return at;
}

/* Why it would not fit even if nobody else had anything; "": it would. */
static const char *impossible(const struct master *m, const struct app_place *place,
                              const struct app *app, struct gp_error *err)
{
    struct fit_room alone;
    uint32_t all;

    fit_alone(&m->workers, 0, &alone);
    all = fit_free(&alone);
    if (place->need_slots == 0 || take(m, &alone, place, app, err) >= 0) {
        return "";
    }
    return all > place->need_slots ? err->text : "too few even if all were free";
}

static void begin(struct app_place *place, const struct app *app, uint32_t worker)
{
    place->is_admitted = place->need_slots > 0;
    if (place->turn_ns == 0) { /* else it begins again, in the same turn */
        place->turn_ns = loop_now_ns(place->master->port->loop) + QUEUE_TURN_NS;
    }
    place_begin(place, app, worker);
}

static void seek_one(struct turn *t, struct app_place *place)
{
    struct master *m = t->m;
    const struct app *app = registry_find(&m->registry, place->app);
    int64_t until_ns = 0;
    uint32_t other = turn_of(m, app, &until_ns);
    struct gp_error err = {0};
    struct gp_error alone = {0};
    const char *never;
    char text[sizeof place->why];
    int at = GP_EFULL;

    learn(place, app);
    if (t->recovers == 0 && place->need_slots == 0) {
        at = fit_take_one(&m->workers, &t->room, place->refused_by);
    } else if (t->recovers == 0 && t->blocked_by == 0 && other == 0) {
        at = take(m, &t->room, place, app, &err);
    }
    if (at >= 0) {
        begin(place, app, m->workers.entries[at]->id);
        return;
    }
    never = impossible(m, place, app, &alone);
    describe(place, &t->room, never, text, sizeof text);
    if (t->recovers != 0) {
        say(place, app, text, "after the recovery of", t->recovers);
    } else if (t->blocked_by != 0) {
        say(place, app, text, "behind", *never ? 0 : t->blocked_by);
    } else if (other != 0 && place->need_slots > 0) {
        say(place, app, text, "behind", other);
        t->until_ns = t->until_ns == 0 || until_ns < t->until_ns ? until_ns : t->until_ns;
    } else {
        say(place, app, place->need_places_count > 0 && err.code < 0 ? err.text : text, "", 0);
        place->is_blocking = *never == '\0' && place->need_slots > 0;
        t->blocked_by = place->is_blocking ? app->id : 0;
    }
}

/* Room for those whose appmasters have not come to ask for it yet, but for this one. */
static void keep_room(struct master *m, struct fit_room *room, const struct app_place *but)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        const struct app_place *place = &m->places[i];
        if (place->app != 0 && place->is_admitted && place != but) {
            const struct app *app = registry_find(&m->registry, place->app);
            const struct fit_need need = need_of(place, app);
            (void)fit_take(&m->workers, room, &need, NULL); /* or it will wait again */
        }
    }
}

/* One that goes on, if it cannot. */
static void say_stuck(struct app_place *place)
{
    struct fit_room room;
    char text[192];

    if (place->phase == PLACE_WAITING && !place->is_proposing) {
        fit_now(&place->master->workers, &room);
        describe(place, &room, "", text, sizeof text);
        say(place, registry_find(&place->master->registry, place->app), text, "", 0);
    }
}

void places_seek(struct master *m)
{
    struct app_place *list[APPS_LIVE_MAX];
    struct turn t = {.m = m};
    int64_t until_ns = 0;
    uint32_t count = gather(m, true, list);

    for (uint32_t i = 0; i < count; i++) {
        place_go_on(list[i]);
        say_stuck(list[i]);
    }
    count = gather(m, false, list);
    if (count == 0) {
        return;
    }
    fit_now(&m->workers, &t.room);
    keep_room(m, &t.room, NULL);
    t.recovers = recovering(m, &until_ns);
    if (t.recovers != 0) {
        timer_start(m->seek_timer, until_ns - loop_now_ns(m->port->loop));
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i]->is_blocking = false;
        seek_one(&t, list[i]);
    }
    if (t.until_ns != 0) {
        timer_start(m->seek_timer, t.until_ns - loop_now_ns(m->port->loop));
    }
}

void on_seek_timer(void *user)
{
    places_seek(user);
}

/* ---- an appmaster asks ---- */

/* Whoever waits before it, and may have what it waits for; 0: nobody. */
static uint32_t blocked_by(struct master *m, const struct app *app)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        const struct app_place *place = &m->places[i];
        const struct app *of = place->app ? registry_find(&m->registry, place->app) : NULL;
        if (of && place->is_blocking && place->phase == PLACE_WAITING && of != app &&
            is_before(of, app)) {
            return of->id;
        }
    }
    return 0;
}

int queue_check(struct app_place *place, const struct app *app, struct fit_room *room,
                struct gp_error *err)
{
    struct master *m = place->master;
    int64_t until_ns;
    uint32_t other = 0;

    learn(place, app);
    keep_room(m, room, place);
    if (!place->is_admitted) {
        other = recovering(m, &until_ns);
        other = other ? other : blocked_by(m, app);
    }
    if (other != 0) {
        return gp_error_set(err, GP_EFULL, "%u slots needed, %u free; behind application %u",
                            place->need_slots, fit_free(room), other);
    }
    other = place->is_admitted ? 0 : turn_of(m, app, &until_ns);
    return other ? gp_error_set(err, GP_EAGAIN, "it is the turn of application %u", other) : 0;
}

void queue_send_away(struct app_place *place, const struct app *app)
{
    bool was_admitted = place->is_admitted;

    queue_forget(place);
    learn(place, app);
    place_give_back(place, app);
    place->is_moved = true; /* its next life costs nothing */
    place->is_noted = false;
    place->phase = PLACE_WAITING;
    timer_stop(place->timer);
    if (!was_admitted) {
        place->turn_ns = 0;
    } else { /* what fitted does not: not at once again */
        place->phase = PLACE_PAUSED;
        timer_start(place->timer, PLACE_AGAIN_NS);
    }
    places_seek(place->master);
}
