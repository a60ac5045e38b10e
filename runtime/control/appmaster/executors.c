/*
 * executors.c: the processes of the application.
 *
 * An executor goes LAUNCHING -> REGISTERED -> READY -> RUNNING -> DONE, all of them together: the
 * next step begins when the last has taken this one. Any may be GONE at any time, which fails the
 * application (recovery will replace it instead).
 *
 * A process that dies breaks its connection at once, and its worker tells how it died a moment
 * later: the application waits that moment, so that the reason has a name.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define ASSIGN_TIMEOUT_NS 60000000000 /* user code opens files and the like */
#define EXIT_WAIT_NS      2000000000  /* from a lost connection to the worker's word */

static bool all_in(const struct appmaster *am, enum executor_state state)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i].state < state || am->executors[i].state == EXECUTOR_GONE) {
            return false;
        }
    }
    return true;
}

static struct am_executor *find_peer(struct appmaster *am, const struct peer *peer)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i].peer == peer) {
            return &am->executors[i];
        }
    }
    return NULL;
}

/* ---- SLOTS, LAUNCHING ---- */

static void on_launched(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    if (answer->code < 0) {
        am_fail(e->am, answer->code, "executor %u could not be started on worker %u (%s): %s",
                e->id, e->grant->worker, e->grant->name, answer->err->text);
        return;
    }
    e->pid = ((const struct msg_launched *)answer->msg)->pid;
}

/* For each executor, so that every task whose calls may block has a lane of its own. */
static uint32_t blocking_lanes(const struct appmaster *am)
{
    uint32_t tasks = placement_blocking_tasks(am->plan);
    uint32_t lanes = (tasks + am->executor_count - 1) / am->executor_count;

    return lanes < MSG_LANES_MAX / 2 ? lanes : MSG_LANES_MAX / 2; /* beyond, they share */
}

static int launch(struct am_executor *e)
{
    struct appmaster *am = e->am;
    struct msg_plugin_file plugins[PLAN_PLUGINS_MAX];
    struct msg_executor_launch msg = {.app = am->options.launch->app,
                                      .epoch = am->options.launch->epoch,
                                      .executor = e->id,
                                      .slots = e->grant->slots,
                                      .blocking = blocking_lanes(am),
                                      .appmaster = am->address,
                                      .plugins = plugins,
                                      .plugins_count = am->plan->plugin_count};
    struct net_addr addr;
    struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .key = am->key};
    int rc;

    for (uint32_t i = 0; i < am->plan->plugin_count; i++) {
        const struct plan_plugin *plugin = &am->plan->plugins[i];
        plugins[i] = (struct msg_plugin_file){plugin->name, plugin->sha256, MSG_NO_TEXT};
    }
    if (strcmp(e->grant->address, am->options.launch->worker) == 0) {
        e->worker = am->home; /* a second connection would take the place of the first */
        rc = 0;
    } else {
        (void)str_format(addr.text, sizeof addr.text, "%s", e->grant->address);
        rc = endpoint_dial(am->ep, &spec, &e->worker);
    }
    if (rc >= 0) {
        rc = peer_ask(e->worker, MSG_EXECUTOR_LAUNCH, &msg, am->options.start_timeout_ns, ASK_RETRY,
                      on_launched, e);
    }
    return rc;
}

static void launch_all(struct appmaster *am)
{
    am->executors = calloc(am->granted.grants_count, sizeof *am->executors);
    am->edge_rates = calloc(am->plan->edge_count + 1, sizeof *am->edge_rates);
    if (!am->executors || !am->edge_rates) {
        am_fail(am, GP_ENOMEM, "launching executors: out of memory");
        return;
    }
    am->executor_count = am->granted.grants_count;
    for (uint32_t i = 0; i < am->executor_count; i++) {
        am->executors[i] =
            (struct am_executor){.am = am, .id = i + 1, .grant = &am->granted.grants[i]};
    }
    for (uint32_t i = 0; i < am->executor_count && am->state == AM_LAUNCHING; i++) {
        int rc = launch(&am->executors[i]);
        if (rc < 0) {
            am_fail(am, rc, "executor %u could not be started: %s", i + 1, error_sentence(rc));
        }
    }
}

