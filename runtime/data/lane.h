/*
 * lane.h: a lane: one thread with one loop that runs many tasks. The heart of the data plane.
 *
 * The way of one message, and the files it passes:
 *
 *   task_call.c      poll() or process() of a task
 *   output.c           emit: hash the key, choose the task, draw its account ...
 *   neighbour.c        ... and append a row to the open batch of the lane it lives on
 *                        LOCAL    handed over at the end of the turn
 *   neighbour_ring.c     RING     by pointer, rings published once per turn
 *   neighbour_stream.c   STREAM   one write of one frame; reads stay where they were read to;
 *                                 within a host through shared memory, see port/net.h
 *   inbox_accept.c     walk over the elements; entries into the inboxes of tasks
 *   inbox.c            views of up to 64 rows
 *   fuse.c             or, past all that, from one task of a lane straight into the next
 *   task_call.c      process(), and so on; what is consumed goes back as credit
 *
 * One turn (lane_turn):
 *   1. take what neighbours of this process pushed; what streams brought came with the loop's
 *      events;
 *   2. give each runnable task a slice of slice_rows rows;
 *   3. hand over what they sent to each other, and pass time on;
 *   4. if nothing is runnable now, hand over the partial batches too; else only those that have
 *      lingered;
 *   5. pump: publish rings, write frames, tell credit; wake neighbours that sleep.
 * So a batch leaves when it is full or when there is nothing better to do: load makes full batches,
 * idleness makes low latency.
 *
 * What must hold:
 *   - No malloc, lock, system call, clock read or store to a shared line per message; those come
 *     per batch or per turn.
 *   - Lanes share nothing but rings, the sleeping flag, wakers, counters and the control word.
 *     Memory of a batch belongs to the lane that filled it and is lent by pointer.
 *   - Memory is bounded by credit: what is on the way to the tasks of a lane, in queues, kernels
 *     and inboxes, is at most the sum of the windows of the accounts into it (lane_budget) and for
 *     each what one call emits beyond.
 *   - An exhausted account stops the tasks that must send to it, nothing else: receiving never
 *     waits for sending, and a batch that arrived is always taken in. Nothing is held back without
 *     an end in time: rows that wait in a batch have drawn credit that somebody may wait for.
 *   - A neighbour of another process is not believed: every index and length it sends is checked,
 *     and what does not fit ends that connection.
 *
 * Sleeping. `sleeping` is 0 while awake. Before it sleeps the lane stores SLEEP_DATA (wake me for
 * data), SLEEP_CREDIT (also for credit: a task waits for it), SLEEP_FEW (also when a neighbour has
 * few batches left to read: more are held back), SLEEP_ANY (also for any batch that comes home) or
 * SLEEP_ROOM (also when a full ring has room again), then looks at its rings once more; a neighbour
 * publishes, then looks at the flag. All of it is sequentially consistent, so one of them sees the
 * other.
 *
 * Control. The executor's thread writes `command` and `update`, reads `phase`, `generation` and
 * what was set before them; the lane answers by moving these and calling `notify`. Failures of
 * tasks are pushed onto a list that the executor's thread takes.
 *
 * Threads: everything is the lane's own but lane_new, lane_connect, lane_free (before its start,
 * after its end) and what is marked [any thread].
 */
#ifndef DATA_LANE_H
#define DATA_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <gearpump/processor.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "data/batch_pool.h"
#include "data/counter.h"
#include "data/fuse.h"
#include "data/inbox.h"
#include "data/limits.h"
#include "data/measure.h"
#include "data/neighbour.h"
#include "data/options.h"
#include "data/reach.h"
#include "data/topology.h"
#include "port/runner.h"

struct stage;
struct task;
struct out_edge;
struct lane_timers;
struct gp_waker;
struct stream_hub;
struct stream_place;
struct lane_moved;

/* What to run for one processor of the plan. */
struct lane_processor {
    const struct gp_processor *table;
    const char *plugin; /* its name, for crash notes */
    const struct gp_host *host;
    const struct gp_config *config;
};

/* What a task's session begins with: what snapshot() of an earlier one gave. */
struct lane_state {
    uint32_t processor;
    uint32_t task;
    bool moved; /* it is what its session before said when it left (move.h) */
    gp_bytes bytes;
};

