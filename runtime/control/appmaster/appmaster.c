/*
 * appmaster.c: the node and its drawing (appmaster.h). Each state is entered by am_move(), which
 * begins what the state waits for; answers, messages and timers come back through the functions of
 * planning.c, recovery.c and executors*.c, which move on or fail.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"
#include "port/beat.h"

#define RATE_INTERVAL_NS 1000000000

static const char *const state_names[] = {"registering", "loading",   "building",   "resolving",
                                          "planned",     "starting",  "recovering", "running",
                                          "stopping",    "reporting", "ended"};

#define TO(state) (1u << (state))
#define END       (TO(AM_STOPPING) | TO(AM_ENDED))

static const uint32_t moves[] = {
    [AM_REGISTERING] = TO(AM_LOADING) | TO(AM_STARTING) | TO(AM_RECOVERING) | END,
    [AM_LOADING] = TO(AM_BUILDING) | END,
    [AM_BUILDING] = TO(AM_RESOLVING) | END,
    [AM_RESOLVING] = TO(AM_PLANNED) | END,
    [AM_PLANNED] = TO(AM_STARTING) | END,
    [AM_STARTING] = TO(AM_RUNNING) | END,
    [AM_RECOVERING] = TO(AM_RUNNING) | END,
    [AM_RUNNING] = TO(AM_RECOVERING) | END,
    [AM_STOPPING] = TO(AM_REPORTING) | TO(AM_ENDED),
    [AM_REPORTING] = TO(AM_ENDED),
    [AM_ENDED] = 0,
};

static void on_rate_timer(void *user)
{
    struct appmaster *am = user;

    stats_rate(am);
    (void)timer_start_beat(am->rate_timer, RATE_INTERVAL_NS, FIGURES_PHASE_NS);
}

/* The plan is there: rates can be measured. Without memory there are none. */
static void begin_counting(struct appmaster *am)
{
    if (am->edge_rates) {
        return;
    }
    metrics_begin(am);
    am->edge_rates = calloc(am->plan->edge_count + 1, sizeof *am->edge_rates);
    am->edge_past = calloc((size_t)am->plan->edge_count * EDGE_KINDS + 1, sizeof *am->edge_past);
    am->rated_ns = am_now_ns(am);
    if (am->edge_rates && am->edge_past) {
        stats_resume(am);
        (void)timer_start_beat(am->rate_timer, RATE_INTERVAL_NS, FIGURES_PHASE_NS);
    }
}

static void stop_timers(struct appmaster *am)
{
    timer_stop(am->rate_timer);
    timer_stop(am->step_timer);
    timer_stop(am->record_timer);
    timer_stop(am->states_timer);
    timer_stop(am->slots_timer);
    timer_stop(am->look_timer);
    timer_stop(am->failed_timer);
    timer_stop(am->deadline);
}

void am_move(struct appmaster *am, enum am_state state)
{
    ASSERT(moves[am->state] & TO(state));
    LOG_DEBUG(am_log(am), "appmaster.state", KV_STR("from", state_names[am->state]),
              KV_STR("to", state_names[state]));
    am->state = state;
    switch (state) {
    case AM_REGISTERING:
    case AM_BUILDING:
    case AM_RESOLVING:
        break; /* begun by those who moved here */
    case AM_LOADING:
        planning_load(am);
        break;
    case AM_PLANNED:
        planning_put(am);
        break;
    case AM_STARTING:
        begin_counting(am);
        recovery_changed(am);
        break;
    case AM_RECOVERING:
        timer_stop(am->deadline);
        begin_counting(am);
        leader_tell(am);
        break;
    case AM_RUNNING:
        timer_stop(am->deadline);
        leader_tell(am);
        break;
    case AM_STOPPING:
        stop_timers(am);
        balance_refuse(am);
        timer_start(am->deadline, am->options.stop_timeout_ns);
        executors_stop(am); /* may move on at once */
        break;
    case AM_REPORTING:
        timer_stop(am->deadline);
        if (am->failure.code < 0) {
            LOG_WARN(am_log(am), "appmaster.failed", KV_STR("error", am->failure.text));
        }
        metrics_end(am);
        leader_tell(am);
        break;
    case AM_ENDED:
        stop_timers(am);
        if (am->stop_asked) {
            (void)endpoint_reply(am->ep, am->stop_token, NULL); /* the master may be gone */
        }
        timer_start(am->done_timer, 0);
        break;
    }
}

void am_fail_err(struct appmaster *am, const struct gp_error *err)
{
    if (am->state >= AM_STOPPING) {
        return; /* it ends already, for an earlier reason */
    }
    am->failure = *err;
    am->failure.code = err->code < 0 ? err->code : GP_EINTERNAL;
    am->end = APP_FAILED;
    am_move(am, AM_STOPPING);
}

void am_stale(struct appmaster *am)
{
    if (am->state == AM_ENDED) {
        return;
    }
    LOG_WARN(am_log(am), "appmaster.stale", KV_U64("epoch", am_epoch(am)));
    am->is_stale = true;
    am_move(am, AM_ENDED);
}

