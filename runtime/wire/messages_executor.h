/*
 * messages_executor.h: between an executor and its appmaster.
 */
#ifndef WIRE_MESSAGES_EXECUTOR_H
#define WIRE_MESSAGES_EXECUTOR_H

#include "wire/messages_worker.h"

#define MSG_STATE_MAX  4096u /* bytes of what a source remembers of where it is */
#define MSG_STATES_MAX 4096u
#define MSG_GONE_MAX   64u /* executors; after more the whole is said */

/* Bytes of what a task takes along when it moves; all those of one assignment or update together
 * stay below it too, for as hexadecimal they fill most of a message. */
#define MSG_MOVED_STATE_MAX (384u << 10)

/* Where one lane listens. */
struct msg_lane {
    char *tcp;       /* "host:port" */
    char *unix_path; /* "unix:/..." or ""; called "unix" outside */
};

struct msg_executor_register {
    uint32_t app;
    uint32_t epoch; /* the highest it has obeyed */
    uint32_t executor;
    char *host;
    int64_t pid;
    uint64_t incarnation;
    struct msg_lane *lanes;
    uint32_t lanes_count;
    uint32_t blocking;   /* the last so many of its lanes are for tasks whose calls may block */
    uint32_t pinned;     /* core of its first lane, from 1; the others follow; 0: not bound */
    uint64_t generation; /* of the latest assignment or update it took; 0: none */
    bool started;        /* its tasks run */
};

/* An executor as its siblings must know it. */
struct msg_sibling {
    uint32_t id;
    char *host;
    uint64_t incarnation;
    struct msg_lane *lanes;
    uint32_t lanes_count;
};

/* Tasks first .. first + count - 1 of a processor are on that lane, in that session of theirs. On
 * an executor that is not among those announced: nowhere for now; what is for them waits. */
struct msg_placed {
    uint32_t processor;
    uint32_t first;
    uint32_t count;
    uint32_t executor;
    uint32_t lane;
    uint64_t session; /* epoch << 32 | counter; it only grows */
    uint64_t since;   /* the oldest session whose rows still count; 0: session. It stays when tasks
                         move, and is the new session when they are restarted */
    bool leaving;     /* their executor gives them up: executor.moved says with what, or why not */
};

struct msg_executor_ref {
    uint32_t executor;
};

struct msg_task_range {
    uint32_t processor;
    uint32_t first;
    uint32_t count;
};

/* What a replayable source said of itself, or a task as it left: to be given to its next
 * session. */
struct msg_task_state {
    uint32_t processor;
    uint32_t task;
    char *state; /* hexadecimal, opaque to all but executors; "": none */
    bool moved;  /* it is what executor.moved brought. Never told in executor.states */
};

/* What a new executor runs. */
struct msg_executor_assign {
    uint32_t epoch;
    uint64_t generation; /* from 1; the newest wins */
    uint64_t moves;      /* as in an update */
    struct value *plan;
    struct msg_placed *placement;
    uint32_t placement_count;
    struct msg_sibling *executors;
    uint32_t executors_count;
    struct msg_plugin_file *plugins;
    uint32_t plugins_count;
    struct msg_task_state *states; /* of its own tasks */
    uint32_t states_count;
    struct msg_task_range *ended; /* tasks that are not run again */
    uint32_t ended_count;
};

/*
 * The same for one that runs: it makes true what is said here, and answers when that is so. Said is
 * what changed after `base`, which it has taken: the tasks that are elsewhere or in another session
 * now, those executors that are new, and those that are gone. All else is as it was. With base 0
 * all is said, as in an assignment. One that has not come to `base` answers that it wants the
 * whole.
 *
 * A task moves by two of them, both told to all executors. In the first its range is `leaving`, and
 * executor.moved answers. In the second it has its new place and session, `since` as before, and
 * where it comes a state that is `moved`. Any other placement in between has it leaving still, or
 * cancels the move; who is asked again (with later `moves`) answers again. An executor says that a
 * task has left also when nobody wants that any more, or by `moves` from before it was cancelled
 * and asked again: then it has to be placed where it was, for what was sent to it meanwhile waits
 * there.
 */
