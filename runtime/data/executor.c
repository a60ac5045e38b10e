/* executor.c: see executor.h. What the appmaster wants and what the engine says. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"
#include "data/executor_internal.h"

#define TO(state) (1u << (state))

static const uint32_t moves[] = {
    [EX_LISTENING] = TO(EX_REGISTERING) | TO(EX_STOPPING),
    [EX_REGISTERING] = TO(EX_WAITING) | TO(EX_STOPPING),
    [EX_WAITING] = TO(EX_OPENING) | TO(EX_STOPPING),
    [EX_OPENING] = TO(EX_OPEN) | TO(EX_STOPPING),
    [EX_OPEN] = TO(EX_RUNNING) | TO(EX_STOPPING),
    [EX_RUNNING] = TO(EX_ENDED) | TO(EX_STOPPING),
    [EX_ENDED] = TO(EX_RUNNING) | TO(EX_STOPPING),
    [EX_STOPPING] = TO(EX_STOPPED),
    [EX_STOPPED] = 0,
};

static void move(struct executor *ex, enum executor_state state)
{
    ASSERT(moves[ex->state] & TO(state));
    ex->state = state;
}

void ex_stop(struct executor *ex, int32_t exit_code)
{
    if (ex->state >= EX_STOPPING) {
        return;
    }
    move(ex, EX_STOPPING);
    ex->exit_code = exit_code;
    ex_find_stop(ex);
    ex_tell_stop(ex);
    ex_moves_stop(ex);
    engine_stop(ex->engine);
}

/* ---- the engine speaks ---- */

void ex_registered(struct executor *ex)
{
    move(ex, EX_WAITING);
}

static void on_ready(void *user, const struct gp_error *err)
{
    struct executor *ex = user;

    if (ex->state != EX_LISTENING) {
        return;
    }
    if (err && err->code < 0) {
        LOG_ERROR(ex_log(ex), "executor.listen_failed", KV_STR("error", err->text));
        ex_stop(ex, EXECUTOR_EXIT_FAILED);
        return;
    }
    move(ex, EX_REGISTERING);
    ex_find_first(ex);
}

static const char *processor_name(const struct executor *ex, uint32_t processor)
{
    const struct plan *plan = job_plan(ex->job);
    return processor < plan->processor_count ? plan->processors[processor].name : "?";
}

static void start(struct executor *ex)
{
    move(ex, EX_RUNNING);
    LOG_INFO(ex_log(ex), "executor.started", KV_U64("executor", ex->options.executor));
    ex_tell_start(ex);
    engine_start(ex->engine);
}

static void on_opened(void *user, const struct lane_failure *failure)
{
    struct executor *ex = user;
    struct gp_error err = {0};

    if (ex->state != EX_OPENING) {
        return;
    }
    desired_deinit(&ex->assigned);
    if (failure) {
        (void)gp_error_set(
            &err, GP_EUSER, "processor '%s', task %u on executor %u, in its %s(): %s",
            processor_name(ex, failure->processor), failure->task, ex->options.executor,
            failure->function ? failure->function : "open", failure->text);
        if (endpoint_reply_error(ex->ep, ex->assign_token, &err) < 0) {
            LOG_ERROR(ex_log(ex), "executor.open_failed", KV_STR("error", err.text));
            ex_stop(ex, EXECUTOR_EXIT_FAILED); /* who asked is gone: its worker tells the next */
        }
        return; /* the appmaster says stop */
    }
    move(ex, EX_OPEN);
    (void)endpoint_reply(ex->ep, ex->assign_token, NULL); /* if that is gone, it asks again */
    if (ex->start_wanted) {
        start(ex);
    }
}

/* The task waits; the appmaster says what becomes of it. */
static void on_failed(void *user, const struct lane_failure *failure)
{
    struct executor *ex = user;

    LOG_WARN(ex_log(ex), "executor.task_failed",
             KV_STR("processor", processor_name(ex, failure->processor)),
             KV_U64("task", failure->task), KV_STR("function", failure->function),
             KV_STR("error", failure->text));
    ex_tell_failure(ex, failure);
}

static void on_news(void *user, uint32_t lane, struct lane_news *news)
{
    ex_tell_news(user, lane, news);
}

static void on_ended(void *user)
{
    struct executor *ex = user;

    if (ex->state != EX_RUNNING) {
        return;
    }
    move(ex, EX_ENDED);
    ex_tell_stop(ex);
    LOG_INFO(ex_log(ex), "executor.ended", KV_U64("executor", ex->options.executor));
    ex_tell_ended(ex);
}

