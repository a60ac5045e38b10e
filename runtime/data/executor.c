/* executor.c: see executor.h. Callbacks of endpoint and engine store what came and move on by
 * executor_move(). */
#include "data/executor.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"
#include "data/desired.h"
#include "data/job.h"
#include "data/report.h"

#define REPORT_INTERVAL_NS 250000000
#define ASK_TIMEOUT_NS     10000000000
#define DIALS_MAX          5u
#define UPDATES_MAX        16u

enum executor_state {
    EX_LISTENING,
    EX_REGISTERING,
    EX_WAITING,
    EX_OPENING,
    EX_OPEN,
    EX_RUNNING,
    EX_ENDED,
    EX_STOPPING,
    EX_STOPPED,
};

#define TO(state) (1u << (state))

static const uint32_t moves[] = {
    [EX_LISTENING] = TO(EX_REGISTERING) | TO(EX_STOPPING),
    [EX_REGISTERING] = TO(EX_WAITING) | TO(EX_STOPPING),
    [EX_WAITING] = TO(EX_OPENING) | TO(EX_STOPPING),
    [EX_OPENING] = TO(EX_OPEN) | TO(EX_STOPPING),
    [EX_OPEN] = TO(EX_RUNNING) | TO(EX_STOPPING),
    [EX_RUNNING] = TO(EX_ENDED) | TO(EX_STOPPING),
    [EX_ENDED] = TO(EX_STOPPING),
    [EX_STOPPING] = TO(EX_STOPPED),
    [EX_STOPPED] = 0,
};

/* An update that lanes have not taken, and who asked for it. */
struct waiting_update {
    uint64_t generation;
    struct reply_token token;
};

struct executor {
    const struct port *port;
    struct executor_options options; /* its texts point into texts */
    struct buf texts[8];
    uint32_t text_count;
    char key[32];
    char name[ADDRESS_TEXT_MAX];
    enum executor_state state;
    struct endpoint *ep;
    struct peer *appmaster;
    struct engine *engine;
    struct job *job;
    struct timer *report_timer;
    struct timer *done_timer;
    uint32_t dials_failed;
    struct msg_executor_report last; /* owned */
    struct desired assigned;         /* until every task is open */
    struct reply_token assign_token; /* correlation 0: none waits */
    struct waiting_update updates[UPDATES_MAX];
    uint32_t update_count;
    struct reply_token stop_token;
    int32_t exit_code;
};

static const struct log *ex_log(const struct executor *ex)
{
    return ex->port->log;
}

static void move(struct executor *ex, enum executor_state state)
{
    ASSERT(moves[ex->state] & TO(state));
    ex->state = state;
}

/* Ends the process in order, from any state. */
static void stop(struct executor *ex, int32_t exit_code)
{
    if (ex->state >= EX_STOPPING) {
        return;
    }
    move(ex, EX_STOPPING);
    ex->exit_code = exit_code;
    timer_stop(ex->report_timer);
    engine_stop(ex->engine);
}

/* ---- reports ---- */

static bool same_progress(const struct msg_executor_report *a, const struct msg_executor_report *b)
{
    if (a->processors_count != b->processors_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->processors_count; i++) {
        const struct msg_processor_stats *x = &a->processors[i];
        const struct msg_processor_stats *y = &b->processors[i];
        if (x->in != y->in || x->out != y->out || x->tasks_running != y->tasks_running ||
            x->watermark != y->watermark || x->rejected != y->rejected) {
            return false;
        }
    }
    return true;
}

static void report(struct executor *ex, bool always)
{
    struct msg_executor_report now;

    if (!ex->job || report_make(ex->engine, job_plan(ex->job), &now) < 0) {
        return; /* without memory this one is left out */
    }
    if (always || !same_progress(&now, &ex->last)) {
        (void)peer_tell(ex->appmaster, MSG_EXECUTOR_REPORT,
                        &now); /* a lost one is replaced by the next */
    }
    fields_deinit(&msg_executor_report_fields, &ex->last);
    ex->last = now;
}

static void on_report_timer(void *user)
{
    struct executor *ex = user;

    report(ex, false);
    timer_start(ex->report_timer, REPORT_INTERVAL_NS);
}

