/*
 * port/net.h: who listens where, connecting, and cuts between hosts.
 *
 *     connect ─▶ SYN ─ a listener ─▶ its backlog ─▶ accepted there; answer ─▶ connected here
 *                 │ nobody ─▶ refused     │ full, or a cut ─▶ SYN again each second, 127 s long
 *
 * A host has one name; a listener is bound to it, to loopback or to every address. Unix sockets are
 * found through the disk, where a file of a dead listener stays, as in reality. Failures are told
 * by status: GP_ENOENT (no such host, no such file), GP_EUNREACH (nobody listens), GP_ETIMEOUT.
 */
#include <stdlib.h>

#include "base/str.h"
#include "sim/addr.h"
#include "sim/conn.h"
#include "sim/disk.h"

struct sim_listener {
    struct listener base; /* first: what users see */
    struct sim_object object;
    struct list_node node; /* in host->listeners */
    struct sim_loop *loop;
    struct net_addr addr;
    struct sim_addr parsed; /* borrows from addr */
    net_accept_fn fn;
    void *user;
    struct list backlog; /* struct sim_stream, connected and not accepted */
    uint32_t backlog_count;
    struct sim_call accept_call;
};

/* ---- cuts ---- */

struct sim_cut {
    struct list_node node; /* in from->cuts */
    const struct sim_host *to;
};

bool sim_is_cut(const struct sim_host *from, const struct sim_host *to)
{
    if (from->is_frozen || to->is_frozen) {
        return true;
    }
    LIST_FOREACH (node, &from->cuts) {
        if (LIST_ENTRY(node, struct sim_cut, node)->to == to) {
            return true;
        }
    }
    return false;
}

void sim_cut_add(struct sim_host *from, const struct sim_host *to)
{
    struct sim_cut *cut;

    LIST_FOREACH (node, &from->cuts) {
        if (LIST_ENTRY(node, struct sim_cut, node)->to == to) {
            return;
        }
    }
    cut = calloc(1, sizeof(*cut));
    ASSERT(cut != NULL);
    cut->to = to;
    list_node_init(&cut->node);
    list_push_back(&from->cuts, &cut->node);
}

void sim_cut_oneway(struct sim_host *from, struct sim_host *to)
{
    sim_count(from->sim, SIM_COUNT_link_cut_oneway);
    sim_trace_note(from->sim, NULL, SIM_KIND_faulted, SIM_COUNT_link_cut_oneway, 0);
    sim_cut_add(from, to);
}

void sim_cut(struct sim_host *a, struct sim_host *b)
{
    sim_count(a->sim, SIM_COUNT_link_cut);
    sim_trace_note(a->sim, NULL, SIM_KIND_faulted, SIM_COUNT_link_cut, 0);
    sim_cut_add(a, b);
    sim_cut_add(b, a);
}

void sim_cut_remove(struct sim_host *from, const struct sim_host *to)
{
    LIST_FOREACH_SAFE(node, &from->cuts)
    {
        struct sim_cut *cut = LIST_ENTRY(node, struct sim_cut, node);

        if (to == NULL || cut->to == to) {
            list_remove(&cut->node);
            free(cut);
        }
    }
}

void sim_heal(struct sim_host *a, struct sim_host *b)
{
    sim_flaps_end(a, b);
    sim_cut_remove(a, b);
    sim_cut_remove(b, a);
}

void sim_cuts_free(struct sim_host *host)
{
    sim_cut_remove(host, NULL);
}

/* ---- listening ---- */

/* Whether a listener bound to `bound` hears what is sent to `host`, an address of its machine. */
static bool hears(gp_str bound, gp_str host)
{
    return sim_addr_is_any(bound) || str_eq(bound, host) ||
           (sim_addr_is_loopback(bound) && sim_addr_is_loopback(host) &&
            (str_eq(bound, GP_STR("localhost")) || str_eq(host, GP_STR("localhost"))));
}

static struct sim_listener *find_tcp(const struct sim_host *machine, gp_str host, uint16_t port)
{
    LIST_FOREACH (node, &machine->listeners) {
        struct sim_listener *listener = LIST_ENTRY(node, struct sim_listener, node);

        if (!listener->parsed.is_unix && listener->parsed.port == port &&
            (hears(listener->parsed.host, host) || sim_addr_is_any(host))) {
            return listener;
        }
    }
    return NULL;
}

