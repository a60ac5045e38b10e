/*
 * apps.c: what clients and appmasters want of applications: submit, kill, register, plan,
 * placement, state. Each checks, proposes a command, and answers when that is applied; where
 * appmasters are and when they start is in places.c.
 *
 * A client that got no answer asks again, maybe of another master: each of these is harmless twice.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"

static const int64_t kill_wait_ns = STOP_TIMEOUT_NS + ASK_TIMEOUT_NS;

/* ---- submit ---- */

struct submitting {
    struct pending pending;
    struct reply_token token;
    struct msg_app_submit submit;
};

static void submitting_deinit(void *pending)
{
    fields_deinit(&msg_app_submit_fields, &((struct submitting *)pending)->submit);
}

static void on_submitted(struct master *m, void *user, const struct outcome *outcome)
{
    struct submitting *s = user;
    struct msg_app_submitted submitted = {0};
    struct app_place *place;
    const struct app *app = outcome->app;

    if (outcome->code < 0) {
        (void)endpoint_reply_error(m->ep, s->token, outcome->err);
        pending_free(s);
        return;
    }
    submitted.id = app->id;
    (void)endpoint_reply(m->ep, s->token, &submitted);
    pending_free(s);
    if (app_state_is_end(app->state) || apps_place(m, app->id)) {
        return; /* the client asked twice: this is the application of the first time */
    }
    LOG_INFO(master_log(m), "app.submitted", KV_U64("app", app->id), KV_STR("name", app->spec.name),
             KV_STR("sha256", app->spec.sha256));
    if (places_open(m, app->id, &place) < 0) {
        LOG_ERROR(master_log(m), "app.stuck", KV_U64("app", app->id), KV_CODE("code", GP_ENOMEM));
        return;
    }
    places_seek(m);
}

/* What can be known to be wrong before anything is registered. */
static int submit_check(struct master *m, struct msg_app_submit *submit, struct gp_error *err)
{
    struct gp_note note;
    int rc = artefacts_note(&m->artefacts, gp_str_of(submit->sha256), &note, err);

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
    return 0;
}

static void submitting_fail(struct submitting *s, const struct gp_error *err)
{
    struct master *m = s->pending.master;
    struct gp_error told = *err;

    (void)room_give_way(m, told.code, &told);
    (void)endpoint_reply_error(m->ep, s->token, &told);
    pending_free(s);
}

/* Its artefact is where it must be: now it may be said that the application exists. */
static void on_spread(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct submitting *s = user;
    uint8_t random[(REGISTRY_TOKEN_SIZE - 1) / 2];
    char key[REGISTRY_TOKEN_SIZE];
    struct command command = {.op = COMMAND_SUBMIT, .submit = &s->submit, .token = key};
    struct gp_error own;

    if (code < 0) {
        submitting_fail(s, err);
        return;
    }
    port_random(m->port, random, sizeof random);
    hex_encode(random, sizeof random, key);
    if (master_propose(m, &command, on_submitted, s, &own) < 0) {
        submitting_fail(s, &own);
    }
    secret_wipe(key, sizeof key);
}

/* The artefact is here. */
static void on_here(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct submitting *s = user;
    struct gp_error own;

    if (code >= 0 && (submit_check(m, &s->submit, &own) < 0 ||
                      copies_spread(m, s->submit.sha256, on_spread, s, &own) < 0)) {
        code = own.code;
        err = &own;
    }
    if (code < 0) {
        submitting_fail(s, err);
    }
}

int apps_submit(struct master *m, struct msg_app_submit *submit, struct reply_token token,
                struct gp_error *err)
{
    const struct app *known = registry_request(&m->registry, submit->request_id);
    char path[ARTEFACT_PATH_MAX];
    struct submitting *s;
    int rc;

    if (known && strcmp(known->spec.sha256, submit->sha256) != 0) {
        return gp_error_set(err, GP_EEXIST,
                            "request id '%s' stands for application %u, of another file",
                            submit->request_id, known->id);
    }
    if (known) {
        return endpoint_reply(m->ep, token, &(struct msg_app_submitted){.id = known->id});
    }
    s = pending_new(m, sizeof *s);
    if (!s) {
        return gp_error_set(err, GP_ENOMEM, "submitting");
    }
    s->pending.deinit = submitting_deinit;
    s->token = token;
    s->submit = *submit;
    *submit = (struct msg_app_submit){0};
    if (artefacts_find(&m->artefacts, gp_str_of(s->submit.sha256), path, sizeof path)) {
        on_here(m, s, 0, NULL);
        return 0;
    }
    rc = copies_pull(m, s->submit.sha256, NULL, on_here, s, err); /* uploaded to another master */
    if (rc < 0) {
        pending_free(s);
    }
    return rc;
}

