/*
 * neighbour_stream.c: see neighbour_stream.h.
 */
#include "data/neighbour_stream.h"

#include <stdlib.h>

#include "data/lane.h"
#include "data/move.h"
#include "wire/messages.h"

#define REDIAL_MIN_NS     (5 * 1000 * 1000)
#define REDIAL_MAX_NS     (1000 * 1000 * 1000)
#define CREDITS_PER_FRAME 1000u
#define DOWN_NS           INT64_C(1000000000) /* before it counts: most come again */

_Static_assert(CREDITS_PER_FRAME *BATCH_CREDIT_SIZE <= BATCH_BODY_SIZE, "what a neighbour takes");
_Static_assert(BATCH_FRAME_HEADER_SIZE == FRAME_HEADER_SIZE, "a batch begins with a frame header");

enum link_state {
    LINK_IDLE,
    LINK_DIALLING,
    LINK_WAITING,
    LINK_OPENING, /* there is a connection; the other side's opening is awaited */
    LINK_UP,
    LINK_ENDED,
};

struct stream_link {
    struct stream_place place;
    struct stream_hub *hub;
    struct stream_conn *sc;
    struct timer *redial;
    enum link_state state;
    bool dials;
    bool by_tcp;       /* its Unix socket did not answer: by turns */
    bool is_silent;    /* its connection, or was when it ended */
    int64_t redial_ns; /* the next interval */
    int64_t down_ns;   /* since when there is no connection; 0: there is one */
    uint32_t writing;  /* batches given to the connection and not back */
};

int neighbour_stream_new(struct neighbour *p, const struct stream_place *place)
{
    const struct topology_lane *own = &p->lane->topology->lanes[p->lane->index];

    p->stream = (struct stream_link *)calloc(1, sizeof(*p->stream));
    if (!p->stream) {
        return GP_ENOMEM;
    }
    p->stream->place = *place;
    if (place->unix_socket.text[0]) {
        p->edge_kind = EDGE_UNIX;
        p->window_in = own->host_window_bytes;
    } else {
        p->edge_kind = EDGE_TCP;
        p->window_in = own->tcp_window_bytes;
    }
    return 0;
}

void neighbour_stream_free(struct stream_link *link)
{
    ASSERT(!link || (!link->sc && !link->redial));
    free(link);
}

static void write_credits(struct neighbour *p);

static void redial_later(struct stream_link *link)
{
    link->state = LINK_WAITING;
    timer_start(link->redial, link->redial_ns);
    link->redial_ns = link->redial_ns * 2 < REDIAL_MAX_NS ? link->redial_ns * 2 : REDIAL_MAX_NS;
}

static void on_redial(void *user)
{
    struct neighbour *p = (struct neighbour *)user;
    struct stream_link *link = p->stream;

    link->state = LINK_DIALLING;
    if (hub_dial(link->hub, p, &link->place, link->by_tcp, &link->sc) < 0) {
        redial_later(link);
    }
}

void neighbour_stream_begin(struct neighbour *p, struct stream_hub *hub)
{
    struct stream_link *link = p->stream;

    if (link->hub) {
        return; /* begun, or dialled by the other side before */
    }
    link->hub = hub;
    link->down_ns = p->lane->now_ns;
    link->dials = topology_dials(p->lane->topology, p->lane->index, p->index);
    if (!link->dials) {
        return;
    }
    link->redial_ns = REDIAL_MIN_NS;
    if (timer_new(p->lane->loop, on_redial, p, &link->redial) < 0) {
        LOG_ERROR(p->lane->env->log, "link.not_made", KV_U64("lane", p->lane->index),
                  KV_U64("neighbour", p->index));
        link->dials = false;
        return;
    }
    on_redial(p);
}

static void drop_conn(struct stream_link *link)
{
    struct stream_conn *sc = link->sc;

    link->sc = NULL;
    stream_conn_free(sc);
}