/* Tasks have come. */
static void on_resumed(void *user)
{
    struct executor *ex = user;

    if (ex->state != EX_ENDED) {
        return;
    }
    move(ex, EX_RUNNING);
    LOG_INFO(ex_log(ex), "executor.resumed", KV_U64("executor", ex->options.executor));
    ex_tell_start(ex);
}

static void on_moved(void *user, struct lane_moved *moved)
{
    ex_moves_take(user, moved);
}

static void on_stopped(void *user)
{
    struct executor *ex = user;

    move(ex, EX_STOPPED);
    LOG_INFO(ex_log(ex), "executor.stopped", KV_U64("executor", ex->options.executor));
    ex_report_last(ex);
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
    .on_news = on_news,
    .on_moved = on_moved,
    .on_ended = on_ended,
    .on_resumed = on_resumed,
    .on_stopped = on_stopped,
};

static void on_done_timer(void *user)
{
    struct executor *ex = user;
    ex->options.on_done(ex->options.user, ex->exit_code);
}

/* ---- the appmaster speaks ---- */

/* By one who did not hear the answer. */
static int assigned_again(struct executor *ex, struct reply_token token)
{
    if (ex->state == EX_OPENING) {
        ex->assign_token = token;
        return 0;
    }
    return endpoint_reply(ex->ep, token, NULL);
}

/* What an application gets that does not say otherwise. */
static struct data_options options_of(const struct executor *ex)
{
    struct data_options options = data_options_default();

    options.metrics = ex->options.metrics;
    if (ex->options.sample_rate > 0) {
        options.sample_rate = ex->options.sample_rate;
    }
    return options;
}

static int on_assign(struct executor *ex, struct incoming *in, struct gp_error *err)
{
    struct msg_executor_assign *msg = in->msg;
    const struct data_options otherwise = options_of(ex);
    struct engine_job job;
    int rc;

    rc = ex_obey(ex, msg->epoch, err);
    if (rc < 0) {
        return rc;
    }
    if (ex->state > EX_WAITING && ex->state < EX_STOPPING &&
        msg->generation <= engine_generation(ex->engine)) {
        return assigned_again(ex, in->token);
    }
    if (ex->state != EX_WAITING) {
        return gp_error_set(err, GP_ESTATE, "executor %u has its tasks already",
                            ex->options.executor);
    }
    rc = job_new(ex->port, msg, ex->options.artefacts, &otherwise, &ex->job, err);
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    job_describe(ex->job, &job);
    rc = ex_brought_use(ex, msg->placement, msg->placement_count, &msg->states, &msg->states_count);
    rc = rc < 0 ? gp_error_set(err, rc, "taking what tasks bring")
                : desired_init_assign(&ex->assigned, msg, job_plan(ex->job), err);
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    desired_describe(&ex->assigned, &job);
    move(ex, EX_OPENING);
    ex_tell_open(ex);
    ex->assign_token = in->token;
    LOG_INFO(ex_log(ex), "executor.assigned", KV_U64("executor", ex->options.executor),
             KV_U64("processors", job_plan(ex->job)->processor_count));
    rc = engine_assign(ex->engine, &job, err);
    wanted_take_assign(&ex->wanted, msg);
    return rc;
}

static void answer_update(struct executor *ex, struct reply_token token, bool whole)
{
    const struct msg_executor_updated msg = {.generation = engine_generation(ex->engine),
                                             .whole = whole};

    (void)endpoint_reply(ex->ep, token, &msg); /* who asked may be gone, and asks again */
}

/* Lanes have taken an update: those who asked for it, or for one before it, are answered. */
static void on_updated(void *user, uint64_t generation)
{
    struct executor *ex = user;
    uint32_t kept = 0;

    LOG_INFO(ex_log(ex), "executor.updated", KV_U64("generation", generation));
    ex_tell_updated(ex);
    ex_moves_updated(ex);
    for (uint32_t i = 0; i < ex->update_count; i++) {
        if (ex->updates[i].generation <= generation) {
            answer_update(ex, ex->updates[i].token, false);
        } else {
            ex->updates[kept++] = ex->updates[i];
        }
    }
    ex->update_count = kept;
    if (ex->state == EX_ENDED && engine_has_ended(ex->engine)) {
        ex_tell_ended(ex);
    }
}

