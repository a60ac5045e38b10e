/*
 * masters.c: the worker and its masters: it registers with the one that leads.
 *
 *     dialled ─▶ connected ─▶ registered ─▶ lost ─▶ connected ...
 *
 * The endpoint finds the leader (actor/follow.c); the worker registers on every new connection,
 * says which id it had and which grants it keeps, and its processes go on meanwhile. When it is
 * refused, it asks again REGISTER_AGAIN_NS later.
 *
 * Invariant: `term` never goes back. Whoever welcomes us for an older term leads no more and does
 * not know it: what it orders is refused with GP_ESTALE, and after a short wait the next master is
 * tried.
 */
#include "base/str.h"
#include "control/worker/internal.h"

#define REGISTER_AGAIN_NS           1000000000
#define STALE_AGAIN_NS              250000000
#define UNREACHABLE_LOG_INTERVAL_NS 30000000000

/* ---- who they are ---- */

/* As many as are not too long. */
static uint32_t copy_addrs(struct net_addr *addrs, const char *const *addresses, uint32_t count)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count && n < MSG_MASTERS_MAX; i++) {
        if (str_format(addrs[n].text, sizeof addrs[n].text, "%s", addresses[i]) >= 0) {
            n++;
        }
    }
    return n;
}

int masters_dial(struct worker *w, const struct worker_options *options, struct gp_error *err)
{
    struct net_addr addrs[MSG_MASTERS_MAX];
    struct dial_spec spec = {.addrs = addrs, .target = "master", .key = HELLO_KEY_CLUSTER};
    int rc;

    if (options->master_count == 0 || options->master_count > MSG_MASTERS_MAX) {
        return gp_error_set(err, GP_EINVAL, "%u masters; 1 to %u are possible",
                            options->master_count, MSG_MASTERS_MAX);
    }
    w->unreachable.interval_ns = UNREACHABLE_LOG_INTERVAL_NS;
    spec.addrs_count = copy_addrs(addrs, options->masters, options->master_count);
    if (spec.addrs_count < options->master_count) {
        return gp_error_set(err, GP_EINVAL, "the address of a master is too long");
    }
    rc = endpoint_dial(w->ep, &spec, &w->master);
    return rc < 0 ? gp_error_set(err, rc, "master %s: %s", options->masters[0], error_sentence(rc))
                  : 0;
}

int masters_check_term(struct worker *w, uint64_t term, struct gp_error *err)
{
    if (term < w->term) {
        return gp_error_set(err, GP_ESTALE, "term %llu is over: now it is %llu",
                            (unsigned long long)term, (unsigned long long)w->term);
    }
    w->term = term;
    return 0;
}

/* ---- registering ---- */

/* The leader says which masters there are now. None: it does not say. */
static void set_masters(struct worker *w, char *const *addresses, uint32_t count)
{
    struct net_addr addrs[MSG_MASTERS_MAX];
    uint32_t n = copy_addrs(addrs, (const char *const *)addresses, count);

    if (n > 0 && peer_set_addrs(w->master, addrs, n) < 0) {
        LOG_WARN(worker_log(w), "master.list_kept", KV_CODE("code", GP_ENOMEM));
    }
}

static void welcomed(struct worker *w, const struct msg_worker_welcome *welcome)
{
    char name[ADDRESS_TEXT_MAX];

    w->registered = true;
    w->id = welcome->id;
    set_masters(w, welcome->masters, welcome->masters_count);
    (void)str_format(name, sizeof name, "worker/%u", w->id);
    if (endpoint_set_name(w->ep, name) < 0 || endpoint_set_cluster(w->ep, welcome->cluster) < 0) {
        LOG_WARN(worker_log(w), "worker.name_kept", KV_CODE("code", GP_ENOMEM));
    }
    LOG_INFO(worker_log(w), "worker.registered", KV_U64("worker", w->id),
             KV_STR("cluster", welcome->cluster), KV_U64("term", w->term));
    worker_changed(w);
}

static void on_welcome(void *user, struct peer *peer, const struct answer *answer)
{
    struct worker *w = user;
    const struct msg_worker_welcome *welcome = answer->msg;
    struct gp_error err;

    if (answer->code < 0) {
        if (peer_is_up(peer)) { /* else the next connection registers */
            LOG_WARN(worker_log(w), "worker.refused", KV_STR("error", answer->err->text));
            timer_start(w->register_timer, REGISTER_AGAIN_NS);
        }
    } else if (masters_check_term(w, welcome->term, &err) < 0) {
        LOG_WARN(worker_log(w), "master.stale", KV_STR("why", err.text));
        w->is_led_by_stale = true;
        timer_start(w->register_timer, STALE_AGAIN_NS);
    } else {
        welcomed(w, welcome);
    }
}

/* It leads no more, and does not know it yet. */
static void look_elsewhere(struct worker *w)
{
    struct gp_error why;

    (void)gp_error_set(&why, GP_ESTALE, "a leader of a later term was seen");
    peer_redial(w->master, &why);
}

void masters_register(void *user)
{
    struct worker *w = user;
    const struct port *port = w->port;
    struct msg_kept_grant grants[MSG_EXECUTORS_MAX];
    struct msg_worker_register msg = {.id = w->id,
                                      .name = w->name,
                                      .address = w->address,
                                      .host = w->host,
                                      .pid = port->ops->self_pid(port->world),
                                      .cpus = port->ops->cpu_count(port->world),
                                      .slots = w->ledger.slots,
                                      .version = (char *)(uintptr_t)GP_VERSION,
                                      .grants = grants,
                                      .labels = w->labels,
                                      .labels_count = w->label_count};

    if (!peer_is_up(w->master)) {
        return; /* the next connection registers */
    }
    if (w->is_led_by_stale) {
        look_elsewhere(w);
        return;
    }
    for (uint32_t i = 0; i < w->ledger.count && i < ARRAY_LEN(grants); i++) {
        struct ledger_grant *grant = &w->ledger.grants[i];
        grant->due = 0; /* whoever leads now counts anew */
        grants[msg.grants_count++] =
            (struct msg_kept_grant){grant->app, grant->epoch, grant->slots};
    }
    if (peer_ask(w->master, MSG_WORKER_REGISTER, &msg, ASK_TIMEOUT_NS, ASK_FOLLOW, on_welcome, w) <
        0) {
        timer_start(w->register_timer, REGISTER_AGAIN_NS);
    }
}

/* ---- the connection ---- */

void masters_up(struct worker *w)
{
    masters_register(w);
}

void masters_down(struct worker *w, const struct gp_error *why)
{
    if (w->registered && why->code == GP_ENOTLEADER) {
        LOG_INFO(worker_log(w), "master.changed", KV_STR("why", why->text));
    } else if (w->registered) {
        LOG_WARN(worker_log(w), "master.lost", KV_STR("why", why->text));
    }
    w->registered = false;
    w->is_led_by_stale = false;
    timer_stop(w->register_timer);
}

/* Somebody may be waiting for this worker: says what is in its way, now and then. */
void masters_unreachable(struct worker *w, const struct gp_error *why)
{
    uint64_t held_back;

    if (log_limit_pass(&w->unreachable, loop_now_ns(w->port->loop), &held_back)) {
        LOG_WARN(worker_log(w), "master.unreachable", KV_STR("why", why->text),
                 KV_STR("hint", why->code == GP_EACCES
                                    ? "master and worker need the same cluster.secret_file"
                                    : "it is looked for until it comes: see cluster.masters"),
                 KV_U64("held_back", held_back));
    }
}
