/*
 * executor_find.c: how an executor comes to its appmaster, and comes back to it or to the next.
 *
 *   the appmaster is up ──▶ register ──▶ registered
 *   it is down ──▶ it is dialled again, and the masters are asked where the appmaster is (app.where):
 *        the same         goes on dialling
 *        another          is dialled instead
 *        none now         asks again, at growing intervals
 *        it is over       ends
 *
 * Its tasks run on meanwhile. It ends by itself (EXECUTOR_EXIT_ORPHANED) when the application is
 * over, when an appmaster no older than the one it obeyed refuses it, and when masters have said
 * for too long (orphan_timeout_ns) that there is no appmaster. While no master answers it goes on,
 * as long as its worker lives: then nobody can have replaced it.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "data/executor_internal.h"

#define ASK_TIMEOUT_NS INT64_C(10000000000)
#define ASK_MIN_NS     INT64_C(50000000)
#define ASK_MAX_NS     INT64_C(1000000000)
#define ALONE_MAX_NS   INT64_C(600000000000) /* when nothing else is said */
#define DIALS_MAX      5u

static void end(struct executor *ex, const char *event, const char *why)
{
    LOG_WARN(ex_log(ex), event, KV_U64("executor", ex->options.executor), KV_STR("why", why));
    ex_stop(ex, ex->state > EX_REGISTERING ? EXECUTOR_EXIT_ORPHANED : EXECUTOR_EXIT_FAILED);
}

/* ---- looking for it ---- */

static void ask_later(struct executor *ex)
{
    timer_start(ex->ask_timer, ex->ask_again_ns);
    ex->ask_again_ns = ex->ask_again_ns * 2 < ASK_MAX_NS ? ex->ask_again_ns * 2 : ASK_MAX_NS;
}

static void dial_appmaster(struct executor *ex)
{
    struct dial_spec spec = {
        .addrs = &ex->appmaster_addr, .addrs_count = 1, .target = ex->key, .key = ex->key};
    int rc;

    if (ex->appmaster) {
        peer_drop(ex->appmaster);
        ex->appmaster = NULL;
    }
    rc = endpoint_dial(ex->ep, &spec, &ex->appmaster);
    if (rc < 0) {
        LOG_ERROR(ex_log(ex), "executor.dial_failed", KV_CODE("code", rc));
        end(ex, "executor.orphaned", "cannot dial");
    }
}

static void set_alone(struct executor *ex, bool alone)
{
    if (alone && !ex->alone) {
        timer_start(ex->alone_timer, ex->options.orphan_timeout_ns > 0
                                         ? ex->options.orphan_timeout_ns
                                         : ALONE_MAX_NS);
    } else if (!alone) {
        timer_stop(ex->alone_timer);
    }
    ex->alone = alone;
}

static void take_address(struct executor *ex, const struct msg_app_whereabouts *where)
{
    bool is_other = strcmp(where->address, ex->appmaster_addr.text) != 0;

    set_alone(ex, where->address[0] == '\0');
    if (ex->alone || where->epoch < ex->options.epoch) {
        return;
    }
    ex->appmaster_epoch = where->epoch;
    if (is_other) {
        LOG_INFO(ex_log(ex), "executor.appmaster_found", KV_STR("address", where->address),
                 KV_U64("epoch", where->epoch));
        (void)str_format(ex->appmaster_addr.text, sizeof ex->appmaster_addr.text, "%s",
                         where->address); /* one too long is nobody's */
        dial_appmaster(ex);
    }
}

static void on_where(void *user, struct peer *peer, const struct answer *answer)
{
    struct executor *ex = user;

    (void)peer;
    ex->asking = false;
    if (ex->registered || ex->state >= EX_STOPPING) {
        return;
    }
    if (answer->code == GP_ENOENT) {
        end(ex, "executor.orphaned", answer->err->text);
        return;
    }
    if (answer->code == 0) {
        take_address(ex, answer->msg);
    }
    if (ex->state < EX_STOPPING) {
        ask_later(ex);
    }
}

static void ask(struct executor *ex)
{
    const struct msg_app_where msg = {.app = ex->options.app};

    if (ex->asking || !ex->masters || !peer_is_up(ex->masters)) {
        return;
    }
    if (peer_ask(ex->masters, MSG_APP_WHERE, &msg, ASK_TIMEOUT_NS, ASK_FOLLOW, on_where, ex) < 0) {
        ask_later(ex);
    } else {
        ex->asking = true;
    }
}

static void on_ask_timer(void *user)
{
    ask(user);
}

static void on_alone_timer(void *user)
{
    end(user, "executor.orphaned", "there has been no appmaster for too long");
}

static void look(struct executor *ex)
{
    const struct dial_spec spec = {.addrs = ex->master_addrs,
                                   .addrs_count = ex->master_count,
                                   .target = "master",
                                   .key = ex->key};

    if (ex->masters || ex->state >= EX_STOPPING) {
        return;
    }
    ex->ask_again_ns = ASK_MIN_NS;
    if (endpoint_dial(ex->ep, &spec, &ex->masters) < 0) {
        LOG_WARN(ex_log(ex), "executor.masters_not_dialled");
    }
}

static void found(struct executor *ex)
{
    timer_stop(ex->ask_timer);
    set_alone(ex, false);
    if (ex->masters) {
        struct peer *masters = ex->masters;
        ex->masters = NULL;
        peer_drop(masters); /* an ask that is open ends from inside */
    }
    ex->asking = false;
}