/* Gives it to the lanes, built on what was told before. */
static int take_update(struct executor *ex, struct msg_executor_update *msg, struct gp_error *err)
{
    struct msg_executor_update all;
    struct desired desired = {0};
    struct engine_job job;
    struct wanted next;
    int rc = wanted_build(&ex->wanted, msg, &next, err);

    if (rc < 0) {
        return rc;
    }
    rc = ex_brought_use(ex, msg->placement, msg->placement_count, &msg->states, &msg->states_count);
    if (rc < 0) {
        wanted_forget(&next);
        return gp_error_set(err, rc, "taking what tasks bring");
    }
    all = *msg;
    all.placement = next.placement;
    all.placement_count = next.placement_count;
    all.executors = next.executors;
    all.executors_count = next.executors_count;
    job_describe(ex->job, &job);
    rc = desired_init_update(&desired, &all, job_plan(ex->job), err);
    if (rc == 0) {
        desired_describe(&desired, &job);
        rc = engine_update(ex->engine, &job, err);
    }
    desired_deinit(&desired);
    if (rc < 0) {
        wanted_forget(&next);
    } else {
        wanted_commit(&ex->wanted, &next, msg);
    }
    return rc;
}

static int on_update(struct executor *ex, struct incoming *in, struct gp_error *err)
{
    struct msg_executor_update *msg = in->msg;
    int rc;

    if (ex->state < EX_OPENING || ex->state >= EX_STOPPING) {
        return gp_error_set(err, GP_ESTATE, "executor %u has no tasks", ex->options.executor);
    }
    rc = ex_obey(ex, msg->epoch, err);
    if (rc < 0) {
        return rc;
    }
    if (msg->generation <= engine_generation(ex->engine)) {
        answer_update(ex, in->token, false);
        return 0;
    }
    if (!wanted_fits(&ex->wanted, msg)) {
        answer_update(ex, in->token, true);
        return 0;
    }
    if (ex->update_count == EXECUTOR_UPDATES_MAX) {
        return gp_error_set(err, GP_EFULL, "executor %u has %u updates to take",
                            ex->options.executor, EXECUTOR_UPDATES_MAX);
    }
    rc = msg->generation > ex->wanted.generation ? take_update(ex, msg, err) : 0;
    if (rc < 0) {
        gp_error_prefix(err, "executor %u", ex->options.executor);
        return rc;
    }
    ex->updates[ex->update_count++] = (struct waiting_update){msg->generation, in->token};
    return 0;
}

static int on_bring(struct executor *ex, struct incoming *in, struct gp_error *err)
{
    struct msg_executor_bring *msg = in->msg;
    int rc = ex_obey(ex, msg->epoch, err);

    rc = rc < 0 ? rc : ex_brought_take(ex, msg, err);
    return rc < 0 ? rc : endpoint_reply(ex->ep, in->token, NULL);
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
    case MSG_EXECUTOR_BRING:
        return on_bring(ex, in, err);
    case MSG_EXECUTOR_START:
        if (ex->state == EX_OPEN) {
            start(ex);
        } else if (ex->state == EX_OPENING) {
            ex->start_wanted = true;
        }
        return 0;
    case MSG_EXECUTOR_STOP:
        ex->stop_token = in->token;
        ex_stop(ex, EXECUTOR_EXIT_OK);
        return 0;
    default:
        return GP_EUNSUPPORTED;
    }
}

static void on_up(void *user, struct peer *peer)
{
    ex_find_up(user, peer);
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    ex_find_down(user, peer, why);
}

static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    ex_find_unreachable(user, peer, why);
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
    spec.first_core = ex->options.pinned > 0 ? (int32_t)ex->options.pinned - 1 : -1;
    spec.pinned = spec.lanes;
    spec.lanes += ex->options.blocking;
    ex->lane_count = spec.lanes;
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
    rc = rc < 0 ? rc : ex_find_init(ex);
    rc = rc < 0 ? rc : ex_tell_init(ex);
    rc = rc < 0 ? rc : ex_moves_init(ex);
    rc = rc < 0 ? rc : timer_new(ex->port->loop, on_done_timer, ex, &ex->done_timer);
    rc = rc < 0 ? rc : endpoint_new(&config, &ex->ep);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "starting an executor: %s", error_sentence(rc));
    } else {
        rc = start_engine(ex, err);
        rc = rc < 0 ? rc : ex_stuck_init(ex);
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
    ex_stop(ex, EXECUTOR_EXIT_OK);
}

void executor_free(struct executor *ex)
{
    if (!ex) {
        return;
    }
    endpoint_free(ex->ep);
    engine_free(ex->engine);
    desired_deinit(&ex->assigned);
    wanted_deinit(&ex->wanted);
    job_free(ex->job);
    ex_find_deinit(ex);
    ex_tell_deinit(ex);
    ex_moves_deinit(ex);
    ex_brought_deinit(ex);
    ex_stuck_deinit(ex);
    timer_free(ex->done_timer);
    for (uint32_t i = 0; i < ex->text_count; i++) {
        buf_deinit(&ex->texts[i]);
    }
    free(ex);
}