/* ---- the engine speaks ---- */

static int lane_addresses(struct executor *ex, struct msg_lane *lanes, uint32_t count)
{
    const char *host = ex->options.advertise[0] ? ex->options.advertise : ex->options.bind;

    for (uint32_t i = 0; i < count; i++) {
        struct net_addr tcp;
        struct net_addr unix_addr;
        char text[NET_ADDR_MAX];
        gp_str head;
        gp_str port;
        engine_lane_addr(ex->engine, i, &tcp, &unix_addr);
        (void)str_cut_last(gp_str_of(tcp.text), ':', &head, &port);
        if (str_format(text, sizeof text, "%s:%.*s", host, STR_ARG(port)) < 0) {
            return GP_EINVAL;
        }
        lanes[i].tcp = str_dup(gp_str_of(text));
        lanes[i].unix_path = str_dup(gp_str_of(unix_addr.text));
        if (!lanes[i].tcp || !lanes[i].unix_path) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

static void on_registered(void *user, struct peer *peer, const struct answer *answer)
{
    struct executor *ex = user;

    (void)peer;
    if (ex->state != EX_REGISTERING) {
        return;
    }
    if (answer->code < 0) {
        LOG_ERROR(ex_log(ex), "executor.refused", KV_STR("error", answer->err->text));
        stop(ex, EXECUTOR_EXIT_FAILED);
        return;
    }
    LOG_INFO(ex_log(ex), "executor.registered", KV_U64("executor", ex->options.executor));
    move(ex, EX_WAITING);
}

static int register_now(struct executor *ex)
{
    struct msg_executor_register msg = {.app = ex->options.app,
                                        .epoch = ex->options.epoch,
                                        .executor = ex->options.executor,
                                        .host = (char *)(uintptr_t)ex->options.host,
                                        .pid = ex->port->ops->self_pid(ex->port->world),
                                        .incarnation = endpoint_incarnation(ex->ep)};
    uint32_t count = engine_lane_count(ex->engine);
    int rc;

    msg.lanes = calloc(count, sizeof *msg.lanes);
    if (!msg.lanes) {
        return GP_ENOMEM;
    }
    msg.lanes_count = count;
    msg.blocking = ex->options.blocking;
    rc = lane_addresses(ex, msg.lanes, count);
    if (rc >= 0) {
        rc = peer_ask(ex->appmaster, MSG_EXECUTOR_REGISTER, &msg, ASK_TIMEOUT_NS, 0, on_registered,
                      ex);
    }
    for (uint32_t i = 0; i < count; i++) {
        free(msg.lanes[i].tcp);
        free(msg.lanes[i].unix_path);
    }
    free(msg.lanes);
    return rc;
}

static void on_ready(void *user, const struct gp_error *err)
{
    struct executor *ex = user;
    struct net_addr addr;
    struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .target = ex->key, .key = ex->key};
    int rc = 0;

    if (ex->state != EX_LISTENING) {
        return;
    }
    if (err && err->code < 0) {
        LOG_ERROR(ex_log(ex), "executor.listen_failed", KV_STR("error", err->text));
        stop(ex, EXECUTOR_EXIT_FAILED);
        return;
    }
    move(ex, EX_REGISTERING);
    (void)str_format(addr.text, sizeof addr.text, "%s", ex->options.appmaster);
    rc = endpoint_dial(ex->ep, &spec, &ex->appmaster);
    if (rc < 0) {
        LOG_ERROR(ex_log(ex), "executor.dial_failed", KV_CODE("code", rc));
        stop(ex, EXECUTOR_EXIT_FAILED);
    }
}

static const char *processor_name(const struct executor *ex, uint32_t processor)
{
    const struct plan *plan = job_plan(ex->job);
    return processor < plan->processor_count ? plan->processors[processor].name : "?";
}

static void on_opened(void *user, const struct lane_failure *failure)
{
    struct executor *ex = user;
    struct gp_error err = {0};

    if (ex->state != EX_OPENING) {
        return;
    }
    if (failure) {
        (void)gp_error_set(
            &err, GP_EUSER, "processor '%s', task %u on executor %u, in its %s(): %s",
            processor_name(ex, failure->processor), failure->task, ex->options.executor,
            failure->function ? failure->function : "open", failure->text);
        (void)endpoint_reply_error(ex->ep, ex->assign_token, &err);
        return; /* the appmaster says stop */
    }
    desired_deinit(&ex->assigned);
    move(ex, EX_OPEN);
    (void)endpoint_reply(ex->ep, ex->assign_token, NULL); /* without an appmaster on_down comes */
}

/* The task waits; the appmaster says what becomes of it. */
static void on_failed(void *user, const struct lane_failure *failure)
{
    struct executor *ex = user;
    struct msg_executor_failed msg = {.processor = failure->processor,
                                      .task = failure->task,
                                      .session = failure->session,
                                      .function = (char *)(uintptr_t)failure->function,
                                      .text = (char *)(uintptr_t)failure->text};

    LOG_WARN(ex_log(ex), "executor.task_failed",
             KV_STR("processor", processor_name(ex, failure->processor)),
             KV_U64("task", failure->task), KV_STR("function", msg.function),
             KV_STR("error", msg.text));
    report(ex, true);
    (void)peer_tell(ex->appmaster, MSG_EXECUTOR_FAILED, &msg);
}

static void on_ended(void *user)
{
    struct executor *ex = user;

    if (ex->state != EX_RUNNING) {
        return;
    }
    move(ex, EX_ENDED);
    timer_stop(ex->report_timer);
    LOG_INFO(ex_log(ex), "executor.ended", KV_U64("executor", ex->options.executor));
    report(ex, true);
    (void)peer_tell(ex->appmaster, MSG_EXECUTOR_DONE, NULL);
}

static void on_stopped(void *user)
{
    struct executor *ex = user;

    move(ex, EX_STOPPED);
    LOG_INFO(ex_log(ex), "executor.stopped", KV_U64("executor", ex->options.executor));
    report(ex, true);
    if (ex->stop_token.correlation != 0) {
        (void)endpoint_reply(ex->ep, ex->stop_token, NULL);
    }
    timer_start(ex->done_timer, 0);
}

static void on_updated(void *user, uint64_t generation);

static const struct engine_events engine_events = {
    .on_ready = on_ready,
    .on_opened = on_opened,
    .on_failed = on_failed,
    .on_updated = on_updated,
    .on_ended = on_ended,
    .on_stopped = on_stopped,
};

static void on_done_timer(void *user)
{
    struct executor *ex = user;
    ex->options.on_done(ex->options.user, ex->exit_code);
}

/* ---- the appmaster speaks ---- */

static int on_assign(struct executor *ex, struct incoming *in, struct gp_error *err)
{
    const struct msg_executor_assign *msg = in->msg;
    struct engine_job job;
    int rc;

    if (ex->state != EX_WAITING) {
        return gp_error_set(err, GP_ESTATE, "executor %u has its tasks already",
                            ex->options.executor);
    }
    rc = job_new(ex->port, msg, ex->options.artefacts, &ex->job, err);
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    job_describe(ex->job, &job);
    rc = desired_init_assign(&ex->assigned, msg, job_plan(ex->job), err);
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    desired_describe(&ex->assigned, &job);
    move(ex, EX_OPENING);
    ex->assign_token = in->token;
    LOG_INFO(ex_log(ex), "executor.assigned", KV_U64("executor", ex->options.executor),
             KV_U64("processors", job_plan(ex->job)->processor_count));
    return engine_assign(ex->engine, &job, err);
}

static void answer_update(struct executor *ex, struct reply_token token)
{
    const struct msg_executor_updated msg = {.generation = engine_generation(ex->engine)};

    (void)endpoint_reply(ex->ep, token, &msg); /* who asked may be gone, and asks again */
}

/* Lanes have taken an update: those who asked for it, or for one before it, are answered. */
static void on_updated(void *user, uint64_t generation)
{
    struct executor *ex = user;
    uint32_t kept = 0;

    LOG_INFO(ex_log(ex), "executor.updated", KV_U64("generation", generation));
    for (uint32_t i = 0; i < ex->update_count; i++) {
        if (ex->updates[i].generation <= generation) {
            answer_update(ex, ex->updates[i].token);
        } else {
            ex->updates[kept++] = ex->updates[i];
        }
    }
    ex->update_count = kept;
}

static int on_update(struct executor *ex, struct incoming *in, struct gp_error *err)
{
    const struct msg_executor_update *msg = in->msg;
    struct desired desired;
    struct engine_job job;
    int rc;

    if (ex->state < EX_OPENING || ex->state >= EX_STOPPING) {
        return gp_error_set(err, GP_ESTATE, "executor %u has no tasks", ex->options.executor);
    }
    if (msg->generation <= engine_generation(ex->engine)) {
        answer_update(ex, in->token);
        return 0;
    }
    if (ex->update_count == UPDATES_MAX) {
        return gp_error_set(err, GP_EFULL, "executor %u has %u updates to take",
                            ex->options.executor, UPDATES_MAX);
    }
    job_describe(ex->job, &job);
    rc = desired_init_update(&desired, msg, job_plan(ex->job), err);
    if (rc == 0) {
        desired_describe(&desired, &job);
        rc = engine_update(ex->engine, &job, err);
    }
    desired_deinit(&desired);
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    ex->updates[ex->update_count++] = (struct waiting_update){msg->generation, in->token};
    return 0;
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct executor *ex = user;

    (void)peer;
    switch (in->type) {
    case MSG_EXECUTOR_ASSIGN:
        return on_assign(ex, in, err);
    case MSG_EXECUTOR_UPDATE:
        return on_update(ex, in, err);
    case MSG_EXECUTOR_START:
        if (ex->state == EX_OPEN) {
            move(ex, EX_RUNNING);
            LOG_INFO(ex_log(ex), "executor.started", KV_U64("executor", ex->options.executor));
            timer_start(ex->report_timer, REPORT_INTERVAL_NS);
            engine_start(ex->engine);
        }
        return 0;
    case MSG_EXECUTOR_STOP:
        ex->stop_token = in->token;
        stop(ex, EXECUTOR_EXIT_OK);
        return 0;
    default:
        return GP_EUNSUPPORTED;
    }
}

static void on_up(void *user, struct peer *peer)
{
    struct executor *ex = user;
    int rc = peer == ex->appmaster && ex->state == EX_REGISTERING ? register_now(ex) : 0;

    if (rc < 0) {
        LOG_ERROR(ex_log(ex), "executor.register_failed", KV_CODE("code", rc));
        stop(ex, EXECUTOR_EXIT_FAILED);
    }
}

/* Without its appmaster nobody can start, stop or replace it: until appmasters come back, it ends.
 */
static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct executor *ex = user;

    if (peer == ex->appmaster && ex->state < EX_STOPPING) {
        LOG_WARN(ex_log(ex), "executor.orphaned", KV_STR("why", why->text));
        stop(ex, EXECUTOR_EXIT_ORPHANED);
    }
}

