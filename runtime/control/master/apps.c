/*
 * apps.c: the life of applications on the master.
 *
 * A live application has a place (struct app_place): the worker below its appmaster, the
 * appmaster's connection, one timer that is a deadline, first to register, later to stop. Slots are
 * booked before the worker is asked and given back when it refuses, when the appmaster releases
 * them, and all at the end. The end is always apps_end(): state, slots, place, whoever waits.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"

static const int64_t kill_wait_ns = STOP_TIMEOUT_NS + ASK_TIMEOUT_NS;

struct app_place *apps_place(struct master *m, uint32_t app)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        if (m->places[i].app == app) {
            return &m->places[i];
        }
    }
    return NULL;
}

static void place_free(struct app_place *place)
{
    timer_free(place->deadline);
    *place = (struct app_place){0};
}

void apps_deinit(struct master *m)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        place_free(&m->places[i]);
    }
}

static int apply(struct master *m, const struct command *command, struct app **ret_app,
                 struct gp_error *err)
{
    struct command full = *command;
    int rc;

    full.wall_ms = master_wall_ms(m);
    rc = registry_apply(&m->registry, &full, ret_app, err);
    if (rc >= 0) {
        waiters_notify(m, *ret_app);
    }
    return rc;
}

/* ---- the end ---- */

/* Whatever still runs of the application on this worker must go. The answer does not matter: losing
 * the worker does it too. */
static void stop_processes(struct master *m, const struct app *app, uint32_t worker)
{
    const struct worker_entry *entry = workers_find(&m->workers, worker);
    struct peer *peer = entry ? endpoint_peer(m->ep, entry->peer) : NULL;
    struct msg_grant_revoke revoke = {.app = app->id, .epoch = app->epoch};

    if (peer) {
        (void)peer_tell(peer, MSG_GRANT_REVOKE, &revoke);
    }
}

static void apps_end_with(struct master *m, uint32_t id, uint32_t state, const char *error,
                          const struct value *live)
{
    struct command command = {
        .op = COMMAND_STATE, .app = id, .state = state, .error = error, .live = live};
    struct app_place *place = apps_place(m, id);
    struct app *app = registry_find(&m->registry, id);

    if (!app || app_state_is_end(app->state)) {
        return;
    }
    for (uint32_t i = 0; i < m->workers.grant_count; i++) {
        if (m->workers.grants[i].app == id) {
            stop_processes(m, app, m->workers.grants[i].worker);
        }
    }
    workers_release_app(&m->workers, id);
    if (place) {
        app->last_worker = place->worker;
        app->last_pid = place->pid;
        place_free(place);
    }
    if (apply(m, &command, &app, NULL) < 0) {
        return; /* no memory for the text: the state comes without it */
    }
    switch (state) {
    case APP_FINISHED:
        LOG_INFO(master_log(m), "app.finished", KV_U64("app", id), KV_STR("name", app->spec.name));
        break;
    case APP_KILLED:
        LOG_INFO(master_log(m), "app.killed", KV_U64("app", id), KV_STR("name", app->spec.name));
        break;
    default:
        LOG_WARN(master_log(m), "app.failed", KV_U64("app", id), KV_STR("name", app->spec.name),
                 KV_STR("error", app->error));
        break;
    }
}

static void apps_end(struct master *m, uint32_t id, uint32_t state, const char *error)
{
    apps_end_with(m, id, state, error, NULL);
}

static void on_deadline(void *user)
{
    struct app_place *place = user;
    struct master *m = place->master;

    if (place->stopping) {
        apps_end(m, place->app, APP_KILLED, NULL);
    } else {
        apps_end(m, place->app, APP_FAILED, "its appmaster did not register in time");
    }
}

/* ---- launch ---- */

struct launching {
    struct pending pending;
    uint32_t app;
    uint32_t worker;
};

static void on_launched(void *user, struct peer *peer, const struct answer *answer)
{
    struct launching *l = user;
    struct master *m = l->pending.master;
    struct app_place *place = apps_place(m, l->app);
    char text[ERROR_TEXT_MAX];

    (void)peer;
    if (place && answer->code < 0) {
        (void)str_format(text, sizeof text, "its appmaster could not be started on worker %u: %s",
                         l->worker, answer->err->text);
        apps_end(m, l->app, APP_FAILED, text);
    } else if (place) {
        place->pid = ((const struct msg_launched *)answer->msg)->pid;
    }
    pending_free(l);
}

