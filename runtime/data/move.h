/*
 * move.h: tasks change lanes while rows flow, and nothing is lost, doubled or out of order.
 *
 * A move takes two placements, each taken by all lanes in its own time:
 *
 *   1. the task is marked as leaving. Senders hold its accounts: no more rows are made for it. Who
 *      receives from it lets no time pass. Its lane, once all before it has come, has it consume what
 *      it has, takes its state (snapshot, timers, how far time came) and closes it: `lane_moved`.
 *   2. it is on its new lane, with that state and a new session. Accounts open there.
 *
 * What makes that exact is a mark in every link, MOVE, which says: my lane has taken the placement
 * of that generation, what follows is by it. Behind a mark a lane reads on only when it has taken
 * that placement itself and when the marks of all its neighbours have come, as with a barrier. So
 * after 1 nothing for the task is on the way when all marks are there; and after 2 the first row of
 * the new session comes behind the last of the old one, though they take different links.
 *
 * A lane that all tasks have left has ended when that mark has come everywhere, which is told back:
 * the process may go, or die, and nothing goes with it. What was lost until then it has counted.
 *
 * What waits is bounded: credit was drawn for it. That it does not wait for ever: marks are written
 * when the placement is taken and wait for nothing; who is dead is no neighbour in the placement
 * that says so; a neighbour whose connection is made anew says its mark again.
 *
 * Thread: the lane's.
 */
#ifndef DATA_MOVE_H
#define DATA_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/messages_executor.h"

struct lane;
struct neighbour;
struct parcel;
struct task;

/* What became of a task that was to leave, or that came with its state and runs. */
struct lane_moved {
    struct lane_moved *next;
    enum msg_moved what;
    uint32_t processor;
    uint32_t task;
    uint64_t session;
    uint64_t moves;   /* the placement that it was asked to leave by */
    bool ended;       /* there is nothing left to run */
    const char *text; /* why it stays; "" otherwise */
    struct buf state; /* of one that has left: for task_arrive() */
};

/* The lane has a new placement, whose latest move is of that generation. */
void move_begin(struct lane *lane, uint64_t moves);

/* Tells all neighbours so, once everything else is as it says. */
void move_mark(struct lane *lane);

/* Says it to one whose connection begins. */
void move_say_mark(struct neighbour *p);

/* A mark was read. True: what follows has to wait. */
bool move_on_mark(struct neighbour *p, uint64_t generation);

/* The neighbour says that our mark of that generation has come. 0; GP_EPROTO: there is none. */
int move_on_heard(struct neighbour *p, uint64_t generation);

/* Whether the latest mark has come to all in other processes to whom this lane has sent rows. If no
 * task was here any more when it was written, none of these rows can get lost any more. */
bool move_is_heard(const struct lane *lane);

/* Keeps the rest of a parcel until it may be read; in front of what is kept, or behind. */
void move_hold(struct parcel *parcel, bool in_front);

/* Whether that is more than the neighbour can have had credit for: nothing of it is read, so
 * nothing is counted. */
bool move_holds_too_much(const struct neighbour *p);

/* The neighbours that have to say their mark are fewer, or the same ones. */
void move_look(struct lane *lane);

/* What waited is gone with its connection. */
void move_drop_held(struct neighbour *p);

/* The task is at the mark that ends its input: takes its state and closes it, or tells why not. */
void move_leave(struct task *t);

/* It ended or failed before. */
void move_cannot_leave(struct task *t, const char *why);

/* The task is where it was to come to. */
void move_resumed(struct task *t);

/* What a state says. Borrows from it. 0 or GP_EPROTO. */
struct move_state {
    bool ended;
    int64_t watermark_ns;
    int64_t out_ns;
    uint32_t output_count;
    gp_bytes outputs;
    uint32_t timer_count;
    gp_bytes timers;
    gp_bytes snapshot;
};
int move_read(gp_bytes state, struct move_state *ret);

/* Its outputs go on with the target whose turn it was. */
void move_set_turns(struct task *t, const struct move_state *state);

/* The task gets its timers back, in place of those that open() set. */
int move_set_timers(struct task *t, const struct move_state *state);

/* The answers since the last call, oldest first; the caller frees each. [control thread] */
struct lane_moved *lane_take_moved(struct lane *lane);
void lane_moved_free(struct lane_moved *m);

#endif
