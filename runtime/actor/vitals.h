/*
 * vitals.h: how a process is doing: what it needs, what its endpoint has carried, how late its loop
 * is. For the reports of any node.
 *
 * Lateness is that of a timer which the node has anyway: vitals_await() as it is started,
 * vitals_came() as it fires. Loop thread only.
 */
#ifndef ACTOR_VITALS_H
#define ACTOR_VITALS_H

#include "actor/endpoint.h"
#include "port/port.h"

/* How late it was at most in each of the last quarters of a minute. Who looks at least every 45 s
 * sees each peak, however many look. */
#define VITALS_LAG_SLOTS   4u
#define VITALS_LAG_SLOT_NS INT64_C(15000000000)

struct vitals {
    const struct port *port;
    int64_t began_ns;
    int64_t due_ns;                   /* 0: no timer is awaited */
    int64_t lag_ns[VITALS_LAG_SLOTS]; /* [time / VITALS_LAG_SLOT_NS % VITALS_LAG_SLOTS] */
    int64_t lag_slot;                 /* the latest: time / VITALS_LAG_SLOT_NS */
};

void vitals_init(struct vitals *v, const struct port *port);

/* A timer was started that fires in delay_ns; fires. */
void vitals_await(struct vitals *v, int64_t delay_ns);
void vitals_came(struct vitals *v);

/* Takes some ten microseconds, more with many descriptors: once a second at most. ep: NULL when
 * there is none. */
void vitals_tell(struct vitals *v, const struct endpoint *ep, struct msg_vitals *ret);

/* Of one endpoint more in the same process. */
void vitals_add_counts(struct msg_vitals *to, const struct endpoint_counts *counts);

/* Of the host. */
void vitals_load(const struct port *port, struct msg_load *ret);

#endif