void am_fail(struct appmaster *am, int code, const char *fmt, ...)
{
    struct gp_error err = {0};
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)str_vformat(text, sizeof text, fmt, args);
    va_end(args);
    (void)gp_error_set(&err, code, "%s", text);
    am_fail_err(am, &err);
}

/* ---- timers ---- */

static void on_deadline(void *user)
{
    struct appmaster *am = user;
    uint32_t ready = 0;

    if (am->state == AM_STOPPING) {
        executors_stop_hard(am);
        return;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        ready += am->executors[i]->state != EXECUTOR_LAUNCHING;
    }
    am_fail(am, GP_ETIMEOUT, "it did not start in time: still %s, %u of %u executors registered",
            state_names[am->state], ready, am->executor_count);
}

static void on_done_timer(void *user)
{
    struct appmaster *am = user;

    LOG_INFO(am_log(am), "appmaster.ended",
             KV_STR("state", am->is_stale ? "stale" : app_state_names[am->end]));
    am->options.on_done(am->options.user, am->is_stale            ? APPMASTER_EXIT_STALE
                                          : am->end == APP_FAILED ? APPMASTER_EXIT_FAILED
                                                                  : APPMASTER_EXIT_OK);
}

/* ---- connections ---- */

static void on_up(void *user, struct peer *peer)
{
    struct appmaster *am = user;

    if (peer == am->master) {
        leader_register(am);
    }
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct appmaster *am = user;

    if (peer != am->master) {
        executors_peer_down(am, peer, why);
    }
}

static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct appmaster *am = user;

    if (peer != am->master) {
        executors_unreachable(am, peer, why);
    }
}

static int on_query(struct appmaster *am, struct reply_token token, struct gp_error *err)
{
    struct msg_app_live live = {0};
    int rc = stats_live(am, &live);

    if (rc >= 0) {
        rc = endpoint_reply(am->ep, token, &live);
    }
    fields_deinit(&msg_app_live_fields, &live);
    return rc < 0 ? gp_error_set(err, rc, "describing: %s", error_sentence(rc)) : 0;
}

