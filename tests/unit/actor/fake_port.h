/*
 * fake_port.h: the smallest world: one loop moved by hand, a clock that stands still until told,
 * streams that are queues in memory. Everything happens inside fake_run() and fake_advance(), in a
 * fixed order, so a test can look between any two bytes. What must not happen in a world is an
 * assertion, so that fuzz targets stand on it too.
 */
#ifndef FAKE_PORT_H
#define FAKE_PORT_H

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rng.h"
#include "port/port.h"

struct fake {
    struct loop loop; /* first */
    struct port port;
    struct log log;
    struct buf log_text; /* all lines */
    int64_t now_ns;
    size_t read_max;         /* bytes a read gives at most; 0: all there is */
    const char *client_host; /* whom accepted streams seem to come from */
    long fail_call;          /* the call (of those that may) to fail, from 0; -1: none */
    struct rng rng;
    struct list timers;
    struct list listeners;
    struct list streams;
    struct list events; /* connects and writes that are done, to be told */
    uint16_t next_port;
};

/* Not 0 while the world itself allocates: tests that refuse memory leave it alone. */
extern volatile unsigned fake_allocating;

void fake_init(struct fake *f);

/* Asserts that everything made in it was freed. */
void fake_deinit(struct fake *f);

/* Until nothing is left to do without the clock. */
void fake_run(struct fake *f);

/* Lets time pass, timers firing on the way. */
void fake_advance(struct fake *f, int64_t ns);

/* From now on the other end of all streams takes nothing (writes stay queued). */
void fake_stall(struct fake *f, bool stalled);

/* Cuts every connection, as a network that breaks does. */
void fake_cut(struct fake *f);

struct net_addr fake_addr(const char *text);

/* Whether this event was logged. */
bool fake_logged(struct fake *f, const char *event);

/* ---- a peer that speaks bytes ---- */

struct raw {
    struct fake *f;
    struct stream *stream;
    struct buf got;
    char space[4096];
    bool ended;
};

void raw_dial(struct raw *raw, struct fake *f, const struct net_addr *addr);
void raw_listen_take(struct raw *raw, struct fake *f, struct stream *stream);
void raw_send(struct raw *raw, const void *ptr, size_t len);
void raw_deinit(struct raw *raw);

#endif
