/*
 * The ends of connections: reading, writing and closing, as net.h promises them.
 *
 *     OPEN ─ stream_end, bytes queued ─▶ ENDING ─ all taken, or 1 s ─▶ CLOSED ─ callbacks told ─▶ freed
 *       └────────────────────────── stream_free ───────────────────────▶
 *
 * Invariants: a write is in `writes` until the connection has taken all of it, then in `written`
 * until its callback; its status is final when it moves. written_call is posted while `written` is
 * not empty. A CLOSED stream has left its connection and lives on only for `written`. One callback
 * in a step, and nothing of the stream is touched after it, for it may free the stream.
 */
#include <stdlib.h>

#include "sim/conn.h"

struct sim_write {
    struct list_node node;
    net_written_fn fn;
    void *user;
    uint32_t count;
    uint32_t index; /* of the slice in which it stands */
    size_t offset;
    int status;
    struct net_buf bufs[SIM_WRITE_BUFS_MAX];
};

static struct sim_stream *stream_of(struct stream *stream)
{
    return container_of(stream, struct sim_stream, base);
}

static struct sim_pipe *pipe_in(struct sim_stream *s)
{
    return &s->conn->way[1 - s->side].pipe;
}

/* ---- reading ---- */

static bool has_news(struct sim_stream *s)
{
    return pipe_in(s)->arrived > 0 || pipe_in(s)->end_arrived || s->is_broken;
}

void sim_stream_on_readable(struct sim_stream *s)
{
    size_t arrived = pipe_in(s)->arrived;

    if (s->state == SIM_STREAM_ENDING && arrived > 0) {
        /* Read and dropped, lest unread bytes turn the end into a reset. */
        sim_pipe_take(pipe_in(s), NULL, arrived);
        sim_conn_took(s->conn, s->side);
    }
    if (s->is_reading && !s->is_paused && has_news(s)) {
        sim_loop_post(sim_stream_loop(s), &s->read_call);
    }
}

/* How much of what is there one read gets: mostly all, now and then crumbs. */
static size_t draw_piece(struct sim *sim)
{
    switch (sim_draw(sim, 8)) {
    case 0:
        return 1 + sim_draw(sim, 64);
    case 1:
    case 2:
        return (size_t)sim_draw_log(sim, 1, SIM_PIECE_MAX);
    default:
        return SIM_PIECE_MAX;
    }
}

/* Asks the reader for a place; false when it pauses, or when nothing comes of it this time. */
static bool find_place(struct sim_stream *s, void **ret_ptr, size_t *ret_len)
{
    struct sim *sim = sim_stream_loop(s)->sim;

    *ret_ptr = s->reader->alloc(s->reader_user, ret_len);
    if (*ret_ptr == NULL) {
        s->is_paused = true;
        sim_count(sim, SIM_COUNT_read_paused);
        return false;
    }
    ASSERT(*ret_len > 0);
    if (sim_one_in(sim, 32)) {
        sim_count(sim, SIM_COUNT_read_asked_twice);
        sim_loop_post(sim_stream_loop(s), &s->read_call);
        return false;
    }
    return true;
}

static void tell_end(struct sim_stream *s)
{
    struct sim_loop *l = sim_stream_loop(s);

    s->is_reading = false;
    sim_count(l->sim, SIM_COUNT_read_end);
    sim_trace_note(l->sim, l, SIM_KIND_read, s->conn->id, GP_ECLOSED);
    s->reader->on_read(s->reader_user, GP_ECLOSED);
}

static void run_read(struct sim_call *call)
{
    struct sim_stream *s = container_of(call, struct sim_stream, read_call);
    struct sim_loop *l = sim_stream_loop(s);
    struct sim_pipe *in = pipe_in(s);
    size_t piece;
    size_t len;
    void *ptr;

    if (!has_news(s) || !find_place(s, &ptr, &len)) {
        return;
    }
    if (in->arrived == 0) {
        tell_end(s);
        return;
    }
    len = len < in->arrived ? len : in->arrived;
    piece = draw_piece(l->sim);
    if (piece < len) {
        sim_count(l->sim, SIM_COUNT_read_partial);
        len = piece;
    }
    sim_pipe_take(in, ptr, len);
    sim_conn_took(s->conn, s->side);
    if (has_news(s)) {
        sim_loop_post(l, &s->read_call);
    }
    sim_trace_note(l->sim, l, SIM_KIND_read, s->conn->id, (int64_t)len);
    s->reader->on_read(s->reader_user, (int64_t)len);
}