/* It was there a moment ago, so one refusal means little. */
static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct executor *ex = user;

    if (++ex->dials_failed == DIALS_MAX) {
        on_down(ex, peer, why);
    }
}

static int on_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    const struct executor *ex = user;

    (void)role;
    (void)name;
    if (!str_eq(key, gp_str_of(ex->key))) {
        return gp_error_set(err, GP_EACCES, "no key '%.*s' here", STR_ARG(key));
    }
    ret->len = strlen(ex->options.token);
    memcpy(ret->bytes, ex->options.token, ret->len);
    return 0;
}

static const struct endpoint_events endpoint_events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_unreachable = on_unreachable,
    .on_message = on_message,
    .key_find = on_key_find,
};

/* ---- life ---- */

/* A copy that lives as long as the executor. */
static const char *keep(struct executor *ex, const char *text, int *rc)
{
    struct buf *copy = &ex->texts[ex->text_count++];
    const char *kept;

    ASSERT(ex->text_count <= ARRAY_LEN(ex->texts));
    if (*rc >= 0) {
        *rc = buf_append_c(copy, text ? text : "");
    }
    kept = *rc >= 0 ? buf_c(copy) : NULL;
    if (!kept) {
        *rc = GP_ENOMEM;
        return "";
    }
    return kept;
}

