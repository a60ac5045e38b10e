/*
 * client.h: what gpctl says to a cluster.
 *
 * A client keeps one connection, to the master that leads; those of its list are tried in turn
 * until one says which that is. Everything is asynchronous: an act is begun, and its callback comes
 * once from the loop, with 0 or with a negative code and an error for people. One act at a time is
 * all that a command line needs, but nothing here forbids more.
 *
 * One thread, everything through port.
 */
#ifndef CONTROL_CLIENT_CLIENT_H
#define CONTROL_CLIENT_CLIENT_H

#include "actor/endpoint.h"

struct client;

struct client_options {
    const struct port *port;    /* borrowed, outlives the client */
    const char *const *masters; /* "host:port" */
    uint32_t master_count;
    gp_bytes secret;    /* key "cluster"; copied */
    int64_t timeout_ns; /* for one answer; 0: 10 s */
};

/* Borrowed until return; code 0 or negative. */
typedef void (*client_fn)(void *user, int code, const void *msg, const struct gp_error *err);

int client_new(const struct client_options *options, struct client **ret, struct gp_error *err);

/* Ends the connection; no callback comes any more. NULL is fine. */
void client_free(struct client *c);

/*
 * Asks the master, connecting first if need be. msg is the struct of the type's payload table
 * (copied); fn gets that of the reply table. Codes: those of the master; GP_EUNREACH: no master
 * answered; GP_ETIMEOUT.
 */
int client_ask(struct client *c, uint16_t type, const void *msg, client_fn fn, void *user);

/* The same with a time limit of its own, for long polls. */
int client_ask_for(struct client *c, uint16_t type, const void *msg, int64_t timeout_ns,
                   client_fn fn, void *user);

/* Asks the daemon at this address, worker or master, and no other: for logs, or how it is. */
int client_ask_at(struct client *c, const char *address, uint16_t type, const void *msg,
                  int64_t timeout_ns, client_fn fn, void *user);

/* ---- submit ---- */

struct client_submit {
    const char *path; /* of the shared object, absolute */
    struct msg_app_submit
        spec; /* request_id is filled in unless it is given; so is sha256, and if it is given, that
                 is what the file must have. Borrowed until the callback */
    /* Bytes the master has, of all; may be NULL. */
    void (*on_progress)(void *user, uint64_t sent, uint64_t size);
    /* msg: struct msg_app_submitted */
    client_fn fn;
    void *user;
};

/*
 * Reads the file piece by piece, offers it, uploads what the master lacks, submits. The request id
 * makes it safe to send twice. fn is called once from the loop, unless a negative code is returned,
 * with err set, for what is wrong with the file itself.
 */
int client_submit(struct client *c, const struct client_submit *submit, struct gp_error *err);

#endif