/* Tasks first .. first + count - 1 of a processor. */
struct lane_tasks {
    uint32_t processor;
    uint32_t first;
    uint32_t count;
};

/* Shared by the lanes of an executor; borrowed, outlives them. */
struct lane_env {
    const struct topology *topology; /* the first; see lane.topology */
    uint64_t moves;                  /* of that: see move.h */
    const struct lane_state *states; /* until every lane has opened its tasks */
    uint32_t state_count;
    const struct lane_tasks *ended; /* ... of them those that ended in an earlier life */
    uint32_t ended_count;
    const struct data_options *options;
    const struct lane_processor *processors; /* [processor]; those placed here are set */
    const struct gp_partitioner *const
        *partitioners; /* [edge]; custom edges that leave from here */
    const struct gp_config *partitioner_config;
    uint64_t app_id;
    const struct log *log;
    void (*notify)(void *user); /* a phase moved or a task failed [called in the lane's thread] */
    void *notify_user;
};

enum lane_command {
    LANE_WAIT,
    LANE_OPEN,  /* call open of every task */
    LANE_START, /* let data flow */
    LANE_STOP,  /* close every task, then end the thread */
};

enum lane_phase {
    LANE_NEW,
    LANE_OPENED,
    LANE_OPEN_FAILED,
    LANE_RUNNING,
    LANE_ENDED, /* every task has ended, and what those sent that left has come; batches still flow */
    LANE_CLOSED,
};

/* What the control thread wants a lane to make true while it runs (lane_update.c). Borrowed until
 * the lane has said that it took it; the topology until the one after it was taken. */
struct lane_update {
    uint64_t generation;
    uint64_t moves; /* the latest generation, up to this one, that moved tasks; 0: none did */
    const struct topology *topology;
    const struct stream_place *places; /* [topology lane]: those that are new are read */
    const struct lane_state *states;
    uint32_t state_count;
};

enum lane_sleep {
    SLEEP_AWAKE,
    SLEEP_DATA,
    SLEEP_CREDIT,
    SLEEP_FEW,
    SLEEP_ANY,
    SLEEP_ROOM,
};

enum lane_ask {
    LANE_ASK_NOTHING,
    LANE_ASK_ENDS, /* no states: the lane's own, when a source ends */
    LANE_ASK_CHANGES,
    LANE_ASK_ALL, /* states that did not change, too */
};

/* An answer (lane_look.c). */
struct lane_news {
    struct buf states;        /* of sources: u32 processor, u32 task, u32 length, bytes; again */
    struct lane_tasks *ended; /* all that have, here or in an earlier life */
    uint32_t ended_count;
    struct reach_link *links; /* to lanes of other executors; NULL without memory */
    uint32_t link_count;
    struct lane_measures *measures; /* NULL without memory */
};

/* Why the session of a task failed. */
struct lane_failure {
    struct lane_failure *next; /* in lane.failures */
    uint32_t processor;
    uint32_t task;
    uint64_t session;
    const char *function;
    char text[FAIL_TEXT_MAX];
};

struct lane_stats {
    struct counter turns;
    struct counter sleeps;
    struct counter batches_out;
    struct counter batches_full;
    struct counter stale_rows;
    struct counter bad_batches;
    struct counter overdrawn; /* links that ended for it */
    struct counter failed_links;
    struct counter blocked;         /* times a task had to wait for credit */
    struct counter sources_blocked; /* ... or for batches, and was a source */
    struct counter lingered;        /* partial batches that went because they had waited enough */
    struct counter held;            /* times one stayed because its neighbour had enough to read */
    struct counter copied_out;      /* rows moved out of batches they pinned */
    struct counter large;           /* messages that travelled in fragments */
    struct counter interleaved; /* fragments that came with rows between them and the one before */
    struct counter refused;     /* unmanaged messages refused for lack of credit */
    struct counter sent;        /* unmanaged messages */
    struct counter fused;       /* rows that went straight from task to task */
    struct counter spilled;     /* ... that were to, and had to go the ordinary way */
    struct counter lost;        /* rows emitted on a port without edges */
    struct counter rows_lost;   /* that nobody consumed: stale ones, of broken links, of failures */
    struct counter rows_in_doubt; /* sent to lanes that died, not known to be consumed */
    struct counter tasks_failed;  /* that wait for their next session now */
    struct counter tasks_restarted;
};

