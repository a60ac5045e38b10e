/*
 * hello.h: who is at the other end, and the proof of it.
 *
 *     client                       server        (client: whoever dialled)
 *       HELLO  ──────────────────▶
 *              ◀──────────────────  HELLO
 *       PROOF  ──────────────────▶                checked before the server proves anything
 *              ◀──────────────────  PROOF
 *
 * A PROOF is HMAC-SHA256(key, "gearpump-v1" 0 direction 0 client-hello 0 server-hello), where
 * direction is "client" or "server" and the hellos are the payloads as they travelled, byte for
 * byte. Each HELLO has a fresh nonce, so that a proof is good for one connection only. Pure.
 */
#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

#include "base/sha256.h"
#include "wire/fields.h"

#define HELLO_PROTO       1u /* the only version so far */
#define HELLO_NONCE_SIZE  32u
#define HELLO_NAME_MAX    96u
#define HELLO_CLUSTER_MAX 64u
#define HELLO_KEY_CLUSTER "cluster"

enum role {
    ROLE_MASTER,
    ROLE_WORKER,
    ROLE_APPMASTER,
    ROLE_EXECUTOR,
    ROLE_CLIENT,
    ROLE_LANE,
};

#define ROLE_BIT(role) (1u << (role))
#define ROLE_ANY       0x3fu

struct hello {
    uint32_t proto_min;
    uint32_t proto_max;
    char *cluster; /* id, or "" when it is not known yet */
    uint32_t role; /* enum role */
    char *name;    /* address: "worker/3", "app/7/executor/2" */
    uint64_t incarnation;
    char *key;                   /* id of the key that proves: "cluster" or "app/7" */
    char *nonce;                 /* 64 hex digits */
    char *target;                /* the actor meant; "" for whoever answers */
    uint64_t target_incarnation; /* 0: any */
    char *masters_hash;          /* "" when it does not matter */
    bool shares;                 /* takes or offers shared memory on this connection */
};

struct proof {
    char *mac; /* 64 hex digits */
};

/* The payload of an error frame: an ask that failed, or why a connection ends. */
struct wire_error {
    int64_t code; /* negative, base/error.h */
    char *text;
    char *hint;
    char *leader; /* of GP_ENOTLEADER: "host:port"; "" when there is none just now */
};

extern const struct fields hello_fields;
extern const struct fields proof_fields;
extern const struct fields wire_error_fields;
extern const char *const role_names[]; /* NULL-terminated, by enum role */

enum hello_side { HELLO_CLIENT, HELLO_SERVER };

/* What `side` must send as proof, in hex. The hellos are payloads. */
void hello_prove(gp_bytes key, enum hello_side side, gp_bytes client_hello, gp_bytes server_hello,
                 char ret_hex[SHA256_HEX_SIZE]);

/* Whether hex is that proof; takes the same time whatever it is. */
bool hello_proof_is_good(gp_bytes key, enum hello_side side, gp_bytes client_hello,
                         gp_bytes server_hello, const char *hex);

/*
 * Whether the holder of this key may come as this role under this name: "cluster" proves daemons
 * and clients; "app/7" proves "app/7" and what is below it, nothing else. 0 or GP_EACCES.
 * Said of the side that dials; the side that answers proves only that it knows the key.
 */
int hello_key_allows(gp_str key, uint32_t role, gp_str name, struct gp_error *err);

#endif
