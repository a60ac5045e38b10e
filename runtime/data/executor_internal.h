/*
 * executor_internal.h: shared by executor.c (what the appmaster wants), executor_find.c (the
 * appmaster itself), executor_tell.c (what it is told), executor_moves.c (the same of moves) and
 * executor_stuck.c (the same of calls that do not return).
 */
#ifndef DATA_EXECUTOR_INTERNAL_H
#define DATA_EXECUTOR_INTERNAL_H

#include "actor/vitals.h"
#include "data/desired.h"
#include "data/executor.h"
#include "data/job.h"
#include "data/stuck.h"
#include "data/wanted.h"

#define EXECUTOR_UPDATES_MAX 16u

enum executor_state {
    EX_LISTENING,
    EX_REGISTERING,
    EX_WAITING,
    EX_OPENING,
    EX_OPEN,
    EX_RUNNING,
    EX_ENDED,
    EX_STOPPING,
    EX_STOPPED,
};

/* An update that lanes have not taken, and who asked for it. */
struct waiting_update {
    uint64_t generation;
    struct reply_token token;
};

struct executor {
    const struct port *port;
    struct executor_options options; /* its texts point into texts; epoch: the highest obeyed */
    struct buf texts[8];
    uint32_t text_count;
    char key[32];
    char name[ADDRESS_TEXT_MAX];
    enum executor_state state;
    struct endpoint *ep;
    struct engine *engine;
    uint32_t lane_count;
    struct job *job;
    struct timer *done_timer;

    /* executor_find.c */
    struct peer *appmaster; /* NULL before the first dial */
    struct net_addr appmaster_addr;
    uint32_t appmaster_epoch; /* of the one at that address, as it was told */
    bool registered;          /* with that one, on its present connection */
    struct peer *masters;     /* while the appmaster is looked for */
    struct net_addr master_addrs[MSG_MASTERS_MAX];
    uint32_t master_count;
    bool asking;
    bool alone; /* a master said that there is no appmaster */
    int64_t ask_again_ns;
    struct timer *ask_timer;
    struct timer *alone_timer;
    uint32_t dials_failed;

    /* executor_tell.c */
    struct timer *report_timer;
    struct timer *news_timer;
    struct ex_lane_news *lane_news;  /* [lane], what each said last; NULL before the first */
    struct msg_executor_report last; /* owned */
    struct vitals vitals;
    int64_t filled_ns;             /* when the last full report was made */
    uint64_t filled_busy_ns;       /* what all tasks had worked by then */
    struct lane_failure *failures; /* of tasks that wait for their next session, oldest first */

    /* executor_moves.c */
    struct lane_moved *moved_due;   /* to be told, oldest first */
    struct lane_moved *moved_told;  /* ... and told, which a later appmaster must hear, too */
    struct lane_moved *moved_asked; /* first of moved_due while an answer is due; NULL: forgotten */
    bool moved_waits;               /* an answer is due */
    struct timer *moved_timer;

    /* executor_stuck.c */
    struct stuck_call *stuck; /* [lane]; NULL: nobody looks */

    /* executor_brought.c */
    struct msg_executor_bring *brought; /* states whose tasks are to come */
    uint32_t brought_count;

    struct wanted wanted;            /* from the assignment on: the latest that it was told */
    struct desired assigned;         /* until every task is open */
    struct reply_token assign_token; /* correlation 0: none waits */
    bool start_wanted;               /* executor.start came while tasks were being opened */
    struct waiting_update updates[EXECUTOR_UPDATES_MAX];
    uint32_t update_count;
    struct reply_token stop_token;
    int32_t exit_code;
};

static inline const struct log *ex_log(const struct executor *ex)
{
    return ex->port->log;
}

/* Ends the process in order, from any state. */
void ex_stop(struct executor *ex, int32_t exit_code);
/* It is registered for the first time. */
void ex_registered(struct executor *ex);

/* ---- executor_find.c ---- */

int ex_find_init(struct executor *ex);
void ex_find_deinit(struct executor *ex);
void ex_find_stop(struct executor *ex);

/* Dials the appmaster that was named at the start. */
void ex_find_first(struct executor *ex);

/* From the endpoint. */
void ex_find_up(struct executor *ex, struct peer *peer);
void ex_find_down(struct executor *ex, struct peer *peer, const struct gp_error *why);
void ex_find_unreachable(struct executor *ex, struct peer *peer, const struct gp_error *why);

/* Whether an appmaster of that epoch may command here; if it is a later one than before, the
 * earlier may not any more. GP_ESTALE. */
int ex_obey(struct executor *ex, uint32_t epoch, struct gp_error *err);

/* ---- executor_tell.c ---- */

int ex_tell_init(struct executor *ex);
void ex_tell_deinit(struct executor *ex);
void ex_tell_open(struct executor *ex);  /* looks at calls from now on */
void ex_tell_start(struct executor *ex); /* reports from now on */
void ex_tell_stop(struct executor *ex);

/* Lanes have stopped: tells how things stood in the end, and all that was measured. */
void ex_report_last(struct executor *ex);
void ex_tell_failure(struct executor *ex, const struct lane_failure *failure);
void ex_tell_ended(struct executor *ex);

/* Everything that a new appmaster must know, or the old one may have missed. */
void ex_tell_all(struct executor *ex);

/* What a lane says when asked; what was measured is taken. */
void ex_tell_news(struct executor *ex, uint32_t lane, struct lane_news *news);

/* An update was taken: forgets failures of sessions that are over. */
void ex_tell_updated(struct executor *ex);

/* ---- executor_moves.c ---- */

int ex_moves_init(struct executor *ex);
void ex_moves_deinit(struct executor *ex);
void ex_moves_stop(struct executor *ex);

/* A task has left, stays or has come: it is told. */
void ex_moves_take(struct executor *ex, struct lane_moved *m);

/* An update was taken: forgets what needs no telling any more. */
void ex_moves_updated(struct executor *ex);

/* Everything once more, to an appmaster that may not know. */
void ex_moves_tell_all(struct executor *ex);

/* ---- executor_stuck.c ---- */

int ex_stuck_init(struct executor *ex); /* after the number of lanes is known */
void ex_stuck_deinit(struct executor *ex);

/* Looks at each lane and logs what is new; true when the appmaster should hear of it. */
bool ex_stuck_look(struct executor *ex);

/* What there is to say, and the time of calls that go on. Without memory the former is left out. */
void ex_stuck_report(const struct executor *ex, struct msg_executor_report *report);

/* Whether a call lasts so long already that who looks at tasks wants to see it. */
bool ex_stuck_is_long(const struct executor *ex);

/* ---- executor_brought.c ---- */

/* Its text moves. GP_EFULL, GP_ENOMEM. */
int ex_brought_take(struct executor *ex, struct msg_executor_bring *msg, struct gp_error *err);
/* Adds what was brought for this placement to the states that came with it. GP_ENOMEM. */
int ex_brought_use(struct executor *ex, const struct msg_placed *placement,
                   uint32_t placement_count, struct msg_task_state **states,
                   uint32_t *states_count);
void ex_brought_deinit(struct executor *ex);

#endif