static void on_granted(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    (void)peer;
    if (am->state != AM_SLOTS) {
        return;
    }
    if (answer->code < 0) {
        am_fail_err(am, answer->err);
        return;
    }
    am->granted = *(struct msg_slots_granted *)answer->msg;
    *(struct msg_slots_granted *)answer->msg = (struct msg_slots_granted){0};
    if (am->granted.grants_count == 0) {
        am_fail(am, GP_EPROTO, "the master granted nothing");
        return;
    }
    am_move(am, AM_LAUNCHING);
    launch_all(am);
}

void executors_request_slots(struct appmaster *am)
{
    struct msg_slots_request msg = {.app = am->options.launch->app,
                                    .epoch = am->options.launch->epoch,
                                    .slots = plan_task_count(am->plan),
                                    .executors = am->welcome.executors};
    int rc = peer_ask(am->master, MSG_SLOTS_REQUEST, &msg, 2 * ASK_TIMEOUT_NS, ASK_RETRY,
                      on_granted, am);

    if (rc < 0) {
        am_fail(am, rc, "asking for slots: %s", error_sentence(rc));
    }
}

/* ---- ASSIGNING ---- */

static void start_all(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = &am->executors[i];
        int rc = e->peer ? peer_tell(e->peer, MSG_EXECUTOR_START, NULL) : GP_ECLOSED;
        if (rc < 0) {
            am_fail(am, rc, "executor %u could not be told to start: %s", e->id,
                    error_sentence(rc));
            return;
        }
        e->state = EXECUTOR_RUNNING;
    }
    am_move(am, AM_RUNNING);
}

static void on_assigned(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;
    struct appmaster *am = e->am;

    (void)peer;
    if (am->state != AM_ASSIGNING) {
        return;
    }
    if (answer->code == GP_ECLOSED || answer->code == GP_ECANCELED) {
        return; /* on_down deals with it */
    }
    if (answer->code < 0) {
        am_fail_err(am, answer->err);
        return;
    }
    e->state = EXECUTOR_READY;
    if (all_in(am, EXECUTOR_READY)) {
        start_all(am);
    }
}

static int place(struct appmaster *am)
{
    struct placement_host *hosts = calloc(am->executor_count, sizeof *hosts);
    int rc = hosts ? 0 : GP_ENOMEM;

    for (uint32_t i = 0; rc >= 0 && i < am->executor_count; i++) {
        const struct msg_executor_register *info = &am->executors[i].info;

        hosts[i] = (struct placement_host){.executor = am->executors[i].id,
                                           .lanes = info->lanes_count - info->blocking,
                                           .blocking = info->blocking};
    }
    if (rc >= 0) {
        rc = placement_make(am->plan, hosts, am->executor_count, &am->placement);
    }
    free(hosts);
    return rc;
}

/* The ranges and siblings of the message borrow from the appmaster. */
static int assignment(struct appmaster *am, struct msg_executor_assign *ret)
{
    struct msg_executor_assign msg = {.epoch = am->options.launch->epoch, .generation = 1};
    int rc = plan_encode(am->plan, &msg.plan);

    msg.placement = calloc(am->placement.count, sizeof *msg.placement);
    msg.executors = calloc(am->executor_count, sizeof *msg.executors);
    msg.plugins = calloc(am->plan->plugin_count, sizeof *msg.plugins);
    *ret = msg;
    if (rc < 0 || !msg.placement || !msg.executors || !msg.plugins) {
        return rc < 0 ? rc : GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->placement.count; i++) {
        const struct placement_range *r = &am->placement.ranges[i];
        ret->placement[i] = (struct msg_placed){r->processor, r->first, r->count,
                                                r->executor,  r->lane,  (uint64_t)msg.epoch << 32};
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = &am->executors[i];
        ret->executors[i] = (struct msg_sibling){e->id, e->info.host, e->info.incarnation,
                                                 e->info.lanes, e->info.lanes_count};
    }
    for (uint32_t i = 0; i < am->plan->plugin_count; i++) {
        ret->plugins[i] = (struct msg_plugin_file){am->plan->plugins[i].name,
                                                   am->plan->plugins[i].sha256, MSG_NO_TEXT};
    }
    ret->placement_count = am->placement.count;
    ret->executors_count = am->executor_count;
    ret->plugins_count = am->plan->plugin_count;
    return 0;
}

