/*
 * peers.h: those to whom the tcp sink sends, and what each is owed. sink.c says what, peers.c how
 * it gets there.
 *
 * Invariants: line_begin <= sent is where the first line begins that is not wholly sent, so that a
 * new connection begins with a whole line; a peer with fd -1 is only there in mode=connect.
 */
#ifndef PEERS_H
#define PEERS_H

#include "tcp.h"

#define TIMER_DIAL 0u

struct peer {
    int fd;
    bool connecting;
    bool wants_room; /* epoll also tells when it may write */
    char *bytes;
    size_t size;
    size_t line_begin;
    size_t sent;
    size_t len;
    int64_t moved_ns; /* when it last took something */
    struct peer *next;
};

struct sink {
    const struct gp_task *task;
    const char *text;
    struct address address;
    bool listening;
    bool ending;
    bool lingered;
    uint64_t buffer_max;
    uint64_t connections_max;
    int64_t retry_max_ns;
    int64_t retry_ns;
    int64_t stall_ns;
    int epoll;
    int listener;
    uint64_t peer_count;
    struct peer *peers; /* mode=connect: always one */
};

int32_t peers_watch(const struct sink *s, int how, int fd, uint32_t events, void *what);

/* NULL without memory. */
struct peer *peer_add(struct sink *s, int fd);
void peer_remove(struct sink *s, struct peer *p);

/* Begins to connect the peer of mode=connect, or will try again later. */
void peer_dial(struct sink *s);

/* A line behind what it is owed. GP_OK, or GP_FAIL without memory. */
int32_t peer_put(struct peer *p, const void *line, size_t line_len);

/* The connection is no more: a guest is forgotten, the host of mode=connect is dialled again. */
void peer_lost(struct sink *s, struct peer *p, const char *why);

/* Sends what the sockets take. */
void peers_flush(struct sink *s);

/* Sees to what epoll tells of: who comes, who goes, who has room. */
void peers_turn(struct sink *s);

#endif