static uint16_t next_port(struct sim_host *host)
{
    host->port_next = host->port_next < UINT16_MAX ? host->port_next + 1 : SIM_EPHEMERAL_PORT;
    return (uint16_t)host->port_next;
}

static int bind_tcp(struct sim_host *host, struct sim_listener *listener, struct gp_error *err)
{
    struct sim_addr *parsed = &listener->parsed;
    bool is_own = str_eq(parsed->host, gp_str_of(host->name));

    if (!is_own && !sim_addr_is_loopback(parsed->host) && !sim_addr_is_any(parsed->host)) {
        return gp_error_set(err, GP_EINVAL, "cannot listen on %s: not an address of this host",
                            listener->addr.text);
    }
    if (parsed->port == 0) {
        struct net_addr with_port;
        size_t head = strlen(listener->addr.text) - 1; /* up to the last 0 */

        do {
            parsed->port = next_port(host);
        } while (find_tcp(host, parsed->host, parsed->port) != NULL);
        while (listener->addr.text[head - 1] != ':') {
            head--;
        }
        if (str_format(with_port.text, sizeof(with_port.text), "%.*s%u", (int)head,
                       listener->addr.text, parsed->port) < 0) {
            return gp_error_set(err, GP_EINVAL, "%s: too long", listener->addr.text);
        }
        listener->addr = with_port; /* parsed.host still borrows the same bytes */
        return 0;
    }
    if (find_tcp(host, parsed->host, parsed->port) != NULL) {
        return gp_error_set(err, GP_EADDRINUSE, "cannot listen on %s: address in use",
                            listener->addr.text);
    }
    return 0;
}

static int bind_any(struct sim_host *host, struct sim_listener *listener, struct gp_error *err)
{
    int rc;

    if (sim_addr_parse(&listener->addr, &listener->parsed) < 0) {
        return gp_error_set(err, GP_EINVAL, "cannot listen on %.*s: not an address", NET_ADDR_MAX,
                            listener->addr.text);
    }
    if (!listener->parsed.is_unix) {
        return bind_tcp(host, listener, err);
    }
    rc = sim_disk_bind(host->disk, listener->parsed.path, listener);
    if (rc < 0) {
        return gp_error_set(err, rc, "cannot listen on %s: %s", listener->addr.text,
                            error_sentence(rc));
    }
    return 0;
}

static void run_accept(struct sim_call *call)
{
    struct sim_listener *listener = container_of(call, struct sim_listener, accept_call);
    struct sim_loop *l = listener->loop;
    struct list_node *node = list_pop_front(&listener->backlog);
    struct sim_stream *s = LIST_ENTRY(node, struct sim_stream, backlog_node);

    listener->backlog_count--;
    if (!list_is_empty(&listener->backlog)) {
        sim_count(l->sim, SIM_COUNT_accept_backlogged);
        sim_loop_post(l, &listener->accept_call);
    }
    s->state = SIM_STREAM_OPEN;
    sim_stream_hand_over(s);
    sim_trace_note(l->sim, l, SIM_KIND_accepted, s->conn->id, 0);
    listener->fn(listener->user, &s->base); /* may free the listener */
}

static void sim_listener_free(struct listener *base)
{
    struct sim_listener *listener = container_of(base, struct sim_listener, base);
    struct list_node *node;

    sim_loop_check(listener->loop);
    while ((node = list_pop_front(&listener->backlog)) != NULL) {
        sim_stream_close(LIST_ENTRY(node, struct sim_stream, backlog_node));
    }
    sim_loop_unpost(listener->loop, &listener->accept_call);
    if (listener->parsed.is_unix) {
        sim_disk_unbind(listener->loop->proc->host->disk, listener->parsed.path, listener,
                        listener->loop->proc->is_mute);
    }
    sim_object_remove(&listener->object);
    list_remove(&listener->node);
    free(listener);
}

static void listener_dispose(struct sim_object *object)
{
    sim_listener_free(&container_of(object, struct sim_listener, object)->base);
}