static void assign_all(struct appmaster *am)
{
    struct msg_executor_assign msg = {0};
    int rc = place(am);

    if (rc >= 0) {
        rc = assignment(am, &msg);
    }
    for (uint32_t i = 0; rc >= 0 && i < am->executor_count; i++) {
        struct am_executor *e = &am->executors[i];
        rc = e->peer ? peer_ask(e->peer, MSG_EXECUTOR_ASSIGN, &msg, ASSIGN_TIMEOUT_NS, 0,
                                on_assigned, e)
                     : GP_ECLOSED;
    }
    value_free(msg.plan);
    free(msg.placement);
    free(msg.executors);
    free(msg.plugins);
    if (rc < 0) {
        am_fail(am, rc, "assigning tasks: %s", error_sentence(rc));
    }
}

int executors_register(struct appmaster *am, struct peer *peer, struct msg_executor_register *msg,
                       struct reply_token token, struct gp_error *err)
{
    struct am_executor *e;
    int rc;

    if (msg->executor == 0 || msg->executor > am->executor_count ||
        msg->lanes_count <= msg->blocking) {
        return gp_error_set(err, GP_EPROTO, "no executor %u is expected here", msg->executor);
    }
    if (msg->epoch != am->options.launch->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u is over", msg->epoch);
    }
    e = &am->executors[msg->executor - 1];
    if (am->state != AM_LAUNCHING || e->state != EXECUTOR_LAUNCHING) {
        return gp_error_set(err, GP_ESTATE, "executor %u registered already, or too late", e->id);
    }
    e->info = *msg;
    *msg = (struct msg_executor_register){0};
    e->peer = peer;
    e->pid = e->info.pid;
    e->state = EXECUTOR_REGISTERED;
    LOG_INFO(am_log(am), "appmaster.executor_up", KV_U64("executor", e->id), KV_I64("pid", e->pid),
             KV_U64("lanes", e->info.lanes_count));
    rc = endpoint_reply(am->ep, token, NULL);
    if (all_in(am, EXECUTOR_REGISTERED)) {
        am_move(am, AM_ASSIGNING);
        assign_all(am);
    }
    return rc;
}

/* ---- RUNNING ---- */

void executors_report(struct appmaster *am, struct peer *peer, struct msg_executor_report *msg)
{
    struct am_executor *e = find_peer(am, peer);

    if (e) {
        fields_deinit(&msg_executor_report_fields, &e->report);
        e->report = *msg;
        *msg = (struct msg_executor_report){0};
    }
}

void executors_failed(struct appmaster *am, struct peer *peer,
                      const struct msg_executor_failed *msg)
{
    const struct am_executor *e = find_peer(am, peer);

    if (!e) {
        return;
    }
    if (am->plan && msg->processor < am->plan->processor_count) {
        am_fail(am, GP_EUSER, "processor '%s', task %u on executor %u, in its %s(): %s",
                am->plan->processors[msg->processor].name, msg->task, e->id, msg->function,
                msg->text);
    } else {
        am_fail(am, GP_EUSER, "executor %u: %s", e->id, msg->text);
    }
}

void executors_done(struct appmaster *am, struct peer *peer)
{
    struct am_executor *e = find_peer(am, peer);

    if (!e || e->state != EXECUTOR_RUNNING) {
        return;
    }
    e->state = EXECUTOR_DONE;
    if (am->state == AM_RUNNING && all_in(am, EXECUTOR_DONE)) {
        am_move(am, AM_STOPPING);
    }
}

/* ---- losses ---- */

static void stopped(struct am_executor *e);