struct msg_executor_update {
    uint32_t epoch;
    uint64_t generation;
    uint64_t base; /* 0: none, all is said */
    uint64_t
        moves; /* the latest generation, up to this one, whose ranges begin or cease to leave, or
                       are placed where they move to; 0: none */
    struct msg_placed *placement;
    uint32_t placement_count;
    struct msg_sibling *executors;
    uint32_t executors_count;
    struct msg_executor_ref *gone;
    uint32_t gone_count;
    struct msg_task_state *states;
    uint32_t states_count;
};

struct msg_executor_updated {
    uint64_t generation; /* the newest it has taken */
    bool whole;          /* it took nothing: it has not come to the base, and wants all */
};

/* A call into user code that has not returned for longer than task.stuck_timeout. */
struct msg_stuck_call {
    uint32_t processor;
    uint32_t task;
    char *function;
    uint64_t for_ms;
    bool is_over; /* it has returned: told in one report, after for_ms */
};

struct msg_executor_report {
    struct msg_processor_stats *processors;
    uint32_t processors_count;
    struct msg_edge_stats *edges;
    uint32_t edges_count;
    uint64_t lost;      /* rows that nobody consumed: of older sessions, broken links, failures */
    uint64_t in_doubt;  /* rows sent to executors that died, not known to be consumed there */
    uint32_t restarted; /* sessions of its tasks after their first here */
    uint32_t failed;    /* tasks that wait for their next session */
    struct msg_executor_ref *unreachable; /* a link to them is down, for longer than a moment */
    uint32_t unreachable_count;
    struct msg_stuck_call *stuck; /* at most one a lane */
    uint32_t stuck_count;
    /* Histograms, the slowest tasks and vitals are in the first report of each second, those said
     * before hold in the others: is_full tells. */
    bool is_full;
    bool is_cut; /* some of these were left out for the size */
    struct msg_vitals vitals;
};

/* Told once a second when something changed, and all of it after executor.register. */
struct msg_executor_states {
    struct msg_task_state *states; /* those that changed */
    uint32_t states_count;
    struct msg_task_range *ended; /* all tasks of its own that have ended */
    uint32_t ended_count;
};

/* All tasks that it has by the placement of that generation have ended: maybe it has none. Told
 * again after each update for which this is so; what was told before it does not count any more. */
struct msg_executor_done {
    uint64_t generation;
};

/* A task waits for its next session, which an update brings. */
struct msg_executor_failed {
    uint32_t processor;
    uint32_t task;
    uint64_t session; /* the one that failed */
    char *function;
    char *text;
};

enum msg_moved {
    MSG_MOVED_LEFT, /* it does not run any more; its state is here, and is kept there, too, until it has a
                          later session, so that another appmaster hears it as well */
    MSG_MOVED_REFUSED, /* it runs on where it is, and why it stays */
    MSG_MOVED_RESUMED, /* it runs, or has ended, where it has come, with its state. Told at most once: to
                          have taken the update says the same, if no failure is told */
    MSG_MOVED_COUNT,
};

/* Asked one at a time, so that states do not pile up; the answer says that this appmaster knows. A
 * task that has failed with the state it came with is told by executor.failed instead. */
struct msg_executor_moved {
    uint32_t processor;
    uint32_t task;
    uint64_t session; /* that has left or stays; or the new one */
    uint64_t moves;   /* of those two: the generation by which it was asked, or a later one */
    uint32_t what;    /* enum msg_moved */
    bool ended;       /* all that it has to take along is that it has ended */
    char *text;       /* REFUSED: why, for people */
    char *state;      /* LEFT: as in msg_task_state; more than MSG_MOVED_STATE_MAX is refused */
};

/* What a task takes along that comes with that session, for which the assignment or update had no
 * room: told before that. */
struct msg_executor_bring {
    uint32_t epoch;
    uint32_t processor;
    uint32_t task;
    uint64_t session;
    char *state; /* as in msg_task_state */
};

extern const struct fields msg_sibling_fields;
extern const struct fields msg_executor_register_fields;
extern const struct fields msg_executor_assign_fields;
extern const struct fields msg_executor_update_fields;
extern const struct fields msg_executor_updated_fields;
extern const struct fields msg_executor_report_fields;
extern const struct fields msg_executor_states_fields;
extern const struct fields msg_executor_done_fields;
extern const struct fields msg_executor_failed_fields;
extern const struct fields msg_executor_moved_fields;
extern const struct fields msg_executor_bring_fields;

#endif
