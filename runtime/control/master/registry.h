/*
 * registry.h: what the cluster must not forget: its applications.
 *
 * The registry changes in one way only: registry_apply() of a command. The same commands in the
 * same order give the same registry, which is what lets several masters hold it: times and random
 * numbers come with the command. Everything else a master knows (workers, slots, who is connected)
 * is soft and rebuilt.
 *
 *     SUBMITTED -> STARTING -> RUNNING -> FINISHED      any but the three ends -> FAILED, KILLED
 *                                |^ RECOVERING -> FINISHED
 */
#ifndef CONTROL_MASTER_REGISTRY_H
#define CONTROL_MASTER_REGISTRY_H

#include "base/map.h"
#include "wire/messages.h"

#define REGISTRY_TOKEN_SIZE 65u /* 64 hex digits and the zero */

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
    char token[REGISTRY_TOKEN_SIZE];
    struct value *plan;      /* NULL until made */
    struct value *placement; /* who runs what, as its appmaster wrote it; NULL until put */
    struct value *live;      /* what its appmaster said of it at its end; NULL before */
    char *error;             /* "" unless it failed */
    uint32_t executors;
    uint32_t tasks;
    /* Where its appmaster ended, for its log; the master's own, no command sets it. */
    uint32_t last_worker;
    int64_t last_pid;
};

struct registry {
    /* read-only */
    struct app **apps; /* by id, ascending */
    uint32_t count;
    uint32_t ended; /* of these */
    /* private */
    uint32_t next_id;
    struct map_str requests; /* request id -> app */
};

enum command_op {
    COMMAND_SUBMIT,    /* submit, token */
    COMMAND_EPOCH,     /* a new life of its appmaster begins */
    COMMAND_PLAN,      /* plan */
    COMMAND_PLACEMENT, /* placement */
    COMMAND_STATE,     /* state, error, executors, tasks, live */
};

struct command {
    enum command_op op;
    int64_t wall_ms;
    uint32_t app;                  /* all but SUBMIT */
    struct msg_app_submit *submit; /* its content is taken when the command succeeds */
    const char *token;
    const struct value *plan;      /* copied */
    const struct value *placement; /* copied */
    const struct value *live;      /* with an end; copied; may be NULL */
    uint32_t state;
    const char *error; /* NULL: as it was */
    uint32_t executors;
    uint32_t tasks;
};

void registry_init(struct registry *r, uint64_t seed);
void registry_deinit(struct registry *r);

/*
 * Applies one command; *ret_app is the application it was about.
 * SUBMIT: a repeated request id gives the application made the first time, and 0. GP_EEXIST: an
 * application of that name is live. GP_EFULL: too many are live. Others: GP_ENOENT; GP_ESTATE: not
 * a move that the drawing allows. Nothing changes on error.
 */
int registry_apply(struct registry *r, const struct command *command, struct app **ret_app,
                   struct gp_error *err);

/* NULL: there is none. */
struct app *registry_find(const struct registry *r, uint32_t id);

/* By id in decimal or by name; of those of one name a live one, else the youngest. GP_ENOENT with
 * the nearest name. */
int registry_lookup(const struct registry *r, const char *ref, struct app **ret_app,
                    struct gp_error *err);

/* The first with an id above `after`, or NULL: for paging. */
struct app *registry_next(const struct registry *r, uint32_t after);

#endif
