/*
 * rebalance_work.h: what a plan is made from: the tasks by units and classes (rebalance.h), and
 * counts of both. Private to rebalance*.c.
 */
#ifndef CONTROL_APPMASTER_REBALANCE_WORK_H
#define CONTROL_APPMASTER_REBALANCE_WORK_H

#include "control/appmaster/rebalance.h"

#define REBALANCE_NONE UINT32_MAX

struct rebalance_member {
    uint32_t processor;
    uint32_t task;
};

struct rebalance_unit {
    const struct rebalance_member *members;
    uint32_t size;
    uint32_t origin; /* host */
    uint32_t host;
    uint32_t lane;
    uint32_t class;
    bool fixed;
    enum rebalance_why keeps; /* REBALANCE_WHYS: it can move */
};

struct rebalance_class {
    uint32_t first; /* unit */
    uint32_t count;
    uint32_t size; /* of each */
    uint32_t kind; /* of lanes: 0 ordinary, 1 blocking */
};

struct rebalance_where {
    uint32_t host; /* NONE: out of reach */
    uint32_t lane;
    bool fixed;
    bool ended;
};

struct rebalance_work {
    const struct plan *plan;
    const struct record *record;
    const struct rebalance_wish *wish;
    uint32_t hosts;
    uint32_t task_count;
    uint32_t *offset;                /* [processor]: its first task below */
    struct rebalance_where *where;   /* [task] */
    uint32_t *parent;                /* [task]: union-find */
    uint32_t *start;                 /* [task]: where members with that root begin */
    struct rebalance_member *member; /* [task]: by root */
    struct rebalance_unit *units;
    uint32_t unit_count;
    struct rebalance_class *classes;
    uint32_t class_count;
    uint32_t *count;    /* [class * hosts + host]: units */
    uint32_t *free;     /* the same: those that may move */
    uint32_t *total;    /* [kind * hosts + host]: tasks */
    uint64_t *worth;    /* the same: of its lanes */
    uint32_t *tasks;    /* [host] */
    uint32_t *row;      /* [host]: scratch */
    uint32_t *lane_sum; /* [host * MSG_LANES_MAX + lane]: tasks, and ... */
    uint32_t *lane_row; /* ... units of one class */
    uint32_t *refused;  /* [processor * WHYS + why] */
    uint32_t moving;
};

/* Units and classes; counts are zero. rebalance_work_deinit() also after a failure. GP_ENOMEM. */
int rebalance_work_init(struct rebalance_work *w, const struct plan *plan,
                        const struct record *record, const struct rebalance_wish *wish);
void rebalance_work_deinit(struct rebalance_work *w);

#endif
