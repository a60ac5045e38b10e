/*
 * workers.h: which workers there are, and whose their slots are: the master's view of it.
 *
 * The worker itself is the ledger: a grant is an offer that it may refuse. Soft: lost with the
 * master and rebuilt as workers register.
 */
#ifndef CONTROL_MASTER_WORKERS_H
#define CONTROL_MASTER_WORKERS_H

#include "control/limits.h"
#include "control/master/scheduler.h"
#include "wire/messages.h"

struct worker_entry {
    uint32_t id;
    uint64_t peer;                   /* of the endpoint */
    struct msg_worker_register info; /* owned */
    uint32_t used;                   /* slots granted */
    struct msg_load load;            /* of its host, as it said last */
    uint32_t processes;              /* as it last reported */
    int64_t up_since_ns;
    bool is_draining; /* as the registry says, as is_forced: it is offered to nobody */
    bool is_forced;
    bool is_drained; /* and that was said */
    bool is_new;     /* it joined just now: see drain.c */
};

/* Slots of one application on one worker. */
struct grant {
    uint32_t app;
    uint32_t worker;
    uint32_t slots;
};

struct workers {
    struct worker_entry *entries[WORKERS_MAX]; /* by id, ascending */
    uint32_t count;
    struct grant *grants;
    uint32_t grant_count;
    uint32_t grant_capacity;
};

void workers_init(struct workers *w);
void workers_deinit(struct workers *w);

/* Takes the content of info. The id is nobody's. GP_EFULL, GP_ENOMEM. */
int workers_add(struct workers *w, uint32_t id, uint64_t peer, struct msg_worker_register *info,
                int64_t now_ns, struct worker_entry **ret);

/* Forgets the worker and its grants. */
void workers_remove(struct workers *w, struct worker_entry *entry);

struct worker_entry *workers_find(const struct workers *w, uint32_t id);
struct worker_entry *workers_find_peer(const struct workers *w, uint64_t peer);

/* The workers as the scheduler sees them, without those that are drained; list has room for
 * WORKERS_MAX. Returns the count. */
uint32_t workers_offer(const struct workers *w, struct scheduler_worker *list);

/* Books slots; more of them on a worker where the application has some. GP_ENOMEM. */
int workers_grant(struct workers *w, uint32_t app, uint32_t worker, uint32_t slots);

/* Takes back up to `slots` on one worker. */
void workers_release(struct workers *w, uint32_t app, uint32_t worker, uint32_t slots);

/* All of one application. */
void workers_release_app(struct workers *w, uint32_t app);

#endif
