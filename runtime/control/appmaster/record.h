/*
 * record.h: what an application should be: which executors there are, which tasks each of them
 * runs and in which session, what happened lately. The placement record.
 *
 * The appmaster changes it, has the master keep it, and only then acts on it; a later appmaster
 * gets it back and goes on from there. Functions here are pure: they change the record and nothing
 * else. Every change counts its version up; one that executors must know of, its generation too.
 *
 *   - Ids of executors are never used twice, and a session only ever grows: (epoch << 32 | counter).
 *   - Ranges cover every task of the plan exactly once, from the first placement on, sorted by
 *     processor and first task.
 *   - A dead executor stands here as long as a task is still placed on it, or another executor is on
 *     its way to take them over (`replaces`).
 */
#ifndef CONTROL_APPMASTER_RECORD_H
#define CONTROL_APPMASTER_RECORD_H

#include "graph/placement.h"
#include "wire/messages.h"

struct record_executor {
    uint32_t id;
    uint32_t worker;
    uint32_t slots;       /* of a dead one: those whose tasks wait for others */
    uint32_t launched;    /* slots that its worker keeps for its process */
    uint32_t replaces;    /* the dead executor whose tasks it is to take over; 0: none */
    uint64_t incarnation; /* 0: it has not registered yet */
    uint64_t placed;      /* generation in which the others heard of it; 0: not yet */
    uint32_t lanes;       /* from then on: those of any task, and ... */
    uint32_t blocking;    /* ... behind them those of tasks that may block */
    int64_t pid;
    bool is_dead;
    char *name; /* of its worker, as the next two */
    char *address;
    char *host;
    char **labels; /* of its worker, as its name, for record_takes() */
    uint32_t labels_count;
};

struct record_range {
    uint32_t processor;
    uint32_t first;
    uint32_t count;
    uint32_t executor;
    uint32_t lane;
    uint64_t session;
    uint64_t since;   /* the oldest session whose rows still count; 0: session */
    bool leaving;     /* they are to be given up where they are: see struct record_move */
    uint64_t changed; /* the latest generation that changed any of this */
};

/*
 * A task that moves: PLANNED ─▶ LEAVING (its range says so) ─▶ PLACED ─▶ forgotten, once the
 * executor that it came to has it.
 */
struct record_move {
    uint32_t processor;
    uint32_t task;
    uint64_t session; /* of its life before */
    uint32_t from;    /* executor, which keeps what the task takes along until it hears of PLACED */
    uint32_t executor; /* where it comes */
    uint32_t lane;
    uint64_t placed; /* generation in which it came there; 0: not yet */
    uint64_t first;  /* that in which it came anywhere: who has taken it keeps nothing any more */
    bool is_bare;    /* it comes without its state, which could not come along */
};

/* An executor that died, so that those who know it hear of it. */
struct record_gone {
    uint32_t executor;
    uint64_t generation; /* from which on it is dead */
};

/* A worker where no task may come, and from where all are to go. */
struct record_leave {
    uint32_t worker;
    bool force; /* also those that lose their state by it */
};

/* What was asked for last, while it is not reached. */
struct record_goal {
    bool is_open;
    bool spread; /* evenly over all executors, and all workers that have room */
    bool force;
    char *reason; /* NULL: none */
    uint64_t begun_ms;
    uint32_t done;                /* tasks */
    struct msg_worker_room *room; /* by worker: who takes more, as far as is known */
    uint32_t room_count;
};

struct record {
    /* read-only */
    uint64_t version;
    uint64_t generation;
    uint32_t next_executor;
    uint32_t next_session;             /* the counter of the next one */
    struct record_executor *executors; /* by id, ascending */
    uint32_t executors_count;
    struct record_range *ranges;
    uint32_t ranges_count;
    struct record_gone *gone; /* the latest, oldest first */
    uint32_t gone_count;
    uint64_t gone_before; /* a generation: of deaths up to there not all stand in the list */
    struct msg_task_range *ended; /* tasks that have ended and are not run again; sorted */
    uint32_t ended_count;
    struct msg_app_event *events; /* the latest, oldest first */
    uint32_t events_count;
    struct msg_processor_stats *past; /* what dead executors had counted; by processor */
    uint32_t past_count;
    struct record_move *moves; /* ascending by processor and task */
    uint32_t moves_count;
    uint64_t moved; /* the latest generation that began, ended or cancelled moves; 0: none did */
    struct record_leave *leave;
    uint32_t leave_count;
    struct record_goal goal; /* the owner's, as what follows */
    uint64_t moves_done;
    uint64_t moves_refused;
    struct msg_task_state *states; /* of sources; sorted */
    uint32_t states_count;
    /* The owner's, kept here for the next epoch. */
    uint64_t lost;
    uint64_t in_doubt;
    bool is_lost_at_least;
    bool is_over; /* all tasks have ended: nothing is to run again, and all was counted */
    struct msg_edge_stats *edges; /* as past, by edge and kind: see stats_view() */
    uint32_t edges_count;
};

void record_init(struct record *r);
void record_deinit(struct record *r); /* zeroed is fine */

/* ---- executors ---- */

/* A new one, on this grant. *ret_id; GP_ENOMEM, GP_EFULL. */
int record_add(struct record *r, const struct msg_grant *grant, uint32_t replaces,
               uint32_t *ret_id);
