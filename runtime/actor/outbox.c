/*
 * What an actor sends: tells and answers. (Asks are in ask.c, since they come back.)
 *
 * A peer that does not read what it is sent is taken for dead once its queue is full: what it has
 * missed cannot be told any more, so its connection ends rather than a hole opening in it. So it
 * does when there is no memory for a tell or an answer: both sides begin anew, and say what holds.
 */
#include <stdlib.h>

#include "actor/endpoint_internal.h"
#include "actor/payload.h"
#include "base/assert.h"

int outbox_encode(const struct fields *table, const void *msg, struct buf *ret)
{
    buf_init(ret, FRAME_CONTROL_MAX);
    return payload_encode(table, msg, ret);
}

/* Somebody waits for what will not come. */
static void fail_without_memory(struct peer *peer)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_ENOMEM, "no memory for what it is to be told");
    peer_fail(peer, &err);
}

int outbox_send(struct peer *peer, uint16_t type, enum frame_kind kind, uint64_t correlation,
                gp_bytes payload)
{
    const struct frame_header header = {
        .type = type, .kind = (uint8_t)kind, .correlation = correlation};
    struct gp_error err;
    int rc;

    if (!peer->is_up) {
        return GP_ECLOSED;
    }
    rc = conn_send(peer->conn, &header, payload);
    if (rc == GP_EAGAIN) {
        (void)gp_error_set(&err, rc, "it does not read what it is sent");
        peer_fail(peer, &err);
    } else if (rc == GP_ENOMEM) {
        fail_without_memory(peer);
    }
    if (rc == 0) {
        peer->ep->counts.messages_out++;
    }
    return rc;
}

static const struct message_type_info *info_of(uint16_t type)
{
    const struct message_type_info *info = message_type_find(type);

    ASSERT(info != NULL && type >= MSG_CONTROL);
    return info;
}

static int send_struct(struct peer *peer, uint16_t type, enum frame_kind kind, uint64_t correlation,
                       const struct fields *table, const void *msg)
{
    struct buf payload;
    int rc = outbox_encode(table, msg, &payload);

    if (rc == 0) {
        rc = outbox_send(peer, type, kind, correlation, buf_bytes(&payload));
    } else if (rc == GP_ENOMEM && peer->is_up) {
        fail_without_memory(peer);
    }
    buf_deinit(&payload);
    return rc;
}

int peer_tell(struct peer *peer, uint16_t type, const void *msg)
{
    return send_struct(peer, type, FRAME_TELL, 0, info_of(type)->payload, msg);
}

/* Finds who waits for an answer. 1; 0: nobody, all is well; negative: too late. */
static int asker_of(struct endpoint *ep, struct reply_token token, struct peer **ret)
{
    struct peer *peer;

    if (token.correlation == 0) {
        return 0;
    }
    peer = endpoint_peer(ep, token.peer);
    if (peer == NULL || !peer->is_up) {
        return GP_ECLOSED;
    }
    if (map_u64_get(&peer->asks_open, token.correlation) == NULL) {
        return GP_ENOENT;
    }
    *ret = peer;
    return 1;
}

static int answer(struct endpoint *ep, struct reply_token token, enum frame_kind kind,
                  const struct fields *table, const void *msg, gp_bytes bytes)
{
    struct peer *peer = NULL;
    int rc = asker_of(ep, token, &peer);

    if (rc <= 0) {
        return rc;
    }
    rc = table != NULL ? send_struct(peer, token.type, kind, token.correlation, table, msg)
                       : outbox_send(peer, token.type, kind, token.correlation, bytes);
    if (rc == 0) {
        (void)map_u64_remove(&peer->asks_open, token.correlation);
    }
    return rc;
}

int endpoint_reply(struct endpoint *ep, struct reply_token token, const void *msg)
{
    return answer(ep, token, FRAME_REPLY, info_of(token.type)->reply, msg, (gp_bytes){NULL, 0});
}

int endpoint_reply_bytes(struct endpoint *ep, struct reply_token token, gp_bytes bytes)
{
    return answer(ep, token, FRAME_REPLY, NULL, NULL, bytes);
}

int endpoint_reply_error(struct endpoint *ep, struct reply_token token, const struct gp_error *err)
{
    struct gp_error copy = *err;
    const struct wire_error what = {
        .code = copy.code < 0 ? copy.code : GP_EINTERNAL,
        .text = copy.text,
        .hint = copy.hint,
        .leader = copy.code == GP_ENOTLEADER ? (char *)ep->identity.leader : NULL};

    return answer(ep, token, FRAME_ERROR, &wire_error_fields, &what, (gp_bytes){NULL, 0});
}