static void on_offered(void *user, struct peer *peer, const struct answer *answer)
{
    struct launching *l = user;
    struct master *m = l->pending.master;
    struct app *app = registry_find(&m->registry, l->app);
    char *masters[] = {m->address};
    struct msg_appmaster_launch launch;

    if (!app || !apps_place(m, l->app) || answer->code < 0) {
        on_launched(user, peer, answer);
        return;
    }
    launch = (struct msg_appmaster_launch){.app = app->id,
                                           .epoch = app->epoch,
                                           .name = app->spec.name,
                                           .sha256 = app->spec.sha256,
                                           .token = app->token,
                                           .masters = masters,
                                           .masters_count = 1};
    if (peer_ask(peer, MSG_APPMASTER_LAUNCH, &launch, START_TIMEOUT_NS, 0, on_launched, l) < 0) {
        apps_end(m, l->app, APP_FAILED, "the worker of its appmaster was lost");
        pending_free(l);
    }
}

int apps_offer(struct master *m, const struct app *app, const struct worker_entry *entry,
               uint32_t slots, answer_fn fn, void *user)
{
    struct peer *peer = endpoint_peer(m->ep, entry->peer);
    char *masters[] = {m->address};
    struct msg_grant_offer grant = {.app = app->id,
                                    .epoch = app->epoch,
                                    .token = (char *)(uintptr_t)app->token,
                                    .slots = slots,
                                    .sha256 = app->spec.sha256,
                                    .masters = masters,
                                    .masters_count = 1};

    return peer ? peer_ask(peer, MSG_GRANT_OFFER, &grant, ASK_TIMEOUT_NS, 0, fn, user) : GP_ECLOSED;
}

static int place_new(struct master *m, uint32_t app, uint32_t worker, struct app_place **ret)
{
    struct app_place *place = apps_place(m, 0);
    int rc;

    if (!place) {
        return GP_EFULL;
    }
    rc = timer_new(m->port->loop, on_deadline, place, &place->deadline);
    if (rc < 0) {
        return rc;
    }
    place->master = m;
    place->app = app;
    place->worker = worker;
    timer_start(place->deadline, m->start_timeout_ns);
    *ret = place;
    return 0;
}

/* Puts the appmaster of a new application on a worker. */
static int start(struct master *m, struct app *app, const struct worker_entry *entry,
                 struct gp_error *err)
{
    struct command epoch = {.op = COMMAND_EPOCH, .app = app->id};
    struct command state = {.op = COMMAND_STATE, .app = app->id, .state = APP_STARTING};
    struct launching *l = pending_new(m, sizeof *l);
    struct app_place *place = NULL;
    int rc = l ? place_new(m, app->id, entry->id, &place) : GP_ENOMEM;

    if (rc >= 0) {
        rc = workers_grant(&m->workers, app->id, entry->id, 1);
    }
    if (rc >= 0) {
        rc = apply(m, &epoch, &app, err);
    }
    if (rc >= 0) {
        rc = apply(m, &state, &app, err);
    }
    if (rc >= 0) {
        l->app = app->id;
        l->worker = entry->id;
        rc = apps_offer(m, app, entry, 1, on_offered, l);
    }
    if (rc < 0) {
        pending_free(l);
        return gp_error_set(err, rc, "starting application %u: %s", app->id, error_sentence(rc));
    }
    return 0;
}

/* What can be known to be wrong before anything is registered. */
static int submit_check(struct master *m, struct msg_app_submit *submit,
                        struct worker_entry **ret_worker, struct gp_error *err)
{
    struct scheduler_worker list[WORKERS_MAX];
    const struct scheduler_worker *pick;
    struct gp_note note;
    int rc = uploads_inspect(m, gp_str_of(submit->sha256), &note, err);

    if (rc < 0) {
        return rc;
    }
    if (!(note.flags & GP_NOTE_APP)) {
        (void)gp_error_set(err, GP_EABI, "'%s' is a plugin without an application in it",
                           note.name);
        gp_error_hint(err, "define it with GP_APP(...) and a build function to submit it");
        return GP_EABI;
    }
    if (submit->name[0] == '\0') {
        free(submit->name);
        submit->name = str_dup(gp_str_of(note.name));
        if (!submit->name) {
            return gp_error_set(err, GP_ENOMEM, "submitting");
        }
    }
    pick = scheduler_pick(list, workers_offer(&m->workers, list));
    if (!pick) {
        (void)gp_error_set(err, GP_EFULL,
                           "no worker has a free slot for the appmaster (%u worker%s)",
                           m->workers.count, m->workers.count == 1 ? "" : "s");
        gp_error_hint(err, "gpctl workers; start more with `gpd worker`, or kill an application");
        return GP_EFULL;
    }
    *ret_worker = workers_find(&m->workers, pick->id);
    return 0;
}