int sim_stream_read_start(struct stream *stream, const struct stream_reader *reader, void *user)
{
    struct sim_stream *s = stream_of(stream);

    sim_loop_check(sim_stream_loop(s));
    if (s->state != SIM_STREAM_OPEN) {
        return GP_ESTATE;
    }
    ASSERT(s->reader == NULL);
    s->reader = reader;
    s->reader_user = user;
    s->is_reading = true;
    sim_stream_on_readable(s);
    return 0;
}

void sim_stream_read_resume(struct stream *stream)
{
    struct sim_stream *s = stream_of(stream);

    sim_loop_check(sim_stream_loop(s));
    if (s->is_paused) {
        s->is_paused = false;
        sim_stream_on_readable(s);
    }
}

/* ---- writing ---- */

static void finish_write(struct sim_stream *s, struct sim_write *w, int status)
{
    w->status = status;
    list_remove(&w->node);
    list_push_back(&s->written, &w->node);
    sim_loop_post(sim_stream_loop(s), &s->written_call);
}

static void finish_all(struct sim_stream *s, int status)
{
    struct list_node *node;

    while ((node = list_first(&s->writes)) != NULL) {
        finish_write(s, LIST_ENTRY(node, struct sim_write, node), status);
    }
    s->queued_bytes = 0;
}

/* Moves what the connection has room for; returns how much that was. */
static size_t put_write(struct sim_stream *s, struct sim_write *w)
{
    struct sim_pipe *out = &s->conn->way[s->side].pipe;
    size_t total = 0;

    while (w->index < w->count) {
        const struct net_buf *slice = &w->bufs[w->index];
        size_t put =
            sim_pipe_put(out, (const char *)slice->ptr + w->offset, slice->len - w->offset);

        total += put;
        w->offset += put;
        if (w->offset < slice->len) {
            break;
        }
        w->index++;
        w->offset = 0;
    }
    return total;
}

static void pump(struct sim_stream *s)
{
    struct sim_loop *l = sim_stream_loop(s);
    struct list_node *node;
    size_t total = 0;

    while ((node = list_first(&s->writes)) != NULL) {
        struct sim_write *w = LIST_ENTRY(node, struct sim_write, node);
        size_t put = put_write(s, w);

        total += put;
        if (w->index < w->count) {
            sim_count(l->sim, put > 0 ? SIM_COUNT_write_partial : SIM_COUNT_write_queued);
            break;
        }
        finish_write(s, w, 0);
    }
    if (total > 0) {
        s->queued_bytes -= total;
        sim_trace_note(l->sim, l, SIM_KIND_wrote, s->conn->id, (int64_t)total);
        sim_conn_send(s->conn, s->side, total);
    }
}

void sim_stream_on_room(struct sim_stream *s)
{
    if (!s->is_broken) {
        pump(s);
    }
}

void sim_stream_on_reset(struct sim_stream *s)
{
    s->is_broken = true;
    finish_all(s, GP_ECLOSED);
    sim_stream_on_readable(s);
}

int sim_stream_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                     net_written_fn fn, void *user)
{
    struct sim_stream *s = stream_of(stream);
    struct sim_loop *l = sim_stream_loop(s);
    struct sim_write *w;

    sim_loop_check(l);
    ASSERT(count <= SIM_WRITE_BUFS_MAX);
    if (s->state != SIM_STREAM_OPEN) {
        return GP_ESTATE;
    }
    if (l->proc->is_mute || (s->is_broken && sim_one_in(l->sim, 2))) {
        return GP_ECLOSED;
    }
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return GP_ENOMEM;
    }
    w->fn = fn;
    w->user = user;
    w->count = count;
    for (uint32_t i = 0; i < count; i++) {
        w->bufs[i] = bufs[i];
        s->queued_bytes += bufs[i].len;
    }
    list_node_init(&w->node);
    list_push_back(&s->writes, &w->node);
    if (s->is_broken) {
        finish_all(s, GP_ECLOSED);
    } else if (list_first(&s->writes) == &w->node) {
        pump(s);
    }
    if (sim_fault(l->sim, l->sim->options.faults.stream_reset)) {
        sim_conn_break(s->conn);
    }
    return 0;
}

