/*
 * prometheus.h: what a daemon knows, as the families of its /metrics page. Names begin with
 * gearpump_; labels are app, processor, task, executor, worker, host, and where they stand for it
 * from, to, edge, kind, role.
 *
 * A processor has series of its own; of tasks only the slowest of each have, and only so many in
 * all. So the page grows with processors, not with tasks. Pure; all input is borrowed.
 */
#ifndef OBSERVE_PROMETHEUS_H
#define OBSERVE_PROMETHEUS_H

#include "observe/exposition.h"
#include "wire/messages_metrics.h"

struct prometheus_apps {
    const struct msg_app_metrics *const *apps;
    uint32_t count;
    uint32_t task_series; /* tasks that have series of their own, at most */
};

/* What a master says of the group, and of the cluster when it leads. */
struct prometheus_master {
    bool leads;
    uint64_t term;
    uint64_t last; /* log entries, as the next two */
    uint64_t committed;
    uint64_t applied;
    uint64_t elections;       /* that it won */
    const struct hist *apply; /* ns from proposed to applied */
    uint32_t workers;
    uint32_t slots;
    uint32_t slots_used;
    uint64_t history_bytes;
};

struct prometheus_worker {
    uint32_t worker;
    const char *host;
    uint32_t slots;
    uint32_t slots_used;
    uint32_t processes;
};

/* The first failure stays in e->rc. */
void prometheus_put_apps(struct exposition *e, const struct prometheus_apps *apps);
void prometheus_put_master(struct exposition *e, const struct prometheus_master *master);
void prometheus_put_workers(struct exposition *e, const struct prometheus_worker *workers,
                            uint32_t count);
/* role: of this process; once a page. */
void prometheus_put_vitals(struct exposition *e, const char *role, const struct msg_vitals *vitals);

#endif
