/*
 * What happens between the two ends of a connection.
 *
 * Happy path: bytes are put into the pipe of a way → arrival → the receiver reads → room → the
 * sender pumps more. Failures: an end leaves with bytes unread, or bytes arrive for an end that has
 * left: a reset goes back, as TCP does, and takes along what is still under way. A cut between the
 * hosts holds events back until it is healed; they are tried again now and then, like
 * retransmissions.
 */
#include "sim/conn.h"

#include <stdlib.h>

static struct sim_way *way_of(struct sim_conn *conn, unsigned from)
{
    return &conn->way[from];
}

/* Whether this event, armed for now, must wait; it is then armed again. */
static bool is_held_back(struct sim_way *way, struct sim_event *event, unsigned from)
{
    struct sim_conn *conn = way->conn;
    struct sim *sim = conn->sim;

    if (!sim_is_cut(conn->host[from], conn->host[1 - from])) {
        return false;
    }
    sim_count(sim, SIM_COUNT_partition_stalled);
    sim_arm_in(sim, event, sim_between(sim, SIM_RETRANSMIT_MIN_NS, SIM_RETRANSMIT_MAX_NS));
    return true;
}

static int64_t draw_latency(struct sim_conn *conn)
{
    return conn->latency_ns + (int64_t)sim_draw(conn->sim, (uint64_t)conn->latency_ns);
}

static void arm_arrival(struct sim_way *way)
{
    int64_t at_ns = sim_pipe_next_ns(&way->pipe);

    if (at_ns != INT64_MAX && !sim_event_armed(&way->arrival)) {
        sim_events_arm(&way->conn->sim->events, &way->arrival, at_ns);
    }
}

static void send_reset(struct sim_way *way)
{
    struct sim_conn *conn = way->conn;

    if (!sim_event_armed(&way->reset)) {
        sim_count(conn->sim, SIM_COUNT_stream_reset);
        sim_arm_in(conn->sim, &way->reset, draw_latency(conn));
    }
}

/* ---- events ---- */

static void on_arrival(struct sim_event *event)
{
    struct sim_way *way = container_of(event, struct sim_way, arrival);
    struct sim_conn *conn = way->conn;
    struct sim_stream *receiver = conn->end[1 - way->from];

    if (is_held_back(way, event, way->from)) {
        return;
    }
    sim_pipe_arrive(&way->pipe, conn->sim->now_ns);
    arm_arrival(way);
    if (receiver != NULL) {
        sim_stream_on_readable(receiver);
    } else if (way->pipe.arrived > 0) {
        sim_pipe_take(&way->pipe, NULL, way->pipe.arrived);
        send_reset(way_of(conn, 1 - way->from));
    }
}

static void on_room(struct sim_event *event)
{
    struct sim_way *way = container_of(event, struct sim_way, room);
    struct sim_stream *sender = way->conn->end[way->from];

    if (sender != NULL && !is_held_back(way, event, 1 - way->from)) {
        sim_stream_on_room(sender);
    }
}

static void on_reset(struct sim_event *event)
{
    struct sim_way *way = container_of(event, struct sim_way, reset);
    struct sim_conn *conn = way->conn;
    struct sim_way *back = way_of(conn, 1 - way->from);
    struct sim_stream *receiver = conn->end[1 - way->from];

    if (is_held_back(way, event, way->from)) {
        return;
    }
    sim_cancel(conn->sim, &way->arrival);
    sim_cancel(conn->sim, &back->arrival);
    sim_pipe_drop(&way->pipe, sim_one_in(conn->sim, 2));
    sim_pipe_drop(&back->pipe, true);
    if (receiver != NULL) {
        sim_stream_on_reset(receiver);
    }
}

/* ---- life ---- */

static void way_init(struct sim_conn *conn, unsigned from)
{
    struct sim_way *way = &conn->way[from];

    way->conn = conn;
    way->from = from;
    way->arrival.fire = on_arrival;
    way->room.fire = on_room;
    way->reset.fire = on_reset;
}

struct sim_conn *sim_conn_new(struct sim_stream *client)
{
    struct sim_loop *l = sim_stream_loop(client);
    struct sim_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL) {
        return NULL;
    }
    list_node_init(&conn->node);
    list_push_back(&l->sim->conns, &conn->node);
    conn->sim = l->sim;
    conn->id = ++l->sim->conn_count;
    conn->end[0] = client;
    conn->host[0] = l->proc->host;
    conn->pid[0] = l->proc->pid;
    way_init(conn, 0);
    way_init(conn, 1);
    client->conn = conn;
    return conn;
}

