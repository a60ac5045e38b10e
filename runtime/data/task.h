/*
 * task.h: one parallel instance of a processor, and the calls into its code.
 *
 *   NEW ──open──▶ OPEN ──start──▶ RUNNING ──the end──▶ ENDED ──▶ CLOSED
 *    │             │                │  ▲
 *    │             │              FAIL restart
 *    │             │                ▼  │
 *    │             │               FAILED
 *    └──refused────┴──────stop──────┴──────────────────────────────▶ CLOSED
 *
 * One that moves to another lane (move.h) is GONE here until the placement says that it is there;
 * or that it is here again, in its next session.
 *
 * A FAILED task has no instance of user code; what is sent to it waits in its inbox, as far as
 * credit goes, for its next session. Restarting one that runs is the same: its code is closed,
 * without a chance to emit, and opened anew. What it had not consumed the next session gets.
 *
 * A RUNNING task is in one of three places: in lane.runnable, in stage.blocked (it has something to
 * do but an output has no credit), or nowhere (nothing to do, or it answered GP_AGAIN).
 * task_ready() is called whenever there may be something to do; task_run() does a slice of it.
 *
 * What a slice does, in this order: finish a callback that answered GP_YIELD; due timers; then the
 * inbox from its head; sources poll. Around every call the lane's crash note names plugin,
 * processor, task and function.
 *
 * Thread: the lane's.
 */
#ifndef DATA_TASK_H
#define DATA_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/processor.h>

#include "base/assert.h"
#include "base/list.h"
#include "data/fuse.h"
#include "data/limits.h"
#include "data/measure.h"
#include "data/timers.h"

struct lane_state;
struct stage;
struct entry;
struct output;
struct fd_watch;
struct gp_waker;

enum task_state {
    TASK_NEW,
    TASK_OPEN,
    TASK_RUNNING,
    TASK_FAILED,
    TASK_GONE, /* it has left for another lane */
    TASK_ENDED,
    TASK_CLOSED,
};

enum task_place {
    TASK_NOWHERE,
    TASK_AT_WORK, /* in its slice: what makes it ready meanwhile is looked at when that ends */
    TASK_RUNNABLE,
    TASK_BLOCKED,
};

/* A callback that answered GP_YIELD and is called again before anything else. */
enum task_pending {
    TASK_PENDING_NONE,
    TASK_PENDING_WATERMARK,
    TASK_PENDING_TIMER,
    TASK_PENDING_END,
};

struct task {
    struct gp_out out;
    struct output *outputs; /* [stage.out_count + 1]: the last is for ports that lead nowhere */
    struct output *lent;    /* whose cursor the plugin may write to; NULL: none */
    struct stage *stage;
    uint32_t local;     /* position in the stage */
    uint32_t state;     /* enum task_state */
    uint32_t small_max; /* lane.small_max */
    void *self;

    struct list_node node;
    uint8_t place;   /* enum task_place */
    uint8_t pending; /* enum task_pending */
    bool waiting;    /* answered GP_AGAIN: nothing before a token */
    bool polling;    /* a source that has more, or on_ready is to be called */
    bool silent;     /* a source that had nothing when last asked */
    bool idle;       /* ... for so long that it holds no watermark back */
    bool refused;    /* emit did not take a row: the task cannot go on */

    struct entry *in_head;
    struct entry *in_tail;

    int64_t watermark_ns; /* of its input */
    int64_t out_ns;       /* what it promises */
    uint64_t session;
    uint64_t
        leaving;   /* lane.moves when it was asked to leave, and not answered yet; 0: it was not */
    uint64_t came; /* lane.moves when it came here; 0: it was here from the start */
    uint64_t state_hash; /* of the state that was told last */
    bool state_failed;   /* said so already */
    bool emitted;        /* since it was cleared */
    bool offers_late;    /* some of the rows that it is offered are late */
    uint64_t overdraft;  /* bytes emitted since `full` was set */
    uint32_t slice_rows; /* that its next slice may do; see task_fit_slice() */
    bool slice_spent;    /* the last one did them all */

    struct timers *timers; /* NULL before use */
    struct timer_due due;  /* the one being called */
    struct gp_waker *waker;
    struct fd_watch *watch;
    int watch_events;
    bool watch_paused;
    char *fail_text; /* FAIL_TEXT_MAX, NULL before use */

    struct fuse fuse;
    bool direct; /* it is called by fuse.c: what it is offered lies in no inbox */
    uint32_t direct_done;

    struct task_meter meter;

    /* reserve.c */
    uint8_t *reserved; /* where the value goes; NULL: no reservation is open */
    uint32_t reserved_port;
    struct gp_msg reserved_msg; /* of one that is built aside; value NULL: none */

    struct gp_task api;
};

int task_init(struct task *t, struct stage *stage, uint32_t local);
void task_deinit(struct task *t);

/* Calls open, then restore when there is a state for it. 0 or GP_EUSER. A task that has ended in an
 * earlier life is not opened. */
int task_open(struct task *t);
void task_start(struct task *t);

/* A new session in place of the one that runs, failed or has left. state is what a snapshot gave,
 * or, when moved, what the session before took along; empty: none. */
void task_restart(struct task *t, uint64_t session, const struct lane_state *state);

/* It has come to this lane, made by task_init() after the start. The same state. */
void task_arrive(struct task *t, const struct lane_state *state);

/* It leaves: its code is closed, what it was is taken. */
void task_go(struct task *t);

/* It is on another lane now, whatever it does here. Before task_deinit(). */
void task_remove(struct task *t);

/* Whether it still takes rows; what it does not take is dropped. */
static inline bool task_takes(const struct task *t)
{
    return t->state < TASK_ENDED;
}

/* There may be something to do. */
void task_ready(struct task *t);

/* Credit came for a task that may have waited for it. */
void task_unblock(struct task *t);

/* Whether all its outputs have credit. */
bool task_may_emit(const struct task *t);

/* Off its list, when nothing is to be done: at the end of a slice. */
void task_rest(struct task *t);

/* Promises its neighbours that nothing older than time_ns will come. Never goes back. */
void task_pass_watermark(struct task *t, int64_t time_ns);

/* A token for GP_AGAIN or GP_IDLE came. */
void task_token(struct task *t);

/* One slice. */
void task_run(struct task *t);

/* It took that long: the next one is shorter or longer, so that a slow task keeps its lane no
 * longer than others. What it does not get done waits, its accounts run dry, and who can send to
 * others does. */
void task_fit_slice(struct task *t, int64_t took_ns);

/* Calls close, if open was called. */
void task_close(struct task *t);

/* It ended regularly. */
void task_end(struct task *t);

/* Notes why, for the control thread. */
void task_report_failure(struct task *t, const char *function, const char *text);

/* Ends its session: told to the control thread, the row at hand dropped. function names the
 * callback.
 */
void task_fail(struct task *t, const char *function, const char *text);

/* After fuse_open() and what may emit: those behind t are called. */
static inline void fuse_settle(struct task *t)
{
    if (t->fuse.list) {
        fuse_deliver(t);
    }
}

static inline struct task *task_of_api(const struct gp_task *api)
{
    return container_of(api, struct task, api);
}

static inline struct task *task_of_out(struct gp_out *out)
{
    return container_of(out, struct task, out);
}

#endif