static int copy_options(struct executor *ex, const struct executor_options *options)
{
    int rc = 0;

    ex->options = *options;
    ex->options.token = keep(ex, options->token, &rc);
    ex->options.appmaster = keep(ex, options->appmaster, &rc);
    ex->options.artefacts = keep(ex, options->artefacts, &rc);
    ex->options.bind = keep(ex, options->bind, &rc);
    ex->options.advertise = keep(ex, options->advertise, &rc);
    ex->options.host = keep(ex, options->host, &rc);
    ex->options.sockets = keep(ex, options->sockets, &rc);
    return rc < 0 || strlen(ex->options.token) <= CONN_SECRET_MAX ? rc : GP_EINVAL;
}

static int start_engine(struct executor *ex, struct gp_error *err)
{
    uint32_t cpus = ex->port->ops->cpu_count(ex->port->world);
    struct net_addr tcp;
    struct stream_identity identity = {.app = ex->options.app,
                                       .executor = ex->options.executor,
                                       .incarnation = endpoint_incarnation(ex->ep),
                                       .token_len = strlen(ex->options.token),
                                       .failure_timeout_ns = ex->options.limits.failure_timeout_ns};
    struct engine_spec spec = {.port = ex->port,
                               .lanes = ex->options.lanes ? ex->options.lanes : cpus,
                               .tcp = &tcp,
                               .unix_dir = ex->options.sockets[0] ? ex->options.sockets : NULL,
                               .identity = &identity,
                               .host = ex->options.host,
                               .log = ex_log(ex),
                               .events = &engine_events,
                               .user = ex};

    spec.lanes = spec.lanes < 1                   ? 1
                 : spec.lanes > MSG_LANES_MAX / 2 ? MSG_LANES_MAX / 2
                                                  : spec.lanes;
    if (ex->options.blocking > MSG_LANES_MAX - spec.lanes) {
        ex->options.blocking = MSG_LANES_MAX - spec.lanes;
    }
    spec.lanes += ex->options.blocking;
    (void)str_format(identity.key, sizeof identity.key, "%s", ex->key); /* fits */
    memcpy(identity.token, ex->options.token, identity.token_len);
    if (str_format(tcp.text, sizeof tcp.text, "%s:0", ex->options.bind) < 0) {
        return gp_error_set(err, GP_EINVAL, "the host to listen on is too long");
    }
    return engine_new(&spec, &ex->engine, err);
}