/* The connection is gone, with all that was on it. */
static void lose(struct neighbour *p, const char *why)
{
    struct stream_link *link = p->stream;

    if (link->state == LINK_UP) {
        counter_add(&p->lane->stats.failed_links, 1);
        LOG_INFO(p->lane->env->log, "link.lost", KV_U64("lane", p->lane->index),
                 KV_U64("executor", link->place.executor), KV_STR("text", why));
        if (link->writing > 0 || p->queue_head) {
            LOG_DEBUG(p->lane->env->log, "link.closed_mid_batch", KV_U64("lane", p->lane->index),
                      KV_U64("neighbour", p->index), KV_U64("writing", link->writing));
        }
    }
    if (link->state == LINK_UP || link->state == LINK_OPENING) {
        neighbour_lose(p);
    }
    if (link->down_ns == 0) { /* one that did not come up was down before */
        link->down_ns = p->lane->now_ns;
    }
    drop_conn(link); /* the reason is its */
    p->failed = false;
    link->state = LINK_IDLE;
}

bool neighbour_stream_bind(struct neighbour *p, struct stream_conn *sc, uint64_t incarnation)
{
    struct stream_link *link = p->stream;

    if (link->state == LINK_ENDED || topology_dials(p->lane->topology, p->lane->index, p->index) ||
        (link->place.incarnation != 0 && link->place.incarnation != incarnation)) {
        return false;
    }
    if (link->sc) {
        lose(p, "it has made another connection");
    }
    link->hub = sc->hub;
    link->sc = sc;
    return true;
}

void neighbour_stream_shared(struct neighbour *p)
{
    p->edge_kind = EDGE_SHM;
}

void neighbour_stream_silent(struct neighbour *p, bool is_silent)
{
    p->stream->is_silent = is_silent;
    if (!is_silent) {
        neighbour_mark_dirty(p);
    }
}

static enum edge_kind kind_of(const struct conn *conn)
{
    if (conn_is_shared(conn)) {
        return EDGE_SHM;
    }
    return conn_wants_crc(conn) ? EDGE_TCP : EDGE_UNIX;
}

void neighbour_stream_up(struct neighbour *p)
{
    struct stream_link *link = p->stream;

    link->state = LINK_OPENING;
    link->is_silent = false;
    p->edge_kind = kind_of(link->sc->conn);
    p->next_seq = 0;
    p->seen_seq = 0;
    if (!link->dials) {
        neighbour_tell_opening(p);
        write_credits(p);
    }
}

void neighbour_stream_down(struct neighbour *p, const struct gp_error *why)
{
    struct stream_link *link = p->stream;

    if (link->state == LINK_DIALLING && link->place.unix_socket.text[0] &&
        link->place.tcp.text[0]) {
        link->by_tcp = !link->by_tcp;
    }
    lose(p, why->text);
    if (link->dials) {
        redial_later(link);
    }
}

void neighbour_stream_end(struct neighbour *p)
{
    struct stream_link *link = p->stream;

    link->state = LINK_ENDED;
    timer_free(link->redial);
    link->redial = NULL;
    drop_conn(link);
}

void neighbour_stream_retire(struct neighbour *p)
{
    struct lane *lane = p->lane;

    neighbour_stream_end(p);
    if (p->stream->writing == 0) {
        neighbour_free(p);
        return;
    }
    p->next_retired = lane->retired;
    lane->retired = p;
}

bool neighbour_stream_is_up(const struct neighbour *p)
{
    return p->stream->down_ns == 0;
}

enum reach neighbour_stream_reach(const struct neighbour *p, int64_t now_ns)
{
    const struct stream_link *link = p->stream;

    if (link->state == LINK_UP) {
        return conn_is_silent(link->sc->conn, now_ns) ? REACH_SILENT : REACH_HEARD;
    }
    if (link->down_ns == 0 || now_ns - link->down_ns < DOWN_NS) {
        return link->is_silent ? REACH_SILENT : REACH_UNKNOWN;
    }
    return REACH_DOWN;
}