struct record_executor *record_find(const struct record *r, uint32_t id); /* NULL */
/* It is there: from now on it is known by its incarnation. */
void record_join(struct record *r, uint32_t id, const struct msg_executor_register *info);
/* It is dead. Its tasks stay on it until they are given to another. */
void record_bury(struct record *r, uint32_t id);
/* Its siblings hear of it with this generation. */
void record_announce(struct record *r, uint32_t id);
/* Forgets the dead that nothing refers to any more. */
void record_sweep(struct record *r);
/* It is dead, and others must take its place: it has tasks, or was to have some. */
bool record_is_wanted(const struct record *r, const struct record_executor *e);
/* Whether tasks of this place (graph/place.h) may be on it. */
bool record_takes(const struct record_executor *e, const char *place);
/* Frees what is known of room for moves. */
void record_forget_room(struct record *r);
/* Executors that are not dead. */
uint32_t record_living(const struct record *r);
/* Slots of a dead one for which no living executor stands in yet. */
uint32_t record_slots_missing(const struct record *r, uint32_t id);

/* ---- tasks (record_place.c) ---- */

/* Tasks placed on an executor. */
uint32_t record_tasks_on(const struct record *r, uint32_t id);

/* The first placement, over all executors that have joined. As placement_make(). */
int record_place(struct record *r, const struct plan *plan, uint32_t epoch);

/*
 * Executor `id`, which has joined, takes over tasks of the dead one it replaces, in a new session:
 * all of them, or its share by slots if others stand in beside it; that they restart is counted if
 * there is room for it (record_need_past()). 0, GP_ENOMEM, GP_ETOOBIG.
 */
int record_give(struct record *r, const struct plan *plan, uint32_t id, uint32_t epoch);

/*
 * Puts each of these ranges, of one task and ascending, in the place of what was said of that task:
 * another executor and lane, another session, leaving or not. 0, GP_ENOMEM, GP_ETOOBIG: nothing has
 * changed.
 */
int record_change(struct record *r, const struct record_range *changes, uint32_t count);

/* A new session for one task; with too many ranges for that, for all of its range. GP_ENOENT. */
int record_restart(struct record *r, uint32_t processor, uint32_t task, uint32_t epoch);

/* These tasks have ended for good. 0: known already; 1: new; GP_ENOMEM, GP_EFULL. */
int record_end(struct record *r, uint32_t processor, uint32_t first, uint32_t count);

const struct record_range *record_range_of(const struct record *r, uint32_t processor,
                                           uint32_t task); /* NULL */

/* ---- tasks that move ---- */

struct record_move *record_move_of(const struct record *r, uint32_t processor, uint32_t task);
/* One move more, or another in the place of one of the same task. GP_ENOMEM, GP_EFULL. */
int record_add_move(struct record *r, const struct record_move *move);
/* Forgets it; those behind it come up. */
void record_drop_move(struct record *r, struct record_move *move);
/* NULL: tasks may be there. */
const struct record_leave *record_leaves(const struct record *r, uint32_t worker);

/* ---- states of sources (record_states.c) ---- */

#define RECORD_STATES_BYTES_MAX (128u << 10) /* of their texts, as the master keeps them */

/* The latest that a source says of itself; its text moves. It counts no version up: whoever wants
 * it kept has it kept. GP_EFULL, GP_ENOMEM: the source would begin anew. */
int record_keep_state(struct record *r, struct msg_task_state *from);
const struct msg_task_state *record_state_of(const struct record *r, uint32_t processor,
                                             uint32_t task); /* NULL */
/* How many, from the first on, the master is given. */
uint32_t record_states_fitting(const struct record *r);
/* As decoded: sorted, each once, of tasks of the plan. */
bool record_states_in_order(const struct record *r, const struct plan *plan);

/* ---- what happened ---- */

/* The latest event, which has not ended; the oldest goes when there are too many. GP_ENOMEM. */
int record_event(struct record *r, int64_t time_ms, const char *text);
/* The latest event that has not ended gets more text (NULL: none), and with took_ms >= 0 it and all
 * before it have ended. */
void record_event_more(struct record *r, const char *text, int64_t took_ms);

/* A new epoch: everybody must hear from it. */
static inline void record_renew(struct record *r)
{
    r->version++;
    r->generation++;
}

/* The owner changed something of its own, to be kept. */
static inline void record_touch(struct record *r)
{
    r->version++;
}

/* Room for what was counted. GP_ENOMEM. */
int record_need_past(struct record *r, uint32_t processor_count);
/* Adds what a dead executor counted. GP_ENOMEM leaves some of it out. */
int record_add_past(struct record *r, const struct msg_executor_report *report,
                    uint32_t processor_count);
/* One aggregate of counts added to another: in, out, rejected, late, counters. GP_ENOMEM. */
int record_add_counts(struct msg_processor_stats *to, const struct msg_processor_stats *from);

/* ---- to and from what the master keeps (record_codec.c) ---- */

/* with_states: those that fit. */
int record_encode(const struct record *r, bool with_states, struct value **ret);
/* Decoding checks it against the plan. GP_EPROTO with the place, GP_ENOMEM. */
int record_decode(const struct value *tree, const struct plan *plan, struct record *ret,
                  struct gp_error *err);

#endif