struct lane {
    const struct lane_env *env;
    const struct data_options *options;
    const struct topology *topology; /* as of the latest update */
    uint32_t index;                  /* number in the topology */
    struct loop *loop;               /* NULL before the thread runs */
    int64_t now_ns;                  /* of this turn */
    int64_t turn_ns;                 /* what the turn before took, the poll of the loop included */
    bool worked;                     /* in this turn a task consumed or emitted something */
    bool resting;                    /* this turn ends with nothing to do */
    uint32_t small_max;              /* bytes of key and value that surely fit a batch */

    struct list runnable;
    struct list dirty;             /* neighbours with something to pump */
    struct list in_changed;        /* stages */
    struct list out_changed;       /* stages */
    struct neighbour **neighbours; /* [lane_count], NULL where there is none */
    struct neighbour *self;        /* the LOCAL one */
    struct neighbour nobody;       /* where outputs point before their first row */
    struct neighbour gone;         /* whom what came from retired ones belongs to */
    struct neighbour *retired;     /* whose batches the kernel still has */
    struct stream_hub *hub;
    struct neighbour **others; /* all others, in order */
    uint32_t other_count;
    struct neighbour **rings; /* the RING ones, in order */
    uint32_t ring_count;
    struct stage **stages;       /* [processor], NULL where no task of it is here */
    struct out_edge **out_edges; /* [edge], NULL where nothing leaves from here */
    struct batch_pool pool;
    uint64_t next_token;
    int64_t linger_checked_ns;
    int64_t end_told_ns; /* a source's, at once */

    /* scratch and free lists */
    struct gp_row views[VIEWS_MAX];
    struct entry *free_entries;
    void *entry_chunks;
    struct parcel *free_parcels;
    struct index_block *free_indexes;
    uint32_t *sort_counts;  /* [largest task count of a stage], all zero between batches */
    uint32_t *sort_touched; /* the same size */
    uint32_t *sort_locals;  /* [BATCH_ROWS_MAX] */
    uint16_t *sort_offsets; /* [BATCH_ROWS_MAX] */
    uint32_t held_batches;  /* foreign batches that inboxes hold */
    uint32_t thin_parcels;  /* those of which little is left to read */
    int64_t compacted_ns;   /* when they were last copied out */
    struct fuse_list *fuse_lists[FUSE_DEPTH_MAX]; /* by depth, NULL before use */
    uint32_t fuse_depth;                          /* of the calls under way */
    uint8_t *reserve_buf;
    uint32_t reserve_cap;

    struct lane_timers *timers;
    struct timer *linger_timer;
    struct list large_out; /* large messages to be sent, see large.h */
    uint64_t large_bytes;
    uint64_t large_last;            /* number of the latest */
    struct large_block *large_kept; /* memory for the next ones */
    size_t large_kept_bytes;
    bool large_waits;    /* for a neighbour to return batches */
    bool large_granted;  /* since it was last looked at, maybe by this lane itself */
    int32_t **unmanaged; /* [processor]: accounts, see unmanaged.h */
    uint32_t tasks_total;
    uint32_t tasks_closed;  /* ended */
    uint32_t sort_cap;      /* tasks that there is scratch memory for */
    uint32_t blocked_count; /* tasks in a stage.blocked */
    uint64_t moves;         /* move.h */
    uint64_t marked;        /* the same, as the neighbours were told */
    uint64_t aligned;       /* ... and that all neighbours have said to have taken */
    bool aligning;          /* aligned < moves */
    bool pool_waits;        /* ... some of them for batches */
    bool holds_partial;     /* a batch is not handed over because its neighbour has enough */

    struct crash_note *note; /* of the thread; set before it runs */
    struct lane_stats stats;
    struct lane_meter meter;