static void on_exit_wait(void *user)
{
    struct am_executor *e = user;

    am_fail(e->am, GP_ECLOSED, "executor %u on worker %u (%s) was lost", e->id, e->grant->worker,
            e->grant->name);
}

static void lost(struct am_executor *e, const struct gp_error *why)
{
    e->peer = NULL;
    if (e->am->state >= AM_STOPPING) {
        stopped(e); /* it was told to go */
        return;
    }
    LOG_WARN(am_log(e->am), "appmaster.executor_lost", KV_U64("executor", e->id),
             KV_STR("why", why->text));
    e->state = EXECUTOR_GONE;
    if (!e->exit_timer && timer_new(e->am->port->loop, on_exit_wait, e, &e->exit_timer) < 0) {
        on_exit_wait(e);
        return;
    }
    timer_start(e->exit_timer, EXIT_WAIT_NS);
}

bool executors_peer_down(struct appmaster *am, struct peer *peer, const struct gp_error *why)
{
    struct am_executor *e = find_peer(am, peer);

    if (e) {
        lost(e, why);
    }
    return e != NULL;
}

void executors_exited(struct appmaster *am, const struct msg_process_exited *msg)
{
    struct am_executor *e;

    if (msg->executor == 0 || msg->executor > am->executor_count ||
        msg->epoch != am->options.launch->epoch) {
        return;
    }
    e = &am->executors[msg->executor - 1];
    if (am->state >= AM_STOPPING) {
        stopped(e);
    } else if (msg->signal != 0) {
        am_fail(am, GP_EUSER, "executor %u (pid %lld on worker %s) crashed: %s", e->id,
                (long long)e->pid, e->grant->name,
                msg->crash[0] ? msg->crash : "killed by a signal");
    } else {
        am_fail(am, GP_EUSER, "executor %u (pid %lld on worker %s) ended with exit code %lld",
                e->id, (long long)e->pid, e->grant->name, (long long)msg->code);
    }
}

/* ---- STOPPING ---- */

static void stopped(struct am_executor *e)
{
    struct appmaster *am = e->am;

    e->stopped = true;
    if (am->state != AM_STOPPING) {
        return;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (!am->executors[i].stopped) {
            return;
        }
    }
    am_move(am, AM_REPORTING);
}

static void on_stopped(void *user, struct peer *peer, const struct answer *answer)
{
    (void)peer;
    (void)answer; /* it closed its tasks, or it is not there any more */
    stopped(user);
}

/* Has the worker end the process, however far it came. */
static void stop_process(struct am_executor *e)
{
    struct msg_process_ref msg = {.app = e->am->options.launch->app,
                                  .executor = e->id,
                                  .epoch = e->am->options.launch->epoch};

    if (!e->worker ||
        peer_ask(e->worker, MSG_PROCESS_STOP, &msg, ASK_TIMEOUT_NS, 0, on_stopped, e) < 0) {
        e->stopped = true; /* what cannot be reached is ended by the master, with the application */
    }
}

void executors_stop(struct appmaster *am)
{
    bool waiting = false;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = &am->executors[i];
        timer_free(e->exit_timer);
        e->exit_timer = NULL;
        if (e->stopped) {
            continue;
        }
        if (!e->peer || peer_ask(e->peer, MSG_EXECUTOR_STOP, NULL, am->options.stop_timeout_ns, 0,
                                 on_stopped, e) < 0) {
            stop_process(e);
        }
        waiting = waiting || !e->stopped;
    }
    if (!waiting) {
        am_move(am, AM_REPORTING);
    }
}

void executors_stop_hard(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (!am->executors[i].stopped) {
            stop_process(&am->executors[i]);
        }
    }
    am_move(am, AM_REPORTING); /* the end of the application ends what is left */
}

void executors_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        timer_free(am->executors[i].exit_timer);
        fields_deinit(&msg_executor_register_fields, &am->executors[i].info);
        fields_deinit(&msg_executor_report_fields, &am->executors[i].report);
    }
    free(am->executors);
    free(am->edge_rates);
    fields_deinit(&msg_slots_granted_fields, &am->granted);
}
