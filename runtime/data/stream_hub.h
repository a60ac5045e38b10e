/*
 * stream_hub.h: the connections of one lane's thread to lanes of other processes: who they are and
 * to which neighbour they belong.
 *
 * Of two lanes the one with the lower number dials; a lane that is dialled before it knows its job
 * keeps the proven connection until it does. Both prove the application's token and are refused
 * unless they come as a lane of this application; incarnations keep yesterday's executors out.
 *
 * Thread: the lane's, save hub_init (before it starts) and hub_deinit (after it ended).
 */
#ifndef DATA_STREAM_HUB_H
#define DATA_STREAM_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "actor/address.h"
#include "actor/conn.h"
#include "base/list.h"
#include "base/log.h"
#include "port/port.h"

struct data_options;
struct lane;
struct neighbour;

/* Who this executor is to its siblings. Copied. */
struct stream_identity {
    uint32_t app;
    uint32_t executor;
    uint64_t incarnation;
    char key[ADDRESS_TEXT_MAX]; /* "app/7" */
    uint8_t token[CONN_SECRET_MAX];
    size_t token_len;
    int64_t failure_timeout_ns; /* 0: 3 s */
};

/* Where a lane of a sibling is. */
struct stream_place {
    struct net_addr tcp;         /* empty: not there */
    struct net_addr unix_socket; /* empty: not there, or not on this host */
    uint32_t executor;
    uint32_t lane;
    uint64_t incarnation;
};

struct stream_hub {
    /* private */
    const struct port *port;
    struct stream_identity who;
    char name[ADDRESS_TEXT_MAX]; /* "app/7/executor/2/lane/0" */
    struct conn_identity identity;
    struct conn_setup setup;
    struct rbuf_pool pool;
    struct conn_share share;
    struct list conns;
    struct lane *lane; /* NULL before hub_attach() */
    const struct log *log;
    bool closing;
};

/* One connection, bound to a neighbour or (accepted, lane not known yet) not. */
struct stream_conn {
    struct list_node node; /* in hub.conns */
    struct stream_hub *hub;
    struct conn *conn;
    struct neighbour *neighbour;
    bool ready;
};

void hub_init(struct stream_hub *hub, const struct port *port, const struct stream_identity *who,
              uint32_t lane, const struct log *log);
void hub_deinit(struct stream_hub *hub);

/* The thread runs. */
void hub_start(struct stream_hub *hub, struct loop *loop);

/* Takes an accepted stream. */
void hub_accept_take(struct stream_hub *hub, struct stream *stream);

/* The lane is known: binds what waits and begins. */
void hub_attach(struct stream_hub *hub, struct lane *lane);

/* Begins with the lane's new neighbours: dials those with a higher number. */
void hub_begin(struct stream_hub *hub);

/* Dials a neighbour, over its Unix socket if it has one and not by_tcp. 0 or what conn_dial()
 * answers. */
int hub_dial(struct stream_hub *hub, struct neighbour *p, const struct stream_place *place,
             bool by_tcp, struct stream_conn **ret);

/* Ends every connection. */
void hub_close(struct stream_hub *hub);

/* Forgets a connection; NULL is fine. */
void stream_conn_free(struct stream_conn *sc);

#endif