    _Alignas(CACHE_LINE) _Atomic uint32_t sleeping; /* enum lane_sleep */
    _Atomic uint32_t command;                       /* enum lane_command */
    _Atomic uint32_t ask;                           /* enum lane_ask */
    _Atomic(const struct lane_update *) update;     /* NULL: none is to be taken */
    _Atomic(const struct topology *) newest;        /* of the last of those that are to be taken */
    _Alignas(CACHE_LINE) _Atomic uint32_t phase;    /* enum lane_phase */
    _Atomic uint64_t generation;                    /* of the latest update that was taken */
    _Atomic(struct lane_failure *) failures;        /* not told yet, newest first */
    _Atomic(struct lane_moved *) moved;             /* the same for tasks that were to leave */
    _Atomic(struct lane_news *) news;               /* the latest answer, not taken yet */
    _Atomic(struct gp_waker *) woken;               /* wakers that rang, newest first */
    uint32_t command_done;
};

/* A lane with its stages and no neighbours but itself. env is borrowed. */
int lane_new(const struct lane_env *env, uint32_t index, struct lane **ret, struct gp_error *err);
void lane_free(struct lane *lane); /* its thread has ended; NULL is fine */

/* Joins two lanes of one process by a pair of rings, when both host tasks. */
int lane_connect(struct lane *a, struct lane *b);

/* Adds a neighbour in another process, when both host tasks. */
int lane_add_stream(struct lane *lane, uint32_t index, const struct stream_place *place);

/* What lane_host.c hands on from its runner. */
int lane_init(struct lane *lane, struct loop *loop, struct stream_hub *hub);
enum runner_state lane_turn(struct lane *lane);
int lane_may_sleep(struct lane *lane);
void lane_fini(struct lane *lane);

/* Tells the lane what to do; wakes it. [control thread] */
void lane_command(struct lane *lane, enum lane_command command);

/* Where the lane is. What it set before, failure included, is visible afterwards. [any thread] */
enum lane_phase lane_phase(const struct lane *lane);

/* Whether it sleeps, or is about to. [any thread] */
bool lane_is_asleep(const struct lane *lane);

/* Ends the sleep of another lane if it sleeps at least that deep. [any thread] */
void lane_wake(struct lane *lane, enum lane_sleep least);

/* Has the lane take an update; lane.generation says when it has. One at a time: of those that come
 * after it only the last placement is told, for who is not in it is dead. [control thread] */
void lane_give_update(struct lane *lane, const struct lane_update *update,
                      const struct topology *newest);
void lane_tell_newest(struct lane *lane, const struct topology *newest);

/* The one that can be taken in the next turn; NULL when there is none, or more has to come first.
 * [lane's thread, and so the next] */
const struct lane_update *lane_due_update(const struct lane *lane);

/* Takes it, if it may. */
bool lane_take_update(struct lane *lane, const struct lane_update *update);

/* The failures since the last call, oldest first; the caller frees each. [control thread] */
struct lane_failure *lane_take_failures(struct lane *lane);

/* Asks for news; notify() says when they are there. [control thread] */
void lane_ask_news(struct lane *lane, enum lane_ask ask);
struct lane_news *lane_take_news(struct lane *lane); /* NULL: none; the caller frees them */
void lane_news_free(struct lane_news *news);         /* NULL is fine */

/* Answers. [lane's thread] */
void lane_look(struct lane *lane);

/* What a task begins with, empty when nothing; whether it ended in an earlier life. */
struct lane_state lane_env_state(const struct lane_env *env, uint32_t processor, uint32_t task);
bool lane_env_has_ended(const struct lane_env *env, uint32_t processor, uint32_t task);

/* A task ended. */
void lane_task_closed(struct lane *lane);

/* A source ended: told at once, if that was not done a moment ago. [lane's thread] */
void lane_tell_end(struct lane *lane);

/* Tasks have come or gone, or what they sent has come: it may have ended, or not any more. */
void lane_look_at_end(struct lane *lane);

/* Room to sort rows of so many tasks. 0 or GP_ENOMEM. */
int lane_grow_scratch(struct lane *lane, uint32_t tasks);

/* Logs what was counted, at the lane's end. */
void lane_log_counters(const struct lane *lane);

/* Notes why a task failed, and tells. */
void lane_fail(struct lane *lane, const struct task *t, const char *function, const char *text);

#endif
