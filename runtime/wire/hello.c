/*
 * HELLO and PROOF: their tables, the proof, and which key speaks for whom.
 *
 * The proof covers both hellos byte for byte, so whatever a HELLO says (versions, names,
 * incarnations, targets) cannot be changed on the way, and the nonces in them make it good once.
 */
#include "wire/hello.h"

#include <string.h>

#include "base/str.h"
#include "port/net.h"

const char *const role_names[] = {"master", "worker", "appmaster", "executor",
                                  "client", "lane",   NULL};

static const struct field hello_items[] = {
    FIELD_COUNT(struct hello, proto_min, FIELD_REQUIRED, 0, "oldest protocol it speaks"),
    FIELD_COUNT(struct hello, proto_max, FIELD_REQUIRED, 0, "newest protocol it speaks"),
    FIELD_TEXT(struct hello, cluster, FIELD_OPTIONAL, HELLO_CLUSTER_MAX,
               "id of its cluster; empty: not known yet"),
    FIELD_ENUM(struct hello, role, FIELD_REQUIRED, role_names, "what it is"),
    FIELD_TEXT(struct hello, name, FIELD_REQUIRED | FIELD_NONEMPTY, HELLO_NAME_MAX,
               "its address: `worker/3`"),
    FIELD_U64(struct hello, incarnation, FIELD_REQUIRED, "random, once per life of the process"),
    FIELD_TEXT(struct hello, key, FIELD_REQUIRED | FIELD_NONEMPTY, HELLO_NAME_MAX,
               "id of the key that proves: `cluster` or `app/7`"),
    FIELD_TEXT(struct hello, nonce, FIELD_REQUIRED, 2 * HELLO_NONCE_SIZE,
               "random, once per connection, 64 hex digits"),
    FIELD_TEXT(struct hello, target, FIELD_OPTIONAL, HELLO_NAME_MAX,
               "name of the actor meant; empty: whoever answers"),
    FIELD_U64(struct hello, target_incarnation, FIELD_OPTIONAL, "0: any life of it"),
    FIELD_TEXT(struct hello, masters_hash, FIELD_OPTIONAL, 64,
               "of the list of masters; empty: does not matter"),
    FIELD_BOOL(struct hello, shares, FIELD_OPTIONAL,
               "of a lane over a Unix socket: it can go over to shared memory"),
};
const struct fields hello_fields = FIELDS("hello", struct hello, hello_items);

static const struct field proof_items[] = {
    FIELD_TEXT(struct proof, mac, FIELD_REQUIRED, 2 * SHA256_SIZE, "64 hex digits"),
};
const struct fields proof_fields = FIELDS("proof", struct proof, proof_items);

static const struct field wire_error_items[] = {
    FIELD_I64(struct wire_error, code, FIELD_REQUIRED, "negative, see Errors"),
    FIELD_TEXT(struct wire_error, text, FIELD_OPTIONAL, ERROR_TEXT_MAX - 1, "what went wrong"),
    FIELD_TEXT(struct wire_error, hint, FIELD_OPTIONAL, ERROR_HINT_MAX - 1, "what to try next"),
    FIELD_TEXT(struct wire_error, leader, FIELD_OPTIONAL, NET_ADDR_MAX - 1,
               "of GP_ENOTLEADER: where the leader listens; \"\": there is none just now"),
};
const struct fields wire_error_fields = FIELDS("error", struct wire_error, wire_error_items);

static void mac_of(gp_bytes key, enum hello_side side, gp_bytes client_hello, gp_bytes server_hello,
                   uint8_t ret_mac[SHA256_SIZE])
{
    static const char protocol[] = "gearpump-v1";
    const char *direction = side == HELLO_CLIENT ? "client" : "server";
    struct sha256_hmac hmac;

    sha256_hmac_init(&hmac, key);
    sha256_hmac_update(&hmac, protocol, sizeof(protocol)); /* with its zero */
    sha256_hmac_update(&hmac, direction, strlen(direction) + 1);
    sha256_hmac_update(&hmac, client_hello.ptr, client_hello.len);
    sha256_hmac_update(&hmac, "", 1);
    sha256_hmac_update(&hmac, server_hello.ptr, server_hello.len);
    sha256_hmac_final(&hmac, ret_mac);
}

void hello_prove(gp_bytes key, enum hello_side side, gp_bytes client_hello, gp_bytes server_hello,
                 char ret_hex[SHA256_HEX_SIZE])
{
    uint8_t mac[SHA256_SIZE];

    mac_of(key, side, client_hello, server_hello, mac);
    hex_encode(mac, sizeof(mac), ret_hex);
}

bool hello_proof_is_good(gp_bytes key, enum hello_side side, gp_bytes client_hello,
                         gp_bytes server_hello, const char *hex)
{
    uint8_t expected[SHA256_SIZE];
    uint8_t given[SHA256_SIZE];

    mac_of(key, side, client_hello, server_hello, expected);
    return hex_decode(gp_str_of(hex), given, sizeof(given)) == 0 &&
           secret_equal(expected, given, sizeof(given));
}

/* "app/7" holds "app/7" and "app/7/executor/2", but not "app/71". */
static bool is_below(gp_str key, gp_str name)
{
    return str_starts_with(name, key) && (name.len == key.len || name.ptr[key.len] == '/');
}

int hello_key_allows(gp_str key, uint32_t role, gp_str name, struct gp_error *err)
{
    const uint32_t daemons = ROLE_BIT(ROLE_MASTER) | ROLE_BIT(ROLE_WORKER) | ROLE_BIT(ROLE_CLIENT);

    if (role > ROLE_LANE) {
        return gp_error_set(err, GP_EACCES, "unknown role %u", role);
    }
    if (str_eq(key, GP_STR(HELLO_KEY_CLUSTER)) && (ROLE_BIT(role) & daemons) != 0) {
        return 0;
    }
    if (str_starts_with(key, GP_STR("app/")) && (ROLE_BIT(role) & daemons) == 0 &&
        is_below(key, name)) {
        return 0;
    }
    return gp_error_set(err, GP_EACCES, "the key %.*s does not speak for %.*s as %s", STR_ARG(key),
                        STR_ARG(name), role_names[role]);
}