size_t sim_stream_write_queue_bytes(const struct stream *stream)
{
    return ((const struct sim_stream *)stream)->queued_bytes;
}

static void run_written(struct sim_call *call)
{
    struct sim_stream *s = container_of(call, struct sim_stream, written_call);
    struct sim_loop *l = sim_stream_loop(s);
    struct sim_write *w = LIST_ENTRY(list_pop_front(&s->written), struct sim_write, node);
    net_written_fn fn = w->fn;
    void *user = w->user;
    int status = w->status;

    free(w);
    sim_trace_note(l->sim, l, SIM_KIND_written, 0, status);
    if (!list_is_empty(&s->written)) {
        sim_loop_post(l, &s->written_call);
    } else if (s->state == SIM_STREAM_CLOSED) {
        free(s);
    } else if (s->state == SIM_STREAM_ENDING && list_is_empty(&s->writes)) {
        sim_stream_close(s);
    }
    if (fn != NULL) {
        fn(user, status);
    }
}

/* ---- closing ---- */

void sim_stream_close(struct sim_stream *s)
{
    struct sim_loop *l = sim_stream_loop(s);

    if (s->queued_bytes > 0) {
        sim_count(l->sim, SIM_COUNT_stream_closed_mid_write);
    }
    sim_trace_note(l->sim, l, SIM_KIND_closed, s->conn->id, (int64_t)s->queued_bytes);
    sim_loop_unpost(l, &s->read_call);
    sim_loop_unpost(l, &s->linger_call);
    sim_cancel(l->sim, &s->linger);
    sim_net_give_up(s);
    finish_all(s, GP_ECANCELED);
    sim_conn_leave(s->conn, s->side);
    s->conn = NULL;
    sim_object_remove(&s->object);
    s->state = SIM_STREAM_CLOSED;
    if (list_is_empty(&s->written)) {
        free(s);
    }
}

void sim_stream_free(struct stream *stream)
{
    struct sim_stream *s = stream_of(stream);

    sim_loop_check(sim_stream_loop(s));
    ASSERT(s->state != SIM_STREAM_CLOSED && s->state != SIM_STREAM_ENDING);
    sim_stream_close(s);
}

static void on_linger_over(struct sim_event *event)
{
    struct sim_stream *s = container_of(event, struct sim_stream, linger);

    sim_loop_post(sim_stream_loop(s), &s->linger_call);
}

static void run_linger_over(struct sim_call *call)
{
    struct sim_stream *s = container_of(call, struct sim_stream, linger_call);

    sim_count(sim_stream_loop(s)->sim, SIM_COUNT_stream_linger_expired);
    sim_stream_close(s);
}

void sim_stream_end(struct stream *stream)
{
    struct sim_stream *s = stream_of(stream);
    struct sim_loop *l = sim_stream_loop(s);

    sim_loop_check(l);
    ASSERT(s->state != SIM_STREAM_CLOSED && s->state != SIM_STREAM_ENDING);
    if (list_is_empty(&s->writes) || l->proc->is_mute) {
        sim_stream_close(s);
        return;
    }
    sim_count(l->sim, SIM_COUNT_stream_ended_queued);
    sim_loop_unpost(l, &s->read_call);
    s->is_reading = false;
    s->state = SIM_STREAM_ENDING;
    s->object.is_leaving = true;
    sim_arm_in(l->sim, &s->linger, SIM_STREAM_LINGER_NS);
    sim_stream_on_readable(s);
}

/* ---- making ---- */

static void stream_dispose(struct sim_object *object)
{
    sim_stream_close(container_of(object, struct sim_stream, object));
}

struct sim_stream *sim_stream_new(struct sim_loop *l, unsigned side)
{
    struct sim_stream *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->base.loop = &l->base;
    s->side = side;
    list_init(&s->writes);
    list_init(&s->written);
    list_node_init(&s->object.node);
    list_node_init(&s->backlog_node);
    sim_call_init(&s->read_call, run_read);
    sim_call_init(&s->written_call, run_written);
    sim_call_init(&s->linger_call, run_linger_over);
    s->linger.fire = on_linger_over;
    return s;
}

void sim_stream_hand_over(struct sim_stream *s)
{
    sim_object_add(sim_stream_loop(s), &s->object, "stream", stream_dispose);
}