static int sim_listen(struct loop *loop, const struct net_addr *addr, net_accept_fn fn, void *user,
                      struct listener **ret, struct gp_error *err)
{
    struct sim_loop *l = sim_loop_of(loop);
    struct sim_listener *listener;
    int rc;

    sim_loop_check(l);
    if (l->proc->is_mute) {
        return gp_error_set(err, GP_ECLOSED, "the process is being killed");
    }
    listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a listener");
    }
    listener->base.loop = loop;
    listener->loop = l;
    listener->addr = *addr;
    listener->fn = fn;
    listener->user = user;
    rc = bind_any(l->proc->host, listener, err);
    if (rc < 0) {
        free(listener);
        return rc;
    }
    list_init(&listener->backlog);
    list_node_init(&listener->node);
    list_push_back(&l->proc->host->listeners, &listener->node);
    sim_call_init(&listener->accept_call, run_accept);
    sim_object_add(l, &listener->object, "listener", listener_dispose);
    *ret = &listener->base;
    return 0;
}

static void sim_listener_addr(struct listener *base, struct net_addr *ret_addr)
{
    *ret_addr = container_of(base, struct sim_listener, base)->addr;
}

/* ---- connecting ---- */

static struct sim_host *find_host(struct sim_host *from, gp_str name)
{
    if (sim_addr_is_loopback(name) || sim_addr_is_any(name)) {
        return from;
    }
    LIST_FOREACH (node, &from->sim->hosts) {
        struct sim_host *host = LIST_ENTRY(node, struct sim_host, node);

        if (str_eq(name, gp_str_of(host->name))) {
            return host;
        }
    }
    return NULL;
}

static int find_listener(struct sim_stream *s, struct sim_host *host, const struct sim_addr *addr,
                         struct sim_listener **ret)
{
    struct sim *sim = host->sim;
    void *bound;
    int rc;

    if (sim_fault(sim, sim->options.faults.connect_refused)) {
        return GP_EUNREACH;
    }
    if (addr->is_unix) {
        rc = sim_disk_find_bound(s->conn->host[0]->disk, addr->path, &bound);
        if (rc < 0) {
            return rc;
        }
        *ret = bound;
        return 0;
    }
    *ret = find_tcp(host, addr->host, addr->port);
    return *ret != NULL ? 0 : GP_EUNREACH;
}

/* "10.0.0.1:40000", as the listener's side sees the other. */
static void name_peer(struct sim_stream *server, struct sim_host *client, bool is_loopback)
{
    (void)str_format(server->peer.text, sizeof(server->peer.text), "%s:%u",
                     is_loopback ? "127.0.0.1" : client->name, next_port(client));
}

static int join_backlog(struct sim_stream *s, struct sim_listener *listener, bool is_unix)
{
    struct sim_stream *server = sim_stream_new(listener->loop, 1);

    if (server == NULL) {
        return GP_ENOMEM;
    }
    s->conn->is_unix = is_unix;
    sim_conn_join(s->conn, server);
    if (is_unix) {
        (void)str_format(server->peer.text, sizeof(server->peer.text), "unix:");
    } else {
        name_peer(server, s->conn->host[0], s->conn->host[0] == s->conn->host[1]);
    }
    list_push_back(&listener->backlog, &server->backlog_node);
    listener->backlog_count++;
    sim_loop_post(listener->loop, &listener->accept_call);
    return 0;
}

/* The outcome sets out for the client. */
static void answer_syn(struct sim_stream *s, int status)
{
    struct sim *sim = sim_stream_loop(s)->sim;

    s->status = status;
    sim_arm_in(sim, &s->syn_answered,
               sim_draw_log(sim, SIM_LATENCY_LOCAL_MIN_NS, SIM_LATENCY_MAX_NS));
}

static void retry_syn(struct sim_stream *s)
{
    struct sim *sim = sim_stream_loop(s)->sim;

    if (sim->now_ns - s->syn_first_ns < SIM_CONNECT_TIMEOUT_NS) {
        sim_arm_in(sim, &s->syn, SIM_CONNECT_RETRY_NS);
    } else {
        sim_count(sim, SIM_COUNT_connect_timed_out);
        answer_syn(s, GP_ETIMEOUT);
    }
}