void neighbour_stream_refuse(struct neighbour *p, int code, const char *text)
{
    struct stream_link *link = p->stream;
    struct gp_error err = {0};

    if (link->sc) {
        (void)gp_error_set(&err, code, "%s", text);
        conn_close(link->sc->conn, &err);
    }
}

bool neighbour_stream_is_writing(const struct stream_link *link)
{
    return link->state != LINK_UP || link->writing > 0;
}

/* Those whose batches are all back. */
static void free_retired(struct lane *lane)
{
    struct neighbour **at = &lane->retired;

    while (*at) {
        struct neighbour *p = *at;

        if (p->stream->writing > 0) {
            at = &p->next_retired;
            continue;
        }
        *at = p->next_retired;
        neighbour_free(p);
    }
}

static void on_written(void *user, int status)
{
    struct batch *b = (struct batch *)user;
    struct neighbour *p = b->parcel.neighbour;

    (void)status; /* the connection tells its end by itself */
    p->in_flight--;
    p->stream->writing--;
    /* The kernel has copied it on this core: it is still warm. */
    batch_pool_put_near(&p->lane->pool, b);
    if (UNLIKELY(p->lane->retired != NULL)) {
        free_retired(p->lane);
    }
}

static int write_batch(struct neighbour *p, struct batch *b)
{
    struct conn *conn = p->stream->sc->conn;
    const struct frame_header header = {
        .length = batch_body_len(b), .type = MSG_BATCH, .kind = FRAME_TELL, .sequence = b->seq};
    int rc;

    frame_header_encode(&header, batch_frame(b));
    if (conn_wants_crc(conn)) {
        frame_seal(batch_frame(b), header.length);
    }
    b->parcel.neighbour = p; /* unused while the batch is ours: on_written needs it */
    p->stream->writing++;
    rc = conn_send_raw(conn, batch_frame(b), b->used, on_written, b);
    if (rc < 0) {
        on_written(b, rc);
    }
    return rc;
}

static int write_entries(struct neighbour *p)
{
    uint8_t payload[CREDITS_PER_FRAME * BATCH_CREDIT_SIZE];
    const struct frame_header header = {.type = MSG_CREDIT, .kind = FRAME_TELL};
    uint32_t done = 0;
    int rc = 0;

    while (rc == 0 && done < p->credit_count) {
        uint32_t n = 0;

        for (; n < CREDITS_PER_FRAME && done + n < p->credit_count; n++) {
            batch_credit_put(payload + n * BATCH_CREDIT_SIZE, &p->credits[done + n]);
        }
        rc = conn_send(p->stream->sc->conn, &header, gp_bytes_of(payload, n * BATCH_CREDIT_SIZE));
        done += n;
    }
    p->credit_count = 0;
    return rc;
}

static void note_failure(struct neighbour *p, int rc)
{
    if (rc < 0 && rc != GP_ECLOSED) { /* closed: on_closed is on its way */
        neighbour_fail(p, rc, "cannot write");
    }
}

static void write_credits(struct neighbour *p)
{
    note_failure(p, write_entries(p));
}

void neighbour_stream_pump(struct neighbour *p)
{
    struct batch *b;
    int rc = 0;

    if (p->failed || p->stream->state != LINK_UP || p->stream->is_silent) {
        return; /* credit waits for the opening, which knows better */
    }
    while (rc == 0 && (b = neighbour_next_queued(p)) != NULL) {
        rc = write_batch(p, b);
    }
    if (rc == 0 && (p->credit_count > 0 || p->mark_due)) {
        neighbour_tell_done(p);
        rc = write_entries(p);
    }
    note_failure(p, rc);
}