/* ---- registering ---- */

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

static void register_now(struct executor *ex);

/* The one that refuses may itself be of the past. */
static void refused(struct executor *ex, const struct gp_error *why)
{
    if (why->code == GP_ESTALE && ex->appmaster_epoch < ex->options.epoch && ex->master_count > 0) {
        look(ex);
        return;
    }
    end(ex, "executor.refused", why->text);
}

static void on_registered(void *user, struct peer *peer, const struct answer *answer)
{
    struct executor *ex = user;

    if (ex->state >= EX_STOPPING || peer != ex->appmaster) {
        return;
    }
    switch (answer->code) {
    case 0:
        ex->registered = true;
        found(ex);
        LOG_INFO(ex_log(ex), "executor.registered", KV_U64("executor", ex->options.executor));
        if (ex->state == EX_REGISTERING) {
            ex_registered(ex);
        } else {
            ex_tell_all(ex);
        }
        break;
    case GP_ETIMEOUT:
        register_now(ex);
        break;
    case GP_ECLOSED:
    case GP_ECANCELED:
    case GP_EAGAIN:
        break; /* on_up or another appmaster follows */
    default:
        if (peer_is_up(peer)) {
            refused(ex, answer->err);
        }
        break;
    }
}

static int ask_registration(struct executor *ex)
{
    struct msg_executor_register msg = {.app = ex->options.app,
                                        .epoch = ex->options.epoch,
                                        .executor = ex->options.executor,
                                        .host = (char *)(uintptr_t)ex->options.host,
                                        .pid = ex->port->ops->self_pid(ex->port->world),
                                        .incarnation = endpoint_incarnation(ex->ep),
                                        .generation = engine_generation(ex->engine),
                                        .started = ex->state >= EX_RUNNING || ex->start_wanted};
    uint32_t count = engine_lane_count(ex->engine);
    int rc;

    msg.lanes = calloc(count, sizeof *msg.lanes);
    if (!msg.lanes) {
        return GP_ENOMEM;
    }
    msg.lanes_count = count;
    msg.blocking = ex->options.blocking;
    msg.pinned = ex->options.pinned;
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

static void register_now(struct executor *ex)
{
    int rc = ask_registration(ex);

    if (rc < 0 && rc != GP_ECLOSED) {
        LOG_ERROR(ex_log(ex), "executor.register_failed", KV_CODE("code", rc));
        end(ex, "executor.orphaned", error_sentence(rc));
    }
}

/* ---- what the endpoint says ---- */

void ex_find_up(struct executor *ex, struct peer *peer)
{
    if (ex->state >= EX_STOPPING || ex->state < EX_REGISTERING) {
        return;
    }
    if (peer == ex->appmaster) {
        register_now(ex);
    } else if (peer == ex->masters) {
        ask(ex);
    }
}

void ex_find_down(struct executor *ex, struct peer *peer, const struct gp_error *why)
{
    if (ex->state >= EX_STOPPING) {
        return;
    }
    if (peer == ex->masters) {
        set_alone(ex, false); /* nobody says so any more */
        return;
    }
    if (peer != ex->appmaster) {
        return;
    }
    ex->registered = false;
    if (ex->master_count == 0) {
        end(ex, "executor.orphaned", why->text);
        return;
    }
    LOG_WARN(ex_log(ex), "executor.appmaster_lost", KV_STR("why", why->text));
    look(ex);
}

/* It was there a moment ago, so one refusal means little. */
void ex_find_unreachable(struct executor *ex, struct peer *peer, const struct gp_error *why)
{
    if (peer == ex->appmaster && (ex->master_count > 0 || ++ex->dials_failed == DIALS_MAX)) {
        ex_find_down(ex, peer, why);
    }
}

void ex_find_first(struct executor *ex)
{
    (void)str_format(ex->appmaster_addr.text, sizeof ex->appmaster_addr.text, "%s",
                     ex->options.appmaster); /* one too long is nobody's */
    dial_appmaster(ex);
}

int ex_obey(struct executor *ex, uint32_t epoch, struct gp_error *err)
{
    if (epoch < ex->options.epoch) {
        return gp_error_set(err, GP_ESTALE, "executor %u obeys epoch %u", ex->options.executor,
                            ex->options.epoch);
    }
    ex->options.epoch = epoch;
    return 0;
}

int ex_find_init(struct executor *ex)
{
    int rc = timer_new(ex->port->loop, on_ask_timer, ex, &ex->ask_timer);

    ex->appmaster_epoch = ex->options.epoch;
    for (uint32_t i = 0; i < ex->options.master_count && i < MSG_MASTERS_MAX; i++) {
        if (str_format(ex->master_addrs[ex->master_count].text, NET_ADDR_MAX, "%s",
                       ex->options.masters[i]) >= 0) {
            ex->master_count++;
        }
    }
    ex->options.masters = NULL; /* the caller's */
    return rc < 0 ? rc : timer_new(ex->port->loop, on_alone_timer, ex, &ex->alone_timer);
}

void ex_find_stop(struct executor *ex)
{
    timer_stop(ex->ask_timer);
    timer_stop(ex->alone_timer);
}

void ex_find_deinit(struct executor *ex)
{
    timer_free(ex->ask_timer);
    timer_free(ex->alone_timer);
}