static void on_syn(struct sim_event *event)
{
    struct sim_stream *s = container_of(event, struct sim_stream, syn);
    struct sim_host *from = s->conn->host[0];
    struct sim_listener *listener = NULL;
    struct sim_host *host;
    struct sim_addr addr;
    int rc = sim_addr_parse(&s->target, &addr);

    ASSERT(rc == 0);
    host = addr.is_unix ? from : find_host(from, addr.host);
    if (host == NULL) {
        sim_count(from->sim, SIM_COUNT_connect_unresolved);
        answer_syn(s, GP_ENOENT);
        return;
    }
    if (sim_is_cut(from, host) || sim_is_cut(host, from)) {
        retry_syn(s);
        return;
    }
    rc = find_listener(s, host, &addr, &listener);
    if (rc == 0 && listener->backlog_count >= SIM_BACKLOG_MAX) {
        retry_syn(s);
        return;
    }
    if (rc == 0) {
        rc = join_backlog(s, listener, addr.is_unix);
    } else {
        sim_count(from->sim, SIM_COUNT_connect_refused);
    }
    answer_syn(s, rc);
}

static void on_syn_answered(struct sim_event *event)
{
    struct sim_stream *s = container_of(event, struct sim_stream, syn_answered);

    sim_loop_post(sim_stream_loop(s), &s->connected_call);
}

static void run_connected(struct sim_call *call)
{
    struct sim_stream *s = container_of(call, struct sim_stream, connected_call);
    struct sim_loop *l = sim_stream_loop(s);

    s->state = s->status == 0 ? SIM_STREAM_OPEN : SIM_STREAM_FAILED;
    sim_trace_note(l->sim, l, SIM_KIND_connected, s->conn->id, s->status);
    s->on_connected(s->connect_user, s->status); /* may free the stream */
}

static int sim_connect(struct loop *loop, const struct net_addr *addr, net_connect_fn fn,
                       void *user, struct stream **ret)
{
    struct sim_loop *l = sim_loop_of(loop);
    struct sim_stream *s;
    struct sim_addr parsed;

    sim_loop_check(l);
    if (l->proc->is_mute) {
        return GP_ECLOSED;
    }
    if (sim_addr_parse(addr, &parsed) < 0 || (!parsed.is_unix && parsed.port == 0)) {
        return GP_EINVAL;
    }
    s = sim_stream_new(l, 0);
    if (s == NULL || sim_conn_new(s) == NULL) {
        free(s);
        return GP_ENOMEM;
    }
    s->target = *addr;
    s->peer = *addr;
    s->on_connected = fn;
    s->connect_user = user;
    s->syn.fire = on_syn;
    s->syn_answered.fire = on_syn_answered;
    s->syn_first_ns = sim_time(l->sim);
    sim_call_init(&s->connected_call, run_connected);
    sim_stream_hand_over(s);
    sim_arm_in(l->sim, &s->syn, sim_draw_log(l->sim, SIM_LATENCY_LOCAL_MIN_NS, SIM_LATENCY_MAX_NS));
    *ret = &s->base;
    return 0;
}

void sim_net_give_up(struct sim_stream *s)
{
    struct sim_loop *l = sim_stream_loop(s);

    if (s->side == 0) {
        sim_cancel(l->sim, &s->syn);
        sim_cancel(l->sim, &s->syn_answered);
        sim_loop_unpost(l, &s->connected_call);
    }
}

/* ---- who is there ---- */

static void sim_peer_addr(struct stream *stream, struct net_addr *ret_addr)
{
    *ret_addr = ((struct sim_stream *)stream)->peer;
}

const struct net_ops sim_net_ops = {
    .listen = sim_listen,
    .listener_addr = sim_listener_addr,
    .listener_free = sim_listener_free,
    .connect = sim_connect,
    .read_start = sim_stream_read_start,
    .read_resume = sim_stream_read_resume,
    .write = sim_stream_write,
    .write_queue_bytes = sim_stream_write_queue_bytes,
    .peer_addr = sim_peer_addr,
    .stream_end = sim_stream_end,
    .stream_free = sim_stream_free,
};
