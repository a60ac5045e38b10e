/*
 * rebalance.h: which tasks should be elsewhere. Pure: a placement and who could run tasks in, moves
 * out.
 *
 *   - Nothing stays on a host that is to be left, nothing comes to one.
 *   - Each host runs a share of every processor, by its lanes, and hosts on one worker share what
 *     its cores are worth. Tasks that a forward edge joins on one lane stay together; they form a
 *     unit. Units of the same processors are a class: evenly spread, each for itself (a host has at
 *     most one too many of each), and then all together.
 *   - With `spread` also what need not go is moved, if that makes the most loaded less loaded; a
 *     plan is a fixed point of such moves, so a second one moves nothing (but into room that became
 *     free). Classes alone need no more moves than any other plan that spreads them as evenly.
 *   - Tasks whose state cannot come along stay, and are counted as refused, unless forced.
 *   - Tasks that have a place (graph/place.h) come to hosts that take them, and to no others.
 *   - Tasks under way to another host (record.moves) count there and are left alone.
 */
#ifndef CONTROL_APPMASTER_REBALANCE_H
#define CONTROL_APPMASTER_REBALANCE_H

#include "control/appmaster/record.h"

/* Who could run tasks: an executor, or one that could be started on a worker. */
struct rebalance_host {
    uint32_t executor; /* 0: not yet */
    uint32_t worker;
    uint32_t lanes;    /* > 0 */
    uint32_t blocking; /* behind them */
    uint32_t room;     /* tasks it may have in all; what it has already may stay */
    bool leave;        /* all its tasks are to go */
    bool force;        /* with leave: those that lose their state by it, too */
    const char *name;  /* of the worker; NULL: not known, as its labels */
    char *const *labels;
    uint32_t label_count;
};

/* A task that stays, whatever is asked for: it was refused before. */
struct rebalance_stay {
    uint32_t processor;
    uint32_t task;
};

struct rebalance_wish {
    const struct rebalance_host *hosts;
    uint32_t host_count;
    const struct rebalance_stay *stay;
    uint32_t stay_count;
    bool spread;
    bool force;
    uint32_t moves_max; /* others have to wait for a later plan */
};

struct rebalance_move {
    uint32_t processor;
    uint32_t task;
    uint32_t host; /* index */
    uint32_t lane;
};

enum rebalance_why {
    REBALANCE_STATE,  /* its state cannot come along */
    REBALANCE_SOURCE, /* it would begin anew */
    REBALANCE_ROOM,   /* nobody has room for it */
    REBALANCE_PLACE,  /* nobody has, of those where it may be */
    REBALANCE_WHYS,
};

struct rebalance_refused {
    uint32_t processor;
    enum rebalance_why why;
    uint32_t tasks;
};

struct rebalance {
    struct rebalance_move *moves; /* ascending by processor and task */
    uint32_t move_count;
    struct rebalance_refused *refused; /* ascending by processor */
    uint32_t refused_count;
};

/* 0 or GP_ENOMEM. */
int rebalance_plan(const struct plan *plan, const struct record *record,
                   const struct rebalance_wish *wish, struct rebalance *ret);
void rebalance_deinit(struct rebalance *r); /* zeroed is fine */

/* What a task keeps cannot come along. */
bool rebalance_keeps_state(const struct plan_processor *p, enum rebalance_why *ret_why);

#endif
