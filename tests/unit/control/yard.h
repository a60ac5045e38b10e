/*
 * yard.h: real masters (council.h) with puppets for workers and appmasters, to see who is told to
 * leave which worker, and when.
 *
 * A puppet of an appmaster asks for its slots, runs, and moves its tasks off workers as it is told,
 * as far as slots are granted; or stays, if the test says so. It goes on in its next epoch where
 * the one before was: what it holds stands in the yard. All puppets live in one process; a worker
 * dies with its appmasters when its endpoints are freed.
 */
#ifndef TESTS_CONTROL_YARD_H
#define TESTS_CONTROL_YARD_H

#include "council.h"

#define YARD_WORKERS 6u
#define YARD_TASKS   4u

#define SECOND INT64_C(1000000000)

struct yard;

struct fake_worker {
    struct yard *yard;
    struct endpoint *ep; /* NULL: it does not live */
    struct peer *master;
    char name[32];
    uint32_t id;   /* as it was welcomed */
    uint32_t room; /* slots */
    struct msg_kept_grant grant;
};

struct yard {
    struct council council;
    uint32_t worker_slots; /* of workers to be started; 0: 100 */
    bool stays;            /* the tasks of the application cannot leave */
    bool is_unsettled;     /* its appmaster has not written all of it down */
    bool is_deaf;          /* its appmaster does not answer app.rebalance */

    struct fake_worker workers[YARD_WORKERS];
    uint32_t worker_count;

    /* The application, of which there is one. */
    struct endpoint *appmaster;
    struct peer *master; /* of it */
    char token[65];
    uint32_t home; /* index of its worker */
    uint32_t epoch;
    bool has_plan;
    bool runs;
    bool is_asking;        /* for slots */
    bool lacks_room;       /* they were refused */
    uint32_t slots_on[64]; /* by worker id */

    /* What it was told, lately and in all. */
    struct msg_leave leave[MSG_LEAVE_MAX];
    uint32_t leave_count;
    uint32_t room_count;
    bool spread;
    bool force;
    char reason[MSG_REASON_MAX + 1];
    uint32_t tells;
    uint32_t spreads;

    /* The latest answer to the client. */
    bool is_answered;
    int code;
    struct gp_error err;
    struct msg_worker_drained drained; /* owned */
    struct msg_app_rebalanced rebalanced;
    uint32_t infos_count;
    struct msg_worker_info infos[YARD_WORKERS]; /* without texts */
};

void yard_begin(struct yard *y, uint64_t seed, const char *masters);
void yard_end(struct yard *y);

/* A worker comes, and has registered. Its index. */
uint32_t yard_add_worker(struct yard *y, const char *name);
void yard_kill_worker(struct yard *y, uint32_t index);

/* Submits the application, and waits until it runs. */
void yard_submit(struct yard *y);
void yard_submit_only(struct yard *y);

int yard_drain(struct yard *y, const char *worker);
int yard_ask_drain(struct yard *y, const struct msg_worker_drain *msg);
int yard_rebalance(struct yard *y, const char *app);
/* Into y->infos. */
void yard_list(struct yard *y);
/* As the leader's registry has it. */
const struct app *yard_app(struct yard *y);

#define YARD_UNTIL(y, cond)                                                                        \
    do {                                                                                           \
        int64_t end_ns_ = sim_now_ns((y)->council.sim) + 120 * SECOND;                             \
        while (!(cond) && sim_now_ns((y)->council.sim) < end_ns_ && sim_step((y)->council.sim)) {  \
        }                                                                                          \
        GP_REQUIRE(cond);                                                                          \
    } while (0)

#endif