/* Takes the parcel and keeps what it needs of buf. */
static int accept_batch_take(struct neighbour *p, struct parcel *parcel, const void *payload,
                             size_t len, struct rbuf *buf)
{
    if (rbuf_is_lent(buf)) {
        return inbox_accept_lent_take(p->lane, parcel, buf, (const uint8_t *)payload, len);
    }
    parcel->rbuf = rbuf_keep(buf, &payload, len);
    if (!parcel->rbuf) {
        parcel_free(p->lane, parcel);
        return GP_ENOMEM;
    }
    return inbox_accept_take(p->lane, parcel, (const uint8_t *)payload, len);
}

static void take_batch(struct neighbour *p, const struct frame_header *header, const void *payload,
                       struct rbuf *buf)
{
    struct parcel *parcel;
    int rc;

    if (header->sequence != p->seen_seq || p->stream->state != LINK_UP) {
        neighbour_fail(p, GP_EPROTO, "a batch is missing or came twice");
        return;
    }
    p->seen_seq++;
    while (conn_is_cramped(p->stream->sc->conn) && inbox_return_lent(p)) {
    }
    parcel = parcel_new(p->lane);
    parcel->neighbour = p;
    rc = accept_batch_take(p, parcel, payload, header->length, buf);
    if (rc == GP_ENOMEM) {
        neighbour_fail(p, rc, "no memory for a batch");
    } else if (rc < 0) {
        neighbour_fail_batch(p, rc);
    }
}

/* The opening of the other side is complete. */
static void go_up(struct neighbour *p)
{
    struct stream_link *link = p->stream;

    if (link->dials) {
        neighbour_tell_opening(p);
        write_credits(p);
    }
    link->state = LINK_UP;
    link->down_ns = 0;
    link->redial_ns = REDIAL_MIN_NS;
    LOG_DEBUG(p->lane->env->log, "link.up", KV_U64("lane", p->lane->index),
              KV_U64("executor", link->place.executor));
    neighbour_say_time(p);
    neighbour_stream_pump(p);
}

static int take_entry(struct neighbour *p, const struct batch_credit *c)
{
    int rc;

    if (c->kind < BATCH_CREDIT_OPEN || c->kind == BATCH_CREDIT_MOVE) {
        if (p->stream->state != LINK_UP) {
            return GP_EPROTO;
        }
        if (c->kind == BATCH_CREDIT_MOVE) {
            return move_on_heard(p, (uint64_t)c->bytes << 32 | c->dst);
        }
        if (c->kind == BATCH_CREDIT_DONE) {
            return neighbour_take_done(p, c);
        }
        neighbour_take_credit(p, c);
        return 0;
    }
    rc = p->stream->state == LINK_OPENING ? neighbour_take_opening(p, c) : GP_EPROTO;
    if (rc == 1) {
        go_up(p);
    }
    return rc < 0 ? rc : 0;
}

static void take_credits(struct neighbour *p, const void *payload, size_t len)
{
    struct batch_cursor cursor = {(const uint8_t *)payload, len};
    struct batch_credit credit;
    int rc;

    while (!p->failed && (rc = batch_credit_next(&cursor, &credit)) != 0) {
        if (rc < 0 || take_entry(p, &credit) < 0) {
            neighbour_fail(p, GP_EPROTO, "credit is malformed");
            return;
        }
    }
}

void neighbour_stream_frame(struct neighbour *p, const struct frame_header *header,
                            const void *payload, struct rbuf *buf)
{
    if (p->failed) {
        return;
    }
    if (header->type == MSG_BATCH) {
        take_batch(p, header, payload, buf);
    } else if (header->type == MSG_CREDIT) {
        take_credits(p, payload, header->length);
    } else {
        neighbour_fail(p, GP_EPROTO, "neither batch nor credit");
    }
}

void neighbour_stream_release(struct lane *lane, struct parcel *parcel)
{
    if (parcel->is_lent) {
        list_remove(&parcel->node);
    }
    rbuf_unref((struct rbuf *)parcel->rbuf);
    parcel_free(lane, parcel);
}
