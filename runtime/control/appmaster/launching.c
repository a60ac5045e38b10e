/*
 * launching.c: slots for executors, and their launch.
 *
 * One request at a time: the first for all tasks, later ones for what a dead executor leaves
 * behind, once its process has ended and its slots are given back (else a full cluster could not
 * replace it). Nothing starts when the first is refused; later ones are repeated, ever more rarely,
 * for as long as it takes: another worker may come.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define AGAIN_MIN_NS       200000000
#define AGAIN_MAX_NS       2000000000
#define COME_TIMEOUT_NS    15000000000 /* from the launch of a replacement to its register, ... */
#define REACH_TIMEOUTS     2 /* ... if its worker is reached within so many failure timeouts */
#define REQUEST_TIMEOUT_NS (2 * ASK_TIMEOUT_NS)

/* Not a fault of what was asked: later, or elsewhere, it may go well. */
static bool is_of_the_moment(int code)
{
    return code == GP_ECLOSED || code == GP_ECANCELED || code == GP_ETIMEOUT ||
           code == GP_EUNREACH || code == GP_EAGAIN || code == GP_ENOTLEADER || code == GP_ENOMEM ||
           code == GP_EIO;
}

/* ---- requests ---- */

/* A dead executor whose tasks wait, and whose slots are free again; NULL: none. */
static const struct record_executor *find_missing(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        const struct record_executor *dead = &am->record.executors[i];
        const struct am_executor *e;
        if (!dead->is_dead || !record_is_wanted(&am->record, dead) ||
            record_slots_missing(&am->record, dead->id) == 0) {
            continue;
        }
        e = executors_find(am, dead->id);
        if (!e || e->is_settled) {
            return dead;
        }
    }
    return NULL;
}

static void wait(struct appmaster *am, int64_t wait_ns)
{
    am->slots_waiting = true;
    timer_start(am->slots_timer, wait_ns);
}

void launching_again(void *user)
{
    struct appmaster *am = user;

    am->slots_waiting = false;
    recovery_changed(am);
}

static void refused(struct appmaster *am, const struct gp_error *err)
{
    struct msg_worker_ref avoid[SHUNNED_MAX];
    uint32_t avoided = unreached_avoid(am, avoid);
    char text[WORDS_MAX];
    int64_t wait_ns = AGAIN_MIN_NS;

    if (err->code == GP_ESTALE) {
        am_stale(am);
        return;
    }
    if (am->slots_on != 0) {
        balance_no_room(am, am->slots_on);
        recovery_changed(am);
        return;
    }
    if (am->slots_for == 0 && !is_of_the_moment(err->code)) {
        am_fail_err(am, err);
        return;
    }
    if (am->slots_refused == 0) {
        (void)str_format(text, sizeof text, "waiting for slots: %s", err->text);
        if (avoided > 0) {
            (void)str_format(text, sizeof text,
                             "waiting for slots: %s (%u worker%s left out for a while, which could "
                             "not be reached, or from which executors could not reach others)",
                             err->text, avoided, avoided == 1 ? " is" : "s are");
        }
        LOG_WARN(am_log(am), "app.waits_for_slots", KV_U64("app", am->options.launch->app),
                 KV_STR("why", err->text));
        record_event_more(&am->record, text, -1);
    }
    for (uint32_t i = 0; i < am->slots_refused && wait_ns < AGAIN_MAX_NS; i++) {
        wait_ns *= 2;
    }
    am->slots_refused++;
    wait(am, wait_ns < AGAIN_MAX_NS ? wait_ns : AGAIN_MAX_NS);
    recovery_changed(am);
}

/* More slots for the executor that is there already. */
static bool grow(struct appmaster *am, const struct msg_grant *grant)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = am->executors[i];
        struct record_executor *known = record_find(&am->record, e->id);
        if (e->worker == grant->worker && e->state != EXECUTOR_GONE && known) {
            e->slots += grant->slots;
            known->slots = e->slots;
            record_touch(&am->record);
            return true;
        }
    }
    return false;
}

