/*
 * launches.c: what is asked for and not running yet.
 *
 *     asked ─▶ FETCHING (plugins that are not here) ─▶ started, and answered with the pid
 *
 * An appmaster of an earlier epoch is killed, whatever it does, and its end is waited for: it would
 * hold the slot and the log that the next one needs.
 *
 * A launch is refused at once when its application has no grant here, or not enough of it. It fails
 * when a plugin cannot be had, the process cannot be started, or the grant is revoked meanwhile. A
 * launch of what runs already is answered as if it had just been started: asks may be repeated.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/launch.h"
#include "control/worker/internal.h"

enum launch_kind { LAUNCH_APPMASTER, LAUNCH_EXECUTOR, LAUNCH_NOTHING };

/* Which process of which application. */
struct wanted {
    uint32_t app;
    uint32_t executor;
    uint32_t epoch;
    uint32_t slots;
};

struct launch {
    struct list_node node; /* worker.launches */
    struct worker *worker;
    enum launch_kind kind;
    struct wanted what;
    struct reply_token token;
    uint32_t fetching;
    struct msg_appmaster_launch appmaster;
    struct msg_executor_launch of_executor;
};

static void launch_free(struct launch *l)
{
    if (!l) {
        return;
    }
    if (list_is_linked(&l->node)) {
        list_remove(&l->node);
        l->worker->launch_count--;
    }
    fetch_forget(l->worker, l);
    fields_deinit(&msg_appmaster_launch_fields, &l->appmaster);
    fields_deinit(&msg_executor_launch_fields, &l->of_executor);
    free(l);
}

static int launch_new(struct worker *w, enum launch_kind kind, struct reply_token token,
                      struct launch **ret, struct gp_error *err)
{
    struct launch *l;

    if (w->launch_count == LAUNCHES_MAX) {
        return gp_error_set(err, GP_EFULL, "%u processes are being started already", LAUNCHES_MAX);
    }
    l = calloc(1, sizeof *l);
    if (!l) {
        return gp_error_set(err, GP_ENOMEM, "starting a process");
    }
    l->worker = w;
    l->kind = kind;
    l->token = token;
    list_node_init(&l->node);
    list_push_back(&w->launches, &l->node);
    w->launch_count++;
    *ret = l;
    return 0;
}

/* ---- the process ---- */

static uint32_t lanes(const struct worker *w, uint32_t asked)
{
    uint32_t n = w->lanes ? w->lanes : asked ? asked : w->port->ops->cpu_count(w->port->world);

    n = n > 0 ? n : 1;
    return n < MSG_LANES_MAX ? n : MSG_LANES_MAX;
}

/* The core of the first of so many lanes, which take those that follow; counted from 1, 0: none. */
static uint32_t take_cores(struct worker *w, uint32_t lane_count)
{
    uint32_t cores = w->port->ops->cpu_count(w->port->world);
    uint32_t first = w->next_core % cores;

    if (!w->pin_lanes) {
        return 0;
    }
    w->next_core = (first + lane_count) % cores;
    return first + 1;
}

static int print_appmaster(const struct launch *l, struct buf *out)
{
    struct worker *w = l->worker;
    const struct msg_appmaster_launch *msg = &l->appmaster;
    struct launch_appmaster launch = {.app = msg->app,
                                      .epoch = msg->epoch,
                                      .name = msg->name,
                                      .sha256 = msg->sha256,
                                      .artefacts = w->artefacts.dir,
                                      .worker = w->address,
                                      .bind = w->bind_host,
                                      .advertise = w->advertise_host,
                                      .data = w->data,
                                      .masters = msg->masters,
                                      .masters_count = msg->masters_count};

    return launch_print(&launch_appmaster_fields, &launch, out);
}

static int print_executor(const struct launch *l, struct buf *out)
{
    struct worker *w = l->worker;
    const struct msg_executor_launch *msg = &l->of_executor;
    uint32_t lane_count = lanes(w, msg->lanes);
    struct launch_executor launch = {.app = msg->app,
                                     .epoch = msg->epoch,
                                     .executor = msg->executor,
                                     .slots = msg->slots,
                                     .lanes = lane_count,
                                     .pinned = take_cores(w, lane_count),
                                     .blocking = msg->blocking,
                                     .appmaster = msg->appmaster,
                                     .artefacts = w->artefacts.dir,
                                     .bind = w->bind_host,
                                     .advertise = w->advertise_host,
                                     .host = w->host,
                                     .sockets = w->sockets_dir,
                                     .masters = msg->masters,
                                     .masters_count = msg->masters_count};

    return launch_print(&launch_executor_fields, &launch, out);
}

