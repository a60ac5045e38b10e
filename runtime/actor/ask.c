/*
 * Asks: from sending to the one answer.
 *
 *     waiting ─▶ sent ─▶ answered | timed out | lost
 *        ▲        │
 *        └────────┘  the connection broke, or it was refused for want of a leader or of memory,
 *                    and the ask may be sent again
 *
 * Happy path: peer_ask() sends a frame with a new correlation id and notes the ask; the frame that
 * comes back with this id is decoded and given to fn. An id is never used twice on an endpoint, so
 * an answer that comes too late meets nobody and is dropped.
 *
 * Invariants: an ask is in its peer's list and map, and in the endpoint's list by deadline, until
 * the moment before fn is called. One timer serves them all, set to the earliest deadline.
 * Failures: the deadline (GP_ETIMEOUT), the loss of the peer (the connection's reason), an error
 * frame (its code and text), an answer that cannot be decoded (GP_EPROTO). Deadlines that passed
 * while this very process stood still are put off (see conn.c).
 */
#include <stdlib.h>
#include <string.h>

#include "actor/endpoint_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

/* ---- the lists ---- */

static void set_timer(struct endpoint *ep)
{
    const struct list_node *first = list_first(&ep->asks);
    int64_t delay_ns;

    if (first == NULL) {
        timer_stop(ep->ask_timer);
        return;
    }
    delay_ns =
        LIST_ENTRY(first, const struct ask, by_deadline)->deadline_ns - loop_now_ns(ep->loop);
    timer_start(ep->ask_timer, delay_ns > 0 ? delay_ns : 0);
}

/* Most asks have the same timeout, so the place is near the end. */
static void insert_by_deadline(struct endpoint *ep, struct ask *ask)
{
    struct list_node *at = ep->asks.head.prev;

    while (at != &ep->asks.head &&
           LIST_ENTRY(at, struct ask, by_deadline)->deadline_ns > ask->deadline_ns) {
        at = at->prev;
    }
    list_insert_after(at, &ask->by_deadline);
    if (list_first(&ep->asks) == &ask->by_deadline) {
        set_timer(ep);
    }
}

static void unlink_ask(struct ask *ask)
{
    struct endpoint *ep = ask->peer->ep;
    const bool was_first = list_first(&ep->asks) == &ask->by_deadline;

    list_remove(&ask->by_deadline);
    list_remove(&ask->by_order);
    (void)map_u64_remove(&ask->peer->asks_by_correlation, ask->correlation);
    if (was_first && ep->ask_timer != NULL) {
        set_timer(ep);
    }
}

static void ask_free(struct ask *ask)
{
    buf_deinit(&ask->payload);
    free(ask);
}

/* Calls fn, at last. May free the peer and the endpoint. */
static void finish(struct ask *ask, const struct answer *answer)
{
    unlink_ask(ask);
    ask->fn(ask->user, ask->peer, answer);
    ask_free(ask);
}

static void finish_with_error(struct ask *ask, const struct gp_error *err)
{
    const struct answer answer = {.code = err->code, .err = err};

    finish(ask, &answer);
}

/* ---- asking ---- */

static int send_ask(struct ask *ask)
{
    const int rc =
        outbox_send(ask->peer, ask->type, FRAME_ASK, ask->correlation, buf_bytes(&ask->payload));

    if (rc == 0) {
        ask->is_sent = true;
        if (!ask->may_follow && !ask->may_retry) {
            buf_deinit(&ask->payload);
        }
    }
    return rc;
}

static int note_ask(struct ask *ask)
{
    struct peer *peer = ask->peer;
    const int rc = map_u64_add(&peer->asks_by_correlation, ask->correlation, ask);

    if (rc < 0) {
        return rc;
    }
    list_push_back(&peer->asks, &ask->by_order);
    insert_by_deadline(peer->ep, ask);
    return 0;
}

/* Sends it, or lets it wait for the connection if it may. */
static int begin(struct ask *ask)
{
    struct peer *peer = ask->peer;
    int rc;

    if (!peer->is_up && (!ask->may_retry || peer->is_gone)) {
        return GP_ECLOSED;
    }
    rc = note_ask(ask);
    if (rc == 0 && peer->is_up) {
        rc = send_ask(ask);
        if (rc == GP_ECLOSED && ask->may_retry) {
            rc = 0; /* the connection has ended, only that is not told yet */
        } else if (rc < 0) {
            unlink_ask(ask);
        }
    }
    return rc;
}

