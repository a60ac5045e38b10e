/*
 * leader.c: what an appmaster tells the master that leads: that it is there, and how its
 * application does.
 *
 * The endpoint finds the leader and sends what waits there (actor/follow.c). While there is none
 * for longer than an ask may take, the same is asked again, for as long as it takes: the
 * application goes on without masters, and one that ends meanwhile must not end in vain. Only a
 * stop from outside ends the telling of an end (appmaster_stop()).
 */
#include "base/str.h"
#include "control/appmaster/internal.h"

#define REGISTER_TIMEOUT_NS ASK_TIMEOUT_NS
#define TELL_TIMEOUT_NS     ASK_TIMEOUT_NS

/* Nobody who leads has answered yet. */
static bool is_lost(const struct answer *answer)
{
    return answer->code == GP_ETIMEOUT || answer->code == GP_ENOTLEADER;
}

/* ---- registering ---- */

static void welcomed(struct appmaster *am, struct msg_appmaster_welcome *welcome)
{
    am->welcome = *welcome;
    *welcome = (struct msg_appmaster_welcome){0};
    LOG_INFO(am_log(am), "appmaster.registered", KV_U64("app", am->options.launch->app),
             KV_STR("name", am->welcome.name));
    budget_init(&am->budget, am->welcome.restarts_max, am->welcome.restart_window_ms,
                am->welcome.restarts, am->welcome.restarts_count, am_wall_ms(am));
    am->is_hold_due = true; /* of an earlier epoch */
    if (am->welcome.plan) {
        planning_resume(am);
    } else {
        am_move(am, AM_LOADING);
    }
}

static void on_welcome(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    if (answer->code == GP_ESTALE) {
        am_stale(am);
    } else if (answer->code < 0 && !peer_is_up(peer)) {
        return; /* the next connection registers */
    } else if (is_lost(answer)) {
        leader_register(am);
    } else if (am->state != AM_REGISTERING) {
        am->is_hold_due = true;
        recovery_changed(am); /* a master that came back, or another that leads now, knows us */
    } else if (answer->code < 0) {
        am_fail(am, answer->code, "the master refused the appmaster: %s", answer->err->text);
    } else {
        welcomed(am, answer->msg);
    }
}

void leader_register(struct appmaster *am)
{
    struct msg_appmaster_register msg = {.app = am->options.launch->app,
                                         .epoch = am_epoch(am),
                                         .address = am->address,
                                         .pid = am->port->ops->self_pid(am->port->world)};

    if (peer_ask(am->master, MSG_APPMASTER_REGISTER, &msg, REGISTER_TIMEOUT_NS, ASK_FOLLOW,
                 on_welcome, am) < 0) {
        LOG_WARN(am_log(am), "appmaster.register_failed");
    }
}

/* ---- how it does ---- */

static void warn_refused(const struct appmaster *am, const struct answer *answer)
{
    LOG_WARN(am_log(am), "appmaster.state_refused", KV_STR("error", answer->err->text));
}

/* Of several that were lost only the last is told again, as it is by then. */
static void on_told(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    (void)peer;
    am->telling--;
    if (am->state != AM_RUNNING && am->state != AM_RECOVERING) {
        return; /* it is past */
    }
    if (answer->code == GP_ESTALE) {
        am_stale(am);
    } else if (is_lost(answer) && am->telling == 0) {
        leader_tell(am);
    } else if (answer->code < 0 && !is_lost(answer)) {
        warn_refused(am, answer);
    }
}

static void on_end_told(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    (void)peer;
    am->telling--;
    if (am->state == AM_ENDED) {
        return;
    }
    if (answer->code == GP_ESTALE) {
        am_stale(am);
    } else if (is_lost(answer)) {
        am->report_lost = true;
        leader_tell(am);
    } else {
        if (answer->code < 0) {
            warn_refused(am, answer);
        }
        am_move(am, AM_ENDED);
    }
}

void leader_tell(struct appmaster *am)
{
    const bool is_end = am->state == AM_REPORTING;
    struct msg_app_state msg = {.app = am->options.launch->app,
                                .epoch = am_epoch(am),
                                .state = is_end                       ? am->end
                                         : am->state == AM_RECOVERING ? APP_RECOVERING
                                                                      : APP_RUNNING,
                                .error = am->failure.text,
                                .executors = record_living(&am->record),
                                .tasks = am->plan ? plan_task_count(am->plan) : 0};
    int rc = is_end ? stats_live(am, &msg.live) : 0;

    if (rc >= 0) {
        rc = peer_ask(am->master, MSG_APP_STATE, &msg, TELL_TIMEOUT_NS, ASK_RETRY,
                      is_end ? on_end_told : on_told, am);
    }
    fields_deinit(&msg_app_live_fields, &msg.live);
    am->telling += rc >= 0;
    if (rc < 0 && is_end) {
        am_move(am, AM_ENDED); /* the master hears of the exit from our worker */
    }
}