static int start_process(const struct launch *l, struct child **ret, struct gp_error *err)
{
    struct worker *w = l->worker;
    const bool is_appmaster = l->kind == LAUNCH_APPMASTER;
    const struct ledger_grant *grant = ledger_find(&w->ledger, l->what.app);
    struct child_spec spec = {.app = l->what.app,
                              .executor = l->what.executor,
                              .epoch = l->what.epoch,
                              .slots = l->what.slots,
                              .role = is_appmaster ? "appmaster" : "executor"};
    struct buf arg;
    int rc;

    if (!grant) {
        return gp_error_set(err, GP_ESTATE, "the grant of application %u was revoked", l->what.app);
    }
    buf_init(&arg, LAUNCH_ARG_MAX_BYTES);
    rc = is_appmaster ? print_appmaster(l, &arg) : print_executor(l, &arg);
    spec.arg = rc < 0 ? NULL : buf_c(&arg);
    spec.token = grant->token;
    if (spec.arg) {
        rc = child_start(w, &spec, ret, err);
    } else {
        rc = gp_error_set(err, rc < 0 ? rc : GP_ENOMEM, "writing the arguments of a process");
    }
    buf_deinit(&arg);
    return rc;
}

/* Everything is here: starts and answers. */
static int go(struct launch *l, struct gp_error *err)
{
    struct worker *w = l->worker;
    struct msg_launched launched = {0};
    struct child *child = NULL;
    int rc;

    if (l->kind == LAUNCH_NOTHING) {
        return endpoint_reply(w->ep, l->token, NULL);
    }
    rc = start_process(l, &child, err);
    if (rc < 0) {
        LOG_WARN(worker_log(w), "process.launch_failed", KV_U64("app", l->what.app),
                 KV_U64("executor", l->what.executor), KV_STR("error", err->text));
        return rc;
    }
    launched.pid = child->pid;
    (void)endpoint_reply(w->ep, l->token, &launched); /* who has gone, sees the process register */
    worker_changed(w);
    return 0;
}

/* ---- what it needs ---- */

static const struct child *earlier_life(const struct worker *w, const struct wanted *what)
{
    const struct child *child = what->executor == 0 ? child_find(w, what->app, 0) : NULL;

    return child && child->proc && child->epoch < what->epoch ? child : NULL;
}

static bool is_waiting(const struct launch *l)
{
    return l->fetching > 0 || (l->kind == LAUNCH_APPMASTER && earlier_life(l->worker, &l->what));
}

static void finish(struct launch *l, int code, const struct gp_error *err)
{
    if (code < 0) {
        (void)endpoint_reply_error(l->worker->ep, l->token, err);
    }
    launch_free(l);
}

void launches_go_on(struct worker *w, uint32_t app)
{
    LIST_FOREACH_SAFE(node, &w->launches)
    {
        struct launch *l = container_of(node, struct launch, node);
        if (l->kind == LAUNCH_APPMASTER && l->what.app == app && !is_waiting(l)) {
            struct gp_error err = {0};
            int rc = go(l, &err);
            finish(l, rc, &err);
            return;
        }
    }
}

static void on_fetched(void *user, int code, const struct gp_error *err)
{
    struct launch *l = user;
    struct gp_error failure = {0};

    l->fetching--;
    if (code < 0) {
        failure = *err;
    } else if (!is_waiting(l)) {
        code = go(l, &failure);
    } else {
        return;
    }
    finish(l, code, &failure);
}

static int want(struct launch *l, const char *sha256, struct gp_error *err)
{
    int rc = fetch_artefact(l->worker, sha256, on_fetched, l, err);

    if (rc == 0) {
        l->fetching++;
    }
    return rc < 0 ? rc : 0;
}

/* Goes on with a launch whose wants were told; rc is how that went. Frees it unless it waits. */
static int proceed(struct launch *l, int rc, struct gp_error *err)
{
    if (rc >= 0 && is_waiting(l)) {
        return 0;
    }
    if (rc >= 0) {
        rc = go(l, err);
    }
    launch_free(l);
    return rc < 0 ? rc : 0;
}

/* ---- who may ---- */

static uint32_t slots_being_started(const struct worker *w, uint32_t app)
{
    uint32_t slots = 0;

    LIST_FOREACH (node, &w->launches) {
        const struct launch *l = container_of(node, struct launch, node);
        slots += l->what.app == app ? l->what.slots : 0;
    }
    return slots;
}

uint32_t launches_spare_slots(const struct worker *w, uint32_t app)
{
    const struct ledger_grant *grant = ledger_find(&w->ledger, app);
    uint32_t held = children_slots(w, app) + slots_being_started(w, app);

    return grant && grant->slots > held ? grant->slots - held : 0;
}

