/*
 * describe.h: all about one application, for people and for programs.
 */
#ifndef APP_DESCRIBE_H
#define APP_DESCRIBE_H

#include <stdio.h>

#include "base/value.h"
#include "graph/plan.h"
#include "wire/messages.h"

/* Sums over what an edge is made of. */
struct edge_totals {
    uint64_t messages;
    uint64_t bytes;
    double rate;    /* messages a second */
    uint32_t kinds; /* bits, by enum edge_kind */
};

/* What a description says, put in the order of the plan. */
struct description {
    const struct msg_app_description *msg; /* borrowed */
    struct plan *plan;                     /* NULL: there is none yet */
    struct edge_totals edges[PLAN_EDGES_MAX];
    const struct msg_processor_stats *processors[PLAN_PROCESSORS_MAX]; /* NULL: no report yet */
};

/* msg outlives the description. GP_EPROTO: the plan is broken; GP_ENOMEM. */
int description_init(struct description *d, const struct msg_app_description *msg,
                     struct gp_error *err);
void description_deinit(struct description *d);

/* Messages a second into (or out of) a processor, over all its edges. */
double description_rate(const struct description *d, uint32_t processor, bool into);

/* How rows travel: "pointer", "ring", "shm", "unix", "tcp", "fused". */
const char *describe_edge_kind(uint32_t kind);

/* For -o json; NULL without memory. */
struct value *describe_tree(const struct description *d);
/* What each processor has done: for submit --wait. */
struct value *describe_totals(const struct description *d);
/* What was lost as parts of it died. */
struct value *describe_losses(const struct msg_app_live *live);

/* For people. 0 or GP_ENOMEM. */
int describe_print(const struct description *d, FILE *to);
int describe_print_totals(const struct description *d, FILE *to);

#endif