/* ---- kill ---- */

struct killing {
    struct pending pending;
    struct reply_token token;
};

static int answer_summary(struct master *m, const struct app *app, struct reply_token token)
{
    struct msg_app_summary summary;

    app_summary(m, app, &summary);
    return endpoint_reply(m->ep, token, &summary);
}

static void on_killed(struct master *m, void *user, const struct outcome *outcome)
{
    struct killing *k = user;
    struct waiter waiter = {.token = k->token, .kill = true};
    struct app_place *place = outcome->app ? apps_place(m, outcome->app->id) : NULL;
    struct gp_error err;

    if (outcome->code < 0) {
        (void)endpoint_reply_error(m->ep, k->token, outcome->err);
    } else if (!place) {
        (void)answer_summary(m, outcome->app, k->token); /* it ended meanwhile */
    } else {
        waiter.app = place->app;
        waiter.deadline_ns = loop_now_ns(m->port->loop) + kill_wait_ns;
        if (waiters_add(m, &waiter, &err) < 0) {
            (void)endpoint_reply_error(m->ep, k->token, &err);
        }
        places_stop(place);
    }
    pending_free(k);
}

int apps_kill(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
              struct gp_error *err)
{
    struct command command = {.op = COMMAND_KILL};
    struct killing *k;
    struct app *app;
    int rc = registry_lookup(&m->registry, ref->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    if (app_state_is_end(app->state)) {
        return answer_summary(m, app, token); /* killing what has ended is done already */
    }
    k = pending_new(m, sizeof *k);
    if (!k) {
        return gp_error_set(err, GP_ENOMEM, "killing");
    }
    k->token = token;
    command.app = app->id;
    rc = master_propose(m, &command, on_killed, k, err);
    if (rc < 0) {
        pending_free(k);
    }
    return rc;
}

/* ---- the appmaster speaks ---- */

int apps_speaker(struct master *m, struct peer *peer, uint32_t id, uint32_t epoch,
                 struct app **ret_app, struct app_place **ret_place, struct gp_error *err)
{
    const struct address *address = peer_address(peer);
    struct app *app =
        address->role == ROLE_APPMASTER ? registry_find(&m->registry, address->app) : NULL;

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

/* An application may have a budget of its own. */
void apps_budget(const struct master *m, const struct app *app, struct budget *ret)
{
    uint64_t max = m->restarts;

    for (uint32_t i = 0; i < app->spec.config_count; i++) {
        if (strcmp(app->spec.config[i].key, "recovery.restarts") == 0) {
            (void)str_to_u64(gp_str_of(app->spec.config[i].value), &max);
        }
    }
    budget_init(ret, max < MSG_RESTARTS_MAX ? (uint32_t)max : MSG_RESTARTS_MAX,
                m->restarts_window_ms, app->restarts, app->restarts_count, master_wall_ms(m));
}

int apps_register(struct master *m, struct peer *peer, const struct msg_appmaster_register *msg,
                  struct reply_token token, struct gp_error *err)
{
    struct msg_appmaster_welcome welcome;
    struct budget budget;
    struct app_place *place;
    bool is_planned;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    if (rc < 0) {
        return rc;
    }
    if (place->phase == PLACE_WAITING || place->phase == PLACE_PAUSED) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over", msg->epoch,
                            app->id); /* it was given up a moment ago, the next one will come */
    }
    is_planned = place->is_moved;
    places_registered(place, peer_id(peer), msg);
    if (app->state == APP_RUNNING) {
        queue_trouble(place, 0); /* or it says so now */
    }
    apps_budget(m, app, &budget);
    welcome = (struct msg_appmaster_welcome){.name = app->spec.name,
                                             .sha256 = app->spec.sha256,
                                             .config = app->spec.config,
                                             .config_count = app->spec.config_count,
                                             .parallelism = app->spec.parallelism,
                                             .parallelism_count = app->spec.parallelism_count,
                                             .executors = app->spec.executors,
                                             .plan = app->plan,
                                             .placement = app->placement,
                                             .is_planned = is_planned,
                                             .restarts_max = budget.max,
                                             .restart_window_ms = budget.window_ms,
                                             .restarts = budget.drawn,
                                             .restarts_count = budget.count,
                                             .places = app->spec.places,
                                             .places_count = app->spec.places_count};
    LOG_INFO(master_log(m), "appmaster.registered", KV_U64("app", app->id),
             KV_U64("epoch", app->epoch), KV_STR("address", msg->address));
    rc = endpoint_reply(m->ep, token, &welcome);
    drain_registered(place);
    if (app->is_stopping) {
        places_stop(place);
    }
    return rc;
}

