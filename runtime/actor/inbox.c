/*
 * What an actor hears: frames to messages, checked, to the owner.
 *
 * Happy path: a tell or ask of a known type, from a role that may send it, is decoded by its table
 * and given to on_message; what it answers goes back now or later. Replies and errors go to the ask
 * that waits for them (ask.c). Frames of the data plane go on as they are.
 *
 * Failures: what breaks the rules of framing (an ask without a number, one number twice, data where
 * none is wanted) ends the connection. A message that cannot be decoded, is unknown or not for this
 * role is answered with an error, and the peer may go on: it may just be newer than we are. A tell
 * for which there is no memory ends the connection: it would be missed, and nobody would know.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/endpoint_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "base/log.h"

static void end_connection(struct peer *peer, int code, const char *text, uint16_t type)
{
    struct gp_error err;

    (void)gp_error_set(&err, code, "%s: %s", message_type_name(type), text);
    peer_fail(peer, &err);
}

/* An ask is answered with the error, a tell is only counted, unless it should have been heard. */
static void refuse(struct peer *peer, struct reply_token token, const struct gp_error *err)
{
    struct endpoint *ep = peer->ep;

    ep->counts.messages_refused++;
    endpoint_warn(ep, TROUBLE_MESSAGE, "actor.message_refused", peer, message_type_name(token.type),
                  err);
    if (token.correlation == 0 && err->code == GP_ENOMEM) {
        peer_fail(peer, err);
    } else {
        (void)endpoint_reply_error(ep, token, err); /* or the connection ends */
    }
}

/* Whether this peer may send this, and in this way. */
static int check_message(const struct peer *peer, const struct message_type_info *info,
                         const struct frame_header *header, struct gp_error *err)
{
    const enum message_pattern wanted = header->kind == FRAME_ASK ? MESSAGE_ASK : MESSAGE_TELL;

    if (info == NULL) {
        return gp_error_set(err, GP_EUNSUPPORTED, "unknown message type %u", header->type);
    }
    if ((info->from & ROLE_BIT(peer->address.role)) == 0) {
        return gp_error_set(err, GP_EACCES, "%s is not for a %s to send", info->name,
                            role_names[peer->address.role]);
    }
    if (info->pattern != wanted) {
        return gp_error_set(err, GP_EPROTO, "%s is no %s", info->name,
                            wanted == MESSAGE_ASK ? "ask" : "tell");
    }
    return 0;
}

/*
 * An application's key is in the hands of user code, so whoever came with it speaks for no other:
 * a field `app` in its message must be its own.
 */
static int check_app(const struct peer *peer, const struct message_type_info *info, const void *msg,
                     struct gp_error *err)
{
    const uint32_t of_an_app = ROLES_A | ROLES_E | ROLES_L;
    const struct fields *table = info->payload;
    uint32_t app;

    if ((ROLE_BIT(peer->address.role) & of_an_app) == 0) {
        return 0;
    }
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].kind != FIELD_KIND_U32 || strcmp(table->items[i].name, "app") != 0) {
            continue;
        }
        memcpy(&app, (const char *)msg + table->items[i].offset, sizeof(app));
        if (app != peer->address.app) {
            return gp_error_set(err, GP_EACCES, "%s: app/%u does not speak for app/%u", info->name,
                                peer->address.app, app);
        }
    }
    return 0;
}

static void hand_over(struct peer *peer, struct incoming *in)
{
    struct endpoint *ep = peer->ep;
    struct gp_error err = {0};
    int rc;

    ep->counts.messages_in++;
    rc = ep->events->on_message(ep->user, peer, in, &err);
    if (rc >= 0 || peer->is_gone) {
        return;
    }
    if (err.code >= 0) {
        (void)gp_error_set(&err, rc, "%s: %s", message_type_name(in->type), error_sentence(rc));
    }
    LOG_DEBUG(ep->port->log, "actor.message_failed", KV_STR("peer", peer_label(peer)),
              KV_STR("what", message_type_name(in->type)), KV_CODE("code", err.code),
              KV_STR("why", err.text));
    (void)endpoint_reply_error(ep, in->token, &err);
}