static int take_grants(struct appmaster *am, const struct msg_slots_granted *granted)
{
    for (uint32_t i = 0; i < granted->grants_count; i++) {
        uint32_t id;
        int rc;
        balance_took_room(am, granted->grants[i].worker, granted->grants[i].slots);
        if (am->slots_on != 0 && grow(am, &granted->grants[i])) {
            continue;
        }
        rc = record_add(&am->record, &granted->grants[i], am->slots_for, &id);
        if (rc >= 0 && !executors_add(am, record_find(&am->record, id))) {
            rc = GP_ENOMEM;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void on_granted(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;
    const struct msg_slots_granted *granted = answer->msg;
    int rc;

    (void)peer;
    am->slots_asked = false;
    if (am->state >= AM_STOPPING) {
        return; /* the end of the application frees all its slots */
    }
    if (answer->code < 0) {
        am->is_hold_due = true; /* they may have been granted all the same */
        refused(am, answer->err);
        return;
    }
    if (granted->grants_count == 0) {
        am_fail(am, GP_EPROTO, "the master granted nothing");
        return;
    }
    am->slots_refused = 0;
    rc = take_grants(am, granted);
    if (rc < 0) {
        am_fail(am, rc, "adding an executor: %s", error_sentence(rc));
        return;
    }
    recovery_changed(am);
}

static void add_place(struct msg_slots_place *list, uint32_t *count, const char *place,
                      uint32_t slots)
{
    uint32_t at = 0;

    while (at < *count && strcmp(list[at].place, place) != 0) {
        at++;
    }
    list[at].slots = at < *count ? list[at].slots + slots : slots;
    list[at].place = (char *)(uintptr_t)place;
    *count += at == *count;
}

static bool is_taken(const struct appmaster *am, const char *place)
{
    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        const struct record_executor *e = &am->record.executors[i];
        if (!e->is_dead && record_takes(e, place)) {
            return true;
        }
    }
    return false;
}

/* Where tasks must be that wait for slots: those of a dead executor; before the first placement,
 * all for which there is none. */
static uint32_t fill_places(const struct appmaster *am, uint32_t dead, struct msg_slots_place *list)
{
    const struct record *r = &am->record;
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const char *place = plan_place(&am->plan->processors[r->ranges[i].processor]);
        if (r->ranges[i].executor == dead && *place != '\0') {
            add_place(list, &count, place, r->ranges[i].count);
        }
    }
    for (uint32_t p = 0; p < am->plan->processor_count && r->ranges_count == 0; p++) {
        const char *place = plan_place(&am->plan->processors[p]);
        if (*place != '\0' && !is_taken(am, place)) {
            add_place(list, &count, place, am->plan->processors[p].parallelism);
        }
    }
    return count;
}

static void request(struct appmaster *am, uint32_t dead, uint32_t slots, uint32_t executors,
                    uint32_t worker)
{
    struct msg_slots_place places[PLAN_PROCESSORS_MAX];
    struct msg_worker_ref avoid[SHUNNED_MAX];
    struct msg_slots_request msg = {.app = am->options.launch->app,
                                    .epoch = am_epoch(am),
                                    .slots = slots,
                                    .executors = executors,
                                    .worker = worker,
                                    .avoid = avoid,
                                    .avoid_count = unreached_avoid(am, avoid),
                                    .places = places,
                                    .places_count =
                                        worker == 0 ? fill_places(am, dead, places) : 0};
    struct gp_error err;
    int rc;

    am->slots_for = dead;
    am->slots_on = worker;
    rc = peer_ask(am->master, MSG_SLOTS_REQUEST, &msg, REQUEST_TIMEOUT_NS, ASK_FOLLOW, on_granted,
                  am);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "asking for slots: %s", error_sentence(rc));
        refused(am, &err);
        return;
    }
    am->slots_asked = true;
}

/* What we hold no more is not to be granted to others while a later appmaster could still read in
 * the record that it is ours. */
static bool may_say_what_we_hold(const struct appmaster *am)
{
    return !am->slots_asked && am->record_kept >= am->shrunk;
}

/* Whatever else was granted to us is nobody's. Not while an answer is on its way. Without a master
 * it is said in a later step. */
static void say_what_we_hold(struct appmaster *am)
{
    struct msg_grant *grants = calloc(am->executor_count + 1, sizeof *grants);
    struct msg_slots_hold msg = {
        .app = am->options.launch->app, .epoch = am_epoch(am), .grants = grants};

    for (uint32_t i = 0; i < am->executor_count && grants; i++) {
        const struct am_executor *e = am->executors[i];
        if (!e->is_settled) {
            grants[msg.grants_count++] =
                (struct msg_grant){.worker = e->worker,
                                   .name = MSG_NO_TEXT,
                                   .address = MSG_NO_TEXT,
                                   .host = MSG_NO_TEXT,
                                   .slots = e->slots > e->held ? e->slots : e->held};
        }
    }
    if (grants && peer_tell(am->master, MSG_SLOTS_HOLD, &msg) >= 0) {
        am->is_hold_due = false;
        for (uint32_t i = 0; i < am->executor_count; i++) {
            am->executors[i]->is_released = am->executors[i]->is_settled;
        }
    }
    free(grants);
}

