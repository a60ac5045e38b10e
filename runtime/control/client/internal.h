/* internal.h: the client's own state, shared by client.c and submit.c. */
#ifndef CONTROL_CLIENT_INTERNAL_H
#define CONTROL_CLIENT_INTERNAL_H

#include "base/list.h"
#include "control/client/client.h"

#define CLIENT_MASTERS_MAX 9u
#define CLIENT_DAEMONS_MAX 64u /* connections to daemons by their address */

/* An ask that waits for its answer. */
struct client_act {
    struct client *client;
    client_fn fn;
    void *user;
    struct list_node link;
};

struct client_daemon {
    char address[NET_ADDR_MAX];
    struct peer *peer; /* NULL: free */
};

struct upload_job;

struct client {
    const struct port *port;
    struct endpoint *ep;
    struct net_addr masters[CLIENT_MASTERS_MAX];
    uint32_t master_count;
    struct conn_key secret;
    int64_t timeout_ns;
    struct peer *master; /* NULL: not dialled */
    bool was_up;         /* a master answered, so there is a cluster */
    struct client_daemon daemons[CLIENT_DAEMONS_MAX];
    struct gp_error lost; /* why a peer that was dropped could not be reached */
    struct list acts;
    struct upload_job *upload; /* the submit under way, or NULL */
};

/* As client_ask_for(), for a binary type. */
int client_ask_bytes(struct client *c, uint16_t type, gp_bytes bytes, client_fn fn, void *user);

void upload_free(struct upload_job *job); /* NULL is fine */

#endif