static void decode_and_hand_over(struct peer *peer, const struct message_type_info *info,
                                 struct incoming *in)
{
    struct gp_error err = {0};

    in->msg = calloc(1, info->payload->size);
    if (in->msg == NULL) {
        (void)gp_error_set(&err, GP_ENOMEM, "out of memory");
        refuse(peer, in->token, &err);
        return;
    }
    if (payload_decode(peer->ep->port, info->payload, in->bytes, in->msg, &err) < 0) {
        gp_error_prefix(&err, "%s", info->name);
        refuse(peer, in->token, &err);
    } else if (check_app(peer, info, in->msg, &err) < 0) {
        refuse(peer, in->token, &err);
    } else {
        in->bytes = (gp_bytes){NULL, 0};
        hand_over(peer, in);
    }
    fields_deinit(info->payload, in->msg);
    free(in->msg);
}

/* Notes an ask as open. 0, or the connection ends; GP_EFULL is answered and no more. */
static int open_ask(struct peer *peer, struct reply_token token)
{
    struct gp_error err;
    int rc;

    if (token.correlation == 0) {
        end_connection(peer, GP_EPROTO, "an ask without a correlation id", token.type);
        return GP_EPROTO;
    }
    rc = map_u64_add(&peer->asks_open, token.correlation, peer);
    if (rc == GP_EEXIST) {
        end_connection(peer, GP_EPROTO, "an ask with an id that is in use", token.type);
    } else if (rc < 0) {
        struct buf payload;
        struct wire_error what;

        /* It is not in the table of open asks, so it is answered directly. */
        (void)gp_error_set(&err, GP_EFULL, "more than %u asks are unanswered",
                           peer->ep->limits.asks_in_max);
        what = (struct wire_error){.code = err.code, .text = err.text, .hint = err.hint};
        if (outbox_encode(&wire_error_fields, &what, &payload) == 0) {
            (void)outbox_send(peer, token.type, FRAME_ERROR, token.correlation,
                              buf_bytes(&payload));
        }
        buf_deinit(&payload);
    }
    return rc;
}

static void take_message(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                         struct rbuf *buf)
{
    const struct message_type_info *info = message_type_find(header->type);
    struct incoming in = {.type = header->type, .bytes = payload, .buf = buf};
    struct gp_error err = {0};

    in.token.peer = peer->id;
    in.token.type = header->type;
    if (header->kind == FRAME_ASK) {
        in.token.correlation = header->correlation;
        if (open_ask(peer, in.token) < 0) {
            return;
        }
    }
    if (check_message(peer, info, header, &err) < 0) {
        refuse(peer, in.token, &err);
    } else if (info->payload == &binary_fields) {
        hand_over(peer, &in);
    } else {
        decode_and_hand_over(peer, info, &in);
    }
}

static void take_data(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                      struct rbuf *buf)
{
    const struct message_type_info *info = message_type_find(header->type);
    struct endpoint *ep = peer->ep;

    if (info == NULL || ep->events->on_frame == NULL) {
        end_connection(peer, GP_EPROTO, "not wanted here", header->type);
    } else if ((info->from & ROLE_BIT(peer->address.role)) == 0) {
        end_connection(peer, GP_EACCES, "not for this role to send", header->type);
    } else {
        ep->events->on_frame(ep->user, peer, header, payload.ptr, buf);
    }
}

void inbox_take(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                struct rbuf *buf)
{
    if (header->type < MSG_CONTROL) {
        take_data(peer, header, payload, buf);
    } else if (header->kind == FRAME_REPLY || header->kind == FRAME_ERROR) {
        asks_take_answer(peer, header, payload, buf);
    } else {
        take_message(peer, header, payload, buf);
    }
}