static void stop(struct appmaster *am)
{
    if (am->state < AM_STOPPING) {
        am->end = am->record.is_over ? APP_FINISHED : APP_KILLED;
        am_move(am, AM_STOPPING);
    }
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct appmaster *am = user;

    switch (in->type) {
    case MSG_APP_STOP:
        am->stop_token = in->token;
        am->stop_asked = true;
        stop(am);
        return 0;
    case MSG_APP_QUERY:
        return on_query(am, in->token, err);
    case MSG_APP_REBALANCE:
        return balance_ask(am, in->msg, in->token, err);
    case MSG_PROCESS_EXITED:
        executors_exited(am, in->msg);
        return 0;
    case MSG_EXECUTOR_REGISTER:
        return executors_register(am, peer, in->msg, in->token, err);
    case MSG_EXECUTOR_REPORT:
        executors_report(am, peer, in->msg);
        return 0;
    case MSG_EXECUTOR_STATES:
        executors_states(am, peer, in->msg);
        return 0;
    case MSG_EXECUTOR_FAILED:
        executors_failed(am, peer, in->msg);
        return 0;
    case MSG_EXECUTOR_DONE:
        executors_done(am, peer, in->msg);
        return 0;
    case MSG_EXECUTOR_MOVED:
        return moving_told(am, peer, in->msg, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

static int on_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    const struct appmaster *am = user;

    (void)role;
    (void)name;
    if (!str_eq(key, gp_str_of(am->key))) {
        return gp_error_set(err, GP_EACCES, "no key '%.*s' here: this is %s", STR_ARG(key),
                            am->key);
    }
    ret->len = strlen(am->options.token);
    memcpy(ret->bytes, am->options.token, ret->len);
    return 0;
}

static const struct endpoint_events events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = on_message,
    .on_unreachable = on_unreachable,
    .key_find = on_key_find,
};

/* ---- life ---- */

static int listen_on(struct appmaster *am, struct gp_error *err)
{
    const struct launch_appmaster *launch = am->options.launch;
    struct net_addr bind;
    struct net_addr bound;
    gp_str head;
    gp_str port;
    int rc;

    (void)str_format(bind.text, sizeof bind.text, "%s:0", launch->bind);
    rc = endpoint_listen(am->ep, &bind, &bound, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_cut_last(gp_str_of(bound.text), ':', &head, &port);
    return str_format(am->address, sizeof am->address, "%s:%.*s",
                      launch->advertise[0] ? launch->advertise : launch->bind, STR_ARG(port));
}

static int dial(struct appmaster *am, char *const *addresses, uint32_t count, const char *target,
                struct peer **ret)
{
    struct net_addr addrs[MSG_MASTERS_MAX];
    struct dial_spec spec = {
        .addrs = addrs, .addrs_count = count, .target = target, .key = am->key};

    for (uint32_t i = 0; i < count && i < MSG_MASTERS_MAX; i++) {
        (void)str_format(addrs[i].text, sizeof addrs[i].text, "%s", addresses[i]);
    }
    return endpoint_dial(am->ep, &spec, ret);
}

/* A second connection to the same worker would take the place of the first. */
struct am_worker *am_worker_of(struct appmaster *am, uint32_t id, const char *address)
{
    struct am_worker **grown;
    struct am_worker *w;
    char *addresses[] = {(char *)(uintptr_t)address};
    int rc = 0;

    for (uint32_t i = 0; i < am->worker_count; i++) {
        if (strcmp(am->workers[i]->address, address) == 0) {
            am->workers[i]->id = id;
            return am->workers[i];
        }
    }
    w = calloc(1, sizeof *w);
    grown = realloc(am->workers, (am->worker_count + 1) * sizeof(struct am_worker *));
    am->workers = grown ? grown : am->workers;
    if (w) {
        (void)str_format(w->address, sizeof w->address, "%s", address);
        w->id = id;
        w->peer = am->home;
        if (strcmp(address, am->options.launch->worker) != 0) {
            rc = dial(am, addresses, 1, NULL, &w->peer);
        }
    }
    if (!w || !grown || rc < 0) {
        free(w);
        return NULL;
    }
    am->workers[am->worker_count++] = w;
    return w;
}

int appmaster_new(const struct appmaster_options *options, struct appmaster **ret,
                  struct gp_error *err)
{
    const struct launch_appmaster *launch = options->launch;
    struct appmaster *am = calloc(1, sizeof *am);
    struct endpoint_config config = {.port = options->port,
                                     .role = ROLE_APPMASTER,
                                     .limits = options->limits,
                                     .events = &events,
                                     .user = am};
    char *home[] = {launch->worker};
    int rc;

    if (!am) {
        return gp_error_set(err, GP_ENOMEM, "starting an appmaster");
    }
    am->options = *options;
    am->options.start_timeout_ns =
        options->start_timeout_ns ? options->start_timeout_ns : START_TIMEOUT_NS;
    am->options.stop_timeout_ns =
        options->stop_timeout_ns ? options->stop_timeout_ns : STOP_TIMEOUT_NS / 2;
    am->port = options->port;
    am->end = APP_FINISHED;
    record_init(&am->record);
    (void)str_format(am->key, sizeof am->key, "app/%u", launch->app);
    config.name = am->key;
    rc = strlen(options->token) <= CONN_SECRET_MAX ? 0 : GP_EINVAL;
    rc = rc < 0 ? rc : timer_new(am->port->loop, on_deadline, am, &am->deadline);
    rc = rc < 0 ? rc : timer_new(am->port->loop, on_done_timer, am, &am->done_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, on_rate_timer, am, &am->rate_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, recovery_step, am, &am->step_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, recovery_put_again, am, &am->record_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, recovery_put_states, am, &am->states_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, launching_again, am, &am->slots_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, unreached_look, am, &am->look_timer);
    rc = rc < 0 ? rc : timer_new(am->port->loop, recovery_restart_tasks, am, &am->failed_timer);
    rc = rc < 0 ? rc : endpoint_new(&config, &am->ep);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "starting an appmaster: %s", error_sentence(rc));
        goto cleanup;
    }
    rc = listen_on(am, err);
    if (rc >= 0) {
        timer_start(am->deadline, am->options.start_timeout_ns);
        rc = dial(am, launch->masters, launch->masters_count, "master", &am->master);
        rc = rc < 0 ? rc : dial(am, home, 1, NULL, &am->home);
        if (rc < 0) {
            (void)gp_error_set(err, rc, "reaching master and worker: %s", error_sentence(rc));
        }
    }
cleanup:
    if (rc < 0) {
        appmaster_free(am);
        return rc;
    }
    *ret = am;
    return 0;
}

void appmaster_free(struct appmaster *am)
{
    if (!am) {
        return;
    }
    endpoint_free(am->ep);
    timer_free(am->deadline);
    timer_free(am->done_timer);
    timer_free(am->rate_timer);
    timer_free(am->step_timer);
    timer_free(am->record_timer);
    timer_free(am->states_timer);
    timer_free(am->slots_timer);
    timer_free(am->look_timer);
    timer_free(am->failed_timer);
    executors_deinit(am);
    free(am->edge_rates);
    free(am->edge_past);
    record_deinit(&am->record);
    balance_deinit(am);
    moving_deinit(am);
    for (uint32_t i = 0; i < am->worker_count; i++) {
        free(am->workers[i]);
    }
    free(am->workers);
    shunned_deinit(&am->shunned);
    metrics_free(am);
    planning_deinit(am);
    free(am);
}

void appmaster_stop(struct appmaster *am)
{
    if (am->state == AM_REPORTING && am->report_lost) {
        am_move(am, AM_ENDED); /* there is no master to tell, and we are not to wait for one */
    } else {
        stop(am);
    }
}
