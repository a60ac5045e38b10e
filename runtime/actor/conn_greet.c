/*
 * The handshake: two hellos, two proofs (wire/hello.h), from the view of either side.
 *
 *     client: sends HELLO ... gets HELLO, sends PROOF ... gets PROOF, READY
 *     server:             ... gets HELLO, sends HELLO ... gets PROOF, sends PROOF, READY
 *
 * The server proves nothing to those who have not proven themselves. Until READY a peer costs one
 * small struct and at most FRAME_GREETING_MAX bytes.
 *
 * Failures: each names what to do about it, goes to the peer in a CLOSE frame and ends the
 * connection. What differs between "no such key" and "wrong proof" is told: knowing a key's id is
 * no secret.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/address.h"
#include "actor/conn_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "base/str.h"
#include "wire/messages.h"

void conn_greeting_free(struct conn_greeting *greeting)
{
    if (greeting == NULL) {
        return;
    }
    secret_wipe(&greeting->key, sizeof(greeting->key));
    buf_deinit(&greeting->own);
    buf_deinit(&greeting->peer);
    free(greeting->target);
    free(greeting->key_id);
    free(greeting);
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void make_nonce(const struct conn *conn, char ret_hex[2 * HELLO_NONCE_SIZE + 1])
{
    uint8_t nonce[HELLO_NONCE_SIZE];

    port_random(conn->setup->port, nonce, sizeof(nonce));
    hex_encode(nonce, sizeof(nonce), ret_hex);
}

void conn_greet(struct conn *conn)
{
    const struct conn_identity *self = conn->setup->identity;
    const struct frame_header header = {.type = MSG_HELLO};
    struct conn_greeting *greeting = conn->greeting;
    char nonce[2 * HELLO_NONCE_SIZE + 1];
    /* The table reads and does not write; it owns only what it decoded. */
    const struct hello hello = {
        .proto_min = HELLO_PROTO,
        .proto_max = HELLO_PROTO,
        .cluster = (char *)or_empty(self->cluster),
        .role = self->role,
        .name = (char *)self->name,
        .incarnation = self->incarnation,
        .key = greeting->key_id,
        .nonce = nonce,
        .target = greeting->target,
        .target_incarnation = greeting->target_incarnation,
        .masters_hash = (char *)or_empty(self->masters_hash),
        .shares = conn_wants_share(conn),
    };
    int rc;

    make_nonce(conn, nonce);
    buf_init(&greeting->own, FRAME_GREETING_MAX);
    rc = payload_encode(&hello_fields, &hello, &greeting->own);
    if (rc == 0) {
        rc = conn_send_frame(conn, &header, buf_bytes(&greeting->own));
    }
    if (rc < 0) {
        conn_refuse(conn, rc, "greeting failed: %s", error_sentence(rc));
    }
}

/* ---- checking a HELLO ---- */

static int check_form(const struct hello *peer, struct gp_error *err)
{
    uint8_t nonce[HELLO_NONCE_SIZE];
    struct address address;

    if (peer->proto_min > HELLO_PROTO || peer->proto_max < HELLO_PROTO) {
        return gp_error_set(err, GP_EVERSION, "the peer speaks protocol %u to %u, this is %u",
                            peer->proto_min, peer->proto_max, HELLO_PROTO);
    }
    if (address_parse(gp_str_of(peer->name), &address) < 0 || address.role != peer->role) {
        return gp_error_set(err, GP_EPROTO, "\"%s\" is not the name of a %s", peer->name,
                            role_names[peer->role]);
    }
    if (hex_decode(gp_str_of(peer->nonce), nonce, sizeof(nonce)) < 0) {
        return gp_error_set(err, GP_EPROTO, "the nonce is not 64 hex digits");
    }
    return 0;
}

static int check_cluster(const struct conn *conn, const struct hello *peer, struct gp_error *err)
{
    const char *own = or_empty(conn->setup->identity->cluster);

    if (own[0] == '\0' || peer->cluster[0] == '\0' || strcmp(own, peer->cluster) == 0) {
        return 0;
    }
    return gp_error_set(err, GP_EACCES, "%s belongs to cluster %s, %s to %s",
                        conn->setup->identity->name, own, peer->name, peer->cluster);
}

/* The client asked for somebody; the server must be it. */
static int check_target(const char *name, uint64_t incarnation, const char *target,
                        uint64_t target_incarnation, struct gp_error *err)
{
    if (target[0] != '\0' && strcmp(name, target) != 0) {
        return gp_error_set(err, GP_ENOENT, "%s was looked for, %s is here", target, name);
    }
    if (target_incarnation != 0 && target_incarnation != incarnation) {
        return gp_error_set(err, GP_ESTALE, "%s was restarted since", name);
    }
    return 0;
}