static struct ask *ask_new(struct peer *peer, uint16_t type, int64_t timeout_ns, uint32_t flags,
                           answer_fn fn, void *user)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    ASSERT(timeout_ns > 0 && fn != NULL);
    if (ask == NULL) {
        return NULL;
    }
    list_node_init(&ask->by_deadline);
    list_node_init(&ask->by_order);
    ask->peer = peer;
    ask->type = type;
    ask->correlation = ++peer->ep->next_correlation;
    ask->deadline_ns = loop_now_ns(peer->ep->loop) + timeout_ns;
    ask->may_retry = (flags & ASK_RETRY) != 0 && peer->dial != NULL && !peer->dial->is_over;
    ask->may_follow =
        flags != 0 && (flags & ASK_HERE) == 0 && peer->dial != NULL && !peer->dial->once;
    ask->fn = fn;
    ask->user = user;
    return ask;
}

int peer_ask(struct peer *peer, uint16_t type, const void *msg, int64_t timeout_ns, uint32_t flags,
             answer_fn fn, void *user)
{
    const struct message_type_info *info = message_type_find(type);
    struct ask *ask;
    int rc;

    ASSERT(info != NULL && info->pattern == MESSAGE_ASK && info->payload != &binary_fields);
    ask = ask_new(peer, type, timeout_ns, flags, fn, user);
    if (ask == NULL) {
        return GP_ENOMEM;
    }
    rc = outbox_encode(info->payload, msg, &ask->payload);
    if (rc == 0) {
        rc = begin(ask);
    }
    if (rc < 0) {
        ask_free(ask);
    }
    return rc;
}

int peer_ask_bytes(struct peer *peer, uint16_t type, gp_bytes bytes, int64_t timeout_ns,
                   uint32_t flags, answer_fn fn, void *user)
{
    struct ask *ask = ask_new(peer, type, timeout_ns, flags, fn, user);
    int rc;

    if (ask == NULL) {
        return GP_ENOMEM;
    }
    buf_init(&ask->payload, FRAME_CONTROL_MAX);
    rc = buf_append_bytes(&ask->payload, bytes);
    if (rc == 0) {
        rc = begin(ask);
    }
    if (rc < 0) {
        ask_free(ask);
    }
    return rc;
}

/* ---- answers ---- */

/* Waits for the leader, or until it has memory: follow.c says when it is sent again. */
static void wait_for_leader(struct ask *ask, int code, const char *leader, const char *why)
{
    struct dial *dial = ask->peer->dial;

    (void)str_format(dial->refused, sizeof(dial->refused), "%s", why); /* cutting is fine */
    ask->is_sent = false;
    ask->refused = code;
    follow_refused(ask->peer, leader ? leader : "");
}

static void take_error(struct ask *ask, gp_bytes payload)
{
    struct gp_error err = {0};
    struct wire_error what;

    if (payload_decode(ask->peer->ep->port, &wire_error_fields, payload, &what, &err) < 0) {
        gp_error_prefix(&err, "error answer to %s", message_type_name(ask->type));
        finish_with_error(ask, &err);
        return;
    }
    if ((what.code == GP_ENOTLEADER || what.code == GP_ENOMEM) && ask->may_follow) {
        wait_for_leader(ask, (int)what.code, what.leader, what.text);
        fields_deinit(&wire_error_fields, &what);
        return;
    }
    (void)gp_error_set(&err, what.code < 0 && what.code > INT32_MIN ? (int)what.code : GP_EPROTO,
                       "%s", what.text);
    gp_error_hint(&err, "%s", what.hint);
    fields_deinit(&wire_error_fields, &what);
    follow_settled(ask->peer);
    finish_with_error(ask, &err);
}

static void take_reply(struct ask *ask, gp_bytes payload, struct rbuf *buf)
{
    const struct fields *table = message_type_find(ask->type)->reply;
    struct answer answer = {.bytes = payload, .buf = buf};
    struct gp_error err = {0};

    follow_settled(ask->peer);
    if (table == &binary_fields) {
        finish(ask, &answer);
        return;
    }
    answer.bytes = (gp_bytes){NULL, 0};
    answer.msg = calloc(1, table->size);
    if (answer.msg == NULL) {
        (void)gp_error_set(&err, GP_ENOMEM, "out of memory");
        finish_with_error(ask, &err);
        return;
    }
    if (payload_decode(ask->peer->ep->port, table, payload, answer.msg, &err) < 0) {
        gp_error_prefix(&err, "answer to %s", message_type_name(ask->type));
        finish_with_error(ask, &err);
    } else {
        finish(ask, &answer);
    }
    fields_deinit(table, answer.msg);
    free(answer.msg);
}

void asks_take_answer(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                      struct rbuf *buf)
{
    struct ask *ask = map_u64_get(&peer->asks_by_correlation, header->correlation);

    if (ask == NULL || !ask->is_sent) {
        return; /* too late: its deadline has passed */
    }
    peer->ep->counts.messages_in++;
    if (header->kind == FRAME_ERROR) {
        take_error(ask, payload);
    } else {
        take_reply(ask, payload, buf);
    }
}