int apps_submit(struct master *m, struct msg_app_submit *submit, struct msg_app_submitted *ret,
                struct gp_error *err)
{
    uint8_t random[(REGISTRY_TOKEN_SIZE - 1) / 2];
    char token[REGISTRY_TOKEN_SIZE];
    struct command command = {.op = COMMAND_SUBMIT, .submit = submit, .token = token};
    struct worker_entry *entry = NULL;
    struct app *app = NULL;
    int rc = submit_check(m, submit, &entry, err);

    if (rc < 0) {
        return rc;
    }
    port_random(m->port, random, sizeof random);
    hex_encode(random, sizeof random, token);
    rc = apply(m, &command, &app, err);
    if (rc < 0) {
        return rc;
    }
    ret->id = app->id;
    if (app->state != APP_SUBMITTED || apps_place(m, app->id)) {
        return 0; /* the client asked twice: this is the application of the first time */
    }
    LOG_INFO(master_log(m), "app.submitted", KV_U64("app", app->id), KV_STR("name", app->spec.name),
             KV_STR("sha256", app->spec.sha256), KV_U64("worker", entry->id));
    rc = start(m, app, entry, err);
    if (rc < 0) {
        apps_end(m, ret->id, APP_FAILED, err->text);
    }
    return rc;
}

/* ---- the appmaster speaks ---- */

struct app *apps_of_peer(struct master *m, struct peer *peer)
{
    const struct address *address = peer_address(peer);

    return address->role == ROLE_APPMASTER ? registry_find(&m->registry, address->app) : NULL;
}

int apps_speaker(struct master *m, struct peer *peer, uint32_t id, uint32_t epoch,
                 struct app **ret_app, struct app_place **ret_place, struct gp_error *err)
{
    struct app *app = apps_of_peer(m, peer);

    if (!app || app->id != id) {
        return gp_error_set(err, GP_EACCES, "not the appmaster of application %u", id);
    }
    if (app->epoch != epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            epoch, id, app->epoch);
    }
    *ret_app = app;
    *ret_place = apps_place(m, id);
    if (!*ret_place) {
        return gp_error_set(err, GP_ESTATE, "application %u is %s", id,
                            app_state_names[app->state]);
    }
    return 0;
}

static void ask_to_stop(struct app_place *place);

int apps_register(struct master *m, struct peer *peer, const struct msg_appmaster_register *msg,
                  struct reply_token token, struct gp_error *err)
{
    struct msg_appmaster_welcome welcome;
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    if (rc < 0) {
        return rc;
    }
    place->peer = peer_id(peer);
    place->pid = msg->pid;
    if (!place->stopping) {
        timer_stop(place->deadline);
    }
    welcome = (struct msg_appmaster_welcome){.name = app->spec.name,
                                             .sha256 = app->spec.sha256,
                                             .config = app->spec.config,
                                             .config_count = app->spec.config_count,
                                             .parallelism = app->spec.parallelism,
                                             .parallelism_count = app->spec.parallelism_count,
                                             .executors = app->spec.executors,
                                             .plan = app->plan,
                                             .placement = app->placement};
    LOG_INFO(master_log(m), "appmaster.registered", KV_U64("app", app->id),
             KV_U64("epoch", app->epoch), KV_STR("address", msg->address));
    rc = endpoint_reply(m->ep, token, &welcome);
    if (place->stopping) {
        ask_to_stop(place);
    }
    return rc;
}

int apps_plan_put(struct master *m, struct peer *peer, const struct msg_plan_put *msg,
                  struct gp_error *err)
{
    struct command command = {.op = COMMAND_PLAN, .app = msg->app, .plan = msg->plan};
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    return rc < 0 ? rc : apply(m, &command, &app, err);
}

int apps_placement_put(struct master *m, struct peer *peer, const struct msg_placement_put *msg,
                       struct gp_error *err)
{
    struct command command = {
        .op = COMMAND_PLACEMENT, .app = msg->app, .placement = msg->placement};
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    return rc < 0 ? rc : apply(m, &command, &app, err);
}

/* ---- news ---- */

