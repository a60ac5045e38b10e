/*
 * registry.h: what the cluster must not forget: its applications, and which workers are drained.
 *
 * The registry changes in one way only: registry_apply() of a command. The same commands in the
 * same order give the same registry, which is what lets several masters hold it: times and random
 * numbers come with the command. Everything else a master knows (workers, slots, who is connected)
 * is soft and rebuilt.
 *
 *     SUBMITTED -> STARTING -> RUNNING <-> RECOVERING     the latter two -> FINISHED
 *         |           ^                                   any but the three ends -> FAILED, KILLED
 *         |           v
 *         +------> WAITING
 *
 * A new life of the appmaster of a RUNNING application makes it RECOVERING.
 */
#ifndef CONTROL_MASTER_REGISTRY_H
#define CONTROL_MASTER_REGISTRY_H

#include "base/map.h"
#include "wire/messages.h"

#define REGISTRY_TOKEN_SIZE 65u           /* 64 hex digits and the zero */
#define REGISTRY_BYTES_MAX  (48ull << 20) /* of all applications, as commands brought them */
#define REGISTRY_MARKS_MAX  1024u

struct app {
    /* read-only */
    uint32_t id;
    uint32_t epoch;   /* lives of its appmaster */
    uint32_t state;   /* enum app_state */
    uint64_t version; /* grows with every change of this application */
    int64_t submitted_ms;
    int64_t started_ms;
    int64_t finished_ms;
    struct msg_app_submit spec; /* as submitted; its name is filled in */
    char *token;                /* the key app/N */
    struct value *plan;         /* NULL until made */
    struct value *placement;    /* what its appmaster needs to go on; NULL until put */
    struct value *live;         /* what its appmaster said of it at its end; NULL before */
    char *error;                /* why it failed or waits, or "" */
    uint32_t executors;
    uint32_t tasks;
    uint32_t worker;  /* where its present (or last) appmaster was put; 0: nowhere yet */
    int64_t pid;      /* of its last appmaster, known at the end */
    bool is_stopping; /* somebody killed it */
    struct msg_restart *restarts; /* the oldest first: see budget.h */
    uint32_t restarts_count;
    uint64_t bytes; /* of the commands that made spec, plan, placement and live */
    uint64_t plan_bytes;
    uint64_t placement_bytes;
};

/* A worker that is to take no tasks, until somebody says otherwise. */
struct drain_mark {
    uint32_t worker;
    bool force; /* tasks whose state cannot come along leave without it */
    char *name; /* of the worker: one that is started again under this name inherits the mark */
};

struct registry {
    /* read-only */
    struct app **apps; /* by id, ascending */
    uint32_t count;
    uint32_t ended; /* of these */
    uint32_t next_worker;
    struct drain_mark *marks; /* oldest first */
    uint32_t marks_count;
    uint64_t marked;      /* changes of marks so far */
    uint64_t bytes;       /* of all applications */
    uint64_t ended_bytes; /* of those that have ended */
    /* private */
    uint32_t next_id;
    struct map_str requests; /* request id -> app */
};

enum command_op {
    COMMAND_SUBMIT,    /* submit, token */
    COMMAND_EPOCH,     /* a new life of its appmaster begins: worker, is_restart */
    COMMAND_PLAN,      /* tree */
    COMMAND_STATE,     /* state, error, executors, tasks, pid, tree */
    COMMAND_PLACEMENT, /* tree, restarts */
    COMMAND_KILL,      /* it is to end */
    COMMAND_WORKER,    /* a worker gets an id: registry.next_worker before; worker: whose mark it
                          inherits, 0: nobody's */
    COMMAND_DRAIN,     /* a worker gets a mark, or loses it: worker, name, force, undo */
};

struct command {
    uint32_t op; /* enum command_op */
    int64_t wall_ms;
    uint64_t proposer; /* who proposed it, and which of its proposals it is */
    uint64_t serial;
    uint32_t app;                  /* all but SUBMIT, WORKER and DRAIN, as epoch */
    uint32_t epoch;                /* of the application as the proposer knew it; not for KILL */
    struct msg_app_submit *submit; /* its content is taken when the command succeeds */
    const char *token;
    const struct value *tree; /* copied. PLAN, PLACEMENT; STATE: live, at an end; may be NULL */
    uint32_t state;
    const char *error; /* NULL: as it was */
    uint32_t executors;
    uint32_t tasks;
    uint32_t worker;
    const char *name;
    bool force;
    bool undo;
    bool is_restart;                    /* it is drawn from the budget */
    const struct msg_restart *restarts; /* copied: instead of those before */
    uint32_t restarts_count;
    int64_t pid;
    uint64_t bytes; /* of its encoding */
};

void registry_init(struct registry *r, uint64_t seed);
void registry_deinit(struct registry *r);

/*
 * Applies one command; *ret_app is the application it was about, NULL for WORKER and DRAIN. SUBMIT:
 * a repeated request id gives the application made the first time, and 0. GP_EEXIST: an application
 * of that name is live. GP_EFULL: too many are live, or they are too big; or too many workers have
 * marks. Others: GP_ENOENT; GP_ESTALE: of another life of its appmaster; GP_ESTATE: not a move that
 * the drawing allows. Nothing changes on error. GP_ENOMEM says nothing about the command: whoever
 * gets it must build the registry anew, or it differs from the others.
 */
int registry_apply(struct registry *r, const struct command *command, struct app **ret_app,
                   struct gp_error *err);

/* It has tasks, or had some: it goes on, and does not begin. */
static inline bool app_goes_on(const struct app *app)
{
    return app->placement || app->state == APP_RUNNING || app->state == APP_RECOVERING;
}

/* NULL: there is none. */
struct app *registry_find(const struct registry *r, uint32_t id);

/* The live one of that name, or NULL. */
struct app *registry_live(const struct registry *r, gp_str name);

/* The one that was submitted by this request, or NULL. */
struct app *registry_request(const struct registry *r, const char *request_id);

/* By id in decimal or by name; of those of one name a live one, else the youngest. GP_ENOENT with
 * the nearest name. */
int registry_lookup(const struct registry *r, const char *ref, struct app **ret_app,
                    struct gp_error *err);

/* The mark of a worker, or NULL: it takes tasks. */
const struct drain_mark *registry_mark(const struct registry *r, uint32_t worker);

/* The first with an id above `after`, or NULL: for paging. */
struct app *registry_next(const struct registry *r, uint32_t after);

#endif