static int check_as_server(struct conn *conn, const struct hello *peer, struct gp_error *err)
{
    const struct conn_identity *self = conn->setup->identity;
    int rc =
        check_target(self->name, self->incarnation, peer->target, peer->target_incarnation, err);

    if (rc == 0) {
        rc = hello_key_allows(gp_str_of(peer->key), peer->role, gp_str_of(peer->name), err);
    }
    if (rc == 0) {
        free(conn->greeting->key_id);
        conn->greeting->key_id = str_dup(gp_str_of(peer->key));
        rc = conn->greeting->key_id != NULL ? 0 : gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    return rc;
}

static int check_as_client(struct conn *conn, const struct hello *peer, struct gp_error *err)
{
    const struct conn_greeting *greeting = conn->greeting;

    if (strcmp(peer->key, greeting->key_id) != 0) {
        return gp_error_set(err, GP_EPROTO, "%s answered with another key", peer->name);
    }
    return check_target(peer->name, peer->incarnation, greeting->target,
                        greeting->target_incarnation, err);
}

static int check_hello(struct conn *conn, const struct hello *peer, struct gp_error *err)
{
    int rc = check_form(peer, err);

    if (rc == 0) {
        rc = check_cluster(conn, peer, err);
    }
    if (rc == 0) {
        rc = conn->side == HELLO_SERVER ? check_as_server(conn, peer, err)
                                        : check_as_client(conn, peer, err);
    }
    if (rc == 0) {
        rc = conn->setup->key_find(conn->setup->user, gp_str_of(conn->greeting->key_id), peer->role,
                                   gp_str_of(peer->name), &conn->greeting->key, err);
    }
    return rc;
}

/* ---- proofs ---- */

static gp_bytes key_bytes(const struct conn *conn)
{
    return (gp_bytes){conn->greeting->key.bytes, conn->greeting->key.len};
}

static gp_bytes hello_of(const struct conn *conn, enum hello_side side)
{
    return buf_bytes(side == conn->side ? &conn->greeting->own : &conn->greeting->peer);
}

static void prove(struct conn *conn)
{
    char mac[SHA256_HEX_SIZE];
    const struct proof proof = {.mac = mac};

    hello_prove(key_bytes(conn), conn->side, hello_of(conn, HELLO_CLIENT),
                hello_of(conn, HELLO_SERVER), mac);
    conn_send_struct(conn, MSG_PROOF, FRAME_TELL, &proof_fields, &proof);
}

/* What to do about a proof that fails, from where both sides can see it. */
static void refuse_proof(struct conn *conn)
{
    const char *key = conn->greeting->key_id;
    struct gp_error err;

    (void)gp_error_set(&err, GP_EACCES, "%s and %s do not have the same secret for \"%s\"",
                       conn->setup->identity->name, conn->peer.name, key);
    if (strcmp(key, HELLO_KEY_CLUSTER) == 0) {
        gp_error_hint(&err, "give both the same cluster.secret_file");
    } else {
        gp_error_hint(&err, "it may be from an earlier life of the application");
    }
    conn_fail(conn, &err, true);
}

static void take_proof(struct conn *conn, gp_bytes payload)
{
    const enum hello_side other = conn->side == HELLO_CLIENT ? HELLO_SERVER : HELLO_CLIENT;
    struct gp_error err = {0};
    struct proof proof;
    bool good;

    if (payload_decode(conn->setup->port, &proof_fields, payload, &proof, &err) < 0) {
        conn_fail(conn, &err, true);
        return;
    }
    good = hello_proof_is_good(key_bytes(conn), other, hello_of(conn, HELLO_CLIENT),
                               hello_of(conn, HELLO_SERVER), proof.mac);
    fields_deinit(&proof_fields, &proof);
    if (!good) {
        refuse_proof(conn);
        return;
    }
    if (conn->setup->admit != NULL &&
        conn->setup->admit(conn->setup->user, &conn->peer, &err) < 0) {
        conn_fail(conn, &err, true);
        return;
    }
    if (conn->side == HELLO_SERVER) {
        prove(conn);
    }
    if (conn->state == CONN_PROOF) {
        conn_become_ready(conn);
    }
}

static void take_hello(struct conn *conn, gp_bytes payload)
{
    struct gp_error err = {0};
    int rc;

    buf_init(&conn->greeting->peer, FRAME_GREETING_MAX);
    rc = buf_append_bytes(&conn->greeting->peer, payload);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "%s", error_sentence(rc));
    } else {
        rc = payload_decode(conn->setup->port, &hello_fields, payload, &conn->peer, &err);
    }
    if (rc == 0) {
        rc = check_hello(conn, &conn->peer, &err);
    }
    if (rc < 0) {
        conn_fail(conn, &err, true);
        return;
    }
    conn_move(conn, CONN_PROOF);
    if (conn->side == HELLO_SERVER) {
        conn_greet(conn);
    } else {
        prove(conn);
    }
}

void conn_greeting_frame(struct conn *conn, uint16_t type, gp_bytes payload)
{
    if (type == MSG_HELLO && conn->state == CONN_HELLO) {
        take_hello(conn, payload);
    } else if (type == MSG_PROOF && conn->state == CONN_PROOF) {
        take_proof(conn, payload);
    } else {
        conn_refuse(conn, GP_EPROTO, "%s out of turn", message_type_name(type));
    }
}
