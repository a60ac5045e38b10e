/*
 * troupe_worker.c: the puppets of workers: they start, resize and stop what they are asked to, and
 * say what ended.
 */
#include "base/str.h"
#include "gp_test.h"
#include "troupe_puppets.h"

static void on_child_exit(void *user, const struct proc_exit *how)
{
    struct fake_executor *e = user;
    struct fake_worker *w = &e->troupe->workers[e->worker - 1];
    struct msg_process_exited msg = {.app = APP,
                                     .executor = e->id,
                                     .epoch = 1,
                                     .code = how->code,
                                     .signal = (uint32_t)how->signal,
                                     .crash = text(how->signal ? "SIGKILL" : "")};

    e->alive = false;
    if (w->appmaster) {
        (void)peer_tell(w->appmaster, MSG_PROCESS_EXITED, &msg);
    }
}

static int launch_executor(struct fake_worker *w, const struct msg_executor_launch *msg,
                           struct reply_token token, struct gp_error *err)
{
    struct fake_executor *e = &w->troupe->executors_of[msg->executor];
    const struct msg_launched launched = {.pid = 1000 + msg->executor};
    char number[16];
    const char *args[] = {"executor", number, msg->appmaster, NULL};
    const struct proc_spec spec = {.args = args, .on_exit = on_child_exit, .user = e};

    GP_REQUIRE(msg->executor < TROUPE_EXECUTORS);
    GP_CHECK_EQ(e->id, 0); /* never used twice */
    *e = (struct fake_executor){
        .troupe = w->troupe, .id = msg->executor, .worker = w->id, .slots = msg->slots};
    (void)str_format(number, sizeof number, "%u", msg->executor);
    w->launches++;
    if (port_spawn(w->port, &spec, &e->child, err) < 0) {
        return err->code;
    }
    return endpoint_reply(w->ep, token, &launched);
}

static int resize_executor(struct fake_worker *w, const struct msg_executor_resize *msg,
                           struct reply_token token, struct gp_error *err)
{
    struct fake_executor *e = &w->troupe->executors_of[msg->executor];

    GP_REQUIRE(msg->executor < TROUPE_EXECUTORS);
    if (!e->alive || e->worker != w->id) {
        return gp_error_set(err, GP_ENOENT, "it does not run here");
    }
    if (msg->slots > e->slots && w->troupe->refuse_to_grow) {
        return gp_error_set(err, GP_EFULL, "there are not so many slots");
    }
    e->slots = msg->slots;
    return endpoint_reply(w->ep, token, NULL);
}

static int worker_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct fake_worker *w = user;
    const struct msg_process_ref *ref = in->msg;

    (void)peer;
    switch (in->type) {
    case MSG_EXECUTOR_LAUNCH:
        return launch_executor(w, in->msg, in->token, err);
    case MSG_EXECUTOR_RESIZE:
        return resize_executor(w, in->msg, in->token, err);
    case MSG_PROCESS_STOP:
        w->kills += ref->at_once;
        if (ref->executor < TROUPE_EXECUTORS && w->troupe->executors_of[ref->executor].alive &&
            w->troupe->executors_of[ref->executor].worker == w->id) {
            proc_kill(w->port, w->troupe->executors_of[ref->executor].child, 9);
        }
        return endpoint_reply(w->ep, in->token, NULL);
    default:
        return GP_EUNSUPPORTED;
    }
}

static void worker_up(void *user, struct peer *peer)
{
    struct fake_worker *w = user;
    w->appmaster = peer;
}

static void worker_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct fake_worker *w = user;
    (void)why;
    w->appmaster = w->appmaster == peer ? NULL : w->appmaster;
}

static const struct endpoint_events worker_events = {.on_up = worker_up,
                                                     .on_down = worker_down,
                                                     .on_message = worker_message,
                                                     .key_find = puppet_key_find};

int puppet_worker_begin(struct fake_worker *w, uint32_t id, const struct port *port,
                        struct gp_error *err)
{
    struct net_addr addr;
    char name[16];

    w->id = id;
    w->port = port;
    w->proc = sim_proc_of(port);
    (void)str_format(name, sizeof name, "worker/%u", id);
    w->ep = puppet_endpoint(port, ROLE_WORKER, name, &worker_events, w);
    (void)str_format(addr.text, sizeof addr.text, "10.0.0.%u:4000", 2 + id);
    return endpoint_listen(w->ep, &addr, NULL, err);
}

void puppet_worker_end(struct fake_worker *w)
{
    endpoint_free(w->ep);
    w->ep = NULL;
    w->appmaster = NULL;
    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        struct fake_executor *e = &w->troupe->executors_of[i];
        if (e->worker == w->id && e->child) {
            proc_free(w->port, e->child);
            e->child = NULL;
        }
    }
}