static const struct launch *find_launch(const struct worker *w, uint32_t app, uint32_t executor)
{
    LIST_FOREACH (node, &w->launches) {
        const struct launch *l = container_of(node, struct launch, node);
        if (l->kind != LAUNCH_NOTHING && l->what.app == app && l->what.executor == executor) {
            return l;
        }
    }
    return NULL;
}

/* Of an appmaster that is obeyed no more nothing stays: neither its process, nor what would be
 * one. */
static void end_earlier_life(struct worker *w, const struct wanted *what)
{
    const struct launch *l = find_launch(w, what->app, what->executor);

    if (l && l->what.epoch < what->epoch) {
        launches_cancel(w, what->app, what->executor);
    }
    if (earlier_life(w, what)) {
        (void)children_stop(w, what->app, what->executor, true);
    }
}

/* 0: go on. 1: it runs already and was answered. */
static int check(struct worker *w, const struct wanted *what, struct reply_token token,
                 struct gp_error *err)
{
    struct ledger_grant *grant = ledger_find(&w->ledger, what->app);
    const struct child *child = child_find(w, what->app, what->executor);
    uint32_t spare;

    if (!grant) {
        return gp_error_set(err, GP_EACCES, "application %u has no grant on this worker",
                            what->app);
    }
    if (what->epoch < grant->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            what->epoch, what->app, grant->epoch);
    }
    grant->epoch = what->epoch;
    if (child && child->proc && child->epoch == what->epoch) {
        struct msg_launched launched = {.pid = child->pid};
        (void)endpoint_reply(w->ep, token, &launched); /* who has gone asks again */
        return 1;
    }
    end_earlier_life(w, what);
    if (find_launch(w, what->app, what->executor)) {
        return gp_error_set(err, GP_EAGAIN, "executor %u of application %u is being started",
                            what->executor, what->app);
    }
    spare = launches_spare_slots(w, what->app);
    if (what->slots > spare) {
        return gp_error_set(err, GP_EFULL, "application %u has %u slots here, %u of them in use",
                            what->app, grant->slots, grant->slots - spare);
    }
    return 0;
}

int launch_the_appmaster(struct worker *w, struct msg_appmaster_launch *msg,
                         struct reply_token token, struct gp_error *err)
{
    const struct wanted what = {.app = msg->app, .epoch = msg->epoch, .slots = 1};
    struct launch *l = NULL;
    int rc = check(w, &what, token, err);

    if (rc == 0) {
        rc = launch_new(w, LAUNCH_APPMASTER, token, &l, err);
    }
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    l->what = what;
    l->appmaster = *msg;
    *msg = (struct msg_appmaster_launch){0};
    rc = want(l, l->appmaster.sha256, err);
    return proceed(l, rc, err);
}

int launch_an_executor(struct worker *w, struct msg_executor_launch *msg, struct reply_token token,
                       struct gp_error *err)
{
    const struct wanted what = {msg->app, msg->executor, msg->epoch, msg->slots};
    struct launch *l = NULL;
    int rc;

    if (msg->executor == 0) {
        return gp_error_set(err, GP_EINVAL, "executors count from 1");
    }
    rc = check(w, &what, token, err);
    if (rc == 0) {
        rc = launch_new(w, LAUNCH_EXECUTOR, token, &l, err);
    }
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    l->what = what;
    l->of_executor = *msg;
    *msg = (struct msg_executor_launch){0};
    for (uint32_t i = 0; i < l->of_executor.plugins_count && rc >= 0; i++) {
        rc = want(l, l->of_executor.plugins[i].sha256, err);
    }
    return proceed(l, rc, err);
}

int launch_nothing(struct worker *w, uint32_t app, const char *sha256, struct reply_token token,
                   struct gp_error *err)
{
    struct launch *l = NULL;
    int rc = launch_new(w, LAUNCH_NOTHING, token, &l, err);

    if (rc < 0) {
        return rc;
    }
    l->what.app = app;
    rc = want(l, sha256, err);
    return proceed(l, rc, err);
}

void launches_cancel(struct worker *w, uint32_t app, uint32_t executor)
{
    LIST_FOREACH_SAFE(node, &w->launches)
    {
        struct launch *l = container_of(node, struct launch, node);
        if (app == 0) {
            launch_free(l);
        } else if (l->what.app == app &&
                   (executor == EXECUTOR_ANY || l->what.executor == executor)) {
            struct gp_error err;
            (void)gp_error_set(&err, GP_ECANCELED, "application %u wants it no more", app);
            (void)endpoint_reply_error(w->ep, l->token, &err); /* nobody may wait any more */
            launch_free(l);
        }
    }
}