void sim_conn_join(struct sim_conn *conn, struct sim_stream *server)
{
    struct sim_loop *l = sim_stream_loop(server);
    struct sim *sim = conn->sim;

    conn->end[1] = server;
    conn->host[1] = l->proc->host;
    conn->pid[1] = l->proc->pid;
    server->conn = conn;
    conn->latency_ns = conn->host[0] == conn->host[1]
                           ? sim_draw_log(sim, SIM_LATENCY_LOCAL_MIN_NS, SIM_LATENCY_LOCAL_MAX_NS)
                           : sim_draw_log(sim, SIM_LATENCY_MIN_NS, SIM_LATENCY_MAX_NS);
    conn->bytes_per_us = sim_draw_log(sim, SIM_RATE_MIN, SIM_RATE_MAX);
    for (unsigned i = 0; i < 2; i++) {
        sim_pipe_init(&conn->way[i].pipe,
                      (size_t)sim_draw_log(sim, SIM_WINDOW_MIN, SIM_WINDOW_MAX));
    }
}

static void conn_free(struct sim_conn *conn)
{
    list_remove(&conn->node);
    for (unsigned i = 0; i < 2; i++) {
        sim_cancel(conn->sim, &conn->way[i].arrival);
        sim_cancel(conn->sim, &conn->way[i].room);
        sim_cancel(conn->sim, &conn->way[i].reset);
        sim_pipe_deinit(&conn->way[i].pipe);
    }
    free(conn);
}

void sim_conn_leave(struct sim_conn *conn, unsigned side)
{
    struct sim_way *out = way_of(conn, side);
    struct sim_way *in = way_of(conn, 1 - side);

    conn->end[side] = NULL;
    if (conn->end[1 - side] == NULL) {
        conn_free(conn);
        return;
    }
    if (in->pipe.arrived > 0) {
        send_reset(out);
    } else {
        sim_pipe_end(&out->pipe, sim_time(conn->sim) + draw_latency(conn));
        arm_arrival(out);
    }
}

/* ---- acts of the ends ---- */

void sim_conn_send(struct sim_conn *conn, unsigned side, size_t size)
{
    struct sim *sim = conn->sim;
    struct sim_way *way = way_of(conn, side);
    int64_t now_ns = sim_time(sim);
    int64_t delay_ns = draw_latency(conn);

    way->sent_ns = (way->sent_ns > now_ns ? way->sent_ns : now_ns) +
                   (int64_t)size * SIM_US / conn->bytes_per_us;
    if (sim_fault(sim, sim->options.faults.segment_delayed)) {
        sim_count(sim, SIM_COUNT_segment_delayed);
        delay_ns += sim_between(sim, 0, SIM_SEGMENT_DELAY_MAX_NS);
    }
    sim_pipe_send(&way->pipe, size, way->sent_ns + delay_ns);
    arm_arrival(way);
}

void sim_conn_took(struct sim_conn *conn, unsigned side)
{
    struct sim_way *in = way_of(conn, 1 - side);

    if (conn->end[1 - side] != NULL && !sim_event_armed(&in->room)) {
        sim_arm_in(conn->sim, &in->room, draw_latency(conn));
    }
}

void sim_conn_break(struct sim_conn *conn)
{
    send_reset(way_of(conn, 0));
    send_reset(way_of(conn, 1));
}

typedef void (*conn_fn)(struct sim_conn *conn);

static uint32_t each_between(const struct sim_proc *a, const struct sim_proc *b, conn_fn fn)
{
    uint32_t count = 0;

    LIST_FOREACH (node, &a->sim->conns) {
        struct sim_conn *conn = LIST_ENTRY(node, struct sim_conn, node);
        bool is_theirs = (conn->pid[0] == a->pid && conn->pid[1] == b->pid) ||
                         (conn->pid[0] == b->pid && conn->pid[1] == a->pid);

        if (is_theirs && conn->end[0] != NULL && conn->end[1] != NULL) {
            if (fn) {
                fn(conn);
            }
            count++;
        }
    }
    return count;
}

uint32_t sim_connections(const struct sim_proc *a, const struct sim_proc *b)
{
    return each_between(a, b, NULL);
}

uint32_t sim_reset(struct sim_proc *a, struct sim_proc *b)
{
    return each_between(a, b, sim_conn_break);
}
