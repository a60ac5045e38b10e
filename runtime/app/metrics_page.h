/*
 * metrics_page.h: /metrics of this daemon: of a master its own numbers and, when it leads, those of
 * all applications; of workers their slots; and what the process needs.
 */
#ifndef APP_METRICS_PAGE_H
#define APP_METRICS_PAGE_H

#include "control/master/master.h"
#include "control/worker/worker.h"
#include "wire/messages_metrics.h"

#define METRICS_ROLES_MAX 64u /* workers of one process */

/* What is in this process. All borrowed. */
struct metrics_daemon {
    const char *role;              /* "master", "worker", "local" */
    const struct master *master;   /* NULL: none */
    struct worker *const *workers; /* those that are NULL are left out */
    uint32_t worker_count;
    const struct msg_vitals *vitals; /* NULL: not known */
    uint32_t task_series;            /* metrics.task_series */
};

/* Appends the page. GP_ENOMEM, GP_ETOOBIG: the limit of out. */
int metrics_page(const struct metrics_daemon *daemon, struct buf *out);

#endif