/* ---- time ---- */

static void time_out(struct ask *ask)
{
    struct endpoint *ep = ask->peer->ep;
    struct gp_error err;

    if (ask->refused == GP_ENOMEM) {
        (void)gp_error_set(&err, GP_ENOMEM, "%s has no memory for %s: %s", peer_label(ask->peer),
                           message_type_name(ask->type), ask->peer->dial->refused);
    } else if (ask->refused != 0) {
        (void)gp_error_set(&err, GP_ENOTLEADER, "no leader was found in time for %s: %s",
                           message_type_name(ask->type), ask->peer->dial->refused);
    } else {
        (void)gp_error_set(&err, GP_ETIMEOUT, "%s did not answer %s in time", peer_label(ask->peer),
                           message_type_name(ask->type));
    }
    ep->counts.asks_timed_out++;
    endpoint_warn(ep, TROUBLE_ASK, "actor.ask_timed_out", ask->peer, message_type_name(ask->type),
                  &err);
    finish_with_error(ask, &err);
}

/* We stood still, and answers may wait to be read: nobody's time is over before they could be. */
static void postpone_deadlines(struct endpoint *ep, int64_t now_ns)
{
    const int64_t earliest_ns = now_ns + ep->limits.failure_timeout_ns;

    LIST_FOREACH (node, &ep->asks) {
        struct ask *ask = LIST_ENTRY(node, struct ask, by_deadline);

        if (ask->deadline_ns >= earliest_ns) {
            break; /* so are those behind it */
        }
        ask->deadline_ns = earliest_ns;
    }
}

void asks_on_timer(void *user)
{
    struct endpoint *ep = user;
    const int64_t now_ns = loop_now_ns(ep->loop);
    const struct list_node *first = list_first(&ep->asks);
    struct peer *peer;

    if (first != NULL && now_ns - LIST_ENTRY(first, const struct ask, by_deadline)->deadline_ns >
                             ep->limits.failure_timeout_ns / 2) {
        postpone_deadlines(ep, now_ns);
    }
    endpoint_hold(ep);
    while (!ep->is_freed && !list_is_empty(&ep->asks)) {
        struct ask *ask = LIST_ENTRY(list_first(&ep->asks), struct ask, by_deadline);

        if (ask->deadline_ns > now_ns) {
            set_timer(ep);
            break;
        }
        peer = ask->peer;
        peer_hold(peer);
        time_out(ask);
        peer_release(peer);
    }
    endpoint_release(ep);
}

/* ---- the connection comes and goes ---- */

void asks_resend(struct peer *peer)
{
    LIST_FOREACH (node, &peer->asks) {
        struct ask *ask = LIST_ENTRY(node, struct ask, by_order);

        if (ask->is_sent || send_ask(ask) < 0) {
            continue; /* not sent: this connection is ending, and it waits for the next */
        }
        if (ask->was_lost) {
            peer->ep->counts.asks_retried++;
            LOG_INFO(peer->ep->port->log, "actor.ask_retried", KV_STR("peer", peer_label(peer)),
                     KV_STR("what", message_type_name(ask->type)));
        }
    }
}

static struct ask *first_that_cannot_wait(const struct peer *peer)
{
    const bool comes_back = peer->dial != NULL && !peer->dial->once;

    LIST_FOREACH (node, &peer->asks) {
        struct ask *ask = LIST_ENTRY(node, struct ask, by_order);

        if (!ask->may_retry || !comes_back) {
            return ask;
        }
    }
    return NULL;
}

void asks_lose(struct peer *peer, const struct gp_error *err)
{
    struct ask *ask;

    ASSERT(!peer->is_up); /* so that no new one comes that cannot wait */
    LIST_FOREACH (node, &peer->asks) {
        ask = LIST_ENTRY(node, struct ask, by_order);
        ask->was_lost = ask->was_lost || ask->is_sent;
        ask->is_sent = false;
    }
    /* Each fn may do anything, so the list is read anew. */
    while ((ask = first_that_cannot_wait(peer)) != NULL) {
        finish_with_error(ask, err);
    }
}

void asks_end(struct peer *peer, const struct gp_error *err)
{
    while (!list_is_empty(&peer->asks)) {
        finish_with_error(LIST_ENTRY(list_first(&peer->asks), struct ask, by_order), err);
    }
}

void asks_drop(struct peer *peer)
{
    while (!list_is_empty(&peer->asks)) {
        struct ask *ask = LIST_ENTRY(list_first(&peer->asks), struct ask, by_order);

        unlink_ask(ask);
        ask_free(ask);
    }
}