int apps_plan_put(struct master *m, struct peer *peer, const struct msg_plan_put *msg,
                  struct reply_token token, struct gp_error *err)
{
    struct command command = {
        .op = COMMAND_PLAN, .app = msg->app, .epoch = msg->epoch, .tree = msg->plan};
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    return rc < 0 ? rc : master_propose_for(m, &command, token, err);
}

int apps_placement_put(struct master *m, struct peer *peer, const struct msg_placement_put *msg,
                       struct reply_token token, struct gp_error *err)
{
    struct command command = {.op = COMMAND_PLACEMENT,
                              .app = msg->app,
                              .epoch = msg->epoch,
                              .tree = msg->placement,
                              .restarts = msg->restarts,
                              .restarts_count = msg->restarts_count};
    struct app_place *place;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    return rc < 0 ? rc : master_propose_for(m, &command, token, err);
}

/* ---- news ---- */

static int propose_end(struct master *m, const struct app *app, const struct app_place *place,
                       const struct msg_app_state *msg, struct reply_token token,
                       struct gp_error *err)
{
    bool killed = app->is_stopping && msg->state != APP_FINISHED;
    struct value *live = NULL;
    struct command command = {.op = COMMAND_STATE,
                              .app = msg->app,
                              .epoch = msg->epoch,
                              .state = killed ? APP_KILLED : msg->state,
                              .error = killed ? NULL : msg->error,
                              .executors = msg->executors,
                              .tasks = msg->tasks,
                              .pid = place->pid};
    int rc;

    (void)fields_encode(&msg_app_live_fields, &msg->live,
                        &live); /* without memory it is not kept */
    command.tree = live;
    rc = master_propose_for(m, &command, token, err);
    if (rc == GP_ETOOBIG) {
        command.tree = NULL; /* nice to have */
        rc = master_propose_for(m, &command, token, err);
    }
    value_free(live);
    return rc;
}

int apps_state(struct master *m, struct peer *peer, const struct msg_app_state *msg,
               struct reply_token token, struct gp_error *err)
{
    struct command command = {.op = COMMAND_STATE,
                              .app = msg->app,
                              .epoch = msg->epoch,
                              .state = msg->state,
                              .error = "",
                              .executors = msg->executors,
                              .tasks = msg->tasks};
    struct app_place *place;
    struct app *app = NULL;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    if (rc < 0) {
        return rc;
    }
    if (app_state_is_end(msg->state)) {
        return propose_end(m, app, place, msg, token, err);
    }
    queue_trouble(place, msg->state == APP_RECOVERING ? QUEUE_TROUBLE_NS : 0);
    if (app->state != msg->state && msg->state == APP_RUNNING) {
        LOG_INFO(master_log(m), "app.started", KV_U64("app", app->id),
                 KV_STR("name", app->spec.name), KV_U64("executors", msg->executors),
                 KV_U64("tasks", msg->tasks));
    }
    return master_propose_for(m, &command, token, err);
}

/* ---- an executor asks ---- */

int apps_where(struct master *m, struct peer *peer, const struct msg_app_where *msg,
               struct reply_token token, struct gp_error *err)
{
    const struct address *address = peer_address(peer);
    const struct app *app = registry_find(&m->registry, msg->app);
    struct app_place *place = apps_place(m, msg->app);
    struct msg_app_whereabouts where = {.address = MSG_NO_TEXT};

    if (address->app != msg->app) {
        return gp_error_set(err, GP_EACCES, "not an executor of application %u", msg->app);
    }
    if (!app || app_state_is_end(app->state)) {
        return gp_error_set(err, GP_ENOENT, "application %u is over", msg->app);
    }
    where.epoch = app->epoch;
    if (place && place->peer) {
        where.address = place->address;
    }
    return endpoint_reply(m->ep, token, &where);
}
