/*
 * lane_host.h: the thread of a lane: it listens before it knows what to run, and runs a lane once
 * it is given one.
 *
 * An executor must tell where its lanes can be reached before the appmaster can tell it what they
 * do. So threads and listeners come first; connections that arrive before the lane wait, unread.
 *
 *   NEW ──init──▶ READY (addresses are known) ──give──▶ runs the lane ──▶ DONE
 *     └──▶ FAILED (err)
 *
 * Threads: new, give, stop and free are the control thread's; the rest is the host's own.
 */
#ifndef DATA_LANE_HOST_H
#define DATA_LANE_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/stream_hub.h"
#include "port/port.h"

struct lane;
struct lane_host;

enum host_phase {
    HOST_NEW,
    HOST_READY,
    HOST_FAILED,
    HOST_DONE, /* the thread has ended */
};

struct lane_host_spec {
    const struct port *port;
    uint32_t index; /* lane in the executor */
    /* Where to listen; NULL: not there. Copied. */
    const struct net_addr *tcp;
    const struct net_addr *unix_socket;
    const struct stream_identity *identity; /* copied */
    const struct log *log;
    struct doorbell *bell; /* rung when the phase moves */
    int32_t cpu;           /* -1: not pinned */
};

struct lane_host {
    struct lane_host_spec spec; /* read-only */
    struct net_addr listen[2];  /* TCP, Unix; empty: not */
    char name[16];
    struct runner *runner;
    bool exited; /* control thread */
    struct loop *loop;
    struct listener *listeners[2];
    struct net_addr addrs[2]; /* TCP, Unix; empty where not listening. Valid from READY on */
    struct gp_error err;      /* valid in FAILED */
    struct crash_note note;
    struct stream_hub hub;
    struct lane *own; /* the lane once it was taken over, thread's view */
    _Atomic(struct lane *) lane;
    _Atomic uint32_t phase; /* enum host_phase */
    _Atomic uint32_t stop;
};

/* Starts the thread. */
int lane_host_new(const struct lane_host_spec *spec, struct lane_host **ret, struct gp_error *err);

/* After HOST_DONE. NULL is fine. */
void lane_host_free(struct lane_host *host);

/* From READY: run this lane. It stays the giver's, to be freed after HOST_DONE. */
void lane_host_give(struct lane_host *host, struct lane *lane);

/* Without a lane: end. With one, the lane is stopped first (lane_command). */
void lane_host_stop(struct lane_host *host);

enum host_phase lane_host_phase(const struct lane_host *host);

#endif