static void ended(struct master *m, const struct app_place *place, const struct msg_app_state *msg)
{
    bool killed = place->stopping && msg->state != APP_FINISHED;
    struct value *live = NULL;

    (void)fields_encode(&msg_app_live_fields, &msg->live,
                        &live); /* without memory it is not kept */
    apps_end_with(m, msg->app, killed ? APP_KILLED : msg->state, killed ? NULL : msg->error, live);
    value_free(live);
}

int apps_state(struct master *m, struct peer *peer, const struct msg_app_state *msg,
               struct gp_error *err)
{
    struct command command = {.op = COMMAND_STATE,
                              .app = msg->app,
                              .state = msg->state,
                              .executors = msg->executors,
                              .tasks = msg->tasks};
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    if (rc < 0) {
        return rc;
    }
    if (app_state_is_end(msg->state)) {
        ended(m, place, msg);
        return 0;
    }
    rc = apply(m, &command, &app, err);
    if (rc >= 0 && msg->state == APP_RUNNING) {
        LOG_INFO(master_log(m), "app.started", KV_U64("app", app->id),
                 KV_STR("name", app->spec.name), KV_U64("executors", app->executors),
                 KV_U64("tasks", app->tasks));
    }
    return rc;
}

void apps_process_exited(struct master *m, const struct msg_process_exited *msg)
{
    const struct app *app = registry_find(&m->registry, msg->app);
    const struct app_place *place = apps_place(m, msg->app);
    char text[ERROR_TEXT_MAX];

    if (!app || !place || msg->executor != 0 || msg->epoch != app->epoch) {
        return; /* executors are their appmaster's business */
    }
    if (msg->signal != 0) {
        (void)str_format(text, sizeof text, "its appmaster crashed: %s",
                         msg->crash[0] ? msg->crash : "killed by a signal");
    } else {
        (void)str_format(text, sizeof text, "its appmaster ended with exit code %lld",
                         (long long)msg->code);
    }
    apps_end(m, app->id, place->stopping ? APP_KILLED : APP_FAILED, place->stopping ? NULL : text);
}

/* The appmaster's connection broke: if its process is gone the worker says how; if not, its
 * deadline runs. */
void apps_peer_down(struct master *m, uint64_t peer, const struct gp_error *why)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];
        if (place->app != 0 && place->peer == peer) {
            LOG_WARN(master_log(m), "appmaster.lost", KV_U64("app", place->app),
                     KV_STR("why", why->text));
            place->peer = 0;
            if (!place->stopping) {
                timer_start(place->deadline, ASK_TIMEOUT_NS);
            }
        }
    }
}

void apps_worker_down(struct master *m, uint32_t worker, const char *name)
{
    char text[ERROR_TEXT_MAX];

    (void)str_format(text, sizeof text, "worker %u (%s), which ran its appmaster, was lost", worker,
                     name);
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];
        if (place->app != 0 && place->worker == worker) {
            apps_end(m, place->app, place->stopping ? APP_KILLED : APP_FAILED,
                     place->stopping ? NULL : text);
        }
    }
}

/* ---- kill ---- */

static void on_stop_answer(void *user, struct peer *peer, const struct answer *answer)
{
    (void)user;
    (void)peer;
    (void)answer; /* app.state or the deadline ends it */
}

static void ask_to_stop(struct app_place *place)
{
    struct peer *peer = place->peer ? endpoint_peer(place->master->ep, place->peer) : NULL;

    if (peer) {
        (void)peer_ask(peer, MSG_APP_STOP, NULL, STOP_TIMEOUT_NS, 0, on_stop_answer, NULL);
    }
}

int apps_kill(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
              struct gp_error *err)
{
    struct msg_app_summary summary;
    struct waiter waiter = {.token = token, .kill = true};
    struct app_place *place;
    struct app *app;
    int rc = registry_lookup(&m->registry, ref->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    place = apps_place(m, app->id);
    if (!place) {
        app_summary(app, &summary); /* killing what has ended is done already */
        return endpoint_reply(m->ep, token, &summary);
    }
    waiter.app = app->id;
    waiter.deadline_ns = loop_now_ns(m->port->loop) + kill_wait_ns;
    rc = waiters_add(m, &waiter, err);
    if (rc >= 0 && !place->stopping) {
        place->stopping = true;
        timer_start(place->deadline, STOP_TIMEOUT_NS);
        ask_to_stop(place);
    }
    return rc;
}