int executor_new(const struct executor_options *options, struct executor **ret,
                 struct gp_error *err)
{
    struct executor *ex = calloc(1, sizeof *ex);
    struct endpoint_config config = {.port = options->port,
                                     .role = ROLE_EXECUTOR,
                                     .limits = options->limits,
                                     .events = &endpoint_events,
                                     .user = ex};
    int rc;

    if (!ex) {
        return gp_error_set(err, GP_ENOMEM, "starting an executor");
    }
    ex->port = options->port;
    rc = copy_options(ex, options);
    (void)str_format(ex->key, sizeof ex->key, "app/%u", options->app);
    (void)str_format(ex->name, sizeof ex->name, "app/%u/executor/%u", options->app,
                     options->executor);
    config.name = ex->name;
    rc = rc < 0 ? rc : timer_new(ex->port->loop, on_report_timer, ex, &ex->report_timer);
    rc = rc < 0 ? rc : timer_new(ex->port->loop, on_done_timer, ex, &ex->done_timer);
    rc = rc < 0 ? rc : endpoint_new(&config, &ex->ep);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "starting an executor: %s", error_sentence(rc));
    } else {
        rc = start_engine(ex, err);
    }
    if (rc < 0) {
        executor_free(ex);
        return rc;
    }
    *ret = ex;
    return 0;
}

void executor_stop(struct executor *ex)
{
    stop(ex, EXECUTOR_EXIT_OK);
}

void executor_free(struct executor *ex)
{
    if (!ex) {
        return;
    }
    endpoint_free(ex->ep);
    engine_free(ex->engine);
    desired_deinit(&ex->assigned);
    job_free(ex->job);
    timer_free(ex->report_timer);
    timer_free(ex->done_timer);
    fields_deinit(&msg_executor_report_fields, &ex->last);
    for (uint32_t i = 0; i < ex->text_count; i++) {
        buf_deinit(&ex->texts[i]);
    }
    free(ex);
}
