/*
 * stage.h: a simulated cluster of which some actors are real and the others puppets, whose strings
 * the test pulls.
 *
 *     worker NAME       real (control/worker)
 *     boss [ADDRESS]    plays a master, at 10.0.0.1:3000: gives ids and artefacts, notes the news
 *     client            plays gpctl
 *     person            has nothing but a port, on which the test starts what it likes
 *     appmaster JSON    as a worker starts it: comes in at that worker with its application's key
 *     executor JSON     says one line and waits for its end
 */
#ifndef TESTS_CONTROL_STAGE_H
#define TESTS_CONTROL_STAGE_H

#include "actor/endpoint.h"
#include "control/launch.h"
#include "control/worker/worker.h"
#include "sim/sim.h"

#define STAGE_SECRET  "open sesame"
#define STAGE_TOKEN   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define STAGE_MASTER  "10.0.0.1:3000"
#define STAGE_HOSTS   3
#define STAGE_NEWS    16
#define STAGE_PUPPETS 64

#define SECOND INT64_C(1000000000)
#define MS_NS  INT64_C(1000000)

struct stage;

/* The answer to the latest ask of a puppet. */
struct reply {
    uint32_t count; /* of answers so far */
    int code;
    struct gp_error err;
    int64_t pid;    /* launched */
    char text[512]; /* log.text */
    uint64_t offset;
    uint64_t end;
    bool truncated;
};

struct puppet {
    struct stage *stage;
    struct sim_proc *proc;
    const struct port *port;
    struct endpoint *ep;
    const char *role;
    struct peer *peer; /* boss: the latest worker; others: whom they dialled */
    bool up;
    bool deaf; /* ignores SIGTERM */
    struct reply reply;

    struct launch_appmaster appmaster;
    struct launch_executor executor;

    /* News from a worker. */
    struct msg_process_exited exited[STAGE_NEWS]; /* crash texts borrowed from crashes */
    char crashes[STAGE_NEWS][512];
    uint32_t exits;
    uint32_t registered;
    uint32_t kept[STAGE_NEWS]; /* slots of grants that came with the latest register */
    uint32_t kept_count;
    uint32_t reported;
    uint32_t reports;
    uint32_t slots_used;

    /* Of a boss. */
    bool follows;       /* it does not lead */
    uint64_t term;      /* of its welcome */
    uint32_t came_with; /* id in the latest register */
    uint32_t offers;    /* of an upload */
    uint64_t uploaded;  /* bytes of the latest one */
    uint32_t submits;
    bool is_alone;                           /* it reaches too few other masters to keep a file */
    bool lacks_file;                         /* it submits nothing before it was uploaded here */
    char request_id[MSG_REQUEST_ID_MAX + 1]; /* of the latest submit */

    /* The boss's artefact. */
    const char *content;
    bool lie;         /* serve other bytes of the same length */
    uint32_t pieces;  /* asked for */
    size_t piece_max; /* bytes; 0: all at once */
};

struct stage {
    struct sim *sim;
    struct sim_host *hosts[STAGE_HOSTS];   /* 10.0.0.1 ... */
    struct puppet *puppets[STAGE_PUPPETS]; /* that were ever started; NULL: ended */
    uint32_t puppet_count;
    struct worker *worker; /* the latest, while it lives */
    struct sim_proc *worker_proc;
    uint32_t slots;           /* of workers; 0: default */
    const char *other_master; /* for workers, behind STAGE_MASTER; NULL: none */
};

void stage_begin(struct stage *s, uint64_t seed);
void stage_end(struct stage *s); /* checks that nothing leaked */

/* "worker w1" on a host; runs until it has begun. */
struct sim_proc *stage_spawn(struct stage *s, int host, const char *role, const char *arg);

/* The latest of that role that lives; NULL: none. */
struct puppet *stage_find(struct stage *s, const char *role);

/* Runs until the condition holds; fails the test after a minute of simulated time. */
#define STAGE_UNTIL(s, cond)                                                                       \
    do {                                                                                           \
        int64_t stage_end_ns_ = sim_now_ns((s)->sim) + 60 * SECOND;                                \
        while (!(cond) && sim_now_ns((s)->sim) < stage_end_ns_ && sim_step((s)->sim)) {            \
        }                                                                                          \
        GP_REQUIRE(cond);                                                                          \
    } while (0)

void stage_run_ms(struct stage *s, int64_t ms);

/* Asks and waits for the answer; the code of it. */
int puppet_ask(struct puppet *p, uint16_t type, const void *msg);
/* Does not wait. */
void puppet_ask_only(struct puppet *p, uint16_t type, const void *msg);

/* The sha256 of a text, in hex; valid until the next call with the same out. */
char *stage_sha(const char *text, char out[65]);

#endif