void launching_step(struct appmaster *am)
{
    const struct record_executor *dead;
    int64_t now_ns = am_now_ns(am);

    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        am->is_hold_due = am->is_hold_due || (e->is_settled && !e->is_released);
    }
    if (am->is_hold_due && may_say_what_we_hold(am)) {
        say_what_we_hold(am);
    }
    if (am->slots_asked || am->slots_waiting || am->record_kept < am->shrunk) {
        return; /* in a full cluster there is room only after what was given back */
    }
    if (am->record.executors_count >= RECORD_EXECUTORS_MAX) {
        return; /* until one of the dead has been replaced, and forgotten */
    }
    if (am->record.executors_count == 0) {
        request(am, 0, plan_task_count(am->plan), am->welcome.executors, 0);
        return;
    }
    dead = find_missing(am);
    if (dead && now_ns < am->replace_ns) {
        wait(am, am->replace_ns - now_ns);
    } else if (dead) {
        request(am, dead->id, record_slots_missing(&am->record, dead->id), 1, 0);
    }
}

void launching_request_on(struct appmaster *am, uint32_t worker, uint32_t slots)
{
    if (!am->slots_asked && !am->slots_waiting && am->record_kept >= am->shrunk &&
        am->record.executors_count < RECORD_EXECUTORS_MAX) {
        request(am, 0, slots, 1, worker);
    }
}

/* ---- launches ---- */

static void launch_failed(struct am_executor *e, int code, const char *why)
{
    char text[WORDS_MAX];

    (void)str_format(text, sizeof text, "executor %u could not be started on worker %u (%s): %s",
                     e->id, e->worker, e->worker_name, why);
    if (e->am->record.ranges_count == 0 && code != GP_EFULL && !is_of_the_moment(code)) {
        am_fail(e->am, code, "%s", text); /* it would be so anywhere */
    } else {
        executors_lost(e, "lost", text);
    }
}

static void on_launched(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    e->asks--;
    if (e->am->state >= AM_STOPPING || e->state != EXECUTOR_LAUNCHING) {
        return; /* it has registered, or was given up */
    }
    if (answer->code < 0) {
        launch_failed(e, answer->code, answer->err->text);
        return;
    }
    e->pid = ((const struct msg_launched *)answer->msg)->pid;
}

/* For each executor, so that every task whose calls may block has a lane of its own. */
static uint32_t blocking_lanes(const struct appmaster *am)
{
    uint32_t tasks = placement_blocking_tasks(am->plan);
    uint32_t executors = record_living(&am->record);
    uint32_t lanes = (tasks + executors - 1) / executors;

    return lanes < MSG_LANES_MAX / 2 ? lanes : MSG_LANES_MAX / 2; /* beyond, they share */
}

void launching_start(struct am_executor *e)
{
    struct appmaster *am = e->am;
    const struct launch_appmaster *launch = am->options.launch;
    struct msg_plugin_file plugins[PLAN_PLUGINS_MAX];
    struct msg_executor_launch msg = {.app = launch->app,
                                      .epoch = am_epoch(am),
                                      .executor = e->id,
                                      .slots = e->slots,
                                      .blocking = blocking_lanes(am),
                                      .appmaster = am->address,
                                      .plugins = plugins,
                                      .plugins_count = am->plan->plugin_count,
                                      .masters = launch->masters,
                                      .masters_count = launch->masters_count};
    int rc = GP_ENOMEM;

    for (uint32_t i = 0; i < am->plan->plugin_count; i++) {
        const struct plan_plugin *plugin = &am->plan->plugins[i];
        plugins[i] = (struct msg_plugin_file){plugin->name, plugin->sha256, MSG_NO_TEXT};
    }
    e->is_asked = true;
    e->held = e->slots;
    record_find(&am->record, e->id)->launched = e->slots; /* kept with what follows */
    e->host_worker = am_worker_of(am, e->worker, e->worker_address);
    if (e->host_worker) {
        rc = peer_ask(e->host_worker->peer, MSG_EXECUTOR_LAUNCH, &msg, am->options.start_timeout_ns,
                      ASK_RETRY, on_launched, e);
    }
    if (rc < 0) {
        launch_failed(e, rc, error_sentence(rc));
        return;
    }
    e->asks++;
    if (am->state != AM_STARTING) {
        e->come_ns = am_now_ns(am) + COME_TIMEOUT_NS; /* the first time all have a deadline */
        timer_start(e->timer, REACH_TIMEOUTS * am_failure_ns(am));
    }
}
